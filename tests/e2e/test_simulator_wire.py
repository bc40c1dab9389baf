"""The simulator as a client with a raw socket sees it: answers, faults on the wire, latency, history, audit."""
import json
import re
import signal
import socket
import statistics
import time
import urllib.parse
import uuid

import pytest
from conftest import imei, wait_for

QUERY = {"expired_time": "2037-01-01T00:00:00", "obj_id": "3311", "obj_inst_id": "0", "mode": "2"}
BODY = '{"data":[{"res_id":5850,"val":1}]}'


def target(path="/nbiot/offline", without=(), **params):
    merged = {"imei": imei(1), **QUERY, **params}
    pairs = {k: v for k, v in merged.items() if k not in without and v is not None}
    return path + "?" + urllib.parse.urlencode(pairs)


class Client:
    def __init__(self, sim, timeout=60):
        host, port = sim.url.removeprefix("http://").rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), timeout=timeout)
        self.buffer = b""

    def send(self, path, body=BODY, method="POST", headers=()):
        body = body.encode() if isinstance(body, str) else body
        lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def more(self):
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def receive(self):
        """(status, headers, body) of one answer."""
        while b"\r\n\r\n" not in self.buffer:
            assert self.more(), "closed before the headers"
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
        length = int(headers["content-length"])
        while len(self.buffer) < length:
            assert self.more(), "closed in the body"
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return int(lines[0].split()[1]), headers, body

    def ask(self, *args, **kwargs):
        self.send(*args, **kwargs)
        status, headers, body = self.receive()
        assert headers["content-type"] == "application/json"
        return status, json.loads(body)


def errno_of(client, *args, **kwargs):
    status, answer = client.ask(*args, **kwargs)
    assert status == 200
    return answer["errno"]


def test_a_good_write_read_and_execute_get_random_uuids(simulator):
    client = Client(simulator())
    seen = set()
    read = target(without=("mode",), res_id="5850")
    execute = target("/nbiot/execute/offline", without=("mode",), res_id="5850")
    for args in ((target(), BODY, "POST"), (read, "", "GET"), (execute, "", "POST"), (execute, '{"args":"ping"}', "POST")):
        status, answer = client.ask(*args)
        assert status == 200 and answer["errno"] == 0 and answer["error"] == "succ", answer
        assert uuid.UUID(answer["data"]["uuid"]).version == 4
        seen.add(answer["data"]["uuid"])
    assert len(seen) == 4


@pytest.mark.parametrize("body", ["", "x", "[]", "{}", '{"data":null}', '{"data":[1}', '{"data":[{"res_id":1,"val":1}],"x":1}',
                                  '{"data":[],"data":[]}', '{"args":"x"}', '{"data":[{"res_id":1,"val":01}]}',
                                  '{"data":[{"res_id":1,"val":1}]}}', '{"data":[{"res_id":1,"val":1}]5}',
                                  b'{"data":[{"res_id":1,"val":"\xff"}]}', '{"data" [{"res_id":1,"val":1}]}'])
def test_a_body_that_is_not_the_object_asked_for_is_errno_3(simulator, body):
    assert errno_of(Client(simulator()), target(), body) == 3


@pytest.mark.parametrize("path", [target(without=(name,)) for name in ("imei", "obj_id", "obj_inst_id", "mode", "expired_time")]
                         + ["/nbiot/offline"])
def test_a_missing_parameter_is_errno_3(simulator, path):
    assert errno_of(Client(simulator()), path) == 3


@pytest.mark.parametrize("path", [
    target(imei="123"), target(obj_id="x"), target(obj_id="65536"), target(mode="3"), target(retry="11"), target(timeout="4"),
    target(trigger_msg="0"), target(obj_id=""), target() + "&mode=2", target() + "&retry", target() + "&&",
    target() + "&retry=%zz", target(expired_time="+24h"), target(expired_time="2037-01-01 00:00:00"),
    target(expired_time="2037-01-01T00:00:00+08:00"), target(expired_time="2020-01-01T00:00:00"),
    target(valid_time="2037-01-02T00:00:00")])
def test_any_other_bad_parameter_is_errno_5108(simulator, path):
    status, answer = Client(simulator()).ask(path)
    assert status == 200 and answer["errno"] == 5108 and answer["error"].startswith("invalid parameter: "), answer


def test_what_public_clients_send_is_taken(simulator):
    client = Client(simulator())
    for path in (target(nonsense="1"), target(res_id="1"), target(bin2hex="true"), target().replace("offline?", "offline/?")):
        assert client.ask(path)[1]["errno"] == 0
    execute = f"/nbiot/execute/offline?imei={imei(1)}&obj_id=3&obj_inst_id=0&res_id=4&mode=1&expired_time=2037-01-01T00:00:00"
    assert client.ask(execute, "")[1]["errno"] == 0


@pytest.mark.parametrize("body", ['{"data":5}', '{"data":"[]"}', '{"data":[5]}', '{"data":[{"res_id":1}]}',
                                  '{"data":[{"res_id":1,"val":99999999999999999999}]}',
                                  '{"data":[{"res_id":1,"val":"%s"}]}' % ("x" * 2048)])
def test_bad_content_is_refused(simulator, body):
    assert errno_of(Client(simulator()), target(), body) in (3, 5108)


def test_warnings_do_not_refuse(simulator):
    assert errno_of(Client(simulator()), target(imei="123456789012345")) == 0  # a wrong check digit


def test_other_paths_methods_and_sizes(simulator):
    client = Client(simulator())
    assert client.ask("/nbiot/nothing")[0] == 404
    client.send(target(), "", "PUT")
    status, headers, _ = client.receive()
    assert status == 405 and headers["allow"] == "GET, POST"
    assert client.ask(target("/nbiot/execute/offline"), "", "GET")[0] == 405
    assert client.ask(target(), "x" * 65537)[0] == 413
    assert errno_of(client, target(), BODY + " " * (65536 - len(BODY))) == 0


def test_the_key_is_asked_for_and_never_shown(simulator, tmp_path):
    key = tmp_path / "key"
    key.write_text("geheim-0815\nsecond line\n")
    sim = simulator("--api-key-file", str(key))
    client = Client(sim)
    assert errno_of(client, target()) == 1
    assert errno_of(client, target(), headers=["api-key: geheim-0816"]) == 1
    assert errno_of(client, target(), headers=["Api-Key: geheim-0815"]) == 0
    sim.stop()
    assert "geheim" not in sim.audit_path.read_text() + sim.out + sim.err


def test_the_queue_limit_counts_only_what_waits(simulator):
    client = Client(simulator("--queue-limit", "2"))
    end = int(time.time()) + 5
    soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(end + 8 * 3600))
    assert [errno_of(client, target(expired_time=t)) for t in (soon, None or QUERY["expired_time"], soon)] == [0, 0, 5006]
    assert errno_of(client, target(imei=imei(2))) == 0
    time.sleep(max(0, end + 0.2 - time.time()))
    assert [errno_of(client, target()) for _ in range(2)] == [0, 5006]


def test_history_lists_the_newest_first_and_one_in_full(simulator):
    client = Client(simulator("--max-commands", "2"))
    body = '{"data":[{"res_id":1,"val":9007199254740993}]}'
    uuids = [client.ask(target(retry="5", trigger_msg="3"), body)[1]["data"]["uuid"] for _ in range(3)]
    _, answer = client.ask(f"/nbiot/offline/history?imei={imei(1)}&start=2020-01-01T00:00:00", "", "GET")
    assert answer["errno"] == 0 and answer["data"]["total_count"] == 2
    items = answer["data"]["items"]
    assert [item["cmd_uuid"].strip() for item in items] == [uuids[1], uuids[0]]  # the third one was not kept
    item = items[0]
    assert item["type"] == "WRITE" and item["send_status"] == 1 and item["imei"] == imei(1) and item["remain"] == "5"
    assert item["trigger_msg"] == 3 and item["expired_time"] == "2037-01-01 00:00:00"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", item["create_time"])
    path = f"/nbiot/offline/history?imei={imei(1)}&start=2020-01-01T00:00:00&page=2&per_page=1"
    second = client.ask(path, "", "GET")[1]["data"]["items"]
    assert [item["cmd_uuid"] for item in second] == [uuids[0] + " "]
    client.send(f"/nbiot/offline/history/{uuids[0]}?imei={imei(1)}", "", "GET")
    raw = client.receive()[2].decode()
    assert body in raw  # the number digit for digit
    assert json.loads(raw)["data"]["args"]["obj_id"] == 3311
    assert errno_of(client, f"/nbiot/offline/history/{uuids[2]}?imei={imei(1)}", "", "GET") == 5108
    assert errno_of(client, "/nbiot/offline/history", "", "GET") == 3


# The wire: what a client reads when the fault strikes, whether the command was processed, status and errno of the audit.
WIRE = {
    "close": ("fin", False, None, None), "close-after": ("fin", True, None, 0),
    "reset": ("rst", False, None, None), "reset-after": ("rst", True, None, 0),
    "silent": ("silence", False, None, None), "silent-after": ("silence", True, None, 0),
    "cut": ("cut", True, 200, 0), "garbage": ("garbage", True, 200, 0), "no-uuid": ("no-uuid", True, 200, 0),
    "envelope": ("envelope", True, 200, 0),
    "http-404": ("http", False, 404, None), "http-500-after": ("http", True, 500, 0),
    "http-429-retry-after": ("retry", False, 429, None), "http-503-retry-after": ("retry", False, 503, None),
    "errno-5117": ("errno", False, 200, 5117), "errno-4242": ("errno", False, 200, 4242), "slow": ("slow", True, 200, 0),
}


def observe(client, patience=60):
    """What comes until the connection ends, or for so long."""
    client.sock.settimeout(patience)
    try:
        while client.more():
            pass
        return client.buffer, "fin"
    except ConnectionResetError:
        return client.buffer, "rst"
    except TimeoutError:
        return client.buffer, "open"


@pytest.mark.parametrize("fault", WIRE)
def test_each_fault_on_the_wire_and_in_the_audit(simulator, fault):
    seen, processed, http, errno = WIRE[fault]
    sim = simulator("--fault", f"{fault}:100%")
    client, begun = Client(sim), time.monotonic()
    client.send(target())
    if seen in ("fin", "rst"):
        assert observe(client) == (b"", seen)
    elif seen == "silence":
        assert observe(client, 0.5) == (b"", "open")
    elif seen == "cut":
        data, end = observe(client)
        head, body = data.split(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        assert end == "fin" and 0 < len(body) < length and b"200 OK" in head
    elif seen == "slow":
        assert json.loads(client.receive()[2])["data"]["uuid"] and time.monotonic() - begun > 0.9
    else:
        status, headers, body = client.receive()
        assert observe(client, 0.5) == (b"", "open")
        assert status == http and (headers.get("retry-after") == "1") == (seen == "retry")
        if seen == "garbage":
            with pytest.raises(ValueError):
                json.loads(body)
        elif seen == "envelope":
            assert not {"errno", "code", "msg", "uuid"} & set(json.loads(body))
        elif seen == "no-uuid":
            assert json.loads(body) == {"errno": 0, "error": "succ"}
        elif seen == "errno":
            assert json.loads(body)["errno"] == errno
    [entry] = sim.audit()
    assert entry["fault"] == fault and entry["processed"] == processed and entry["http"] == http
    assert entry["errno"] == errno and bool(entry["uuid"]) == processed


def test_a_reset_is_no_fin_first(simulator):
    """A client that polls must never see an orderly end before the reset."""
    sim = simulator("--fault", "reset:100%")
    for _ in range(200):
        client = Client(sim)
        client.send(target())
        assert observe(client) == (b"", "rst")


def test_the_same_seed_gives_the_same_faults(simulator):
    def run(seed):
        sim = simulator("--seed", seed, "--fault", "http-500:30%", "--fault", "errno-7:30%", "--latency", "uniform:0..1ms")
        client = Client(sim)
        for i in range(100):
            client.send(target(imei=imei(i)))
            client.receive()
        return [entry["fault"] for entry in sim.audit()]

    first = run("7")
    assert first == run("7") != run("8")
    assert set(first) == {None, "http-500", "errno-7"}


def test_the_audit_has_the_line_when_the_client_has_the_answer(simulator):
    sim = simulator()
    client = Client(sim)
    for n in range(1, 51):
        path = target(imei=imei(n))
        before = time.time() * 1000
        _, answer = client.ask(path)
        entry = json.loads(sim.audit_path.read_text().splitlines()[-1])
        assert before - 5 <= entry.pop("time") <= time.time() * 1000 + 5
        assert entry == {"n": n, "method": "POST", "action": "write", "imei": imei(n), "target": path, "body": BODY,
                         "processed": True, "uuid": answer["data"]["uuid"], "errno": 0, "http": 200, "fault": None}
    client.ask("/x?%ff", b"\xff\"\n")
    entry = json.loads(sim.audit_path.read_text().splitlines()[-1])
    assert entry["http"] == 404 and entry["action"] is None and entry["errno"] is None and not entry["processed"]


@pytest.mark.parametrize("latency,least,most", [("40ms", 0.04, 0.5), ("uniform:20ms..60ms", 0.02, 0.5), ("lognormal:20ms:0.1", 0.01, 0.5)])
def test_latency_delays_each_answer(simulator, latency, least, most):
    client, took = Client(simulator("--latency", latency)), []
    for _ in range(10):
        start = time.monotonic()
        client.ask(target(imei=imei(1)))
        took.append(time.monotonic() - start)
    assert least <= min(took) and statistics.median(took) < most, took


def test_64_answers_of_200_ms_wait_side_by_side(simulator):
    sim = simulator("--latency", "200ms", "--queue-limit", "0")
    clients = [Client(sim) for _ in range(64)]
    start = time.monotonic()
    for _ in range(3):
        for client in clients:
            client.send(target())
        for client in clients:
            client.receive()
    assert time.monotonic() - start < 30  # one after the other: 38.4 s


@pytest.mark.parametrize("options", [("--latency", "300ms"), ("--fault", "silent:1"), ("--latency", "1h")])
@pytest.mark.parametrize("goes", [True, False])
def test_clients_that_go_while_an_answer_is_held_back(simulator, options, goes):
    sim = simulator(*options)
    clients = [Client(sim) for _ in range(200)]
    for client in clients:
        client.send(target())
    time.sleep(0.1)
    if goes:
        for client in clients:
            client.sock.close()
        time.sleep(0.5)
    start = time.monotonic()
    assert sim.stop() == 0 and time.monotonic() - start < 30
    if not goes and "300ms" not in options:
        assert all(observe(client) == (b"", "fin") for client in clients)


def test_more_silent_clients_than_connections_come_and_go(simulator):
    """A silent answer's connection is given up when its client goes: they do not use up the limit."""
    sim = simulator("--fault", "silent:1")
    for _ in range(25):
        clients = [Client(sim) for _ in range(200)]
        for client in clients:
            client.send(target())
        for client in clients:
            client.sock.close()
    wait_for(lambda: sim.audit_path.read_bytes().count(b"\n") > 4096)
    assert len(sim.audit()) > 4096


def test_requests_in_pieces_and_one_after_the_other_without_waiting(simulator):
    client = Client(simulator())
    text = (f"POST {target()} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}").encode()
    for i in range(len(text)):
        client.sock.sendall(text[i:i + 1])
    assert json.loads(client.receive()[2])["errno"] == 0
    client.sock.sendall(text * 5)
    assert [json.loads(client.receive()[2])["errno"] for _ in range(5)] == [0] * 5


def test_requests_that_come_in_while_the_simulator_stops(simulator):
    """libmicrohttpd aborts the process when it is stopped with a connection suspended, so none may be any more."""
    sim = simulator("--latency", "1h")
    sim.process.send_signal(signal.SIGSTOP)
    clients = [Client(sim) for _ in range(100)]  # accepted by the kernel; MHD takes a few at a time
    for client in clients:
        client.send(target())
    sim.process.send_signal(signal.SIGTERM)
    sim.process.send_signal(signal.SIGCONT)
    assert sim.stop() == 0
