-- Whether there is a schema at all.
SELECT to_regclass('nbatch.meta') IS NOT NULL;
