"""--log, --metrics-file and -v: what follows a run beside the person at the terminal."""
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
from conftest import KEY, NBATCH, read_results
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


@pytest.mark.parametrize("way", WAYS_OUT)
def test_a_way_out_is_told_to_programs_in_english(nbatch, fleet, tmp_path, way):
    """Whatever language the person reads."""
    words, logs, said = WAYS_OUT[way][0], {}, {}
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
    (tmp_path / "bad.csv").write_text("imei\n1\n")
    assert nbatch("run", "bad.csv", "--endpoint", peer.url, *words, "-o", "2.csv").code == 3
    assert metrics()["nbatch_last_success_time_seconds", ""] == success
    assert metrics()["nbatch_exit_status", ""] == 3 and metrics()["nbatch_up", ""] == 0


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
