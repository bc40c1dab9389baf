-- … the results of the rows that are not sent, since they are invalid … $1 job
INSERT INTO nbatch.result (job, row, status, uuid, error, http_status, attempts, ambiguous, latency_us, finished)
SELECT job, row, 4, '', problem, 0, 0, 0, -1, now() FROM nbatch.command WHERE job = $1 AND problem IS NOT NULL;
