"""Files as people save them: each is read at once, or what is said of it names what is wrong, or the one command that
reads it. What a command reads is sent, so that damage that nobody was told of would show in what leaves."""
import json
import shlex
import subprocess

import pytest
from conftest import NBATCH, ROOT, imei

SAVED = ROOT / "tests/fixtures/saved"
XLSX = ROOT / "tests/fixtures/xlsx"
NAMES = ["imei", "obj_id", "obj_inst_id", "mode", "expired_time", "res:5850"]
CHINESE = ["设备号", "对象ID", "实例ID", "模式", "过期时间", "资源5850"]
MAPS = [f"--map {name}={heading}" for name, heading in zip(NAMES, CHINESE)]
TENS = [10, 11, 12]


def rows(values=TENS, header=NAMES, separator=",", end="\r\n", last_end=True, imeis=None):
    lines = [separator.join(header)]
    for i, value in enumerate(values):
        lines.append(separator.join([imeis[i] if imeis else imei(i + 1), "3311", "0", "2", "+7d", str(value)]))
    return end.join(lines) + (end if last_end else "")


def meters():
    """A list as a water company has it."""
    lines = [f"{i},00042{i},{imei(i)},张三,{word}" for i, word in enumerate("开关开", 1)]
    return "\r\n".join(["序号,表号,模组号,用户,阀门", *lines, ""]).encode()


class At:
    """Read at once: the values that leave, and what is said beside."""

    def __init__(self, values, *words):
        self.values, self.words = values, words


class Fix:
    """Read by the command that is said: options that are in it, and the values that leave by it."""

    def __init__(self, values, *options):
        self.values, self.options = values, options


class Says:
    """Nothing is sent: an exit status and what is said."""

    def __init__(self, code, *words, options=()):
        self.code, self.words, self.options = code, words, options


class Asks:
    """Valid, and a run asks before it sends."""

    def __init__(self, *words, options=()):
        self.words, self.options = words, options


def fixture(name):
    return (SAVED / name).read_bytes()


GB, SEMI, PASS = "--encoding gb18030", "--delimiter semicolon", "--pass 站点"

FILES = {
    # LibreOffice
    "lo-plain-utf8.csv": (fixture("lo-plain-utf8.csv"), At(TENS)),
    "lo-plain-quoted-semicolon.csv": (fixture("lo-plain-quoted-semicolon.csv"), Fix(TENS, SEMI)),
    "lo-simplified-utf8.csv": (fixture("lo-simplified-utf8.csv"), Fix(TENS, *MAPS, PASS)),
    "lo-simplified-gb18030.csv": (fixture("lo-simplified-gb18030.csv"), Fix(TENS, GB, *MAPS, PASS)),
    "lo-simplified-gbk-semicolon.csv": (fixture("lo-simplified-gbk-semicolon.csv"), Fix(TENS, GB, SEMI, *MAPS, PASS)),
    "lo-simplified-utf16-tab.csv": (fixture("lo-simplified-utf16-tab.csv"), Fix(TENS, "--delimiter tab", *MAPS, PASS)),
    "lo-traditional-big5.csv": (fixture("lo-traditional-big5.csv"), Fix(TENS, "--encoding big5", "--map imei=設備號")),
    "lo-western-1252-semicolon.csv": (fixture("lo-western-1252-semicolon.csv"),
                                      Fix(TENS, "--encoding windows-1252", SEMI, "--pass Straße")),
    "lo-titled-utf8.csv": (fixture("lo-titled-utf8.csv"), Fix(TENS, "--header-line 3", *MAPS)),
    "lo-titled-gb18030-semicolon.csv": (fixture("lo-titled-gb18030-semicolon.csv"),
                                        Fix(TENS, GB, SEMI, "--header-line 3", *MAPS)),
    "lo-kinds-utf8.csv": (fixture("lo-kinds-utf8.csv"), Says(3, '"01/31/2037 08:00:00" is not a time')),
    "lo-damaged-utf8.csv": (fixture("lo-damaged-utf8.csv"), Says(3, "#DIV/0! is an error", "#N/A is", "#REF! is")),
    "lo-plain.xlsx": (fixture("lo-plain.xlsx"), At(TENS)),
    "lo-simplified.xlsx": (fixture("lo-simplified.xlsx"), Fix(TENS, *MAPS, PASS)),
    "lo-titled.xlsx": (fixture("lo-titled.xlsx"), Fix(TENS, "--header-line 3", *MAPS)),
    "lo-kinds.xlsx": (fixture("lo-kinds.xlsx"), At([False, 0.1, 0.2, True, 1.1, 2.2, True, 2.1, 4.2], "3 formulas")),
    "lo-damaged.xlsx": (fixture("lo-damaged.xlsx"), Says(3, "F2 holds an error: #DIV/0!", "F3 holds", "#REF! is")),
    # exceljs
    "js-plain.xlsx": (fixture("js-plain.xlsx"), At([0, 1, 2])),
    "js-upper.xlsx": (fixture("js-upper.xlsx"), At([0, 1, 2])),
    "js-chinese.xlsx": (fixture("js-chinese.xlsx"),
                        Fix([0, 1, 2], "--map imei=设备号（15位）", "--map 'obj_id=对象 ID'", "--pass 备注")),
    "js-titled.xlsx": (fixture("js-titled.xlsx"), Fix([0, 1, 2], "--header-line 4")),
    "js-cover.xlsx": (fixture("js-cover.xlsx"), Fix([0, 1, 2], "--sheet 2")),
    "js-numbers.xlsx": (fixture("js-numbers.xlsx"), At([0.1, 1.1, 2.1])),
    "js-booleans.xlsx": (fixture("js-booleans.xlsx"), At([True, False, True])),
    "js-texts.xlsx": (fixture("js-texts.xlsx"), At(["000", "001", "002"])),
    "js-formulas.xlsx": (fixture("js-formulas.xlsx"), At([6622] * 3, "the stored results of 3 formulas are read")),
    "js-formulas-without-result.xlsx": (fixture("js-formulas-without-result.xlsx"), Says(3, "F2 holds a formula without")),
    "js-errors.xlsx": (fixture("js-errors.xlsx"), Says(3, "F3 holds an error: #N/A")),
    "js-date-in-value.xlsx": (fixture("js-date-in-value.xlsx"), Says(3, "F3 holds a date or a time")),
    "js-merged-values.xlsx": (fixture("js-merged-values.xlsx"), Says(3, "F3 is one of the merged cells F2:F3")),
    "js-wide.xlsx": (fixture("js-wide.xlsx"), At([0, 1, 2])),
    "js-note-beside.xlsx": (fixture("js-note-beside.xlsx"), Says(3, ":3: has 8 cells, the header has 6 [E-CELLS]")),
    "js-sum-below.xlsx": (fixture("js-sum-below.xlsx"), Says(3, ':5: imei: "合计" is not 15 digits')),
    "js-hidden.xlsx": (fixture("js-hidden.xlsx"), At([0, 1, 2], "1 hidden row is read")),
    "js-invisible.xlsx": (fixture("js-invisible.xlsx"), Asks('"on<U+200B>" on line 3 [W-INVISIBLE]')),
    "js-mixed.xlsx": (fixture("js-mixed.xlsx"), Asks('"1,234.50" on line 3', "W-MIXED")),
    "renamed.csv": (fixture("js-plain.xlsx"), At([0, 1, 2])),
    "sheets.xlsx": ((XLSX / "sheets.xlsx").read_bytes(), Says(3, '--pass note', "[E-COLUMN]")),
    "old.xls": ((XLSX / "kinds.xls").read_bytes(), Says(2, "an .xls or .et workbook", "save it as .xlsx")),
    "open.ods": ((XLSX / "kinds.ods").read_bytes(), Says(2, "save it as .xlsx")),
    "old.csv": ((XLSX / "kinds.xls").read_bytes(), Says(2, "an .xls or .et workbook")),
    # Excel, by hand: "CSV UTF-8", "CSV" of a Chinese and of a German Windows, "Unicode Text", "CSV (Macintosh)"
    "utf8-bom.csv": (b"\xef\xbb\xbf" + rows().encode(), At(TENS)),
    "double-bom.csv": (b"\xef\xbb\xbf" * 2 + rows().encode(), At(TENS)),
    "gbk.csv": (rows(header=CHINESE).encode("gbk"), Fix(TENS, GB, *MAPS)),
    "gbk-values.csv": (rows(["开", "关", "开"]).encode("gbk"), Fix([True, False, True], GB, "--true 开", "--false 关")),
    "big5-values.csv": (rows(["功能", "關閉", "開啟"]).encode("big5"), Fix(["功能", "關閉", "開啟"], "--encoding big5")),
    "semicolon.csv": (rows(separator=";").encode(), Fix(TENS, SEMI)),
    "unicode-text.txt": (rows(separator="\t").encode("utf-16"), Fix(TENS, "--format csv", "--delimiter tab")),
    "utf16-without-mark.csv": (rows().encode("utf-16-le"), Fix(TENS, "--encoding utf-16le")),
    "utf16be-without-mark.csv": (rows().encode("utf-16-be"), Fix(TENS, "--encoding utf-16be")),
    "tabs.tsv": (rows(separator="\t").encode(), Fix(TENS, "--format csv", "--delimiter tab")),
    "pipes.csv": (rows(separator="|").encode(), Fix(TENS, "--delimiter pipe")),
    "mac.csv": (rows(end="\r").encode(), At(TENS)),
    "sep-line.csv": (b"sep=;\r\n" + rows(separator=";").encode(), Fix(TENS, SEMI, "--header-line 2")),
    "sep-comma.csv": (b"sep=,\r\n" + rows().encode(), Fix(TENS, "--header-line 2")),
    "title.csv": ("批量下发表,,,,,\r\n,,,,,\r\n".encode() + rows().encode(), Fix(TENS, "--header-line 3")),
    "title-of-lines.csv": ('"填表说明\n不要改动",,,,,\n'.encode() + rows().encode(), Fix(TENS, "--header-line 3")),
    "wide.csv": (rows([f"{v},," for v in TENS], [*NAMES, "", ""]).encode() + b",,,,,,,\r\n" * 5,
                 At(TENS, "2 empty columns at the right and 5 rows without a value are left out")),
    "wide-with-value.csv": (rows(["10,,x", "11,,"], [*NAMES, "", ""]).encode(), Says(3, ":2: has 8 cells")),
    "open-ended.csv": (rows(last_end=False).encode(), At(TENS, "the last line, 4, has no line end")),
    "cut-in-row.csv": (rows().encode()[:-9], Says(3, ":4: has 4 cells", "the last line, 4, has no line end")),
    "upper.csv": (rows(header=[n.upper() for n in NAMES]).encode(), At(TENS)),
    "wide-letters.csv": (rows(header=["ＩＭＥＩ", "obj＿id", " obj_inst_id ", "Mode", "expired_time\u00a0", "res：5850"]).encode(),
                         At(TENS)),
    "zero-width-heading.csv": (rows(header=["\u200bimei", *NAMES[1:]]).encode(), At(TENS)),
    "english.csv": (rows(header=["Device ID", "Object ID", "Instance", "Mode", "Expiry Time", "Res_5850"]).encode(),
                    Fix(TENS, "--map 'imei=Device ID'", "--map 'obj_id=Object ID'", "--map res:5850=Res_5850")),
    "two-devices.csv": (rows(header=["设备号", *NAMES[1:5], "串号"]).encode(), Says(3, "设备号 is imei", "--map imei=设备号", "--map res:...=串号")),
    "unknown-resource.csv": (rows(header=[*NAMES[:5], "亮度"]).encode(),
                             Says(3, "that each of these columns sets: 亮度;", "--map res:...=亮度")),
    "misspelt.csv": (rows(header=[*NAMES[:4], "expired_tme", "res:5850"]).encode(),
                     Says(3, "expired_tme: unknown column; did you mean expired_time?")),
    "no-header.csv": (rows().split("\r\n", 1)[1].encode(), Says(3, "it has no header, and its first line is a row")),
    "wide-commas.csv": (rows(separator="，").encode(), Says(3, "the full-width comma ， (U+FF0C)")),
    "imei-as-number.csv": (rows(imeis=["8.65820E+14"] * 3).encode(), Says(3, "what a spreadsheet made of the number")),
    "zero-width-imei.csv": (rows([1], imeis=["\u200b" + imei(1)]).encode(), Says(3, "<U+200B>86", "E-IMEI")),
    "excel-times.csv": (rows().replace("+7d", "2037/1/31 8:00").encode(), Says(3, "is not a time", "E-TIME")),
    "excel-booleans.csv": (rows(["TRUE", "FALSE", "TRUE"]).encode(), Asks("W-BOOLEAN", "--true TRUE --false FALSE")),
    "percent.csv": (rows(["12%", "50%", "100%"]).encode(), Asks("W-MIXED", "3 cells look like numbers, and are sent as texts")),
    "apostrophes.csv": (rows(["'80", "'90", "'95"]).encode(), Asks("W-MIXED", "3 cells look like numbers")),
    "codes.csv": (rows(["0042", "0043", "0044"]).encode(), At(["0042", "0043", "0044"])),
    "switches.csv": (rows(["自动", "开", "关"]).encode(), At(["自动", "开", "关"])),
    "meters.csv": (meters(), Says(3, "模组号 holds numbers of 15 digits", "阀门;", "--map imei=模组号 --map res:...=阀门",
                                  "--pass 序号,表号,用户", "--true 开 --false 关")),
    "meters-titled.csv": (b"\xe6\xb0\xb4\xe8\xa1\xa8,,,,\r\n" + meters(), Says(3, "are on line 2", "--map imei=模组号")),
    "imsi.csv": (rows([f"{v},46011{i:010d}" for i, v in enumerate(TENS)], ["编码B", *CHINESE[1:], "编码A"]).encode(),
                 Fix(TENS, "--map imei=编码B", "--pass 编码A")),
    "excel-errors.csv": (rows(["#N/A", "#####", "=B2*2"]).encode(), Says(3, "#N/A is an error", "#####", "=B2*2")),
    "thousands.csv": (rows([1, '"1,234.50"', 3]).encode(), Asks("W-MIXED")),
    "control.csv": (rows(["a\u0085b", "a\u202eb", "c"]).encode(),
                    Asks('"a<U+0085>b" on line 2, "a<U+202E>b" on line 3', ":2: warning", "W-CONTROL")),
    "big5-as-gb18030.csv": (rows(["功能", "關閉", "開啟"]).encode("big5"),
                            Asks("W-INVISIBLE", "its text is big5", "--encoding big5", options=("--encoding", "gb18030"))),
}


def test_there_are_enough_files():
    assert len(FILES) >= 60
    assert sum(path.stat().st_size for path in SAVED.iterdir()) < 1024 * 1024


@pytest.fixture(params=FILES, ids=str)
def saved(request, tmp_path):
    content, expected = FILES[request.param]
    path = tmp_path / request.param
    path.write_bytes(content)
    return path, expected


def sent_by(words, simulator, tmp_path):
    """The values that leave when the words that check a file send it."""
    sim = simulator()
    key = tmp_path / "key"
    key.write_text("k")
    key.chmod(0o600)
    done = subprocess.run([words[0], "run", *words[2:], "--endpoint", sim.url, "--api-key-file", key, "-c", "1", "-o",
                           tmp_path / "out.csv"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done
    return [item["val"] for line in sim.audit() for item in json.loads(line["body"])["data"]]


def test_a_saved_file_is_read_or_answered(nbatch, saved, simulator, tmp_path):
    path, expected = saved
    options = getattr(expected, "options", ()) if not isinstance(expected, Fix) else ()
    done = nbatch("check", path, *options)
    fix = nbatch("check", "--fix", path, *options)
    if isinstance(expected, Fix):
        assert done.code in (2, 3) and fix.code == 0 and fix.err == "", (done, fix)
        command = fix.out.strip()
        assert done.told.count(command) == 1, done  # what is said ends with it
        for option in expected.options:
            assert option in command, (option, command)
        again = subprocess.run(["sh", "-c", f'eval "$({shlex.join([NBATCH, "check", "--fix", str(path)])})"'],
                               capture_output=True, text=True, check=False)
        assert again.returncode == 0 and " 0 invalid, 0 warnings" in again.stdout, again
        assert sent_by(shlex.split(command), simulator, tmp_path) == expected.values
        return
    for word in expected.words:
        assert word in done.told, (word, done)
    if isinstance(expected, Says):
        assert done.code == expected.code, done
        return
    assert done.code == 0, done
    if isinstance(expected, At):
        assert " 0 warnings" in done.out and shlex.split(fix.out) == [NBATCH, "check", str(path)], (done, fix)
        assert sent_by([NBATCH, "check", str(path)], simulator, tmp_path) == expected.values
        return
    run = nbatch("run", path, "--simulate", *options)
    assert run.code == 3 and "--yes" in run.err and not list(tmp_path.glob("*.rehearsal.csv")), run


def test_the_parts_of_a_diagnosis_that_only_a_person_knows_are_no_command(nbatch, tmp_path):
    path = tmp_path / "devices.csv"
    path.write_bytes("设备号;站点\n865820031310001;上海\n".encode("gbk"))
    done = nbatch("check", path)
    assert done.code == 3 and "what only you know goes" in done.out and "--set mode=..." in done.out and GB in done.out, done
    fix = nbatch("check", "--fix", path)
    assert fix.code == 3 and fix.out == "" and "what only you know goes" in fix.err, fix
    shared = ["--set", "obj_id=3311", "--set", "obj_inst_id=0", "--set", "mode=2", "--set", "expired_time=+7d",
              "--set", "res:5850=true"]
    fix = nbatch("check", "--fix", path, *shared)
    assert fix.code == 0 and shlex.split(fix.out)[2:] == [
        str(path), *shared, "--encoding", "gb18030", "--delimiter", "semicolon", "--map", "imei=设备号", "--pass", "站点"]
    assert subprocess.run(shlex.split(fix.out), check=False, capture_output=True).returncode == 0


def test_what_only_a_person_knows_completes_the_command(nbatch, tmp_path, simulator):
    path = tmp_path / "meters.csv"
    path.write_bytes(meters())
    known = ["--map", "res:5850=阀门", "--set", "obj_id=3311", "--set", "obj_inst_id=0", "--set", "mode=2", "--set", "expired_time=+7d"]
    command = shlex.split(nbatch("check", "--fix", path, *known).out)
    assert command[2:] == [str(path), *known, "--map", "imei=模组号", "--pass", "序号,表号,用户", "--true", "开", "--false", "关"]
    assert sent_by(command, simulator, tmp_path) == [True, False, True]
    done = nbatch("check", path, *known, "--map", "imei=模组号", "--pass", "序号,表号,用户")  # the words alone are left
    assert done.code == 0 and done.told.count("W-BOOLEAN") == 2, done
    assert command in [shlex.split(line) for line in done.told.splitlines() if line.startswith("    ")], done


def test_an_imei_is_never_one_value_for_all_rows(nbatch, tmp_path):
    path = tmp_path / "fleet.csv"
    path.write_text("obj_id,obj_inst_id,mode,expired_time,res:1\n3311,0,2,+7d,1\n")
    done = nbatch("check", path)
    assert done.code == 3 and "--set imei" not in done.told and "--map imei=..." in done.told, done


def test_an_option_that_contradicts_the_file_is_replaced(nbatch, tmp_path):
    path = tmp_path / "fleet.csv"
    path.write_bytes(rows(header=CHINESE).encode("gbk"))
    fix = nbatch("check", "--fix", path, "--encoding", "big5", "--delimiter", ";", "--header-line", "2")
    assert fix.code == 0 and "big5" not in fix.out and fix.out.count("--delimiter") == fix.out.count("--header-line") == 1
    assert subprocess.run(shlex.split(fix.out), check=False, capture_output=True).returncode == 0


def test_synonyms_are_suggested_and_never_applied(nbatch, tmp_path):
    path = tmp_path / "fleet.csv"
    path.write_text(rows(header=CHINESE))
    for options in ([], ["--yes"], ["--skip-invalid"]):
        done = nbatch("run", path, "--simulate", *options)
        assert done.code == 3 and "nothing was sent" in done.err and not list(tmp_path.glob("*.rehearsal.csv")), done


def test_a_name_that_differs_in_case_only_is_found_where_there_is_one(nbatch, tmp_path):
    path = tmp_path / "fleet.csv"
    path.write_text(rows(header=[*NAMES[:5], "Level "], values=[1, 2]))
    assert nbatch("check", path, "--map", "res:1=LEVEL").code == 0
    assert nbatch("check", path, "--set", "res:1=${level}").code == 0
    path.write_text(rows(header=[*NAMES[:5], "Level,level"], values=["1,2"]))
    assert nbatch("check", path, "--map", "res:1=level", "--pass", "Level").code == 0  # as it is given goes first
    done = nbatch("check", path, "--map", "res:1=LEVEL")
    assert done.code == 3 and "columns 6 and 7 are both called so" in done.told, done
    # A column that is passed is that alone, as in earlier versions.
    path.write_text(rows(header=[*NAMES, "IMEI"], values=["1,x"]))
    assert nbatch("check", path, "--pass", "IMEI").code == 0
    done = nbatch("check", path)
    assert done.code == 3 and "means the same as the column imei" in done.told, done


def test_a_header_line_is_named(nbatch, tmp_path, fleet):
    path = tmp_path / "fleet.csv"
    path.write_text('a title\r\nwith "quotes\n\n' + rows())
    done = nbatch("check", path, "--header-line", "4", "--split-valid", "good.csv")
    assert done.code == 0 and " 3 valid" in done.out, done
    assert (tmp_path / "good.csv").read_text() == rows().replace("\r\n", "\n") or \
        (tmp_path / "good.csv").read_bytes().decode() == rows()
    results = nbatch("run", path, "--simulate", "--header-line", "4")
    assert results.code == 0 and ",5," in (tmp_path / "fleet.rehearsal.csv").read_text(), results
    done = nbatch("check", path, "--header-line", "90")
    assert done.code == 3 and "E-EMPTY" in done.out, done
    done = nbatch("check", "-", "--format", "jsonl", "--header-line", "2", stdin="{}")
    assert done.code == 2 and "leave --header-line out" in done.err, done


def test_a_swapped_map_is_recognised(nbatch, fleet):
    done = nbatch("check", fleet(1), "--map", "设备号=imei")
    assert done.code == 2 and "the platform's name comes first: --map imei=设备号" in done.err, done


def test_check_takes_the_options_of_run(nbatch, fleet, tmp_path):
    words = ["--endpoint", "http://127.0.0.1:1", "--api-key-file", "nowhere", "-c", "4", "--skip-invalid", "--canary", "5",
             "--resume", "-o", "x.csv", "--report", "x.html", "--log", "x.jsonl"]
    done = nbatch("check", fleet(2), *words)
    assert done.code == 0 and " 2 valid" in done.out and [p.name for p in tmp_path.iterdir()] == ["fleet.csv"], done
    assert nbatch("check", fleet(2), "--simulate", "--sort").code == 0
    done = nbatch("check", fleet(2), "-c", "x")
    assert done.code == 2 and "--concurrency x: must be" in done.err, done
    assert "--canary" not in nbatch("check", "--help").out  # what it has no use for; with --online it asks as a run does


def test_a_report_is_on_standard_output_and_progress_is_not(nbatch, fleet, tmp_path):
    done = nbatch("check", fleet(2), "--progress", "always")
    assert " 2 valid" in done.out and " 2 valid" not in done.err and "checking" not in done.out, done
    assert " 2 valid" in nbatch("run", fleet(2), "-n").out
    bad = tmp_path / "bad.csv"
    bad.write_text(rows(["#N/A"]))
    assert nbatch("check", bad, "-q").out.count("\n") >= 1
    done = nbatch("check", bad, "--json")
    assert json.loads(done.out)["invalid"] == 1 and "#N/A" in done.err
    with open("/dev/full", "w") as full:
        done = subprocess.run([NBATCH, "check", bad], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 7 and "standard output" in done.stderr and done.stderr.count("\n") == 1, done


@pytest.mark.parametrize("action", ["write", "read", "execute"])
def test_a_template_checks_clean(nbatch, tmp_path, action):
    done = nbatch("template", action)
    (tmp_path / "fleet.csv").write_text(done.out)
    done = nbatch("check", "fleet.csv")
    assert done.code == 0 and f"1 valid, 0 invalid, 0 warnings; 1 {action}" in done.out, done
    assert nbatch("template").out == nbatch("template", "write").out
    assert nbatch("template", "cancel").code == 2
    assert nbatch("version").out == nbatch("--version").out


def test_results_are_shown_by_status_and_each_row_once(nbatch, fleet, tmp_path):
    path = fleet(6)
    first = nbatch("run", path, "--simulate=fault=close-after:100%", "-o", "r.csv", "--max-attempts", "1")
    assert first.code == 6, first
    second = nbatch("run", path, "--simulate", "-o", "r.csv", "--resume=in_doubt")
    assert second.code == 0, second
    lines = (tmp_path / "r.csv").read_text().splitlines()
    assert len(lines) == 13 and sum(",in_doubt," in line for line in lines) == 6
    header, *shown = nbatch("results", "r.csv").out.splitlines()
    assert header == lines[0] and len(shown) == 6 and set(shown) == set(lines[7:])
    assert nbatch("results", "r.csv", "--status", "in_doubt,failed").out.splitlines() == [header]
    assert nbatch("results", "r.csv", "--status", "accepted").out.splitlines() == [header, *shown]
    done = nbatch("results", "r.csv", "--status", "doubtful")
    assert done.code == 2 and "accepted, rejected, failed, in_doubt, invalid" in done.err
    assert nbatch("results", path).code == 3 and nbatch("results", "nofile.csv").code != 0
