-- One request, made once, for wrk: the body of the first line of the file that NBATCH_BENCH_REQUESTS
-- names, and the target that wrk is given.
local line = io.lines(os.getenv("NBATCH_BENCH_REQUESTS"))()

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["api-key"] = "a-key-of-the-bench"
wrk.body = line:match("\t(.*)$")
