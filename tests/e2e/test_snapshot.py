"""A way back: nbatch snapshot, its rollback, and --only-in; the values of the simulator's devices are the oracle."""
import json
import signal
import subprocess

import pytest
from conftest import KEY, NBATCH, imei, read_results, wait_for

COLUMNS = "imei,obj_id,obj_inst_id,mode,expired_time,data\n"
OLD = [{"res_id": 1, "val": 9007199254740993}, {"res_id": 2, "type": 1, "val": "00FF1A"},
       {"res_id": 3, "type": 2, "val": 1700000000}, {"res_id": 4, "val": "0042"}, {"res_id": 5, "val": 1.125},
       {"res_id": 6, "val": True}, {"res_id": 7, "val": ' a,"b 你 '}, {"res_id": 8, "val": -9223372036854775808}]
NEW = [{"res_id": 1, "val": -1}, {"res_id": 2, "type": 1, "val": "AA"}, {"res_id": 3, "type": 2, "val": 1800000000},
       {"res_id": 4, "val": "x"}, {"res_id": 5, "val": 2.5}, {"res_id": 6, "val": False}, {"res_id": 8, "val": 0}]
DEVICES = ("--uplink", "5s..20s", "--clock", "60x", "--seed", "5")


def write(path, devices, data, mode=2):
    cell = json.dumps(data, ensure_ascii=False).replace('"', '""')
    path.write_text(COLUMNS + "".join(f'{imei(i)},3311,0,{mode},+7d,"{cell}"\n' for i in devices), encoding="utf-8")
    return path


class Fleet:
    """A simulator that keeps its state, and what its devices hold once it was stopped."""

    def __init__(self, nbatch, tmp_path, simulator, *options):
        self.nbatch, self.tmp_path, self.simulator = nbatch, tmp_path, simulator
        self.options = options
        self.sim = simulator(*DEVICES, *options, "--state", tmp_path / "state")

    def run(self, path, *words):
        """Sends, and waits for the devices."""
        done = self.nbatch("run", path, "--endpoint", self.sim.url, "-q", *words)
        results = path.with_suffix(".results.csv") if "-o" not in words else words[words.index("-o") + 1]
        self.nbatch("status", results, "--endpoint", self.sim.url, "--watch=1s", "--rate", "none", "-q")
        return done

    def snapshot(self, path, *words):
        return self.nbatch("snapshot", path, "--endpoint", self.sim.url, "--watch", "1s", "--rate", "none", *words)

    def values(self):
        """Of all devices, as JSON texts; the simulator is started anew."""
        self.sim.stop()
        lines = [json.loads(line) for line in (self.tmp_path / "state").read_text(encoding="utf-8").splitlines()]
        found = {(line["device"], line["obj_id"], line["obj_inst_id"], line["res_id"]): line["value"]
                 for line in lines if "value" in line}
        self.sim = self.simulator(*DEVICES, *self.options, "--state", self.tmp_path / "state")
        return found


@pytest.fixture
def devices(nbatch, tmp_path, simulator):
    return lambda *options: Fleet(nbatch, tmp_path, simulator, *options)


@pytest.mark.parametrize("mode", [2, 1])
def test_what_was_changed_is_put_back_digit_for_digit(nbatch, devices, tmp_path, mode):
    """With mode 1 what the row does not name is deleted, and comes back too."""
    fleet = devices()
    assert fleet.run(write(tmp_path / "old.csv", range(1, 101), OLD)).code == 0
    before = fleet.values()
    assert len(before) == 800 and before[imei(7), 3311, 0, 1] == "9007199254740993"
    path = write(tmp_path / "fleet.csv", range(1, 101), NEW if mode == 2 else NEW[:2], mode)
    done = fleet.snapshot(path, "--json")
    assert done.code == 0, done
    said = json.loads(done.out)
    assert said["instances"] == 100 and said["missing"] == 0 and said["values"] == (700 if mode == 2 else 800)
    assert not (tmp_path / "fleet.rollback.missing.csv").exists()
    assert fleet.run(path, "--allow-replace").code == 0
    changed = fleet.values()
    assert changed != before and changed[imei(7), 3311, 0, 1] == "-1" and len(changed) == (800 if mode == 2 else 200)
    done = nbatch("check", tmp_path / "fleet.rollback.csv")
    assert done.code == 0 and "0 warnings" in done.out + done.err, done
    assert fleet.run(tmp_path / "fleet.rollback.csv").code == 0
    assert fleet.values() == before
    # The types go out as the row said.
    fleet.sim.stop()
    audits = [json.loads(line) for path in sorted(tmp_path.glob("audit*.jsonl")) for line in path.read_text().splitlines()]
    body = [line["body"] for line in audits if line.get("action") == "write"][-1]
    types = {item["res_id"]: item.get("type", 0) for item in json.loads(body)["data"]}
    assert types[2] == 1 and (mode == 1 or types[3] == 2) and types[1] == 0


@pytest.mark.parametrize("mode", [1, 2])
def test_values_that_may_lose_their_type_are_warned_of_by_name(nbatch, devices, tmp_path, mode):
    """Of resources that no row names nobody tells whether they were opaque or times; with mode 2 they stay as they are."""
    fleet = devices()
    assert fleet.run(write(tmp_path / "old.csv", range(1, 31), OLD)).code == 0
    path = write(tmp_path / "fleet.csv", range(1, 31), NEW[:2], mode)
    done = fleet.snapshot(path, "--json")
    assert done.code == 0, done
    said = json.loads(done.out)
    if mode == 2:
        assert said["untyped"] == 0 and said["untyped_resources"] == [] and "warning: no row" not in done.err
        return
    # 3 is a time, and 4 looks like hex; 1 and 2 are named by the rows, the others can be neither.
    assert said["untyped"] == 2 and sorted(said["untyped_resources"]) == ["3311/3", "3311/4"]
    assert "warning: no row names these resources" in done.err and "3311/3" in done.err and "fleet.rollback.csv" in done.err
    back = {item["res_id"]: item for item in json.loads(read_results(tmp_path / "fleet.rollback.csv")[0]["data"])}
    assert back[2]["type"] == 1 and "type" not in back[3]


def test_who_did_not_answer_is_listed_and_left_out(nbatch, devices, tmp_path):
    fleet = devices("--fault", "device-not_found:20%")
    done = nbatch("run", write(tmp_path / "old.csv", range(1, 101), OLD), "--endpoint", fleet.sim.url, "-q")
    assert done.code == 0
    path = write(tmp_path / "fleet.csv", range(1, 101), NEW[:1])
    done = fleet.snapshot(path)
    assert done.code == 1, done
    back = {row["imei"] for row in read_results(tmp_path / "fleet.rollback.csv")}
    missing = {row["imei"]: row["reason"] for row in read_results(tmp_path / "fleet.rollback.missing.csv")}
    assert len(missing) > 3 and back | set(missing) == {imei(i) for i in range(1, 101)} and not back & set(missing)
    assert "refused: NOT_FOUND" in missing.values()
    done = fleet.run(path, "--only-in", "fleet.rollback.csv")
    assert done.code == 1, done
    rows = read_results(tmp_path / "fleet.results.csv")
    assert {row["imei"] for row in rows if row["status"] == "accepted"} == back
    left_out = [row for row in rows if row["status"] == "invalid"]
    assert {row["imei"] for row in left_out} == set(missing) and "E-NOT-IN" in left_out[0]["error"]
    # Negative control: without the option they are sent.
    assert nbatch("run", path, "--endpoint", fleet.sim.url, "-q", "-o", "all.csv").code == 0
    # Those are asked again, and only those.
    asked = sum(row["status"] == "accepted" for row in read_results(tmp_path / "fleet.snapshot.results.csv"))
    assert fleet.snapshot(path, "--resume").code in (0, 1)
    again = read_results(tmp_path / "fleet.snapshot.results.csv")
    assert 0 < len(again) - asked <= len(missing)
    assert len(read_results(tmp_path / "fleet.rollback.csv")) > len(back)


def test_killed_at_any_time_it_is_gone_on_with(nbatch, devices, tmp_path):
    fleet = devices()
    assert fleet.run(write(tmp_path / "old.csv", range(1, 301), OLD)).code == 0
    path = write(tmp_path / "fleet.csv", range(1, 301), NEW)
    words = ["snapshot", path, "--endpoint", fleet.sim.url, "--watch", "1s", "--rate", "300/s"]

    def calls():
        return fleet.sim.audit_path.read_bytes().count(b'"method"')

    for more in (0, 60, 120, 200, 30, 110):  # while it sends, asks, and asks for the values
        enough = calls() + more
        resume = ["--resume"] if (tmp_path / "fleet.snapshot.results.csv").exists() else []
        process = subprocess.Popen([NBATCH, *words, *resume], cwd=tmp_path, env={"NBATCH_API_KEY": KEY}, stderr=subprocess.PIPE)
        wait_for(lambda: calls() >= enough or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = nbatch(*words, "--resume")
    assert done.code == 0, done
    back = read_results(tmp_path / "fleet.rollback.csv")
    assert len(back) == 300 == len({row["imei"] for row in back})
    assert all({item["res_id"] for item in json.loads(row["data"])} == {item["res_id"] for item in NEW} for row in back)


def test_values_of_another_day_do_not_pass_for_those_of_now(nbatch, devices, tmp_path):
    fleet = devices()
    assert fleet.run(write(tmp_path / "old.csv", range(1, 4), OLD)).code == 0
    path = write(tmp_path / "fleet.csv", range(1, 4), NEW)
    assert fleet.snapshot(path).code == 0
    done = fleet.snapshot(path)
    assert done.code == 2 and "--resume" in done.err
    write(path, range(1, 5), NEW)
    done = fleet.snapshot(path, "--resume")
    assert done.code == 2 and "another input" in done.err, done


def test_what_cannot_be_is_refused_before_anything_is_asked(nbatch, devices, tmp_path):
    fleet = devices()
    (tmp_path / "reads.csv").write_text("action,imei,obj_id,expired_time\nread," + imei(1) + ",3311,+1d\n")
    assert fleet.snapshot(tmp_path / "reads.csv").code == 2
    write(tmp_path / "bad.csv", range(1, 4), NEW, mode=3)
    assert fleet.snapshot(tmp_path / "bad.csv").code == 3
    path = write(tmp_path / "fleet.csv", range(1, 4), NEW)
    assert nbatch("run", path, "--simulate", "--only-in", "nowhere.csv").code == 2
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert nbatch("run", path, "--simulate", "--only-in", "other.csv").code == 2
    assert not [line for line in fleet.sim.audit() if line.get("method")]
