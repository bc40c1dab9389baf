"""What a person types: usage, keys, results files, exit codes."""
import json
import os
import resource
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import HEADER, KEY, NBATCH, imei, read_results, row_of, wait_for


def accept_all(connection, number):
    while request := connection.read_request():
        if not connection.accept(request):
            return


@pytest.mark.parametrize("words,text", [
    ([], "nbatch run FILE"),
    (["fly"], "unknown command fly"),
    (["rnu"], "did you mean nbatch run?"),
    (["run"], "which input?"),
    (["run", "a.csv", "b.csv"], "one input at a time"),
    (["run", "a.csv", "--concurency", "3"], "did you mean --concurrency?"),
    (["run", "a.csv", "--concurrency"], "--concurrency needs a value"),
    (["run", "a.csv", "--concurrency", "0"], "must be a whole number of 1–1024"),
    (["run", "a.csv", "-c", "x"], "must be a whole number"),
    (["run", "a.csv", "--request-timeout", "5"], "must be a duration"),
    (["run", "a.csv", "--json=1"], "takes no value"),
    (["run", "a.csv", "-z"], "unknown option -z"),
    (["run", "a.csv", "--output", ""], "empty"),
    (["run", "-", "--format", "csv"], "--output"),
    (["run", "a.csv", "--endpoint", "nonsense"], "http://"),
    (["run", "a.csv", "--endpoint", "ftp://127.0.0.1"], "only http and https"),
    (["run", "a.csv", "--endpoint", "https://u:p@127.0.0.1"], "user name"),
    (["run", "a.csv", "--endpoint", "https://127.0.0.1/?x=1"], "query"),
    (["run", "a.csv", "--simulate", "--endpoint", "http://127.0.0.1:1"], "exclude each other"),
    (["run", "a.csv", "--api-key-file", "k", "--simulate=seed=1"], "exclude each other"),
    (["simulate", "x.csv"], "reads no input"),
])
def test_usage_errors_name_the_word_and_the_remedy(nbatch, words, text):
    done = nbatch(*words)
    assert done.code == 2, done
    assert text in done.err, done


def test_help_and_version(nbatch):
    for words in (["--help"], ["run", "--help"], ["check", "-h"], ["simulate", "--help"], ["bench", "-h"]):
        done = nbatch(*words)
        assert done.code == 0 and "xamples" in done.out, done
        assert max(map(len, done.out.splitlines())) <= 100
    assert nbatch("--version").out.startswith("nbatch 0.")
    help_text = nbatch("run", "--help").out
    assert "--concurrency" in help_text and "(default: 64)" in help_text


def test_environment_sets_defaults_and_flags_win(nbatch, fleet):
    path = fleet(2)
    done = nbatch("run", path, env={"NBATCH_CONCURRENCY": "zero"})
    assert done.code == 2 and "NBATCH_CONCURRENCY=zero" in done.err
    done = nbatch("check", path, env={"NBATCH_MAX_ROW_BYTES": "70"})
    assert done.code == 0, done
    done = nbatch("check", path, env={"NBATCH_MAX_ROW_BYTES": "64K"})
    assert done.code == 0
    done = nbatch("check", path, "--format", "jsonl", env={"NBATCH_FORMAT": "csv"})
    assert done.code == 3


def test_an_endpoint_in_the_environment_does_not_hinder_a_rehearsal(nbatch, fleet):
    done = nbatch("run", fleet(1), "--simulate", env={"NBATCH_ENDPOINT": "http://127.0.0.1:1"})
    assert done.code == 0, done


def test_an_existing_results_file_is_refused_and_left_alone(nbatch, fleet, raw_peer):
    peer = raw_peer(accept_all)
    path = fleet(3)
    results = path.with_suffix(".results.csv")
    results.write_text("precious")
    done = nbatch("run", path, "--endpoint", peer.url)
    assert done.code == 2 and "exists already" in done.err and str(results) in done.err
    assert results.read_text() == "precious"
    assert peer.processed == []


def test_an_unwritable_results_path(nbatch, fleet, raw_peer):
    peer = raw_peer(accept_all)
    done = nbatch("run", fleet(1), "--endpoint", peer.url, "-o", "nowhere/results.csv")
    assert done.code == 7 and "nowhere/results.csv" in done.err
    assert peer.processed == []


def test_a_full_disk_ends_the_run_with_7_and_drains(fleet, raw_peer):
    peer = raw_peer(accept_all)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([NBATCH, "run", str(fleet(20000)), "--endpoint", peer.url, "-o", "-"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=120, check=False,
                              env={**os.environ, "NBATCH_API_KEY": KEY})
    assert done.returncode == 7, done.stderr
    assert "No space left on device" in done.stderr
    assert len(peer.processed) < 20000


def test_write_errors_stop_the_run(nbatch, fleet, raw_peer):
    """The file size limit makes write(2) fail in the middle of the run; the journal, which is larger at first, fits."""
    peer = raw_peer(accept_all)
    path = fleet(9000)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))

    done = subprocess.run([NBATCH, "run", str(path), "--endpoint", peer.url, "-c", "8"], capture_output=True, text=True,
                          env={**os.environ, "NBATCH_API_KEY": KEY}, preexec_fn=limit, timeout=120, check=False)
    assert done.returncode == 7, done.stderr
    assert "File too large" in done.stderr and "--resume" in done.stderr
    assert 5000 < len(peer.processed) < 9000
    assert nbatch("run", path, "--endpoint", peer.url, "--resume").code == 0
    assert len(peer.processed) == 9000  # none twice


def test_results_to_a_closed_pipe_end_with_7(fleet, raw_peer):
    peer = raw_peer(accept_all)
    process = subprocess.Popen([NBATCH, "run", str(fleet(3000)), "--endpoint", peer.url, "-o", "-"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "NBATCH_API_KEY": KEY})
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=60) == 7, err
    assert "standard output" in err


def test_results_on_standard_output_are_csv_alone(nbatch, fleet, raw_peer):
    peer = raw_peer(accept_all)
    done = nbatch("run", fleet(5), "--endpoint", peer.url, "-o", "-")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith("row,line,key,imei,status") and len(lines) == 6
    done = nbatch("run", fleet(5), "--endpoint", peer.url, "-o", "-", "--json")
    assert done.code == 2


def test_json_summary(nbatch, fleet, raw_peer):
    peer = raw_peer(accept_all)
    done = nbatch("run", fleet(5), "--endpoint", peer.url, "--json", "-q")
    assert done.code == 0 and done.err == ""
    summary = json.loads(done.out)
    assert summary["rows"] == summary["accepted"] == 5
    assert summary["exit_status"] == 0
    assert set(summary["latency_ms"]) == {"p50", "p90", "p99", "max"}


def test_every_column_is_filled_in(nbatch, fleet, raw_peer):
    peer = raw_peer(accept_all)
    path = fleet(3)
    assert nbatch("run", path, "--endpoint", peer.url).code == 0
    rows = read_results(path.with_suffix(".results.csv"))
    assert sorted(row["imei"] for row in rows) == sorted(imei(i) for i in (1, 2, 3))
    for row in rows:
        assert int(row["line"]) == int(row["row"]) + 1
        assert len(row["key"]) == 18 and row["key"].endswith("-1")
        assert (row["status"], row["errno"], row["error"], row["http_status"]) == ("accepted", "0", "", "200")
        assert (row["attempts"], row["ambiguous"]) == ("1", "0")
        assert len(row["uuid"]) == 36
        assert float(row["latency_ms"]) > 0
        assert row["finished_at"].endswith("Z") and len(row["finished_at"]) == 24


def test_equal_rows_have_one_hash_and_their_own_number(nbatch, tmp_path, raw_peer):
    peer = raw_peer(accept_all)
    path = tmp_path / "in.csv"
    path.write_text(HEADER + row_of(1) + row_of(2) + row_of(1) + row_of(1))
    assert nbatch("run", path, "--endpoint", peer.url).code == 0
    keys = {int(row["row"]): row["key"] for row in read_results(tmp_path / "in.results.csv")}
    base = keys[1][:-1]
    assert keys[1] == base + "1" and keys[3] == base + "2" and keys[4] == base + "3"
    assert not keys[2].startswith(base)


def test_a_row_that_cannot_be_read_keeps_its_key_on_another_line(nbatch, tmp_path, raw_peer):
    peer = raw_peer(accept_all)
    keys = []
    for name, rows in (("a.csv", ["x" * 400 + "\n", row_of(1)]), ("b.csv", [row_of(1), row_of(2), "x" * 400 + "\n"])):
        (tmp_path / name).write_text(HEADER + "".join(rows))
        nbatch("run", name, "--endpoint", peer.url, "--skip-invalid", "--max-row-bytes", "200")
        rows = read_results(tmp_path / name.replace(".csv", ".results.csv"))
        keys.append([row["key"] for row in rows if row["status"] == "invalid"])
    assert len(keys[0]) == 1 and keys[0] == keys[1]


def test_skip_invalid_sends_the_others_and_records_all(nbatch, tmp_path, raw_peer):
    peer = raw_peer(accept_all)
    path = tmp_path / "in.csv"
    path.write_text(HEADER + row_of(1) + row_of(2).replace(",2,", ",5,") + "short,row\n" + row_of(4))
    done = nbatch("run", path, "--endpoint", peer.url, "--skip-invalid")
    assert done.code == 1, done
    rows = {int(row["row"]): row for row in read_results(tmp_path / "in.results.csv")}
    assert [rows[i]["status"] for i in (1, 2, 3, 4)] == ["accepted", "invalid", "invalid", "accepted"]
    assert "5 is outside 1–2 [E-RANGE]" in rows[2]["error"] and rows[2]["attempts"] == "0"
    assert rows[2]["imei"] == imei(2) and rows[2]["latency_ms"] == ""
    assert len(peer.processed) == 2


def test_commands_for_one_device_go_in_file_order_one_at_a_time(nbatch, tmp_path, raw_peer):
    """40 devices x 8 rows, shuffled; the peer notes when each command comes and goes."""
    import random
    import re
    lock = threading.Lock()
    busy, order = set(), {}

    def script(connection, number):
        while request := connection.read_request():
            device = re.search(r"imei=(\d+)", request.target).group(1)
            value = int(re.search(rb'"val":(\d+)', request.body).group(1))
            with lock:
                assert device not in busy, "two commands for one device at the same time"
                busy.add(device)
                order.setdefault(device, []).append(value)
            time.sleep(random.random() * 0.004)
            with lock:
                busy.discard(device)
            if not connection.accept(request):
                return

    rows = [(device, turn) for device in range(40) for turn in range(8)]
    random.Random(11).shuffle(rows)
    expected = {}
    path = tmp_path / "in.csv"
    with open(path, "w", encoding="utf-8") as f:
        f.write(HEADER)
        for value, (device, _) in enumerate(rows):
            f.write(row_of(device, value))
            expected.setdefault(imei(device), []).append(value)
    done = nbatch("run", path, "--endpoint", raw_peer(script).url, "-c", "64")
    assert done.code == 0, done
    assert order == expected


def test_a_pipe_is_read_row_by_row_while_rows_are_in_flight(raw_peer, tmp_path):
    """The first row must have been sent before the second one is written."""
    peer = raw_peer(accept_all)
    out = tmp_path / "out.csv"
    process = subprocess.Popen([NBATCH, "run", "-", "--format", "csv", "-o", str(out), "--endpoint", peer.url],
                               stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "NBATCH_API_KEY": KEY})
    text = (HEADER + row_of(1)).encode()
    for byte in (text[:10], text[10:40], text[40:]):
        process.stdin.write(byte)
        process.stdin.flush()
        time.sleep(0.05)
    wait_for(lambda: peer.processed)
    assert len(peer.processed) == 1
    process.stdin.write((row_of(2).replace(",2,", ",7,") + row_of(3)).encode())
    process.stdin.close()
    assert process.wait(timeout=60) == 1
    process.stderr.close()
    assert [row["status"] for row in sorted(read_results(out), key=lambda r: int(r["row"]))] == [
        "accepted", "invalid", "accepted"]


def test_a_pipe_with_a_bad_header_sends_nothing(nbatch, raw_peer):
    peer = raw_peer(accept_all)
    done = nbatch("run", "-", "--format", "csv", "-o", "out.csv", "--endpoint", peer.url, stdin="imei,what\n1,2\n")
    assert done.code == 3 and "nothing was sent" in done.err


def test_redirected_standard_input_is_checked_whole_first(fleet, tmp_path, raw_peer):
    peer = raw_peer(accept_all)
    path = fleet(3)
    with open(path, "a", encoding="utf-8") as f:
        f.write(row_of(4).replace(",2,", ",9,"))
    with open(path, "rb") as f:
        done = subprocess.run([NBATCH, "run", "-", "--format", "csv", "-o", str(tmp_path / "o.csv"), "--endpoint", peer.url],
                              stdin=f, capture_output=True, check=False, env={**os.environ, "NBATCH_API_KEY": KEY})
    assert done.returncode == 3
    assert peer.processed == []


# ---- keys


def test_a_missing_key_says_how_to_give_one(nbatch, fleet, raw_peer):
    peer = raw_peer(accept_all)
    done = nbatch("run", fleet(1), "--endpoint", peer.url, env={"NBATCH_API_KEY": None})
    assert done.code == 4
    assert "--api-key-file" in done.err and "NBATCH_API_KEY" in done.err


@pytest.mark.parametrize("content,mode,text", [
    (b"", 0o600, "empty"), (b"\n", 0o600, "empty"), (b"two\nlines", 0o600, "line break"), (b"cr\r\n", 0o600, "line break"),
    (b"nul\0", 0o600, "line break"), (b"good", 0o640, "chmod 600"), (b"good", 0o604, "chmod 600"),
    (b"x" * 5000, 0o600, "too large"),
])
def test_key_files_that_are_refused(nbatch, fleet, tmp_path, content, mode, text):
    key = tmp_path / "key"
    key.write_bytes(content)
    key.chmod(mode)
    done = nbatch("run", fleet(1), "--endpoint", "http://127.0.0.1:1", "--api-key-file", key)
    assert done.code == 4, done
    assert text in done.err and str(key) in done.err
    assert "good" not in done.err


def test_a_key_file_that_is_no_file(nbatch, fleet, tmp_path):
    done = nbatch("run", fleet(1), "--endpoint", "http://127.0.0.1:1", "--api-key-file", tmp_path)
    assert done.code == 4 and "not a regular file" in done.err
    done = nbatch("run", fleet(1), "--endpoint", "http://127.0.0.1:1", "--api-key-file", "nokey")
    assert done.code == 4 and "No such file" in done.err


def test_the_key_file_and_the_systemd_credential_are_used(nbatch, fleet, tmp_path, raw_peer):
    peer = raw_peer(accept_all)
    key = tmp_path / "api-key"
    key.write_text("key-from-file\n")
    key.chmod(0o600)
    assert nbatch("run", fleet(1), "--endpoint", peer.url, "--api-key-file", key, "-o", "a.csv").code == 0
    key.chmod(0o440)
    assert nbatch("run", fleet(1), "--endpoint", peer.url, "-o", "b.csv",
                  env={"NBATCH_API_KEY": None, "CREDENTIALS_DIRECTORY": str(tmp_path)}).code == 0
    assert [request.headers["api-key"] for request in peer.processed] == ["key-from-file"] * 2


def test_the_key_appears_nowhere(nbatch, fleet, tmp_path, raw_peer):
    peer = raw_peer(lambda connection, number: (connection.read_request(), connection.close()))
    path = fleet(5)
    done = nbatch("run", path, "--endpoint", peer.url, "--json", "--outage-wait", "1s")
    assert KEY not in done.out + done.err
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes()


@pytest.mark.parametrize("words", [["check"], ["run", "--simulate"], ["run", "--endpoint", "http://127.0.0.1:1"]], ids=["check", "rehearsal", "run"])
@pytest.mark.parametrize("variable", ["NBATCH_API_KEY", "NBATCH_ACCESS_KEY", "OTHER"])
def test_a_key_that_nobody_asks_for_is_in_no_core_either(tmp_path, words, variable):
    """From the start on: it is in the environment. Negative control: another variable changes no limit."""
    if variable == "OTHER" and "--endpoint" in words:
        pytest.skip("a run wants a key, and protects itself before it looks for one")
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    if hard == 0:
        pytest.skip("no process here leaves a core")
    os.mkfifo(tmp_path / "in.csv")
    with subprocess.Popen([NBATCH, words[0], "in.csv", *words[1:]], cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)),
                          env={"PATH": os.environ["PATH"], "ASAN_OPTIONS": "disable_coredump=0", variable: KEY}) as process:
        writer = os.open(tmp_path / "in.csv", os.O_WRONLY)  # it reads: no input has come yet
        line = next(line for line in Path(f"/proc/{process.pid}/limits").read_text().splitlines() if line.startswith("Max core file size"))
        process.kill()
        os.close(writer)
    assert (line.split()[4] == "0") == (variable != "OTHER"), line


def test_the_running_process_hides_the_key(fleet, raw_peer):
    """Not in its arguments, not in its environment, no core file, not dumpable."""
    started = threading.Event()
    release = threading.Event()

    def script(connection, number):
        request = connection.read_request()
        started.set()
        release.wait(60)
        connection.accept(request)

    peer = raw_peer(script)
    process = subprocess.Popen([NBATCH, "run", str(fleet(1)), "--endpoint", peer.url], stderr=subprocess.PIPE,
                               env={**os.environ, "NBATCH_API_KEY": KEY})
    try:
        assert started.wait(60)
        proc = f"/proc/{process.pid}"
        with open(f"{proc}/cmdline", "rb") as f:
            assert KEY.encode() not in f.read()
        try:
            with open(f"{proc}/environ", "rb") as f:
                assert KEY.encode() not in f.read()
        except PermissionError:
            pass  # not even readable: dumpable is off
        with open(f"{proc}/limits", encoding="utf-8") as f:
            core = next(line for line in f if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
        assert os.stat(f"{proc}/environ").st_uid == 0
    finally:
        release.set()
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_plain_http_to_another_machine_needs_to_be_said(nbatch, fleet):
    done = nbatch("run", fleet(1), "--endpoint", "http://192.0.2.1")
    assert done.code == 4 and "--insecure-http" in done.err


def test_tls_secrets_are_not_logged(nbatch, fleet, tmp_path, raw_peer):
    secrets = tmp_path / "secrets"
    peer = raw_peer(accept_all)
    peer.url = peer.url.replace("http:", "https:")
    nbatch("run", fleet(1), "--endpoint", peer.url, "--request-timeout", "500ms", "--max-attempts", 1, env={"SSLKEYLOGFILE": str(secrets)})
    assert not secrets.exists()
