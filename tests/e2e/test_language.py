"""The language: what chooses it, and that what programs read is the same in each."""
import re
import shutil
import sys
import unicodedata

import pytest
from conftest import HEADER, ROOT, imei, row_of
from workbooks import write_book

ENGLISH, CHINESE = "did you mean nbatch run?", "是不是 nbatch run？"
SILENT = {name: None for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE", "NBATCH_LANG")}


@pytest.mark.parametrize("variables", [
    {"LANG": "zh_CN.UTF-8"}, {"LC_ALL": "zh_CN"}, {"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "C"}, {"LANG": "C.UTF-8", "LANGUAGE": "zh_CN"},
    {"LANG": "de_DE.UTF-8", "LANGUAGE": "de:zh_CN:en"}, {"NBATCH_LANG": "zh"}, {"NBATCH_LANG": "zh", "LANG": "en_US.UTF-8"},
    {"LANG": "zh_HK.UTF-8"}, {"LANG": "zh-CN"}, {"LANG": "ZH_cn.utf8"}, {"LANG": "zh-CN.UTF8"}, {"NBATCH_LANG": "zh", "LANG": "zh_CN.GBK"}], ids=str)
def test_the_environment_may_ask_for_chinese(nbatch, variables):
    """Of which no locale need be installed."""
    assert CHINESE in nbatch("rnu", env={**SILENT, **variables}).err


@pytest.mark.parametrize("variables", [
    {}, {"LANG": "C.UTF-8"}, {"LANG": "en_US.UTF-8"}, {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, {"LC_ALL": "C", "LANGUAGE": "zh_CN"},
    {"LANG": "zh_CN.UTF-8", "LANGUAGE": "en:zh"}, {"NBATCH_LANG": "en", "LANG": "zh_CN.UTF-8"}, {"LC_CTYPE": "zh_CN.UTF-8"},
    {"LANGUAGE": "zh_CN"}, {"LANG": "zh_CN.GBK"}, {"LC_ALL": "zh_CN.GB18030"}, {"LANG": "zh_CN.gb2312", "LANGUAGE": "zh_CN"},
    {"LANG": "zh_CN.UTF-8", "LC_CTYPE": "zh_CN.GBK"}, {"LANG": "zhuang"}], ids=str)
def test_else_it_is_english(nbatch, variables):
    assert ENGLISH in nbatch("rnu", env={**SILENT, **variables}).err


def test_the_words_go_before_the_environment(nbatch):
    chinese = {**SILENT, "LANG": "zh_CN.UTF-8"}
    assert ENGLISH in nbatch("--lang", "en", "rnu", env=chinese).err
    assert CHINESE in nbatch("rnu", "--lang=zh", env=SILENT).err
    assert nbatch("help", "--lang", "zh", "errno", env=SILENT).code == 0
    assert nbatch("--lang", "zh", "version", env=SILENT).code == 0


def test_a_language_that_there_is_not_is_refused(nbatch, fleet):
    done = nbatch("check", fleet(1), "--lang", "de", env=SILENT)
    assert done.code == 2 and "--lang" in done.err


def test_a_configuration_may_name_the_language(nbatch, fleet, tmp_path):
    (tmp_path / "ops.yaml").write_text("lang: zh\n")
    done = nbatch("run", fleet(1), "--simulate=fault=errno-5106:100%", "--config", "ops.yaml", env=SILENT)
    assert "平台拒绝了" in done.err


# What programs read.

sys.path.insert(0, str(ROOT / "src/po"))
import extract  # noqa: E402

WRONG = HEADER + "865820031310001,70000,0,3,2020-01-01T00:00:00,maybe\n" + row_of(1) + row_of(2) + "8.6582E+14,3311,0,2,+7d,1\n"
CHANGING = [(re.compile(pattern), "#") for pattern in (
    r"\d{4}-\d\d-\d\dT(?:[\d:.]|%3A)+(?:Z|[+-][\d:]+)?", r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", r"127\.0\.0\.1:\d+", r'"(?:lists|lookups|calls)":\d+', r'"run":"\w+"', r'"pid":\d+',
    r'"(?:\w*(?:seconds|_per_second\w*|_ms|per_s|p\d+|max|_s|sum|in_flight|concurrency)\w*)":[\d.]+', r"(?<=\d,)[\d.]+(?=,#)",
    r"(?m)^nbatch_\w*(?:seconds|per_second|rows_in_flight|in_flight|time)\w*(?:\{.*\})? .*$", r"(?m)^nbatch_attempt.*$")]


def steady(text):
    for pattern, place in CHANGING:
        text = pattern.sub(place, text)
    return text


def data_of(run, tmp_path, language, words, inputs):
    """Every file that a call writes, and what it gives on standard output."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name, text in inputs.items():
        (folder / name).write_text(text, encoding="utf-8")
    outs = []
    for line in words:
        done = run(*line, cwd=folder, env={**SILENT, "LANG": {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}[language]})
        outs.append((done.code, done.out if "--json" in line or "-" in line else ""))
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name not in inputs}
    texts = {name: steady(data.decode()) for name, data in files.items() if name.endswith((".csv", ".jsonl", ".prom"))}
    for name in texts:
        if name.endswith(".jsonl"):
            texts[name] = [line for line in texts[name].splitlines() if '"event":"progress"' not in line]
        texts[name] = texts[name].splitlines() if isinstance(texts[name], str) else texts[name]
    shutil.rmtree(folder)
    return [(code, steady(out)) for code, out in outs], texts


FAULTS = "--simulate=seed=3,latency=1ms,fault=errno-5106:20%,fault=http-404:10%,fault=close-after:20%,fault=errno-5117:5%"


@pytest.mark.parametrize("words", [
    [("check", "wrong.csv", "--json", "--problems", "problems.csv")],
    [("check", "wrong.csv", "--problems", "problems.jsonl", "--split-valid", "valid.csv", "--split-invalid", "invalid.csv")],
    [("run", "wrong.csv", "--skip-invalid", "--simulate", "--json", "-o", "r.csv", "--log", "log.jsonl", "--metrics-file", "m.prom")],
    [("run", "good.csv", FAULTS, "--concurrency", "1", "-o", "r.csv", "--max-attempts", "1", "--json", "--log", "log.jsonl"),
     ("run", "good.csv", FAULTS, "--concurrency", "1", "-o", "r.csv", "--max-attempts", "1", "--json", "--resume=all"), ("report", "r.csv", "-o", "r.html")],
    [("run", "good.csv", "--simulate=seed=1,fault=errno-5106:100%", "--concurrency", "1", "--halt", "rejected=3", "-o", "r.jsonl", "--json",
      "--log", "log.jsonl")],
    [("config", "--rate", "20/s", "-")],
    [("run", "good.csv", "--endpoint", "http://127.0.0.1:1", "-o", "r.csv", "--json", "--log", "log.jsonl", "--outage-wait", "1s",
      "--max-attempts", "1", "--concurrency", "1")],
], ids=["check-csv", "check-jsonl", "run-invalid", "run-faults", "halt", "config", "no-endpoint"])
def test_what_programs_read_is_the_same_in_both(nbatch, tmp_path, words):
    inputs = {"wrong.csv": WRONG, "good.csv": HEADER + "".join(map(row_of, range(30)))}
    english, chinese = (data_of(nbatch, tmp_path, language, words, inputs) for language in ("en", "zh"))
    assert english[0] == chinese[0] and english[1].keys() == chinese[1].keys()
    for name, lines in english[1].items():
        assert lines == chinese[1][name], name
    assert english[1] or "rate: " in english[0][0][1]


LOST = ("--seed", "5", "--fault", "close-after:20%", "--fault", "errno-5106:10%")
ASKING = ("--rate", "none", "--concurrency", "1", "--max-attempts", "40", "--retry-delay", "1ms", "--retry-max-delay", "5ms")
CALLS = [
    ("run", "good.csv", "--on-ambiguous", "hold", "--concurrency", "1", "--max-attempts", "1", "--json", "--log", "l.jsonl", "--metrics-file", "m.prom"),
    ("results", "good.results.csv", "--status", "in_doubt"),
    ("verify", "good.results.csv", "--settle", "0s,0s", "--json", *ASKING), ("run", "reads.csv", "--concurrency", "1", "--json"),
    ("status", "good.results.csv", "--json", *ASKING), ("status", "reads.results.csv", "--values", "v.csv", "--json", *ASKING),
    ("cancel", "good.results.csv", "--yes", "--json", *ASKING),
    ("run", "good.csv", "--resume=cancelled,rejected,failed", "--concurrency", "1", "--json", "--retry-delay", "1ms"),
    ("check", "good.csv", "--json"), ("check", "typed.csv", "--fix"), ("check", "words.csv", "--fix"), ("template", "write"), ("template", "execute"),
    ("check", "words.csv", "--problems", "p.csv", "--json"), ("completion", "bash"), ("explain-retries",)]
READS = "imei,obj_id,obj_inst_id,action,expired_time\n" + "".join(f"{imei(i)},3311,0,read,+7d\n" for i in range(5))
TYPED = "设备号;obj_id;obj_inst_id;mode;expired_time;res:5850\n" + "".join(row_of(i).replace(",", ";") for i in range(5))
WORDS = HEADER + "".join(row_of(i, "开" if i % 2 else "关") for i in range(5))
UNKNOWN = re.compile("[\u4e00-\u9fff]{3}")


def made_of(run, simulator, folder, language):
    """What a row's whole life leaves: each call's standard output, each file, each request."""
    folder.mkdir()
    for name, text in {"good.csv": HEADER + "".join(map(row_of, range(30))), "reads.csv": READS, "typed.csv": TYPED, "words.csv": WORDS}.items():
        (folder / name).write_text(text, encoding="utf-8")
    sim, outs = simulator(*LOST, "--state", folder / "state"), []
    texts = {}
    for words in CALLS:
        if words[0] == "verify":  # and what comes behind it: questions that meet no faults
            requests = sim.audit()
            sim = simulator("--state", folder / "state")
        target = ("--endpoint", sim.url) if words[0] in ("run", "verify", "status", "cancel") else ()
        done = run(*words, *target, cwd=folder, env={**SILENT, "NBATCH_LANG": language}, text=False)
        outs.append((words, done.code, steady(done.out.decode()).splitlines()))
        texts |= {(path.name, len(outs)): steady(path.read_bytes().decode("utf-8", "replace")).splitlines()
                  for path in folder.iterdir() if path.is_file()}
    requests += sim.audit()
    said = [(line.get("method"), steady(line.get("target", "")), steady(line.get("body") or "")) for line in requests]
    texts["requests", 0] = [line for line in said if line[0] != "GET"]
    texts["questions", 0] = sorted({line for line in said if line[0] == "GET"})  # in what order, and how often, time decides
    shutil.rmtree(folder)
    return outs, texts


def test_a_life_of_a_row_leaves_the_same_in_both(nbatch, tmp_path, simulator):
    english, chinese = (made_of(nbatch, simulator, tmp_path / "life", language) for language in ("en", "zh"))
    for one, other in zip(english[0], chinese[0], strict=True):
        assert one == other
    assert english[1].keys() == chinese[1].keys()
    assert {"good.results.csv", "good.results.csv.doubt", "good.status.csv", "good.cancelled.csv", "reads.results.csv",
            "v.csv", "l.jsonl", "m.prom", "p.csv", "requests", "questions"} <= {name for name, _ in english[1]}
    for (name, number), lines in english[1].items():
        others = chinese[1][name, number]
        if name.endswith(".jsonl"):
            lines, others = ([line for line in some if '"progress"' not in line] for some in (lines, others))
        if name.endswith((".doubt", ".journal")):  # which have times in bytes
            assert not any(UNKNOWN.search(line) for line in others), name
        else:
            assert lines == others, (name, number)


def test_people_are_told_in_chinese(nbatch, tmp_path):
    """Negative control of the test above: the same call tells a person something else."""
    (tmp_path / "wrong.csv").write_text(WRONG)
    told = {language: nbatch("check", "wrong.csv", env={**SILENT, "NBATCH_LANG": language}).told for language in ("en", "zh")}
    assert "is outside 0–65535 [E-RANGE]" in told["en"] and "超出范围 0–65535 [E-RANGE]" in told["zh"]


# The catalogue.


def test_every_text_has_its_translation():
    header, known = extract.read_po()
    texts = extract.messages()
    missing = [f"{texts[text][0]} {text!r}" for text in texts if not known.get(text)]
    gone = [repr(text) for text in known if text not in texts]
    assert not missing and not gone, "\n".join(
        ["/usr/bin/python3 src/po/extract.py --update changes src/po/zh_CN.po", "to be translated there:", *missing, "gone:", *gone])
    assert "fuzzy" not in (ROOT / "src/po/zh_CN.po").read_text() and "术语" in header


def conversions(text):
    """Which argument is taken how: {1: "llu", 2: "s"}."""
    found, number = {}, 0
    for match in extract.CONVERSION.finditer(text):
        if match[0] == "%%":
            continue
        named = re.match(r"%(\d+)\$", match[0])
        for star in re.findall(r"\*(?:(\d+)\$)?", match[0]):
            number += 1
            found[int(star or number)] = "d"
        number += 1
        found[int(named[1]) if named else number] = re.search(r"(?:hh|h|ll|l|z|j)?[a-zA-Z]$", match[0])[0]
    return found


def mismatched(known):
    return [text for text, translation in known.items() if extract.is_format(text) and conversions(text) != conversions(translation)]


def test_placeholders_agree():
    """msgfmt --check, which the build runs, says the same of those that are marked as formats."""
    known = extract.read_po()[1]
    assert len([text for text in known if extract.is_format(text)]) > 300
    assert mismatched(known) == []
    for text, translation in known.items():
        assert set(re.findall(r"\{\{[=#^/]?([\w-]+)\}\}", translation)) <= set(re.findall(r"\{\{[=#^/]?([\w-]+)\}\}", text)), text
        opened = re.findall(r"\{\{[#^]([\w-]+)\}\}", translation)
        closed = re.findall(r"\{\{/([\w-]+)\}\}", translation)
        if sorted(re.findall(r"\{\{[#^]([\w-]+)\}\}", text)) == sorted(re.findall(r"\{\{/([\w-]+)\}\}", text)):
            assert sorted(opened) == sorted(closed), text


def test_a_mismatch_is_seen():
    """Negative control."""
    assert mismatched({"%s has %llu rows": "%s 有 %llu 行"}) == [] and mismatched({"%s has %d": "%2$d 是 %1$s"}) == []
    assert mismatched({"%s has %llu rows": "%s 有 %s 行"}) and mismatched({"%s has %d": "%d 是 %s"}) and mismatched({"%s": ""})


def test_options_paths_and_codes_stay_as_they_are():
    """An option, a code or a command that a text names is in its translation too."""
    for text, translation in extract.read_po()[1].items():
        text = text.replace("with --simulate)", "")  # the name that it gives says so
        for word in re.findall(r"(?<![\w-])--[a-z][a-z-]+|\bE-[A-Z-]+\b|\b[A-Z]+_[A-Z_]+\b", text):
            assert word in translation, (text, translation)


# English that is left among Chinese: texts that were put together outside of the catalogue.

ALLOWED = {  # the platform's own texts, which it gives in English, and words of the command line
    "service internal error", "api freq out of limit", "internal server error", "network latency", "nbiot server error", "hs server error", "rpc error",
    "rpc response error", "api key required", "api-key required", "auth failed", "parameter required", "invalid json", "request entity too large",
    "invalid parameter", "not found", "entity data required", "device not online", "already exists", "system limit", "unsuccess", "invalid protocol",
    "system logic limit", "no permission", "reply from server"}  # and of libcurl
LEFT = re.compile(r"(?<![\w./:=<>-])[a-z][a-z'-]+(?: [a-z][a-z'-]+)+(?![\w./=-])")
SAID = {
    "heads": ["check", "heads.csv"], "words": ["check", "words.csv"], "wrong": ["check", "wrong.csv"], "retries": ["run", "--explain-retries"],
    "retries-verify": ["run", "--explain-retries", "--on-ambiguous", "verify"], "sheet": ["check", "book.xlsx", "--sheet", "9"], "none": ["check", "none.csv"],
    "rows": ["run", "good.csv", "--simulate", "--expect-rows", "7..8"], "age": ["run", "good.csv", "--simulate", "--max-age", "1ms"],
    "faults": ["run", "good.csv", "--simulate=fault=errno-5106:50%,fault=close-after:30%,seed=2", "--max-attempts", "1", "-o", "f.csv"],
    "nobody": ["run", "good.csv", "--endpoint", "http://127.0.0.1:1", "--max-attempts", "1", "-o", "n.csv"],
    "unverified": ["verify", "doubt.csv", "--endpoint", "http://127.0.0.1:1", "--max-attempts", "1", "--settle", "0s,0s", "--outage-wait", "1s"],
    "there": ["run", "good.csv", "--simulate", "-o", "doubt.csv"], "folder": ["run", "good.csv", "--simulate", "-o", "nowhere/r.csv"],
    "topics": ["help", "topics"], "problems": ["help", "problems"], "help": ["help"], "status": ["status", "doubt.csv", "--dry-run"],
}


@pytest.mark.parametrize("name", SAID)
def test_no_english_is_left_among_the_chinese(nbatch, tmp_path, name):
    rows = "".join(map(row_of, range(8)))
    (tmp_path / "good.csv").write_text(HEADER + rows)
    (tmp_path / "wrong.csv").write_text(WRONG)
    (tmp_path / "words.csv").write_text(HEADER + row_of(1, "true") + row_of(2, "TRUE") + row_of(3, "x"))
    (tmp_path / "heads.csv").write_text("设备号;站点\n" + imei(1) + ";3\n")
    write_book(tmp_path / "book.xlsx", [["imei"], [imei(1)]])
    assert nbatch("run", "good.csv", "--simulate=fault=close-after:100%,seed=2", "--max-attempts", "1", "--on-ambiguous", "hold", "-o", "doubt.csv").code == 6
    if name == "unverified":
        (tmp_path / "doubt.csv.complete").unlink(missing_ok=True)
    done = nbatch(*SAID[name], env={**SILENT, "LANG": "zh_CN.UTF-8"})
    lines = [line for line in done.told.splitlines() if "nbatch " not in line and not line.startswith("  --")]
    left = [found for line in lines for found in LEFT.findall(line) if found not in ALLOWED]
    assert not left and re.search("[\u4e00-\u9fff]", done.told), (left, done)


@pytest.mark.parametrize("words,said", [
    (["run", "good.csv", "--simulate=fault=close-after:100%,seed=2", "--max-attempts", "1", "--on-ambiguous", "hold"], "Empty reply from server"),
    (["jobs", "--share", "postgresql://127.0.0.1:1/x"], "connection to server at"),
])
def test_what_a_library_says_is_a_quotation(nbatch, tmp_path, words, said):
    (tmp_path / "good.csv").write_text(HEADER + row_of(1))
    done = nbatch(*words, env={**SILENT, "LANG": "zh_CN.UTF-8"})
    assert re.search(f"“{said}[^”]*”", done.told), done
    (tmp_path / "good.csv").rename(tmp_path / "again.csv")
    done = nbatch(*[word.replace("good", "again") for word in words], env={**SILENT, "LANG": "C"})
    assert said in done.told and "“" not in done.told, done


def test_english_is_found(nbatch):
    """Negative control of the test above."""
    assert len(LEFT.findall(nbatch("run", "--explain-retries", env=SILENT).told)) > 20


def test_columns_are_in_line(nbatch):
    """A Chinese character has two columns: padding counts these, not bytes."""
    def columns(text):
        return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)

    told = nbatch("run", "--explain-retries", env={**SILENT, "LANG": "zh_CN.UTF-8"}).out.split("\n\n")[0].splitlines()
    assert len({columns(line[:re.match(r"\S+(?: \S+)*? {2,}.*? {2,}", line).end()]) for line in told}) == 1
    told = nbatch("help", env={**SILENT, "LANG": "zh_CN.UTF-8"}).out.splitlines()
    starts = {columns(match[0]) for line in told if (match := re.match(r"  nbatch [a-z]+ \[选项\](?: \w+)? +(?=[\u4e00-\u9fff])", line))}
    assert starts == {28}
