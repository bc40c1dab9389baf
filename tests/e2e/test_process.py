"""The run as a process among others: readers that do not read, closed descriptors, signals, limits, canaries."""
import collections
import fcntl
import json
import os
import resource
import signal
import struct
import subprocess
import termios
import time

import pytest
from conftest import KEY, NBATCH, read_results, wait_for
from pty_session import PtySession


def environment():
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_") and "proxy" not in k.lower()}
    return {**kept, "NBATCH_API_KEY": KEY}


@pytest.fixture
def start(tmp_path):
    started = []

    def call(*words, **options):
        process = subprocess.Popen([NBATCH, *map(str, words)], cwd=tmp_path, env=environment(),
                                   stdin=subprocess.DEVNULL, **options)
        started.append(process)
        return process

    yield call
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def slow(delay_s):
    """Answers each request after a while, and never late."""
    def script(connection, number):
        while (request := connection.read_request()) is not None:
            time.sleep(delay_s)
            if not connection.accept(request):
                return
    return script


def assert_each_row_once(peer, results, rows):
    lines = read_results(results)
    assert len(lines) == rows
    assert {(line["status"], line["attempts"], line["ambiguous"]) for line in lines} == {("accepted", "1", "0")}
    counts = collections.Counter(request.imei for request in peer.processed)
    assert len(counts) == rows and set(counts.values()) == {1}


def read_all(fd):
    text = b""
    while part := os.read(fd, 65536):
        text += part
    return text


TIMEOUT = "3s"  # of a request: a busy machine answers sooner
UNREAD_S = 3.5


def leave_unread(fd, process):
    """Waits until the pipe is full, and then for longer than a request timeout."""
    end = time.monotonic() + 120
    before, now = -1, 0
    while now < 16_000 or now != before:  # it takes 64 KB of small pieces, and less of larger ones
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.3)
        before, now = now, struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]
    time.sleep(UNREAD_S)


@pytest.mark.parametrize("action", ["write", "execute"])
def test_a_stderr_that_nobody_reads_stalls_nothing(start, tmp_path, raw_peer, fleet, action):
    """-v into a pipe that is not read for longer than the request timeout; 100 bytes a line fill it soon."""
    peer = raw_peer(slow(0.05))
    path = fleet(3000)
    words = []
    if action == "execute":
        text = path.read_text().splitlines()
        path.write_text("imei,obj_id,obj_inst_id,res_id,action,expired_time\n" +
                        "".join(f"{line.split(',')[0]},3311,0,5850,execute,+7d\n" for line in text[1:]))
    r, w = os.pipe()
    process = start("run", path, "--endpoint", peer.url, "-o", "o.csv", "-v", "--request-timeout", TIMEOUT, "-c", "32",
                    *words, stderr=w, stdout=subprocess.DEVNULL)
    os.close(w)
    leave_unread(r, process)
    text = read_all(r).decode()
    os.close(r)
    assert process.wait(timeout=120) == 0, text[-2000:]
    assert_each_row_once(peer, tmp_path / "o.csv", 3000)
    assert "all 3000 rows were accepted" in text and "time ran out" not in text and "retr" not in text


def test_lines_that_found_no_reader_are_counted(start, tmp_path, raw_peer, fleet):
    peer = raw_peer(slow(0))
    r, w = os.pipe()
    process = start("run", fleet(8000), "--endpoint", peer.url, "-o", "o.csv", "-v", stderr=w)
    os.close(w)
    end = time.monotonic() + 300
    while len(peer.processed) < 8000:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.05)
    text = read_all(r).decode()
    os.close(r)
    assert process.wait(timeout=60) == 0
    shown = text.count(": attempt 1: accepted")
    left_out = sum(int(line.split()[0]) for line in text.splitlines() if "left out here" in line)
    assert 0 < shown < 8000 and shown + left_out == 8000
    assert "all 8000 rows were accepted" in text


def test_a_run_ends_though_nobody_ever_reads_stderr(start, tmp_path, raw_peer, fleet):
    peer = raw_peer(slow(0))
    r, w = os.pipe()
    process = start("run", fleet(8000), "--endpoint", peer.url, "-o", "o.csv", "-v", stderr=w)
    os.close(w)
    assert process.wait(timeout=300) == 0
    os.close(r)
    assert_each_row_once(peer, tmp_path / "o.csv", 8000)
    assert not (tmp_path / "o.csv.journal").exists()


def test_a_copy_of_the_results_that_is_not_read_holds_rows_back_and_costs_none(start, tmp_path, raw_peer, fleet):
    """Rows are not started while the copy's queue is full; none of those under way runs out of time."""
    peer = raw_peer(slow(0.01))
    rows = 12000
    r, w = os.pipe()
    process = start("run", fleet(rows), "--endpoint", peer.url, "-o", "-", "--request-timeout", TIMEOUT, "-c", "64",
                    stdout=w, stderr=subprocess.PIPE, text=True)
    os.close(w)
    seen, since = 0, time.monotonic()
    end = time.monotonic() + 120
    while seen == 0 or time.monotonic() - since < UNREAD_S:  # until nothing more is started for so long
        assert time.monotonic() < end
        if len(peer.processed) != seen:
            seen, since = len(peer.processed), time.monotonic()
        time.sleep(0.05)
    assert 64 < seen < rows
    text = read_all(r).decode()
    os.close(r)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert_each_row_once(peer, tmp_path / "fleet.results.csv", rows)
    assert text == (tmp_path / "fleet.results.csv").read_text()


def test_the_end_waits_for_the_reader_of_the_results(start, tmp_path, raw_peer, fleet):
    """More than a pipe holds, and less than makes rows wait."""
    peer = raw_peer(slow(0))
    r, w = os.pipe()
    process = start("run", fleet(1500), "--endpoint", peer.url, "-o", "-", stdout=w, stderr=subprocess.PIPE, text=True)
    os.close(w)
    results, journal = tmp_path / "fleet.results.csv", tmp_path / "fleet.results.csv.journal"
    end = time.monotonic() + 60
    while not results.exists() or results.read_bytes().count(b"\n") < 1500 or journal.exists():  # the record is whole without the reader
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.1)
    assert len(read_results(results)) == 1500
    assert any("waiting for standard output to be read" in line for line in iter(process.stderr.readline, ""))
    time.sleep(1)
    assert process.poll() is None
    text = read_all(r).decode()
    os.close(r)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert text == (tmp_path / "fleet.results.csv").read_text()


@pytest.mark.parametrize("rows,number,code", [(1500, signal.SIGTERM, 143), (12000, signal.SIGINT, 130)], ids=["at the end", "while rows wait"])
def test_a_signal_ends_the_wait_for_the_reader_of_the_results(start, tmp_path, raw_peer, fleet, rows, number, code):
    """One is enough; the record is whole, or is gone on with."""
    peer = raw_peer(slow(0))
    r, w = os.pipe()
    process = start("run", fleet(rows), "--endpoint", peer.url, "-o", "-", stdout=w, stderr=subprocess.PIPE, text=True)
    os.close(w)
    seen, end = -1, time.monotonic() + 60
    while len(peer.processed) != seen or seen == 0 or (rows == 1500 and seen < rows):  # until nothing more is started
        assert time.monotonic() < end
        seen = len(peer.processed)
        time.sleep(1.5)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    os.close(r)
    assert process.returncode == code and "standard output was not read to its end" in err, err
    assert len(read_results(tmp_path / "fleet.results.csv")) == seen
    journal = tmp_path / "fleet.results.csv.journal"
    assert journal.exists() == (rows == 12000)


def test_a_reader_of_the_results_that_goes_away_stops_the_run(start, tmp_path, raw_peer, fleet):
    peer = raw_peer(slow(0.005))
    r, w = os.pipe()
    process = start("run", fleet(20000), "--endpoint", peer.url, "-o", "-", stdout=w, stderr=subprocess.PIPE, text=True)
    os.close(w)
    os.read(r, 1000)
    os.close(r)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 7 and "standard output: Broken pipe" in err and "--resume" in err
    assert len(read_results(tmp_path / "fleet.results.csv")) == len(peer.processed) < 20000


def test_a_held_terminal_stalls_nothing(tmp_path, raw_peer, fleet):
    """Ctrl-S: the terminal takes nothing more until Ctrl-Q."""
    peer = raw_peer(slow(0.05))
    session = PtySession([NBATCH, "run", fleet(2500), "--endpoint", peer.url, "-o", tmp_path / "o.csv", "-v",
                          "--request-timeout", TIMEOUT, "-c", "32"], env=environment(), cwd=tmp_path)
    try:
        session.wait_for("attempt 1: accepted")
        session.send("\x13")
        time.sleep(UNREAD_S)
        session.send("\x11")
        text = session.finish()
    finally:
        session.stop()
    assert session.code == 0, text[-2000:]
    assert b"all 2500 rows were accepted" in text
    assert_each_row_once(peer, tmp_path / "o.csv", 2500)


def test_a_log_into_a_pipe_that_is_not_read_stalls_nothing(start, tmp_path, raw_peer, fleet):
    peer = raw_peer(slow(0.05))
    os.mkfifo(tmp_path / "log")
    fd = os.open(tmp_path / "log", os.O_RDWR)
    process = start("run", fleet(4000), "--endpoint", peer.url, "-o", "o.csv", "-v", "-q", "--log", "log",
                    "--request-timeout", TIMEOUT, "-c", "32", stderr=subprocess.PIPE, text=True)
    leave_unread(fd, process)
    os.set_blocking(fd, False)
    text = b""
    end = time.monotonic() + 120
    while process.poll() is None:
        assert time.monotonic() < end
        try:
            text += os.read(fd, 65536)
        except BlockingIOError:
            time.sleep(0.01)
    try:
        while part := os.read(fd, 65536):
            text += part
    except BlockingIOError:
        pass
    os.close(fd)
    assert process.returncode == 0, process.stderr.read()
    assert_each_row_once(peer, tmp_path / "o.csv", 4000)
    events = [json.loads(line) for line in text.decode().splitlines()]
    assert events[-1]["event"] == "end"
    left_out = sum(event["lines"] for event in events if event["event"] == "left_out")
    assert sum(event["event"] == "attempt" for event in events) + left_out == 4000


def closed(*fds):
    def close():
        for fd in fds:
            os.close(fd)
    return close


@pytest.mark.parametrize("fds", [(0,), (1,), (2,), (1, 2), (0, 1, 2)])
def test_closed_descriptors_do_not_put_messages_into_the_results(tmp_path, raw_peer, fleet, fds):
    peer = raw_peer(slow(0))
    path = fleet(30)
    done = subprocess.run([NBATCH, "run", path, "--endpoint", peer.url, "-o", "o.csv", "-v", "--log", "l.jsonl",
                           "--report", "r.html", "--metrics-file", "m.prom"],
                          cwd=tmp_path, env=environment(), preexec_fn=closed(*fds), check=False, timeout=60)
    assert done.returncode == 0
    assert_each_row_once(peer, tmp_path / "o.csv", 30)
    text = (tmp_path / "o.csv").read_text()
    assert text.startswith("row,line,key,") and text.count("\n") == 31
    assert all(json.loads(line)["event"] for line in (tmp_path / "l.jsonl").read_text().splitlines())
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert not (tmp_path / "o.csv.journal").exists()


@pytest.mark.parametrize("words", [["run", "fleet.csv", "--simulate", "--json"], ["check", "fleet.csv", "--json"],
                                   ["run", "fleet.csv", "--simulate", "-o", "-"], ["config"], ["help"], ["--version"],
                                   ["report", "x.results.csv", "-o", "-"], ["completion", "bash"],
                                   ["simulate", "--listen", "127.0.0.1:0"]])
@pytest.mark.parametrize("way", ["closed", "full"])
def test_data_that_cannot_be_delivered_is_no_success(nbatch, tmp_path, fleet, words, way):
    fleet(3)
    assert nbatch("run", fleet(3), "--simulate", "-o", "x.results.csv").code == 0
    with open("/dev/full", "wb") as full:
        done = subprocess.run([NBATCH, *words], cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False,
                              **({"stdout": full} if way == "full" else {"preexec_fn": closed(1)}))
    why = "No space left on device" if way == "full" else "Bad file descriptor"
    assert done.returncode in (2, 7) and why in done.stderr, done
    assert done.returncode == 7 or words[0] == "report"


def test_a_closed_standard_input_is_no_empty_input(tmp_path):
    done = subprocess.run([NBATCH, "run", "-", "--format", "csv", "--simulate", "-o", "o.csv"], cwd=tmp_path, env=environment(),
                          stderr=subprocess.PIPE, text=True, preexec_fn=closed(0), check=False, timeout=60)
    assert done.returncode not in (0, 1) and "Bad file descriptor" in done.stderr, done


def wait_for_requests(peer, count):
    end = time.monotonic() + 60
    while len(peer.processed) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("number,code", [(signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGINT, 130),
                                         (signal.SIGALRM, 142), (signal.SIGXCPU, 152)])
def test_a_signal_leaves_nothing_in_doubt(start, tmp_path, raw_peer, fleet, number, code):
    peer = raw_peer(slow(0.2))
    process = start("run", fleet(500), "--endpoint", peer.url, "-o", "o.csv", "-c", "16", "--log", "l.jsonl",
                    stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    wait_for_requests(peer, 20)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    rows = read_results(tmp_path / "o.csv")
    assert {row["status"] for row in rows} == {"accepted"} and len(rows) == len(peer.processed) < 500
    assert "it waited for what was under way" in err and "--resume" in err
    events = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "end" and events[-1]["exit_status"] == code
    assert any(event["event"] == "interrupted" and event["signal"] == number for event in events)


@pytest.mark.parametrize("numbers,code", [((signal.SIGHUP, signal.SIGHUP), 129), ((signal.SIGHUP, signal.SIGTERM), 129),
                                          ((signal.SIGTERM, signal.SIGHUP), 143)])
def test_signals_that_come_together_are_no_impatience(start, tmp_path, raw_peer, fleet, numbers, code):
    """A closed terminal sends two SIGHUPs, the end of a session SIGTERM and SIGHUP."""
    peer = raw_peer(slow(0.2))
    process = start("run", fleet(500), "--endpoint", peer.url, "-o", "o.csv", "-c", "16", stderr=subprocess.PIPE, text=True)
    wait_for_requests(peer, 20)
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.05)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert {row["status"] for row in read_results(tmp_path / "o.csv")} == {"accepted"} and "at once;" not in err


@pytest.mark.parametrize("numbers", [(signal.SIGHUP,), (signal.SIGINT, signal.SIGTERM), (signal.SIGUSR1, signal.SIGUSR2)])
def test_a_signal_that_is_ignored_at_the_start_stays_ignored(start, tmp_path, raw_peer, fleet, numbers):
    """nohup, and a background job of a script."""
    peer = raw_peer(slow(0.02))
    process = start("run", fleet(300), "--endpoint", peer.url, "-o", "o.csv", "-c", "8", stderr=subprocess.PIPE,
                    text=True, preexec_fn=lambda: [signal.signal(number, signal.SIG_IGN) for number in numbers])
    wait_for_requests(peer, 20)
    for number in numbers:
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "paused" not in err, err
    assert_each_row_once(peer, tmp_path / "o.csv", 300)


def test_a_terminal_that_goes_away_leaves_nothing_in_doubt(tmp_path, raw_peer, fleet):
    """A closed ssh session: SIGHUP, and each write to the terminal fails (EIO)."""
    peer = raw_peer(slow(0.1))
    session = PtySession([NBATCH, "run", fleet(500), "--endpoint", peer.url, "-o", tmp_path / "o.csv", "-v", "-c", "16"],
                         env=environment(), cwd=tmp_path)
    session.wait_for("attempt 1: accepted")
    os.close(session.fd)
    _, status = os.waitpid(session.pid, 0)
    session.code = os.waitstatus_to_exitcode(status)
    assert session.code == 129
    rows = read_results(tmp_path / "o.csv")
    assert {row["status"] for row in rows} == {"accepted"} and len(rows) == len(peer.processed) < 500


def test_a_second_ctrl_c_blames_nobody(start, tmp_path, raw_peer, fleet):
    def script(connection, number):
        while (request := connection.read_request()) is not None:
            if connection.peer.seen == 0:  # the first request goes alone
                connection.peer.seen = 1
                connection.accept(request)
                continue
            connection.process(request)
            connection.hold()

    peer = raw_peer(script)
    process = start("run", fleet(500), "--endpoint", peer.url, "-o", "o.csv", "-c", "64", "--no-adaptive", "--json", "--log", "l.jsonl",
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_requests(peer, 65)
    process.send_signal(signal.SIGINT)
    wait_for(lambda: '"interrupted"' in (tmp_path / "l.jsonl").read_text())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    summary = json.loads(out)
    assert summary["retries"] == 0 and summary["attempts"] == 65 and summary["in_doubt"] == 64
    assert summary["not_sent"] == 435
    assert "platform fails" not in err and "retr" not in err
    assert "64 requests were ended without an answer, and their rows are in doubt" in err
    events = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    assert not {"outage", "slower"} & {event["event"] for event in events} and events[-1]["retries"] == 0
    assert {row["attempts"] for row in read_results(tmp_path / "o.csv")} == {"1"}


def limited(soft, hard=None):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, soft if hard is None else hard))


def test_the_soft_limit_of_descriptors_is_raised(start, tmp_path, simulator, fleet):
    sim = simulator("--latency", "50ms")
    process = start("run", fleet(3000), "--endpoint", sim.url, "-o", "o.csv", "-c", "300", "--json",
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limited(64, 4096))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    summary = json.loads(out)
    assert summary["retries"] == 0 and summary["attempts"] == 3000
    assert "300 at a time" in err and "short of" not in err and "platform fails" not in err


@pytest.mark.parametrize("simulated", [False, True])
def test_too_few_descriptors_lower_the_concurrency(start, tmp_path, simulator, fleet, simulated):
    way = ["--simulate=latency=20ms"] if simulated else ["--endpoint", simulator("--latency", "20ms").url]
    process = start("run", fleet(2000), *way, "-o", "o.csv", "-c", "1000", "--json",
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limited(200))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    summary = json.loads(out)
    assert summary["retries"] == 0 and summary["attempts"] == 2000
    assert "ulimit -n" in err and "1000 at a time" not in err and "platform fails" not in err


def test_a_limit_that_leaves_no_room_is_told(nbatch, fleet, tmp_path):
    process = subprocess.run([NBATCH, "run", fleet(3), "--endpoint", "http://127.0.0.1:1", "-o", "o.csv"], cwd=tmp_path,
                             env=environment(), capture_output=True, text=True, preexec_fn=limited(12), check=False)
    assert process.returncode == 4 and "ulimit -n" in process.stderr


def test_a_shortage_in_mid_run_is_not_the_platforms_fault(start, tmp_path, raw_peer, fleet):
    """The limit falls under a run's feet (prlimit): rows wait and cost nothing; enough again, and they go on."""
    served = []

    def script(connection, number):
        request = connection.read_request()
        if request is None:
            return
        served.append(number)
        connection.reply(b'{"errno":0,"error":"succ","data":{"uuid":"%s"}}' % connection.process(request).encode(),
                         headers=["Connection: close"])  # each request needs a descriptor anew
        connection.close()

    peer = raw_peer(script)
    process = start("run", fleet(400), "--endpoint", peer.url, "-o", "o.csv", "-c", "8", "--rate", "100/s", "--json",
                    "--log", "l.jsonl", "--max-attempts", "1", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_requests(peer, 20)
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (4, before[1]))
    wait_for(lambda: '"shortage"' in (tmp_path / "l.jsonl").read_text())
    time.sleep(1.5)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert_each_row_once(peer, tmp_path / "o.csv", 400)
    summary = json.loads(out)
    assert summary["retries"] == 0 and summary["attempts"] == 400
    assert "short of open files (EMFILE)" in err and "ulimit -n" in err and "platform fails" not in err
    events = [json.loads(line)["event"] for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    assert "shortage" in events and not {"outage", "slower"} & set(events)


def test_a_shortage_that_lasts_stops_the_run(start, tmp_path, raw_peer, fleet):
    def script(connection, number):
        request = connection.read_request()
        if request is not None:
            connection.reply(b'{"errno":0,"error":"succ","data":{"uuid":"%s"}}' % connection.process(request).encode(),
                             headers=["Connection: close"])
            connection.close()

    peer = raw_peer(script)
    process = start("run", fleet(400), "--endpoint", peer.url, "-o", "o.csv", "-c", "8", "--rate", "100/s",
                    "--outage-wait", "2s", stderr=subprocess.PIPE, text=True)
    wait_for_requests(peer, 20)
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (5, before[1]))  # LeakSanitizer wants one at the end
    _, err = process.communicate(timeout=120)
    assert process.returncode == 5 and "short of open files" in err and "--resume" in err, err
    assert {row["status"] for row in read_results(tmp_path / "o.csv")} == {"accepted"}
    done = subprocess.run([NBATCH, "run", tmp_path / "fleet.csv", "--endpoint", peer.url, "-o", "o.csv", "--resume"],
                          cwd=tmp_path, env=environment(), check=False, capture_output=True, timeout=60)
    assert done.returncode == 0
    assert_each_row_once(peer, tmp_path / "o.csv", 400)


def canary_peer(bad, body=b'{"errno":5106,"error":"UNSUCESS"}', status="200 OK"):
    """The first `bad` requests are not accepted."""
    def script(connection, number):
        while (request := connection.read_request()) is not None:
            with connection.peer.lock:
                connection.peer.seen += 1
                is_bad = connection.peer.seen <= bad
            if is_bad:
                connection.reply(body, status)
            else:
                connection.accept(request)
    return script


@pytest.mark.parametrize("body,status,word,code", [
    (b'{"errno":5106,"error":"UNSUCESS"}', "200 OK", "rejected", 5),
    (b"no", "404 Not Found", "failed", 5),
    (b"<html>", "200 OK", "in_doubt", 6),
])
@pytest.mark.parametrize("action", ["write", "execute"])
def test_a_bad_canary_keeps_the_others_from_being_sent(nbatch, tmp_path, raw_peer, fleet, body, status, word, code, action):
    peer = raw_peer(canary_peer(10, body, status))
    path = fleet(200)
    if action == "execute":
        lines = path.read_text().splitlines()[1:]
        path.write_text("imei,obj_id,obj_inst_id,res_id,action,expired_time\n" +
                        "".join(f"{line.split(',')[0]},3311,0,5850,execute,+7d\n" for line in lines))
    done = nbatch("run", path, "--endpoint", peer.url, "-o", "o.csv", "--canary", "10", "--json", "--log", "l.jsonl",
                  "--max-attempts", "1", "-c", "4")
    assert done.code == code, done
    rows = read_results(tmp_path / "o.csv")
    assert {row["status"] for row in rows} == {word} and len(rows) <= 10
    assert peer.seen <= 10
    summary = json.loads(done.out)
    assert summary["end"] == "canary" and summary["not_sent"] == 200 - len(rows)
    assert summary["canary"]["rows"] == 10 and summary["canary"]["needed"] == 10 and not summary["canary"]["passed"]
    assert summary["canary"][word] == len(rows) and summary["canary"]["accepted"] == 0
    assert "of the canary's 10 rows, 10 were to be accepted: 0 accepted" in done.err and f"{word}" in done.err
    assert "--resume" in done.err and "going on" not in done.err
    events = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    stopped = next(event for event in events if event["event"] == "stopped")
    assert stopped["canary_rows"] == 10 and stopped[f"canary_{word}"] >= 1 and "canary" in stopped["why"]
    assert not [event for event in events if event["event"] == "canary_done"]
    peer.seen = 10
    done = nbatch("run", path, "--endpoint", peer.url, "-o", "o.csv", "--resume=all,in_doubt")
    assert done.code == 0 and len(peer.processed) == 200


@pytest.mark.parametrize("accept,bad,code", [("90%", 1, 1), ("90%", 2, 5), ("9", 1, 1), ("9", 2, 5), ("0%", 10, 1)])
def test_a_canary_accepts_what_it_was_told_to(nbatch, tmp_path, raw_peer, fleet, accept, bad, code):
    peer = raw_peer(canary_peer(bad))
    done = nbatch("run", fleet(100), "--endpoint", peer.url, "-o", "o.csv", "--canary", "10", "--canary-accept", accept,
                  "-c", "2", "--json")
    assert done.code == code, done
    assert json.loads(done.out)["canary"]["passed"] == (code == 1)
    if code == 1:
        assert peer.seen == 100
        assert f"the first 10 rows have ended: {10 - bad} accepted, {bad} rejected: going on with the others" in done.err
    else:
        assert peer.seen <= 10


def test_a_canary_counts_rows_that_are_sent(nbatch, tmp_path, raw_peer, fleet):
    """Not those that are invalid, nor those that a run before this one has settled."""
    peer = raw_peer(canary_peer(0))
    path = fleet(40)
    lines = path.read_text().splitlines(True)
    path.write_text("".join([lines[0], *["bad,3311,0,2,+7d,1\n"] * 5, *lines[1:21]]))
    words = ["--endpoint", peer.url, "-o", "o.csv", "--canary", "8:200ms", "--skip-invalid"]
    done = nbatch("run", path, *words)
    assert done.code == 1 and "the first 8 rows have ended: 8 accepted" in done.err and len(peer.processed) == 20
    path.write_text("".join([lines[0], *lines[1:]]))
    done = nbatch("run", path, *words, "--resume")
    assert done.code == 0 and "the first 8 rows have ended: 8 accepted" in done.err and len(peer.processed) == 40


@pytest.mark.parametrize("rows", [3, 10])
def test_an_input_that_is_all_canary_is_complete(nbatch, tmp_path, raw_peer, fleet, rows):
    peer = raw_peer(canary_peer(1))
    done = nbatch("run", fleet(rows), "--endpoint", peer.url, "-o", "o.csv", "--canary", "10", "-c", "10")
    assert done.code == 1 and len(read_results(tmp_path / "o.csv")) == rows, done
    assert not (tmp_path / "o.csv.journal").exists()


def test_retries_of_the_canary_are_its_own(nbatch, tmp_path, raw_peer, fleet):
    peer = raw_peer(canary_peer(6, b'{"errno":5117,"error":"rpc error"}'))
    done = nbatch("run", fleet(50), "--endpoint", peer.url, "-o", "o.csv", "--canary", "5", "--retry-delay", "1ms")
    assert done.code == 0 and "the first 5 rows have ended: 5 accepted" in done.err


@pytest.mark.parametrize("words", [["--canary-accept", "90%"], ["--canary", "5", "--canary-accept", "6"],
                                   ["--canary", "5", "--canary-accept", "101%"], ["--canary", "5", "--canary-accept", "x"]])
def test_what_a_canary_cannot_accept_is_refused(nbatch, fleet, words):
    done = nbatch("run", fleet(5), "--simulate", *words)
    assert done.code == 2 and "--canary-accept" in done.err
