"""nbatch bench: what it sends, what it says of that, and that nothing is left behind."""
import json
import os
import signal
import subprocess
import time

import pytest
from conftest import NBATCH, wait_for


@pytest.fixture
def bench(nbatch, tmp_path):
    """Runs it with a temporary folder of its own, which must be empty afterwards."""
    (tmp_path / "tmp").mkdir()

    def run(*words, code=0, env=None):
        done = nbatch("bench", *words, env={"TMPDIR": str(tmp_path / "tmp"), **(env or {})})
        assert done.code == code, done
        assert list((tmp_path / "tmp").iterdir()) == []
        return done

    return run


def test_each_level_is_measured_against_the_simulator(bench):
    done = bench("--rows", "300", "--rounds", "2", "--concurrency", "1,16", "--json", "-q", env={"NBATCH_API_KEY": None})
    told = json.loads(done.out)
    assert (told["command"], told["endpoint"], told["rows"], told["rounds"]) == ("bench", None, 300, 2)
    assert [level["concurrency"] for level in told["levels"]] == [1, 16]
    for level in told["levels"]:
        assert level["accepted"] == 300 and level["rows_per_second"] > 0 and level["cpu_us_per_row"] > 0
        latency = level["latency_ms"]
        assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"] * 1.02
    assert done.err == ""


def test_the_table_has_a_line_for_each_level(bench):
    done = bench("--rows", "200", "--rounds", "1", "-c", "2,4,8")
    lines = done.out.splitlines()
    assert lines[0].startswith("200 rows each time, median of 1; a simulator in this process answers; ")
    assert [line.split()[0] for line in lines[3:]] == ["2", "4", "8"]
    assert all(len(line.split()) == 7 for line in lines[3:])


def test_it_sends_to_the_endpoint_what_a_run_would(bench, nginx):
    server = nginx()
    told = json.loads(bench("--endpoint", server.url, "--rows", "200", "--rounds", "3", "--concurrency", "8", "--json").out)
    assert told["endpoint"] == server.url and told["levels"][0]["accepted"] == 200
    requests = [line.split() for line in server.requests()]
    assert len(requests) == 600
    imeis = {request[2].split("imei=")[1].split("&")[0] for request in requests}
    assert len(imeis) == 200 and all(imei.startswith("00") and len(imei) == 15 for imei in imeis)


def test_the_simulator_can_be_set_up(bench):
    """Also: rows that are not accepted are a figure, and the exit status says so."""
    done = bench("--rows", "100", "--rounds", "1", "-c", "4", "--simulate=seed=1,latency=5ms,fault=errno-5106:100%", code=1)
    assert "100 of 100 rows were not accepted" in done.out
    told = json.loads(bench("--rows", "100", "--rounds", "1", "-c", "4", "--simulate=latency=5ms", "--json").out)
    assert told["levels"][0]["latency_ms"]["p50"] >= 5


@pytest.mark.parametrize("words", [["--endpoint", "http://192.0.2.1:1"], ["--endpoint", "https://platform.test"],
                                   ["--endpoint", "http://127.0.0.1:1", "--proxy", "http://192.0.2.1:1"]])
def test_made_up_commands_go_nowhere_unasked(bench, words):
    done = bench(*words, code=2)
    assert "made-up" in done.err and "--yes" in done.err and done.out == ""


def test_the_environments_endpoint_is_not_for_benchmarks(bench):
    env = {"NBATCH_ENDPOINT": "http://192.0.2.1:1", "NBATCH_CONCURRENCY": "7", "NBATCH_ROWS": "5"}
    told = json.loads(bench("--rows", "100", "--rounds", "1", "-c", "2", "--json", env=env).out)
    assert told["endpoint"] is None and told["levels"][0]["accepted"] == 100


@pytest.mark.parametrize("words,text", [
    (["--concurrency", "0"], "must be at most 16 numbers of 1–1024"),
    (["--concurrency", "1,,2"], "must be at most 16 numbers of 1–1024"),
    (["--concurrency", "1,2,"], "must be at most 16 numbers of 1–1024"),
    (["--concurrency", "1025"], "must be at most 16 numbers of 1–1024"),
    (["--concurrency", ",".join(["1"] * 17)], "must be at most 16 numbers of 1–1024"),
    (["--rows", "99"], "must be a whole number of 100–10000000"),
    (["fleet.csv"], "are for --rate or --find"),
    (["--endpoint", "ftp://x"], "only http and https"),
    (["--endpoint", "http://127.0.0.1:1", "--simulate"], "exclude each other"),
])
def test_bad_words_name_the_remedy(bench, words, text):
    assert text in bench(*words, code=2).err


def test_a_platform_that_cannot_be_used_ends_it(bench, nginx):
    server = nginx(status=401, body='{"errno":1,"error":"auth failed"}')
    done = bench("--endpoint", server.url, "--rows", "100", "-c", "2", code=4)
    assert done.out == "" and "refused for the key" in done.err


def test_a_signal_ends_it_and_leaves_nothing(tmp_path):
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([NBATCH, "bench", "--rows", "100000", "-c", "2", "--simulate=latency=20ms"], env=env,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: list(tmp_path.glob("nbatch-bench.*/results.csv")))
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and out == b""
    assert list(tmp_path.iterdir()) == []


def test_a_signal_shows_the_levels_that_were_measured(tmp_path, simulator):
    """The first level takes a tenth of a second, the second one ten."""
    server, folder = simulator("--latency", "100ms"), tmp_path / "tmp"
    folder.mkdir()
    env = {**os.environ, "TMPDIR": str(folder), "NBATCH_API_KEY": "k"}
    process = subprocess.Popen([NBATCH, "bench", "--rows", "100", "-c", "100,1", "--rounds", "2", "--endpoint", server.url,
                                "--json"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: server.audit_path.read_bytes().count(b"\n") > 102)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and b"interrupted; the figures are of what was measured" in err
    told = json.loads(out)
    assert told["rounds"] == 1 and [level["concurrency"] for level in told["levels"]] == [100]
    assert list(folder.iterdir()) == []
