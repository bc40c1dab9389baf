-- What a row in doubt has turned out to be, by the platform's history; what somebody else has found out before stays.
-- $1 job, $2 row, $3 status, $4 uuid, $5 errno or NULL, $6 error, $7 ambiguous
UPDATE nbatch.result SET status = $3, uuid = $4, errno = $5, error = $6, ambiguous = $7, finished = now()
WHERE job = $1 AND row = $2 AND status = 3
RETURNING row;
