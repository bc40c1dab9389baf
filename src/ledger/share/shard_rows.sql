-- The next commands of a shard. $1 job, $2 shard, $3 behind this row, $4 how many
SELECT shard, row, line, device, hash, occurrence, action, valid_at, expires_at, has_valid, cut_at,
       cut_len, target, body, name, passed, 0, 0
FROM nbatch.command
WHERE job = $1 AND shard = $2 AND row > $3 AND problem IS NULL
ORDER BY row LIMIT $4;
