"""--log, --metrics-file and -v: what follows a run beside the person at the terminal."""
import json
import os
import re
import resource
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest
from conftest import KEY, NBATCH, read_results
from pty_session import PtySession
from prometheus_client.parser import text_string_to_metric_families


def read_log(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_metrics(path):
    """{(name, label value or ""): value}; parsing fails on what Prometheus would not take."""
    found = {}
    for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
        assert family.documentation and family.type in ("counter", "gauge", "histogram")
        for sample in family.samples:
            labels = {k: v for k, v in sample.labels.items() if k != "input"}
            assert "input" in sample.labels and len(labels) <= 1
            key = (sample.name, next(iter(labels.values()), ""))
            assert key not in found
            found[key] = sample.value
    return found


@pytest.fixture
def start(tmp_path):
    started = []

    def call(*words):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_")}
        process = subprocess.Popen([NBATCH, *map(str, words)], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
                                   env={**environment, "NBATCH_API_KEY": KEY})
        started.append(process)
        return process

    yield call
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def told(events):
    """Without what every run tells of its phases."""
    return [event for event in events if event["event"] not in ("begin", "phase")]


def test_the_log_tells_start_and_end(nbatch, fleet, tmp_path):
    path = fleet(20)
    done = nbatch("run", path, "--simulate=fault=errno-5106:30%,seed=1", "--log", "run.jsonl", "-o", "out.csv")
    assert done.code == 1
    events = read_log(tmp_path / "run.jsonl")
    assert [event["event"] for event in events] == ["begin", "phase", "start", "phase", "end"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"]) for event in events)
    assert [event["phase"] for event in events if event["event"] == "phase"] == ["check", "record"]
    assert len({event["run"] for event in events}) == 1
    start_event, end = events[2], events[4]
    assert start_event["input_path"] == str(path.resolve()) and start_event["input_size"] == path.stat().st_size
    assert start_event["options"]["concurrency"] == "64" and not start_event["resumed"]
    assert end["total_accepted"] == end["accepted"]
    assert start_event["rows"] == 20 and start_event["input"] == str(path) and start_event["results"] == "out.csv"
    rows = read_results(tmp_path / "out.csv")
    for status in ("accepted", "rejected", "failed", "in_doubt", "invalid"):
        assert end[status] == sum(row["status"] == status for row in rows)
    assert end["end"] == "complete" and end["exit_status"] == 1 and "why" not in end


def test_lines_are_added_to_a_log_and_to_nothing_else(nbatch, fleet, tmp_path):
    log = tmp_path / "run.jsonl"
    for i in (1, 2):
        assert nbatch("run", fleet(2), "--simulate", "--log", log, "-o", f"{i}.csv").code == 0
    assert [event["event"] for event in told(read_log(log))] == ["start", "end"] * 2
    assert len({event["run"] for event in read_log(log)}) == 2, "each line says which run it is of"
    before = (tmp_path / "1.csv").read_text()
    done = nbatch("run", fleet(2), "--simulate", "--log", "1.csv", "-o", "3.csv")
    assert done.code == 2 and "something other than a log" in done.err and "--log" in done.err
    assert (tmp_path / "1.csv").read_text() == before and not (tmp_path / "3.csv").exists()
    done = nbatch("run", fleet(2), "--simulate", "--log", "nowhere/x", "-o", "3.csv")
    assert done.code == 2 and "nowhere/x" in done.err and not (tmp_path / "3.csv").exists()


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_a_line_that_was_cut_takes_no_other_with_it(nbatch, fleet, tmp_path, cut):
    """The disk was full: what the next run says is in lines of its own, from its first one on."""
    log = tmp_path / "a.jsonl"
    assert nbatch("run", fleet(2), "--simulate", "--log", log, "-o", "1.csv").code == 0
    whole = log.read_bytes()
    log.write_bytes(whole[:-cut])
    assert nbatch("run", fleet(2), "--simulate", "--log", log, "-o", "2.csv").code == 0
    lines = log.read_bytes()[len(whole) - cut:].splitlines()
    assert lines[0] == b"" and [json.loads(line)["event"] for line in lines[1:]] == ["begin", "phase", "start", "phase", "end"]
    assert b"\n\n" not in log.read_bytes()


def test_the_log_tells_what_the_platform_asks_for_and_why_a_run_is_stopped(nbatch, fleet, tmp_path):
    nbatch("run", fleet(300), "--simulate=fault=http-429:100%,seed=1", "--log", "a.jsonl", "--max-attempts", "1",
           "--halt", "failed=5", "--retry-delay", "1ms")
    events = read_log(tmp_path / "a.jsonl")
    names = [event["event"] for event in events]
    assert "slower" in names and names[-1] == "end"
    slower = next(event for event in events if event["event"] == "slower")
    assert slower["rate_per_hour"] < 3600 * 1000 * 1000


def test_the_log_tells_halts(nbatch, fleet, tmp_path):
    done = nbatch("run", fleet(300), "--simulate=fault=errno-5106:100%,seed=1", "--log", "a.jsonl", "--halt", "rejected=5")
    assert done.code == 5
    events = [event for event in told(read_log(tmp_path / "a.jsonl")) if event["event"] != "refusals_begin"]
    assert [event["event"] for event in events] == ["start", "stopped", "end"]
    assert "rejected" in events[1]["why"] and events[2]["end"] == "halted" and events[2]["why"] == events[1]["why"]


def test_the_log_tells_outages(nbatch, fleet, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = nbatch("run", fleet(30), "--endpoint", url, "--log", "a.jsonl", "--outage-wait", "300ms",
                      "--retry-delay", "1ms")
    assert done.code == 4
    names = [event["event"] for event in read_log(tmp_path / "a.jsonl")]
    assert names[0] == "begin" and "outage" in names and names[-3:] == ["stopped", "phase", "end"]


def test_the_log_tells_signals(start, fleet, tmp_path):
    log = tmp_path / "a.jsonl"

    def names():
        return [event["event"] for event in read_log(log)] if log.exists() else []

    process = start("run", fleet(3000), "--simulate=latency=10ms", "--rate", "50/s", "--log", log)
    wait_until(lambda: "start" in names())
    time.sleep(0.3)
    for number, name in ((signal.SIGUSR2, "paused"), (signal.SIGUSR1, "status"), (signal.SIGUSR2, "resumed"),
                         (signal.SIGTERM, "interrupted")):
        process.send_signal(number)
        wait_until(lambda wanted=name: wanted in names())
    assert process.wait(timeout=60) == 143
    events = told(read_log(log))
    assert [event["event"] for event in events] == ["start", "paused", "status", "resumed", "interrupted", "end"]
    assert events[4]["signal"] == signal.SIGTERM and events[5]["end"] == "interrupted"


def test_a_refused_run_is_not_passed_over(nbatch, fleet, tmp_path):
    """What a schedule started and the input, the key or the results kept from sending."""
    (tmp_path / "bad.csv").write_text("imei\n1\n")
    words = ["--log", "a.jsonl", "--metrics-file", "m.prom"]
    assert nbatch("run", fleet(3), "--simulate", *words).code == 0
    for refused, code, env in ((["bad.csv", "--simulate"], 3, {}), ([fleet(3), "--simulate"], 2, {}),
                               ([fleet(3), "-o", "2.csv"], 4, {"NBATCH_API_KEY": None})):
        done = nbatch("run", *refused, *words, env=env)
        assert done.code == code, done
        assert read_metrics(tmp_path / "m.prom")["nbatch_exit_status", ""] == code
        last = read_log(tmp_path / "a.jsonl")[-1]
        assert last["event"] == "refused" and last["exit_status"] == code and last["input"] == str(refused[0])
        assert last["why"] and last["why"] in done.err and last["phase"] == ("prepare" if code == 2 else "check"), last


LOST = ("--simulate", "-o", "lost.csv")
WAYS_OUT = {
    "no-input": (["run", "nofile.csv", "--simulate"], 2), "a-folder": (["run", ".", "--simulate"], 2), "bad-input": (["run", "bad.csv", "--simulate"], 3),
    "empty-input": (["run", "empty.csv", "--simulate"], 3), "expect-rows": (["run", "good.csv", "--simulate", "--expect-rows", "7..9"], 3),
    "max-age": (["run", "old.csv", "--simulate", "--max-age", "1h"], 3), "no-folder": (["run", "good.csv", "--simulate", "-o", "nowhere/r.csv"], 7),
    "results-are-a-folder": (["run", "good.csv", "--simulate", "-o", "folder"], 2), "results-exist": (["run", "good.csv", "--simulate", "-o", "there.csv"], 2),
    "resume-of-nothing": (["run", "good.csv", "--simulate", "-o", "none.csv", "--resume"], 2), "no-key": (["run", "good.csv", "-o", "n.csv", "--endpoint", "http://127.0.0.1:1"], 4),
    "key-file": (["run", "good.csv", "-o", "n.csv", "--endpoint", "http://127.0.0.1:1", "--api-key-file", "nokey"], 4),
    "problems": (["run", "good.csv", *LOST, "--problems", "nowhere/p.csv"], 2), "report": (["run", "good.csv", *LOST, "--report", "nowhere/r.html"], 2),
    "only-in": (["run", "good.csv", *LOST, "--only-in", "nofile.csv"], 2), "journal-without-room": (["run", "good.csv", *LOST], 7),
    "pass": (["run", "good.csv", *LOST, "--pass", "nocolumn"], 3), "again-in-doubt": (["run", "good.csv", *LOST, "--on-ambiguous", "verify", "--resume=in_doubt"], 2),
    "dated-twice": (["run", "good.csv", "--simulate", "--dated"], 3),
    "other-target": (["run", "good.csv", "-o", "there.csv", "--resume", "--endpoint", "http://127.0.0.1:1", "--api-key-file", "key"], 2),
    "dated-resume-of-nothing": (["run", "old.csv", "--simulate", "--dated", "--resume"], 2),
    "no-input-is-named": (["run", "--simulate"], 2), "two-inputs": (["run", "good.csv", "old.csv", *LOST], 2), "unknown-option": (["run", "good.csv", "--bogus", "7", *LOST], 2),
    "no-value": (["run", "good.csv", *LOST, "--rate", "fast"], 2), "empty-value": (["run", "good.csv", *LOST, "--output="], 2),
    "rivals": (["run", "good.csv", *LOST, "--api-key-file", "key", "--api-key-command", "true"], 2), "flag-with-value": (["run", "good.csv", *LOST, "--sort=7"], 2),
    "config-value": (["run", "good.csv", *LOST, "--config", "value.yaml"], 2), "config-name": (["run", "good.csv", *LOST, "--config", "name.yaml"], 2),
    "config-syntax": (["run", "good.csv", *LOST, "--config", "syntax.yaml"], 2), "no-config": (["run", "good.csv", *LOST, "--config", "nofile.yaml"], 2),
    "other-dialect": (["run", "good.csv", "-o", "n.csv", "--endpoint", "https://iot-api.heclouds.com"], 2), "problems-are-the-report": (["run", "good.csv", *LOST, "--problems", "x", "--report", "x"], 2),
    "status-of-nothing": (["status", "nofile.csv"], 2), "cancel-of-nothing": (["cancel", "nofile.csv", "--yes"], 2), "verify-of-nothing": (["verify", "nofile.csv"], 2),
    "snapshot-of-nothing": (["snapshot", "nofile.csv"], 2), "whose-results": (["status"], 2),
    "status-without-key": (["status", "there.csv", "--endpoint", "http://127.0.0.1:1"], 4), "cancel-without-key": (["cancel", "there.csv", "--yes", "--endpoint", "http://127.0.0.1:1"], 4),
}


def prepare_way_out(nbatch, fleet, folder, way):
    fleet(3, "good.csv"), fleet(3, "old.csv")
    os.utime(folder / "old.csv", (1e9, 1e9))
    (folder / "bad.csv").write_text("imei\n1\n")
    (folder / "empty.csv").write_text("")
    (folder / "key").write_text("k\n")
    (folder / "key").chmod(0o600)
    (folder / "folder").mkdir(exist_ok=True)
    for name, text in (("value", "rate: x\n"), ("name", "ratte: 20/s\n"), ("syntax", "rate: [\n")):
        (folder / f"{name}.yaml").write_text(text)
    assert nbatch("run", "good.csv", "--simulate", "-o", "there.csv").code == 0
    assert nbatch("run", "good.csv", "--simulate", "--dated").code == 0
    time.sleep(1.1 if way == "dated-twice" else 0)


@pytest.mark.parametrize("way", WAYS_OUT)
def test_every_way_out_of_a_run_is_told(nbatch, fleet, tmp_path, way):
    """No path leaves the log and the metrics saying that the run goes on: each ends with its exit status."""
    prepare_way_out(nbatch, fleet, tmp_path, way)
    words, code = WAYS_OUT[way]
    limit = (64 * 1024,) * 2 if way == "journal-without-room" else None
    done = nbatch(*words, "--log", "a.jsonl", "--metrics-file", "m.prom", env={"NBATCH_API_KEY": None}, file_limit=limit)
    assert done.code == code, done
    events, metrics = read_log(tmp_path / "a.jsonl"), read_metrics(tmp_path / "m.prom")
    last = events[-1]
    assert last["event"] == ("end" if any(event["event"] == "start" for event in events) else "refused"), events
    assert last["exit_status"] == code and last["why"] and last["why"].split(";")[0] in done.err and last.get("end") != "complete"
    assert metrics["nbatch_up", ""] == 0 and metrics["nbatch_exit_status", ""] == code and metrics["nbatch_end_time_seconds", ""] > 1.7e9


def test_a_refusal_says_what_was_refused(nbatch, fleet, tmp_path):
    """The input by its bytes, once they were read, and the options; of words that are wrong, what is known."""
    path = fleet(3)
    assert nbatch("run", path, "--simulate", "--log", "a.jsonl", "-o", "1.csv").code == 0
    sent = next(event for event in read_log(tmp_path / "a.jsonl") if event["event"] == "start")
    assert nbatch("run", path, "--simulate", "--log", "a.jsonl", "-o", "2.csv", "--expect-rows", "7..9").code == 3
    last = read_log(tmp_path / "a.jsonl")[-1]
    assert last["event"] == "refused" and (last["input_size"], last["input_xxh3"]) == (sent["input_size"], sent["input_xxh3"])
    assert last["options"]["expect-rows"] == "7..9" and KEY not in json.dumps(last)
    assert nbatch("run", path, "--simulate", "--log", "a.jsonl", "-o", "1.csv").code == 2
    last = read_log(tmp_path / "a.jsonl")[-1]
    assert "input_size" not in last and last["options"]["output"] == "1.csv"


@pytest.mark.parametrize("way, code", [("end", 3), ("signal", 130), ("no", 3)])
def test_a_question_without_an_answer_is_told_as_such(nbatch, fleet, tmp_path, way, code):
    (tmp_path / "in.csv").write_text(fleet(3).read_text().replace(",2,", ",1,"))
    session = PtySession([NBATCH, "run", "in.csv", "--simulate", "--log", "a.jsonl"], cwd=tmp_path)
    session.wait_for("Type yes")
    if way == "signal":
        time.sleep(0.5)  # until it reads: nothing ends a read that begins behind the signal
        session.kill(signal.SIGINT)
    else:
        session.send("\x04" if way == "end" else "no\n")
    session.finish()
    last = read_log(tmp_path / "a.jsonl")[-1]
    assert last["exit_status"] == code
    told = {"end": "the question got no answer", "signal": "interrupted while a question waited", "no": "nothing was sent"}[way]
    assert last["why"].startswith(told) and "nothing was sent" in last["why"]


@pytest.mark.parametrize("text", ["ratte: 1\n", "rate: x\n", "set: x\nrate: [1/s, 2/s]\n"])
def test_a_refused_configuration_names_who_is_told(nbatch, fleet, tmp_path, text):
    """Whatever line of it is wrong; and so does the environment."""
    (tmp_path / "c.yaml").write_text(f"{text}log: a.jsonl\n")
    done = nbatch("run", fleet(3), "--simulate", "--config", "c.yaml", env={"NBATCH_METRICS_FILE": "m.prom", "NBATCH_JOB": "meters"})
    assert done.code == 2 and done.err.count("nbatch:") == 1, done
    last = read_log(tmp_path / "a.jsonl")[-1]
    assert last["event"] == "refused" and last["job"] == "meters" and last["why"] in done.err
    assert re.search(r'nbatch_exit_status\{.*job_name="meters"\} 2\n', (tmp_path / "m.prom").read_text())


def test_a_machine_without_descriptors_is_told_of(fleet, tmp_path):
    done = subprocess.run([NBATCH, "run", str(fleet(3)), "--endpoint", "http://127.0.0.1:9", "--log", "a.jsonl", "--metrics-file", "m.prom"],
                          cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False, timeout=60, env={**os.environ, "NBATCH_API_KEY": KEY},
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12)))
    assert done.returncode == 4, done.stderr
    assert read_log(tmp_path / "a.jsonl")[-1]["exit_status"] == read_metrics(tmp_path / "m.prom")["nbatch_exit_status", ""] == 4
    assert "may have 12 files open" in read_log(tmp_path / "a.jsonl")[-1]["why"]


def test_one_that_cannot_be_opened_is_told_to_the_other(nbatch, fleet, tmp_path):
    """A log that is no log shows in the metrics, metrics that are none in the log."""
    (tmp_path / "precious.csv").write_text("precious")
    assert nbatch("run", fleet(3), "--simulate", "--log", "precious.csv", "--metrics-file", "m.prom").code == 2
    assert read_metrics(tmp_path / "m.prom")["nbatch_exit_status", ""] == 2
    done = nbatch("run", fleet(3), "--simulate", "--log", "a.jsonl", "--metrics-file", "precious.csv")
    assert done.code == 2 and read_log(tmp_path / "a.jsonl")[-1]["exit_status"] == 2
    assert nbatch("run", fleet(3), "--simulate", "--log", "a.jsonl", "--metrics-file", "a.jsonl").code == 2
    last = read_log(tmp_path / "a.jsonl")[-1]
    assert last["event"] == "refused" and "same file" in last["why"], "it is a log, and stays one"
    assert nbatch("run", fleet(3), "--simulate", "--log", "new.csv", "-o", "new.csv", "--metrics-file", "m.prom").code == 2
    assert not (tmp_path / "new.csv").exists(), "what may be meant for results is not made a log"
    assert (tmp_path / "precious.csv").read_text() == "precious"


def test_what_tells_only_and_sends_nothing_leaves_the_log_alone(nbatch, fleet, tmp_path):
    """Negative control: a check, a dry run, a text that was asked for."""
    for words in (["run", fleet(3), "--dry-run"], ["run", "nofile.csv", "--dry-run"], ["run", fleet(3), "--dry-run", "--rate", "x"],
                  ["run", fleet(3), "--explain-retries"], ["run", "--help", "--rate", "x"]):
        nbatch(*words, "--log", "a.jsonl", "--metrics-file", "m.prom")
        assert not (tmp_path / "a.jsonl").exists() and not (tmp_path / "m.prom").exists(), words


ENDPOINTS = ("ftp://x", "http://a:b@127.0.0.1:9", "http://127.0.0.1:9/?q=1", "http://127.0.0.1:9/#f", "http://", "http://[::1", "http://127.0.0.1:99999", "x y")
SAID = {url: ["run", "good.csv", "-o", "n.csv", "--endpoint", url] for url in ENDPOINTS} | {
    name: ["run", "good.csv", "-o", "n.csv", "--endpoint", "http://127.0.0.1:9", "--api-key-file", "key", *words] for name, words in {
        "proxy": ["--proxy", "ftp://x"], "resolve": ["--resolve", "x"], "cacert": ["--cacert", "good.csv"], "key-command": ["--api-key-command", "false"],
        "database": ["--share", "postgresql://127.0.0.1:9/x", "--share-only-rate"], "embargo": ["--embargo", "1s", "--rate", "1/h"],
        "encoding": ["--encoding", "x"], "set": ["--set", "foo=1"]}.items()}


@pytest.mark.parametrize("way", [*WAYS_OUT, *SAID])
def test_a_way_out_is_told_to_programs_in_english(nbatch, fleet, tmp_path, way):
    """Whatever language the person reads, and whoever has said it: this program, a library, a server."""
    words, logs, said = WAYS_OUT[way][0] if way in WAYS_OUT else SAID[way], {}, {}
    limit = (64 * 1024,) * 2 if way == "journal-without-room" else None
    for language in ("en", "zh"):
        folder = tmp_path / "way"
        folder.mkdir()
        prepare_way_out(lambda *call: nbatch(*call, cwd=folder), lambda n, name: fleet(n, "way/" + name), folder, way)
        done = nbatch(*words, "--log", "a.jsonl", cwd=folder, env={"NBATCH_API_KEY": None, "NBATCH_LANG": language}, file_limit=limit)
        logs[language] = [{k: v for k, v in event.items() if k not in ("time", "run", "pid", "endpoint", "seconds", "options")}
                          for event in read_log(folder / "a.jsonl")]
        said[language] = done.err
        shutil.rmtree(folder)
    stamp = re.compile(r"\d{8}-\d{6}")
    assert stamp.sub("#", json.dumps(logs["zh"])) == stamp.sub("#", json.dumps(logs["en"]))
    assert re.search("[\u4e00-\u9fff]", said["zh"]), "negative control: the person reads Chinese"


def test_verbose_shows_each_attempts_class(nbatch, fleet, tmp_path):
    path = fleet(6)
    done = nbatch("run", path, "--simulate=fault=errno-5117:40%,fault=errno-5106:20%,seed=4", "-v", "--log", "a.jsonl",
                  "--retry-delay", "1ms", "--seed", "1", "--json")
    shown = re.findall(rf"^{path}:(\d+): attempt (\d+): (.*)$", done.err, re.M)
    assert len(shown) == json.loads(done.out)["attempts"]
    assert any(re.fullmatch(r"errno 5117 rpc error \[errno 5117\]: again in \d+ ms", text) for _, _, text in shown)
    assert any(text == "errno 5106 UNSUCESS [other errno]" for _, _, text in shown)
    assert any(re.fullmatch(r"accepted in \d+\.\d ms", text) for _, _, text in shown)
    logged = [event for event in read_log(tmp_path / "a.jsonl") if event["event"] == "attempt"]
    assert [(str(e["line"]), str(e["attempt"])) for e in logged] == [(line, n) for line, n, _ in shown]
    assert {e["class"] for e in logged} == {"accepted", "errno 5117", "other errno"}
    chinese = nbatch("run", path, "--simulate", "-v", "--lang", "zh", "-o", "3.csv")
    assert len(re.findall(rf"^{path}:\d+: 第 1 次尝试：被接受，用时 \d+\.\d 毫秒$", chinese.err, re.M)) == 6, chinese.err
    quiet = nbatch("run", path, "--simulate", "-v", "-q", "-o", "2.csv")
    assert quiet.code == 0 and quiet.err == ""


def test_metrics_agree_with_the_results(nbatch, fleet, tmp_path):
    done = nbatch("run", fleet(50), "--simulate=fault=errno-5106:20%,fault=errno-5117:20%,latency=8ms,seed=1", "--json",
                  "--retry-delay", "1ms", "--metrics-file", "nbatch.prom", "-o", "out.csv")
    assert done.code == 1
    found, rows, summary = read_metrics(tmp_path / "nbatch.prom"), read_results(tmp_path / "out.csv"), json.loads(done.out)
    for status in ("accepted", "rejected", "failed", "in_doubt", "invalid"):
        assert found["nbatch_rows_total", status] == sum(row["status"] == status for row in rows)
    assert found["nbatch_attempts_total", ""] == sum(int(row["attempts"]) for row in rows) == summary["attempts"]
    assert found["nbatch_retries_total", ""] == summary["retries"] > 0
    assert found["nbatch_rows_expected", ""] == 50 and found["nbatch_in_flight", ""] == 0
    assert found["nbatch_exit_status", ""] == 1
    assert found["nbatch_end_time_seconds", ""] >= found["nbatch_start_time_seconds", ""] > 1.7e9
    buckets = [(float(label), value) for (name, label), value in found.items() if name.endswith("_bucket")]
    assert buckets == sorted(buckets) and [v for _, v in buckets] == sorted(v for _, v in buckets)
    assert buckets[-1] == (float("inf"), summary["attempts"])
    assert dict(buckets)[0.005] == 0  # the simulator takes 8 ms
    assert sorted(p.name for p in tmp_path.iterdir() if "prom" in p.name) == ["nbatch.prom"]
    assert (tmp_path / "nbatch.prom").stat().st_mode & 0o777 == 0o644


def test_a_reader_never_sees_a_part_of_the_metrics(start, fleet, tmp_path):
    """Read as fast as it goes, from the start to the end of a run: every text ends with the histogram's count."""
    path = tmp_path / "nbatch.prom"
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            if path.exists():
                seen.add(path.read_text().splitlines()[-1].split("{")[0])

    reader = threading.Thread(target=read)
    reader.start()
    process = start("run", fleet(60), "--simulate", "--rate", "100/s", "--metrics-file", path)
    assert process.wait(timeout=60) == 0
    stop.set()
    reader.join()
    assert seen == {"nbatch_request_duration_seconds_count"}


def test_metrics_are_kept_up_to_date(start, fleet, tmp_path):
    path = tmp_path / "nbatch.prom"
    process = start("run", fleet(5000), "--simulate=latency=30ms", "--rate", "100/s", "--metrics-file", path)
    wait_until(lambda: path.exists() and read_metrics(path)["nbatch_rows_per_second", ""] > 0)
    found = read_metrics(path)
    assert ("nbatch_end_time_seconds", "") not in found and found["nbatch_rate_limit_per_second", ""] == 100
    assert found["nbatch_attempts_total", ""] > 0
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert read_metrics(path)["nbatch_exit_status", ""] == 130


def test_metrics_replace_metrics_and_nothing_else(nbatch, fleet, tmp_path):
    (tmp_path / "precious.csv").write_text("precious")
    done = nbatch("run", fleet(2), "--simulate", "--metrics-file", "precious.csv")
    assert done.code == 2 and "something other than" in done.err and (tmp_path / "precious.csv").read_text() == "precious"
    assert not (tmp_path / "fleet.results.csv").exists()
    for i in (1, 2):
        assert nbatch("run", fleet(2), "--simulate", "--metrics-file", "m.prom", "-o", f"{i}.csv").code == 0
    done = nbatch("run", fleet(2), "--simulate", "--metrics-file", "nowhere/m.prom")
    assert done.code == 2 and "nowhere/m.prom" in done.err and not (tmp_path / "fleet.results.csv").exists()


def test_a_link_to_metrics_is_followed(nbatch, fleet, tmp_path):
    """The file that the collector reads is written anew, where the link leads, whatever the end; so is a page."""
    collected = tmp_path / "collector" / "m.prom"
    collected.parent.mkdir()
    (tmp_path / "m.prom").symlink_to("collector/m.prom")  # which is not there yet
    (tmp_path / "bad.csv").write_text("imei\n1\n")
    for path, code in ((fleet(3), 0), (tmp_path / "bad.csv", 3)):
        assert nbatch("run", path, "--simulate", "--metrics-file", "m.prom", "-o", f"{code}.csv").code == code
        assert (tmp_path / "m.prom").is_symlink() and read_metrics(collected)["nbatch_exit_status", ""] == code
    assert [p.name for p in collected.parent.iterdir()] == ["m.prom"]
    (tmp_path / "r.html").symlink_to("collector/r.html")
    for _ in range(2):
        assert nbatch("report", "0.csv", "-o", "r.html").code == 0
        assert (tmp_path / "r.html").is_symlink() and (collected.parent / "r.html").read_text().startswith("<!")
    done = nbatch("run", fleet(3), "--simulate", "-o", "2.csv", "--metrics-file", "m.prom", "--log", "collector/m.prom")
    assert done.code == 2 and "same file" in done.err, done


def what_is_no_file(folder, kind):
    path = folder / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif kind == "device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes devices")
    else:
        path.mkdir()
    return path


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_metrics_replace_nothing_that_is_no_file(nbatch, fleet, tmp_path, kind, linked):
    """/dev/null of a machine whose operator meant to have no metrics would be lost."""
    path = what_is_no_file(tmp_path, kind)
    if linked:
        (tmp_path / "link").symlink_to(path)
    before = path.lstat()
    name = "link" if linked else kind
    done = nbatch("run", fleet(3), "--simulate", "--metrics-file", name, timeout=20)
    assert done.code == 2 and f"{name}: it is no regular file" in done.err and "--metrics-file" in done.err, done
    after = path.lstat()
    assert (after.st_mode, after.st_ino, after.st_rdev) == (before.st_mode, before.st_ino, before.st_rdev)
    assert not list(tmp_path.glob("*.rehearsal.csv*"))


def test_a_run_goes_on_without_a_log_that_is_full(nbatch, fleet, tmp_path):
    """The file size limit makes write(2) fail; results and journal are smaller than the logs that are there."""
    def limit(size=400):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    with open(os.devnull, "w", encoding="utf-8") as null:
        done = subprocess.run([NBATCH, "run", str(fleet(20)), "--simulate", "-v", "-o", "-", "--log", "a.jsonl",
                               "--metrics-file", "m.prom"], stdout=null, stderr=subprocess.PIPE, text=True,
                              preexec_fn=limit, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == 2 and "m.prom" in done.stderr, done.stderr
    nbatch("run", fleet(20), "--simulate", "-q", "-o", "first.csv", "--log", "b.jsonl")
    line = (tmp_path / "b.jsonl").read_bytes().splitlines(True)[0]
    (tmp_path / "b.jsonl").write_bytes(line * (1_000_000 // len(line)))
    with open(os.devnull, "w", encoding="utf-8") as null:
        done = subprocess.run([NBATCH, "run", str(fleet(20)), "--simulate", "-v", "-o", "-", "--log", "b.jsonl"],
                              stdout=null, stderr=subprocess.PIPE, text=True, preexec_fn=lambda: limit(1_000_400),
                              cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the log cannot be written: File too large; the run goes on without") == 1
    assert not [p for p in tmp_path.iterdir() if p.name.endswith(".tmp")]


def test_the_key_stands_in_neither(nbatch, fleet, raw_peer, tmp_path):
    def script(connection, number):
        while request := connection.read_request():
            connection.accept(request)

    done = nbatch("run", fleet(3), "--endpoint", raw_peer(script).url, "-v", "--log", "a.jsonl", "--metrics-file", "m.prom")
    assert done.code == 0
    assert KEY not in done.err + (tmp_path / "a.jsonl").read_text() + (tmp_path / "m.prom").read_text()


def labels(path):
    return {re.search(r"\{(.*?)(,status=[^}]*)?\} ", line)[1] for line in path.read_text().splitlines()
            if line.startswith("nbatch_rows_total")}


def test_metrics_of_two_jobs_go_together(nbatch, fleet, tmp_path):
    """node_exporter drops samples that another file has too: the same relative name is not the same job."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "input.csv").write_bytes(fleet(3).read_bytes())
        done = nbatch("run", "input.csv", "--simulate", "--metrics-file", tmp_path / f"{folder}.prom", cwd=tmp_path / folder)
        assert done.code == 0, done
    assert labels(tmp_path / "a.prom") & labels(tmp_path / "b.prom") == set()
    for job in ("meters", "valves"):
        done = nbatch("run", fleet(3), "--simulate", "--job", job, "--metrics-file", f"{job}.prom", "--log", "all.jsonl")
        assert done.code == 0, done
        assert f'job_name="{job}"' in labels(tmp_path / f"{job}.prom").pop()
        assert (tmp_path / f"{job}.rehearsal.csv").exists()
    assert [event["job"] for event in read_log(tmp_path / "all.jsonl") if event["event"] == "end"] == ["meters", "valves"]
    assert nbatch("run", fleet(3), "--simulate", "--job", "../x").code == 2


def test_a_success_is_remembered_until_the_next(nbatch, fleet, tmp_path, simulator):
    """What an alert goes by: no success for a day. A rehearsal is none."""
    def metrics():
        return read_metrics(tmp_path / "m.prom")

    peer = simulator("--listen", "127.0.0.1:0")
    words = ["--metrics-file", "m.prom"]
    assert nbatch("run", fleet(3), "--simulate", *words, "-o", "0.csv").code == 0
    assert ("nbatch_last_success_time_seconds", "") not in metrics()
    before = time.time()
    assert nbatch("run", fleet(3), "--endpoint", peer.url, *words, "-o", "1.csv").code == 0
    success = metrics()["nbatch_last_success_time_seconds", ""]
    assert before <= success <= time.time()
    bad = fleet(3)
    bad.write_text("imei\n1\n")
    assert nbatch("run", bad, "--endpoint", peer.url, *words, "-o", "2.csv").code == 3
    assert metrics()["nbatch_last_success_time_seconds", ""] == success
    assert metrics()["nbatch_exit_status", ""] == 3 and metrics()["nbatch_up", ""] == 0


def test_a_success_is_that_of_its_own_job(nbatch, fleet, tmp_path, simulator):
    """Two jobs that name one file of metrics by mistake: one that never succeeded does not take over the other's success."""
    peer = simulator("--listen", "127.0.0.1:0")
    fleet(3, "good.csv")
    (tmp_path / "bad.csv").write_text("imei\n1\n")
    for i, (words, wanted) in enumerate((
            (["good.csv"], True), (["bad.csv"], False), (["good.csv", "--job", "a"], True), (["bad.csv", "--job", "a"], True),
            (["bad.csv", "--job", "b"], False))):
        nbatch("run", *words, "--endpoint", peer.url, "--metrics-file", "m.prom", "-o", f"{i}.csv")
        assert ("nbatch_last_success_time_seconds{" in (tmp_path / "m.prom").read_text()) == wanted, words


def rows_of_results(path):
    """{status: number} of nbatch_results_rows."""
    return {status: int(count) for status, count in re.findall(r'^nbatch_results_rows\{.*status="(.*)"\} (\d+)$', path.read_text(), re.M)}


def test_rows_in_doubt_are_told_until_they_are_settled(nbatch, start, fleet, tmp_path, simulator):
    """The alert goes by what the results hold: what a killed run left, also behind a start that sends nothing."""
    peer = simulator("--listen", "127.0.0.1:0", "--latency", "300ms")
    metrics = tmp_path / "m.prom"
    words = ["--endpoint", peer.url, "--metrics-file", "m.prom", "--job", "m", "--dated"]
    process = start("run", fleet(200), *words)
    wait_until(lambda: sum(len(p.read_bytes().splitlines()) for p in tmp_path.glob("m-*.results.csv")) > 10)
    process.kill()
    process.wait()
    assert nbatch("run", fleet(200), *words, "--on-ambiguous", "hold").code == 6
    statuses = [row["status"] for row in read_results(tmp_path / "m.latest.results.csv")]
    told = {status: statuses.count(status) for status in ("accepted", "rejected", "failed", "in_doubt", "invalid")}
    assert told["in_doubt"] > 0 and rows_of_results(metrics) == told
    assert nbatch("run", fleet(200), *words).code == 3, "all of it was sent before"
    assert rows_of_results(metrics) == told and 'nbatch_exit_status{' in metrics.read_text()
    assert nbatch("verify", "m.latest.results.csv", "--endpoint", peer.url, "--settle", "10ms,20ms", timeout=60).code in (0, 1)
    assert nbatch("run", fleet(200), "--resume", *words).code in (0, 1)
    assert rows_of_results(metrics)["in_doubt"] == 0 and sum(rows_of_results(metrics).values()) == 200
    assert nbatch("run", fleet(5, "other.csv"), *words).code == 0
    assert rows_of_results(metrics) == dict.fromkeys(told, 0) | {"accepted": 5}, "other results"


def test_a_signal_before_anything_is_sent_is_told(start, fleet, tmp_path, raw_peer):
    peer = raw_peer(lambda connection, number: None)
    path = fleet(125_000)
    header, rows = path.read_text().split("\n", 1)
    path.write_text(header + "\n" + rows * 8)  # a check of seconds
    process = start("run", path, "--endpoint", peer.url, "--log", "a.jsonl", "--metrics-file", "m.prom")
    log = tmp_path / "a.jsonl"
    wait_until(lambda: log.exists() and '"phase":"check"' in log.read_text())
    assert read_metrics(tmp_path / "m.prom")["nbatch_up", ""] == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    end = read_log(log)[-1]
    assert (end["event"], end["end"], end["phase"], end["exit_status"]) == ("end", "interrupted", "check", 143)
    assert "terminated" in end["why"] and "nothing was sent" in end["why"]
    metrics = read_metrics(tmp_path / "m.prom")
    assert metrics["nbatch_exit_status", ""] == 143 and metrics["nbatch_up", ""] == 0
    assert not peer.seen and not list(tmp_path.glob("*.results.csv*"))


def test_a_signal_when_all_is_sent_waits_for_the_record(nbatch, start, fleet, tmp_path):
    path = fleet(60_000)
    assert nbatch("run", path, "--simulate", "-o", "r.csv", timeout=300).code == 0
    process = start("run", path, "--simulate", "-o", "r.csv", "--resume", "--sort", "--log", "a.jsonl")
    log = tmp_path / "a.jsonl"
    wait_until(lambda: log.exists() and '"phase":"record"' in log.read_text())
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert read_log(log)[-1]["end"] == "complete"
    assert len(read_results(tmp_path / "r.csv")) == 60_000


def test_the_log_tells_when_refusals_of_a_kind_begin(nbatch, fleet, tmp_path):
    done = nbatch("run", fleet(100), "--simulate=fault=errno-5106:50%,seed=3", "--log", "a.jsonl")
    assert done.code == 1
    begun = [event for event in read_log(tmp_path / "a.jsonl") if event["event"] == "refusals_begin"]
    assert len(begun) == 1 and begun[0]["count"] == 10 and begun[0]["kind"] == "errno 5106", begun
