-- Renews the worker and its leases, and says which shards are still its own; one that is not among them has another
-- worker by now. $1 worker, $2 job
WITH me AS (
    UPDATE nbatch.worker SET until = now() + (SELECT lease FROM nbatch.meta) WHERE id = $1
)
UPDATE nbatch.shard SET until = now() + (SELECT lease FROM nbatch.meta)
WHERE worker = $1 AND job = $2 AND NOT is_done
RETURNING number, epoch, reached;
