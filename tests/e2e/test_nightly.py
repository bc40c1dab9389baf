"""A job that a timer starts again and again, with nobody at the terminal."""
import gzip
import json
import os
import re
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import xxhash
from conftest import NBATCH, read_results, row_of, wait_for
from workbooks import write_book

DATED = re.compile(r"meters-\d{8}-\d{6}\.results\.csv")


@pytest.fixture
def night(nbatch, tmp_path, simulator):
    """Starts the job as the unit does: night(rows, options) with a new input, or none for the one that is there."""
    peer = simulator()

    def start(content=None, *options, **keywords):
        if content is not None:
            (tmp_path / "input.csv").write_text(content)
        return nbatch("run", "input.csv", "--endpoint", peer.url, "--job", "meters", "--dated", *options, **keywords)

    start.peer = peer
    return start


def stored(night):
    """How many commands the platform has taken, while it goes on."""
    path = night.peer.audit_path
    return path.read_text().count('"uuid"') if path.exists() else 0


def dated(folder):
    return sorted(path.name for path in folder.iterdir() if DATED.fullmatch(path.name))


def content_of(fleet, count, first=1):
    return fleet(count, first=first).read_text()


def test_each_night_has_its_results_and_the_link_leads_to_the_last(night, fleet, tmp_path):
    for count in (3, 5):
        done = night(content_of(fleet, count))
        assert done.code == 0, done
        latest = tmp_path / "meters.latest.results.csv"
        assert latest.is_symlink() and DATED.fullmatch(os.readlink(latest))
        assert len(read_results(latest)) == count, "also of a start in the same second"
    assert len(dated(tmp_path)) == 2 and len(night.peer.audit()) == 8


def test_the_same_input_is_not_sent_every_night(night, fleet, tmp_path):
    assert night(content_of(fleet, 4)).code == 0
    done = night()
    assert done.code == 3 and "sent before, every byte the same" in done.err and "--again" in done.err and dated(tmp_path)[0] in done.err, done
    assert len(dated(tmp_path)) == 1
    assert night(None, "--again").code == 0
    assert len(dated(tmp_path)) == 2
    assert night(content_of(fleet, 4, first=100)).code == 0, "another input is another night's"
    assert len(night.peer.audit()) == 12


def as_workbook(text):
    cells = [[int(cell) if cell.isdigit() and len(cell) < 15 else cell for cell in line.split(",")] for line in text.splitlines()]
    with tempfile.NamedTemporaryFile(suffix=".xlsx") as file:
        write_book(file.name, cells)
        return Path(file.name).read_bytes()


FORMS = {"an empty line more": lambda text: (text + "\n").encode(), "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
         "compressed": lambda text: gzip.compress(text.encode()), "a workbook": as_workbook,
         "another order": lambda text: "".join(text.splitlines(True)[:1] + text.splitlines(True)[:0:-1]).encode(),
         "a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode()}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_are_not_sent_in_another_form(night, fleet, tmp_path, form):
    text = content_of(fleet, 4) + row_of(1)  # and one of them twice
    assert night(text).code == 0
    (tmp_path / "input.csv").write_bytes(FORMS[form](text))
    done = night()
    assert done.code == 3 and "its rows were sent before, all of them and no others" in done.err and dated(tmp_path)[0] in done.err, done
    assert len(dated(tmp_path)) == 1 and night(None, "--again").code == 0 and len(night.peer.audit()) == 10


def test_rows_that_differ_are_sent(night, fleet, tmp_path):
    """Negative control: one more, one less, another value, one of them twice; and --set makes other rows of the same."""
    text = content_of(fleet, 4)
    lines = text.splitlines(True)
    for other in (text, text + row_of(9), "".join(lines[:-1]), text.replace("+7d", "+6d"), text + lines[-1]):
        assert night(other).code == 0, other
    assert len(dated(tmp_path)) == 5


def test_results_of_an_earlier_version_still_tell_by_the_bytes(night, fleet, tmp_path):
    """Their file beside the results knows no rows."""
    text = content_of(fleet, 4)
    assert night(text).code == 0
    [path] = tmp_path.glob("meters-*.complete")
    data = path.read_bytes()
    assert len(data) == 4200 and data[56] == 2
    old = data[:56] + bytes([1]) + data[57:64] + xxhash.xxh3_64_intdigest(data[72:-8]).to_bytes(8, "little") + data[72:-8]
    path.write_bytes(old)
    assert "every byte the same" in night(text).err
    assert night(text + "\n").code == 0


def test_a_start_in_the_same_second_is_judged_by_its_input(night, fleet, tmp_path):
    """Not by the name that another start has taken."""
    text = content_of(fleet, 2)
    assert [night(content).code for content in (text, text, "", text, content_of(fleet, 3), content_of(fleet, 4))] == [0, 3, 3, 3, 0, 0]
    assert len(dated(tmp_path)) == 3


def test_a_run_that_was_killed_is_gone_on_with(night, fleet, tmp_path, nbatch):
    (tmp_path / "input.csv").write_text(content_of(fleet, 300))
    environment = {**os.environ, "NBATCH_API_KEY": "k" * 28}
    assert night(content_of(fleet, 2, first=900)).code == 0
    time.sleep(1.1)
    (tmp_path / "input.csv").write_text(content_of(fleet, 300))
    process = subprocess.Popen([nbatch.binary, "run", "input.csv", "--endpoint", night.peer.url, "--job", "meters", "--dated",
                                "--rate", "40/s"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    wait_for(lambda: stored(night) >= 30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = night(None, "--on-ambiguous", "hold")
    assert "going on with meters-" in done.err and done.code in (0, 6), done
    assert len(dated(tmp_path)) == 2, "no file of its own for what goes on"
    rows = read_results(tmp_path / "meters.latest.results.csv")
    assert len({row["imei"] for row in rows}) == 300
    commands = [entry["imei"] for entry in night.peer.audit()]
    assert len(commands) == len(set(commands)), "nothing was sent twice"


def test_results_that_an_editor_saves_in_mid_run_are_gone_on_with_the_next_night(night, fleet, tmp_path, nbatch):
    """Under the name to which their lines were written anew; what was saved is left alone."""
    text = content_of(fleet, 200)
    (tmp_path / "input.csv").write_text(text)
    process = subprocess.Popen([nbatch.binary, "run", "input.csv", "--endpoint", night.peer.url, "--job", "meters", "--dated",
                                "--rate", "100/s"], cwd=tmp_path, env={**os.environ, "NBATCH_API_KEY": "k" * 28},
                               stderr=subprocess.PIPE, text=True)
    wait_for(lambda: stored(night) >= 60)
    (name,) = dated(tmp_path)
    saved = (tmp_path / name).read_bytes()
    (tmp_path / "swap").write_bytes(saved)
    (tmp_path / "swap").rename(tmp_path / name)
    err = process.communicate()[1]
    (recovered,) = tmp_path.glob("meters-*.results.recovered-*.csv")
    assert process.returncode == 7 and recovered.name in err and "go on with --resume\n" in err, err
    assert os.readlink(tmp_path / "meters.latest.results.csv") == recovered.name
    done = night()
    assert done.code == 0 and f"going on with {recovered.name}" in done.err, done
    assert (tmp_path / name).read_bytes() == saved and len(dated(tmp_path)) == 1
    assert len({row["imei"] for row in read_results(tmp_path / "meters.latest.results.csv")}) == 200
    assert stored(night) == 200, "nothing was sent twice"
    done = night(text)
    assert done.code == 3 and "sent before" in done.err and recovered.name in done.err, done
    recovered.rename(tmp_path / re.sub(r"-\d{8}-", "-20200101-", recovered.name))
    for path in (Path(f"{recovered}.complete"), tmp_path / name, tmp_path / f"{name}.journal"):
        path.rename(tmp_path / re.sub(r"-\d{8}-", "-20200101-", path.name))
    done = night(content_of(fleet, 2, first=500), "--keep", "30d")
    assert done.code == 0 and "removed 1 result file" in done.err, done
    assert len(list(tmp_path.glob("meters-20200101-*"))) == 2, "the copy, and what says that it is one"


def test_what_is_beside_old_results_goes_with_them(night, fleet, tmp_path, nbatch):
    """Whatever a command has written there of its own accord."""
    assert night(content_of(fleet, 3)).code == 0
    (name,) = dated(tmp_path)
    to = ["--endpoint", night.peer.url]
    assert nbatch("cancel", name, *to, "--yes").code == 0 and nbatch("status", name, *to).code in (0, 1)
    assert nbatch("report", name).code == 0
    (tmp_path / name.replace(".csv", ".superseded.csv")).write_text("lines\n")
    Path(tmp_path / f"{name.replace('.results', '.status')}.journal").touch()
    files = [path for path in tmp_path.iterdir() if path.name.startswith(name[:22])]
    assert len(files) == 7, files
    for path in files:
        path.rename(tmp_path / f"meters-20200101{path.name[15:]}")
    (tmp_path / "meters-20200101-notes.txt").touch()
    done = night(content_of(fleet, 2, first=50), "--keep", "30d")
    assert done.code == 0 and "removed 1 result file" in done.err, done
    assert [path.name for path in tmp_path.glob("meters-20200101-*")] == ["meters-20200101-notes.txt"]


def test_old_results_are_removed_and_unfinished_ones_are_not(night, fleet, tmp_path):
    assert night(content_of(fleet, 2)).code == 0
    first = tmp_path / dated(tmp_path)[0]
    names = {"old": "meters-20200101-020000.results.csv", "open": "meters-20200102-020000.results.csv",
             "bare": "meters-20200103-020000.results.csv", "other": "valves-20200101-020000.results.csv"}
    for name in names.values():
        (tmp_path / name).write_bytes(first.read_bytes())
        (tmp_path / f"{name}.complete").write_bytes((tmp_path / f"{first.name}.complete").read_bytes())
    (tmp_path / "meters-20200101-020000.html").write_text("page")
    (tmp_path / f"{names['open']}.journal").write_text("")
    (tmp_path / f"{names['bare']}.complete").unlink()
    time.sleep(1.1)
    done = night(content_of(fleet, 2, first=50), "--keep", "30d")
    assert done.code == 0 and "removed 1 result file" in done.err, done
    left = {name for name in names if (tmp_path / names[name]).exists()}
    assert left == {"open", "bare", "other"}
    assert not (tmp_path / "meters-20200101-020000.html").exists()
    assert first.exists() and len(dated(tmp_path)) == 4


def test_one_start_of_a_job_at_a_time(night, fleet, tmp_path):
    """The second one is refused, however early it comes: before there are results."""
    (tmp_path / "input.csv").write_text(content_of(fleet, 10))
    command = [NBATCH, "run", "input.csv", "--endpoint", night.peer.url, "--dated", "--job", "meters",
               "--api-key-command", f"touch begun; while [ ! -e go ]; do sleep 0.1; done; echo {'k' * 28}"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as first:
        wait_for(lambda: (tmp_path / "begun").exists())
        done = night()
        assert done.code == 2 and "another start of this job is under way" in done.err, done
        assert night(None, "--again").code == 2
        (tmp_path / "go").touch()
    assert first.returncode == 0 and stored(night) == 10 and len(dated(tmp_path)) == 1
    assert night().code == 3, "its lock is free, and its results are known"


LOST = {
    "removed": lambda link, name: link.unlink(),
    "a copy": lambda link, name: (link.unlink(), link.write_bytes((link.parent / name).read_bytes())),
    "absolute": lambda link, name: (link.unlink(), link.symlink_to(link.parent / name)),
    "to an earlier one": lambda link, name: (link.unlink(), link.symlink_to("meters-20200101-020000.results.csv")),
    "to a link": lambda link, name: (link.rename(link.parent / "l"), link.symlink_to("l")),
}


@pytest.mark.parametrize("how", LOST)
def test_a_stopped_run_is_found_without_its_link(night, fleet, tmp_path, how):
    stop_after(night, fleet, tmp_path)
    (name,) = dated(tmp_path)
    (tmp_path / "meters-20200101-020000.results.csv").touch()
    link = tmp_path / "meters.latest.results.csv"
    LOST[how](link, name)
    done = night()
    if how == "a copy":
        assert done.code == 2 and "is there and is no link" in done.err and link.name in done.err, done
        link.unlink()
        done = night()
    assert done.code == 0 and f"going on with {name}" in done.err, done
    assert os.readlink(link) == name and stored(night) == 40


def stop_after(night, fleet, tmp_path, rows=12, count=40):
    """A night that SIGTERM stops when so many of its rows were sent."""
    (tmp_path / "input.csv").write_text(content_of(fleet, count))
    process = subprocess.Popen([NBATCH, "run", "input.csv", "--endpoint", night.peer.url, "--job", "meters", "--dated", "--rate", "20/s"],
                               cwd=tmp_path, env={**os.environ, "NBATCH_API_KEY": "k" * 28}, stderr=subprocess.DEVNULL)
    before = stored(night)
    wait_for(lambda: stored(night) >= before + rows)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143


def test_a_stopped_run_whose_results_are_gone_is_not_begun_anew(night, fleet, tmp_path):
    stop_after(night, fleet, tmp_path)
    before = stored(night)
    (name,) = dated(tmp_path)
    (tmp_path / name).rename(tmp_path / "elsewhere.csv")
    done = night()
    assert done.code == 2 and name in done.err and "put it back" in done.err and stored(night) == before, done
    (tmp_path / "elsewhere.csv").rename(tmp_path / name)
    assert night().code == 0 and stored(night) == 40


def test_the_input_of_an_earlier_night_does_not_go_on_with_a_stopped_run(night, fleet, tmp_path):
    """One row in common would be enough; that input was sent whole."""
    first = content_of(fleet, 12)
    assert night(first).code == 0
    time.sleep(1.1)
    stop_after(night, fleet, tmp_path)
    before = stored(night)
    done = night(first)
    assert done.code == 3 and "sent before" in done.err and stored(night) == before, done
    done = night(content_of(fleet, 40))
    assert done.code == 0 and "going on with" in done.err and stored(night) == 12 + 40, done


def test_what_was_sent_is_known_when_results_are_put_away(night, fleet, tmp_path):
    text = content_of(fleet, 5)
    assert night(text).code == 0
    (tmp_path / "archive").mkdir()
    (name,) = dated(tmp_path)
    (tmp_path / name).rename(tmp_path / "archive" / name)
    done = night(text)
    assert done.code == 3 and "sent before" in done.err and name in done.err, done
    complete = tmp_path / f"{name}.complete"
    for content in (b"", complete.read_bytes()[:100], b"x" * 4200):
        complete.write_bytes(content)
        done = night(text)
        assert done.code == 3 and "cannot be told" in done.err and complete.name in done.err, done
    assert night(text, "--again").code == 0 and stored(night) == 10


def test_a_pipe_has_to_be_sent_again_on_purpose(night, fleet, tmp_path, nbatch):
    words = ["run", "-", "--format", "csv", "--endpoint", night.peer.url, "--job", "meters", "--dated"]
    done = nbatch(*words, stdin=content_of(fleet, 3))
    assert done.code == 2 and "a pipe's rows are not known" in done.err and stored(night) == 0, done
    assert nbatch(*words, "--again", stdin=content_of(fleet, 3)).code == 0 and stored(night) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root works on what is another user's")
def test_what_root_makes_beside_results_is_its_owners(night, fleet, tmp_path):
    """Who sees to a job by hand as root leaves files with which the job goes on."""
    nobody = 65534
    before = os.umask(0o077)
    assert night(content_of(fleet, 5)).code == 0
    os.umask(before)
    (name,) = dated(tmp_path)
    for path in (tmp_path / name, tmp_path / f"{name}.complete"):
        os.chown(path, nobody, nobody)
    assert night(None, "--resume").code == 0
    assert (tmp_path / f"{name}.complete").stat().st_uid == nobody
    assert stat.S_IMODE((tmp_path / "meters.lock").stat().st_mode) == 0o644, "any user may take it"
    (tmp_path / name).unlink()
    time.sleep(1.1)
    stop_after(night, fleet, tmp_path, count=60)
    name = os.readlink(tmp_path / "meters.latest.results.csv")
    for ending in ("", ".journal"):
        os.chown(tmp_path / (name + ending), nobody, nobody)
    process = subprocess.Popen([NBATCH, "run", "input.csv", "--endpoint", night.peer.url, "--job", "meters", "--dated", "--rate", "10/s"],
                               cwd=tmp_path, env={**os.environ, "NBATCH_API_KEY": "k" * 28}, stderr=subprocess.DEVNULL)
    before = stored(night)
    wait_for(lambda: stored(night) > before)
    process.kill()
    process.wait()
    assert (tmp_path / f"{name}.journal").stat().st_uid == nobody


def test_what_is_anothers_is_left_alone(nbatch, fleet, tmp_path, simulator):
    """Results of inputs whose names look like ours."""
    peer = simulator()
    to = ["--endpoint", peer.url]
    taken = fleet(3, "meters.latest.csv"), fleet(3, "meters-20200101-020000.csv", first=10)
    for path in taken:
        assert nbatch("run", path.name, *to).code == 0
    fleet(3, "meters.csv", first=20)
    lock = tmp_path / "meters.lock"
    lock.write_text("hush")
    lock.chmod(0o600)
    done = nbatch("run", "meters.csv", "--dated", *to)
    assert done.code == 2 and "meters.latest.results.csv is there and is no link" in done.err, done
    assert len(read_results(tmp_path / "meters.latest.results.csv")) == 3
    (tmp_path / "meters.latest.results.csv").unlink()
    done = nbatch("run", "meters.csv", "--dated", "--keep", "1d", *to)
    assert done.code == 0 and "removed" not in done.err, done
    assert len(read_results(tmp_path / "meters-20200101-020000.results.csv")) == 3
    assert lock.read_text() == "hush" and stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_a_night_without_a_platform_leaves_the_link_where_it_was(night, fleet, tmp_path, nbatch):
    assert night(content_of(fleet, 3)).code == 0
    link = tmp_path / "meters.latest.results.csv"
    before = os.readlink(link)
    time.sleep(1.1)
    (tmp_path / "input.csv").write_text(content_of(fleet, 3, first=10))
    words = ["run", "input.csv", "--endpoint", "http://127.0.0.1:1", "--job", "meters", "--dated", "--outage-wait", "1s"]
    assert nbatch(*words).code == 4
    assert os.readlink(link) == before and len(read_results(link)) == 3 and len(dated(tmp_path)) == 1
    link.unlink()
    (tmp_path / before).unlink()
    assert nbatch(*words).code == 4 and not link.is_symlink()


def test_what_is_old_goes_though_a_row_was_refused(nbatch, fleet, tmp_path, simulator):
    peer = simulator("--fault", "errno-4:100%")
    for name, file in (("old", "meters-20200101-020000.results.csv"), ("older", "meters-20190101-020000.results.csv")):
        assert nbatch("run", fleet(2, f"{name}.csv"), "--simulate", "-o", file).code == 0
    fleet(2, "meters.csv", first=10)
    words = ["run", "meters.csv", "--dated", "--keep", "30d"]
    assert nbatch(*words, "--endpoint", "http://127.0.0.1:1", "--outage-wait", "1s").code == 4
    assert len(dated(tmp_path)) == 2, "nothing newer is complete"
    done = nbatch(*words, "--endpoint", peer.url, "--max-attempts", 1)
    assert done.code == 1 and "removed 2 result files" in done.err, done


def test_an_input_of_another_size_or_age_is_refused(nbatch, fleet, tmp_path):
    path = fleet(20)
    for words, code, text in ((["--expect-rows", "30..40"], 3, "20 rows, and --expect-rows says 30 to 40"),
                              (["--expect-rows", "1..19"], 3, "nothing was sent"),
                              (["--expect-rows", "20"], 0, ""), (["--expect-rows", "5..20"], 0, ""),
                              (["--expect-rows", "20..5"], 2, "--expect-rows"), (["--expect-rows", "x"], 2, "9000..11000"),
                              (["--max-age", "1h"], 0, "")):
        done = nbatch("run", path, "--simulate", "-o", f"{len(list(tmp_path.iterdir()))}.csv", *words)
        assert done.code == code and text in done.err, (words, done)
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(path, (two_days_ago, two_days_ago))
    done = nbatch("run", path, "--simulate", "-o", "old.csv", "--max-age", "20h")
    assert done.code == 3 and "changed 2d ago" in done.err and "allows 20h" in done.err, done
    assert not (tmp_path / "old.csv").exists()
    os.utime(path, (time.time() + 1800,) * 2)
    done = nbatch("run", path, "--simulate", "-o", "new.csv", "--max-age", "20h")
    assert done.code == 3 and "from now, so that --max-age cannot tell how old it is" in done.err and not (tmp_path / "new.csv").exists(), done
    os.utime(path, (time.time() + 60,) * 2)  # clocks differ a little
    assert nbatch("run", path, "--simulate", "-o", "new.csv", "--max-age", "20h").code == 0
    for words in (["--expect-rows", "20"], ["--max-age", "20h"]):
        done = nbatch("run", "-", "--format", "csv", "--simulate", "-o", "pipe.csv", *words, stdin=path.read_text())
        assert done.code == 2 and "pipe" in done.err and not (tmp_path / "pipe.csv").exists(), done


def test_the_log_says_why_a_wrong_file_was_not_sent(nbatch, fleet, tmp_path):
    path = fleet(5)
    path.write_text(path.read_text() + "none,3311,0,2,+7d,1\n")
    (tmp_path / "headless.csv").write_text("imei,obj\n")
    for name, why in ((path.name, "1 of 6 rows is invalid (E-IMEI 1)"), ("headless.csv", "the input cannot be used (E-COLUMN 1, E-COLUMN-MISSING 5)")):
        assert nbatch("run", name, "--simulate", "--log", f"{name}.log", "-o", "o.csv").code == 3
        end = json.loads((tmp_path / f"{name}.log").read_text().splitlines()[-1])
        assert end["event"] == "refused" and why in end["why"] and "nothing was sent" in end["why"], end


def test_dated_goes_with_a_name(nbatch, fleet, tmp_path):
    done = nbatch("run", "-", "--simulate", "--dated", stdin=fleet(2).read_text())
    assert done.code == 2 and "--job" in done.err
    done = nbatch("run", fleet(2), "--simulate", "--dated", "-o", "x.csv")
    assert done.code == 2 and "--output" in done.err
    assert nbatch("run", fleet(2), "--simulate", "--dated", "--resume").code == 2
    assert nbatch("run", fleet(2), "--simulate", "--dated").code == 0
    assert (tmp_path / "fleet.latest.rehearsal.csv").is_symlink()
