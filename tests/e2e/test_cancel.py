"""nbatch cancel: exactly the commands of a run that still wait are taken back; the simulator's audit is the oracle."""
import collections
import http.server
import json
import os
import signal
import subprocess
import threading
import time
import urllib.request

import pytest
from conftest import KEY, NBATCH, imei, read_results, wait_for
from test_resume_undelivered import write_status

DEVICES = 30


def ask(url, method, path):
    request = urllib.request.Request(url + path, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def lines_of(sim):
    return [json.loads(line) for line in sim.audit_path.read_text(encoding="utf-8").split("\n")[:-1]]


def puts(sim):
    """How often a request to take a uuid back has come, by the uuid."""
    targets = [line["target"] for line in lines_of(sim) if line.get("method") == "PUT"]
    return collections.Counter(target.split("/cancel/")[1].split("?")[0] for target in targets)


def delivered(sim):
    return {line["uuid"] for line in lines_of(sim) if "device" in line}


def done_by_devices(sim):
    return {line["uuid"] for line in lines_of(sim) if line.get("send_status") == 5}


def uuids(path):
    return {row["uuid"] for row in read_results(path) if row["status"] == "accepted"}


def outcomes(path):
    last = {row["uuid"]: row["outcome"] for row in read_results(path)}
    return collections.Counter(last.values())


@pytest.fixture
def fleets(nbatch, tmp_path, fleet):
    """Two runs for the same devices: theirs, and ours (with an embargo of an hour, where nothing else is said)."""

    def run(sim, *words, devices=DEVICES, embargo="1h"):
        assert nbatch("run", fleet(devices, "theirs.csv"), "--endpoint", sim.url, "--set", "obj_id=5", "--yes").code == 0
        path = fleet(devices)
        more = ["--embargo", embargo] if embargo else []
        assert nbatch("run", path, "--endpoint", sim.url, *more, *words).code == 0
        return tmp_path / "theirs.results.csv", tmp_path / "fleet.results.csv"

    return run


def test_within_the_embargo_nothing_is_delivered_and_nothing_of_others_is_touched(nbatch, tmp_path, fleets, simulator):
    sim = simulator("--uplink", "30s..60s", "--clock", "60x")
    theirs, ours = fleets(sim, embargo="6h")  # six minutes of this clock
    done = nbatch("cancel", ours, "--endpoint", sim.url, "--yes", "--json", "--log", "log")
    assert done.code == 0 and f"all {DEVICES} commands were taken back" in done.err, done
    said = json.loads(done.out)
    assert said["cancelled"] == DEVICES and said["puts"] == DEVICES and said["exit_status"] == 0
    assert puts(sim) == dict.fromkeys(uuids(ours), 1)
    rows = read_results(tmp_path / "fleet.cancelled.csv")
    assert {row["uuid"] for row in rows} == uuids(ours) and {row["outcome"] for row in rows} == {"cancelled"}
    assert {row["key"] for row in rows} == {row["key"] for row in read_results(ours)}
    wait_for(lambda: delivered(sim) >= uuids(theirs))
    assert delivered(sim) == uuids(theirs)
    for row in read_results(ours):
        said = ask(sim.url, "GET", f"/nbiot/offline/history/{row['uuid']}?imei={row['imei']}")
        assert said["data"]["send_status"] == 2
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines()]
    assert "start" in events and events[-1] == "end"
    done = nbatch("cancel", ours, "--endpoint", sim.url)  # all is known: nothing is asked, and so no consent
    assert done.code == 0 and "30 of them known before" in done.err, done
    assert puts(sim) == dict.fromkeys(uuids(ours), 1)


def test_taking_back_by_device_would_touch_the_commands_of_others(fleets, simulator):
    """Negative control: the audit and the history show it."""
    sim = simulator()
    theirs, _ = fleets(sim, devices=1)
    ask(sim.url, "PUT", f"/nbiot/offline/cancel/all?imei={imei(1)}")
    row = read_results(theirs)[0]
    assert ask(sim.url, "GET", f"/nbiot/offline/history/{row['uuid']}?imei={row['imei']}")["data"]["send_status"] == 2
    assert puts(sim) == {"all": 1}


def test_it_asks_first_and_says_what_it_would_do(nbatch, tmp_path, fleets, simulator):
    sim = simulator()
    _, ours = fleets(sim)
    done = nbatch("cancel", ours, "--endpoint", sim.url)
    assert done.code == 2 and "30 commands would be taken back: say --yes" in done.err, done
    done = nbatch("cancel", ours, "--endpoint", sim.url, "-n")
    assert done.code == 0 and "30 commands to be taken back, one request each: less than a second at 100/s" in done.err, done
    listed = [line.split(",") for line in done.out.splitlines()]
    assert listed[0] == ["row", "imei", "uuid"] and {line[2] for line in listed[1:]} == uuids(ours)
    assert puts(sim) == {} and not (tmp_path / "fleet.cancelled.csv").exists()


def test_what_devices_have_is_too_late(nbatch, tmp_path, fleets, simulator):
    sim = simulator("--uplink", "5s", "--clock", "100x")
    theirs, ours = fleets(sim, devices=5, embargo=None)
    wait_for(lambda: done_by_devices(sim) == uuids(theirs) | uuids(ours))
    done = nbatch("cancel", ours, "--endpoint", sim.url, "--yes")
    assert done.code == 1 and "0 of 5 commands are taken back" in done.err, done
    rows = read_results(tmp_path / "fleet.cancelled.csv")
    assert {row["outcome"] for row in rows} == {"too_late"} and {row["error"] for row in rows} == {"the device has done it"}
    assert all(row["errno"] not in ("", "0") for row in rows)
    done = nbatch("cancel", ours, "--endpoint", sim.url)
    assert done.code == 1 and sum(puts(sim).values()) == 5, done


def test_one_that_gave_up_is_expired_and_one_nobody_knows_is_missing(nbatch, tmp_path, fleets, simulator):
    sim = simulator("--clock", "600x")
    _, ours = fleets(sim, "--set", "valid_time=+1h", devices=2, embargo=None)
    text = ours.read_text(encoding="utf-8")
    known = read_results(ours)[0]
    unknown = f"{known['uuid'][:-4]}{'beef' if not known['uuid'].endswith('beef') else 'cafe'}"
    ours.write_text(text.replace(known["uuid"], unknown), encoding="utf-8")
    done = nbatch("cancel", ours, "--endpoint", sim.url, "--yes")
    assert done.code == 1 and outcomes(tmp_path / "fleet.cancelled.csv") == {"cancelled": 1, "missing": 1}, done
    nbatch("cancel", ours, "--endpoint", sim.url, "--yes")  # what is missing may show later
    assert puts(sim)[unknown] == 2 and len(puts(sim)) == 2


def test_what_the_status_file_knows_is_not_asked(nbatch, tmp_path, fleets, simulator):
    sim = simulator()
    _, ours = fleets(sim, devices=6)
    write_status(tmp_path / "fleet.status.csv", ours, {1: "delivered", 2: "expired", 3: "cancelled", 4: "sent"})
    done = nbatch("cancel", ours, "--endpoint", sim.url, "--yes", "--json")
    said = json.loads(done.out)
    assert done.code == 1 and said["before"]["too_late"] == said["before"]["expired"] == said["before"]["cancelled"] == 1
    assert said["cancelled"] == 4 and said["puts"] == 3, done
    (tmp_path / "fleet.status.csv").write_text("rubbish\n", encoding="utf-8")
    done = nbatch("cancel", ours, "--endpoint", sim.url, "--yes", "-o", "again.csv")
    assert done.code == 0 and "going on without it" in done.err, done


@pytest.mark.parametrize("fault", ["close-after:40%", "cut:40%", "http-500-after:40%"])
def test_a_request_in_doubt_is_settled_by_a_look(nbatch, tmp_path, fleets, simulator, fault):
    good = simulator("--state", str(tmp_path / "state"))
    _, ours = fleets(good)
    good.stop()
    bad = simulator("--state", str(tmp_path / "state"), "--fault", fault, "--seed", "5")
    done = nbatch("cancel", ours, "--endpoint", bad.url, "--yes", "--max-attempts", "1")
    bad.stop()
    assert done.code in (0, 6), done
    again = simulator("--state", str(tmp_path / "state"))
    done = nbatch("cancel", ours, "--endpoint", again.url, "--yes")
    assert done.code == 0 and outcomes(tmp_path / "fleet.cancelled.csv") == {"cancelled": DEVICES}, done
    for row in read_results(ours):
        said = ask(again.url, "GET", f"/nbiot/offline/history/{row['uuid']}?imei={row['imei']}")
        assert said["data"]["send_status"] == 2


def test_a_platform_that_is_away_leaves_them_open(nbatch, tmp_path, fleets, simulator):
    sim = simulator("--state", str(tmp_path / "state"))
    _, ours = fleets(sim, devices=3)
    sim.stop()
    done = nbatch("cancel", ours, "--endpoint", sim.url, "--yes", "--outage-wait", "1s", "--retry-delay", "10ms",
                  "--max-attempts", "2")
    assert done.code in (4, 6) and "nbatch cancel" in done.err, done
    assert "no request left in" in done.err and "look-up" not in done.err, done
    sim = simulator("--state", str(tmp_path / "state"))
    assert nbatch("cancel", ours, "--endpoint", sim.url, "--yes").code == 0
    assert outcomes(tmp_path / "fleet.cancelled.csv") == {"cancelled": 3}


@pytest.mark.parametrize("after", [1, 7, 20])
def test_after_a_death_it_goes_on_where_it_was(nbatch, tmp_path, fleets, simulator, after):
    sim = simulator("--latency", "100ms")
    _, ours = fleets(sim)
    words = [NBATCH, "cancel", str(ours), "--endpoint", sim.url, "--yes", "-c", "2"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_")} | {"NBATCH_API_KEY": KEY}
    with subprocess.Popen(words, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: sum(puts(sim).values()) >= after)
        process.send_signal(signal.SIGKILL)
    done = nbatch(*words[1:])
    assert done.code == 0 and outcomes(tmp_path / "fleet.cancelled.csv") == {"cancelled": DEVICES}, done
    asked = puts(sim)
    assert set(asked) == uuids(ours) and max(asked.values()) <= 2
    assert sum(times == 2 for times in asked.values()) <= 2 + 2  # those under way, and those just answered


def test_what_was_taken_back_can_be_sent_after_all(nbatch, tmp_path, fleets, simulator):
    sim = simulator()
    _, ours = fleets(sim, devices=3)
    done = nbatch("cancel", ours, "--endpoint", sim.url, "--yes")
    assert f"{NBATCH} run {tmp_path}/fleet.csv --endpoint {sim.url} --resume=cancelled --output" in done.err
    before = uuids(ours)
    done = nbatch("run", "fleet.csv", "--endpoint", sim.url)
    assert done.code == 2  # the results are there, and say accepted
    done = nbatch("run", "fleet.csv", "--endpoint", sim.url, "--resume")
    assert done.code == 0 and uuids(ours) == before
    done = nbatch("run", "fleet.csv", "--endpoint", sim.url, "--resume=cancelled")
    assert done.code == 0 and "3 accepted rows are sent again" in done.err, done
    done = nbatch("cancel", ours, "--endpoint", sim.url, "--yes")  # what waits now are others
    assert done.code == 0 and len(puts(sim)) == 6, done


def test_rows_in_doubt_are_told(nbatch, tmp_path, fleet, simulator):
    sim = simulator("--fault", "close-after:30%", "--seed", "2")
    assert nbatch("run", fleet(10), "--endpoint", sim.url, "--on-ambiguous", "hold", "--embargo", "1h").code == 6
    doubtful = sum(row["status"] == "in_doubt" for row in read_results(tmp_path / "fleet.results.csv"))
    good = nbatch("cancel", "fleet.results.csv", "--endpoint", sim.url, "--yes", "--json", "--max-attempts", "9")
    assert good.code == 6 and json.loads(good.out)["doubtful_rows"] == doubtful > 0, good


def test_bad_input_is_refused(nbatch, tmp_path, fleets, fleet, simulator):
    sim = simulator()
    _, ours = fleets(sim, devices=2)
    (tmp_path / "fleet.cancelled.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    done = nbatch("cancel", ours, "--endpoint", sim.url, "--yes")
    assert done.code == 3 and "fleet.cancelled.csv: line 1: this is no file of nbatch cancel's" in done.err, done
    (tmp_path / "fleet.cancelled.csv").unlink()
    done = nbatch("cancel", tmp_path / "fleet.csv", "--endpoint", sim.url, "--yes")
    assert done.code == 3 and "name a results file" in done.err, done
    assert nbatch("run", fleet(2, "dry.csv"), "--simulate").code == 0
    done = nbatch("cancel", "dry.rehearsal.csv", "--yes")
    assert done.code == 2 and "is of a rehearsal" in done.err, done
    assert nbatch("cancel", "none.csv", "--yes").code == 2
    assert puts(sim) == {}


@pytest.mark.parametrize("uuid", ["all", "ALL", " all ", ".", ".."])
def test_a_word_in_the_place_of_a_uuid_takes_back_nothing(nbatch, tmp_path, fleets, simulator, uuid):
    """cancel/all would take back what others have put there."""
    sim = simulator()
    theirs, ours = fleets(sim, devices=2)
    first = read_results(ours)[0]["uuid"]
    ours.write_text(ours.read_text(encoding="utf-8").replace(first, uuid), encoding="utf-8")
    for words in (("cancel", ours, "--yes"), ("cancel", ours, "-n"), ("status", ours)):
        done = nbatch(*words, "--endpoint", sim.url)
        assert done.code == 3 and "has a uuid that names no command" in done.err, done
    assert puts(sim) == {}


def test_a_damaged_row_is_refused_before_anything_is_taken_back(nbatch, fleets, simulator):
    sim = simulator()
    _, ours = fleets(sim, devices=3)
    text = ours.read_text(encoding="utf-8")
    ours.write_text(text.replace(imei(3), "8.6E+14"), encoding="utf-8")
    for words in (("cancel", ours, "--yes"), ("cancel", ours, "-n"), ("status", ours)):
        done = nbatch(*words, "--endpoint", sim.url)
        assert done.code == 3 and "no device's number: the results were edited\n" in done.err, done
    assert puts(sim) == {}


def test_a_last_line_without_its_end_is_still_open(nbatch, fleets, simulator):
    sim = simulator()
    _, ours = fleets(sim, devices=3)
    ours.write_text(ours.read_text(encoding="utf-8").rstrip("\n"), encoding="utf-8")
    done = nbatch("cancel", ours, "--endpoint", sim.url, "--yes")
    assert done.code == 6 and "the last line is not whole" in done.err and len(puts(sim)) == 2, done


class Refusing(http.server.BaseHTTPRequestHandler):
    """Takes nothing back, and says that all waits for a valid_time an hour from now."""

    protocol_version = "HTTP/1.1"

    def answer(self, reply):
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        self.server.puts += 1
        self.answer({"errno": 16, "error": "unsuccess"})

    def do_GET(self):
        at = [time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600 + s)) for s in (-9, 3600, 7200)]
        data = dict(zip(("create_time", "valid_time", "expired_time"), at), send_status=1, remain=3)
        self.answer({"errno": 0, "error": "succ", "data": data})

    def log_message(self, *words):
        pass


def test_one_that_is_refused_before_its_valid_time_is_asked_for_again(nbatch, tmp_path, fleets, simulator):
    _, ours = fleets(simulator(), devices=1)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        server.puts = 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for call in (1, 2):
            done = nbatch("cancel", ours, "--endpoint", f"http://127.0.0.1:{server.server_port}", "--yes")
            assert done.code == 6 and server.puts == call, done
        server.shutdown()
    assert outcomes(tmp_path / "fleet.cancelled.csv") == {"failed": 1}
