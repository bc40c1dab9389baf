-- … and how many rows there are. A job in which none is to be sent is complete. $1 job, $2 rows
UPDATE nbatch.job
SET rows = $2,
    state = CASE WHEN EXISTS (SELECT FROM nbatch.shard WHERE job = $1) THEN state ELSE 'complete' END
WHERE id = $1;
