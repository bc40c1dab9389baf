"""nbatch verify: rows in doubt are looked for in the platform's history; the simulator's audit is the oracle."""
import collections
import json
import os
import stat
import subprocess
import time

import pytest
from conftest import HEADER, imei, read_results, row_of, wait_for

FAULTS = ("--fault", "close-after:5%", "--fault", "reset-after:5%", "--fault", "close:5%")
ROWS = 300


def processed(sim):
    """The uuids of the commands that were stored, by the device and the value that they write."""
    stored = collections.defaultdict(list)
    for line in sim.audit():
        if line.get("processed") and line.get("action") in ("write", "execute"):
            stored[line["imei"], line["body"]].append(line["uuid"])
    return stored


def current(nbatch, path):
    done = nbatch("results", path)
    assert done.code == 0, done
    listed = path.with_name("current" + path.suffix)
    listed.write_text(done.out, encoding="utf-8")
    return read_results(listed)


def statuses(nbatch, path):
    return collections.Counter(row["status"] for row in current(nbatch, path))


def hold(nbatch, sim, path, *words):
    results = path.with_suffix(".results" + path.suffix)
    done = nbatch("run", path, "--endpoint", sim.url, "--on-ambiguous", "hold", "-o", results, *words)
    assert done.code in (0, 6), done
    return results


def verify(nbatch, sim, results, *words, settle="0s,0s"):
    """The questions meet the same faults as the rows: they are asked often enough."""
    patience = ("--max-attempts", "40", "--retry-delay", "5ms", "--retry-max-delay", "50ms", "--rate", "none")
    return nbatch("verify", results, "--endpoint", sim.url, "--settle", settle, *patience, *words)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_after_verify_nothing_is_in_doubt_and_nothing_is_sent_twice(nbatch, tmp_path, fleet, fleet_jsonl, simulator, form):
    sim = simulator(*FAULTS, "--lag", "500ms", "--state", tmp_path / "state")
    path = (fleet if form == "csv" else fleet_jsonl)(ROWS)
    results = hold(nbatch, sim, path)
    before = statuses(nbatch, results)
    assert before["in_doubt"] > 15, before
    doubt = results.with_name(results.name + ".doubt")
    assert stat.S_IMODE(os.stat(doubt).st_mode) == 0o600
    done = verify(nbatch, sim, results, "--json", settle="1s,2s")
    assert done.code == 0, done
    said = json.loads(done.out)
    assert said["in_doubt"] == 0 and said["accepted"] + said["failed"] == before["in_doubt"]
    assert said["accepted"] > 0 and said["failed"] > 0
    assert not doubt.exists() and not results.with_name(results.name + ".journal").exists()
    rows = current(nbatch, results)
    stored = processed(sim)
    assert sorted(row["uuid"] for row in rows if row["status"] == "accepted") == sorted(sum(stored.values(), []))
    assert {row["imei"]: row["uuid"] for row in rows if row["uuid"]} == {key[0]: uuids[0] for key, uuids in stored.items()}
    sim.stop()  # what is sent again is answered
    calm = simulator("--state", tmp_path / "state")
    done = nbatch("run", path, "--endpoint", calm.url, "--resume=failed", "-o", results)
    assert done.code == 0, done
    for key, uuids in processed(calm).items():
        assert key not in stored and len(uuids) == 1
        stored[key] = uuids
    assert statuses(nbatch, results) == {"accepted": ROWS} and len(stored) == ROWS
    assert sorted(row["uuid"] for row in current(nbatch, results)) == sorted(sum(stored.values(), []))


def test_sending_again_without_a_look_stores_twice(nbatch, fleet, simulator):
    """Negative control: the audit shows it."""
    sim = simulator(*FAULTS)
    path = fleet(ROWS)
    hold(nbatch, sim, path)
    assert nbatch("run", path, "--endpoint", sim.url, "--resume=in_doubt", "--on-ambiguous", "resend").code in (0, 6)
    assert any(len(uuids) > 1 for uuids in processed(sim).values())


def test_equal_rows_draw_from_one_pool(nbatch, tmp_path, simulator):
    sim = simulator("--seed", "5", "--fault", "close-after:30%", "--fault", "close:15%")
    path = tmp_path / "fleet.csv"
    path.write_text(HEADER + "".join(row_of(i % 8, 1) for i in range(24)), encoding="utf-8")
    results = hold(nbatch, sim, path)
    doubtful = statuses(nbatch, results)["in_doubt"]
    assert doubtful > 4
    done = verify(nbatch, sim, results)
    assert done.code == 0, done
    uuids = sorted(row["uuid"] for row in current(nbatch, results) if row["status"] == "accepted")
    assert uuids == sorted(sum(processed(sim).values(), [])) and len(set(uuids)) == len(uuids)


def test_an_execute_is_called_missing_only_where_settle_says_so(nbatch, tmp_path, simulator):
    sim = simulator("--fault", "close:30%")
    path = tmp_path / "fleet.csv"
    path.write_text("action,imei,obj_id,obj_inst_id,res_id,expired_time\n" +
                    "".join(f"execute,{imei(i)},3,0,4,+7d\n" for i in range(1, 31)), encoding="utf-8")
    results = hold(nbatch, sim, path)
    doubtful = statuses(nbatch, results)["in_doubt"]
    assert doubtful > 0
    done = verify(nbatch, sim, results)
    assert done.code == 0 and statuses(nbatch, results)["failed"] == doubtful, done


def test_what_is_held_more_than_once_is_named_and_taken_back(nbatch, tmp_path, fleet, simulator):
    sim = simulator("--fault", "close-after:70%", "--state", tmp_path / "state")
    path, results = fleet(12), tmp_path / "fleet.results.csv"
    done = nbatch("run", path, "--endpoint", sim.url, "--on-ambiguous", "resend", "--max-attempts", "2",
                  "--retry-delay", "1ms", "--retry-max-delay", "1ms", "--outage-wait", "5s")
    assert done.code in (4, 5, 6), done
    doubtful = [row for row in current(nbatch, results) if row["status"] == "in_doubt"]
    assert any(row["attempts"] == "2" for row in doubtful), doubtful
    sim.stop()
    calm = simulator("--state", tmp_path / "state")
    done = verify(nbatch, calm, results)
    assert done.code == 0 and "the command more than once" in done.err, done
    stored = {key[0]: uuids for key, uuids in processed(sim).items()}
    named = 0
    for row in current(nbatch, results):
        if "also " not in row["error"]:
            continue
        named += 1
        assert {row["uuid"], *row["error"].split("also ")[1].split(", ")} == set(stored[row["imei"]])
    assert named > 0
    done = nbatch("verify", results, "--endpoint", calm.url)  # what is surplus has its owner
    assert done.code == 0, done
    done = nbatch("cancel", results, "--endpoint", calm.url, "--yes", "--json")
    taken = {row["uuid"] for row in read_results(tmp_path / "fleet.cancelled.csv")}
    accepted = {row["imei"] for row in current(nbatch, results) if "found in" in row["error"]}
    assert taken >= {uuid for device in accepted for uuid in stored[device]}, done
    assert json.loads(done.out)["not_asked"] == 0
    done = nbatch("cancel", results, "--endpoint", calm.url)
    assert done.code == 0 and "known before" in done.err, done


def test_a_row_whose_request_is_not_on_record_stays_in_doubt(nbatch, fleet, simulator):
    sim = simulator("--fault", "close:30%")
    path = fleet(20)
    results = hold(nbatch, sim, path)
    doubtful = statuses(nbatch, results)["in_doubt"]
    results.with_name(results.name + ".doubt").unlink()
    done = verify(nbatch, sim, results)
    assert done.code == 6 and "what it asked for is not on record" in done.err, done
    assert statuses(nbatch, results)["in_doubt"] == doubtful


def test_another_platform_cannot_tell_what_is_missing(nbatch, fleet, simulator):
    sim, other = simulator("--fault", "close:30%"), simulator()
    results = hold(nbatch, sim, fleet(20))
    doubtful = statuses(nbatch, results)["in_doubt"]
    done = verify(nbatch, other, results)
    assert done.code == 6 and "does not know a command that was accepted" in done.err, done
    assert statuses(nbatch, results)["in_doubt"] == doubtful


def test_a_run_without_doubt_leaves_no_record_of_it(nbatch, tmp_path, fleet, simulator):
    sim = simulator()
    assert nbatch("run", fleet(20), "--endpoint", sim.url).code == 0
    assert not list(tmp_path.glob("*.doubt"))
    done = nbatch("verify", tmp_path / "fleet.results.csv", "--endpoint", sim.url)
    assert done.code == 0 and "no row is in doubt\n" in done.err, done


def test_the_record_goes_when_a_resume_ends_all_doubt(nbatch, fleet, simulator):
    sim = simulator("--fault", "close:30%")
    path = fleet(20)
    results = hold(nbatch, sim, path)
    doubt = results.with_name(results.name + ".doubt")
    assert doubt.exists()
    calm = simulator()
    done = nbatch("run", path, "--endpoint", calm.url, "--resume=in_doubt", "--on-ambiguous", "resend")
    assert done.code == 0 and not doubt.exists(), done


def kill_at_80(nbatch, sim, folder, *words):
    """Starts a run, and kills it behind eighty accepted rows."""
    process = subprocess.Popen([nbatch.binary, *map(str, words)], cwd=folder, stderr=subprocess.DEVNULL,
                               env={**os.environ, "NBATCH_API_KEY": "k" * 28})
    wait_for(lambda: sim.audit_path.exists() and sim.audit_path.read_text().count('"uuid"') >= 80)
    process.kill()
    process.wait()


@pytest.mark.parametrize("rate", ["400/s", "none"])
def test_rows_that_a_dead_run_had_under_way_are_looked_for(nbatch, tmp_path, fleet, simulator, rate):
    """The run kept what they asked for in its memory alone; --resume has it from the input, but for relative times."""
    sim, path = simulator("--latency", "300ms"), fleet(ROWS)
    results = tmp_path / "o.csv"
    words = ["run", path, "--endpoint", sim.url, "-o", results, "--on-ambiguous", "hold"]
    kill_at_80(nbatch, sim, tmp_path, *words, "--rate", rate)
    time.sleep(1.1)  # +7d is another second by now
    assert nbatch(*words, "--resume").code == 6
    before = statuses(nbatch, results)["in_doubt"]
    doubt = results.with_name("o.csv.doubt")
    assert before > 0 and doubt.exists()
    done = verify(nbatch, sim, results)
    assert done.code == 0 and f"{before} of {before} rows in doubt are settled" in done.err, done
    assert nbatch(*words, "--resume=failed").code == 0
    assert statuses(nbatch, results) == {"accepted": ROWS} and not doubt.exists()
    stored = processed(sim)
    assert len(stored) == ROWS and all(len(uuids) == 1 for uuids in stored.values())


def test_a_run_that_died_is_gone_on_with_first(nbatch, tmp_path, fleet, simulator):
    """Only the run has the input, and so what its rows asked for."""
    sim, path = simulator("--latency", "300ms"), fleet(ROWS)
    words = ["run", path, "--endpoint", sim.url, "-o", tmp_path / "o.csv", "--on-ambiguous", "hold"]
    kill_at_80(nbatch, sim, tmp_path, *words, "--rate", "400/s")
    before = (tmp_path / "o.csv").read_bytes()
    done = verify(nbatch, sim, tmp_path / "o.csv")
    assert done.code == 2 and "under way when the run ended" in done.err and "--resume" in done.err, done
    assert (tmp_path / "o.csv").read_bytes().startswith(before)
    assert nbatch(*words, "--resume").code == 6
    assert verify(nbatch, sim, tmp_path / "o.csv").code == 0
