"""Answers to nobody: what a peer sends unasked never becomes the answer of a row. The oracle is what the peer gave whom."""
import collections
import os
import re
import select
import subprocess
import threading
import time
import uuid

import pytest
from conftest import KEY, NBATCH, ROOT, read_results
from peers import RawPeer, success

BELIEVING = os.environ.get("NBATCH_BELIEVING", str(ROOT / "build/test/tests/nbatch-believing"))
ROWS = 24
RATES = {0: 20, 1: 20, 3: 20, 10: 10, 20: 10, 80: 5}  # by the delay: a connection is idle when the stray comes


def http(body, status="200 OK", headers=""):
    return (f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
            .encode() + body)


STRAYS = {
    "own uuid": lambda answer: http(success(str(uuid.uuid4()))),
    "twice": lambda answer: answer,
    "half": lambda answer: answer[:len(answer) // 2],
    "chunk": lambda answer: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"err",
    "408 close": lambda answer: http(b"", "408 Request Timeout", "Connection: close\r\n"),
    "408": lambda answer: http(b"", "408 Request Timeout"),
    "400 close": lambda answer: http(b"<html>bad</html>", "400 Bad Request", "Connection: close\r\n"),
    "400": lambda answer: http(b"<html>bad</html>", "400 Bad Request"),
    "new line": lambda answer: b"\r\n",
    "NUL": lambda answer: b"\0",
}


class StrayPeer(RawPeer):
    """Answers each request, and after `delay_ms` sends something that nobody asked for. Where a request has come by then
    (`late`), its answer follows that, and may come unasked itself: so are all later ones of that connection. A request
    that comes within `crossing_s` may have left before: on a busy machine the next processor is some time away."""

    def __init__(self, kind, delay_ms, tls=None, latency_ms=0):
        self.stray = STRAYS[kind]
        self.is_believed = kind == "408 close"
        self.latency_s = latency_ms / 1000
        self.delay_s = delay_ms / 1000
        self.crossing_s = 0.5 / RATES.get(delay_ms, 20)
        self.given = collections.defaultdict(list)  # the uuids of each device's answers
        self.late = set()  # devices whose request had left, or was about to, when the stray did
        self.strays = 0
        super().__init__(self._script, tls=tls)

    def _script(self, connection, number):
        stray, due, shifted = None, 0, False
        while not self.stopping:
            if stray and not select.select([connection.sock], [], [], max(0, due - time.monotonic()))[0]:
                if not connection.send(stray):
                    return
                self.strays += 1
                stray = None
                shifted = shifted or bool(select.select([connection.sock], [], [], self.crossing_s)[0])
                continue
            request = connection.read_request()
            if request is None:
                return
            shifted = shifted or stray is not None
            if shifted:
                self.late.add(request.imei)
            command_uuid = self.process(request)
            with self.lock:
                self.given[request.imei].append(command_uuid)
            if stray:
                time.sleep(max(0, due - time.monotonic()))
                connection.send(stray)
                self.strays += 1
            time.sleep(self.latency_s)
            answer = http(success(command_uuid))
            stray, due = self.stray(answer), time.monotonic() + self.delay_s
            if self.delay_s:
                connection.send(answer)
            else:  # in one segment, and one record of TLS
                connection.send(answer + stray)
                self.strays += 1
                stray = None

    def stored(self):
        """How often a device has been given a command at the most. A 408 with close is believed, as README.md of src/net says
        why: where it crosses a request, that one is sent again, although this peer has processed it."""
        return max(len(uuids) for device, uuids in self.given.items() if not (self.is_believed and device in self.late))

    def wrong(self, rows):
        return [row for row in rows if row["status"] == "accepted" and row["uuid"] not in self.given[row["imei"]]]


@pytest.fixture
def stray_peer():
    started = []

    def start(*args, **options):
        started.append(StrayPeer(*args, **options))
        return started[-1]

    yield start
    for peer in started:
        peer.stop()


def run(nbatch, path, peer, *options, **keywords):
    out = path.with_suffix(".out.csv")
    out.unlink(missing_ok=True)
    done = nbatch("run", path, "--endpoint", peer.url, "-o", out, "--on-ambiguous", "hold", *options, **keywords)
    return done, read_results(out)


def assert_own_answers(done, rows, peer, count):
    """Each row has its own uuid, nothing was sent twice, and only what had left when a stray came is in doubt."""
    assert len(rows) == count, done
    assert peer.strays > 0
    assert not peer.wrong(rows), done
    assert peer.stored() == 1
    for row in rows:
        assert row["status"] == "accepted" or (row["status"] == "in_doubt" and row["imei"] in peer.late), row
        assert row["attempts"] == "1" and row["ambiguous"] == ("0" if row["status"] == "accepted" else "1"), row


def assert_unharmed(done, rows, peer):
    """As above; and where no stray came too late, each row was accepted. (A late one may have a uuid of its own.)"""
    lucky = [row for row in rows if row["imei"] not in peer.late]
    assert_own_answers(done, lucky, peer, ROWS - len(peer.late))
    assert {row["status"] for row in lucky} == {"accepted"}, done
    assert peer.stored() == 1 and len(peer.late) < ROWS - 3  # a busy machine has more of them


@pytest.mark.parametrize("concurrency, latency_ms", [(1, 0), (8, 100), (64, 100)])
@pytest.mark.parametrize("delay_ms", [0, 1, 3, 20, 80])
def test_an_extra_answer_is_nobodys(nbatch, fleet, stray_peer, delay_ms, concurrency, latency_ms):
    peer = stray_peer("own uuid", delay_ms, latency_ms=latency_ms)
    done, rows = run(nbatch, fleet(ROWS), peer, "--rate", f"{RATES[delay_ms]}/s", "-c", concurrency)
    assert_unharmed(done, rows, peer)


@pytest.mark.parametrize("concurrency, latency_ms", [(1, 0), (8, 100)])
@pytest.mark.parametrize("delay_ms", [0, 1, 20])
def test_an_extra_answer_over_tls_is_nobodys(nbatch, fleet, stray_peer, authority, certificate, delay_ms, concurrency,
                                             latency_ms):
    peer = stray_peer("own uuid", delay_ms, tls=certificate.context(), latency_ms=latency_ms)
    done, rows = run(nbatch, fleet(ROWS), peer, "--rate", f"{RATES[delay_ms]}/s", "-c", concurrency, "--cacert", authority.ca)
    assert_unharmed(done, rows, peer)


@pytest.mark.parametrize("kind", [kind for kind in STRAYS if kind != "own uuid"])
def test_what_is_sent_unasked_is_nobodys(nbatch, fleet, stray_peer, kind):
    peer = stray_peer(kind, 10)
    done, rows = run(nbatch, fleet(ROWS), peer, "--rate", "10/s", "-c", "4")
    assert_unharmed(done, rows, peer)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_an_attempt_that_finds_input_costs_the_row_nothing(nbatch, fleet, stray_peer, authority, certificate, secure):
    """Not even with a single attempt; and no connection that has spoken out of turn is used again."""
    peer = stray_peer("twice", 5, tls=certificate.context() if secure else None)
    done, rows = run(nbatch, fleet(60), peer, "--rate", "40/s", "--burst", "20", "-c", "8", "--max-attempts", "1",
                     *(["--cacert", authority.ca] if secure else []))
    assert not peer.wrong(rows) and peer.stored() == 1
    assert {row["status"] for row in rows} <= {"accepted", "in_doubt"}
    assert all(row["imei"] in peer.late for row in rows if row["status"] == "in_doubt"), (done, rows)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("concurrency", [1, 8, 64])
def test_at_full_speed_a_uuid_seen_twice_is_not_believed(nbatch, fleet, stray_peer, authority, certificate, secure,
                                                         concurrency):
    """The stray comes when the next request has left: it is read as its answer, and only its uuid tells."""
    peer = stray_peer("twice", 2, tls=certificate.context() if secure else None)
    done, rows = run(nbatch, fleet(300), peer, "-c", concurrency, *(["--cacert", authority.ca] if secure else []))
    assert_own_answers(done, rows, peer, 300)
    doubtful = [row for row in rows if row["status"] == "in_doubt"]
    if concurrency == 1:  # with more, there may be a free connection for each request
        assert done.code == 6 and doubtful and peer.late
    for row in doubtful:
        assert row["uuid"] == "", row
        assert re.search("which another command of this run was given before|that was not its request's", row["error"]), row


@pytest.mark.parametrize("kind", ["408", "400"])
def test_at_full_speed_an_unasked_refusal_is_in_doubt(nbatch, fleet, stray_peer, kind):
    peer = stray_peer(kind, 2)
    done, rows = run(nbatch, fleet(300), peer, "-c", "8")
    assert_own_answers(done, rows, peer, 300)
    assert peer.late


@pytest.mark.parametrize("stray, delay_ms, options", [("own uuid", 20, ["--rate", "25/s", "-c", "1"]),
                                                      ("twice", 2, ["-c", "8"])])
def test_negative_control_without_the_guard_answers_are_one_late(nbatch, fleet, stray_peer, stray, delay_ms, options):
    peer = stray_peer(stray, delay_ms)
    _, rows = run(nbatch, fleet(60), peer, *options, binary=BELIEVING)
    assert len(rows) == 60
    assert len(peer.wrong(rows)) > 10, "the peer no longer provokes what the guard prevents"


def test_a_platform_that_knows_a_command_again_is_believed(nbatch, fleet, raw_peer):
    """The same uuid for the same request: rows that are equal, or one that is sent again."""
    known = {}

    def script(connection, number):
        while request := connection.read_request():
            with connection.peer.lock:
                first = request.imei not in known
                answer = success(known.setdefault(request.imei, str(uuid.uuid4())))
            connection.process(request)
            if first:
                return connection.close()
            connection.reply(answer)

    path = fleet(5)
    path.write_text(path.read_text() + "".join(path.read_text().splitlines(True)[1:]))
    peer = raw_peer(script)
    out = path.with_suffix(".out.csv")
    done = nbatch("run", path, "--endpoint", peer.url, "-o", out, "--on-ambiguous", "resend", "--yes")
    rows = read_results(out)
    assert done.code == 0 and len(rows) == 10, done
    assert {row["uuid"] for row in rows} == set(known.values())


def test_one_uuid_for_all_is_believed_once(nbatch, fleet, raw_peer):
    def script(connection, number):
        while request := connection.read_request():
            connection.process(request)
            connection.reply(success("one-for-all"))

    peer = raw_peer(script)
    out = fleet(20).with_suffix(".out.csv")
    done = nbatch("run", fleet(20), "--endpoint", peer.url, "-o", out, "-c", "1")
    rows = read_results(out)
    assert done.code == 6
    assert collections.Counter(row["status"] for row in rows) == {"accepted": 1, "in_doubt": 19}
    assert len(peer.processed) == 20, "not sent again, also where writes are"


def test_an_end_that_comes_while_idle_costs_nothing(fleet, raw_peer):
    """Closed, half-closed or reset between two requests: the next one goes out over a new connection."""
    ends = [lambda c: c.close(), lambda c: c.reset(), lambda c: c.sock.shutdown(1)]
    ended = threading.Semaphore(0)

    def script(connection, number):
        request = connection.read_request()
        if request and connection.accept(request):
            time.sleep(0.005)
            ends[number % len(ends)](connection)
            ended.release()
            time.sleep(0.05)

    peer = raw_peer(script)
    path = fleet(12)
    out = path.with_suffix(".out.csv")
    header, *lines = path.read_text().splitlines(True)
    with subprocess.Popen([NBATCH, "run", "-", "--format", "csv", "--endpoint", peer.url, "-o", out, "-c", "1", "--max-attempts", "1",
                           "--on-ambiguous", "hold"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "NBATCH_API_KEY": KEY}) as process:
        process.stdin.write(header)
        for line in lines:
            process.stdin.write(line)
            process.stdin.flush()
            assert ended.acquire(timeout=60)
        err = process.communicate(timeout=60)[1]
    rows = read_results(out)
    assert process.returncode == 0 and {row["attempts"] for row in rows} == {"1"}, (err, rows)
    assert len(peer.processed) == 12
