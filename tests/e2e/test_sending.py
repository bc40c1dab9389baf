"""Retries, pace, halts and signals, against servers whose own count is the oracle."""
import collections
import itertools
import json
import os
import re
import signal
import subprocess
import threading
import time

import crash
import pytest
from conftest import HEADER, NBATCH, imei, read_results, row_of, wait_for

OK = b'{"errno":0,"error":"succ","data":{"uuid":"42742677-adc3-54ca-83a1-5aaaf71482f8"}}'
FAST = ["--retry-delay", "1ms", "--seed", "7"]


def by_row(path):
    return sorted(read_results(path), key=lambda row: int(row["row"]))


@pytest.fixture
def run(nbatch, tmp_path):
    def call(path, url, *words, code=None, **keywords):
        for name in ("out.csv", "out.csv.journal", "out.csv.complete"):
            (tmp_path / name).unlink(missing_ok=True)
        done = nbatch("run", path, "--endpoint", url, "-o", "out.csv", *words, env={"NBATCH_API_KEY": "k"}, **keywords)
        assert code is None or done.code == code, done
        return done, by_row(tmp_path / "out.csv") if (tmp_path / "out.csv").exists() else []

    return call


def replies(*answers):
    """A script that gives each device these answers in turn, and then success: (status, body, headers), or None for a
    connection that is closed after the request was processed."""
    count = collections.Counter()

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            count[request.imei] += 1
            at = count[request.imei] - 1
            if at >= len(answers):
                connection.process(request)
                connection.reply(OK)
            elif answers[at] is None:
                connection.process(request)
                return
            else:
                status, body, headers = answers[at]
                connection.reply(body, status, headers)

    return script


TRANSIENT = {
    "429": ("429 Too Many Requests", b"", []),
    "503 with Retry-After": ("503 Service Unavailable", b"", ["Retry-After: 0"]),
    # Without "close", a 408 over a used connection may be meant for nobody: test_whose_answer.py holds that.
    "408": ("408 Request Timeout", b"", ["Connection: close"]),
    "425": ("425 Too Early", b"", []),
    "errno 7": ("200 OK", b'{"errno":7,"error":"service internal error"}', []),
    "errno 15": ("200 OK", b'{"errno":15,"error":"api freq out of limit"}', []),
    "errno 5117": ("200 OK", b'{"errno":5117,"error":"rpc error"}', []),
}


@pytest.mark.parametrize("name", TRANSIENT)
def test_what_was_not_processed_is_sent_again(run, fleet, raw_peer, name):
    peer = raw_peer(replies(TRANSIENT[name]))
    _, rows = run(fleet(3), peer.url, *FAST, code=0)
    assert [(row["status"], row["attempts"], row["ambiguous"]) for row in rows] == [("accepted", "2", "0")] * 3
    assert len(peer.processed) == 3


@pytest.mark.parametrize("answer,status,errno", [
    (("200 OK", b'{"errno":5106,"error":"UNSUCESS"}', []), "rejected", "5106"),
    (("404 Not Found", b"", []), "failed", ""), (("302 Found", b"", ["Location: /x"]), "failed", "")])
def test_what_would_fail_again_is_not_sent_again(run, fleet, raw_peer, answer, status, errno):
    peer = raw_peer(replies(answer))
    _, rows = run(fleet(2), peer.url, *FAST, code=1)
    assert [(row["status"], row["errno"], row["attempts"]) for row in rows] == [(status, errno, "1")] * 2
    assert peer.processed == []


def test_attempts_are_bounded(run, fleet, raw_peer):
    peer = raw_peer(replies(*[TRANSIENT["errno 5117"]] * 9))
    for most in (1, 3, 5):
        _, rows = run(fleet(1, first=most), peer.url, *FAST, "--max-attempts", str(most), code=1)
        assert (rows[0]["status"], rows[0]["errno"], rows[0]["attempts"]) == ("rejected", "5117", str(most))


def test_a_row_that_expires_between_attempts_is_given_up(run, tmp_path, raw_peer):
    path = tmp_path / "in.csv"
    path.write_text(HEADER + row_of(1).replace("+7d", "+4s") + row_of(2).replace("+7d", "+4s"))
    never = [TRANSIENT["errno 5117"]] * 99
    peer = raw_peer(replies(*never))
    words = ["--retry-delay", "300ms", "--retry-max-delay", "300ms", "--max-attempts", "99", "--seed", "2"]
    _, rows = run(path, peer.url, *words, code=1)
    assert [row["status"] for row in rows] == ["failed"] * 2 and all(int(row["attempts"]) >= 2 for row in rows)
    assert all("expired_time passed" in row["error"] for row in rows)
    path.write_text(HEADER + row_of(3).replace("+7d", "+4s"))
    _, rows = run(path, raw_peer(replies(None, *never)).url, *words, code=6)
    assert rows[0]["status"] == "in_doubt" and rows[0]["ambiguous"] == "1"


@pytest.mark.skipif(crash.STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize("binary", [NBATCH, crash.UNSYNCED], ids=["product", "no row waits for the disk"])
def test_rows_that_expired_make_room_for_others_at_once(tmp_path, raw_peer, binary):
    peer = raw_peer(replies())

    def waits_in_vain(count):
        """How often the loop slept until a timer woke it."""
        (tmp_path / "in.csv").write_text(HEADER + "".join(row_of(i).replace("+7d", "+4s") for i in range(1, count + 1)))
        trace, out = tmp_path / "trace", tmp_path / f"out{count}.csv"
        command = [crash.STRACE, "-qq", "-e", "trace=epoll_wait,epoll_pwait", "-o", trace, binary, "run", "in.csv",
                   "--endpoint", peer.url, "-o", out, "-c", "16", "--canary", "1:4500ms"]
        done = subprocess.run(command, cwd=tmp_path, env={"NBATCH_API_KEY": "k"}, capture_output=True, text=True,
                              timeout=120, check=False)
        rows = read_results(out)
        assert done.returncode == 1, done.stderr
        assert collections.Counter(row["status"] for row in rows) == {"accepted": 1, "invalid": count - 1}
        return len(re.findall(r", [1-9]\d*(?:, NULL, 8)?\) += 0$", trace.read_text(), re.M))

    few = waits_in_vain(20)  # the pause
    many = waits_in_vain(2000)
    assert few > 0 and many < few + 25, f"each handful of rows waited for a timer: {few}, {many}"


def execute(tmp_path, n):
    path = tmp_path / "execute.csv"
    path.write_text("action,imei,obj_id,obj_inst_id,res_id,expired_time\n" +
                    "".join(f"execute,{imei(i)},3,0,4,+7d\n" for i in range(1, n + 1)))
    return path


def test_ambiguous_writes_are_resent_and_executes_held_by_default(run, fleet, raw_peer, tmp_path):
    peer = raw_peer(replies(None))
    _, rows = run(fleet(3), peer.url, *FAST, code=0)
    assert [(row["status"], row["attempts"], row["ambiguous"]) for row in rows] == [("accepted", "2", "1")] * 3
    assert len(peer.processed) == 6
    peer = raw_peer(replies(None))
    _, rows = run(execute(tmp_path, 3), peer.url, *FAST, code=6)
    assert [(row["status"], row["attempts"], row["ambiguous"]) for row in rows] == [("in_doubt", "1", "1")] * 3
    assert len(peer.processed) == 3


def test_on_ambiguous_decides(run, fleet, raw_peer, tmp_path):
    peer = raw_peer(replies(None))
    _, rows = run(fleet(3), peer.url, *FAST, "--on-ambiguous", "hold", code=6)
    assert {row["status"] for row in rows} == {"in_doubt"} and len(peer.processed) == 3
    peer = raw_peer(replies(None))
    _, rows = run(execute(tmp_path, 3), peer.url, *FAST, "--on-ambiguous", "resend", code=0)
    assert {row["status"] for row in rows} == {"accepted"} and len(peer.processed) == 6


def test_a_rejection_after_an_ambiguous_attempt_leaves_the_row_in_doubt(run, fleet, raw_peer):
    peer = raw_peer(replies(None, ("200 OK", b'{"errno":5006,"error":"system logic limit"}', [])))
    _, rows = run(fleet(1), peer.url, *FAST, code=6)
    assert (rows[0]["status"], rows[0]["errno"], rows[0]["ambiguous"]) == ("in_doubt", "5006", "1")


def test_retry_after_holds_the_whole_run_back(run, fleet, raw_peer):
    times = []

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            times.append(time.monotonic())
            if len(times) == 1:
                connection.reply(b"", "503 Service Unavailable", ["Retry-After: 1"])
            else:
                connection.process(request)
                connection.reply(OK)

    _, rows = run(fleet(20), raw_peer(script).url, *FAST, "-c", "1", code=0)
    assert {row["status"] for row in rows} == {"accepted"}
    assert times[1] - times[0] >= 0.99  # never before; later does no harm


CHAOS = ["close", "close-after", "reset", "reset-after", "cut", "garbage", "no-uuid", "http-500-after", "http-429",
         "errno-7", "errno-5117", "http-503-retry-after"]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("policy", ["hold", "resend"])
def test_chaos_loses_nothing_and_duplicates_only_what_it_says(run, fleet, simulator, seed, policy):
    sim = simulator("--seed", str(seed), *(word for kind in CHAOS for word in ("--fault", f"{kind}:0.5%")))
    _, rows = run(fleet(800), sim.url, "--on-ambiguous", policy, "--seed", str(seed), "--retry-delay", "5ms", "-c", "32")
    processed = collections.Counter()
    for entry in sim.audit():
        processed[entry["imei"]] += entry["processed"]
    assert [int(row["row"]) for row in rows] == list(range(1, 801)), f"seed {seed}"
    for row in rows:
        times = processed[row["imei"]]
        assert times <= 1 + int(row["ambiguous"]), (seed, row)
        assert (row["status"] == "accepted") <= (times >= 1), (seed, row)
        assert (row["status"] in ("failed", "rejected", "invalid")) <= (times == 0), (seed, row)
    if policy == "hold":
        assert max(processed.values()) == 1, f"seed {seed}"
    else:
        assert {row["status"] for row in rows} == {"accepted"}, f"seed {seed}"


def test_each_devices_commands_arrive_in_file_order(run, tmp_path, simulator):
    """Shuffled devices, faults, retries: the order of one device's rows is kept."""
    import random
    rng = random.Random(11)
    rows = [(device, turn) for turn in range(8) for device in range(1, 1001)]
    keyed = sorted(((turn + rng.random() * 0.9, device, turn) for device, turn in rows))
    path = tmp_path / "in.csv"
    path.write_text(HEADER + "".join(row_of(device, turn) for _, device, turn in keyed))
    sim = simulator("--seed", "6", "--latency", "uniform:1ms..8ms", "--fault", "errno-5117:6%", "--fault", "reset:4%")
    done, results = run(path, sim.url, "--retry-delay", "5ms", "--seed", "3", "--max-attempts", "20")
    assert {row["status"] for row in results} == {"accepted"}, done
    seen = collections.defaultdict(list)
    for entry in sim.audit():
        if entry["processed"]:
            seen[entry["imei"]].append(json.loads(entry["body"])["data"][0]["val"])
    assert len(seen) == 1000 and all(values == list(range(8)) for values in seen.values())


# Pace

def test_a_rate_is_never_exceeded_in_any_window(run, fleet, raw_peer):
    starts = []

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            starts.append(time.monotonic())
            connection.process(request)
            connection.reply(OK)

    run(fleet(60), raw_peer(script).url, "--rate", "100/s", "--burst", "5", code=0)
    starts.sort()
    # What is late may come together; over the whole run the bound holds up to the lateness of its first row.
    assert starts[-1] - starts[0] >= (60 - 5 - 1) / 100 - 0.05


def test_retries_count_towards_the_rate(run, fleet, raw_peer):
    peer = raw_peer(replies(TRANSIENT["errno 5117"]))
    begin = time.monotonic()
    _, rows = run(fleet(10), peer.url, *FAST, "--rate", "40/s", code=0)
    assert {row["attempts"] for row in rows} == {"2"}
    assert time.monotonic() - begin >= 19 / 40


def test_throttling_slows_the_run_down_and_says_so(run, fleet, raw_peer):
    peer = raw_peer(replies(TRANSIENT["errno 15"]))
    done, rows = run(fleet(40), peer.url, "--seed", "1", "--retry-delay", "1ms", code=0)
    assert done.err.count("the platform asks for less") == 1, done
    done, rows = run(fleet(40, first=100), peer.url, "--seed", "1", "--retry-delay", "1ms", "--no-adaptive", code=0)
    assert "asks for less" not in done.err


def test_a_ramp_and_its_mistakes(run, fleet, raw_peer):
    peer = raw_peer(replies())
    _, rows = run(fleet(30), peer.url, "--ramp", "50/s..500/s:1s", code=0)
    assert len(rows) == 30
    for word in ("50..500:1s", "1/s", "1/s..2/s", "0/s..1/s:1m"):
        done, _ = run(fleet(1), peer.url, "--ramp", word, code=2)
        assert "--ramp" in done.err
    done, _ = run(fleet(1), peer.url, "--ramp", "1/s..2/s:1s", "--rate", "1/s", code=2)
    assert "exclude each other" in done.err


# Ends

def test_a_halt_rule_stops_the_run_with_5(run, fleet, raw_peer):
    peer = raw_peer(replies(*[("200 OK", b'{"errno":5106,"error":"UNSUCESS"}', [])] * 9))
    done, rows = run(fleet(2000), peer.url, "--halt", "errno:5106=20", "-c", "4", code=5)
    assert 20 <= len(rows) <= 24 and {row["status"] for row in rows} == {"rejected"}
    assert "errno" in done.err and "not sent" in done.err, done
    done, rows = run(fleet(2000, first=5000), peer.url, "--halt", "rejected=10%,min=50", "-c", "4", code=5)
    assert 50 <= len(rows) <= 54
    done, _ = run(fleet(1), peer.url, "--halt", "faild=5%", code=2)
    assert "--halt faild=5%" in done.err


def test_a_canary_is_waited_for(run, fleet, raw_peer):
    done_first = []

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            with connection.peer.lock:
                done_first.append(len(connection.peer.processed))
            time.sleep(0.05)
            connection.process(request)
            connection.reply(OK)

    _, rows = run(fleet(30), raw_peer(script).url, "--canary", "5", code=0)
    assert len(rows) == 30
    assert all(before == 0 for before in done_first[:1]) and min(done_first[5:]) >= 5


def test_a_bad_canary_stops_the_run(run, fleet, raw_peer):
    peer = raw_peer(replies(*[("200 OK", b'{"errno":5106,"error":"UNSUCESS"}', [])] * 9))
    _, rows = run(fleet(500), peer.url, "--canary", "10", "--canary-accept", "0", "--halt", "rejected=5", code=5)
    assert 5 <= len(rows) <= 10


@pytest.mark.parametrize("answer", [("200 OK", b'{"errno":1,"error":"auth failed"}', []), ("401 Unauthorized", b"", []),
                                    ("403 Forbidden", b"", [])])
def test_a_key_that_is_refused_for_the_first_rows_stops_the_run(run, fleet, raw_peer, answer):
    peer = raw_peer(replies(*[answer] * 9))
    done, rows = run(fleet(500), peer.url, "-c", "2", code=4)
    assert rows == [] and "refused for the key" in done.err, done
    path = fleet(500, first=1000)
    good = raw_peer(replies())
    done, rows = run(path, good.url, code=0)  # negative control
    assert len(rows) == 500


def test_an_endpoint_that_is_never_reached_stops_the_run(run, fleet):
    done, rows = run(fleet(50), "http://127.0.0.1:1", "--outage-wait", "2s", code=4)
    assert rows == [] or {row["status"] for row in rows} == {"failed"}
    assert "could not be reached at all" in done.err, done


def test_an_outage_is_waited_out(run, fleet, raw_peer, tmp_path):
    """It lasts for two seconds, and until it was seen."""
    state = {"down": None, "count": 0, "over": False}

    def is_down():
        if state["down"] and not state["over"]:
            state["over"] = time.monotonic() - state["down"] >= 2 and '"outage"' in (tmp_path / "log").read_text()
        return state["down"] and not state["over"]

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            with connection.peer.lock:
                state["count"] += 1
                if state["count"] == 40:
                    state["down"] = time.monotonic()
            if is_down():
                connection.reply(b"", "502 Bad Gateway", [])
                continue
            connection.process(request)
            connection.reply(OK)

    done, rows = run(fleet(400), raw_peer(script).url, "-c", "8", "--seed", "4", "--log", "log", code=0)
    assert {row["status"] for row in rows} == {"accepted"} and len(rows) == 400
    assert "the platform fails (" in done.err and "answers again" in done.err, done
    assert max(int(row["attempts"]) for row in rows) <= 4


def test_where_half_of_the_rows_fail_no_empty_reason_is_given(run, fleet, raw_peer):
    """It may be a good answer that completes the count of answers by which the breaker goes."""
    seen = itertools.count()

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            nth = next(seen)
            if 0 < nth < 19:
                connection.reply(b"", "500 Internal Server Error", [])
            else:
                connection.process(request)
                connection.reply(OK)

    done, rows = run(fleet(22), raw_peer(script).url, "-c", "1", "--max-attempts", "1")
    assert "the platform fails: rows wait" in done.err and "()" not in done.err, done


def test_an_outage_that_lasts_stops_the_run_and_rows_keep_their_place(run, fleet, raw_peer):
    count = collections.Counter()

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            count["all"] += 1
            if count["all"] > 100:
                connection.reply(b"", "429 Too Many Requests", [])
            else:
                connection.process(request)
                connection.reply(OK)

    done, rows = run(fleet(1000), raw_peer(script).url, "-c", "8", "--outage-wait", "3s", "--seed", "4", code=5)
    assert "--outage-wait" in done.err and {row["status"] for row in rows} == {"accepted"}, done
    assert 100 <= len(rows) < 130


@pytest.mark.parametrize("how", ["away", "reloaded"])
def test_nothing_is_lost_while_nginx_is(fleet, nginx, tmp_path, how):
    """nginx ends for two seconds, or is told to read its settings again, five times, in mid-run."""
    server = nginx()
    path = fleet(4000)
    process = start(path, server.url, tmp_path / "n.csv", "--rate", "2000/s", "--on-ambiguous", "hold")
    wait_for(lambda: server.log.read_text().count("\n") > 500)
    if how == "away":
        server.pause(2.0)
    else:
        for _ in range(5):
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.2)
    err = process.communicate(timeout=300)[1]
    rows = by_row(tmp_path / "n.csv")
    assert len(rows) == 4000 and process.returncode in (0, 6), err
    assert {row["status"] for row in rows} <= {"accepted", "in_doubt"}, err
    assert sum(row["status"] == "in_doubt" for row in rows) <= 64 * (1 if how == "away" else 5)
    seen = collections.Counter(line.split("imei=")[1][:15] for line in server.requests() if "imei=" in line)
    assert max(seen.values()) == 1, "a command was processed twice"
    assert all(seen[row["imei"]] == 1 for row in rows if row["status"] == "accepted")


# Signals

def start(path, url, out, *words, **keywords):
    return subprocess.Popen([NBATCH, "run", str(path), "--endpoint", url, "-o", str(out), *words],
                            env={**os.environ, "NBATCH_API_KEY": "k"}, stderr=subprocess.PIPE, text=True, **keywords)


def read_until(process, text):
    """What it says, up to the line with that text."""
    said = ""
    while text not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    return said


def read_to_end(process):
    said = process.stderr.read()
    process.wait()
    return said


def held(release):
    """Answers the first request, which goes alone, and the others once that is set."""
    def script(connection, number):
        while (request := connection.read_request()) is not None:
            connection.process(request)
            if len(connection.peer.processed) > 1:
                release.wait(60)
            connection.reply(OK)
    return script


def slow(seconds):
    def script(connection, number):
        while (request := connection.read_request()) is not None:
            connection.process(request)
            time.sleep(seconds)
            connection.reply(OK)
    return script


@pytest.mark.parametrize("number,code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_drains_what_is_in_flight(fleet, raw_peer, tmp_path, number, code):
    release = threading.Event()
    peer = raw_peer(held(release))
    process = start(fleet(500), peer.url, tmp_path / "o.csv", "-c", "4")
    wait_for(lambda: len(peer.processed) >= 5)
    process.send_signal(number)
    err = read_until(process, "stopping")
    release.set()
    err += read_to_end(process)
    rows = by_row(tmp_path / "o.csv")
    assert process.returncode == code, err
    assert {row["status"] for row in rows} == {"accepted"}
    assert len(rows) == len(peer.processed) == 5
    assert "stopping" in err and "not sent" in err


def test_a_signal_while_the_last_rows_are_under_way_stops_nothing(fleet, raw_peer, tmp_path):
    release = threading.Event()
    peer = raw_peer(held(release))
    process = start(fleet(4), peer.url, tmp_path / "o.csv", "-c", "4")
    wait_for(lambda: len(peer.processed) >= 4)
    time.sleep(1)  # nbatch finds its input at an end
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    release.set()
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 0 and "all 4 rows were accepted" in err, err
    assert "not sent" not in err and not (tmp_path / "o.csv.journal").exists()


def test_a_second_signal_ends_what_is_in_flight_as_in_doubt(fleet, raw_peer, tmp_path):
    release = threading.Event()
    peer = raw_peer(held(release))
    process = start(fleet(500), peer.url, tmp_path / "o.csv", "-c", "4", "--rate", "1000/s")
    wait_for(lambda: len(peer.processed) >= 5)
    process.send_signal(signal.SIGINT)
    err = read_until(process, "stopping")
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    err += read_to_end(process)
    release.set()
    rows = by_row(tmp_path / "o.csv")
    assert process.returncode == 130, err
    assert [row["status"] for row in rows] == ["accepted"] + ["in_doubt"] * 4 and len(peer.processed) == 5
    assert "ended without an answer" in err and "in doubt; the other rows were not sent" in err and "has been waited for" not in err


def test_sigusr1_prints_a_line_and_sigusr2_pauses(fleet, raw_peer, tmp_path):
    peer = raw_peer(slow(0.02))
    process = start(fleet(200), peer.url, tmp_path / "o.csv", "-c", "4")
    wait_for(lambda: len(peer.processed) >= 8)
    process.send_signal(signal.SIGUSR2)
    err, line, end = read_until(process, "paused; SIGUSR2"), "", time.monotonic() + 60
    while f"sending: {(before := len(peer.processed))} of 200 rows" not in line:  # what was under way is answered
        assert time.monotonic() < end, line
        process.send_signal(signal.SIGUSR1)
        line = read_until(process, " of 200 rows")
        err += line
    time.sleep(0.3)
    assert len(peer.processed) == before < 200
    process.send_signal(signal.SIGUSR2)
    err += read_to_end(process)
    assert process.returncode == 0 and len(by_row(tmp_path / "o.csv")) == 200, err
    assert f"{before} of 200 rows" in err and "paused: SIGUSR2" in err and "going on" in err


# What people look at

def test_the_retry_table_is_shown(nbatch):
    done = nbatch("run", "--explain-retries", "--max-attempts", "3", "--on-ambiguous", "hold")
    assert done.code == 0
    for word in ("errno 5117", "HTTP 429", "no answer", "HTTP 401", "3"):
        assert word in done.out


@pytest.mark.parametrize("words", [["--on-ambiguous", "maybe"], ["--canary", "x"], ["--max-attempts", "0"], ["--rate", "5"],
                                   ["--burst", "0"], ["--retry-delay", "5"]])
def test_bad_settings_of_sending(nbatch, fleet, words):
    done = nbatch("run", fleet(1), "--simulate", *words)
    assert done.code == 2 and words[0] in done.err, done


def test_the_json_summary_tells_how_it_ended(run, fleet, raw_peer):
    peer = raw_peer(replies(TRANSIENT["errno 5117"]))
    done, _ = run(fleet(4), peer.url, *FAST, "--json", "-q", code=0)
    summary = json.loads(done.out)
    assert summary["end"] == "complete" and summary["retries"] == 4 and summary["attempts"] == 8
    assert summary["not_sent"] == 0
    peer = raw_peer(replies(*[("200 OK", b'{"errno":5106,"error":"UNSUCESS"}', [])] * 9))
    done, rows = run(fleet(100), peer.url, "--halt", "rejected=1", "-c", "1", "--json", "-q", code=5)
    summary = json.loads(done.out)
    assert summary["end"] == "halted" and summary["not_sent"] == 100 - len(rows) > 0


def test_a_request_has_the_headers_that_are_meant_and_no_others(run, raw_peer, tmp_path):
    """Also with the largest content: no 100-continue, which would double the way of every row."""
    peer = raw_peer(replies())
    data = '[{"res_id":5850,"val":"' + "x" * 2022 + '"}]'
    (tmp_path / "large.csv").write_text("imei,obj_id,obj_inst_id,mode,expired_time,data\n" +
                                        f'{imei(1)},3311,0,2,+7d,"{data.replace(chr(34), chr(34) * 2)}"\n' +
                                        f'{imei(2)},3311,0,2,+7d,"[{{""res_id"":1,""val"":1}}]"\n')
    run(tmp_path / "large.csv", peer.url, code=0)
    assert len(data) == 2048 and max(len(request.body) for request in peer.processed) > 2048
    for request in peer.processed:
        assert set(request.headers) == {"host", "content-type", "api-key", "content-length"}, request.headers
