"""A file that changes under the run: what leaves is what was checked, and nothing else. The oracle is the platform's audit."""
import gzip
import hashlib
import io
import json
import mmap
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import HEADER, KEY, NBATCH, UNGUARDED, imei, read_results
from test_formats import pack_zstd
from workbooks import write_book

UNVERIFIED = str(Path(UNGUARDED).with_name("nbatch-unverified"))
ROWS = 12000
IMEIS = [imei(i) for i in range(ROWS)]
# Text that does not compress to less than what is read ahead.
VALUES = [hashlib.sha256(number.encode()).hexdigest() for number in IMEIS]


def csv_text(mode, rows=ROWS):
    return HEADER + "".join(f"{number},3311,0,{mode},+7d,x{value}\n"
                            for number, value in zip(IMEIS[:rows], VALUES))


def jsonl_text(mode, rows=ROWS):
    return "".join(json.dumps({"imei": number, "obj_id": 3311, "obj_inst_id": 0, "mode": mode, "expired_time": "+7d",
                               "data": [{"res_id": 5850, "val": value}]}) + "\n"
                   for number, value in zip(IMEIS[:rows], VALUES))


def workbook_bytes(mode):
    out = io.BytesIO()
    write_book(out, [HEADER.strip().split(","), *([int(number), 3311, 0, mode, "+7d", f"x{value}"]
                                                  for number, value in zip(IMEIS, VALUES))])
    return out.getvalue()


FORMS = {
    "f.csv": lambda mode: csv_text(mode).encode(),
    "f.jsonl": lambda mode: jsonl_text(mode).encode(),
    "f.csv.gz": lambda mode: gzip.compress(csv_text(mode).encode(), 1),
    "f.jsonl.zst": lambda mode: pack_zstd(jsonl_text(mode).encode()),
    "f.xlsx": workbook_bytes,
    "utf16.csv": lambda mode: ("\ufeff" + csv_text(mode)).encode("utf-16-le"),
    "bom.csv": lambda mode: ("\ufeff" + csv_text(mode)).encode(),
}


class Running:
    """A run that is under way."""

    def __init__(self, path, url, *words, binary=NBATCH, stdin=None):
        self.out = path.parent / "out.csv"
        env = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_") and "proxy" not in k.lower()}
        self.process = subprocess.Popen([binary, "run", "-" if stdin else str(path), "--endpoint", url, "-o", str(self.out),
                                         *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=stdin,
                                        env={**env, "NBATCH_API_KEY": KEY}, cwd=path.parent)

    def wait_for_rows(self, count):
        end = time.monotonic() + 120
        while not self.out.exists() or self.out.read_bytes().count(b"\n") <= count:
            assert self.process.poll() is None and time.monotonic() < end, self.process.communicate()
            time.sleep(0.01)

    def end(self):
        self.stdout, self.err = self.process.communicate(timeout=300)
        self.code = self.process.returncode
        return self

    def __repr__(self):
        return f"exit {self.code}\n{self.err[-3000:]}"


CANARY = ["--canary", "5:2s"]
SEEN = ["--canary", "5:60s"]  # a change that is seen in the pause ends it
RATE = ["--rate", "3000/s"]


def modes_of(audit):
    return {call["target"].rsplit("mode=", 1)[1] for call in audit}


def assert_stopped(run, sim, path, original, sent_before):
    """Nothing of the change left, it is told, and the run goes on with the file as it was."""
    assert run.code == 3 and f"input changed: {path}" in run.err and "--resume" in run.err, run
    rows = read_results(run.out)
    assert len(rows) >= sent_before and {row["status"] for row in rows} == {"accepted"}
    path.write_bytes(original)
    again = Running(path, sim.url, "--resume").end()
    assert again.code == 0 and f"{ROWS:,} of {ROWS:,} rows accounted for" in again.err, again
    audit = sim.audit()
    assert modes_of(audit) == {"2"}
    assert sorted(call["imei"] for call in audit) == sorted(IMEIS)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("words, rows", [(SEEN, 5), (RATE, 500)], ids=["canary", "rate"])
def test_a_file_that_is_rewritten_in_place_stops_the_run(tmp_path, simulator, name, words, rows):
    path, sim = tmp_path / name, simulator()
    original, other = FORMS[name](2), FORMS[name](1)
    path.write_bytes(original)
    run = Running(path, sim.url, *words)
    run.wait_for_rows(rows)
    path.write_bytes(other)
    assert_stopped(run.end(), sim, path, original, rows)


def in_place(path, at, new):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(new)


def by_mmap(path, at, new):
    """As a memory-mapped editor does, with the time as it was."""
    about = path.stat()
    with open(path, "r+b") as f, mmap.mmap(f.fileno(), 0) as memory:
        memory[at:at + len(new)] = new
        memory.flush()
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def mode_at(path, row):
    """Where the mode of this row is in the file."""
    return path.read_bytes().index(f"{IMEIS[row]},3311,0,2".encode()) + len(IMEIS[row]) + len(",3311,0,")


CHANGES = {
    "cut to nothing": lambda path: os.truncate(path, 0),
    "cut short": lambda path: os.truncate(path, path.stat().st_size - 100),
    "cut at a row": lambda path: os.truncate(path, path.read_bytes().index(IMEIS[11000].encode())),
    "written anew": lambda path: path.write_text(csv_text(1)),
    "exported again, shorter": lambda path: path.write_text(csv_text(1, 6000)),
    "one byte": lambda path: in_place(path, mode_at(path, 9000), b"1"),
    "one byte, unseen": lambda path: by_mmap(path, mode_at(path, 9000), b"1"),
    "the last row": lambda path: in_place(path, mode_at(path, ROWS - 1), b"1"),
    "a line too many in the middle": lambda path: path.write_text(
        csv_text(2).replace(IMEIS[8000], IMEIS[8000] + ",3311,0,1,+7d,1\n" + IMEIS[8000])),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_way_to_write_to_a_file_is_noticed(tmp_path, simulator, change):
    path, sim = tmp_path / "f.csv", simulator()
    path.write_text(csv_text(2))
    original = path.read_bytes()
    run = Running(path, sim.url, *(CANARY if change == "one byte, unseen" else SEEN))
    run.wait_for_rows(5)
    CHANGES[change](path)
    assert_stopped(run.end(), sim, path, original, 5)


@pytest.mark.parametrize("change", ["cut to nothing", "one byte"])
def test_a_change_is_told_before_the_run_comes_to_it(tmp_path, simulator, change):
    """At this rate the reading would come to the change after an hour."""
    path, sim = tmp_path / "f.csv", simulator()
    path.write_text(csv_text(2))
    run = Running(path, sim.url, "--rate", "2/s")
    run.wait_for_rows(1)
    CHANGES[change](path)
    assert run.end().code == 3 and "input changed" in run.err, run
    assert len(sim.audit()) < 100


def test_rows_that_are_added_are_told_and_not_sent(tmp_path, simulator):
    path, sim = tmp_path / "f.csv", simulator()
    path.write_text(csv_text(2))
    run = Running(path, sim.url, *CANARY)
    run.wait_for_rows(5)
    with open(path, "a", encoding="utf-8") as f:
        f.write(f"{imei(ROWS + 1)},3311,0,1,+7d,1\n")
    assert run.end().code == 3 and "input changed" in run.err, run
    audit = sim.audit()
    assert len(audit) == ROWS and modes_of(audit) == {"2"}


METADATA = {
    "chmod": lambda path: path.chmod(0o400),
    "touch": lambda path: os.utime(path),
    "another file of the name": lambda path: (path.with_name("new").write_text(csv_text(1)),
                                              path.with_name("new").rename(path)),
    "removed": lambda path: path.unlink(),
    "another link": lambda path: os.link(path, path.with_name("link.csv")),
    "written with what it had": lambda path: in_place(path, 0, path.read_bytes()),
}


@pytest.mark.parametrize("change", METADATA)
def test_what_leaves_the_text_alone_stops_nothing(tmp_path, simulator, change):
    path, sim = tmp_path / "f.csv", simulator()
    path.write_text(csv_text(2))
    run = Running(path, sim.url, "--canary", "5:500ms")
    run.wait_for_rows(5)
    METADATA[change](path)
    assert run.end().code == 0, run
    audit = sim.audit()
    assert len(audit) == ROWS and modes_of(audit) == {"2"}


def test_a_file_at_standard_input_is_held_to_it_too(tmp_path, simulator):
    path, sim = tmp_path / "f.csv", simulator()
    path.write_text(csv_text(2))
    with open(path, "rb") as f:
        run = Running(path, sim.url, "--format", "csv", *SEEN, stdin=f)
        run.wait_for_rows(5)
        path.write_text(csv_text(1))
        assert run.end().code == 3 and "input changed: standard input" in run.err, run
    assert modes_of(sim.audit()) == {"2"}


def test_a_small_file_is_told_in_the_pause_of_the_canary(tmp_path, simulator):
    path, sim = tmp_path / "f.csv", simulator()
    path.write_text(csv_text(2, 50))
    run = Running(path, sim.url, *SEEN, "--json")
    run.wait_for_rows(5)
    path.write_text(csv_text(1, 50))
    assert run.end().code == 3 and "input changed" in run.err, run
    told = json.loads(run.stdout)
    assert (told["end"], told["exit_status"], told["not_sent"]) == ("changed", 3, 45), told
    assert len(sim.audit()) == 5


def test_rows_that_were_read_and_wait_are_held_back_too(tmp_path, simulator):
    """All of the file is in memory when it changes: the run stops as for a large one."""
    path, sim = tmp_path / "f.csv", simulator()
    path.write_text(csv_text(2, 50))
    run = Running(path, sim.url, "--rate", "4/s")
    run.wait_for_rows(3)
    path.write_text(csv_text(1, 50))
    assert run.end().code == 3 and "input changed" in run.err, run
    path.write_text(csv_text(2, 50))
    again = Running(path, sim.url, "--resume").end()
    assert again.code == 0 and "50 of 50 rows accounted for" in again.err, again
    audit = sim.audit()
    assert len(audit) == 50 and modes_of(audit) == {"2"}


def test_rows_that_are_added_to_a_small_file_are_told_too(tmp_path, simulator):
    path, sim = tmp_path / "f.csv", simulator()
    path.write_text(csv_text(2, 20))
    run = Running(path, sim.url, "--rate", "10/s")
    run.wait_for_rows(2)
    with open(path, "a", encoding="utf-8") as f:
        f.write(f"{IMEIS[20]},3311,0,2,+7d,1\n")
    assert run.end().code == 3 and "has more at its end than was checked, from line 22 on" in run.err, run
    again = Running(path, sim.url, "--resume").end()
    assert again.code == 0 and "21 of 21 rows accounted for" in again.err, again
    assert [call["imei"] for call in sim.audit()] == IMEIS[:21]


def test_a_last_line_that_grows_is_not_sent_as_it_was(tmp_path, simulator):
    """It had no line end when it was checked, and was only the start of what is there now."""
    path, sim = tmp_path / "f.csv", simulator()
    path.write_text(csv_text(2)[:-40])
    run = Running(path, sim.url, *CANARY)
    run.wait_for_rows(5)
    with open(path, "a", encoding="utf-8") as f:
        f.write(csv_text(2)[-40:])
    assert run.end().code == 3 and "input changed" in run.err, run
    again = Running(path, sim.url, "--resume").end()
    assert again.code == 0, again
    audit = sim.audit()
    assert len(audit) == ROWS and sum(f'"x{VALUES[-1]}"' in entry["body"] for entry in audit) == 1


def test_a_header_that_changes_is_a_change(tmp_path, simulator):
    path, sim = tmp_path / "f.csv", simulator()
    path.write_text(csv_text(2).replace("obj_inst_id,mode", "mode,obj_inst_id").replace(",0,2,", ",2,0,"))
    run = Running(path, sim.url, *SEEN)
    run.wait_for_rows(5)
    in_place(path, 0, b"imei,obj_id,obj_inst_id,mode")
    assert run.end().code == 3, run
    assert modes_of(sim.audit()) == {"2"}


def test_without_the_seals_rows_leave_that_nobody_checked(tmp_path, simulator):
    """The negative control: the same program without the comparison."""
    path, sim = tmp_path / "f.csv", simulator()
    path.write_text(csv_text(2))
    run = Running(path, sim.url, *CANARY, binary=UNVERIFIED)
    run.wait_for_rows(5)
    about = path.stat()
    run.process.send_signal(signal.SIGSTOP)  # so that it cannot see the time of the change
    in_place(path, 0, csv_text(1).encode())
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    run.process.send_signal(signal.SIGCONT)
    assert run.end().code == 0, run
    assert "1" in modes_of(sim.audit())


def test_a_change_between_check_and_sending_sends_nothing(tmp_path, simulator):
    """While the operator is asked whether mode 1 is meant, the file is written to."""
    path, sim = tmp_path / "f.csv", simulator()
    path.write_text(csv_text(1, 50))
    master, slave = pty.openpty()
    env = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_") and "proxy" not in k.lower()}
    process = subprocess.Popen([NBATCH, "run", str(path), "--endpoint", sim.url, "-o", "out.csv"], stdin=slave, stdout=slave,
                               stderr=slave, env={**env, "NBATCH_API_KEY": KEY}, cwd=tmp_path, start_new_session=True)
    os.close(slave)
    said = b""
    while b"Replace 50 instances" not in said:
        said += os.read(master, 4096)
    path.write_text(csv_text(1, 60))
    os.write(master, b"yes\n")
    try:
        while chunk := os.read(master, 4096):
            said += chunk
    except OSError:
        pass
    assert process.wait(timeout=60) == 3 and b"input changed" in said and b"nothing was sent" in said, said
    assert sim.audit() == []
