"""The lines that hold the source together: who may include what, which functions are banned, what must be listed."""
import re
import subprocess

import pytest
from conftest import ROOT

SRC = ROOT / "src"

# Includes point downwards only (README.md, "Map of the source").
MAY_INCLUDE = {
    "main.c": {"cli"},
    "cli": {"cli", "run", "send", "report", "sim", "platform", "core"},
    "run": {"run", "engine", "input", "send", "net", "ledger", "report", "sim", "platform", "core"},
    "engine": {"engine", "input", "send", "net", "ledger", "report", "platform", "core"},
    "input": {"input", "platform", "core"},
    "send": {"send", "platform", "core"},
    "net": {"net", "platform", "core"},
    "ledger": {"ledger", "core"},
    "report": {"report", "platform", "core"},
    "sim": {"sim", "platform", "core"},
    "platform": {"platform", "core"},
    "core": {"core"},
}

# Single headers of rooms that are otherwise none of a room's business: standard error as a queue, the results' columns, the
# text of a device, and commands that a database keeps.
MAY_INCLUDE_TOO = {"cli": {"ledger/outfile.h", "ledger/outlet.h", "ledger/result_line.h"}, "ledger": {"platform/device.h"},
                   "ledger/share": {"platform/command.h", "platform/key.h", "platform/layout.h"}}

LIBRARY_ROOMS = {
    "curl/curl.h": {"net"},
    "uv.h": {"net", "engine", "sim", "ledger"},  # of the ledger: ledger/share alone, see below
    "libpq-fe.h": {"ledger"},
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

# core, platform and send do no I/O and read no clock, nor does the engine itself; what acts for it is told by its name.
PURE = {"core", "platform", "send"}
ACTING = re.compile(r"engine/(driver\w*|job|open_loop|intake\w*|check|interrupt)\.[ch]$")
ENGINE_MAY_INCLUDE = {"engine", "platform", "send", "core"}
IMPURE_HEADERS = {"unistd.h", "fcntl.h", "sys/socket.h", "sys/stat.h", "poll.h", "uv.h", "curl/curl.h", "pthread.h"}
IMPURE_CALLS = re.compile(r"\b(time|clock_gettime|gettimeofday|open|read|write|fopen|printf|fprintf|rand|random|"
                          r"getrandom|getenv|sleep|usleep)\s*\(")

SOURCES = sorted([*SRC.rglob("*.c"), *SRC.rglob("*.h")])


def room(path):
    relative = path.relative_to(SRC)
    return relative.parts[0]


def is_pure(path):
    return room(path) in PURE or (room(path) == "engine" and not ACTING.search(str(path)))


def includes(path):
    return re.findall(r'^#include [<"]([^>"]+)[>"]', path.read_text(encoding="utf-8"), re.M)


def without_comments_and_strings(text):
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\])*"', "", text, flags=re.S)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(SRC)))
def test_includes_point_downwards(path):
    folder = str(path.parent.relative_to(SRC)) if path.parent != SRC else room(path)
    for name in includes(path):
        target = name.split("/")[0]
        if target in MAY_INCLUDE and (SRC / name).exists() and name not in MAY_INCLUDE_TOO.get(folder, ()):
            assert target in MAY_INCLUDE[room(path)], f"{path} includes {name}"
        assert name in LIBRARY_ROOMS or not name.startswith("openssl/"), f"{path} includes {name}"
        if name in LIBRARY_ROOMS:
            assert room(path) in LIBRARY_ROOMS[name], f"{path} includes {name}"


@pytest.mark.parametrize("path", [p for p in SOURCES if is_pure(p)], ids=lambda p: str(p.relative_to(SRC)))
def test_pure_rooms_do_no_io_and_read_no_clock(path):
    assert not IMPURE_HEADERS & set(includes(path))
    found = IMPURE_CALLS.findall(without_comments_and_strings(path.read_text(encoding="utf-8")))
    assert not found, f"{path}: {found}"


def upward_of_the_engine(path):
    """What a file of the pure engine includes and must not: rooms that act, or its own driver."""
    return [name for name in includes(path)
            if (SRC / name).exists() and (name.split("/")[0] not in ENGINE_MAY_INCLUDE or ACTING.search(name))]


@pytest.mark.parametrize("path", [p for p in SOURCES if room(p) == "engine" and is_pure(p)], ids=lambda p: p.name)
def test_the_engine_knows_nothing_of_what_acts_for_it(path):
    assert not upward_of_the_engine(path)


def test_an_engine_that_acts_is_seen(tmp_path):
    """Negative control."""
    bad = tmp_path / "engine.c"
    bad.write_text('#include <uv.h>\n#include "engine/driver_record.h"\n#include "engine/item.h"\n#include "ledger/ledger.h"\n')
    assert upward_of_the_engine(bad) == ["engine/driver_record.h", "ledger/ledger.h"]
    assert IMPURE_HEADERS & set(includes(bad)) == {"uv.h"}
    assert not is_pure(SRC / "engine" / "driver.c") and is_pure(SRC / "engine" / "engine.c")


# The calls by which the record touches the outside go through disk.h; what else is opened there is no record.
DISK_CALLS = re.compile(r"(?<![\w>.])(open|close|read|pread|write|pwrite|fsync|fdatasync|ftruncate|rename|unlink|link|flock|mmap|munmap|"
                        r"fstat|lstat|access|getrandom|getpid|gethostname|clock_gettime|time|realpath|glob|posix_fallocate)\s*\(")
BELOW_THE_DISK = {"disk.c", "mount.c", "outlet.c", "clock.c"}


@pytest.mark.parametrize("path", [p for p in SOURCES if room(p) == "ledger" and p.name not in BELOW_THE_DISK],
                         ids=lambda p: str(p.relative_to(SRC)))
def test_the_record_touches_the_disk_through_one_seam(path):
    found = DISK_CALLS.findall(without_comments_and_strings(path.read_text(encoding="utf-8")))
    assert not found, f"{path}: {found}"


@pytest.mark.parametrize("path", [p for p in SOURCES if room(p) == "ledger"], ids=lambda p: str(p.relative_to(SRC)))
def test_the_database_and_the_loop_are_known_in_one_folder_of_the_record(path):
    if path.parent.name != "share":
        assert not {"uv.h", "libpq-fe.h"} & set(includes(path))
        assert not any(name.startswith("ledger/share/") for name in includes(path))


def test_the_checks_of_the_record_see_what_they_look_for():
    """Negative control."""
    assert DISK_CALLS.findall("int fd = open(path, 0); x = disk->open(disk, path); (void)unlink(path);") == ["open", "unlink"]


# What only platform/ (and sim/, which plays it) knows: its hosts, paths, headers, parameters and numbers.
KNOWLEDGE_OF_THE_PLATFORM = re.compile(r"api-key|heclouds|nb-?iot|imei|\b(?:2001|5006|5106|5108|5117|10403)\b", re.I)
ROOMS_THAT_DO_NOT_KNOW = ["core", "net", "send", "engine", "ledger"]
# Where a key comes from has names of its own: options, variables, systemd's credentials.
NAMES_OF_PLACES = {"net/credentials.c": {"api-key"}, "net/credentials.h": {"api-key"}}


def knowledge_of_the_platform(text, allowed=frozenset()):
    return sorted({found.lower() for found in KNOWLEDGE_OF_THE_PLATFORM.findall(text)} - set(allowed))


@pytest.mark.parametrize("path", [p for p in SOURCES if room(p) in ROOMS_THAT_DO_NOT_KNOW],
                         ids=lambda p: str(p.relative_to(SRC)))
def test_what_the_platform_wants_and_says_is_known_in_one_room(path):
    allowed = NAMES_OF_PLACES.get(str(path.relative_to(SRC)), set())
    assert knowledge_of_the_platform(path.read_text(encoding="utf-8"), allowed) == []


@pytest.mark.parametrize("text,found", [
    ("list = curl_slist_append(list, \"api-key: x\");", ["api-key"]),
    ("/* as /nb-iot/offline wants it */ if (number == 5006)", ["5006", "nb-iot"]),
    ("uint64_t imei; /* https://API.heclouds.com */", ["heclouds", "imei"]),
    ("enum { MAX = 150061 }; char other[65106];", []),
])
def test_the_check_sees_what_it_looks_for(text, found):
    """Negative control; and what it is told to pass over it does."""
    assert knowledge_of_the_platform(text) == found
    assert knowledge_of_the_platform(text, set(found)) == []


ROOMS_THAT_CITE_THE_TREE = ["core", "platform", "send", "sim"]  # the others are to follow
OUTSIDE_PAGE = re.compile(r"[a-z-]+\.md(?<!README\.md)")
CITED = re.compile(r'((?:\w+/)?README\.md),[\s*]+"([^"]+)"')


@pytest.mark.parametrize("path", [p for p in SOURCES if room(p) in ROOMS_THAT_CITE_THE_TREE],
                         ids=lambda p: str(p.relative_to(SRC)))
def test_comments_cite_pages_and_headings_of_the_tree(path):
    text = path.read_text(encoding="utf-8")
    assert OUTSIDE_PAGE.findall(text) == []
    for page, heading in CITED.findall(text):
        page = SRC / page if "/" in page else path.parent / page
        heading = re.sub(r"\s*\n \* ?", " ", heading)
        assert f"\n## {heading}\n" in page.read_text(encoding="utf-8"), f"{path}: {page}: {heading}"


def test_the_check_sees_a_page_that_is_not_there():
    """Negative control."""
    assert OUTSIDE_PAGE.findall("/* as elsewhere.md says (README.md) */") == ["elsewhere.md"]
    assert CITED.findall('/* (README.md,\n * "Is it?") (platform/README.md, "Times") */') == [
        ("README.md", "Is it?"), ("platform/README.md", "Times")]


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


def function_lengths(text):
    """The lines of each function, from the opening to the closing brace in the first column, by line."""
    lengths, start = {}, None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            lengths[start] = number - start + 1
            start = None
    return lengths


def test_functions_fit_a_screen():
    """At most 60 lines, nine in ten at most 24, and half of them at most 11."""
    found = {f"{path.relative_to(SRC)}:{line}": length for path in SOURCES
             for line, length in function_lengths(path.read_text(encoding="utf-8")).items()}
    assert not {place: length for place, length in found.items() if length > 60}
    lengths = sorted(found.values())
    assert lengths[len(lengths) * 9 // 10] <= 24
    assert lengths[len(lengths) // 2] <= 11


def test_the_check_measures_functions():
    """Negative control: a function of 61 lines is seen as one."""
    text = "int f(void)\n{\n" + "    f();\n" * 59 + "}\n\nstruct a {\n    int b;\n};\n\nvoid g(void)\n{\n}\n"
    assert function_lengths(text) == {2: 61, 69: 2}


def include_circle(graph):
    """The files of a circle of includes, or none."""
    done, way = set(), []

    def visit(name):
        if name in way:
            return way[way.index(name):]
        if name in done:
            return []
        way.append(name)
        for target in sorted(graph.get(name, ())):
            circle = visit(target)
            if circle:
                return circle
        done.add(way.pop())
        return []

    return next((circle for circle in map(visit, sorted(graph)) if circle), [])


def test_files_do_not_include_each_other_in_a_circle():
    graph = {str(path.relative_to(SRC)): {name for name in includes(path) if (SRC / name).exists()} for path in SOURCES}
    assert len(graph) == len(SOURCES) and any(graph.values())
    assert include_circle(graph) == []


def test_the_check_sees_a_circle():
    """Negative control: one that closes through a third file, beside includes that are none."""
    assert include_circle({"a": {"b", "d"}, "b": {"c"}, "c": {"d", "a"}, "d": set()}) == ["a", "b", "c"]
    assert include_circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


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
    allowed = {"CHANGELOG.md", "CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "README.zh-CN.md", "src", "samples",
               "bench", "tests"}
    assert {name for name in top if not name.startswith(".")} <= allowed
