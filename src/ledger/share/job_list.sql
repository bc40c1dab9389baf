-- All jobs, the newest first: what they are, what has become of their rows, who works at them, and how fast a running one went in the
-- last ten seconds.
SELECT j.name, j.state, j.account, j.rows,
       coalesce(r.accepted, 0), coalesce(r.rejected, 0), coalesce(r.failed, 0), coalesce(r.in_doubt, 0),
       coalesce(r.invalid, 0),
       (SELECT count(*) FROM nbatch.worker w WHERE w.job = j.id AND w.until > now()),
       CASE j.state WHEN 'running' THEN (coalesce(r.late, 0) / 10.0)::numeric(12, 1)::text ELSE '-' END
FROM nbatch.job j
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status = 0) AS accepted, count(*) FILTER (WHERE status = 1) AS rejected,
           count(*) FILTER (WHERE status = 2) AS failed, count(*) FILTER (WHERE status = 3) AS in_doubt,
           count(*) FILTER (WHERE status = 4) AS invalid,
           count(*) FILTER (WHERE finished > now() - interval '10 s' AND attempts > 0) AS late
    FROM nbatch.result WHERE job = j.id
) r ON true
ORDER BY j.id DESC;
