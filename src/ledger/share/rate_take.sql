-- Takes starts of the account's rate: those that fall due from now on for $4 ms, one at least, and none where others
-- have taken them already. Says how many, in how many µs the first falls due (below zero: it did), how many µs are
-- between them, and in how many µs to ask again where there are none. Without a rate they are as many as are wanted.
-- The rate is the lowest of those that the account's workers were started with, the one that asks among them whatever is
-- known of it, and what the platform let through.
-- Nothing can be due later than one start behind the $4 ms: where it seems so, the database's clock was set back.
-- Not waited for by the disk: a database that dies forgets some of the starts of its last moments.
-- $1 account, $2 how many are wanted, $3 how many may start back to back, $4 ms, $5 the asking worker's own rate or NULL,
-- $6 its job, 0 for none
WITH rate AS (
    SELECT least(min(w.rate), $5::float8, (SELECT j.rate FROM nbatch.job j WHERE $5::float8 IS NULL AND j.id = $6::int),
                 a.throttled * (1 + 0.01 * extract(epoch FROM clock_timestamp() - a.throttled_at)))::float8
               AS per_s
    FROM nbatch.account a LEFT JOIN nbatch.worker w ON w.account = a.name AND w.until > now()
    WHERE a.name = $1 GROUP BY a.name
), bucket AS (
    SELECT a.name, rate.per_s, clock_timestamp() AS at,
           least(greatest(a.due, clock_timestamp() - ($3::int - 1) / rate.per_s * interval '1 s' - interval '20 ms'),
                 clock_timestamp() + $4::int * interval '1 ms' + interval '1 s' / rate.per_s) AS due
    FROM nbatch.account a, rate WHERE a.name = $1 FOR NO KEY UPDATE OF a
), grant_of AS (
    SELECT name, per_s, at, due,
           CASE WHEN per_s IS NULL THEN $2::int
                WHEN due > at + $4::int * interval '1 ms' THEN 0
                ELSE least($2::int, 1 + floor(extract(epoch FROM at + $4::int * interval '1 ms' - due) * per_s)::int)
           END AS count
    FROM bucket
), paid AS (
    UPDATE nbatch.account a
    SET due = CASE WHEN g.per_s IS NULL THEN a.due ELSE g.due + g.count / g.per_s * interval '1 s' END,
        taken = taken + g.count,
        pace = CASE WHEN g.at > a.pace_at + interval '1 s'
                    THEN (taken + g.count - pace_taken) / extract(epoch FROM g.at - greatest(a.pace_at, g.at - interval '1 h'))
                    ELSE a.pace END,
        pace_taken = CASE WHEN g.at > a.pace_at + interval '1 s' THEN taken + g.count ELSE pace_taken END,
        pace_at = CASE WHEN g.at > a.pace_at + interval '1 s' THEN g.at ELSE a.pace_at END
    FROM grant_of g WHERE a.name = g.name AND g.count > 0
)
SELECT count, CASE WHEN per_s IS NULL THEN 0 ELSE extract(epoch FROM due - at) * 1e6 END::bigint, coalesce(1e6 / per_s, 0)::bigint,
       greatest(extract(epoch FROM due - at) * 1e6 - $4::int * 1000, 1000)::bigint
FROM grant_of, (SELECT set_config('synchronous_commit', 'off', true)) AS soon;
