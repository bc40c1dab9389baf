"""What became of the commands: nbatch status against the simulator's devices; its audit is the oracle."""
import collections
import csv
import json
import os
import re
import resource
import signal
import subprocess
import time
import urllib.request

import pytest
from conftest import HEADER, KEY, NBATCH, imei, read_results, row_of, wait_for

ENV = {"NBATCH_API_KEY": KEY}


def audit(sim):
    """What the simulator, which goes on, has written down."""
    return [json.loads(line) for line in sim.audit_path.read_text(encoding="utf-8").split("\n")[:-1]]


def questions(sim):
    """The calls that ask about commands."""
    return [line for line in audit(sim) if "history" in line.get("target", "")]


def ends_of(sim):
    """What each command came to, by its uuid: the last event of its device."""
    return {line["uuid"]: line for line in audit(sim) if "device" in line}


def send(nbatch, path, sim, *words):
    done = nbatch("run", path, "--endpoint", sim.url, "-q", *words)
    assert done.code in (0, 1), done
    return path.with_suffix(".results.csv")


def status(nbatch, sim, results, *words, **options):
    return nbatch("status", results, "--endpoint", sim.url, "--rate", "none", *words, **options)


def states(path):
    return collections.Counter(row["state"] for row in read_results(path))


def with_fields(nbatch, tmp_path, rows):
    """A results file of so many accepted rows, to be edited: from a run against the simulator in the process."""
    path = tmp_path / "made.csv"
    path.write_text(HEADER + "".join(row_of(i) for i in range(1, rows + 1)))
    assert nbatch("run", path, "--simulate", "-q").code == 0
    return tmp_path / "made.rehearsal.csv"


def test_watch_ends_with_what_the_devices_did(nbatch, tmp_path, simulator):
    """Each kind of end, for devices with one command and with several; the counts are those of the audit."""
    path = tmp_path / "fleet.csv"
    rows = [row_of(i) for i in range(1, 301)] + [row_of(i, i + k) for i in range(1, 21) for k in (1, 2, 3)]
    path.write_text(HEADER + "".join(rows))
    sim = simulator("--uplink", "5s..60s", "--clock", "60000x", "--seed", "5", "--fault", "device-not_found:10%",
                    "--fault", "device-time_out:30%", "--fault", "device-silent:20%", "--state", tmp_path / "state")
    results = send(nbatch, path, sim)
    done = status(nbatch, sim, results, "--watch=1s", "--timeout", "240s", "--json", "--progress", "always")
    assert done.code == 1, done
    said = json.loads(done.out)
    found = {row["uuid"]: row for row in read_results(tmp_path / "fleet.status.csv")}
    ends = ends_of(sim)
    assert len(found) == 360 == said["commands"]["total"] and said["open"] == 0
    # What the audit has no end for went out in silence, and expired.
    for uuid, row in found.items():
        end = ends.get(uuid)
        if end is not None and end["send_status"] == 5:
            assert row["state"] == ("delivered" if end["confirm_status"] == 0 else "refused")
            assert row["confirm_status"] == ("SUCCESS" if end["confirm_status"] == 0 else "NOT_FOUND")
        else:
            assert row["state"] in ("failed", "expired"), (row, end)
    counts = collections.Counter(row["state"] for row in found.values())
    assert counts["delivered"] > 150 and counts["refused"] > 10 and counts["failed"] + counts["expired"] > 0
    assert {k: v for k, v in said["commands"].items() if v and k in counts} == dict(counts)
    by_device = collections.defaultdict(set)
    for row in found.values():
        by_device[row["imei"]].add(row["state"])
    assert said["devices"] == {"total": 300, "done": sum(s == {"delivered"} for s in by_device.values()), "waiting": 0}
    assert "have it" in done.err and not (tmp_path / "fleet.status.csv.journal").exists()
    # Nothing is open: nothing is asked any more.
    asked = len(questions(sim))
    again = status(nbatch, sim, results)
    assert again.code == 1 and len(questions(sim)) == asked
    assert [row["row"] for row in read_results(tmp_path / "fleet.status.csv")] == [str(i) for i in range(1, 361)]


def test_one_look_up_for_one_command_and_one_list_for_several(nbatch, tmp_path, simulator):
    path = tmp_path / "fleet.csv"
    path.write_text(HEADER + "".join([row_of(i) for i in range(1, 31)] + [row_of(i, 7) for i in range(1, 11)]))
    sim = simulator()  # no device reports in
    results = send(nbatch, path, sim)
    say = nbatch("status", results, "-n")
    assert say.code == 0 and "30 calls for 30 devices (20 of one command, 10 of several" in say.err
    assert "at 100/s" in say.err
    assert not questions(sim) and not (tmp_path / "fleet.status.csv").exists()
    done = status(nbatch, sim, results)
    assert done.code == 8 and "30 devices: 0 have it, 30 wait" in done.err
    calls = [line["target"] for line in questions(sim)]
    assert len(calls) == 30 and sum(path.endswith("/history") or "/history?" in path for path in calls) == 10
    rows = read_results(tmp_path / "fleet.status.csv")
    assert states(tmp_path / "fleet.status.csv") == {"waiting": 40}
    for row in rows:
        assert row["send_status"] == "1" and row["remain"] == "3" and row["create_time"].endswith("+08:00")
        assert row["expired_time"] > row["create_time"] and row["checked_at"] >= row["create_time"]
    assert "nbatch status" in done.err and "--watch" in done.err and "gives up at" in done.err


def put(sim, device, value):
    """Somebody else's command for the device, as soon as there is room for it."""
    url = f"{sim.url}/nbiot/offline?imei={imei(device)}&obj_id=3311&obj_inst_id=0&mode=2&expired_time=2037-01-01T00:00:00"
    body = json.dumps({"data": [{"res_id": 5850, "val": value}]}).encode()

    def is_taken():
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["errno"] == 0

    wait_for(is_taken)


@pytest.mark.parametrize("count", [0, 30, 31, 1000])
def test_lists_of_many_pages_and_of_other_peoples_commands(nbatch, tmp_path, simulator, count):
    """A device with so many commands, of which two are ours: all pages are read until both are found."""
    sim = simulator("--uplink", "1s", "--clock", "100000x")
    for value in range(count):
        put(sim, 1, value)
    mine = tmp_path / "mine.csv"
    mine.write_text(HEADER + row_of(1, 1000) + row_of(1, 1001))
    results = send(nbatch, mine, sim)
    wait_for(lambda: status(nbatch, sim, results, "-q").code != 8)
    rows = read_results(tmp_path / "mine.status.csv")
    assert [row["state"] for row in rows] == ["delivered", "delivered"]
    assert len({row["uuid"] for row in rows}) == 2


def test_a_uuid_that_nobody_knows_is_missing_and_asked_for_again(nbatch, tmp_path, simulator):
    sim = simulator()
    path = tmp_path / "fleet.csv"
    path.write_text(HEADER + row_of(1) + row_of(2))
    results = send(nbatch, path, sim)
    lines = results.read_text().splitlines()
    uuid = read_results(results)[0]["uuid"]
    results.write_text("\n".join([lines[0], lines[1].replace(uuid, uuid[:-4] + "ffff"), lines[2]]) + "\n")
    done = status(nbatch, sim, results)
    assert done.code == 8
    rows = read_results(tmp_path / "fleet.status.csv")
    assert [row["state"] for row in rows] == ["missing", "waiting"]
    asked = len(questions(sim))
    assert status(nbatch, sim, results).code == 8
    assert len(questions(sim)) == asked + 3  # its LOOKUP and LIST, and the other's LOOKUP


def test_what_ten_later_commands_took_the_place_of_is_overwritten_for_good(nbatch, tmp_path, simulator):
    sim = simulator("--full", "overwrite")
    first, later = tmp_path / "first.csv", tmp_path / "later.csv"
    first.write_text(HEADER + row_of(1))
    results = send(nbatch, first, sim)
    time.sleep(1.1)
    later.write_text(HEADER + "".join(row_of(1, k) for k in range(10)))
    assert nbatch("run", later, "--endpoint", sim.url, "-q", "--yes").code == 0
    done = status(nbatch, sim, results)
    assert done.code == 1, done
    row = read_results(tmp_path / "first.status.csv")[0]
    assert row["state"] == "missing" and row["reason"] == "overwritten"
    asked = len(questions(sim))
    assert status(nbatch, sim, results).code == 1 and len(questions(sim)) == asked
    assert "--resume=undelivered" in done.err


def test_a_history_that_lags_is_asked_again(nbatch, tmp_path, fleet, simulator):
    sim = simulator("--lag", "5s")
    results = send(nbatch, fleet(5), sim)
    assert status(nbatch, sim, results).code == 8
    assert states(tmp_path / "fleet.status.csv") == {"missing": 5}
    done = status(nbatch, sim, results, "--watch=1s", "--timeout", "11s")
    assert done.code == 8 and states(tmp_path / "fleet.status.csv") == {"waiting": 5}


def test_a_platform_that_throttles_and_fails_is_asked_until_it_answers(nbatch, tmp_path, fleet, simulator):
    state = tmp_path / "state"
    sim = simulator("--state", state, "--uplink", "1s", "--clock", "100000x")
    results = send(nbatch, fleet(120), sim)
    wait_for(lambda: len(ends_of(sim)) == 120)
    assert sim.stop() == 0
    sim = simulator("--state", state, "--fault", "http-429:10%", "--fault", "http-503:5%", "--fault", "reset:5%",
                    "--fault", "garbage:5%", "--seed", "3")
    done = status(nbatch, sim, results, "--max-attempts", "20", "--retry-delay", "5ms")
    assert done.code == 0, done
    assert states(tmp_path / "fleet.status.csv") == {"delivered": 120}
    assert {line["http"] for line in questions(sim)} >= {200, 429, 503}


def test_a_platform_that_stays_away_ends_the_watch_and_loses_nothing(nbatch, tmp_path, fleet, simulator):
    sim = simulator()
    results = send(nbatch, fleet(4), sim)
    assert status(nbatch, sim, results).code == 8
    assert sim.stop() == 0
    done = status(nbatch, sim, results, "--watch=1s", "--outage-wait", "1s", "--retry-delay", "50ms")
    assert done.code in (4, 8) and "no call left in" in done.err, done
    assert states(tmp_path / "fleet.status.csv") == {"waiting": 4}


def test_a_killed_status_asks_nothing_twice_that_is_final(nbatch, tmp_path, fleet, simulator):
    sim = simulator("--uplink", "1s", "--clock", "100000x", "--state", tmp_path / "state")
    results = send(nbatch, fleet(400), sim)
    wait_for(lambda: len(ends_of(sim)) == 400)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_")} | ENV
    for enough in (20, 60, 90):
        with subprocess.Popen([NBATCH, "status", str(results), "--endpoint", sim.url, "--rate", "100/s", "-c", "1", "-q"],
                              env=environment, stderr=subprocess.DEVNULL) as process:
            wait_for(lambda: sim.audit_path.read_bytes().count(b"history") >= enough)
            process.send_signal(signal.SIGKILL)
    asked = [line["target"].split("?")[0] for line in questions(sim)]
    assert 50 < len(asked) < 400
    # At most the one that was in flight at each death is asked for once more.
    assert len(asked) - len(set(asked)) <= 3
    assert (tmp_path / "fleet.status.csv.journal").exists()
    assert status(nbatch, sim, results).code == 0
    paths = [line["target"].split("?")[0] for line in questions(sim)]
    assert len(set(paths)) == 400 and len(paths) <= 403
    assert [row["row"] for row in read_results(tmp_path / "fleet.status.csv")] == [str(i) for i in range(1, 401)]
    assert states(tmp_path / "fleet.status.csv") == {"delivered": 400}
    assert not (tmp_path / "fleet.status.csv.journal").exists()


def test_an_interrupted_status_keeps_what_it_has(nbatch, tmp_path, fleet, simulator):
    sim = simulator()
    results = send(nbatch, fleet(3), sim)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_")} | ENV
    with subprocess.Popen([NBATCH, "status", str(results), "--endpoint", sim.url, "--watch", "-q"], env=environment,
                          stderr=subprocess.PIPE) as process:
        wait_for(lambda: len(questions(sim)) >= 3)
        time.sleep(0.3)
        busy = status(nbatch, sim, results)
        assert busy.code == 2 and "another nbatch is at work" in busy.err
        assert (tmp_path / "fleet.status.csv.journal").exists()  # which is the other's
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert process.returncode == 130
    assert states(tmp_path / "fleet.status.csv") == {"waiting": 3}


def test_bad_results_are_refused_with_a_reason(nbatch, tmp_path, fleet, simulator):
    sim = simulator()
    results = send(nbatch, fleet(3), sim)
    good = results.read_text()
    cases = {
        "imei,obj_id\n1,2\n": (3, "not the header of nbatch's results"),
        "": (3, "it is empty"),
        good.replace(imei(2), "not-a-number"): (3, "row 2 was accepted, and has no device's number"),
        good.replace(",accepted,", ",excepted,", 1): (3, "damaged at byte"),
    }
    for text, (code, words) in cases.items():
        (tmp_path / "bad.csv").write_text(text)
        done = status(nbatch, sim, tmp_path / "bad.csv")
        assert done.code == code and words in done.err, done
    assert status(nbatch, sim, tmp_path / "none.csv").code == 2
    assert nbatch("status").code == 2
    assert not questions(sim)


def test_results_of_a_rehearsal_are_not_asked_for_on_the_platform(nbatch, tmp_path):
    results = with_fields(nbatch, tmp_path, 2)
    done = nbatch("status", results)
    assert done.code == 2 and "of a rehearsal" in done.err
    done = nbatch("status", results.rename(tmp_path / "fleet.results.csv"))  # its commands say so, whatever its name
    assert done.code == 2 and "of a rehearsal" in done.err


def test_rows_without_a_uuid_cannot_be_asked_for(nbatch, tmp_path, fleet, simulator):
    sim = simulator("--uplink", "1s", "--clock", "100000x")
    results = send(nbatch, fleet(2), sim)
    rows = list(csv.reader(results.open(newline="")))
    rows[1][5], rows[1][7] = "", "errno 0 without a uuid that can be read: data has none"
    with results.open("w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows(rows)
    wait_for(lambda: len(ends_of(sim)) == 2)
    done = status(nbatch, sim, results)
    assert done.code == 1 and "cannot be asked for" in done.err
    found = read_results(tmp_path / "fleet.status.csv")
    assert [(row["state"], row["reason"]) for row in found] == [("unclear", "no uuid in the results"), ("delivered", "")]


def test_the_status_of_other_results_is_not_taken_up(nbatch, tmp_path, fleet, simulator):
    sim = simulator()
    first = send(nbatch, fleet(2), sim)
    other = send(nbatch, fleet(2, name="other.csv", first=10), sim)
    assert status(nbatch, sim, first).code == 8
    before = (tmp_path / "fleet.status.csv").read_text()
    done = status(nbatch, sim, other, "-o", tmp_path / "fleet.status.csv")
    assert done.code == 2 and "is the status of other results" in done.err
    assert (tmp_path / "fleet.status.csv").read_text() == before
    (tmp_path / "fleet.status.csv").write_text(before.replace("waiting", "wating", 1))
    done = status(nbatch, sim, first)
    assert done.code == 3 and "is no state that nbatch writes" in done.err


def test_an_older_status_of_rows_that_were_all_sent_again_is_taken_up(nbatch, tmp_path, fleet, simulator):
    sim = simulator()
    path = fleet(3)
    results = send(nbatch, path, sim)
    assert status(nbatch, sim, results).code == 8
    assert nbatch("cancel", results, "--yes", "--endpoint", sim.url).code == 0
    before = {row["uuid"] for row in read_results(tmp_path / "fleet.status.csv")}
    assert nbatch("run", path, "--endpoint", sim.url, "--resume=cancelled").code == 0
    done = status(nbatch, sim, results)
    assert done.code == 8, done
    rows = read_results(tmp_path / "fleet.status.csv")
    assert {row["state"] for row in rows} == {"waiting"} and not before & {row["uuid"] for row in rows}
    # The control: the same devices in the same order, and another message to each.
    other = tmp_path / "other.csv"
    other.write_text(HEADER + "".join(row_of(i, 77) for i in range(1, 4)))
    done = status(nbatch, sim, send(nbatch, other, sim), "-o", "fleet.status.csv")
    assert done.code == 2 and "the status of other results" in done.err, done


def calls(done):
    """The calls that a summary names, each as it is there."""
    found = re.findall(rf"^.*?({re.escape(str(NBATCH))} .*)$", done.err, re.M)
    assert found, done
    return {call.split()[1] + ("=" + call.split("--resume=")[1].split()[0] if "--resume=" in call else ""): call
            for call in found}


def paste(call, tmp_path, more=""):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_")}
    return subprocess.run(f"{call} {more}", shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True,
                          check=False, timeout=300)


def test_the_calls_to_type_next_work_as_they_are(nbatch, tmp_path, simulator):
    """Typed again from the summaries: the same platform, key and files, though a name has a blank and nothing is a default."""
    sim = simulator()
    folder = tmp_path / "a folder"
    folder.mkdir()
    key = folder / "the key"
    key.write_text(KEY)
    key.chmod(0o600)
    path = folder / "fleet.csv"
    path.write_text(HEADER + "".join(row_of(i) for i in range(1, 4)))
    words = ["--endpoint", sim.url, "--api-key-file", key]
    done = nbatch("run", path, *words, "--embargo", "1h", "--rate", "1000/s", env={"NBATCH_API_KEY": None})
    run = calls(done)
    assert set(run) == {"cancel", "status"} and "--rate" not in run["status"], done
    done = paste(run["status"], tmp_path)
    assert done.returncode == 8 and "3 have it" not in done.stderr, done
    done = paste(run["cancel"], tmp_path, "--yes")
    assert done.returncode == 0 and "all 3 commands were taken back" in done.stderr, done
    done = nbatch("status", folder / "fleet.results.csv", *words, "-o", folder / "b c.csv", env={"NBATCH_API_KEY": None})
    assert done.code == 1, done
    again = paste(run["cancel"], tmp_path, "--yes")  # what is known is not asked
    resume = re.findall(rf"({re.escape(str(NBATCH))} run .*)$", again.stderr, re.M)[0]
    done = paste(resume, tmp_path)
    assert done.returncode == 0 and "3 accepted rows are sent again" in done.stderr, (resume, done)
    assert nbatch("status", folder / "fleet.results.csv", *words, "-o", folder / "b c.csv",
                  env={"NBATCH_API_KEY": None}).code == 8
    text = (folder / "b c.csv").read_text().replace(",waiting,1,", ",expired,4,")
    (folder / "b c.csv").write_text(text)
    done = nbatch("status", folder / "fleet.results.csv", *words, "-o", folder / "b c.csv", "--rate", "50/s", "--watch",
                  env={"NBATCH_API_KEY": None})
    assert done.code == 1 and set(calls(done)) == {"run=expired"}, done
    done = paste(calls(done)["run=expired"], tmp_path)
    assert done.returncode == 0 and "3 accepted rows are sent again" in done.stderr, done
    done = nbatch("status", folder / "fleet.results.csv", *words, "-o", folder / "b c.csv", "--rate", "50/s",
                  "--timeout", "30s", env={"NBATCH_API_KEY": None})
    watch = calls(done)["status"]
    assert "--rate 50/s" in watch and watch.endswith("--watch") and "--timeout" not in watch
    assert paste(watch, tmp_path, "--timeout 1s").returncode == 8
    path.rename(folder / "elsewhere.csv")
    done = nbatch("cancel", folder / "fleet.results.csv", *words, "--yes", env={"NBATCH_API_KEY": None})
    assert done.code == 0 and "call the run once more, with --resume=cancelled" in done.err and "INPUT" not in done.err, done


def test_a_key_of_another_product_is_refused_and_nothing_is_lost(nbatch, tmp_path, fleet, simulator):
    sim = simulator()
    results = send(nbatch, fleet(8), sim)
    refusing = simulator("--fault", "errno-1:100%")
    done = status(nbatch, refusing, results)
    assert done.code == 4, done
    assert sum(states(tmp_path / "fleet.status.csv").values()) == 8


def test_nothing_to_ask_about(nbatch, tmp_path, fleet, simulator):
    sim = simulator("--fault", "errno-5108:100%")
    results = send(nbatch, fleet(3), sim)
    done = status(nbatch, simulator(), results)
    assert done.code == 0 and "0 devices" in done.err and "3 rows of the results are no command" in done.err


def test_jsonl_in_and_out(nbatch, tmp_path, fleet, simulator):
    sim = simulator()
    assert nbatch("run", fleet(2), "--endpoint", sim.url, "-q", "-o", "x.results.jsonl").code == 0
    assert status(nbatch, sim, "x.results.jsonl").code == 8
    rows = [json.loads(line) for line in (tmp_path / "x.status.jsonl").read_text().splitlines()]
    assert [row["state"] for row in rows] == ["waiting", "waiting"] and rows[0]["confirm_time"] is None
    assert status(nbatch, sim, "x.results.jsonl").code == 8


READS = "imei,action,obj_id,obj_inst_id,res_id,expired_time,site\n"


def read_fleet(nbatch, tmp_path, sim, count):
    """Devices with a long number, which reads fetch."""
    writes, reads = tmp_path / "writes.csv", tmp_path / "reads.csv"
    writes.write_text(HEADER + "".join(row_of(i, 9007199254740993 + i) for i in range(1, count + 1)))
    reads.write_text(READS + "".join(f'{imei(i)},read,3311,0,5850,+7d,"hall {i}, left"\n' for i in range(1, count + 1)))
    send(nbatch, writes, sim)
    wait_for(lambda: len(ends_of(sim)) == count)
    results = send(nbatch, reads, sim, "--pass", "site")
    wait_for(lambda: len(ends_of(sim)) == 2 * count)
    return results


def test_values_of_reads_digit_for_digit(nbatch, tmp_path, simulator):
    sim = simulator("--uplink", "1s", "--clock", "100000x")
    results = read_fleet(nbatch, tmp_path, sim, 5)
    assert status(nbatch, sim, results).code == 0
    asked = len(questions(sim))
    done = status(nbatch, sim, results, "--values", "values.csv")
    assert done.code == 0 and len(questions(sim)) == asked + 5
    values = read_results(tmp_path / "values.csv")
    assert list(values[0]) == ["row", "key", "imei", "obj_id", "obj_inst_id", "res_id", "res_inst_id", "value",
                               "confirm_time"]
    assert {row["imei"]: row["value"] for row in values} == {imei(i): str(9007199254740993 + i) for i in range(1, 6)}
    assert values[0]["obj_id"] == "3311" and values[0]["res_id"] == "5850" and values[0]["res_inst_id"] == ""
    # They are there: nothing is asked any more, and nothing is written twice.
    assert status(nbatch, sim, results, "--values", "values.csv").code == 0
    assert len(questions(sim)) == asked + 5 and len(read_results(tmp_path / "values.csv")) == 5
    assert status(nbatch, sim, results, "--values", "v.jsonl").code == 0
    lines = (tmp_path / "v.jsonl").read_text().splitlines()
    assert len(lines) == 5 and '"value":90071992547409' in lines[0]
    assert status(nbatch, sim, results, "--values", "-", "--json").code == 2


def limited(words, size, tmp_path, code=b""):
    """A call whose files may not be longer than that: as on a full disk, a write is cut short, and the next one fails."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_")} | ENV
    return subprocess.run([NBATCH, *map(str, words)], cwd=tmp_path, env=environment, preexec_fn=limit, capture_output=True,
                          text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", ["values.csv", "values.jsonl"])
def test_a_full_disk_leaves_whole_lines_of_values_and_the_next_call_goes_on(nbatch, tmp_path, simulator, name):
    sim = simulator("--uplink", "1s", "--clock", "100000x")
    results = read_fleet(nbatch, tmp_path, sim, 5)
    assert status(nbatch, sim, results).code == 0
    values = tmp_path / name
    assert status(nbatch, sim, results, "--values", values).code == 0
    whole = values.read_bytes()
    lines = whole.splitlines(keepends=True)
    other = lines[-1].replace(lines[-1].partition(b"-")[0][-16:], b"0123456789abcdef").replace(b"86000", b"86001")
    start = (b"" if name.endswith("l") else lines[0]) + other * 100
    for left in (10, len(lines[-1]) + 30, 3 * len(lines[-1]) + 1):
        values.write_bytes(start)
        done = limited(["status", results, "--endpoint", sim.url, "--values", values], len(start) + left, tmp_path)
        assert done.returncode == 7 and f"{name}: File too large" in done.stderr, done
        cut = values.read_bytes()
        assert cut.startswith(start) and cut.endswith(b"\n") and set(cut[len(start):].splitlines(keepends=True)) < set(lines)
        assert status(nbatch, sim, results, "--values", values).code == 0
        assert sorted(values.read_bytes()[len(start):].splitlines()) == sorted(whole.splitlines()[0 if name.endswith("l") else 1:])


@pytest.mark.parametrize("cut", [1, 60, 150, 10**6])
def test_values_that_a_death_has_cut_off_are_asked_for_anew(nbatch, tmp_path, simulator, cut):
    sim = simulator("--uplink", "1s", "--clock", "100000x")
    results = read_fleet(nbatch, tmp_path, sim, 3)
    values = tmp_path / "values.csv"
    assert status(nbatch, sim, results, "--values", values).code == 0
    whole = values.read_bytes()
    values.write_bytes(whole[:-cut] or whole[:20])  # of the header too
    assert status(nbatch, sim, results, "--values", values).code == 0
    assert sorted(values.read_bytes().splitlines()) == sorted(whole.splitlines())


def test_one_file_does_not_serve_two_ends(nbatch, tmp_path, fleet, simulator):
    """Nothing is asked, and nothing is written over, where two names lead to one file."""
    sim = simulator()
    path = fleet(2)
    results = send(nbatch, path, sim)
    before = {name: (tmp_path / name).read_bytes() for name in ("fleet.csv", "fleet.results.csv")}
    (tmp_path / "link.csv").symlink_to("new.csv")
    for words in (["-o", "new.csv", "--values", "new.csv"], ["-o", "new.csv", "--values", "./new.csv"],
                  ["-o", "link.csv", "--values", "new.csv"], ["--values", "fleet.status.csv"],
                  ["--values", results], ["-o", results], ["-o", path], ["--values", path],
                  ["-o", "new.csv", "--values", "new.csv.journal"]):
        done = status(nbatch, sim, results, *words)
        assert done.code in (2, 3), (words, done)
        assert done.err.count("\n") == 1, done
    assert nbatch("cancel", results, "--yes", "--endpoint", sim.url, "-o", results).code in (2, 3)
    assert nbatch("cancel", results, "--yes", "--endpoint", sim.url, "-o", path).code in (2, 3)
    assert not questions(sim)
    assert before == {name: (tmp_path / name).read_bytes() for name in before}


def test_a_journal_of_somebody_elses_is_not_emptied(nbatch, tmp_path, fleet, simulator):
    sim = simulator()
    results = send(nbatch, fleet(2), sim)
    (tmp_path / "fleet.status.csv.journal").write_bytes(b"a record of somebody's")
    done = status(nbatch, sim, results)
    assert done.code == 2 and "it is no journal of nbatch status" in done.err, done
    assert (tmp_path / "fleet.status.csv.journal").read_bytes() == b"a record of somebody's"


def test_results_that_are_no_file_are_refused_at_once(nbatch, tmp_path, fleet, simulator):
    """A pipe that nobody writes to keeps no command waiting."""
    sim = simulator()
    path = fleet(2)
    results = send(nbatch, path, sim)
    os.mkfifo(tmp_path / "fifo.results.csv")
    (tmp_path / "folder.results.csv").mkdir()
    (tmp_path / "null.results.csv").symlink_to("/dev/null")
    for name in ("fifo", "folder", "null"):
        odd = tmp_path / f"{name}.results.csv"
        for words in (["status", odd], ["cancel", odd, "--yes"], ["verify", odd], ["report", odd], ["results", odd],
                      ["status", results, "-o", odd], ["cancel", results, "--status", odd, "-n"],
                      ["run", path, "--resume=expired", "--status", odd], ["report", results, "--status", odd],
                      ["run", path, "--resume", "-o", odd]):
            more = [] if words[0] in ("report", "results") else ["--endpoint", sim.url]
            done = nbatch(*words, *more, timeout=60)
            said = [line for line in done.err.splitlines() if odd.name in line or "/dev/null: is no regular" in line]
            if words[0] == "cancel" and "-n" in words:
                assert done.code == 0 and said, (words, done)  # it only saves questions
            else:
                assert done.code in (2, 7) and said, (words, done)
    assert not questions(sim)


def test_blanks_around_a_uuid_are_no_part_of_it(nbatch, tmp_path, fleet, simulator):
    """In the results, and in a status file; the list's blank is seen everywhere else."""
    sim = simulator()
    results = send(nbatch, fleet(2), sim)
    text = results.read_text()
    for row in read_results(results):
        text = text.replace(row["uuid"], f'" {row["uuid"]} "')
    results.write_text(text)
    done = status(nbatch, sim, results)
    assert done.code == 8 and states(tmp_path / "fleet.status.csv") == {"waiting": 2}, done
    assert all("%20" not in line["target"] for line in questions(sim))
    done = nbatch("cancel", results, "--yes", "--endpoint", sim.url)
    assert done.code == 0 and "all 2 commands were taken back" in done.err, done


def test_passed_columns_are_carried_over(nbatch, tmp_path, simulator):
    sim = simulator("--uplink", "1s", "--clock", "100000x")
    results = read_fleet(nbatch, tmp_path, sim, 3)
    assert status(nbatch, sim, results).code == 0
    assert [row["site"] for row in read_results(tmp_path / "reads.status.csv")] == [f"hall {i}, left" for i in (1, 2, 3)]
    assert nbatch("run", tmp_path / "reads.csv", "--endpoint", sim.url, "-q", "--pass", "site", "-o",
                  "r.results.jsonl").code == 0
    status(nbatch, sim, "r.results.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "r.status.jsonl").read_text().splitlines()]
    assert [row["site"] for row in rows] == [f"hall {i}, left" for i in (1, 2, 3)]
    status(nbatch, sim, "r.results.jsonl", "-o", "-", "-q")


def test_what_was_pushed_is_taken_without_asking(nbatch, tmp_path, simulator):
    pushed = tmp_path / "pushed.jsonl"
    sim = simulator("--uplink", "1s", "--clock", "100000x", "--push", pushed, "--fault", "device-bad_request:30%",
                    "--seed", "4")
    results = read_fleet(nbatch, tmp_path, sim, 20)
    wait_for(lambda: len(pushed.read_text().splitlines()) >= 40)
    done = nbatch("status", results, "--from-push", pushed, "--values", "values.csv", env={"NBATCH_API_KEY": None})
    assert done.code == 1 and "20 messages about commands of" in done.err, done
    assert not questions(sim)
    found = read_results(tmp_path / "reads.status.csv")
    ends = ends_of(sim)
    for row in found:
        assert row["state"] == ("delivered" if ends[row["uuid"]]["confirm_status"] == 0 else "refused")
    delivered = [row["imei"] for row in found if row["state"] == "delivered"]
    assert [row["imei"] for row in read_results(tmp_path / "values.csv")] and delivered
    assert {row["imei"] for row in read_results(tmp_path / "values.csv")} == set(delivered)
    # Repeated messages change nothing; standard input does as well.
    again = nbatch("status", results, "--from-push", "-", stdin=pushed.read_text())
    assert again.code == 1 and read_results(tmp_path / "reads.status.csv") == found
    (tmp_path / "bad").write_text("{}\nhello\n")
    bad = nbatch("status", results, "--from-push", "bad")
    assert bad.code == 3 and "bad:2: it is no message" in bad.err


def test_pushes_in_every_form_are_taken_and_bad_lines_cost_nothing_else(nbatch, tmp_path, fleet, simulator):
    """imei as a number, numbers and times as texts, lists, wrapped, JSON in a text; half a line at the end."""
    sim = simulator()
    results = send(nbatch, fleet(9), sim)
    rows = sorted(read_results(results), key=lambda row: int(row["row"]))
    ends = [{"type": 7, "cmd_id": row["uuid"], "imei": row["imei"], "cmd_type": 1, "send_time": 1795900000000,
             "confirm_time": 1795900001000, "send_status": 5, "confirm_status": 0} for row in rows]
    ends[0]["imei"] = int(ends[0]["imei"])
    ends[1] |= {"send_time": "1795900000000", "confirm_time": "2026-11-28 16:00:01", "send_status": "5", "type": "7"}
    ends[2] |= {"cmd_id": f" {ends[2]['cmd_id']} ", "confirm_status": "success", "new": {"a": [1, None]}}
    other = {"type": 2, "imei": ends[0]["imei"], "msg_id": 5}
    lines = [json.dumps({"msg": ends[0], "nonce": "x"}), json.dumps(ends[1]), json.dumps({"msg": [None, other, ends[2]]}),
             "no json", json.dumps([{"msg": ends[3]}, 7, ends[4]]), "", json.dumps({"msg": json.dumps(ends[5])}),
             '{"msg": {"type": 7', json.dumps(ends[6] | {"imei": ends[7]["imei"]}), json.dumps({"msg": ends[8]})[:-9]]
    (tmp_path / "p").write_text("\n".join(lines))
    done = nbatch("status", results, "--from-push", "p")
    assert done.code == 3 and "6 messages about" in done.err and "p:4: it is no message" in done.err, done
    assert "p:8: it is no message" in done.err and "p:10: the last line is not whole yet" in done.err, done
    found = read_results(tmp_path / "fleet.status.csv")
    assert [row["state"] for row in found] == ["delivered"] * 6 + ["unclear"] * 3, found
    assert {row["confirm_time"] for row in found[:6]} == {"2026-11-29T05:06:41+08:00", "2026-11-28T16:00:01+08:00"}
    assert found[6]["reason"] == "not asked yet" and not questions(sim)


def test_names_of_files_that_are_no_utf8_do_not_spoil_the_json(nbatch, simulator, tmp_path):
    """Names may be anything; a line of JSON may not."""
    sim, odd = simulator(), os.fsdecode(b"f\xffleet.csv")
    path, results = tmp_path / odd, tmp_path / os.fsdecode(b"r\xff.csv")
    path.write_text(HEADER + row_of(1))
    for words in (["run", path, "-o", results], ["status", results], ["verify", results], ["cancel", results, "--yes"],
                  ["bench", path, "-o", tmp_path / "b.csv", "--rate", "50", "--duration", "1s", "--warm-up", "0s", "--yes"]):
        done = subprocess.run([NBATCH, *map(os.fsencode, words), "--endpoint", sim.url, "--json", "-q"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env={**os.environ, **ENV}, check=False)
        assert json.loads(done.stdout.decode("utf-8")), (words, done)
