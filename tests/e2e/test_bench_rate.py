"""nbatch bench --rate and --find: an open loop, whose latencies count from when a request was due."""
import csv
import json
import signal
import subprocess
import threading
import time

import pytest
from conftest import NBATCH, read_results, wait_for


@pytest.fixture
def bench(nbatch, tmp_path):
    """Runs it with a temporary folder of its own, which must be empty afterwards."""
    (tmp_path / "tmp").mkdir()

    def run(*words, code=0, env=None):
        done = nbatch("bench", *words, env={"TMPDIR": str(tmp_path / "tmp"), **(env or {})})
        assert code is None or done.code == code, done
        assert list((tmp_path / "tmp").iterdir()) == []
        return done

    return run


class Stalling:
    """Stops a process for one second in three, beginning with a second in which it runs."""

    def __init__(self, process):
        self.process, self.over = process, threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.over.wait(1):
            self.process.send_signal(signal.SIGSTOP)
            self.over.wait(1)
            self.process.send_signal(signal.SIGCONT)
            self.over.wait(1)

    def stop(self):
        self.over.set()
        self.thread.join()


@pytest.fixture
def stalling(simulator):
    server = simulator("--latency", "2ms")
    stalls = Stalling(server.process)
    yield server
    stalls.stop()


@pytest.mark.figures
def test_a_peer_that_stalls_shows_in_the_latencies(bench, stalling):
    level, = json.loads(bench("--endpoint", stalling.url, "--rate", "100", "--duration", "6s", "--warm-up", "100ms",
                              "-c", "4", "--json").out)["levels"]
    assert level["accepted"] == level["requests"] == 600
    due, sent = level["latency_due_ms"], level["latency_sent_ms"]
    # A third of the requests becomes due while it stands still: every tenth waits for 0.7 s or longer.
    assert 500 <= due["p90"] <= due["p99"] <= due["max"]
    # Four of them were under way, and the others waited here: their own latency hides it.
    assert sent["p90"] < due["p90"] / 4
    assert level["limit"] == "concurrency" and level["waited"] > 100


@pytest.mark.figures
def test_where_all_may_be_under_way_both_latencies_show_it(bench, stalling):
    level, = json.loads(bench("--endpoint", stalling.url, "--rate", "100", "--duration", "6s", "--warm-up", "100ms",
                              "-c", "512", "--json").out)["levels"]
    due, sent = level["latency_due_ms"], level["latency_sent_ms"]
    assert due["p90"] >= 500 and sent["p90"] >= due["p90"] / 2


@pytest.mark.figures
def test_a_closed_loop_does_not_show_it(bench, stalling):
    """Negative control: the same peer, when the next request waits for the one before."""
    level, = json.loads(bench("--endpoint", stalling.url, "--rows", "8000", "--rounds", "1", "-c", "4", "--json").out)["levels"]
    assert level["latency_ms"]["max"] >= 500  # it did stand still
    assert level["latency_ms"]["p99"] < 250


@pytest.mark.figures
def test_the_rate_is_kept_and_the_delay_measured(bench):
    levels = json.loads(bench("--simulate=latency=50ms", "--rate", "40,600/m", "--duration", "2s", "--warm-up", "500ms",
                              "--json").out)["levels"]
    assert [level["rate"] for level in levels] == [40, 10]
    assert [level["requests"] for level in levels] == [80, 20]  # the warm-up is left out
    for level in levels:
        assert level["accepted"] == level["requests"] and level["refused"] == level["failed"] == 0
        assert level["accepted_per_second"] == pytest.approx(level["rate"], rel=0.15)
        assert level["latency_due_ms"]["p50"] >= 50 and level["latency_sent_ms"]["p50"] >= 50


def test_rows_say_how_many_are_measured(bench):
    level, = json.loads(bench("--rate", "500", "--rows", "100", "--warm-up", "200ms", "--json").out)["levels"]
    assert level["requests"] == 100


def test_refusals_are_told_by_kind(bench, tmp_path):
    done = bench("--simulate=seed=1,fault=errno-7:30%", "--rate", "200", "--duration", "1s", "--warm-up", "1ms", code=1)
    assert "of 200 were refused, 0 failed in another way" in done.out and "errno 7" in done.out
    level, = json.loads(bench("--simulate=seed=1,fault=errno-7:30%", "--rate", "200", "--duration", "1s", "--warm-up", "1ms",
                              "--json", code=1).out)["levels"]
    assert 30 <= level["refused"] <= 90 and level["refused"] + level["accepted"] == 200
    assert [(reason["errno"], reason["count"]) for reason in level["reasons"]] == [(7, level["refused"])]


def test_what_fails_is_no_refusal(bench):
    level, = json.loads(bench("--simulate=seed=1,fault=close-after:20%", "--rate", "100", "--duration", "1s", "--warm-up",
                              "1ms", "--json", code=1).out)["levels"]
    assert level["failed"] > 5 and level["refused"] == 0


@pytest.mark.figures
def test_the_limit_of_a_platform_is_found(bench):
    told = json.loads(bench("--simulate=limit=120/s,burst=5,latency=5ms", "--find", "p99=400ms,refused=2%", "--rate", "40",
                            "--duration", "2s", "--warm-up", "500ms", "--json").out)
    assert told["find"]["goal"] == "p99=400ms,refused=2%"
    assert 105 <= told["find"]["rate"] <= 130, told
    rates = [level["rate"] for level in told["levels"]]
    assert rates[:3] == [40, 80, 160] and len(rates) < 12
    assert told["levels"][2]["refused"] > 40


@pytest.mark.figures
def test_a_goal_that_nothing_keeps_is_an_answer(bench):
    done = bench("--simulate=latency=300ms", "--find", "p50=100ms", "--rate", "3", "--duration", "1s", "--warm-up", "1ms",
                 code=1)
    assert "p50=100ms: no rate keeps it" in done.out and "3/s: not kept" in done.err


@pytest.mark.figures
def test_a_rate_is_watched_for_as_long_as_the_goal_wants(bench):
    told = json.loads(bench("--simulate=limit=120/s,burst=5,latency=5ms", "--find", "p99=100ms,p50=80ms,refused=2%", "--rate",
                            "100", "--duration", "10ms", "--warm-up", "0", "--json").out)
    # One request of ten milliseconds would be kept by any platform.
    assert all(level["requests"] >= max(100, level["rate"] / 2) for level in told["levels"])
    assert 105 <= told["find"]["rate"] <= 150, told


@pytest.mark.figures
def test_a_rate_that_this_machine_cannot_start_is_not_kept(bench):
    done = bench("--simulate=latency=100ms", "-c", "4", "--find", "p90=300ms", "--rate", "30", "--warm-up", "0", "--duration",
                 "1s", "--json")
    told = json.loads(done.out)
    assert told["find"]["rate"] <= 42  # four at a time, a tenth of a second each
    assert "not kept: no more than " in done.err


@pytest.mark.figures
def test_accepted_a_second_is_of_the_time_that_was_measured(bench):
    """Not of the time until the last answer."""
    level, = json.loads(bench("--simulate=latency=1s", "--rate", "20", "--duration", "2s", "--warm-up", "0", "--json").out)["levels"]
    assert level["accepted"] == 40 and 18 < level["accepted_per_second"] <= 20
    assert level["seconds"] == pytest.approx(2, abs=0.2)


def test_rates_are_written_as_people_read_them(bench):
    done = bench("--rate", "20000,30/m", "--duration", "10ms", "--warm-up", "0")
    assert [line.split()[0] for line in done.out.splitlines() if "was due" in line] == ["20,000/s", "30/m"]


@pytest.mark.parametrize("body", ['{"errno":1,"error":"internal server error"}', "<html>oops</html>"])
def test_a_server_that_fails_refuses_nothing_whatever_it_says(bench, nginx, body):
    server = nginx(status=500, body=body)
    done = bench("--endpoint", server.url, "--rate", "50", "--rows", "100", "--warm-up", "0", "--json", code=1)
    level, = json.loads(done.out)["levels"]
    assert (level["refused"], level["failed"]) == (0, 100)


def test_the_page_has_the_figures(bench, tmp_path):
    page = tmp_path / "bench.html"
    bench("--rate", "100,200", "--duration", "500ms", "--warm-up", "100ms", "--report", page)
    text = page.read_text(encoding="utf-8")
    assert text.count("<tr data-rate=") == 2 and "{{" not in text
    assert 'id="percentiles"' in text and 'id="throughput"' in text
    bench("--rate", "100", "--duration", "200ms", "--warm-up", "1ms", "--report", page)  # it may be replaced
    page.write_text("mine")
    assert "no report" in bench("--rate", "100", "--report", page, code=2).err
    assert page.read_text() == "mine"


# ---- the operator's own rows

def test_own_rows_are_sent_once_and_on_record(bench, fleet, simulator, nbatch):
    server, path = simulator(), fleet(300)
    told = json.loads(bench(path, "--endpoint", server.url, "--rate", "200", "--duration", "500ms", "--warm-up", "100ms",
                            "--json").out)
    assert told["levels"][0]["requests"] == 100
    results = path.with_suffix(".results.csv")
    assert [row["status"] for row in read_results(results)] == ["accepted"] * 120
    done = nbatch("run", path, "--endpoint", server.url, "--resume")
    assert done.code == 0, done
    rows = read_results(results)
    assert len(rows) == 300 and {row["status"] for row in rows} == {"accepted"}
    posts = [request for request in server.audit() if request["method"] == "POST"]
    assert len(posts) == 300 and len({request["imei"] for request in posts}) == len({row["imei"] for row in rows})


def test_each_rate_goes_on_where_the_one_before_ended(bench, fleet, simulator):
    server, path = simulator(), fleet(100)
    done = bench(path, "--endpoint", server.url, "--rate", "100,200,400", "--duration", "300ms", "--warm-up", "50ms", "--json",
                 code=1)
    told = json.loads(done.out)
    assert [level["requests"] for level in told["levels"]] == [30, 55] and "no other row" in done.err
    assert [level["ended"] for level in told["levels"]] == ["whole", "no_rows"]
    assert told["unmeasured"] == [{"rate": 400, "ended": "no_rows"}] and told["ended"] == "no_rows"
    assert "the input has 100 valid rows, and the rates take 245" in done.err  # told beforehand
    assert len(read_results(path.with_suffix(".results.csv"))) == 100
    assert not path.with_suffix(".results.csv.journal").exists()  # complete


def test_results_that_are_there_are_not_written_over(bench, fleet, simulator):
    server, path = simulator(), fleet(100)
    bench(path, "--endpoint", server.url, "--rate", "500", "--duration", "100ms", "--warm-up", "1ms")
    before = path.with_suffix(".results.csv").read_bytes()
    bench(path, "--endpoint", server.url, "--rate", "500", "--duration", "100ms", "--warm-up", "1ms", code=2)
    assert path.with_suffix(".results.csv").read_bytes() == before


def test_own_rows_that_are_wrong_are_not_sent(bench, fleet, simulator):
    server, path = simulator(), fleet(100)
    path.write_text(path.read_text().replace("3311", "x", 1))
    assert bench(path, "--endpoint", server.url, "--rate", "500", code=3).out == ""
    assert server.audit() == []


def test_wrong_rows_are_left_out_where_that_is_said(bench, fleet, simulator, nbatch):
    server, path = simulator(), fleet(60)
    lines = path.read_text().splitlines(keepends=True)
    lines[5] = lines[5].replace("3311", "x", 1)
    path.write_text("".join(lines))
    done = bench(path, "--endpoint", server.url, "--rate", "200", "--rows", "100", "--warm-up", "0", code=3)
    assert "1 of 60 rows is invalid" in done.err and "nothing was sent" in done.err and server.audit() == []
    done = bench(path, "--simulate", "--rate", "200", "--rows", "100", "--warm-up", "0", "--skip-invalid", "--json")
    assert json.loads(done.out)["levels"][0]["requests"] == 59
    rows = read_results(path.with_suffix(".rehearsal.csv"))
    assert sorted(row["status"] for row in rows) == ["accepted"] * 59 + ["invalid"]
    assert path.with_suffix(".rehearsal.csv.complete").exists()


def test_what_bench_proposes_can_be_typed(bench, fleet, simulator):
    """The commands that it names for an input are its own."""
    import shlex
    path = fleet(60)
    text = path.read_text().replace("imei", "设备", 1)
    path.write_bytes(text.replace(",", ";").encode("gb18030"))
    words = [path, "--rate", "200", "--rows", "100", "--warm-up", "0", "--simulate"]
    for _ in range(5):
        done = bench(*words, code=None)
        named = [line.split("nbatch bench ", 1)[1] for line in done.err.splitlines() if "nbatch bench " in line]
        if done.code == 0 or not named:
            break
        words = shlex.split(named[-1])
    assert done.code == 0 and "--encoding" in words and "--delimiter" in words, done


def test_an_input_is_read_by_the_options_of_a_run(bench, fleet, tmp_path):
    path = fleet(60)
    lines = path.read_text().splitlines()
    lines = [lines[0] + ",site"] + [line + f",s{i}" for i, line in enumerate(lines[1:])]
    path.write_text("\n".join(lines) + "\n")
    config = tmp_path / "ops.yaml"
    config.write_text("pass: site\nrate: 1/s\nconcurrency: 3\nmax-row-bytes: 4K\n")
    bench(path, "--config", config, "--simulate", "--rate", "300", "--rows", "100", "--warm-up", "0", "-o", tmp_path / "r.csv")
    assert read_results(tmp_path / "r.csv")[0]["site"] == "s0"
    # Made-up rows are what they are, whatever is said of an input.
    bench("--config", config, "--delimiter", ";", "--encoding", "gb18030", "--true", "x", "--header-line", "3", "--rate", "300",
          "--rows", "100", "--warm-up", "0")


def test_own_rows_go_nowhere_else_unasked(bench, fleet):
    done = bench(fleet(100), "--endpoint", "https://192.0.2.1:1", "--rate", "10", code=2)
    assert "--yes" in done.err and "really" in done.err


def test_a_signal_ends_it_and_keeps_the_record(fleet, simulator, tmp_path):
    server, path = simulator("--latency", "50ms"), fleet(3000)
    process = subprocess.Popen([NBATCH, "bench", path, "--endpoint", server.url, "--rate", "100", "--duration", "25s"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"NBATCH_API_KEY": "k", "PATH": "/bin"})
    results = path.with_suffix(".results.csv")
    wait_for(lambda: results.exists() and results.read_text().count("\n") > 20)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    with open(results, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    posts = [request for request in server.audit() if request["method"] == "POST"]
    assert len(rows) == len(posts) and {row["status"] for row in rows} == {"accepted"}


@pytest.mark.parametrize("words,text", [
    (["--rate", "0"], "must be at most 16 rates"),
    (["--rate", "10,,20"], "must be at most 16 rates"),
    (["--rate", "200000"], "must be at most 16 rates"),
    (["--rate", "none"], "must be at most 16 rates"),
    (["--find", "200ms"], "must be a percentile"),
    (["--find", "p99=200ms,refused=2"], "must be a percentile"),
    (["--find", "p99=200ms,p99=1s"], "each named once"),
    (["--find", "p99=200ms,refused=1%,refused=2%"], "each named once"),
    (["--duration", "3s"], "are for --rate or --find"),
    (["--rate", "10", "--warm-up", "x"], "must be a duration"),
    (["--rate", "10", "--report", "-"], "--report wants a file"),
    (["-", "--rate", "10", "--format", "csv"], "pipe"),
])
def test_bad_words_name_the_remedy(bench, words, text):
    assert text in bench(*words, code=2).err


def test_a_key_that_is_refused_ends_it(bench, nginx):
    server = nginx(status=401, body='{"errno":1,"error":"auth failed"}')
    done = bench("--endpoint", server.url, "--rate", "50,60", "--duration", "60s", "--warm-up", "30s", code=4)
    assert "5 rows in a row were refused for the key" in done.err
    assert "nothing could be measured at 60/s: the bench was stopped" in done.out and "p50" not in done.out
    assert len(server.requests()) < 1500  # of 4500, and all of the warm-up


def test_refusals_of_the_key_among_good_rows_are_figures(bench):
    done = bench("--simulate=fault=errno-1:5%,seed=3", "--rate", "100,200", "--duration", "1s", "--json", code=1)
    told = json.loads(done.out)
    assert [level["requests"] for level in told["levels"]] == [100, 200] and told["ended"] == "whole"
    assert all(level["refused"] > 0 for level in told["levels"])


def test_what_was_measured_before_the_key_was_refused_is_shown(bench, simulator, tmp_path):
    """Negative control: five in a row end it, as they end a run."""
    server = simulator("--fault", "errno-1:100%", "--seed", "1")
    page = tmp_path / "bench.html"
    done = bench("--endpoint", server.url, "--rate", "20,30", "--duration", "60s", "--warm-up", "0", "--json", "--report", page,
                 code=4)
    told = json.loads(done.out)
    assert told["ended"] == "stopped" and "refused for the key" in told["error"] and told["error"] in done.err
    assert told["levels"][0]["requests"] == told["levels"][0]["refused"] <= 400  # of 1200
    assert "refused for the key" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("words,needed", [(["--find", "p99=200ms"], "200"), (["--rate", "50"], "100")])
def test_too_few_rows_are_told_before_anything_is_sent(bench, fleet, simulator, words, needed):
    server, path = simulator(), fleet(24)
    done = bench(path, "--endpoint", server.url, *words, "--duration", "1s", code=3)
    assert f"the input has 24 valid rows, and {needed} are needed" in done.err and done.out == ""
    assert server.audit() == [] and not path.with_suffix(".results.csv").exists()


def test_a_search_that_runs_out_of_rows_has_no_verdict(bench, fleet, simulator):
    server, path = simulator("--latency", "300ms"), fleet(250)
    done = bench(path, "--endpoint", server.url, "--find", "p50=100ms", "--duration", "1s", code=1)
    assert "p50=100ms: not known: the input has no rows left" in done.out and "no rate keeps" not in done.out


@pytest.mark.parametrize("words,second", [(["--rate", "1000,10,20", "--rows", "100"], 10),
                                          (["--find", "p50=1s", "--rate", "100", "--duration", "1s"], 200)])
def test_a_signal_shows_what_was_measured(words, second, tmp_path):
    """The second rate takes five seconds and longer."""
    page = tmp_path / "bench.html"
    process = subprocess.Popen([NBATCH, "bench", "--simulate", *words, "--warm-up", "0", "--json",
                                "--report", page], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={"PATH": "/bin", "TMPDIR": str(tmp_path)})
    head = b""
    while b"\n10/s to" not in head and b"100/s: kept" not in head:
        line = process.stderr.readline()
        assert line, head
        head += line
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and b"interrupted" in err
    told = json.loads(out)
    assert told["ended"] == "interrupted" and told["levels"][0]["ended"] == "whole"
    assert told["levels"][0]["requests"] >= 100
    cut = [level for level in told["levels"] + told["unmeasured"] if level["ended"] == "interrupted"]
    assert cut and cut[0]["rate"] == second
    assert "find" not in told or told["find"]["rate"] == 100
    assert "it was interrupted" in page.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.figures
def test_a_search_does_not_wait_for_a_rate_that_is_out_of_reach(bench):
    """One request at a time: at 300/s a level would take fifteen times as long as it is to."""
    begun = time.monotonic()
    done = bench("--simulate=latency=50ms", "-c", "1", "--find", "p90=100ms", "--rate", "300", "--duration", "500ms", "--warm-up",
                 "0", "--json")
    told = json.loads(done.out)
    assert told["levels"][0]["ended"] == "behind" and told["levels"][0]["requests"] < 100
    assert told["find"]["rate"] <= 23 and time.monotonic() - begun < 60


def test_its_tables_are_chinese_as_a_whole(bench, tmp_path):
    page = tmp_path / "bench.html"
    done = bench("--simulate=fault=http-503:50%,seed=3", "--rate", "50", "--rows", "100", "--warm-up", "0", "--lang", "zh", "--report",
                 page, code=1)
    lines = done.out.splitlines()
    width = [sum(2 if ord(c) > 0x2e80 else 1 for c in line) for line in lines]
    head = next(i for i, line in enumerate(lines) if "p99.9" in line)
    assert width[head] == len(lines[head + 1].split("  \u4ece")[0])  # the columns end where their heads do
    for text in ("may have been processed", " to a simulator", "each started"):
        assert text not in done.out and text not in page.read_text(encoding="utf-8")
