-- A job by its name. $1 name
SELECT id, account, state, endpoint, dialect, input, rate, again_idempotent, again_other, on_ambiguous, rows,
       coalesce(array_length(passed, 1), 0), (extract(epoch FROM loaded) * 1000000)::bigint
FROM nbatch.job WHERE name = $1;
