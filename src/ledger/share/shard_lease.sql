-- Leases shards that nobody has: never had, given back, or not renewed in time. $1 worker, $2 job, $3 how many
-- Not waited for by the disk: what is marked under the lease later comes behind it in the database's log.
WITH free AS MATERIALIZED (
    SELECT f.number, set_config('synchronous_commit', 'off', true)
    FROM nbatch.shard f JOIN nbatch.job j ON j.id = f.job
    WHERE f.job = $2 AND NOT f.is_done AND f.until < now() AND j.state = 'running'
    ORDER BY f.number LIMIT $3 FOR UPDATE OF f SKIP LOCKED
)
UPDATE nbatch.shard s
SET worker = $1, epoch = epoch + 1, until = now() + (SELECT lease FROM nbatch.meta)
FROM free
WHERE s.job = $2 AND s.number = free.number
RETURNING s.number, s.epoch, s.reached;
