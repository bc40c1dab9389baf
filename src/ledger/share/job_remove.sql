-- Removes a job with its commands, results and all else. Not while somebody works at it. $1 name
DELETE FROM nbatch.job j
WHERE name = $1 AND NOT EXISTS (SELECT FROM nbatch.worker w WHERE w.job = j.id AND w.until > now())
RETURNING id;
