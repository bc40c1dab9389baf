-- Renews the worker and its leases, and says which shards are still its own; one that is not among them has another
-- worker by now. A worker that was forgotten meanwhile (it stood still for a day, or the database is an older copy) is
-- there again: the account's rate goes by it.
-- $1 worker, $2 job or 0 for none, $3 account, $4 name, $5 rate a second or NULL
WITH me AS (
    INSERT INTO nbatch.worker (id, account, job, name, rate, until) OVERRIDING SYSTEM VALUE
    SELECT $1::bigint, $3, nullif($2::int, 0), $4, coalesce($5, (SELECT rate FROM nbatch.job WHERE id = $2::int)),
           now() + lease
    FROM nbatch.meta
    ON CONFLICT (id) DO UPDATE SET until = excluded.until
)
UPDATE nbatch.shard SET until = now() + (SELECT lease FROM nbatch.meta)
WHERE worker = $1::bigint AND job = $2::int AND NOT is_done
RETURNING number, epoch, reached;
