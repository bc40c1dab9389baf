-- A worker begins. $1 account, $2 job or NULL, $3 name, $4 rate a second or NULL
-- Those that died long ago are forgotten.
WITH forgotten AS (
    DELETE FROM nbatch.worker WHERE until < now() - interval '1 day'
)
INSERT INTO nbatch.worker (account, job, name, rate, until)
SELECT $1, $2, $3, coalesce($4, (SELECT rate FROM nbatch.job WHERE id = $2)), now() + lease FROM nbatch.meta
RETURNING id;
