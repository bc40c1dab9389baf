-- The names of its passed columns, in their order. $1 job
SELECT p.name FROM nbatch.job, unnest(passed) WITH ORDINALITY AS p (name, at) WHERE id = $1 ORDER BY p.at;
