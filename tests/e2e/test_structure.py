"""The lines that hold the source together: who may include what, which functions are banned, what must be listed."""
import re
import subprocess

import pytest
from conftest import ROOT

SRC = ROOT / "src"

# Includes point downwards only (design.md, "The way of a row").
MAY_INCLUDE = {
    "main.c": {"cli"},
    "cli": {"cli", "run", "send", "report", "sim", "platform", "core"},
    "run": {"run", "engine", "input", "send", "net", "ledger", "report", "sim", "platform", "core"},
    "engine": {"engine", "input", "send", "net", "ledger", "report", "platform", "core"},
    "input": {"input", "platform", "core"},
    "send": {"send", "platform", "core"},
    "net": {"net", "platform", "core"},
    "ledger": {"ledger", "platform", "core"},
    "report": {"report", "platform", "core"},
    "sim": {"sim", "platform", "core"},
    "platform": {"platform", "core"},
    "core": {"core"},
}

# Single headers of rooms that are otherwise none of a room's business: standard error as a queue.
MAY_INCLUDE_TOO = {"cli": {"ledger/outfile.h", "ledger/outlet.h"}}

LIBRARY_ROOMS = {
    "curl/curl.h": {"net"},
    "uv.h": {"net", "engine", "sim"},
    "cjson/cJSON.h": {"platform", "input", "sim", "ledger", "report"},
    "csv.h": {"input", "ledger"},
    "iconv.h": {"input"},
    "zlib.h": {"input"},
    "zstd.h": {"input"},
    "zstd_errors.h": {"input"},
    "zip.h": {"input"},
    "expat.h": {"input"},
    "microhttpd.h": {"sim"},
    "yaml.h": {"cli"},
    "openssl/x509.h": {"net"},
    # HMAC and base64 do no I/O: the token is signed by net and checked by sim with the same code.
    "openssl/evp.h": {"platform"},
    "openssl/hmac.h": {"platform"},
    "openssl/crypto.h": {"platform"},
}

# core, command and send do no I/O and read no clock.
PURE = {"core", "platform", "send"}
IMPURE_HEADERS = {"unistd.h", "fcntl.h", "sys/socket.h", "sys/stat.h", "poll.h", "uv.h", "curl/curl.h", "pthread.h"}
IMPURE_CALLS = re.compile(r"\b(time|clock_gettime|gettimeofday|open|read|write|fopen|printf|fprintf|rand|random|"
                          r"getrandom|getenv|sleep|usleep)\s*\(")

SOURCES = sorted([*SRC.rglob("*.c"), *SRC.rglob("*.h")])


def room(path):
    relative = path.relative_to(SRC)
    return relative.parts[0]


def includes(path):
    return re.findall(r'^#include [<"]([^>"]+)[>"]', path.read_text(encoding="utf-8"), re.M)


def without_comments_and_strings(text):
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\])*"', "", text, flags=re.S)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(SRC)))
def test_includes_point_downwards(path):
    for name in includes(path):
        target = name.split("/")[0]
        if target in MAY_INCLUDE and (SRC / name).exists() and name not in MAY_INCLUDE_TOO.get(room(path), ()):
            assert target in MAY_INCLUDE[room(path)], f"{path} includes {name}"
        assert name in LIBRARY_ROOMS or not name.startswith("openssl/"), f"{path} includes {name}"
        if name in LIBRARY_ROOMS:
            assert room(path) in LIBRARY_ROOMS[name], f"{path} includes {name}"


@pytest.mark.parametrize("path", [p for p in SOURCES if room(p) in PURE], ids=lambda p: str(p.relative_to(SRC)))
def test_pure_rooms_do_no_io_and_read_no_clock(path):
    assert not IMPURE_HEADERS & set(includes(path))
    found = IMPURE_CALLS.findall(without_comments_and_strings(path.read_text(encoding="utf-8")))
    assert not found, f"{path}: {found}"


def test_the_check_sees_an_upward_include(tmp_path):
    """Negative control: the expressions above find what they look for."""
    bad = tmp_path / "bad.c"
    bad.write_text('#include "engine/job.h"\n#include <uv.h>\nint x = time(NULL);\n')
    assert includes(bad) == ["engine/job.h", "uv.h"]
    assert IMPURE_CALLS.findall(bad.read_text()) == ["time"]


@pytest.mark.parametrize("call", ["strcpy(a, b)", "strcat(a, b)", "sprintf(a, \"x\")", "strtok(a, b)", "atoi(a)",
                                  "strncpy(a, b, 1)", "atof(a)", "gets(a)", "alloca(3)"])
def test_banned_functions_do_not_compile(tmp_path, call):
    source = tmp_path / "banned.c"
    for text, compiles in ((call, False), ("strlen(a)", True)):
        source.write_text('#include "core/status.h"\nvoid f(char *a, char *b);\n'
                          f"void f(char *a, char *b) {{ (void)b; (void)({text}); }}\n")
        done = subprocess.run(["cc", "-std=c17", "-I", str(SRC), "-Werror=implicit-function-declaration",
                               "-Werror=implicit-int", "-c", str(source), "-o", str(tmp_path / "x.o")],
                              capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == compiles, done.stderr


def test_every_file_includes_the_ban():
    """banned.h comes with status.h; a source file that includes none of our headers would escape it."""
    for path in SOURCES:
        if path.suffix == ".c" and path.name != "main.c":
            assert any((SRC / name).exists() for name in includes(path)), path


def test_functions_fit_a_screen():
    """At most 70 lines (style.md); counted from the opening to the closing brace in the first column."""
    for path in SOURCES:
        start = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line == "{":
                start = number
            elif line == "}" and start:
                assert number - start + 1 <= 70, f"{path}:{start}: {number - start + 1} lines"
                start = None


def test_lines_are_at_most_100_columns():
    for path in SOURCES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert len(line) <= 100, f"{path}:{number}"


def test_sources_are_listed_by_name():
    listed = set(re.findall(r"src/\S+\.c(?!\w)", (ROOT / "CMakeLists.txt").read_text()))
    assert listed == {f"src/{p.relative_to(SRC)}" for p in SOURCES if p.suffix == ".c"}


def test_the_top_level_holds_only_what_was_asked_for():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split("\n")
    top = {name.split("/")[0] for name in names if name}
    allowed = {"CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "README.zh-CN.md", "src", "samples",
               "bench", "tests"}
    assert {name for name in top if not name.startswith(".")} <= allowed
