-- Its rows in doubt, with what was asked of the platform and in which time, for whoever looks for them in the
-- platform's history. $1 job
SELECT c.row, c.line, c.hash, c.occurrence, c.device, c.action, r.ambiguous,
       (extract(epoch FROM coalesce(r.began, j.loaded)) * 1000)::bigint, (extract(epoch FROM r.finished) * 1000)::bigint,
       c.target, c.body
FROM nbatch.job j JOIN nbatch.result r ON r.job = j.id JOIN nbatch.command c ON c.job = r.job AND c.row = r.row
WHERE j.id = $1 AND r.status = 3
ORDER BY r.row;
