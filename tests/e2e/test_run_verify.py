"""nbatch run --on-ambiguous verify: a row that may have been processed is looked for before it is sent again."""
import json
import signal
import time

import pytest
from conftest import HEADER, imei, read_results, row_of
from test_verify import FAULTS, current, processed, statuses

ROWS = 300
PATIENCE = ("--max-attempts", "40", "--retry-delay", "5ms", "--retry-max-delay", "50ms")


def run(nbatch, sim, path, *words, settle="300ms,900ms"):
    return nbatch("run", path, "--endpoint", sim.url, "--on-ambiguous", "verify", "--settle", settle, *PATIENCE, *words)


def executes(tmp_path, count):
    path = tmp_path / "fleet.csv"
    path.write_text("action,imei,obj_id,obj_inst_id,res_id,args,expired_time\n" +
                    "".join(f"execute,{imei(i)},3,0,4,go{i},+7d\n" for i in range(1, count + 1)), encoding="utf-8")
    return path


@pytest.mark.parametrize("action", ["write", "execute"])
def test_one_run_sends_each_row_once(nbatch, tmp_path, fleet, simulator, action):
    sim = simulator(*FAULTS, "--lag", "200ms", "--state", tmp_path / "state")
    path = fleet(ROWS) if action == "write" else executes(tmp_path, ROWS)
    done = run(nbatch, sim, path, "--json")
    assert done.code == 0, done
    rows = current(nbatch, tmp_path / "fleet.results.csv")
    stored = processed(sim)
    assert all(len(uuids) == 1 for uuids in stored.values()) and len(stored) == ROWS
    assert {row["imei"]: row["uuid"] for row in rows} == {key[0]: uuids[0] for key, uuids in stored.items()}
    assert {row["status"] for row in rows} == {"accepted"}
    verified = json.loads(done.out)["verified"]
    assert verified["found"] > 3 and verified["missing"] > 3 and verified["unclear"] == 0, verified
    assert verified["looked"] == verified["found"] + verified["missing"] and verified["calls"] > 2 * verified["looked"] - 10
    assert not list(tmp_path.glob("*.doubt")) and not list(tmp_path.glob("*.journal"))
