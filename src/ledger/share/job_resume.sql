-- Goes on with a job that was paused or stopped. $1 name
UPDATE nbatch.job SET state = 'running' WHERE name = $1 AND state IN ('running', 'paused', 'stopped') RETURNING id;
