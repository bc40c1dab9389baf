"""The READMEs cannot rot: commands, captures and mentions of both are held against the program and the source."""
import json
import re
import shlex
import subprocess

import pytest
import readme
from conftest import HEADER, NBATCH, ROOT, row_of

ENGLISH = readme.ENGLISH.read_text(encoding="utf-8")
CHINESE = readme.CHINESE.read_text(encoding="utf-8")
EACH = pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["en", "zh"])
SOURCE = readme.SOURCE.read_text(encoding="utf-8")


def first_cells(text, heading):
    return [row[0] for row in readme.table(text, heading)]


def codes(cells):
    return [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]


def test_every_command_works_and_every_capture_is_what_the_program_prints(tmp_path):
    complaints, _ = readme.run_blocks(ENGLISH, tmp_path)
    assert complaints == [], "\n".join(complaints) + "\nreadme.py --update writes the captures anew"


def test_what_is_executed_elsewhere_stands_first():
    """.ci/run executes the first block as it stands there; the second one is what runs these tests."""
    blocks = [block for block in readme.parse(ENGLISH) if block.kind != "inline"]
    assert [readme.is_elsewhere(block) for block in blocks] == [True, True] + [False] * (len(blocks) - 2)
    assert [len(block.lines) for block in blocks[:2]] == [1, 1] and blocks[1].lines == [".ci/test"]
    assert '"$(/usr/bin/python3 tests/e2e/readme.py --block 1)"' in (ROOT / ".ci/run").read_text()


def test_both_languages_have_the_same_headings_blocks_tables_and_code():
    assert readme.differences(ENGLISH, CHINESE) == []


def captures_of_the_manual(section):
    """The lines of its indented blocks behind the first, which is what is typed."""
    text = (ROOT / "src/cli/nbatch.text").read_text(encoding="utf-8").split(f"\n# {section}\n")[1].split("\n# ")[0]
    blocks = re.findall(r"(?:^    .*\n)+", text, re.M)
    return [line.removeprefix("    ") for block in blocks[1:] for line in block.splitlines()]


def test_what_the_manual_shows_of_several_machines_is_what_the_program_prints():
    """As the README's captures, which are compared with the program."""
    shown = captures_of_the_manual("SEVERAL MACHINES")
    section = next(part for part in ENGLISH.split("\n## ") if part.startswith("Several machines\n"))
    assert len(shown) == 4 and readme.normal(shown) == [line for line in readme.normal(section.splitlines())
                                                         if line in readme.normal(shown)]


@EACH
def test_what_is_mentioned_is_there(text):
    assert readme.complaints_about_mentions(text) == []


def test_what_the_page_of_the_source_mentions_is_there():
    assert readme.complaints_about_mentions(SOURCE, ROOT / "src") == []


@EACH
def test_the_page_of_an_operator_is_short(text):
    assert len(text.splitlines()) <= 300


def test_options_are_shown_with_values_that_they_take():
    shown = [shlex.split(code) for code in re.findall(r"`(-[^`]+)`", readme.without_blocks(ENGLISH))]
    shown = [words for words in shown if len(words) > 1 or "=" in words[0]]
    assert len(shown) > 6
    for words in shown:
        done = subprocess.run([NBATCH, "config", *words], capture_output=True, text=True, cwd=ROOT / "samples",
                              check=False)
        assert done.returncode == 0, (words, done.stderr)


def test_the_times_are_times(nbatch):
    """Those that the manual shows."""
    section = nbatch("help", "man", "input").out.replace("\\-", "-").split(".Sh POINTS IN TIME")[1].split(".Sh")[0]
    times = [time for tag in re.findall(r"^\.It (.*)$", section, re.M) for time in tag.split(", ")]
    text = "".join(row_of(i).replace("+7d", time) for i, time in enumerate(times))
    done = nbatch("check", "-", "--format", "csv", stdin=HEADER + text)
    assert done.code == 0 and f" {len(times)} valid" in done.out and len(times) == 6, done


def test_the_samples_do_what_their_page_says(tmp_path):
    page = (ROOT / "samples/README.md").read_text(encoding="utf-8")
    commands = [command for block in readme.parse(page) if block.kind == "inline" for command in block.lines]
    assert len(commands) == len(re.findall(r"^\| `", page, re.M)) >= 7
    path = 'export PATH="$PWD/build/release:$PATH"'
    results = readme.execute([path] + [f"rm -f samples/*.rehearsal.csv; {command}" for command in commands], tmp_path)
    for command, (out, status) in zip(commands, results[1:]):
        assert status == (3 if "mistakes" in command else 0), (command, out)


def test_every_room_of_the_source_is_on_the_map():
    rooms = {f"src/{path.name}" for path in (ROOT / "src").iterdir() if path.is_dir()}
    assert set(codes(first_cells(SOURCE, readme.HEADINGS["map"]))) == rooms
    diagram = next(block for block in readme.parse(SOURCE) if block.kind == "text")
    assert set(re.findall(r"(?:─|─▶) (\w+)", "\n".join(diagram.lines))) <= {path.name for path in (ROOT / "src").iterdir()}


def test_the_presets_are_those_that_there_are():
    presets = json.loads((ROOT / "CMakePresets.json").read_text())
    known = [preset["name"] for preset in presets["configurePresets"] if not preset.get("hidden")]
    assert sorted(codes(first_cells(SOURCE, readme.HEADINGS["presets"]))) == sorted(known)


# Negative controls: what is wrong is seen.

START = '```sh\nexport PATH="$PWD/build/release:$PATH"\n```\n'


@pytest.mark.parametrize("text,complaint", [
    ("```console\n$ nbatch --version\nnbatch 9.9.9\n```\n", "the capture has 'nbatch 9.9.9'"),
    ("```console\n$ nbatch help errno 15\nerrno 15, \"api freq\"\n...\n```\n", "the capture has"),
    ("```console\n$ nbatch check mistakes.csv\n...\n```\n", "exit status 2"),
    ("```console\n$ nbatch help errno\n...\n```\n", "the capture has '...'"),
    ("```console\n$ nbatch check samples/fleet.csv\n```\n", "and now it is 'samples/fleet.csv: 24 rows"),
    ("```console\nno command\n```\n", "a capture begins with its command"),
    ("```sh\nnbatch check samples/fleet.csv --picky\n```\n", "unknown option --picky"),
    ("```sh\nexit 0\n```\n\n`nbatch check samples/fleet.csv`\n", "the shell ended before this command"),
    ("```csv\nimei,what\n1,2\n```\n", "exit status 3"),
    ("```yaml\n# ops.yaml\nrat: 20/s\n```\n", "exit status 2"),
    ("```ruby\nputs 1\n```\n", "unknown kind 'ruby'"),
    ("Say `nbatch\ncheck x.csv`.\n", "over the line's end"),
    ("```sh\nnbatch check x.csv\n", "never closed"),
    ("Say `nbatch check nofile.csv`.\n", "exit status 2"),
    ("Say `nbatch chek`.\n", "exit status 2"),
])
def test_a_wrong_command_or_capture_is_seen(tmp_path, text, complaint):
    complaints, _ = readme.run_blocks(START + text, tmp_path)
    assert complaint in complaints[0]


def test_a_right_command_is_not_complained_of(tmp_path):
    text = ("```console\n$ nbatch check samples/fleet.csv --json -q | cut -c1-18\n{\"command\":\"check\"\n"
            "$ nbatch help errno 15; nbatch check nofile.csv\nerrno 15, \"api freq out of limit\"\n...\n"
            "nbatch: nofile.csv: No such file or directory\n$ echo $?\n2\n```\n\nThen `nbatch run`.\n")
    assert readme.run_blocks(START + text, tmp_path) == ([], {4: text.splitlines()[1:9]})


def test_what_is_volatile_is_what_is_named():
    same = readme.normal(["24 rows in 0.01 s (1106 rows/s); latency in ms: p50 1.7, p90 2.0, p99 2.3, max 2.4"])
    assert readme.normal(["24 rows in 1.23 s (9 rows/s); latency in ms: p50 9.7, p90 9.9, p99 10.3, max 99.4"]) == same
    assert readme.normal(["25 rows in 1.23 s (9 rows/s); latency in ms: p50 9.7, p90 9.9, p99 10.3, max 99.4"]) != same
    assert readme.normal(["24 rows in 1.23 s (9 rows/s), latency in ms: p50 9.7, p90 9.9, p99 10.3, max 99.4"]) != same


@pytest.mark.parametrize("text,complaint", [
    ("Say --concurency.\n", "there is no option --concurency"),
    ("In `src/nothing`.\n", "there is no src/nothing"),
    ('<img alt="x" src="no.svg">\n', "there is no no.svg"),
    ("See [there](#nowhere).\n", "there is no heading #nowhere"),
    ("See [there](nothing.md).\n", "there is no nothing.md"),
    ("Type `ctest --preset tets`.\n", "there is no preset tets"),
    ("Type `ctest --preset test -R unit.test_qq`.\n", "there is no test unit.test_qq"),
])
def test_a_wrong_mention_is_seen(text, complaint):
    assert readme.complaints_about_mentions(text) == [complaint]


@pytest.mark.parametrize("old,new", [
    ("\n## Results\n", "\n### Results\n"), ("-o rough.csv", "-o tough.csv"), ("| `accepted` |", "| `acepted` |"),
    ("| `failed` | certainly", "| `failed` | 2 | certainly"), ("`--canary 20:30s`", "`--canary 30:20s`"),
    ("```sh\n.ci/test", "```\n.ci/test"),
])
def test_a_difference_between_the_languages_is_seen(old, new):
    assert old in ENGLISH and readme.differences(ENGLISH, ENGLISH) == []
    assert readme.differences(ENGLISH, ENGLISH.replace(old, new, 1)) != []
