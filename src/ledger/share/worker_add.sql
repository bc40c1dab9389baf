-- A worker begins. $1 account, $2 job or NULL, $3 name, $4 rate a second or NULL
INSERT INTO nbatch.worker (account, job, name, rate, until)
SELECT $1, $2, $3, coalesce($4, (SELECT rate FROM nbatch.job WHERE id = $2)), now() + lease FROM nbatch.meta
RETURNING id;
