"""The READMEs: their commands are executed in their order, their captures compared, their mentions looked up.

    /usr/bin/python3 tests/e2e/readme.py --update     writes the captures anew, in both languages
    /usr/bin/python3 tests/e2e/readme.py --block 1    prints the first block
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from itertools import zip_longest
from pathlib import Path

from peers import Simulator
from postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
NBATCH = os.environ.get("NBATCH", str(ROOT / "build/test/nbatch"))
ENGLISH = ROOT / "README.md"
CHINESE = ROOT / "README.zh-CN.md"
PLATFORM = "https://api.heclouds.com"
DATABASE = "db/nbatch"
KEY = "the-readme's-master-key="

# What a test cannot execute: {how the block begins: who does it instead}.
ELSEWHERE = {
    ".ci/install build": ".ci/run, which takes it out of the README: it installs packages",
    ".ci/test": "it is what runs this test",
}

# What differs from run to run, and nothing beside it.
VOLATILE = [
    (r"00000000(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
    (r"\d+\.\d{3},\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "LATENCY,FINISHED_AT"),
    (r"(later than now, )\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", r"\1NOW"),
    (r"in \d+\.\d\d s \([\d,.]+ rows/s\)", "in S s (R rows/s)"),
    (r"(p50|p90|p99|max) \d+\.\d\b", r"\1 MS"),
    (r"(this worker's, in )\d+\.\d\d s", r"\1S s"),
    (r"(the simulator at http://127\.0\.0\.1:)\d+", r"\1PORT"),
]

# The tables of the source's page that are held against it: the section, and which of its tables.
SOURCE = ROOT / "src/README.md"
HEADINGS = {"map": ("Map of the source", 0), "presets": ("Building and testing", 0)}

MARK = "@@readme"


class Block:
    """A fenced block; or a command within a line, as a block of the kind "inline"."""

    def __init__(self, kind, lines, line):
        self.kind = kind
        self.lines = lines
        self.line = line

    def commands(self):
        """[[command, lines that it shows, or None where they are not compared]]"""
        if self.kind == "csv":  # an input: it is a right one
            return [["nbatch check - --format csv <<'END'\n" + "\n".join(self.lines) + "\nEND", None]]
        if self.kind == "yaml":  # a configuration, of a file that the next commands name
            return [[f"cat > {self.lines[0].split()[1]} <<'END'\n" + "\n".join(self.lines) + "\nEND", None],
                    [f"nbatch config --config {self.lines[0].split()[1]}", None]]
        found = []
        for line in self.lines:
            if found and found[-1][0].endswith("\\"):
                found[-1][0] += "\n" + line.removeprefix("> ")
            elif self.kind != "console":
                found.append([line, None])
            elif line.startswith("$ "):
                found.append([line[2:], []])
            else:
                found[-1][1].append(line)
        return found


COMMAND = re.compile(r"`(nbatch (?!(?:run|check|simulate|bench|report|config|status|cancel)`)[^`]+)`")


def parse(text):
    """The blocks and the commands within lines, in their order. `nbatch run` alone is a name, and no command."""
    found, fence = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```") and fence is None:
            fence = Block(line[3:], [], number)
        elif line.startswith("```"):
            found.append(fence)
            fence = None
        elif fence is not None:
            fence.lines.append(line)
        elif line.count("`") % 2:
            found.append(Block("a code that goes over the line's end", [line], number))
        else:
            found += [Block("inline", [code], number) for code in COMMAND.findall(line)]
    return found if fence is None else [*found, Block("never closed", fence.lines, fence.line)]


def is_elsewhere(block):
    return block.kind == "sh" and any(block.lines[0].startswith(start) for start in ELSEWHERE)


def execute(commands, folder):
    """Types the commands into one shell, as a reader does; [(what is shown, exit status)]."""
    home, clone = folder / "home", folder / "clone"
    home.mkdir()
    (home / "onenet.key").write_text(KEY + "\n")
    (home / "onenet.key").chmod(0o600)
    shutil.copytree(ROOT / "samples", clone / "samples", ignore=shutil.ignore_patterns("*.results.*"))
    (clone / "build/release").mkdir(parents=True)
    (clone / "build/release/nbatch").symlink_to(NBATCH)
    server = Postgres()
    platform = Simulator(NBATCH, folder / "audit.jsonl", ["--queue-limit", "0", "--api-key-file", home / "onenet.key"])
    database = f"/nbatch?host={server.folder}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_") and "proxy" not in k.lower()}
    environment |= {"HOME": str(home), "LC_ALL": "C.UTF-8", "NBATCH_ENDPOINT": platform.url}
    script = "".join(f"{command}\nreadme_status=$?; printf '\\n{MARK} %s\\n' $readme_status; (exit $readme_status)\n"
                     for command in commands).replace(DATABASE, database)
    try:
        done = subprocess.run(["bash", "-c", script], cwd=clone, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    finally:
        platform.stop()
        server.remove()
    shown = done.stdout.replace(platform.url, PLATFORM).replace(database, DATABASE)
    parts = re.split(rf"\n{MARK} (\d+)\n", shown)
    found = [(out, int(status)) for out, status in zip(parts[0::2], parts[1::2])]
    return found + [(f"the shell ended before this command: {parts[-1][-500:]}", -1)] * (len(commands) - len(found))


def normal(lines):
    text = "\n".join(lines)
    for pattern, name in VOLATILE:
        text = re.sub(pattern, name, text)
    return text.split("\n")


def cut(wanted, shown):
    """What is shown, cut as the capture is: as many lines before and behind its "..."."""
    if "..." not in wanted:
        return shown
    head = wanted.index("...")
    tail = len(wanted) - head - 1
    if not 0 < head + tail < len(shown):
        return shown
    return shown[:head] + ["..."] + shown[len(shown) - tail:]


def run_blocks(text, folder):
    """Complaints about the commands of a README, and its console blocks as they are now: {line: lines}."""
    complaints, captures, calls = [], {}, []
    for block in parse(text):
        if block.kind not in ("sh", "console", "csv", "yaml", "inline", "text"):
            complaints.append(f"line {block.line}: a block of the unknown kind {block.kind!r}")
        elif block.kind == "console" and not block.lines[0].startswith("$ "):
            complaints.append(f"line {block.line}: a capture begins with its command")
        elif block.kind != "text" and not is_elsewhere(block):
            calls += [(block, *call) for call in block.commands()]
    results = execute([command for _, command, _ in calls], folder)
    for i, ((block, command, wanted), (out, status)) in enumerate(zip(calls, results)):
        shown = out.rstrip("\n").split("\n") if out.strip() else []
        said = i + 1 < len(calls) and calls[i + 1][0] is block and calls[i + 1][1] == "echo $?"
        if status != 0 and not said:
            complaints.append(f"line {block.line}: {command}: exit status {status}: {out[-2000:]}")
        if wanted is None:
            continue
        shown = cut(wanted, shown)
        is_same = normal(shown) == normal(wanted)  # what is volatile need not be written anew
        capture = captures.setdefault(block.line, [])
        capture += ["$ " + command.replace("\n", "\n> "), *(wanted if is_same else shown)]
        if not is_same:
            lines = zip_longest(normal(wanted), normal(shown), fillvalue="(nothing)")
            was, now = next(pair for pair in lines if pair[0] != pair[1])
            complaints.append(f"line {block.line}: {command}: the capture has {was!r}, and now it is {now!r}")
    return complaints, captures


# What is mentioned.

def ask(*words):
    return subprocess.run([NBATCH, *words], capture_output=True, text=True, check=False).stdout


def options_of(command):
    return set(re.findall(r"^  (?:-., |    )(--[a-z0-9-]+)", ask(command, "--help"), re.M))


def known_options():
    commands = re.findall(r"^  nbatch ([a-z]+) \[options\]", ask("--help"), re.M)
    return {option for command in commands for option in options_of(command)}


OTHERS_OPTIONS = {"--preset", "--build", "--install", "--update", "--now", "--joblog", "--retries"}


def mentioned_options(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text))


def unknown_options(text):
    unknown = mentioned_options(text) - known_options() - OTHERS_OPTIONS
    return [f"there is no option {option}" for option in sorted(unknown)]


def without_blocks(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def table(text, place):
    """The rows of a table, as lists of cells, without its head."""
    heading, number = place
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ")[0]
    lines = re.findall(r"(?:^\|.*\|\n)+", section, re.M)[number].splitlines()
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[2:]]


def missing_paths(text):
    spans = re.findall(r"`([^`]+)`", without_blocks(text))
    words = {word for span in spans for word in span.split()}
    paths = {word.rstrip("/") for word in words if re.match(r"(src|tests|samples|bench|\.ci)(/|$)", word)}
    return [f"there is no {path}" for path in sorted(paths) if not list(ROOT.glob(path))]


def unknown_tests(text):
    presets = json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]
    listed = (ROOT / "tests/CMakeLists.txt").read_text() + (ROOT / "tests/fuzz/CMakeLists.txt").read_text()
    names = [f"{room}.{name}" for room in ("unit", "fuzz") for name in re.findall(r"\w+", listed)]
    names += [f"e2e.{path.stem}" for path in (ROOT / "tests/e2e").glob("test_*.py")]
    complaints = [f"there is no preset {name}" for name in re.findall(r"--preset (\w+)", text)
                  if name not in [preset["name"] for preset in presets]]
    return complaints + [f"there is no test {pattern}" for pattern in re.findall(r"-R '?([^'`\s]+)", text)
                         if not any(re.search(pattern, name) for name in names)]


def broken_links(text, root=ROOT):
    headings = re.findall(r"^#+ (.*)$", without_blocks(text), re.M)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    complaints = []
    for link, source in re.findall(r"\]\(([^)]+)\)|(?:src|srcset)=\"([^\"]+)\"", without_blocks(text)):
        target = link or source
        path, _, anchor = target.partition("#")
        if target.startswith("http"):
            continue
        if path and not (root / path).exists():
            complaints.append(f"there is no {path}")
        if not path and anchor not in anchors:
            complaints.append(f"there is no heading #{anchor}")
    return complaints


def complaints_about_mentions(text, root=ROOT):
    return unknown_options(text) + missing_paths(text) + unknown_tests(text) + broken_links(text, root)


def without_comment(line):
    return re.sub(r"\s+# .*$", "", line)


def shape(text):
    """What the languages share: headings by level, blocks without their comments, tables by their size, and, for
    each heading, what stands as code behind it."""
    plain = without_blocks(text)
    return {
        "headings": [len(marks) for marks in re.findall(r"^(#+) ", plain, re.M)],
        "blocks": [(block.kind, [without_comment(line) for line in block.lines]) for block in parse(text)
                   if block.kind != "inline"],
        "tables": [[row.count("|") for row in rows.splitlines()]
                   for rows in re.findall(r"(?:^\|.*\|\n)+", plain, re.M)],
        "code": [sorted(set(re.findall(r"`([^`]+)`", section))) for section in re.split(r"^#+ .*$", plain, flags=re.M)],
    }


def differences(english, chinese):
    complaints = []
    one, other = shape(english), shape(chinese)
    for what in one:
        if len(one[what]) != len(other[what]):
            complaints.append(f"{what}: {len(one[what])} and {len(other[what])}")
        for i, (a, b) in enumerate(zip(one[what], other[what])):
            if a != b:
                only = [sorted(set(a) - set(b)), sorted(set(b) - set(a))] if what == "code" else [a, b]
                complaints.append(f"{what}, number {i + 1}: {only[0]} and {only[1]}")
    return complaints


def update():
    text = ENGLISH.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        complaints, captures = run_blocks(text, Path(folder))
    blocks = [block for block in parse(text) if block.kind == "console"]
    for path in (ENGLISH, CHINESE):
        lines = path.read_text(encoding="utf-8").splitlines()
        own = [block for block in parse("\n".join(lines)) if block.kind == "console"]
        for block, here in reversed(list(zip(blocks, own))):
            lines[here.line:here.line + len(here.lines)] = captures[block.line]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return complaints


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--update", action="store_true", help="write the captures anew, in both languages")
    parser.add_argument("--block", type=int, metavar="N", help="print the N-th block of commands")
    options = parser.parse_args()
    if options.update:
        for complaint in update():
            print(complaint, file=sys.stderr)
    if options.block:
        blocks = [block for block in parse(ENGLISH.read_text(encoding="utf-8")) if block.kind == "sh"]
        print("\n".join(blocks[options.block - 1].lines))


if __name__ == "__main__":
    main()
