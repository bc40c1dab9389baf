-- A job, whose commands follow in the same transaction: one that was not loaded whole does not exist.
-- $1 name, $2 account, $3 endpoint, $4 dialect, $5 input, $6 its hash, $7 rate a second or NULL, $8 and $9 what is sent
-- again, $10 on_ambiguous, $11 names of the passed columns
INSERT INTO nbatch.job (name, account, endpoint, dialect, input, input_hash, rate, again_idempotent, again_other,
                        on_ambiguous, passed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
RETURNING id;
