"""Help, manual page and completions: made of the option table, so that none lists other options than there are."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import NBATCH, ROOT
from pty_session import PtySession

# The scripts ask the program itself.
PATH = f"{Path(NBATCH).parent}:{os.environ['PATH']}"

COMMANDS = re.findall(r"^  nbatch ([a-z]+) \[options\]", subprocess.run(
    [NBATCH, "--help"], capture_output=True, text=True, check=False).stdout, re.M)


def options_of(nbatch, command):
    """{name: letter} out of the command's help."""
    found = re.findall(r"^  (?:-(.), |    )--([a-z0-9-]+)", nbatch(command, "--help").out, re.M)
    return {name: letter for letter, name in found}


def test_there_are_commands():
    assert {"run", "check", "simulate", "config"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_before_options_in_groups(nbatch, command):
    done = nbatch(command, "--help")
    assert done.code == 0 and done.out == nbatch("help", command).out
    assert done.out.index("Examples:") < done.out.index("  --") and max(map(len, done.out.splitlines())) <= 100
    assert "What is shown:\n" in done.out and f"nbatch {command} " in done.out


def test_errno_is_explained(nbatch):
    done = nbatch("help", "errno", "5106")
    assert done.code == 0 and "UNSUCESS" in done.out and "confirm_status" in done.out and "again   no" in done.out
    assert "again   yes" in nbatch("help", "errno", "5117").out
    assert "goes slower" in nbatch("help", "errno", "15").out
    assert "documents no such number" in nbatch("help", "errno", "4711").out
    every = nbatch("help", "errno").out
    for number in (0, 1, 3, 7, 15, 2001, 5006, 5106, 5108, 5117):
        assert f"errno {number}, " in every
        assert nbatch("help", "errno", str(number)).out in every
    for words in (["errno", "x"], ["errno", "1", "2"], ["problems", "x"], ["nonsense"], ["run", "check"]):
        done = nbatch("help", *words)
        assert done.code == 2 and "nbatch" in done.err, done


def test_what_errno_help_says_of_retries_is_what_is_done(nbatch):
    rules = re.findall(r"^errno (\d+) +(yes|no)\b", nbatch("run", "--explain-retries").out, re.M)
    assert len(rules) >= 4
    for number, again in rules:
        assert f"again   {again}" in nbatch("help", "errno", number).out


PAGES = ["", "input", "results"]


@pytest.fixture
def page(nbatch, tmp_path):
    def write(name=""):
        done = nbatch("help", "man", *name.split())
        assert done.code == 0
        path = tmp_path / "page.man"
        path.write_text(done.out)
        return path

    return write


@pytest.fixture
def manual(page):
    """A page as text: {section: text}."""
    def read(name=""):
        text = subprocess.run(["mandoc", "-Tascii", page(name)], capture_output=True, text=True, check=True).stdout
        parts = re.split(r"^([A-Z][A-Z ]+)$", re.sub(".\b", "", text), flags=re.M)
        return dict(zip(parts[1::2], parts[2::2]))

    return read


def tags(section):
    """What the items of a section's list are called: they are at its margin."""
    return [re.split(r"  +", line.strip())[0] for line in re.findall(r"^     (?=[^\s])(.*)$", section, re.M)]


@pytest.mark.parametrize("name", PAGES)
def test_the_manual_pages_are_clean(page, name):
    lint = subprocess.run(["mandoc", "-Tlint", page(name)], capture_output=True, text=True, check=False)
    assert lint.returncode == 0 and lint.stdout + lint.stderr == ""


def test_the_manual_lists_every_option(nbatch, manual):
    sections = manual()
    assert {"EXIT STATUS", "ENVIRONMENT", "CONFIGURATION", "EXAMPLES", "DIAGNOSTICS", "WHAT IS PROMISED"} <= set(sections)
    for command in COMMANDS:
        section = sections["COMMANDS"].split(f"   nbatch {command}\n")[1].split("\n   nbatch ")[0]
        for name, letter in options_of(nbatch, command).items():
            wanted = f"-{letter}, --{name}" if letter else f"--{name}"
            assert command == "config" or re.search(rf"^     {wanted}(\s|\[|$)", section, re.M), (command, name)
    assert "'data=[{\"res_id\":5850,\"val\":true}]'" in sections["EXAMPLES"]  # can be copied into a shell
    assert "1\u201310" not in str(sections)


def source(path, pattern):
    found = re.findall(pattern, (ROOT / "src" / path).read_text(encoding="utf-8"), re.M)
    assert len(found) >= 5, path
    return found


def test_the_manual_has_the_tables_of_the_program(nbatch, manual):
    """The tables are read out of the source, not out of what makes the pages."""
    main, inputs, results = manual(), manual("input"), manual("results")
    columns = source("platform/rules.c", r'^    \[PARAM_\w+\] = \{"(\w+)"')
    assert sorted(set(tags(inputs["COLUMNS"])) & {*columns, "res:5850", "data", "action", "args"}) == sorted(
        [*columns, "res:5850", "data", "action", "args"])
    codes = source("platform/problem.h", r'X\(\w+, "([EW]-[^"]+)"')
    assert [tag for tag in tags(inputs["PROBLEMS"]) if re.fullmatch(r"[EW]-[A-Z0-9-]+", tag)] == codes
    statuses = source("core/row_status.h", r'^    X\([A-Z_]+, "(\w+)"\)')
    assert [tag for tag in tags(results["STATUSES"]) if tag in statuses] == statuses
    header = source("ledger/result_line.h", r'^    X\(\w+, "(\w+)"')
    assert [tag for tag in tags(results["COLUMNS"]) if tag in header] == header
    numbers = re.findall(r"^errno (\d+), ", nbatch("help", "errno").out, re.M)
    assert re.findall(r"^     (\d+) ", results["ERROR NUMBERS"], re.M) == numbers and len(numbers) >= 10
    faults = source("sim/faults.c", r'^    \{"([a-zN0-9-]+)", FAULT')
    assert [tag for tag in tags(main["REHEARSING"]) if tag in faults] == faults
    exits = re.findall(r"^  (\d[\d, ]*?)  ", nbatch("--help").out.split("Exit status:\n")[1], re.M)
    assert re.findall(r"^     (\d[\d, ]*\d|\d)(?:  |$)", main["EXIT STATUS"], re.M) == exits and len(exits) == 11


def words_of(tagged):
    """The items of a list of which several may share a tag: "row, key"."""
    return [word for tag in tagged for word in tag.split(", ")]


def among(words, known):
    """Those that are known, in their order, each once."""
    return list(dict.fromkeys(word for word in words if word in known))


def columns_of(path, pattern, block):
    """The names of a file's columns, out of the part of the source that lists them."""
    text = re.search(block, (ROOT / "src" / path).read_text(encoding="utf-8"), re.S).group(0)
    found = re.findall(pattern, text.replace("DEVICE_COLUMN", '"imei"'))
    assert len(found) >= 5, path
    return found


def test_the_manual_says_what_became_of_commands_by_the_tables_of_the_program(manual):
    results = manual("results")

    def items(section, begin, end="\n     nothing"):
        return words_of(tags(results[section].split(f"   {begin}\n")[1].split(f"\n   {end}")[0]))

    status, cancel = "WHAT BECAME OF THE COMMANDS", "TAKING COMMANDS BACK"
    words = source("platform/delivery.c", r'^    \[COMMAND_\w+\] = \{"(\w+)"')
    assert among(items(status, "States", "What a device says"), words) == words
    words = columns_of("platform/history.h", r"X\((\w+)\)", r"define CONFIRM_MAP.*?\n\n")[1:]  # SUCCESS needs nothing
    assert among(items(status, "What a device says", "The status file"), words) == words
    words = columns_of("run/status_file.h", r'X\(\w+, "(\w+)"\)', r"define STATUS_COLUMN_MAP.*?\n\n")
    assert among(items(status, "The status file", "How it asks"), words) == words
    words = columns_of("run/values_file.c", r'"(\w+)"', r"const columns\[\] = \{.*?\};")
    assert among(items(status, "The values of reads"), words) == words
    words = source("platform/delivery.c", r'^    \[CANCEL_\w+\] = \{"(\w+)"')
    assert among(items(cancel, "Outcomes", "The file"), words) == words
    words = columns_of("run/cancelled_file.c", r'"(\w+)"', r"const columns\[COLUMN_COUNT\] = \{.*?\};")
    assert among(items(cancel, "The file"), words) == words
    words = re.findall(r'\[DELIVERY_\w+\] = "(\w+)"', (ROOT / "src/platform/delivery.c").read_text())
    assert among(tags(results["SENDING AGAIN WHAT WAS NOT DELIVERED"]), words) == words and len(words) == 3


def test_the_manual_has_the_events_of_the_log_and_the_metrics(manual):
    sections = manual()
    text = "".join((ROOT / f"src/run/{name}.c").read_text() for name in ("observers", "event_log"))
    events = set(re.findall(r'\[JOB_EVENT_\w+\] = "(\w+)"', text)) | {
        event for call in re.findall(r"event_log_begin\(([^;]+)\);", text) for event in re.findall(r'"(\w+)"', call)}
    events |= set(re.findall(r'log_refusals\(observers, "(\w+)"', text))
    assert set(words_of(tags(sections["THE LOG"]))) & events == events and len(events) > 20
    fields = set(re.findall(r'event_log_add_\w+\((?:&observers->)?log, "(\w+)"', text))
    assert len(fields) > 40 and {field for field in fields if not re.search(rf"\b{field}\b", sections["THE LOG"])} == set()
    metrics = (ROOT / "src/report/metrics.c").read_text()
    names = {name for name in re.findall(r'"(nbatch_\w+)"', metrics) if not name.endswith(("_bucket", "_sum", "_count"))}
    assert set(tags(sections["METRICS"])) >= names and len(names) > 15
    rules = (ROOT / "src/packaging/examples/nbatch-alerts.yml").read_text()
    assert set(re.findall(r"nbatch_\w+", rules)) <= names


def test_a_table_that_lacks_something_is_seen():
    """Negative control: the items of a list, and nothing else, are read as such."""
    assert tags("     row     which row\n             it is\n\n     http_status\n             of the last\n") == ["row", "http_status"]
    assert words_of(["row, key"]) == ["row", "key"]
    assert among(["some", "row", "key"], ["row", "key"]) == ["row", "key"] != among(["key"], ["row", "key"])
    assert among(["key", "row"], ["row", "key"]) != ["row", "key"]


@pytest.mark.parametrize("name", PAGES)
def test_groff_takes_the_manual_pages(page, name):
    if shutil.which("groff") is None:
        pytest.skip("no groff here; mandoc is the page's reader in these tests")
    done = subprocess.run(["groff", "-mandoc", "-Tutf8", "-ww", page(name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.parametrize("name", PAGES)
def test_the_options_that_the_manual_mentions_are_there(nbatch, page, name):
    text = page(name).read_text().replace("\\-", "-")
    known = {option for command in COMMANDS for option in options_of(nbatch, command)}
    assert {option for option in re.findall(r"(?<![\w-])--([a-z][a-z0-9-]*)", text)} <= known


@pytest.fixture
def script(nbatch, tmp_path):
    def write(shell):
        done = nbatch("completion", shell)
        assert done.code == 0
        path = tmp_path / f"nbatch.{shell}"
        path.write_text(done.out)
        return path

    return write


def test_completion_names_its_shells(nbatch):
    for words in ([], ["csh"], ["bash", "zsh"]):
        done = nbatch("completion", *words)
        assert done.code == 2 and "bash, zsh or fish" in done.err


def bash(script, *words):
    """What bash offers for the words, of which the last is being typed."""
    code = (f'source {script}; shift 0; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nbatch; '
            'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", code, "bash", "nbatch", *words], capture_output=True, text=True,
                          cwd=script.parent, check=True, env={**os.environ, "PATH": PATH})
    assert done.stderr == ""
    return set(done.stdout.split("\n")) - {""}


def test_bash_offers_every_option_and_nothing_else(nbatch, script):
    path = script("bash")
    for command in COMMANDS:
        options = options_of(nbatch, command)
        assert bash(path, command, "-") == {f"--{n}" for n in options} | {f"-{x}" for x in options.values() if x}


def test_bash_completes_commands_values_and_files(script, fleet):
    path = script("bash")
    fleet(1)
    assert set(COMMANDS) | {"help", "completion"} <= bash(path, "")
    assert bash(path, "ch") == {"check"}
    assert bash(path, "run", "--format", "") == bash(path, "run", "--format", "=", "") == {"csv", "jsonl", "xlsx"}
    assert bash(path, "run", "--format", "=", "c") == {"csv"}
    assert bash(path, "run", "--progress", "=") == {"auto", "always", "never"}
    assert bash(path, "run", "--output", "fl") == bash(path, "run", "-o", "fl") == {"fleet.csv"}
    assert bash(path, "run", "fl") == {"fleet.csv"}
    assert bash(path, "run", "--rate", "") == bash(path, "simulate", "fl") == set()
    assert {"errno", "problems", "man", "run"} <= bash(path, "help", "")
    assert bash(path, "completion", "") == {"bash", "zsh", "fish"}


@pytest.fixture
def terminal(tmp_path):
    started = []

    def start(*words):
        session = PtySession(words, cwd=tmp_path, env={"PATH": PATH, "TERM": "xterm", "HOME": str(tmp_path),
                                                       "PS1": "$ ", "LC_ALL": "C.UTF-8"})
        started.append(session)
        return session

    yield start
    for session in started:
        session.stop()


def test_bash_completes_what_is_typed(script, terminal):
    session = terminal("bash", "--norc", "--noprofile", "-i")
    session.send(f"source {script('bash')}; echo rea''dy\n")
    at = session.wait_for("ready\r\n")
    session.send("nbatch run --max-att\t")
    at = session.wait_for("--max-attempts ", at)
    session.send("3 --on-ambiguous re\t")
    session.wait_for("--on-ambiguous resend", at)


def test_zsh_completes_what_is_typed(script, terminal):
    subprocess.run(["zsh", "-n", script("zsh")], check=True)
    session = terminal("zsh", "-f", "-i")
    session.send(f"autoload -Uz compinit; compinit -D; source {script('zsh')}; echo rea''dy\n")
    at = session.wait_for("ready\r\n")
    session.send("nbatch run --max-att\t")
    at = session.wait_for("empts", at)
    session.send("3 --on-ambiguous re\t")
    session.wait_for("send", at)


@pytest.mark.parametrize("command", COMMANDS)
def test_fish_offers_every_option(nbatch, script, command, tmp_path):
    code = f"source {script('fish')}; complete -C 'nbatch {command} --'"
    done = subprocess.run(["fish", "-N", "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PATH": PATH, "HOME": str(tmp_path)})
    offered = {line.split("\t")[0].removeprefix("--").rstrip("=") for line in done.stdout.splitlines()}
    assert set(options_of(nbatch, command)) <= offered


def test_fish_completes_values(script, tmp_path):
    code = f"source {script('fish')}; complete -C 'nbatch run --format '; complete -C 'nbatch comp'"
    done = subprocess.run(["fish", "-N", "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PATH": PATH, "HOME": str(tmp_path)})
    assert {"csv", "jsonl"} <= set(done.stdout.split()) and "completion" in done.stdout
