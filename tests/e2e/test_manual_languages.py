"""The manual pages in both languages: the same sections, items, examples, options and commands, and nothing left in English."""
import re
import shutil
import subprocess

import pytest
from conftest import ROOT

PAGES = {"": "nbatch", "input": "nbatch-input", "results": "nbatch-results"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def prose(name, language=""):
    return (ROOT / "src/cli" / f"{name}{language}.text").read_text(encoding="utf-8")


def blocks(section):
    """Its parts: paragraphs, items and what is shown as it is."""
    found = []
    for part in section.strip("\n").split("\n\n"):
        if part.startswith("    "):
            found.append(("example", part))
        else:  # items follow each other, and a paragraph, without a blank line
            found += [("item" if piece.startswith("- ") else "table" if piece.startswith("{{") else "words", piece)
                      for piece in re.split(r"\n(?=- |\{\{)|(?<=\}\})\n", part) if piece]
    return found


def outline(text):
    """What both languages must have alike, section by section."""
    found = []
    for mark, section in re.findall(r"^(##?) [^\n]+\n(.*?)(?=^##? |\Z)", text, re.M | re.S):
        parts = blocks(section)
        examples = [re.sub(r"\s+#.*", "", line) for kind, part in parts if kind == "example" for line in part.split("\n")]
        found.append({"mark": mark, "parts": [kind for kind, _ in parts], "examples": examples,
                      "tables": [part for kind, part in parts if kind == "table"],
                      "options": sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", section))),
                      "commands": sorted(set(re.findall(r"\bnbatch [a-z]+(?= |[^\w]|$)", section, re.M)) & COMMANDS),
                      "codes": sorted(set(re.findall(r"\b(?:[A-Z]+_[A-Z_]+|SIG[A-Z0-9]+|HTTP \d+|errno \d+)\b", section)))})
    return found


COMMANDS = {f"nbatch {word}" for word in re.findall(
    r'\{"(\w+)",\s+"nbatch \1 \[options\]', (ROOT / "src/cli/option_table.c").read_text())}


def left_in_english(text):
    """Titles, paragraphs and items that have no Chinese, though they say something."""
    found = [title for title in re.findall(r"^##? (.+)$", text, re.M) if not CHINESE.search(title)]
    for section in re.split(r"^##? .+\n", text, flags=re.M)[1:]:
        for kind, part in blocks(section):
            said = part.split(" :: ", 1)[-1] if kind == "item" else part if kind == "words" else ""
            if re.search(r"[a-z]{2,} [a-z]{2,}", said) and not CHINESE.search(said):
                found.append(part)
    return found


@pytest.mark.parametrize("name", PAGES.values())
def test_both_languages_say_the_same(name):
    english, chinese = outline(prose(name)), outline(prose(name, ".zh"))
    assert len(english) == len(chinese) >= 9
    for one, other in zip(english, chinese):
        assert one == other
    assert left_in_english(prose(name, ".zh")) == []


def test_a_difference_is_seen():
    """Negative control."""
    assert len(COMMANDS) > 10
    text = prose("nbatch-results", ".zh")
    for old, new in (("# 状态\n", ""), ("## 状态文件", "# 状态文件"), ("- value :: ", ""), ("--timeout 2h ", "2h "), ("{{answers}}\n", ""),
                     ("nbatch cancel 撤回", "撤回"), ("finished_at 最晚", "最晚")):
        assert old in text
        changed = text.replace(old, new, 1)
        assert (outline(changed) != outline(text)) == (old != "finished_at 最晚"), old
    assert outline("# A\n    nbatch run a.csv   # one\n") == outline("# B\n    nbatch run a.csv   # 一\n")
    assert outline("# A\n    nbatch run a.csv\n") != outline("# B\n    nbatch run b.csv\n")
    assert left_in_english("# A TITLE\n中文\n\nis not done.\n- row :: which row it is\n- row :: 哪一行\n") == [
        "A TITLE", "is not done.", "- row :: which row it is"]


@pytest.fixture
def page(nbatch, tmp_path):
    def write(name):
        done = nbatch("help", "man", *name.split(), "--lang", "zh")
        assert done.code == 0
        path = tmp_path / f"page.{5 if name else 1}"
        path.write_text(done.out, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("name", PAGES)
def test_the_tables_of_the_page_are_translated(page, name):
    """Each item of the page, also of those that the program's tables make."""
    text = re.sub(r"^\.Bd -literal.*?^\.Ed$", "", page(name).read_text(encoding="utf-8").replace(r"\:", ""), flags=re.M | re.S)
    said = [part for part in re.split(r"^[.'].*\n", text, flags=re.M) if re.search(r"[a-z]{2,}\s[a-z]{2,}", part)]
    assert len(re.findall(CHINESE, text)) > 2000 and [part for part in said if not CHINESE.search(part)] == []


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_shown_without_warnings_and_in_80_columns(page, name):
    """mandoc knows sections by their English names, and counts bytes; groff is what man uses."""
    lint = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page(name)], capture_output=True, text=True, check=False)
    assert [line for line in lint.stdout.splitlines() if "first section is not" not in line and "outside NAME" not in line] == []
    if shutil.which("groff") is None:
        pytest.skip("no groff here")
    done = subprocess.run(["groff", "-K", "utf8", "-mandoc", "-Tutf8", "-ww", "-P-c", "-rLL=78n", page(name)], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0 and done.stderr == ""
    lines = re.sub(".\b", "", done.stdout).splitlines()
    assert lines[0].startswith("NBATCH") and any(line == "名称" for line in lines)  # the head is there
    wide = [line for line in lines if CHINESE.search(line) and sum(1 + (ord(c) >= 0x2e80) for c in line) > 80]
    assert [line for line in wide if not line.startswith(" " * 13)] == []  # what is shown as it is may be longer
    assert not any(re.match(r" +[，。；：、）”]", line) for line in lines)
