-- A shard whose rows all have their result. $1 worker, $2 job, $3 shard, $4 epoch
-- Not waited for by the disk: where the database forgets it, the next worker finds the same.
UPDATE nbatch.shard s SET is_done = true, until = 'infinity'
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS soon
WHERE s.job = $2 AND s.number = $3 AND s.worker = $1 AND s.epoch = $4
  AND NOT EXISTS (SELECT FROM nbatch.started t WHERE t.job = s.job AND t.shard = s.number)
  AND NOT EXISTS (SELECT FROM nbatch.command c
                  WHERE c.job = s.job AND c.shard = s.number AND c.row > s.reached AND c.problem IS NULL)
RETURNING s.number;
