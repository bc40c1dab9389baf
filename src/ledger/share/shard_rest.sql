-- The commands of a shard that its last worker has started or given back, and that are to be sent.
-- $1 job, $2 shard
SELECT c.shard, c.row, c.line, c.device, c.hash, c.occurrence, c.action, c.valid_at, c.expires_at, c.has_valid, c.cut_at,
       c.cut_len, c.target, c.body, c.name, c.passed, t.sent + t.may_left::int, t.ambiguous + t.may_left::int
FROM nbatch.started t JOIN nbatch.command c USING (job, shard, row)
WHERE t.job = $1 AND t.shard = $2
ORDER BY c.row;
