"""The check as a product: what it finds across rows, and what it leaves behind for other people."""
import csv
import fcntl
import gzip
import json
import os
import pty
import random
import re
import resource
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from conftest import HEADER, NBATCH, imei, read_results, row_of, wait_for


def problems_of(path):
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def write(path, rows):
    path.write_text(HEADER + "".join(rows))
    return path


def replacing(i):
    return f"{imei(i)},3311,0,1,+7d,true\n"


MIXED = [row_of(1), row_of(2).replace(",2,", ",3,"), row_of(3), '"bad"x,1\n', row_of(4), row_of(4)]


# Across rows

def test_the_eleventh_command_of_a_device_is_an_error(nbatch, tmp_path):
    write(tmp_path / "in.csv", [row_of(1, value) for value in range(12)])
    done = nbatch("run", "in.csv", "--simulate")
    assert done.code == 3 and "[E-QUEUE]" in done.told and "nothing was sent" in done.told, done
    assert "in.csv:12: imei: the device has 10 commands already, on lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11" in done.told
    done = nbatch("run", "in.csv", "--simulate", "--skip-invalid")
    assert done.code == 1, done
    rows = {int(row["row"]): row for row in read_results(tmp_path / "in.rehearsal.csv")}
    assert [rows[i]["status"] for i in range(1, 13)] == ["accepted"] * 10 + ["invalid"] * 2
    assert "[E-QUEUE]" in rows[11]["error"]


def test_ten_commands_of_a_device_are_fine(nbatch, tmp_path):
    write(tmp_path / "in.csv", [row_of(1, value) for value in range(10)])
    assert nbatch("run", "in.csv", "--simulate").code == 0


def test_equal_and_contradicting_rows_are_warned_of_with_both_lines(nbatch, tmp_path):
    write(tmp_path / "in.csv", [row_of(1, 1), row_of(2, 1), row_of(1, 1), row_of(2, 2)])
    done = nbatch("check", "in.csv")
    assert done.code == 0, done
    assert "in.csv:4: warning: imei: the same command as on line 2 [W-TWICE]" in done.told
    assert "in.csv:5: warning: data: gives resource 5850 another value than line 3 does [W-CONFLICT]" in done.told


def test_a_data_cell_and_a_res_column_that_say_the_same_are_no_conflict(nbatch, tmp_path):
    header = "imei,obj_id,obj_inst_id,mode,expired_time,retry,res:1,res:2:time,res:3:opaque,data\n"
    start = f"{imei(1)},3311,0,2,+7d,"
    data = '"[{""res_id"":1,""val"":true},{""res_id"":2,""type"":2,""val"":5},{""val"":""0A"",""type"":1,""res_id"":3}]"'
    (tmp_path / "in.csv").write_text(header + start + "1,true,5,0A,\n" + start + f"2,,,,{data}\n")
    done = nbatch("check", "in.csv")
    assert done.code == 0 and " 0 warnings" in done.told, done


def test_a_pipe_is_judged_across_rows_too(nbatch, tmp_path):
    text = HEADER + "".join(row_of(1, value) for value in range(11))
    done = nbatch("run", "-", "--format", "csv", "--simulate", "-o", "out.csv", stdin=text)
    assert done.code == 1 and "[E-QUEUE]" in done.told, done
    assert [row["status"] for row in read_results(tmp_path / "out.csv")].count("accepted") == 10


# Mode 1

def test_mode_1_is_refused_where_nobody_can_be_asked(nbatch, tmp_path):
    write(tmp_path / "in.csv", [replacing(1), row_of(2), replacing(3), replacing(3).replace("true", "false")])
    done = nbatch("run", "in.csv", "--simulate")
    assert done.code == 3 and not (tmp_path / "in.rehearsal.csv").exists(), done
    assert "2 instances will lose every resource that the rows do not name [W-REPLACES]" in done.told
    assert "--allow-replace" in done.told and "nothing was sent" in done.told
    assert nbatch("check", "in.csv").code == 0
    for i, word in enumerate(["--allow-replace", "--yes", "-y"]):
        done = nbatch("run", "in.csv", "--simulate", word, "-o", f"out{i}.csv")
        assert done.code == 0 and "W-REPLACES" not in done.told, done


def run_on_a_terminal(words, cwd, answer):
    """Runs the program with a terminal on all three; types the answer once it is asked, and leaves where it is asked again."""
    master, slave = pty.openpty()
    process = subprocess.Popen([NBATCH, *words], cwd=cwd, stdin=slave, stdout=slave, stderr=slave,
                               env={**os.environ, "TERM": "xterm"})
    os.close(slave)
    shown, asked, end = b"", False, time.monotonic() + 60
    while time.monotonic() < end:
        ready, _, _ = select.select([master], [], [], 0.1)
        try:
            shown += os.read(master, 65536) if ready else b""
        except OSError:
            break
        if not asked and b"Type yes" in shown:
            asked = True
            os.write(master, answer)
        if b"type the whole word" in shown or (not ready and process.poll() is not None):
            break
    os.close(master)
    return process.wait(timeout=60), shown.decode()


@pytest.mark.parametrize("answer,code", [(b"yes\n", 0), (b"y\n", 3), (b"no\n", 3), (b"\n", 3), (b"\x04", 3)])
def test_on_a_terminal_mode_1_is_asked_about(tmp_path, answer, code):
    write(tmp_path / "in.csv", [replacing(1)])
    got, shown = run_on_a_terminal(["run", "in.csv", "--simulate"], tmp_path, answer)
    assert "Replace 1 instance, deleting what is not named? Type yes: " in shown
    assert got == code, shown
    assert (tmp_path / "in.rehearsal.csv").exists() == (code == 0)


def test_mode_1_in_a_pipe_is_an_error_of_the_row(nbatch, tmp_path):
    text = HEADER + replacing(1) + row_of(2)
    done = nbatch("run", "-", "--format", "csv", "--simulate", "-o", "a.csv", stdin=text)
    assert done.code == 1 and "[E-REPLACE]" in done.told, done
    assert sorted(row["status"] for row in read_results(tmp_path / "a.csv")) == ["accepted", "invalid"]
    done = nbatch("run", "-", "--format", "csv", "--simulate", "-o", "b.csv", "--allow-replace", stdin=text)
    assert done.code == 0, done


# Time

def test_a_rate_tells_the_time_it_takes_and_who_is_late(nbatch, tmp_path):
    rows = [row_of(i).replace("+7d", "+1h") for i in range(1, 11)]
    write(tmp_path / "in.csv", rows)
    done = nbatch("check", "in.csv", "--rate", "6/h", "--json")
    summary = json.loads(done.out)
    assert done.code == 0 and summary["estimated_s"] == 6000 and summary["problems"] == {"W-LATE": 4}, done
    assert "sending the valid rows takes 1h 40m at 6/h" in done.told
    assert "in.csv:8: warning: expired_time: will have passed when the row is sent" in done.told
    assert nbatch("check", "in.csv", "--rate", "20/s").told.count("W-LATE") == 0


def test_a_valid_time_that_passes_before_the_row_is_sent_is_late_too(nbatch, tmp_path):
    (tmp_path / "in.csv").write_text(HEADER.replace("mode", "mode,valid_time") +
                                     "".join(row_of(i).replace(",2,", ",2,+1m,") for i in range(1, 5)))
    done = nbatch("check", "in.csv", "--rate", "2/m", "--json")
    assert json.loads(done.out)["problems"] == {"W-LATE": 2} and "valid_time: will have passed" in done.told, done


@pytest.mark.parametrize("rate", ["5", "0/s", "x/s", "5/d", "-1/s", "1.5/s", "/s", ""])
def test_a_rate_needs_a_number_and_a_unit(nbatch, fleet, rate):
    done = nbatch("check", fleet(1), "--rate", rate)
    assert done.code == 2 and "20/s" in done.told, done


def test_a_row_that_expired_while_it_waited_is_not_sent(nbatch, tmp_path, raw_peer):
    def script(connection, _number):
        while (request := connection.read_request()) is not None:
            if not connection.peer.processed:
                time.sleep(5.2)  # the other rows wait for their device
            connection.accept(request)

    peer = raw_peer(script)
    write(tmp_path / "in.csv", [row_of(1, 1).replace("+7d", "+4s"), row_of(1, 2).replace("+7d", "+4s"),
                                row_of(1, 3).replace("+7d", "+4s"), row_of(1, 4)])
    done = nbatch("run", "in.csv", "--endpoint", peer.url, env={"NBATCH_API_KEY": "k"})
    rows = sorted(read_results(tmp_path / "in.results.csv"), key=lambda row: int(row["row"]))
    statuses = [row["status"] for row in rows]
    assert done.code == 1 and statuses == ["accepted", "invalid", "invalid", "accepted"], done
    assert "[E-EXPIRED]" in rows[2]["error"] and rows[2]["attempts"] == "0"
    assert "E-EXPIRED" in done.told
    assert len(peer.processed) == 2


# What is left behind

@pytest.mark.parametrize("name", ["problems.csv", "problems.jsonl"])
def test_all_problems_are_listed_in_a_file(nbatch, tmp_path, name):
    write(tmp_path / "in.csv", [row_of(i).replace(",2,", ",3,") for i in range(1, 61)] + MIXED)
    done = nbatch("check", "in.csv", "--problems", name)
    found = problems_of(tmp_path / name)
    assert done.code == 3 and len(found) == 64, done
    assert list(found[0]) == ["row", "line", "field", "code", "severity", "message", "value"]
    assert {k: str(v) for k, v in found[7].items()} == {
        "row": "8", "line": "9", "field": "mode", "code": "E-RANGE", "severity": "error",
        "message": "3 is outside 1–2", "value": "3"}
    assert [p["code"] for p in found[60:]] == ["E-RANGE", "E-QUOTE", "W-TWICE", "E-QUOTE"]
    assert found[62]["severity"] == "warning" and (str(found[63]["row"]), str(found[63]["line"])) == ("0", "65")
    shown = done.told.count("[E-RANGE]")
    assert shown == 5 and "… and 56 more" in done.told and re.search(r"\b61  E-RANGE", done.told), done


def test_problems_can_go_to_standard_output(nbatch, tmp_path):
    write(tmp_path / "in.csv", MIXED)
    done = nbatch("check", "in.csv", "--problems", "-")
    assert done.out.splitlines()[0] == "row,line,field,code,severity,message,value"
    assert len(done.out.splitlines()) == 5
    assert nbatch("check", "in.csv", "--problems", "-", "--json").code == 2
    assert nbatch("run", "in.csv", "--problems", "-", "-o", "-", "--simulate").code == 2


def test_a_run_lists_problems_of_files_and_of_pipes(nbatch, tmp_path):
    write(tmp_path / "in.csv", ["too,few\n" if '"' in row else row for row in MIXED])
    assert nbatch("run", "in.csv", "--simulate", "--skip-invalid", "--problems", "file.csv").code == 1
    done = nbatch("run", "-", "--format", "csv", "-o", "out.csv", "--simulate", "--problems", "pipe.csv",
                  stdin=(tmp_path / "in.csv").read_text())
    assert done.code == 1, done
    assert (tmp_path / "file.csv").read_text() == (tmp_path / "pipe.csv").read_text()
    assert len(problems_of(tmp_path / "pipe.csv")) == 3


@pytest.mark.parametrize("words", [["--problems", "there.csv"], ["--split-valid", "there.csv"],
                                   ["--split-invalid", "there.csv"]])
def test_nothing_is_overwritten(nbatch, tmp_path, words):
    write(tmp_path / "in.csv", MIXED)
    (tmp_path / "there.csv").write_text("mine")
    done = nbatch("check", "in.csv", *words)
    assert done.code == 2 and "there.csv exists already" in done.told and words[0] in done.told, done
    assert (tmp_path / "there.csv").read_text() == "mine"
    words[1] = "in.csv"
    assert nbatch("check", "in.csv", *words).code == 2
    assert nbatch("check", "in.csv", "--split-valid", "x.csv", "--split-invalid", "x.csv").code == 2


@pytest.mark.parametrize("word", ["--problems", "--split-valid", "--split-invalid"])
def test_what_cannot_be_created_is_said_before_the_check(nbatch, tmp_path, word):
    write(tmp_path / "in.csv", MIXED)
    done = nbatch("check", "in.csv", word, "no/such/folder.csv")
    assert done.code == 2 and "No such file or directory" in done.told and word in done.told, done


@pytest.mark.parametrize("word", ["--problems", "--split-valid", "--split-invalid"])
def test_what_cannot_be_written_to_its_end_is_said(tmp_path, word):
    """No file may grow beyond 4 KB; with room enough the same check ends as usual."""
    write(tmp_path / "in.csv", [row_of(i) + row_of(i + 500).replace(",2,", ",3,") for i in range(1, 200)])

    def limit(size):
        def before():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        return before

    for size, code in ((4096, 7), (1 << 20, 3)):
        done = subprocess.run([NBATCH, "check", "in.csv", word, f"out{size}.csv"], cwd=tmp_path, capture_output=True,
                              text=True, preexec_fn=limit(size), check=False)
        assert done.returncode == code, done
        assert ("out4096.csv: File too large" in done.stderr) == (code == 7), done


# The halves

def halves(nbatch, tmp_path, name, content, *words):
    (tmp_path / name).write_bytes(content)
    done = nbatch("check", name, "--split-valid", "good.out", "--split-invalid", "bad.out", *words)
    assert done.code == 3, done
    return (tmp_path / "good.out").read_bytes(), (tmp_path / "bad.out").read_bytes(), done


ROW_ENDS = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}


@pytest.mark.parametrize("end", ROW_ENDS)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_halves_are_the_inputs_bytes(nbatch, tmp_path, end, mark):
    e = ROW_ENDS[end]
    rows = [row_of(1), row_of(2).replace(",2,", ",3,"), "too,few\n", row_of(3).replace("true", '"a ""q"""'),
            row_of(4).replace(",3311,", ",  3311 ,"), "\xff,1\n", row_of(5)]
    rows = [row.replace("\n", e) for row in rows]
    header = (mark + HEADER).replace("\n", e)
    good, bad, _ = halves(nbatch, tmp_path, "in.csv", (header + e + "".join(rows) + e).encode())
    assert good.decode() == header + "".join(rows[i] for i in (0, 3, 4, 6))
    assert bad.decode() == header + "".join(rows[i] for i in (1, 2, 5))


def test_jsonl_halves_are_the_inputs_bytes(nbatch, tmp_path):
    good_row = '{ "imei":"%s", "obj_id":3311,"obj_inst_id":0,"mode":2,"expired_time":"+7d","res:1":1.50}'
    rows = [good_row % imei(1) + "\n", "{bad\n", good_row % imei(2) + "\r\n", "[1]\n", good_row % imei(3)]
    good, bad, _ = halves(nbatch, tmp_path, "in.jsonl", "".join(rows).encode())
    assert good.decode() == rows[0] + rows[2] + rows[4] and bad.decode() == rows[1] + rows[3]


@pytest.mark.parametrize("encoding,words", [("gb18030", ["--encoding", "gb18030"]), ("utf-16", []),
                                            ("gbk", ["--encoding", "GBK"])])
def test_halves_keep_the_inputs_encoding(nbatch, tmp_path, encoding, words):
    rows = [row_of(1).replace("true", "开关"), row_of(2).replace(",2,", ",二,"), row_of(3).replace("true", "温度")]
    text = HEADER + "".join(rows)
    good, bad, _ = halves(nbatch, tmp_path, "in.csv", text.encode(encoding), *words)
    assert good == (HEADER + rows[0] + rows[2]).encode(encoding)
    assert bad == (HEADER + rows[1]).encode(encoding)


def test_bytes_that_are_illegal_in_the_encoding_come_back_as_they_were(nbatch, tmp_path):
    bad_row = row_of(2, "x").encode().replace(b"x", b"\xff\x80 \x81\x30")
    good, bad, done = halves(nbatch, tmp_path, "in.csv", (HEADER + row_of(1)).encode() + bad_row, "--encoding", "gbk")
    assert bad == HEADER.encode() + bad_row and good == (HEADER + row_of(1)).encode(), done
    assert "[E-UTF8]" in done.told


def test_halves_of_a_compressed_input_are_its_rows(nbatch, tmp_path):
    good, bad, _ = halves(nbatch, tmp_path, "in.csv.gz", gzip.compress((HEADER + "".join(MIXED)).encode()))
    assert good.decode() == HEADER + MIXED[0] + MIXED[2]
    assert bad.decode() == HEADER + "".join(MIXED[i] for i in (1, 3, 4, 5))


def test_the_valid_half_is_valid_and_the_halves_are_the_whole(nbatch, tmp_path):
    """Over random inputs, seeded: what is split is lost nowhere, and checking the valid half finds no error."""
    rng = random.Random(20261123)
    for turn in range(20):
        rows = [rng.choice([row_of(rng.randrange(1, 30), rng.randrange(3)), row_of(9).replace(",2,", ",9,"),
                            'x"y,\n', "\n", '"open,1\n' if turn % 5 == 0 else row_of(rng.randrange(1, 99))])
                for _ in range(rng.randrange(1, 120))]
        name = f"in{turn}.csv"
        (tmp_path / name).write_text(HEADER + "".join(rows))
        good, bad = tmp_path / f"good{turn}.csv", tmp_path / f"bad{turn}.csv"
        done = nbatch("check", name, "--split-valid", good, "--split-invalid", bad, "--json")
        if not json.loads(done.out)["rows"]:
            continue
        counts = json.loads(done.out)
        lines = [line for row in rows for line in row.split("\n") if line]
        split = [line for half in (good, bad) for line in half.read_text()[len(HEADER):].split("\n") if line]
        assert sorted(lines) == sorted(split), turn
        if counts["valid"]:
            again = nbatch("check", good, "--json")
            assert again.code == 0 and json.loads(again.out)["rows"] == counts["valid"], (turn, again)
        if counts["invalid"] and not counts["problems"].get("E-QUEUE"):
            again = nbatch("check", bad, "--json")
            assert json.loads(again.out)["invalid"] == counts["invalid"], (turn, again)


# Strictness, summary, progress

def test_strict_makes_warnings_errors_also_for_what_is_sent(nbatch, tmp_path):
    write(tmp_path / "in.csv", [row_of(1, 1), row_of(1, 1), row_of(2, 1)])
    assert nbatch("check", "in.csv").code == 0
    done = nbatch("check", "in.csv", "--strict", "--json")
    summary = json.loads(done.out)
    assert done.code == 3 and summary["invalid"] == 1 and summary["warnings"] == 0, done
    assert "in.csv:3: imei: the same command as on line 2 [W-TWICE]" in done.told
    done = nbatch("run", "in.csv", "--strict", "--simulate")
    assert done.code == 3 and "nothing was sent" in done.told
    done = nbatch("run", "in.csv", "--strict", "--simulate", "--skip-invalid")
    assert done.code == 1, done
    rows = sorted(read_results(tmp_path / "in.rehearsal.csv"), key=lambda row: int(row["row"]))
    assert [row["status"] for row in rows] == ["accepted", "invalid", "accepted"]
    assert "[W-TWICE]" in rows[1]["error"]


def test_the_summary_has_everything(nbatch, tmp_path):
    (tmp_path / "in.csv").write_text(
        "action,imei,obj_id,obj_inst_id,res_id,mode,expired_time,res:1\n"
        f"write,{imei(1)},3,0,,2,+7d,true\nread,{imei(1)},3,0,9,,+7d,\nexecute,{imei(2)},3,0,4,,+7d,\n"
        f"write,{imei(3)},3,0,,7,+7d,true\n")
    done = nbatch("check", "in.csv", "--json")
    assert json.loads(done.out) == {
        "command": "check", "input": "in.csv", "rows": 4, "valid": 3, "invalid": 1, "warnings": 0, "devices": 2,
        "replaced_instances": 0, "actions": {"write": 1, "read": 1, "execute": 1}, "problems": {"E-RANGE": 1},
        "estimated_s": 0, "usable": True, "exit_status": 3}
    assert "in.csv: 4 rows, 3 valid, 1 invalid, 0 warnings; 1 write, 1 read, 1 execute for 2 devices" in done.told


def test_progress_is_shown_where_it_is_wanted(nbatch):
    """The pipe pauses for longer than a live line stands still."""
    def err(*words):
        process = subprocess.Popen([NBATCH, "check", "-", "--format", "csv", *words], stdin=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdin.write((HEADER + "".join(row_of(i) for i in range(1, 5001))).encode())
        process.stdin.flush()
        wait_for(lambda: fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)) == struct.pack("i", 0))
        time.sleep(0.5)
        process.stdin.write("".join(row_of(i) for i in range(5001, 10001)).encode())
        shown = process.communicate(timeout=60)[1]
        assert process.returncode == 0
        return shown

    assert re.search(rb"\rchecking standard input: 8192 rows, [\d,.]+ rows/s\x1b\[K.*\r\x1b\[K", err("--progress", "always"))
    assert b"checking" not in err()
    assert nbatch("check", "x.csv", "--progress", "sometimes").code == 2
