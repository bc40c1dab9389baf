-- How a worker's session plans: each of its statements is about some rows, which an index finds. Tables that were
-- loaded a moment ago have no statistics yet that would tell the planner so; and none is worth being compiled.
-- And what is committed is on the disk, whatever the server does for others: a mark that a crash forgets is a row that is
-- sent twice.
SELECT set_config(name, 'off', false)
FROM unnest(ARRAY['jit', 'enable_seqscan', 'enable_hashjoin', 'enable_mergejoin']) AS name
UNION ALL
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
