-- Once all commands are there: the shards that have some. $1 job
INSERT INTO nbatch.shard (job, number, rows)
SELECT job, shard, count(*) FROM nbatch.command WHERE job = $1 AND problem IS NULL GROUP BY job, shard;
