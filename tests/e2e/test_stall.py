"""The process stands still for longer than a request may take: what has arrived by then counts."""
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from conftest import HEADER, KEY, NBATCH, imei, read_results, row_of

STALL_S = 3.5
TIMEOUT = "2s"


class Stalled:
    """A run that is stopped when `begun` is set, for longer than --request-timeout."""

    def __init__(self, path, url, begun, *options):
        self.out = path.with_suffix(".out.csv")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_") and "proxy" not in k.lower()}
        process = subprocess.Popen([NBATCH, "run", str(path), "--endpoint", url, "-o", str(self.out), "--request-timeout",
                                    TIMEOUT, "--connect-timeout", TIMEOUT, *options],
                                   env={**environment, "NBATCH_API_KEY": KEY}, stderr=subprocess.PIPE, text=True)
        assert begun.wait(60), process.communicate()
        process.send_signal(signal.SIGSTOP)
        time.sleep(STALL_S)
        process.send_signal(signal.SIGCONT)
        self.err = process.communicate(timeout=120)[1]
        self.code = process.returncode
        self.rows = read_results(self.out)



def write(path, action, count):
    if action == "execute":
        path.write_text("imei,obj_id,obj_inst_id,action,expired_time,res_id\n" +
                        "".join(f"{imei(i)},3311,0,execute,+7d,5850\n" for i in range(1, count + 1)))
    else:
        path.write_text(HEADER + "".join(row_of(i) for i in range(1, count + 1)))
    return path


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("action", ["write", "execute"])
@pytest.mark.parametrize("when", ["new", "kept"])
def test_answers_that_have_arrived_count_after_a_stall(tmp_path, raw_peer, authority, certificate, secure, action, when):
    """Peers that answer in 50 ms, on connections that are new (also in the handshake) or kept."""
    begun = threading.Event()
    count = 16 if when == "new" else 48

    def script(connection, number):
        if when == "new" and number == 7:
            begun.set()
        while request := connection.read_request():
            if when == "kept" and len(connection.peer.processed) > 24:
                begun.set()
            time.sleep(0.05)
            connection.accept(request)

    peer = raw_peer(script, tls=certificate.context() if secure else None)
    run = Stalled(write(tmp_path / "fleet.csv", action, count), peer.url, begun, "-c", "16", "--no-adaptive",
                  *(["--cacert", authority.ca] if secure else []))
    assert run.code == 0, run.err
    assert len(run.rows) == count
    for row in run.rows:
        assert (row["status"], row["attempts"], row["ambiguous"]) == ("accepted", "1", "0"), (row, run.err)
    assert len(peer.processed) == count
    assert "fails" not in run.err and "retries" not in run.err, run.err


@pytest.mark.parametrize("tls_only", [False, True], ids=["connected", "handshake"])
def test_a_connection_that_is_being_made_gets_its_time(tmp_path, raw_peer, authority, certificate, tls_only):
    """With a single attempt: stopped when the peer has the connection and before it has said anything."""
    begun = threading.Event()

    def script(connection, number):
        while request := connection.read_request():
            connection.accept(request)

    peer = raw_peer(script, tls=certificate.context() if tls_only else None)
    inner = peer._one
    peer._one = lambda sock, number: (begun.set(), time.sleep(0.3), inner(sock, number))
    run = Stalled(write(tmp_path / "fleet.csv", "execute", 4), peer.url, begun, "-c", "4", "--max-attempts", "1",
                  *(["--cacert", authority.ca] if tls_only else []))
    assert run.code == 0, run.err
    assert {(row["status"], row["attempts"], row["ambiguous"]) for row in run.rows} == {("accepted", "1", "0")}


def test_a_peer_that_does_not_answer_times_out_after_a_stall(tmp_path, raw_peer):
    begun = threading.Event()

    def script(connection, number):
        request = connection.read_request()
        connection.process(request)
        begun.set()
        connection.hold()

    peer = raw_peer(script)
    start = time.monotonic()
    run = Stalled(write(tmp_path / "fleet.csv", "execute", 3), peer.url, begun, "-c", "4")
    assert run.code == 6, run.err
    assert {(row["status"], row["attempts"], row["ambiguous"]) for row in run.rows} == {("in_doubt", "1", "1")}
    assert all("time ran out before the answer was whole" in row["error"] for row in run.rows)
    assert time.monotonic() - start < STALL_S + 60


def test_without_a_stall_time_runs_out_as_it_says(nbatch, fleet, raw_peer):
    peer = raw_peer(lambda connection, number: (connection.process(connection.read_request()), connection.hold()))
    start = time.monotonic()
    out = fleet(2).with_suffix(".out.csv")
    done = nbatch("run", fleet(2), "--endpoint", peer.url, "-o", out, "--request-timeout", "1500ms", "--on-ambiguous", "hold")
    assert done.code == 6 and 1.5 <= time.monotonic() - start < 60
    for row in read_results(out):
        assert 1500 <= float(row["latency_ms"]) < 30000, row


def test_a_handshake_that_never_ends_times_out_as_not_sent(nbatch, fleet, raw_peer):
    peer = raw_peer(lambda connection, number: connection.hold())
    url = peer.url.replace("http:", "https:")
    out = fleet(1).with_suffix(".out.csv")
    done = nbatch("run", fleet(1), "--endpoint", url, "-o", out, "--request-timeout", "20s", "--connect-timeout", "400ms",
                  "--max-attempts", "1")
    row, = read_results(out)
    assert done.code == 1 and (row["status"], row["attempts"]) == ("failed", "0"), (done, row)
    assert "time ran out before there was a connection" in row["error"]


def test_connections_that_never_come_about_leave_nothing_behind(nbatch, fleet):
    with socket.create_server(("127.0.0.1", 0), backlog=1) as full:
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting: # the queue is full: the kernel drops what comes now
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        time.sleep(0.2)
        out = fleet(3).with_suffix(".out.csv")
        done = nbatch("run", fleet(3), "--endpoint", f"http://127.0.0.1:{full.getsockname()[1]}", "-o", out, "--connect-timeout",
                      "400ms", "--max-attempts", "1")
        for one in waiting:
            one.close()
    assert done.code == 1, done
    assert {(row["status"], row["error"]) for row in read_results(out)} == {
        ("failed", "not sent: time ran out before there was a connection")}
