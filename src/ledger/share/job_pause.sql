-- No row is started any more; what is in flight is waited for. $1 name
UPDATE nbatch.job SET state = 'paused' WHERE name = $1 AND state IN ('running', 'paused') RETURNING id;
