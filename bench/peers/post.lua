-- A request of its own for each row, for wrk: target and body of each line of the file that
-- NBATCH_BENCH_REQUESTS names (a tab between them), from the first again after the last.
local rows, at = {}, 0
for line in io.lines(os.getenv("NBATCH_BENCH_REQUESTS")) do
  local target, body = line:match("^(.-)\t(.*)$")
  rows[#rows + 1] = { target, body }
end
local headers = { ["Content-Type"] = "application/json", ["api-key"] = "a-key-of-the-bench" }

function request()
  at = at % #rows + 1
  return wrk.format("POST", rows[at][1], headers, rows[at][2])
end
