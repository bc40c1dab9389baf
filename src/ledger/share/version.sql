-- The version of the schema, and how long a lease lasts in milliseconds.
SELECT version, (extract(epoch FROM lease) * 1000)::bigint FROM nbatch.meta;
