-- The commands of a job.
COPY nbatch.command (job, shard, row, line, device, hash, occurrence, action, valid_at, expires_at, has_valid, cut_at,
                     cut_len, target, body, name, passed, problem)
FROM STDIN (FORMAT binary);
