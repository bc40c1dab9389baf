-- Rows that were marked and are certain not to have been processed: another worker may send them.
-- $1 worker, $2 job; and of each row: $3 shard, $4 epoch, $5 row, $6 requests that left, $7 ambiguous ones
WITH held AS (
    SELECT s.number, s.epoch FROM nbatch.shard s
    WHERE s.job = $2 AND s.worker = $1 AND s.number = ANY ($3::int[]) FOR SHARE
)
UPDATE nbatch.started t SET may_left = false, sent = g.sent, ambiguous = g.ambiguous
FROM unnest($3::int[], $4::int[], $5::bigint[], $6::int[], $7::int[]) AS g (shard, epoch, row, sent, ambiguous)
JOIN held ON held.number = g.shard AND held.epoch = g.epoch
WHERE t.job = $2 AND t.shard = g.shard AND t.row = g.row;
