-- A job by its name. $1 name
SELECT id, account, state, endpoint, dialect, input, rate, again_idempotent, again_other, on_ambiguous, rows,
       coalesce(array_length(passed, 1), 0)
FROM nbatch.job WHERE name = $1;
