-- Ends a job before its rows do: its workers leave. $1 name
UPDATE nbatch.job SET state = 'stopped' WHERE name = $1 AND state IN ('running', 'paused', 'stopped') RETURNING id;
