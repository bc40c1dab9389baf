-- A shard that its worker does not go on with. $1 worker, $2 job, $3 shard, $4 epoch
UPDATE nbatch.shard SET until = '-infinity', worker = NULL
WHERE job = $2 AND number = $3 AND worker = $1 AND epoch = $4 AND NOT is_done;
