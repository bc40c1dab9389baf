-- A worker begins. $1 account, $2 job or 0 for none, $3 name, $4 rate a second or NULL
-- Those that died long ago are forgotten.
WITH forgotten AS (
    DELETE FROM nbatch.worker WHERE until < now() - interval '1 day'
)
INSERT INTO nbatch.worker (account, job, name, rate, until)
SELECT $1, nullif($2::int, 0), $3, coalesce($4, (SELECT rate FROM nbatch.job WHERE id = $2::int)), now() + lease
FROM nbatch.meta
RETURNING id;
