-- Whether there is work: the job's state; no row where it was removed. One whose shards are all done is complete.
-- $1 job
WITH done AS (
    UPDATE nbatch.job j SET state = 'complete'
    WHERE id = $1 AND state IN ('running', 'paused')
      AND NOT EXISTS (SELECT FROM nbatch.shard s WHERE s.job = j.id AND NOT s.is_done)
    RETURNING state
)
SELECT coalesce((SELECT state FROM done), state) FROM nbatch.job WHERE id = $1;
