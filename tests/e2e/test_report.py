"""The HTML page: its figures are the results' own, it is one harmless file, and a browser shows it without a complaint."""
import base64
import collections
import hashlib
import html.parser
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

import pytest
from conftest import HEADER, KEY, NBATCH, ROOT, read_results, row_of, wait_for
from peers import FULL, OK, answering

STATUSES = ("accepted", "rejected", "failed", "in_doubt", "invalid")
COLUMNS = "row,line,key,imei,status,uuid,errno,error,http_status,attempts,ambiguous,latency_ms,finished_at"


class Page(html.parser.HTMLParser):
    """What stands on a page: the figures by their names, rows by status, groups, facts, tags and ids."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.figures, self.statuses, self.groups, self.facts = {}, {}, [], {}
        self.others = self.next = None
        self.tags, self.ids, self.references, self.attributes = collections.Counter(), [], [], set()
        self.quantiles, self.steps, self.text, self.open = {}, [], "", []
        self.status = self.fact = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags[tag] += 1
        self.attributes |= set(values)
        if tag not in ("meta", "path"):
            self.open.append(tag)
        if "id" in values:
            self.ids.append(values["id"])
        self.references += values.get("aria-labelledby", "").split()
        if "data-name" in values and "data-value" in values:
            self.figures[values["data-name"]] = float(values["data-value"])
        if tag == "tr" and "data-status" in values:
            self.status = values["data-status"]
        if tag == "td" and "data-value" in values:
            self.statuses[self.status] = int(values["data-value"])
        if tag == "article":
            self.groups.append((values["data-status"], values["data-errno"], int(values["data-value"])))
        if "data-quantile" in values:
            self.quantiles[float(values["data-quantile"])] = int(values["data-us"])
        if "data-step" in values:
            self.steps.append(values["data-step"])
        self.fact = values.get("data-fact")

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        assert tag == "path" or self.open and self.open.pop() == tag, f"</{tag}> closes what is not open"

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data
        if self.fact:
            self.facts[self.fact] = data
            self.fact = None


def read_page(path):
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == [] and len(page.ids) == len(set(page.ids)) and set(page.references) <= set(page.ids)
    assert page.tags["svg"] == page.tags["desc"] and page.tags["h1"] == page.tags["title"] - page.tags["svg"] == 1
    assert page.tags["table"] == page.tags["caption"]
    assert page.tags["script"] == 1 and not set(page.tags) & {"img", "link", "iframe", "object", "form", "a", "b"}
    assert not {name for name in page.attributes if name.startswith("on")} | page.attributes & {"src", "href"}
    return page


def current(path):
    """The last line of each key."""
    return list({row["key"]: row for row in read_results(path)}.values())


def assert_figures(page, rows, quantiles=True):
    counts = collections.Counter(row["status"] for row in rows)
    assert {status: page.statuses[status] for status in STATUSES} == {status: counts[status] for status in STATUSES}
    assert page.figures["accepted"] == counts["accepted"]
    assert page.figures["not-accepted"] == len(rows) - counts["accepted"]
    assert page.figures["attempts"] == sum(int(row["attempts"]) for row in rows)
    groups = collections.Counter()
    for status, number, count in page.groups:
        groups[status, number] += count
    assert groups == collections.Counter((row["status"], row["errno"]) for row in rows if row["status"] != "accepted")
    latencies = sorted(round(float(row["latency_ms"]) * 1000) for row in rows if row["latency_ms"])
    if quantiles and latencies:
        for quantile, us in page.quantiles.items():
            exact = latencies[max(0, -int(-quantile * len(latencies) // 1) - 1)]
            assert exact <= us <= exact * (1 + 1 / 64) + 1, (quantile, us, exact)


MIXED = {3: ("200 OK", FULL), 5: ("200 OK", FULL), 8: ("404 Not Found", b"<html>"), 9: ("500 Oops", b""),
         11: ("200 OK", b'{"errno":4711,"error":"<script>alert(1)</script>"}')}


@pytest.mark.parametrize("extension", ["csv", "jsonl"])
def test_figures_are_the_results_own(nbatch, tmp_path, raw_peer, extension):
    (tmp_path / "in.csv").write_text(HEADER.replace("\n", ",site\n") + "".join(
        row_of(i).replace("\n", f",<b>{i}\n") for i in range(1, 41)) + row_of(99).replace(",2,", ",5,").replace("\n", ",x\n"))
    results = tmp_path / f"r.{extension}"
    done = nbatch("run", "in.csv", "--endpoint", raw_peer(answering(MIXED)).url, "-c", "2", "--on-ambiguous", "hold", "-o", results,
                  "--skip-invalid", "--pass", "site", "--report", "live.html")
    assert done.code == 6 and "report: live.html" in done.err, done
    assert nbatch("report", results, "-o", "later.html").code == 0
    rows = read_results(results)
    for name in ("live.html", "later.html"):
        page = read_page(tmp_path / name)
        assert_figures(page, rows)
        assert page.figures["rows"] == 41 and "<script>alert(1)</script>" in page.text
        verify = ["verify"] if name == "live.html" else []  # where the platform is is not in the results
        assert page.steps == ["mend", "failed", "rejected", *verify, "look", "in_doubt"]
    assert page.facts["Passed columns"] == "site" if extension == "csv" else "Passed columns" not in page.facts


def test_a_row_counts_once_by_its_last_line(nbatch, tmp_path, raw_peer, fleet):
    peer = raw_peer(answering(MIXED))
    words = ["run", fleet(30), "--endpoint", peer.url, "-c", "1", "-o", "r.csv", "--report", "r.html"]
    assert nbatch(*words, "--on-ambiguous", "hold").code == 6
    done = nbatch(*words, "--resume=all,in_doubt", "--json")
    assert done.code == 0, done
    page = read_page(tmp_path / "r.html")
    assert_figures(page, current(tmp_path / "r.csv"))
    assert page.figures["rows"] == page.figures["accepted"] == json.loads(done.out)["total"]["accepted"] == 30
    assert "All 30 rows were accepted." in page.text and page.steps == ["twice"]  # held, then sent again
    assert "replaced by a later line" in page.text
    nbatch("report", "r.csv", "-o", "later.html")
    assert_figures(read_page(tmp_path / "later.html"), current(tmp_path / "r.csv"))


def test_a_corrected_row_does_not_count_twice_at_the_end_of_a_run(nbatch, tmp_path, raw_peer):
    peer = raw_peer(answering({}))
    (tmp_path / "in.csv").write_text(HEADER + row_of(1) + row_of(2).replace(",2,", ",5,"))
    words = ["run", "in.csv", "--endpoint", peer.url, "--skip-invalid", "--report", "r.html"]
    assert nbatch(*words).code == 1
    (tmp_path / "in.csv").write_text(HEADER + row_of(1) + row_of(2))
    assert nbatch(*words, "--resume").code == 0
    page = read_page(tmp_path / "r.html")
    assert page.figures["rows"] == page.figures["accepted"] == 2 and "the input no longer has" in page.text


def test_a_stopped_run_has_its_page_too(nbatch, tmp_path, fleet, raw_peer):
    peer = raw_peer(answering({n: ("200 OK", FULL) for n in range(6, 99)}))
    done = nbatch("run", fleet(500), "--endpoint", peer.url, "-c", "1", "--halt", "rejected=3", "-o", "r.csv", "--report", "r.html")
    assert done.code == 5
    page = read_page(tmp_path / "r.html")
    rows = read_results(tmp_path / "r.csv")
    assert_figures(page, rows)
    assert page.figures["rows"] == 500 and page.statuses["unsent"] == 500 - len(rows)
    assert page.facts["The run ended"] == "halted" and page.facts["Exit status"] == "5"
    assert page.steps[0] == "resume" and "--resume" in page.text
    nbatch("report", "r.csv", "-o", "later.html")
    later = read_page(tmp_path / "later.html")
    assert "so far" in later.text and later.steps[0] == "resume"


def test_an_interrupted_run_has_its_page_too(tmp_path, fleet, raw_peer):
    release = []

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            connection.process(request)
            connection.reply(OK)
            release.append(1)
    peer = raw_peer(script)
    process = subprocess.Popen([NBATCH, "run", fleet(5000), "--endpoint", peer.url, "-o", "r.csv", "--rate", "200/s", "--report", "r.html"],
                               cwd=tmp_path, env={"NBATCH_API_KEY": KEY}, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(release) >= 20)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 130, err
    assert_figures(read_page(tmp_path / "r.html"), read_results(tmp_path / "r.csv"))


def test_the_page_tells_of_input_and_settings_and_no_secret(nbatch, tmp_path, fleet, raw_peer):
    path = fleet(3)
    (tmp_path / "key").write_text("hush-file-key\n")
    (tmp_path / "key").chmod(0o600)
    peer = raw_peer(answering({}))
    base = ["run", path, "--endpoint", peer.url, "--rate", "600/m", "--burst", "9", "--set", "retry=4"]
    ways = {"env": [], "file": ["--api-key-file", "key"],
            "command": ["--api-key-command", "echo hush-key-of-a-command", "--proxy", peer.url.replace("//", "//user:hush-word@")]}
    for name, words in ways.items():
        env = {} if name == "env" else {"NBATCH_API_KEY": None}
        done = nbatch(*base, *words, "-o", f"{name}.csv", "--report", f"{name}.html", env=env)
        assert done.code == 0, done
        text = (tmp_path / f"{name}.html").read_text()
        assert "hush" not in text and KEY not in text
        page = read_page(tmp_path / f"{name}.html")
        assert page.facts["Input"].endswith("fleet.csv") and page.facts["Endpoint"] == peer.url
        for word in ("--rate600/m", "--burst9", "--setretry=4", "--concurrency64", "--request-timeout30s"):
            assert word in page.text.replace("\n", ""), word
        assert re.search(r"<code>[0-9a-f]{16}</code> \(XXH3-64", text)
        assert f"{path.stat().st_size} bytes" in page.text


def test_hostile_results_stay_text(nbatch, tmp_path):
    bad = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x1b[31m\x01\u202e"
    lines = [f'{COLUMNS},"a""<b>,c"']
    for i in range(1, 200):
        quoted = bad.replace('"', '""')
        lines.append(f'{i},{i + 1},{i * 0x9e3779b97f4a7c15 % 2**64:016x}-1,"{quoted}",rejected,,{i % 7},"{quoted}",200,1,0,1.500,'
                     f'2030-01-01T00:00:{i % 60:02d}.000Z,"{quoted}"')
    name = "<i>&'\"\n.results.csv"
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    assert nbatch("report", name, "-o", "r.html").code == 0
    page = read_page(tmp_path / "r.html")
    assert_figures(page, read_results(tmp_path / name))
    assert "\\x1b[31m\\x01" in page.text and "\x1b" not in page.text and "\x01" not in page.text


def test_pages_replace_pages_and_nothing_else(nbatch, tmp_path, fleet, raw_peer):
    path = fleet(2)
    before = path.read_bytes()
    peer = raw_peer(answering({}))
    done = nbatch("run", path, "--endpoint", peer.url, "-o", "r.csv", "--report", path)
    assert done.code == 2 and "same file" in done.err and path.read_bytes() == before and peer.processed == []
    other = fleet(2, name="other.csv")
    done = nbatch("run", path, "--endpoint", peer.url, "-o", "r.csv", "--report", other)
    assert done.code == 2 and "no report" in done.err and other.read_bytes() == before and peer.processed == []
    other.unlink()
    done = nbatch("run", path, "--endpoint", peer.url, "-o", "r.csv", "--report", "none/r.html")
    assert done.code == 2 and peer.processed == []
    assert nbatch("run", path, "--endpoint", peer.url, "-o", "r.csv").code == 0
    assert nbatch("report", "r.csv").code == 0
    first = hashlib.sha256((tmp_path / "r.html").read_bytes()).digest()
    (tmp_path / "r.html").write_text((tmp_path / "r.html").read_text().replace("accepted", "ACCEPTED"))
    assert nbatch("report", "r.csv").code == 0
    assert "ACCEPTED" not in (tmp_path / "r.html").read_text() and first
    done = nbatch("report", "r.csv", "-o", "r.csv")
    assert done.code == 2 and len(read_results(tmp_path / "r.csv")) == 2
    done = nbatch("report", "r.csv", "-o", "-")
    assert done.code == 0 and done.out.startswith("<!DOCTYPE html>") and "report" not in done.err
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".complete", ".csv", ".csv", ".html"]


@pytest.mark.parametrize("text,why", [
    ("", "empty"), ("imei,obj_id\n1,2\n", "header"), (HEADER, "header"), ("{}\n", "no result"), ("no line end", "no whole line"),
    (COLUMNS + "\n1,2,x,y\n", "damaged at byte"),
])
def test_what_is_no_results_file_is_refused(nbatch, tmp_path, text, why):
    (tmp_path / "x.csv").write_text(text)
    done = nbatch("report", "x.csv")
    assert done.code == 3 and why in done.err and not (tmp_path / "x.html").exists(), done


def test_there_is_a_page_of_no_rows_and_of_a_line_that_was_cut_off(nbatch, tmp_path):
    (tmp_path / "r.csv").write_text(COLUMNS + "\n")
    assert nbatch("report", "r.csv").code == 0
    assert read_page(tmp_path / "r.html").figures["rows"] == 0
    (tmp_path / "r.csv").write_text(COLUMNS + "\n1,2,00000000000000aa-1,8,failed,,,x,,1,0,1.000,2030-01-01T00:00:00.000Z\n2,3,000")
    assert nbatch("report", "r.csv").code == 0
    page = read_page(tmp_path / "r.html")
    assert page.figures["rows"] == 1 and "cut off" in page.text


@pytest.mark.parametrize("words,text", [(["report"], "which results"), (["report", "a", "b"], "one input"),
                                        (["report", "none.csv"], "none.csv"), (["report", "-"], "must be a file")])
def test_usage(nbatch, words, text):
    done = nbatch(*words)
    assert done.code in (2, 7) and text in done.err, done


def test_memory_does_not_grow_with_the_rows(nbatch, tmp_path):
    """The index of keys is all that grows: 14–21 bytes a row."""
    peaks = []
    for rows in (2000, 202000):
        with open(tmp_path / "r.csv", "w", encoding="utf-8") as f:
            f.write(COLUMNS + "\n")
            f.writelines(f"{i},{i},{i * 0x9e3779b97f4a7c15 % 2**64:016x}-1,860000000000009,failed,,,error {i},,1,0,1.000,"
                         f"2030-01-01T00:{i // 60 % 60:02d}:{i % 60:02d}.000Z\n" for i in range(1, rows + 1))
        code = ("import resource,subprocess,sys; subprocess.run(sys.argv[1:], check=True);"
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
        done = subprocess.run(["/usr/bin/python3", "-c", code, NBATCH, "report", "-q", "r.csv"], cwd=tmp_path, capture_output=True,
                              text=True, check=True)
        peaks.append(int(done.stdout) * 1024)
    if "asan" not in NBATCH:
        assert peaks[1] - peaks[0] < 200000 * 24 + 1024 * 1024, peaks


def test_a_rehearsal_says_so_and_a_run_does_not(nbatch, tmp_path, fleet, raw_peer):
    for extension in ("csv", "jsonl"):
        for name, words in {"sim": ["--simulate"], "real": ["--endpoint", raw_peer(answering({})).url]}.items():
            results = f"{name}.{extension}"
            assert nbatch("run", fleet(3), *words, "-o", results, "--report", "live.html").code == 0
            assert nbatch("report", results, "-o", "later.html").code == 0
            for page in ("live.html", "later.html"):
                text = (tmp_path / page).read_text()
                assert ("<title>REHEARSAL" in text, "<strong>REHEARSAL" in text) == (name == "sim",) * 2, (page, words)
                (tmp_path / page).unlink()


def test_the_first_screen_says_what_is_left_and_what_to_type(nbatch, tmp_path, raw_peer, fleet):
    nbatch("run", fleet(30), "--endpoint", raw_peer(answering(MIXED)).url, "-c", "1", "-o", "r.csv", "--report", "r.html", "--on-ambiguous", "hold")
    text = (tmp_path / "r.html").read_text()
    assert [text.index(part) for part in ('class="verdict', "Left: ", 'id="next"')] < [text.index('id="glance"')]
    assert re.findall(r't-(\w+)">(\d+) \1</span>', text.split("</header>")[0]) == [("rejected", "3"), ("failed", "1"), ("in_doubt", "1")]
    nbatch("run", fleet(2), "--simulate", "-o", "all.csv", "--report", "all.html")
    assert "Nothing is left to do" in (tmp_path / "all.html").read_text().split("</header>")[0]


def test_the_policy_lets_the_page_own_script_run_and_no_other():
    page = (ROOT / "src/report/page.html").read_text(encoding="utf-8")
    script = re.search(r"<script>(.*?)</script>", page, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page and "{{" not in script


def luminance(color):
    digits = color[1:] if len(color) == 7 else "".join(c * 2 for c in color[1:])
    parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def poor_contrasts(css):
    """WCAG 2.1 AA: 4.5 for text, 3 for what is drawn, in both schemes."""
    schemes = [dict(re.findall(r"--(\w[\w-]*): (#[0-9a-f]+)", block)) for block in re.findall(r":root \{(.*?)\}", css, re.S)[:2]]
    texts = [(ink, on) for ink in ("ink", "soft", *STATUSES) for on in ("sheet", "page")]
    texts += [("ink", "code"), ("accent", "sheet"), ("on-rehearsal", "rehearsal")]
    drawn = [(name, "sheet") for name in (*STATUSES, "unsent", "accent", "area")]
    return [(pair, round(contrast(scheme[pair[0]], scheme[pair[1]]), 2)) for scheme in schemes
            for pairs, least in ((texts, 4.5), (drawn, 3)) for pair in pairs
            if contrast(scheme[pair[0]], scheme[pair[1]]) < least]


def test_everybody_can_read_it():
    css = (ROOT / "src/report/report.css").read_text(encoding="utf-8")
    assert poor_contrasts(css) == []
    assert contrast("#000", "#ffffff") == 21 and poor_contrasts(css.replace("--soft: #55616f", "--soft: #8a94a0"))  # negative control


CHROMIUM = shutil.which("chromium")
with_browser = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")


@pytest.fixture
def browser(tmp_path):
    """Shows a page as a phone would; returns its tree and what the browser complains of."""
    def show(path, scheme="light"):
        with tempfile.TemporaryDirectory() as profile:
            done = subprocess.run(
                [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                 "--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}",
                 "--window-size=360,740", f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
                 "--enable-logging=stderr", f"--screenshot={tmp_path / 'shot.png'}", "--dump-dom", path.as_uri()],
                capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "HOME": profile})
        assert done.returncode == 0, done.stderr
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return show


@with_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_without_a_complaint(nbatch, tmp_path, raw_peer, browser, scheme):
    (tmp_path / "in.csv").write_text(HEADER + "".join(row_of(i) for i in range(1, 41)))
    nbatch("run", "in.csv", "--endpoint", raw_peer(answering(MIXED)).url, "-c", "2", "--on-ambiguous", "hold", "-o", "r.csv",
           "--report", "r.html", "--rate", "50/s")
    tree, complaints = browser(tmp_path / "r.html", scheme)
    assert complaints == []
    assert (tmp_path / "shot.png").stat().st_size > 10000
    shown = Page(tree)
    assert_figures(shown, read_results(tmp_path / "r.csv"))
    assert shown.tags["svg"] == 3
    assert shown.tags["button"] == shown.tags["pre"] > 0  # the script runs


@with_browser
def test_a_complaint_would_be_seen(nbatch, tmp_path, browser):
    """Negative control: the policy of the page forbids what a value that were not escaped could do."""
    (tmp_path / "r.csv").write_text(COLUMNS + "\n")
    assert nbatch("report", "r.csv").code == 0
    page = tmp_path / "r.html"
    page.write_text(page.read_text().replace("<main>", "<main><script>document.title = 'taken'</script>"))
    tree, complaints = browser(page)
    assert "<title>taken" not in tree and any("Content Security Policy" in line for line in complaints)
