-- The results of rows, where their shard is still the worker's under the same epoch. What it has of other rows is
-- evidence: an accepted answer settles a row in doubt, and overwrites nothing else.
-- $1 worker, $2 job; and of each row: $3 shard, $4 epoch, $5 row, $6 status, $7 uuid, $8 errno, $9 error, $10 HTTP
-- status, $11 attempts, $12 ambiguous, $13 latency in µs; and $14 how long ago they ended, in ms
WITH held AS (
    SELECT s.number, s.epoch FROM nbatch.shard s
    WHERE s.job = $2 AND s.worker = $1 AND s.number = ANY ($3::int[]) FOR SHARE
), given AS (
    SELECT g.*, held.number IS NOT NULL AS is_held
    FROM unnest($3::int[], $4::int[], $5::bigint[], $6::smallint[], $7::text[], $8::bigint[], $9::text[], $10::int[],
                $11::int[], $12::int[], $13::bigint[])
             AS g (shard, epoch, row, status, uuid, errno, error, http_status, attempts, ambiguous, latency_us)
    LEFT JOIN held ON held.number = g.shard AND held.epoch = g.epoch
), ended AS (
    DELETE FROM nbatch.started t USING given g WHERE g.is_held AND t.job = $2 AND t.shard = g.shard AND t.row = g.row
    RETURNING t.row, t.at
), late AS (
    INSERT INTO nbatch.event (job, row, worker, status, uuid, error)
    SELECT $2, row, $1, status, uuid, error FROM given WHERE NOT is_held AND status <> 3
), settled AS (
    UPDATE nbatch.result r SET status = 0, uuid = g.uuid, error = '', errno = g.errno, http_status = g.http_status
    FROM given g
    WHERE NOT g.is_held AND g.status = 0 AND r.job = $2 AND r.row = g.row AND r.status = 3
)
INSERT INTO nbatch.result (job, row, status, uuid, errno, error, http_status, attempts, ambiguous, latency_us, finished,
                           began, worker)
SELECT $2, g.row, coalesce(e.status, g.status), coalesce(e.uuid, g.uuid), g.errno,
       CASE WHEN e.status IS NULL THEN g.error ELSE '' END, g.http_status, g.attempts, g.ambiguous, g.latency_us,
       now() - $14::bigint * interval '1 ms',
       CASE WHEN g.status = 3 THEN (SELECT min(ended.at) FROM ended WHERE ended.row = g.row) END, $1
FROM given g
LEFT JOIN LATERAL (SELECT e.status, e.uuid FROM nbatch.event e
                   WHERE g.status = 3 AND e.job = $2 AND e.row = g.row AND e.status = 0 LIMIT 1) e ON true
WHERE g.is_held
ON CONFLICT DO NOTHING;
