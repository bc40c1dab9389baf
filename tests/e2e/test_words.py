"""What people are told, and the files that they get: faults that testers found, each as a promise."""
import json
import os
import resource
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import NBATCH, read_results
from peers import answering


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def all_outputs(nbatch, tmp_path, umask=0o022, **options):
    """A run that writes whatever it can; the files that it has made."""
    before = set(tmp_path.iterdir())
    given = os.umask(umask)
    try:
        done = nbatch("run", "fleet.csv", "--simulate", "-o", "r.csv", "--report", "r.html", "--log", "r.jsonl",
                      "--problems", "p.csv", "--metrics-file", "m.prom", **options)
    finally:
        os.umask(given)
    assert done.code == 0, done
    return {path.name: path for path in set(tmp_path.iterdir()) - before}


@pytest.mark.parametrize("mode,wanted", [(0o600, 0o600), (0o640, 0o640), (0o644, 0o644)])
def test_nobody_may_read_what_a_run_writes_who_may_not_read_its_input(nbatch, fleet, tmp_path, mode, wanted):
    """0644 is the negative control: it is the input's mode that narrows the others."""
    fleet(3).chmod(mode)
    made = all_outputs(nbatch, tmp_path)
    assert set(made) == {"r.csv", "r.csv.complete", "r.html", "r.jsonl", "p.csv", "m.prom"}
    assert {name: mode_of(made[name]) for name in ("r.csv", "r.html", "r.jsonl", "p.csv")} == dict.fromkeys(
        ("r.csv", "r.html", "r.jsonl", "p.csv"), wanted)
    assert mode_of(made["m.prom"]) == 0o644  # for node_exporter, and without a row
    done = nbatch("check", "fleet.csv", "--split-valid", "good.csv")
    assert done.code == 0 and mode_of(tmp_path / "good.csv") == wanted
    assert nbatch("report", "r.csv", "-o", "later.html").code == 0 and mode_of(tmp_path / "later.html") == wanted


def test_a_umask_that_is_narrower_stays(nbatch, fleet, tmp_path):
    fleet(3)
    assert {mode_of(path) for path in all_outputs(nbatch, tmp_path, umask=0o077).values()} == {0o600}


def superseded(nbatch, fleet, tmp_path):
    """Results whose sort has a line to put aside; what --sort then says."""
    fleet(3)
    assert nbatch("run", "fleet.csv", "--simulate=fault=errno-5106:100%", "-o", "r.csv").code == 1
    (tmp_path / "r.csv").chmod(0o600)
    return lambda: nbatch("run", "fleet.csv", "--simulate", "-o", "r.csv", "--resume=rejected", "--sort")


def test_replaced_lines_are_as_private_as_the_results(nbatch, fleet, tmp_path):
    done = superseded(nbatch, fleet, tmp_path)()
    assert done.code == 0 and len(read_results(tmp_path / "r.superseded.csv")) == 3, done
    assert mode_of(tmp_path / "r.superseded.csv") == mode_of(tmp_path / "r.csv") == 0o600


@pytest.mark.parametrize("plant", [
    lambda path, other: path.symlink_to(other), lambda path, other: path.hardlink_to(other), lambda path, _: os.mkfifo(path),
], ids=["link", "hard-link", "fifo"])
def test_nothing_is_written_through_a_planted_name(nbatch, fleet, tmp_path, plant):
    sort = superseded(nbatch, fleet, tmp_path)
    (tmp_path / "other").write_text("keep me\n")
    plant(tmp_path / "r.superseded.csv", tmp_path / "other")
    done = sort()
    assert done.code == 7 and "superseded" in done.err, done
    assert (tmp_path / "other").read_text() == "keep me\n"
    (tmp_path / "r.superseded.csv").unlink()
    done = sort()
    assert done.code == 0, done
    assert [row["status"] for row in read_results(tmp_path / "r.csv")] == ["accepted"] * 3


def test_metrics_and_pages_have_no_name_that_can_be_planted(fleet, tmp_path):
    """Each file that is written has no name before it is whole, so that a death leaves nothing either."""
    fleet(3)
    trace = tmp_path / "trace"
    done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=openat,linkat,rename,renameat,renameat2", "-o", trace, NBATCH, "run", "fleet.csv",
                           "--simulate", "--report", "r.html", "--metrics-file", "m.prom"], cwd=tmp_path, capture_output=True,
                          text=True, check=False, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == 0, done.stderr
    calls = trace.read_text().splitlines()
    assert not [call for call in calls if ".part" in call and "openat(" in call], "opened by a name"
    assert any("O_TMPFILE" in call for call in calls) and any(".part" in call and "rename" in call for call in calls)
    assert not [path for path in tmp_path.iterdir() if ".part" in path.name]


def test_results_that_excel_has_saved_again_are_the_same_results(nbatch, fleet, tmp_path):
    fleet(4)
    assert nbatch("run", "fleet.csv", "--simulate=fault=errno-5106:40%,seed=3", "-o", "r.csv").code == 1
    rows = read_results(tmp_path / "r.csv")
    for row in rows:  # a number loses its last zeros
        row["latency_ms"] = row["latency_ms"].rstrip("0").rstrip(".") or "0"
    text = "".join(",".join(row.values()) + "\r\n" for row in [dict(zip(rows[0], rows[0])), *rows])
    (tmp_path / "r.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    done = nbatch("report", "r.csv", "-o", "r.html")
    assert done.code == 0, done
    done = nbatch("run", "fleet.csv", "--simulate", "-o", "r.csv", "--resume=rejected", "--sort")
    assert done.code == 0 and "all 4 rows were accepted" in done.err, done
    with open(tmp_path / "r.csv", encoding="utf-8-sig") as file:
        assert len(file.read().splitlines()) == 5


def test_results_that_were_changed_are_refused(nbatch, fleet, tmp_path):
    """Negative control: a line end of a spreadsheet is let pass, and nothing else."""
    fleet(2)
    assert nbatch("run", "fleet.csv", "--simulate", "-o", "r.csv").code == 0
    good = (tmp_path / "r.csv").read_text()
    for text in (good.replace(",accepted,", ",Accepted,"), good.replace("row,line", "line,row"), good.replace("\n", "\r\r\n"),
                 good.replace(",imei,", ";imei;")):
        (tmp_path / "r.csv").write_text(text, newline="")
        assert nbatch("run", "fleet.csv", "--simulate", "-o", "r.csv", "--resume").code == 7


@pytest.mark.parametrize("name", ["x.csv.gz", "x.xlsx", "X.XLSX", "x.json", "x.html"])
def test_a_name_that_promises_another_form_is_refused(nbatch, fleet, tmp_path, name):
    done = nbatch("run", fleet(1), "--simulate", "-o", name)
    assert done.code == 2 and name in done.err and ".jsonl" in done.err and not (tmp_path / name).exists(), done


@pytest.mark.parametrize("options,what", [
    (["-o", "r.csv", "--log", "./r.csv"], "the results and --log"),
    (["-o", "r.csv", "--report", "r.csv"], "the results and --report"),
    (["-o", "r.csv", "--metrics-file", "m", "--problems", "m"], "--metrics-file and --problems"),
    (["-o", "r.csv", "--report", "fleet.csv"], "the input and --report"),
])
def test_two_outputs_are_never_one_file(nbatch, fleet, tmp_path, options, what):
    fleet(1)
    done = nbatch("run", "fleet.csv", "--simulate", *options)
    assert done.code == 2 and f"{what} are the same file" in done.err, done
    assert [path.name for path in tmp_path.iterdir()] == ["fleet.csv"]


def test_json_is_json_whatever_the_file_is_called(fleet, tmp_path):
    name = b"fl\xffeet \xe4\xb8.csv"
    os.rename(fleet(2), os.fsencode(tmp_path) + b"/" + name)
    words = [NBATCH, b"run", name, b"--simulate", b"--json", b"--log", b"log.jsonl", b"-o", b"r.csv"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0 and json.loads(done.stdout.decode())["input"] == "fl\ufffdeet \ufffd\ufffd.csv", done.stderr
    events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_bytes().decode().splitlines()]
    assert events[0]["input"] == "fl\ufffdeet \ufffd\ufffd.csv"


def test_a_reason_is_cut_between_characters(nbatch, fleet, raw_peer):
    body = '{"errno":4711,"error":"x%s"}' % ("设备不存在" * 30)
    done = nbatch("run", fleet(1), "--endpoint", raw_peer(answering({0: ("200 OK", body.encode())})).url, "--json", text=False)
    assert done.code == 1
    json.loads(done.out.decode())
    done.err.decode()


def test_a_long_retry_after_is_told(nbatch, fleet, raw_peer):
    def script(connection, _number):
        while connection.read_request() is not None:
            connection.sock.sendall(b"HTTP/1.1 503 Busy\r\nRetry-After: 7200\r\nContent-Length: 0\r\n\r\n")
    done = nbatch("run", fleet(1), "--endpoint", raw_peer(script).url, "-o", "r.csv")
    assert done.code == 1 and "it asks to wait 2h, longer than a row waits" in " ".join(done.err.split()), done


@pytest.mark.parametrize("value", ["31536000", "99999999999999999999", "Sat, 28 Nov 2099 00:00:00 GMT"])
def test_no_row_is_lost_to_an_absurd_retry_after(nbatch, fleet, raw_peer, tmp_path, value):
    """Over a day counts as none, and the row has its attempts; the test above is the negative control."""
    def script(connection, number):
        while connection.read_request() is not None:
            connection.sock.sendall(f"HTTP/1.1 503 Busy\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n".encode())
    done = nbatch("run", fleet(1), "--endpoint", raw_peer(script).url, "-o", "r.csv", "--max-attempts", "3", "--retry-delay", "1ms")
    [row] = read_results(tmp_path / "r.csv")
    assert done.code == 1 and row["attempts"] == "3" and "asks to wait" not in row["error"], row


@pytest.mark.parametrize("name,nearest", [("NBATCH_RAET", "NBATCH_RATE"), ("NBATCH_APIKEY", "NBATCH_API_KEY"),
                                          ("NBATCH_CONCURENCY", "NBATCH_CONCURRENCY")])
def test_a_variable_that_is_misspelled_is_refused(nbatch, fleet, name, nearest):
    done = nbatch("check", fleet(1), env={name: "1"})
    assert done.code == 2 and f"{name}, which is no variable of nbatch: did you mean {nearest}?" in done.err, done


@pytest.mark.parametrize("name", ["NBATCH_RATE", "NBATCH_API_KEY", "NBATCH_FAULT", "NBATCH_UNGUARDED", "NBATCH_COUNTS", "NBATCHRAET", "NBATCH_"])
def test_other_variables_are_nobodys_business(nbatch, fleet, name):
    """Negative control: variables that are right, of another command, or of somebody else."""
    assert nbatch("check", fleet(1), env={name: "1/s"}).code == 0


def test_an_input_that_cannot_be_read_is_told_before_the_key(nbatch, tmp_path):
    (tmp_path / "fleet.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))
    for name in ("nothing.csv", "fleet.xls"):
        done = nbatch("run", name, env={"NBATCH_API_KEY": None})
        assert name in done.err and "key" not in done.err, done


def test_too_few_threads_are_told():
    """As somebody without privileges, whom the limit holds."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o777)
        shutil.copy(NBATCH, folder / "nbatch")
        (folder / "in.csv").write_text("imei,obj_id,obj_inst_id,mode,expired_time,res:5850\n860000000000009,3311,0,2,+7d,1\n")

        def run(limit):
            def limited():
                os.setgid(65534)
                os.setuid(65534)
                resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
            return subprocess.run([folder / "nbatch", "run", "in.csv", "--simulate"], cwd=folder, capture_output=True, text=True,
                                  check=False, preexec_fn=limited, env={"ASAN_OPTIONS": "detect_leaks=0"})
        done = run(1)
        assert done.returncode == 4 and "threads" in done.stderr and "ulimit -u" in done.stderr, done
        assert run(4096).returncode == 0
    finally:
        shutil.rmtree(folder)


def test_an_endpoint_that_is_never_reached_is_told_at_once(nbatch, fleet):
    """Also with --quiet; how long it lasts is held in virtual time (tests/engine)."""
    done = nbatch("run", fleet(99), "--endpoint", "http://127.0.0.1:9", "--outage-wait", "300ms", "-q")
    assert done.code == 4 and "the endpoint cannot be reached (not sent: " in done.err and "at most" in done.err, done


def escape_in(word):
    return ["run", word], ["check", word], ["run", "fleet.csv", "--simulate", "-o", word, "--resume"], ["report", word], [word]


@pytest.mark.parametrize("words", [
    *escape_in("\x1b[31mred"), ["run", "fleet.csv", "--simulate", "--log", "\x1b[31mred/x"], ["run", "fleet.csv", "--\x1b[31mred"],
    ["run", "fleet.csv", "--simulate=\x1b[31mred"], ["run", "fleet.csv", "--rate", "\x1b[31mred"], ["help", "\x1b[31mred"],
    ["run", "fleet.csv", "--endpoint", "http://\x1b[31mred"], ["run", "fleet.csv", "--config", "\x1b[31mred"],
    ["run", "fleet.csv", "--map", "imei=\x1b[31mred", "--simulate"], ["check", "fleet.csv", "--pass", "\x1b[31mred"],
    ["run", "fleet.csv", "--api-key-file", "\x1b[31mred"], ["run", "fleet.csv", "--cacert", "\x1b[31mred"],
    ["run", "fleet.csv", "--simulate", "--report", "\x1b[31mred/x"], ["check", "fleet.csv", "--problems", "\x1b[31mred/x"],
    ["run", "fleet.csv", "--proxy", "\x1b[31mred://x"], ["run", "fleet.csv", "--resolve", "\x1b[31mred"],
    ["run", "\x1b[31mred.csv", "--simulate"], ["check", "\x1b[31mred.csv"],
])
def test_no_argument_or_name_reaches_a_terminal_raw(nbatch, fleet, words):
    fleet(1)
    fleet(1, name="\x1b[31mred.csv")
    done = nbatch(*words)
    assert "\x1b" not in done.err + done.out and "red" in done.err + done.out, done


@pytest.mark.parametrize("words,said", [
    (["version"], "nbatch 0."), (["help"], "Commands:"), (["help", "help"], "Commands:"), (["help", "-h"], "Commands:"),
    (["help", "run"], "nbatch run [options] INPUT"), (["help", "resume"], "--resume[="), (["help", "--resume"], "--resume[="),
    (["help", "concurrency"], "nbatch bench\n"), (["help", "e-imei"], "E-IMEI: a problem of an input\n"), (["help", "5106"], "UNSUCESS"),
])
def test_what_a_stranger_types_works(nbatch, words, said):
    done = nbatch(*words)
    assert done.code == 0 and said in done.out and done.err == "", done


@pytest.mark.parametrize("words,said", [
    (["send", "fleet.csv"], "did you mean nbatch run FILE?"), (["validate"], "did you mean nbatch check FILE?"),
    (["CHECK"], "did you mean nbatch check FILE?"), (["man"], "did you mean nbatch help man?"),
    (["chek"], "did you mean nbatch check?"), (["-v"], "nbatch run FILE -v"), (["--simulate", "x.csv"], "nbatch run FILE --simulate"),
    (["fleet.csv"], "nbatch run fleet.csv, or nbatch check fleet.csv"), (["help", "nothing"], "nbatch help rate"),
    (["help", "run", "check"], "explains one command"), (["frobnicate"], "nbatch --help lists them"),
])
def test_what_does_not_work_says_what_to_type(nbatch, fleet, words, said):
    fleet(1)
    done = nbatch(*words)
    assert done.code == 2 and said in done.err and done.out == "" and len(done.err.splitlines()) == 1, done


def test_help_can_be_read_through_a_pipe(tmp_path):
    """A pager that is left early is no failure to speak of."""
    done = subprocess.run(f"{NBATCH} run --help | head -n 1; {NBATCH} help | less -FX | wc -l", shell=True, cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    assert done.stdout.startswith("nbatch run [options] INPUT\n") and "nbatch:" not in done.stderr


def test_a_command_to_paste_protects_a_name_that_begins_like_an_option(nbatch, fleet, tmp_path):
    """What is shown can be pasted: ./-d.csv. Negative control: as it was typed, without --, it is refused."""
    text = fleet(2, "-d.csv").read_text()
    (tmp_path / "-s.csv").write_text(text.replace(",", ";"))
    assert nbatch("check", "-d.csv").code == 2
    shown = nbatch("check", "--fix", "--", "-s.csv").out
    assert " check ./-s.csv " in shown and subprocess.run(shown, shell=True, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    done = nbatch("run", "--endpoint", "http://127.0.0.1:1", "--outage-wait", "1s", "--", "-d.csv")
    assert done.code == 4 and done.err.rstrip().endswith(" ./-d.csv"), done
