-- … and ends: what it has is free at once. $1 worker
WITH freed AS (
    UPDATE nbatch.shard SET until = '-infinity', worker = NULL WHERE worker = $1 AND NOT is_done
)
DELETE FROM nbatch.worker WHERE id = $1;
