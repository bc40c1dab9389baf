"""Workbooks: a sheet of an .xlsx is read as the rows that it is, and all other spreadsheets are answered."""
import csv
import gzip
import io
import json
import re
import subprocess
import zipfile

import pytest
from conftest import HEADER, NBATCH, ROOT, imei, read_results, row_of
from workbooks import MAIN, sheet_xml, usual_parts, write_book, write_parts

FIXTURES = ROOT / "tests/fixtures/xlsx"
NAMES = HEADER.strip().split(",")


def good_row(i, value=None):
    return [int(imei(i)), 3311, 0, 2, "+7d", i if value is None else value]


def check(nbatch, path, code, *words, options=()):
    done = nbatch("check", path, *options)
    assert done.code == code, done
    for word in words:
        assert word in done.told, (word, done)
    return done


def values_of(nbatch, tmp_path, path, *options):
    """What is read of a workbook, good rows and bad ones, in the order of the sheet."""
    halves = [tmp_path / f"{path.stem}.{half}.csv" for half in ("valid", "invalid")]
    nbatch("check", path, "--split-valid", halves[0], "--split-invalid", halves[1], *options)
    rows = []
    for half in halves:
        with open(half, newline="", encoding="utf-8") as f:
            header, *some = csv.reader(f)
            rows += some
    return [header, *sorted(rows)]


def same_value(ours, theirs):
    """LibreOffice exports true as TRUE, fifteen digits of a double, and a date in its format."""
    if ours == theirs or ours.upper() == theirs:
        return True
    date = re.fullmatch(r"(\d\d)/(\d\d)/(\d{4}) (.*)", theirs)
    if date:
        theirs = "{2}-{0}-{1} {3}".format(*date.groups())
    if re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", theirs):
        return ours == theirs.replace(" ", "T")
    try:
        return abs(float(ours) - float(theirs)) <= 1e-14 * max(abs(float(ours)), 1)
    except ValueError:
        return False


@pytest.mark.parametrize("name", ["kinds", "stream", "dates-1904", "libreoffice-kinds", "libreoffice-iso"])
def test_values_are_those_of_the_csv_export(nbatch, tmp_path, name):
    ours = values_of(nbatch, tmp_path, FIXTURES / f"{name}.xlsx", "--pass", "note")
    with open(FIXTURES / f"{name}.csv", newline="", encoding="utf-8") as f:
        header, *rows = csv.reader(f)
    theirs = [header, *sorted(rows)]
    assert len(ours) == len(theirs) == 13
    for our_row, their_row in zip(ours, theirs):
        assert len(our_row) == len(their_row)
        for mine, other in zip(our_row, their_row):
            assert same_value(mine, other) or mine.strip() == other, (our_row, their_row)


def test_all_writers_give_the_same_rows(nbatch, tmp_path):
    first, *others = [values_of(nbatch, tmp_path, FIXTURES / f"{name}.xlsx", "--pass", "note")
                      for name in ("kinds", "dates-1904", "libreoffice-kinds", "libreoffice-iso")]
    assert others[0] == first
    for other in others[1:]:  # LibreOffice has written fifteen digits
        assert all(same_value(mine, theirs) for a, b in zip(first, other) for mine, theirs in zip(a, b))
    by_note = {row[-1]: row for row in first}
    assert by_note["other letters"][:10] == [
        "865820031310004", "3311", "0", "2", "2037-12-31T23:00:00", "true", "0.3333333333333333", "中文 😀 é",
        "2037-01-31T08:00:00", "other letters"]
    assert by_note["quotes, comma, line break"][7:9] == ['a, "b"\nc', "2037-01-01T00:00:00"]  # 23:59:59.6
    assert [by_note[note][6] for note in ("blanks at the edges", "runs", "markup", "digits as text", "a link")] == [
        "0.30000000000000004", "0.0001", "1E+21", "123456789012345", "-0.0000005"]
    assert by_note["formulas with their results"][5:8] == ["true", "84", "text!"]


def test_an_imei_that_was_typed_as_a_number_keeps_its_digits(nbatch, tmp_path):
    write_book(tmp_path / "fleet.xlsx", [NAMES, good_row(1), [imei(2), *good_row(2)[1:]]])
    done = nbatch("run", "fleet.xlsx", "--simulate")
    assert done.code == 0, done
    results = read_results(tmp_path / "fleet.rehearsal.csv")
    assert [(row["imei"], row["row"], row["line"]) for row in results] == [(imei(1), "1", "2"), (imei(2), "2", "3")]


@pytest.mark.parametrize("fixture", ["kinds", "libreoffice-iso", "sheets"])
def test_keys_are_those_of_a_csv_with_the_same_texts(nbatch, tmp_path, fixture):
    book = FIXTURES / f"{fixture}.xlsx"
    assert nbatch("check", book, "--pass", "note", "--split-valid", "same.csv").code == 0
    for source, results in ((book, "a.csv"), ("same.csv", "b.csv")):
        done = nbatch("run", source, "--simulate=seed=3", "-o", results, "--pass", "note")
        assert done.code == 0, done
    ours, theirs = (sorted((row["key"], row["imei"], row["note"]) for row in read_results(tmp_path / name))
                    for name in ("a.csv", "b.csv"))
    assert len(ours) == 12 and ours == theirs
    # A run of the one is gone on with by the other: there is nothing left to send.
    done = nbatch("run", "same.csv", "--simulate", "-o", "a.csv", "--pass", "note", "--resume")
    assert done.code == 0, done
    assert len(read_results(tmp_path / "a.csv")) == 12


def test_the_sample_is_the_csv_beside_it(nbatch, tmp_path):
    for extension in ("csv", "xlsx"):
        done = nbatch("run", ROOT / f"samples/fleet.{extension}", "--simulate", "-o", f"{extension}.csv")
        assert done.code == 0, done
    ours, theirs = (sorted((row["line"], row["key"], row["imei"]) for row in read_results(tmp_path / name))
                    for name in ("xlsx.csv", "csv.csv"))
    assert ours == theirs and len(ours) == 24


def test_keys_of_bad_rows_are_those_of_a_csv_too(nbatch, tmp_path):
    rows = [NAMES, good_row(1), ["x" * 70000, 1], good_row(2), [imei(3)] + [None] * 4 + [5, 6], [None] * 5 + [7]]
    write_book(tmp_path / "fleet.xlsx", rows)
    with open(tmp_path / "fleet.csv", "w", newline="", encoding="utf-8") as f:
        for row in rows:
            csv.writer(f).writerow(["" if v is None else v for v in row + [None] * (6 - len(row))])
    for extension in ("csv", "xlsx"):
        done = nbatch("run", f"fleet.{extension}", "--simulate", "-o", f"{extension}.csv", "--skip-invalid")
        assert done.code == 1, done
    ours, theirs = (sorted((row["line"], row["key"], row["status"]) for row in read_results(tmp_path / name))
                    for name in ("xlsx.csv", "csv.csv"))
    assert ours == theirs and len(ours) == 5


def test_bad_cells_are_named_and_the_others_sent(nbatch, tmp_path):
    book = FIXTURES / "bad-cells.xlsx"
    done = check(nbatch, book, 3, ":3: res:5851: G3 holds an error: #N/A [E-CELL]", "H4 holds an error: #REF!",
                 "G5 holds a formula without its result", "H7 is one of the merged cells H6:H7",
                 "G8 holds a date or a time", options=("--pass", "note", "--problems", "p.jsonl"))
    assert "8 rows, 3 valid, 5 invalid" in done.told
    problems = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [p["line"] for p in problems if p["code"] == "E-CELL"] == [3, 4, 5, 7, 8]
    done = nbatch("run", book, "--simulate", "-o", "r.csv", "--pass", "note", "--skip-invalid")
    assert done.code == 1, done
    results = {row["line"]: row for row in read_results(tmp_path / "r.csv")}
    assert {line for line, row in results.items() if row["status"] == "accepted"} == {"2", "6", "9"}
    assert "G3 holds an error: #N/A" in results["3"]["error"] and results["3"]["imei"] == "865820031310002"


def test_a_title_above_the_header_is_named(nbatch):
    check(nbatch, FIXTURES / "title.xlsx", 3, "the names of its columns are on line 2", "--header-line 2 --pass note")
    check(nbatch, FIXTURES / "title.xlsx", 3, "there are no data rows in it", options=("--header-line", "2", "--pass", "note"))


def test_sheets_hidden_rows_and_filters_are_told(nbatch):
    book = FIXTURES / "sheets.xlsx"
    done = check(nbatch, book, 0, 'the sheet "设备 & more" is read, one of 3; --sheet names another',
                 "2 hidden rows (the sheet has a filter) are read", "1 hidden column is read",
                 "12 rows, 12 valid", options=("--pass", "note"))
    quiet = check(nbatch, book, 0, options=("--pass", "note", "-q"))
    assert "hidden" in done.told and quiet.told == ""
    check(nbatch, book, 0, 'the sheet "2"', "1 row, 1 valid", options=("--pass", "note", "--sheet", "2"))
    check(nbatch, book, 0, 'the sheet "2"', "1 row, 1 valid", options=("--pass", "note", "--sheet", "3"))
    check(nbatch, book, 3, "its table is on sheet 2", "--sheet 2 --pass note", options=("--sheet", "secret"))
    done = check(nbatch, book, 2, "--sheet Fleet: the workbook has no such sheet",
                 '1 "secret" (hidden), 2 "设备 & more", 3 "2"', options=("--sheet", "Fleet"))
    assert "E-" not in done.told


def test_a_workbook_is_known_by_its_first_bytes(nbatch, tmp_path):
    content = (FIXTURES / "kinds.xlsx").read_bytes()
    for name in ("fleet.csv", "fleet.jsonl", "fleet", "fleet.xls", "fleet.CSV.gz", "fleet.ods"):
        (tmp_path / name).write_bytes(content)
        check(nbatch, name, 0, f"{name}: 12 rows, 12 valid", options=("--pass", "note"))
    check(nbatch, "fleet.csv", 0, "12 valid", options=("--pass", "note", "--format", "xlsx"))
    check(nbatch, "fleet.csv", 2, "it is a workbook (.xlsx), not JSONL", options=("--format", "jsonl"))
    (tmp_path / "text.xlsx").write_text(HEADER + row_of(1))
    check(nbatch, "text.xlsx", 2, "text.xlsx: it is no workbook", "--format csv")
    check(nbatch, "text.xlsx", 0, "1 valid", options=("--format", "csv"))


def ole(*names):
    """As much of an OLE file as tells what it is: its head, and a directory."""
    head = bytearray(512)
    head[0:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    head[30] = 9
    directory = b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in ("Root Entry", *names))
    return bytes(head) + directory.ljust(2048, b"\0")


def zipped(**parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, content in parts.items():
            z.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return out.getvalue()


OTHERS = {
    "xls": ((FIXTURES / "kinds.xls").read_bytes(), "an .xls or .et workbook", "save it as .xlsx or CSV UTF-8"),
    "et": (ole("Workbook", "ETExtData"), "an .xls or .et workbook", "save it as .xlsx or CSV UTF-8"),
    "encrypted": (ole("DataSpaces", "a", "b", "c", "d", "EncryptionInfo", "EncryptedPackage"), "the workbook is "
                  "encrypted", "save it without a password"),
    "ods": ((FIXTURES / "kinds.ods").read_bytes(), "an OpenDocument file (.ods)", "save it as .xlsx or CSV"),
    "numbers": (zipped(Index__Document_dot_iwa="x"), "a .numbers file", "export it as .xlsx or CSV"),
    "xlsb": (zipped(_rels___dot_rels='<R><Relationship Id="a" Type="x/officeDocument" Target="xl/workbook.bin"/></R>'),
             "no .xlsx workbook", "save the sheet as .xlsx or CSV UTF-8"),
    "docx": (zipped(_rels___dot_rels='<R><Relationship Id="a" Type="x/officeDocument" Target="w.xml"/></R>',
                    w_dot_xml="<document/>"), "no .xlsx workbook", "save the sheet"),
    "zip": (zipped(fleet_dot_csv=HEADER), "a zip archive cannot be read", "unpack it"),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("name", ["fleet.xlsx", "fleet.csv", "fleet.xls", "fleet.jsonl"])
def test_other_spreadsheets_are_answered_under_any_name(nbatch, tmp_path, kind, name):
    content, *words = OTHERS[kind]
    (tmp_path / name).write_bytes(content)
    check(nbatch, name, 2, f"{name}: ", *words)
    done = nbatch("run", name, "--simulate")
    assert done.code == 2 and not list(tmp_path.glob("*.csv.journal")), done


def test_a_pipe_is_refused_and_redirection_is_read(nbatch, tmp_path):
    content = (FIXTURES / "kinds.xlsx").read_bytes()
    for options, code in ((("--format", "csv"), 3), (("--format", "xlsx"), 2), (("--format", "jsonl"), 3)):
        done = nbatch("check", "-", *options, stdin=content, text=False)
        assert done.code == code and b"cannot be read from a pipe: give the file by its name" in done.told, done
    with open(FIXTURES / "kinds.xlsx", "rb") as f:
        done = subprocess.run([NBATCH, "check", "-", "--pass", "note"], stdin=f, capture_output=True, text=True,
                              check=False)
    assert done.returncode == 0 and "standard input: 12 rows, 12 valid" in done.stdout, done
    (tmp_path / "kinds.xlsx.gz").write_bytes(gzip.compress(content))
    check(nbatch, "kinds.xlsx.gz", 2, "compressed once more", "unpack it")
    (tmp_path / "kinds.csv").write_bytes(gzip.compress(content))
    check(nbatch, "kinds.csv", 3, "compressed once more", "E-XLSX")


def test_options_that_a_workbook_has_no_use_for_are_refused(nbatch, tmp_path, fleet):
    book = write_book(tmp_path / "fleet.xlsx", [NAMES, good_row(1)])
    check(nbatch, book, 2, "which has no delimiter: leave --delimiter out", options=("--delimiter", ";"))
    check(nbatch, book, 2, "whose encoding is known: leave --encoding out", options=("--encoding", "gb18030"))
    check(nbatch, fleet(1), 2, "it is no workbook (.xlsx): leave --sheet out", options=("--sheet", "1"))


def test_results_are_named_by_the_workbook(nbatch, tmp_path):
    write_book(tmp_path / "fleet.xlsx", [NAMES, good_row(1)])
    done = nbatch("run", "fleet.xlsx", "--simulate", "--report", "r.html", "--json")
    assert done.code == 0 and (tmp_path / "fleet.rehearsal.csv").exists(), done
    assert json.loads(done.out)["accepted"] == 1


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_workbook_that_is_cut_off_is_refused(nbatch, tmp_path, share):
    content = (FIXTURES / "kinds.xlsx").read_bytes()
    (tmp_path / "cut.xlsx").write_bytes(content[:max(4, int(len(content) * share))])
    check(nbatch, "cut.xlsx", 3, "cut off or damaged", "E-XLSX", options=("--pass", "note"))
    done = nbatch("run", "cut.xlsx", "--simulate", "--skip-invalid")
    assert done.code == 3 and "nothing was sent" in done.told, done


def test_a_part_that_is_damaged_is_refused(nbatch, tmp_path):
    path = write_book(tmp_path / "x.xlsx", [NAMES, *(good_row(i) for i in range(200))])
    with zipfile.ZipFile(path) as z:
        at = z.getinfo("xl/worksheets/sheet1.xml").header_offset + 300
    content = bytearray(path.read_bytes())
    content[at] ^= 0xff
    path.write_bytes(content)
    check(nbatch, path, 3, "the workbook is damaged: xl/worksheets/sheet1.xml", "E-XLSX")


def bomb(tmp_path, **parts):
    return write_book(tmp_path / "bomb.xlsx", [NAMES, good_row(1)], **parts)


def zeros(mebibytes, before=b"", after=b""):
    yield before
    for _ in range(mebibytes):
        yield b" " * (1 << 20)
    yield after


def test_bombs_are_refused(nbatch, tmp_path):
    # Unpacks a thousandfold; the rows would be fine.
    sheet = sheet_xml([NAMES, good_row(1)]).encode()
    parts = {**usual_parts(), "xl/worksheets/sheet1.xml": zeros(200, sheet.split(b"<sheetData>")[0],
                                                                b"<sheetData>" + sheet.split(b"<sheetData>")[1])}
    write_parts(tmp_path / "big.xlsx", parts)
    check(nbatch, "big.xlsx", 3, "unpacks to more than is read of one", "E-XLSX")
    # A part that nothing refers to counts as well.
    write_parts(tmp_path / "aside.xlsx", {**usual_parts(), "xl/worksheets/sheet1.xml": sheet.decode(),
                                          "xl/media/image1.png": zeros(200)})
    check(nbatch, "aside.xlsx", 3, "unpacks to more than is read of one")
    # Entities that refer to entities.
    laughs = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "ha"}">' for i in range(10))
    bomb(tmp_path, xl__sharedStrings_dot_xml=f"<!DOCTYPE sst [{laughs}]><sst><si><t>&a9;</t></si></sst>")
    check(nbatch, "bomb.xlsx", 3, "document type declaration", "E-XLSX")
    # Elements in elements.
    bomb(tmp_path, xl__sharedStrings_dot_xml="<a>" * 100000)
    check(nbatch, "bomb.xlsx", 3, "nested deeper than 64")
    # More parts than any workbook has.
    write_parts(tmp_path / "many.xlsx", {**usual_parts(), "xl/worksheets/sheet1.xml": sheet.decode(),
                                         **{f"x{i}": "" for i in range(10001)}})
    check(nbatch, "many.xlsx", 3, "10005 parts, more than 10000")


def test_what_is_below_the_limits_is_read(nbatch, tmp_path):
    """Negative control of the bombs: the same shapes, smaller."""
    sheet = sheet_xml([NAMES, good_row(1)]).encode()
    start, end = sheet.split(b"<sheetData>")
    write_parts(tmp_path / "ok.xlsx", {**usual_parts(), **{f"x{i}": "" for i in range(9000)},
                                       "xl/worksheets/sheet1.xml": zeros(40, start, b"<sheetData>" + end)})
    check(nbatch, "ok.xlsx", 0, "1 row, 1 valid")


def test_texts_above_their_cap_are_refused(nbatch, tmp_path):
    text = b"".join(b"%064d" % i for i in range(15000))
    strings = (b"<si><t>" + text + b"</t></si>" for _ in range(300))

    def part():
        yield f'<sst xmlns="{MAIN}">'.encode()
        yield from strings
        yield b"</sst>"

    write_parts(tmp_path / "texts.xlsx", {**usual_parts(), "xl/worksheets/sheet1.xml": sheet_xml([NAMES, good_row(1)]),
                                          "xl/sharedStrings.xml": part()}, level=1)
    check(nbatch, "texts.xlsx", 3, "take more than 256 MiB of memory: save the sheet as CSV UTF-8", "E-XLSX")


def peak_kib(tmp_path, path):
    """Peak memory of a check, by GNU time's own measure."""
    code = ("import os, resource, sys\n"
            "pid = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:])\n"
            "_, status, usage = os.wait4(pid, 0)\n"
            "print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)\n")
    done = subprocess.run(["/usr/bin/python3", "-c", code, NBATCH, "check", str(path), "-q"], capture_output=True,
                          text=True, check=False, cwd=tmp_path)
    code, peak = done.stdout.split()
    assert code == "0", done
    return int(peak)


def test_memory_is_that_of_a_csv_whatever_the_size(nbatch, tmp_path):
    def sheet(rows):
        yield sheet_xml([NAMES]).encode().split(b"</sheetData>")[0]
        for i in range(rows):
            yield (f'<row r="{i + 2}"><c><v>{imei(i)}</v></c><c><v>3311</v></c><c><v>0</v></c><c><v>2</v></c>'
                   f'<c t="inlineStr"><is><t>+7d</t></is></c><c><v>{i}</v></c></row>').encode()
        yield b"</sheetData></worksheet>"

    peaks = {}
    for rows in (1000, 100000):
        write_parts(tmp_path / f"{rows}.xlsx", {**usual_parts(), "xl/worksheets/sheet1.xml": sheet(rows)}, level=1)
        (tmp_path / f"{rows}.csv").write_text(HEADER + "".join(row_of(i) for i in range(rows)))
        for extension in ("xlsx", "csv"):
            peaks[rows, extension] = peak_kib(tmp_path, tmp_path / f"{rows}.{extension}")
    grown = {e: peaks[100000, e] - peaks[1000, e] for e in ("xlsx", "csv")}
    # The sheet's XML is 13 MB. The few bytes a row that checking costs are the same for both.
    assert grown["xlsx"] - grown["csv"] < 4096, peaks
    assert peaks[1000, "xlsx"] < 40 * 1024 or "asan" in NBATCH, peaks


def test_split_halves_of_a_workbook_are_csv(nbatch, tmp_path):
    write_book(tmp_path / "fleet.xlsx", [NAMES, good_row(1, 'a,"b"\nc'), ["1", *good_row(2)[1:]]])
    assert nbatch("check", "fleet.xlsx", "--split-valid", "good.csv", "--split-invalid", "bad.csv").code == 3
    assert (tmp_path / "good.csv").read_text() == HEADER + f'{imei(1)},3311,0,2,+7d,"a,""b""\nc"\n'
    assert (tmp_path / "bad.csv").read_text() == HEADER + "1,3311,0,2,+7d,2\n"
    check(nbatch, "good.csv", 0, "1 row, 1 valid")
