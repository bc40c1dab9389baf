"""The simulator's devices: what a client sees of commands that are delivered, refused and taken back; its audit is the oracle."""
import collections
import http.server
import json
import threading
import time
import urllib.request

from conftest import imei, read_results, wait_for

BY_NUMBER = {0: "SUCCESS", 3: "NOT_FOUND", 5: "TIME_OUT"}


def ask(url, method, path):
    request = urllib.request.Request(url + path, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def events_of(sim):
    lines = sim.audit_path.read_text(encoding="utf-8").split("\n")[:-1]
    return [line for line in map(json.loads, lines) if "device" in line]


def test_what_the_history_says_is_what_the_devices_did(nbatch, tmp_path, fleet, simulator):
    sim = simulator("--uplink", "5s..60s", "--clock", "600x", "--seed", "5", "--fault", "device-not_found:20%",
                    "--fault", "device-time_out:20%")
    done = nbatch("run", fleet(200), "--endpoint", sim.url, "-o", "out.csv", env={"NBATCH_API_KEY": "k"})
    assert done.code == 0
    deadline = time.monotonic() + 60
    ends = {}
    while len(ends) < 200 and time.monotonic() < deadline:
        time.sleep(0.2)
        for event in events_of(sim):
            if event["send_status"] == 5 or (event["send_status"] == 6 and event["remain"] == 0):
                ends[event["uuid"]] = event
    rows = read_results(tmp_path / "out.csv")
    assert {row["uuid"] for row in rows} == set(ends)
    for row in rows[:50]:
        said = ask(sim.url, "GET", f"/nbiot/offline/history/{row['uuid']}?imei={row['imei']}")["data"]
        event = ends[row["uuid"]]
        assert said["send_status"] == event["send_status"]
        assert said["confirm_status"] == BY_NUMBER[event["confirm_status"]]
        assert ("cmd_result" in said) == (event["confirm_status"] == 0)
    statuses = collections.Counter(event["confirm_status"] for event in ends.values())
    assert statuses[0] > 100 and statuses[3] > 10 and set(statuses) <= set(BY_NUMBER)


def test_what_is_taken_back_is_not_delivered(nbatch, tmp_path, fleet, simulator):
    sim = simulator("--uplink", "5s", "--clock", "100x")
    assert nbatch("run", fleet(3), "--endpoint", sim.url, "-o", "out.csv", "--set", "valid_time=+1h", "--yes",
                  env={"NBATCH_API_KEY": "k"}).code == 0
    for row in read_results(tmp_path / "out.csv"):
        assert ask(sim.url, "PUT", f"/nbiot/offline/cancel/{row['uuid']}?imei={row['imei']}") == {"errno": 0,
                                                                                                "error": "succ"}
    assert ask(sim.url, "PUT", f"/nbiot/offline/cancel/all/?imei={imei(1)}")["data"]["total"] == 0
    time.sleep(0.5)
    assert not events_of(sim)


def test_the_state_is_kept_from_one_start_to_the_next(nbatch, tmp_path, fleet, simulator):
    state = tmp_path / "platform.state"
    sim = simulator("--state", state, "--uplink", "5s", "--clock", "1000x")
    run = ["run", fleet(20), "-o", "out.csv"]
    assert nbatch(*run, "--endpoint", sim.url, env={"NBATCH_API_KEY": "k"}).code == 0
    rows = read_results(tmp_path / "out.csv")
    wait_for(lambda: sum(event["send_status"] == 5 for event in events_of(sim)) >= 20)
    ask(sim.url, "GET", f"/nbiot/offline?imei={rows[0]['imei']}&obj_id=3311&valid_time=2036-01-01T00:00:00"
                        "&expired_time=2037-01-01T00:00:00")
    path = f"/nbiot/offline/history?imei={rows[0]['imei']}&start=2020-01-01T00:00:00"
    before = [ask(sim.url, "GET", path),
              *(ask(sim.url, "GET", f"/nbiot/offline/history/{row['uuid']}?imei={row['imei']}") for row in rows)]
    assert sim.stop() == 0
    sim = simulator("--state", state)
    after = [ask(sim.url, "GET", path),
             *(ask(sim.url, "GET", f"/nbiot/offline/history/{row['uuid']}?imei={row['imei']}") for row in rows)]
    assert after == before and before[0]["data"]["total_count"] == 2
    assert [item["send_status"] for item in after[0]["data"]["items"]] == [1, 5]
    sim.stop()


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes what is pushed; refuses the first message once, so that it is repeated."""

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refused = not self.server.bodies and not self.server.refused
        self.server.refused = self.server.refused or refused
        if not refused:
            self.server.bodies.append(json.loads(body))
        self.send_response(500 if refused else 200)
        self.end_headers()

    def log_message(self, *words):
        pass


def check_pushes(bodies, rows):
    messages = {body["msg"]["cmd_id"]: body["msg"] for body in bodies}
    assert set(messages) == {row["uuid"] for row in rows} and len(bodies) == len(rows)
    for message in messages.values():
        assert message["type"] == 7 and message["send_status"] == 5 and message["confirm_status"] == 0
        assert message["confirm_time"] >= message["send_time"] > 1_700_000_000_000


def test_what_has_ended_is_pushed_to_a_server_and_to_a_file(nbatch, tmp_path, fleet, simulator):
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    server.bodies, server.refused = [], False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for target in (f"http://127.0.0.1:{server.server_port}/push", tmp_path / "pushed.jsonl"):
        sim = simulator("--push", target, "--uplink", "5s", "--clock", "1000x")
        out = tmp_path / f"out{len(server.bodies)}.csv"
        assert nbatch("run", fleet(10), "--endpoint", sim.url, "-o", out, env={"NBATCH_API_KEY": "k"}).code == 0
        wait_for(lambda: sum(event["send_status"] == 5 for event in events_of(sim)) >= 10)
        sim.stop()
        bodies = server.bodies if out.name == "out0.csv" else [
            json.loads(line) for line in (tmp_path / "pushed.jsonl").read_text().splitlines()]
        check_pushes(bodies, read_results(out))
    assert server.refused
    server.shutdown()
    server.server_close()


def test_a_state_that_is_none_is_refused(nbatch, tmp_path):
    (tmp_path / "bad").write_text('{"device":"865820031313187","uuid":"no"}\n')
    done = nbatch("simulate", "--state", "bad")
    assert done.code == 2 and "bad:1: this is no line of a simulator's state" in done.err
    assert (tmp_path / "bad").read_text().startswith('{"device"')
