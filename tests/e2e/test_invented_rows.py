"""Text inside a quoted cell never becomes a command: what may be such text is not sent, whatever it looks like."""
import gzip
import json
from pathlib import Path

import pytest
from conftest import UNGUARDED, imei, read_results

MISPLACED = str(Path(UNGUARDED).with_name("nbatch-misplaced"))

HEADER = "imei,obj_id,obj_inst_id,mode,expired_time,res:5850,note\n"


def row(i, note="n"):
    return f"{imei(i)},3311,0,2,+7d,true,{note}\n"


PASTED = row(2, "old command pasted here")  # stands inside the note of row 1
SIZE = ["--max-row-bytes", "300"]

# A note that was not written as CSV wants it, what the options are, and the code of its row.
BROKEN = {
    "backslashes": (f'"he said \\"hi\\"\n{PASTED}end"', [], "E-QUOTE"),
    "a backslash": (f'"he said \\"hi\n{PASTED}end"', [], "E-QUOTE"),
    "bare quotes": (f'"he said "hi", then\n{PASTED}end"', [], "E-QUOTE"),
    "a quote before a comma": (f'"he said ", then\n{PASTED}end"', [], "E-CELLS"),
    "no quotes around it": (f'he said "hi,\n{PASTED}end"', [], "E-QUOTE"),
    "a cell too long for a row": (f'"{"x" * 400}\n{PASTED}end"', SIZE, "E-ROW-SIZE"),
    "too long at a line end": ('"' + ("x" * 80 + "\n") * 5 + PASTED + 'end"', SIZE, "E-ROW-SIZE"),
    "a quote behind the limit": (f'{"x" * 400}"\n{PASTED}end"', SIZE, "E-ROW-SIZE"),
    "a cell behind the limit": (f'{"x" * 400},"\n{PASTED}end"', SIZE, "E-ROW-SIZE"),
}


def broken(name):
    note, words, code = BROKEN[name]
    return HEADER + row(0) + row(1, note) + row(3), ["--pass", "note", *words], code


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_may_hold_text_for_rows_is_not_sent_at_all(nbatch, tmp_path, simulator, name, end):
    text, words, code = broken(name)
    (tmp_path / "f.csv").write_bytes(text.replace("\n", end).encode())
    sim = simulator()
    done = nbatch("run", "f.csv", "--endpoint", sim.url, "--skip-invalid", *words)
    assert done.code == 3 and "nothing was sent" in done.told, done
    assert "f.csv:3: behind the row on line 3, text inside a quoted cell may pass for rows" in done.told, done
    assert f"[{code}]" in done.told and sim.audit() == [], done


@pytest.mark.parametrize("name", BROKEN)
def test_a_pipe_stops_where_text_may_pass_for_rows(nbatch, tmp_path, simulator, name):
    text, words, code = broken(name)
    sim = simulator()
    done = nbatch("run", "-", "--format", "csv", "-o", "out.csv", "--endpoint", sim.url, *words, stdin=text)
    assert done.code == 3 and "nothing after it was sent" in done.told and "standard input:3:" in done.told, done
    assert [call["imei"] for call in sim.audit()] == [imei(0)]
    rows = {found["row"]: found for found in read_results(tmp_path / "out.csv")}
    assert {number: found["status"] for number, found in rows.items()} == {"1": "accepted", "2": "invalid"}
    assert f"[{code}]" in rows["2"]["error"]


@pytest.mark.parametrize("pipe", [False, True])
@pytest.mark.parametrize("name", BROKEN)
def test_a_reader_that_never_loses_its_place_makes_commands_of_text(nbatch, tmp_path, simulator, name, pipe):
    """The negative control: the same program that goes on with the next line."""
    text, words, _ = broken(name)
    (tmp_path / "f.csv").write_text(text)
    sim = simulator()
    where = ["-", "--format", "csv", "-o", "out.csv"] if pipe else ["f.csv", "--skip-invalid"]
    done = nbatch("run", *where, "--endpoint", sim.url, *words, binary=MISPLACED, stdin=text)
    assert done.code == 1 and imei(2) in [call["imei"] for call in sim.audit()], done


def test_a_pipe_that_was_mended_goes_on(nbatch, tmp_path, simulator):
    text, words, _ = broken("backslashes")
    sim = simulator()
    words = ["run", "-", "--format", "csv", "-o", "out.csv", "--endpoint", sim.url, *words]
    assert nbatch(*words, stdin=text).code == 3
    done = nbatch(*words, "--resume", stdin=HEADER + row(0) + row(1, '"he said ""hi"""') + row(3))
    assert done.code == 0, done
    assert sorted(call["imei"] for call in sim.audit()) == [imei(0), imei(1), imei(3)]


@pytest.mark.parametrize("name", BROKEN)
def test_the_good_half_holds_no_text_and_nothing_is_lost(nbatch, tmp_path, name):
    text, words, _ = broken(name)
    (tmp_path / "f.csv").write_text(text)
    done = nbatch("check", "f.csv", "--split-valid", "good.csv", "--split-invalid", "bad.csv", "--json", *words)
    assert done.code == 3 and json.loads(done.out)["usable"] is False, done
    assert (tmp_path / "good.csv").read_text() == HEADER + row(0)
    assert (tmp_path / "bad.csv").read_text() == text.replace(row(0), "")


def test_it_holds_behind_decompression_too(nbatch, tmp_path, simulator):
    text, words, _ = broken("backslashes")
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(text.encode()))
    sim = simulator()
    assert nbatch("run", "f.csv.gz", "--endpoint", sim.url, "--skip-invalid", *words).code == 3
    assert sim.audit() == []


def test_a_quote_that_is_never_closed_swallows_rows_and_stops_all(nbatch, tmp_path, simulator):
    (tmp_path / "f.csv").write_text(HEADER + row(0) + row(1, '"open') + row(2) + row(3))
    sim = simulator()
    done = nbatch("run", "f.csv", "--endpoint", sim.url, "--skip-invalid", "--pass", "note")
    assert done.code == 3 and sim.audit() == [], done


def test_more_rows_than_one_turn_reads_do_not_carry_the_pipe_past_it(nbatch, tmp_path, simulator):
    """The fault is found while rows before it are under way, and lies far behind the first block."""
    text = HEADER + "".join(row(i) for i in range(10, 4010)) + row(1, BROKEN["a quote behind the limit"][0]) + row(3)
    sim = simulator()
    done = nbatch("run", "-", "--format", "csv", "-o", "out.csv", "--endpoint", sim.url, "--pass", "note", *SIZE, stdin=text)
    assert done.code == 3, done
    assert sorted(call["imei"] for call in sim.audit()) == sorted(imei(i) for i in range(10, 4010))
    assert len(read_results(tmp_path / "out.csv")) == 4001
