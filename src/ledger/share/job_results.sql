-- The results as they are now, in the order of the input. $1 job
SELECT c.row, c.line, c.hash, c.occurrence, c.name, c.passed, r.status, r.uuid, r.errno, r.error, r.http_status,
       r.attempts, r.ambiguous, r.latency_us, (extract(epoch FROM r.finished) * 1000)::bigint
FROM nbatch.result r
JOIN nbatch.command c ON c.job = r.job AND c.row = r.row
WHERE r.job = $1
ORDER BY r.row;
