-- What has become of its rows. $1 job
SELECT count(*) FILTER (WHERE status = 0), count(*) FILTER (WHERE status = 1), count(*) FILTER (WHERE status = 2),
       count(*) FILTER (WHERE status = 3), count(*) FILTER (WHERE status = 4),
       count(*) FILTER (WHERE status = 0 AND ambiguous > 0)
FROM nbatch.result WHERE job = $1;
