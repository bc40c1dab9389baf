-- Rows are about to be sent: they are marked, and says which are; one that is not among them is not this worker's any
-- more. $1 worker, $2 job; and of each row: $3 shard, $4 epoch, $5 row, $6 requests that left before, $7 ambiguous ones
WITH held AS (
    SELECT s.number, s.epoch FROM nbatch.shard s
    WHERE s.job = $2 AND s.worker = $1 AND s.number = ANY ($3::int[]) FOR SHARE
), given AS (
    SELECT g.* FROM unnest($3::int[], $4::int[], $5::bigint[], $6::int[], $7::int[])
                        AS g (shard, epoch, row, sent, ambiguous)
    JOIN held ON held.number = g.shard AND held.epoch = g.epoch
), moved AS (
    UPDATE nbatch.shard s SET reached = greatest(s.reached, m.row)
    FROM (SELECT shard, max(row) AS row FROM given GROUP BY shard) AS m
    WHERE s.job = $2 AND s.number = m.shard AND s.reached < m.row
)
INSERT INTO nbatch.started (job, shard, row, sent, ambiguous)
SELECT $2, shard, row, sent, ambiguous FROM given
ON CONFLICT (job, shard, row) DO UPDATE
SET may_left = true, sent = excluded.sent, ambiguous = excluded.ambiguous
RETURNING row;
