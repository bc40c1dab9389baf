-- What the last worker of a shard may have sent, and what is not to be sent again: these rows are in doubt, or were
-- accepted, by an answer that came late.
-- $1 worker, $2 job, $3 shard, $4 epoch
WITH held AS (
    SELECT s.number, j.again_idempotent, j.again_other FROM nbatch.shard s JOIN nbatch.job j ON j.id = s.job
    WHERE s.job = $2 AND s.number = $3 AND s.worker = $1 AND s.epoch = $4 FOR SHARE OF s
), doubt AS (
    DELETE FROM nbatch.started t USING held, nbatch.command c
    WHERE t.job = $2 AND t.shard = held.number AND t.may_left AND c.job = t.job AND c.shard = t.shard AND c.row = t.row
      AND (NOT CASE WHEN c.action = 2 THEN held.again_other ELSE held.again_idempotent END
           OR EXISTS (SELECT FROM nbatch.event e WHERE e.job = t.job AND e.row = t.row AND e.status = 0))
    RETURNING t.row, t.sent, t.ambiguous, t.at
), late AS (
    SELECT DISTINCT ON (e.row) e.row, e.uuid FROM nbatch.event e JOIN doubt USING (row)
    WHERE e.job = $2 AND e.status = 0 ORDER BY e.row, e.at
)
INSERT INTO nbatch.result (job, row, status, uuid, error, http_status, attempts, ambiguous, latency_us, finished, began,
                           worker)
SELECT $2, d.row, CASE WHEN l.row IS NULL THEN 3 ELSE 0 END, coalesce(l.uuid, ''),
       CASE WHEN l.row IS NULL THEN 'its worker lost its lease or died while the request may have been under way' ELSE '' END,
       0, d.sent + 1, d.ambiguous + 1, -1, now(), d.at, $1
FROM doubt d LEFT JOIN late l USING (row)
ON CONFLICT DO NOTHING
RETURNING row;
