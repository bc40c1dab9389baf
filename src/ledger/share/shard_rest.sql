-- The commands of a shard that its last worker has started or given back, and that are to be sent: shard_settle.sql has
-- taken the others out, and none of them is sent even where it has not.
-- $1 job, $2 shard
SELECT c.shard, c.row, c.line, c.device, c.hash, c.occurrence, c.action, c.valid_at, c.expires_at, c.has_valid, c.cut_at,
       c.cut_len, c.target, c.body, c.name, c.passed, t.sent + t.may_left::int, t.ambiguous + t.may_left::int
FROM nbatch.started t JOIN nbatch.command c USING (job, shard, row) JOIN nbatch.job j ON j.id = t.job
WHERE t.job = $1 AND t.shard = $2
  AND (NOT t.may_left OR CASE WHEN c.action = 2 THEN j.again_other ELSE j.again_idempotent END)
ORDER BY c.row;
