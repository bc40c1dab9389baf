"""The record when somebody else has a hand in it: results put in another order, moved, replaced, cut, linked; and lost disks."""
import collections
import gzip
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import crash
import powercut
import pytest
from conftest import HEADER, KEY, NBATCH, imei, read_results, row_of
from pty_session import PtySession
from test_resume import OK, answering, imeis


def write(tmp_path, rows, name="in.csv"):
    (tmp_path / name).write_text(HEADER + "".join(row_of(i) for i in rows))


def split_lines(path):
    """Header (none for JSONL) and lines."""
    lines = path.read_text().splitlines(keepends=True)
    return ("", lines) if path.suffix == ".jsonl" else (lines[0], lines[1:])


def status_of(line, path):
    return json.loads(line)["status"] if path.suffix == ".jsonl" else line.split(",")[4]


def finished_at(line, path):
    return json.loads(line)["finished_at"] if path.suffix == ".jsonl" else line.rstrip("\n").split(",")[12]


ORDERS = {
    "by status": lambda lines, path: sorted(lines, key=lambda line: status_of(line, path)),
    "by status, backwards": lambda lines, path: sorted(lines, key=lambda line: status_of(line, path), reverse=True),
    "by time, backwards": lambda lines, path: sorted(lines, key=lambda line: finished_at(line, path), reverse=True),
    "shuffled": lambda lines, path: random.Random(3).sample(lines, len(lines)),
    "halves swapped": lambda lines, path: lines[len(lines) // 2:] + lines[:len(lines) // 2],
}


@pytest.fixture
def twice(nbatch, tmp_path, raw_peer):
    """Results of 40 rows: 10 were accepted at once, 20 at the second try, 10 never."""

    def make(name):
        write(tmp_path, range(1, 41))
        words = ("run", "in.csv", "-o", name, "-c", "1", "--max-attempts", "1")
        bad = {imei(i) for i in range(11, 41)}
        assert nbatch(*words, "--endpoint", raw_peer(answering(lambda request: request.imei in bad)).url).code == 1
        bad = {imei(i) for i in range(31, 41)}
        done = nbatch(*words, "--endpoint", raw_peer(answering(lambda request: request.imei in bad)).url, "--resume=rejected")
        assert done.code == 1, done
        path = tmp_path / name
        assert collections.Counter(row["status"] for row in read_results(path)) == {"accepted": 30, "rejected": 40}
        return path, words

    return make


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl"])
@pytest.mark.parametrize("order", list(ORDERS))
def test_results_in_another_order_send_no_accepted_row_again(nbatch, raw_peer, twice, name, order):
    path, words = twice(name)
    header, lines = split_lines(path)
    path.write_text(header + "".join(ORDERS[order](lines, path)))
    peer = raw_peer(answering())
    done = nbatch(*words, "--endpoint", peer.url, "--resume=all", "--json", "--report", "page.html")
    assert done.code == 0, done
    assert imeis(peer) == collections.Counter(imei(i) for i in range(31, 41))
    page = (path.parent / "page.html").read_text()
    assert "40" in page and json.loads(done.out)["accounted"] == 40, done.out


@pytest.mark.parametrize("order", list(ORDERS))
def test_sort_keeps_the_line_that_counts_whatever_the_order(nbatch, raw_peer, twice, order):
    path, words = twice("r.csv")
    header, lines = split_lines(path)
    latest = max((line for line in lines if line.startswith("40,")), key=lambda line: finished_at(line, path))
    path.write_text(header + "".join(ORDERS[order](lines, path)))
    done = nbatch(*words, "--endpoint", "http://127.0.0.1:1", "--resume", "--sort")
    assert done.code == 1, done
    _, kept = split_lines(path)
    assert [int(line.split(",")[0]) for line in kept] == list(range(1, 41))
    assert [status_of(line, path) for line in kept] == ["accepted"] * 30 + ["rejected"] * 10
    assert latest in kept
    assert len(read_results(path.with_name("r.superseded.csv"))) == 30


def test_a_page_shows_the_line_that_counts_whatever_the_order(nbatch, twice):
    path, _ = twice("r.csv")
    pages = []
    header, lines = split_lines(path)
    for order in [lambda lines, path: lines, *ORDERS.values()]:
        path.write_text(header + "".join(order(lines, path)))
        done = nbatch("report", "r.csv", "-o", f"page{len(pages)}.html")
        assert done.code == 0, done
        text = (path.parent / f"page{len(pages)}.html").read_text()
        pages.append(text[text.index("<body"):text.index("<table")].replace(f"page{len(pages)}", "page"))
    assert len(set(pages)) == 1 and "<body" in pages[0], pages


def test_a_later_line_counts_although_the_clock_was_set_back(nbatch, tmp_path, raw_peer):
    write(tmp_path, [1, 2])
    words = ("run", "in.csv", "-o", "r.csv", "-c", "1")
    assert nbatch(*words, "--endpoint", raw_peer(answering(lambda request: True)).url).code == 1
    path = tmp_path / "r.csv"
    year = finished_at(split_lines(path)[1][0], path)[:4]
    path.write_text(path.read_text().replace(f",{year}-", ",2999-"))

    def doubt(connection, number):
        while connection.read_request() is not None:
            connection.reply(b"?", "500 Internal Server Error")

    done = nbatch(*words, "--endpoint", raw_peer(doubt).url, "--resume=rejected", "--on-ambiguous", "hold")
    assert done.code == 6, done
    peer = raw_peer(answering())
    done = nbatch(*words, "--endpoint", peer.url, "--resume=rejected", "--on-ambiguous", "hold")
    assert done.code == 6 and peer.processed == [], done  # they are in doubt, not rejected


@pytest.fixture
def version_1(tmp_path):
    """A run of 300 rows that was killed, with a journal of version 1: 100 were accepted, 4 under way."""
    folder = Path(__file__).with_name("journal-v1")
    for name in ("in.csv", "out.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "out.csv.journal").write_bytes(gzip.decompress((folder / "out.csv.journal.gz").read_bytes()))
    return tmp_path / "out.csv"


@pytest.mark.parametrize("is_of_this_boot", [False, True])
def test_a_journal_of_version_1_goes_on(nbatch, raw_peer, version_1, is_of_this_boot):
    if is_of_this_boot:
        journal = version_1.with_name("out.csv.journal")
        header = powercut.Header(journal.read_bytes())
        boot = powercut.BOOT_ID.search(header.bytes)
        header.bytes[boot.start():boot.end()] = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
        header.bytes[header.CHECK] = header._checksum(header.size)
        journal.write_bytes(bytes(header.bytes) + journal.read_bytes()[powercut.PAGE:])
    peer = raw_peer(answering())
    done = nbatch("run", "in.csv", "-o", "out.csv", "--endpoint", peer.url, "--resume", "--on-ambiguous", "hold")
    assert done.code == 6, done
    rows = read_results(version_1)
    assert len({row["key"] for row in rows}) == len(rows) == 300
    sent = imeis(peer)
    assert not set(sent) & {imei(i) for i in range(1, 105)} and max(sent.values()) == 1
    doubts = [row for row in rows if row["status"] == "in_doubt"]
    assert len(doubts) == 4 if is_of_this_boot else 4 <= len(doubts) <= 64, doubts


ROWS = 300


class Disturbed:
    """A run of ROWS executes under hold, 4 at a time, in whose middle somebody does something to its files."""

    def __init__(self, tmp_path, raw_peer, nbatch, name="r.csv", words=(), at=100):
        self.folder, self.name, self.nbatch, self.raw_peer = tmp_path, name, nbatch, raw_peer
        self.path, self.journal = tmp_path / name, tmp_path / (name + ".journal")
        (tmp_path / "in.csv").write_text("action,imei,obj_id,obj_inst_id,res_id,expired_time,args\n" + "".join(
            f"execute,{imei(i)},3,0,4,+7d,{i}\n" for i in range(1, ROWS + 1)))
        self.at, self.sent = at, collections.Counter()
        self.words = ["run", tmp_path / "in.csv", "-c", "4", "--on-ambiguous", "hold", *words]

    def peer(self, act=None):
        acted = threading.Lock()
        uuids = itertools.count(self.sent.total())

        def script(connection, number):
            while (request := connection.read_request()) is not None:
                self.sent[request.imei] += 1
                connection.process(request)
                if act is not None and self.sent.total() >= self.at and acted.acquire(blocking=False):
                    time.sleep(0.12)  # what has been answered is written and synced
                    act(self)
                    time.sleep(0.02)
                time.sleep(0.003)
                uuid = f"42742677-adc3-54ca-83a1-{next(uuids):012d}"
                connection.reply(b'{"errno":0,"error":"succ","data":{"uuid":"%s"}}' % uuid.encode())

        return self.raw_peer(script)

    def run(self, act, *words, output=None):
        return self.nbatch(*self.words, "-o", output or self.path, "--endpoint", self.peer(act).url, *words)

    def resume(self, output=None, *words):
        return self.run(None, "--resume", *words, output=output)

    def recovered(self):
        return sorted(self.folder.glob(self.path.stem + ".recovered-*" + self.path.suffix))

    def finish(self, path, done):
        """Goes on with `path`, and looks whether each row was sent once and has one line."""
        assert done.code == 7 and self.sent.total() < ROWS, done
        assert self.resume(path).code == 0
        rows = read_results(path)
        assert len(rows) == len({row["key"] for row in rows}) == ROWS
        assert {row["status"] for row in rows} == {"accepted"} and {row["ambiguous"] for row in rows} == {"0"}
        assert set(self.sent.values()) == {1} and len(self.sent) == ROWS
        assert len({row["uuid"] for row in rows}) == ROWS


@pytest.fixture(params=["r.csv", "r.jsonl"])
def disturbed(tmp_path, raw_peer, nbatch, request):
    return Disturbed(tmp_path, raw_peer, nbatch, request.param)


def test_results_that_are_removed_in_mid_run_are_written_anew(disturbed):
    done = disturbed.run(lambda run: run.path.unlink())
    assert "removed or moved" in done.err and disturbed.path.exists(), done
    disturbed.finish(disturbed.path, done)


def test_results_and_journal_that_are_removed_in_mid_run_are_written_anew(disturbed):
    def act(run):
        run.path.unlink()
        run.journal.unlink()

    disturbed.finish(disturbed.path, disturbed.run(act))


def test_results_that_are_moved_away_in_mid_run_are_written_anew(disturbed):
    done = disturbed.run(lambda run: run.path.rename(run.folder / "away.csv"))
    moved = (disturbed.folder / "away.csv").read_bytes()
    disturbed.finish(disturbed.path, done)
    assert disturbed.path.read_bytes().startswith(moved)  # and is left alone


@pytest.mark.parametrize("other", [b"", b"something else\n", None], ids=["empty", "something else", "an old state of it"])
def test_what_was_put_in_the_place_of_the_results_is_left_alone(disturbed, other):
    content = {}

    def act(run):
        content["is"] = run.path.read_bytes()[:-40] if other is None else other
        os.link(run.path, run.folder / "away")
        (run.folder / "other").write_bytes(content["is"])
        (run.folder / "other").rename(run.path)  # at once: there is no time without a file

    done = disturbed.run(act, "--sort")
    (recovered,) = disturbed.recovered()
    assert str(recovered) in done.err and "another file" in done.err, done
    refused = disturbed.resume()
    assert refused.code == 7 and recovered.name in refused.err and "nothing sent" in refused.err, refused
    assert disturbed.path.read_bytes() == content["is"]
    assert disturbed.nbatch(*disturbed.words, "-o", disturbed.path, "--endpoint", "http://127.0.0.1:1").code == 2
    disturbed.finish(recovered, done)
    assert disturbed.path.read_bytes() == content["is"]


def save(run, edit=lambda data: data):
    """As an editor does: a new file, renamed over the old one."""
    new = run.path.with_name(".r.swp")
    new.write_bytes(edit(run.path.read_bytes()))
    new.rename(run.path)


@pytest.mark.parametrize("edit", [lambda data: data, lambda data: data.replace(b"accepted", b"failed", 3)], ids=["as it was", "changed"])
def test_results_that_an_editor_saves_in_mid_run(disturbed, edit):
    done = disturbed.run(lambda run: save(run, edit))
    (recovered,) = disturbed.recovered()
    refused = disturbed.resume()
    assert refused.code == 7 and recovered.name in refused.err, refused
    for command in ("status", "cancel", "verify", "results", "report"):
        read = disturbed.nbatch(command, disturbed.path, *("--endpoint", "http://127.0.0.1:1") if command in ("status", "cancel", "verify") else ())
        assert read.code in (2, 3, 7) and recovered.name in read.err, (command, read)
    disturbed.finish(recovered, done)
    assert disturbed.nbatch("results", recovered).code == 0
    recovered.rename(disturbed.folder / "elsewhere.csv")
    read = disturbed.nbatch("results", disturbed.path)
    assert read.code in (2, 3) and f"move {disturbed.journal} away" in read.err, read
    disturbed.journal.unlink()
    read = disturbed.nbatch("results", disturbed.path)
    if edit(b"accepted") == b"accepted":
        assert read.code == 0, read
    else:
        assert read.code == 3 and "damaged" in read.err, read


def test_a_folder_that_is_renamed_in_mid_run_keeps_its_results(tmp_path, raw_peer, nbatch):
    (tmp_path / "old").mkdir()
    run = Disturbed(tmp_path, raw_peer, nbatch, "old/r.csv")
    done = run.run(lambda run: (tmp_path / "old").rename(tmp_path / "new"))
    assert str(tmp_path / "new" / "r.csv") in done.err, done
    run.finish(tmp_path / "new" / "r.csv", done)
    assert not (tmp_path / "old").exists()


def test_a_folder_that_is_removed_in_mid_run(tmp_path, raw_peer, nbatch):
    (tmp_path / "old").mkdir()
    run = Disturbed(tmp_path, raw_peer, nbatch, "old/r.csv")
    done = run.run(lambda run: shutil.rmtree(tmp_path / "old"))
    (recovered,) = tmp_path.glob("r.recovered-*.csv")  # where the run was started
    assert recovered.name in done.err, done
    run.finish(recovered, done)


@pytest.mark.parametrize("how", ["removed", "moved", "replaced"])
def test_a_journal_that_is_taken_away_in_mid_run_is_made_anew(disturbed, how):
    def act(run):
        if how == "removed":
            run.journal.unlink()
        else:
            run.journal.rename(run.folder / "away.journal")
        if how == "replaced":
            run.journal.write_bytes(b"x")

    done = disturbed.run(act)
    assert "journal has been" in done.err, done
    path = disturbed.recovered()[0] if how == "replaced" else disturbed.path
    disturbed.finish(path, done)


def test_what_others_write_into_the_results_is_told_and_left_out(disturbed):
    def act(run):
        with open(run.path, "ab") as file:
            file.write(b"hello\n")

    done = disturbed.run(act)
    (recovered,) = disturbed.recovered()
    assert "written into the results" in done.err and b"hello\n" in disturbed.path.read_bytes(), done
    disturbed.finish(recovered, done)


@pytest.mark.parametrize("cut", [0, 1000])
def test_results_that_are_cut_in_mid_run_are_told_and_nothing_is_sent_again(disturbed, cut):
    done = disturbed.run(lambda run: os.truncate(run.path, cut))
    assert done.code == 7 and "cut or rewritten" in done.err and "from a copy" in done.err, done
    assert disturbed.sent.total() < ROWS and disturbed.recovered() == []
    sent = disturbed.sent.total()
    refused = disturbed.resume()
    assert refused.code == 7 and "nothing sent" in refused.err and disturbed.sent.total() == sent, refused


def test_results_that_are_removed_with_the_last_row_are_written_anew(tmp_path, raw_peer, nbatch):
    run = Disturbed(tmp_path, raw_peer, nbatch, at=ROWS)
    done = run.run(lambda run: run.path.unlink(), "--sort")
    assert done.code == 7 and run.path.exists(), done
    done = run.resume()
    assert done.code == 0 and len(read_results(run.path)) == ROWS and set(run.sent.values()) == {1}, done


def test_the_command_that_is_advised_goes_on_with_what_was_written_anew(disturbed):
    done = disturbed.run(save)
    (recovered,) = disturbed.recovered()
    words = next(line for line in done.err.splitlines() if "run --resume" in line).split()
    assert str(disturbed.path) not in words and words[words.index("--output") + 1] == str(recovered), done


@pytest.mark.parametrize("kind", ["symbolic", "relative", "chain"])
def test_a_link_to_the_results_finds_their_journal(tmp_path, raw_peer, nbatch, kind):
    (tmp_path / "data").mkdir()
    run = Disturbed(tmp_path, raw_peer, nbatch, "data/r.csv", words=["--halt", "rejected=1"])
    hang = threading.Event()

    def stop(connection, number):
        while (request := connection.read_request()) is not None:
            if run.sent.total() >= 100:
                hang.wait(60)
                return
            run.sent[request.imei] += 1
            connection.process(request)
            connection.reply(OK)

    process = start(run, raw_peer(stop).url)
    while run.sent.total() < 100:
        time.sleep(0.01)
    time.sleep(0.3)
    process.kill()
    process.wait()
    hang.set()
    link = tmp_path / "link.csv"
    link.symlink_to("data/r.csv" if kind == "relative" else run.path)
    if kind == "chain":
        link = tmp_path / "second.csv"
        link.symlink_to(tmp_path / "link.csv")
    done = run.resume(link, "--sort")
    assert done.code in (0, 6) and set(run.sent.values()) == {1}, done
    assert link.is_symlink() and not run.journal.exists()
    rows = read_results(run.path)
    assert [int(row["row"]) for row in rows] == list(range(1, ROWS + 1))
    assert not list(tmp_path.glob("*.journal")) and not list(tmp_path.glob("*.sorted"))


def start(run, url, *words):
    return subprocess.Popen([NBATCH, *map(str, run.words), "-o", run.path, "--endpoint", url, *words], cwd=run.folder,
                            env={**os.environ, "NBATCH_API_KEY": KEY}, stderr=subprocess.DEVNULL)


def test_results_with_two_names_are_refused(nbatch, tmp_path, raw_peer):
    write(tmp_path, range(1, 41))
    peer = raw_peer(answering(lambda request: len(peer.processed) >= 10))
    words = ("run", "in.csv", "-c", "1", "--halt", "rejected=1", "--endpoint", peer.url)
    assert nbatch(*words, "-o", "r.csv").code == 5
    os.link(tmp_path / "r.csv", tmp_path / "other.csv")
    for name in ("r.csv", "other.csv", "./other.csv"):
        for more in ([], ["--resume"]):
            done = nbatch(*words, "-o", name, *more)
            assert done.code == 2 and "hard link" in done.err and "-samefile" in done.err, done
    assert len(peer.processed) == 10
    (tmp_path / "other.csv").unlink()
    assert nbatch(*words, "-o", "r.csv", "--resume=all").code == 5


def test_a_hard_link_that_is_made_in_mid_run_is_told(tmp_path, raw_peer, nbatch):
    run = Disturbed(tmp_path, raw_peer, nbatch)
    done = run.run(lambda run: os.link(run.path, tmp_path / "backup.csv"))
    assert done.code == 0 and "hard link" in done.err, done


def test_a_link_that_leads_nowhere_is_told(nbatch, tmp_path):
    write(tmp_path, [1])
    (tmp_path / "r.csv").symlink_to("away/r.csv")
    for words in ([], ["--resume"]):
        done = nbatch("run", "in.csv", "--simulate", "-o", "r.csv", *words)
        assert done.code == 2 and (words or "symbolic link" in done.err), done
    assert (tmp_path / "r.csv").is_symlink() and not (tmp_path / "away").exists()


@pytest.mark.parametrize("name", ["./r.csv", "d/../r.csv", "d/link/r.csv"])
def test_one_results_file_by_many_paths_has_one_journal(nbatch, tmp_path, raw_peer, name):
    write(tmp_path, range(1, 41))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "link").symlink_to("..")
    peer = raw_peer(answering(lambda request: len(peer.processed) == 10))
    words = ("run", "in.csv", "-c", "1", "--endpoint", peer.url)
    assert nbatch(*words, "-o", "r.csv", "--halt", "rejected=1").code == 5
    peer.processed.append(None)
    assert nbatch(*words, "-o", name, "--resume=all").code == 0
    assert not (tmp_path / "r.csv.journal").exists() and len(peer.processed) == 41


@pytest.fixture(params=["r.csv", "r.jsonl"])
def complete(nbatch, tmp_path, raw_peer, request):
    """A complete run of 40 rows, 30 of them accepted; calls that resume it."""
    write(tmp_path, range(1, 41))
    bad = {imei(i) for i in range(31, 41)}
    path = tmp_path / request.param
    words = ("run", "in.csv", "-o", request.param, "-c", "1", "--max-attempts", "1", "--on-ambiguous", "hold")
    assert nbatch(*words, "--endpoint", raw_peer(answering(lambda request: request.imei in bad)).url).code == 1
    assert not path.with_name(path.name + ".journal").exists()

    def resume(*more, resume="--resume", **keywords):
        peer = raw_peer(answering())
        return nbatch(*words, "--endpoint", peer.url, *[word for word in [resume] if word], *more, **keywords), peer

    return path, resume


CUTS = {
    "to nothing": (lambda lines, path: None, 30),
    "to the header": (lambda lines, path: [], 30),
    "one line less": (lambda lines, path: lines[1:], 1),
    "filtered": (lambda lines, path: [line for line in lines if status_of(line, path) != "accepted"], 30),
    "filtered and doubled": (lambda lines, path: [line for line in lines if status_of(line, path) != "accepted"] * 4, 30),
    "halved and shuffled": (lambda lines, path: random.Random(1).sample(lines[:15] + lines[30:], 25), 15),
}


@pytest.mark.parametrize("cut", list(CUTS))
@pytest.mark.parametrize("wish", ["--resume", "--resume=failed"])
def test_accepted_rows_that_are_missing_are_not_sent_without_a_question(complete, cut, wish):
    path, resume = complete
    header, lines = split_lines(path)
    kept, missing = CUTS[cut][0](lines, path), CUTS[cut][1]
    path.write_text("" if kept is None else header + "".join(kept))
    done, peer = resume(resume=wish)
    assert done.code == 2 and f"{missing} row" in done.err and "--yes" in done.err and "nothing was sent" in done.err, done
    assert peer.processed == []
    done, peer = resume("--yes", resume="--resume=rejected")
    assert done.code == 0 and len(peer.processed) >= missing + (10 if kept else 0), done
    done, peer = resume()  # what is there now is complete
    assert done.code == 0 and peer.processed == [], done


def test_a_status_that_was_changed_by_hand_is_a_missing_row(complete):
    path, resume = complete
    text = path.read_text().replace("accepted", "rejected", 1)
    line = next(line for line in text.splitlines() if "rejected" in line)
    uuid = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", line)[0]
    path.write_text(text.replace(f'"{uuid}"', "null", 1) if path.suffix == ".jsonl" else text.replace(uuid, "", 1))
    done, peer = resume(resume="--resume=rejected")
    assert done.code == 2 and "1 row was accepted" in done.err and peer.processed == [], done


@pytest.mark.parametrize("change", ["another order", "twice", "a line more", "not accepted ones less"])
def test_what_is_not_missing_is_not_asked_about(complete, change):
    path, resume = complete
    header, lines = split_lines(path)
    more = [line for line in lines if status_of(line, path) == "accepted"][0].replace(imei(1), imei(99))
    more = re.sub(r"[0-9a-f]{16}-1", "0123456789abcdef-1", more)
    kept = {"another order": lines[::-1], "twice": lines + lines, "a line more": [*lines, more],
            "not accepted ones less": [line for line in lines if status_of(line, path) == "accepted"]}[change]
    path.write_text(header + "".join(kept))
    done, peer = resume(resume="--resume=rejected")
    assert done.code == 0 and len(peer.processed) == 10, done


def test_a_pipe_is_asked_about_missing_rows_too(nbatch, tmp_path, raw_peer):
    text = HEADER + "".join(row_of(i) for i in range(1, 41))
    peer = raw_peer(answering())
    words = ["run", "-", "--format", "csv", "-o", "r.csv", "--endpoint", peer.url]
    assert nbatch(*words, stdin=text).code == 0
    (tmp_path / "r.csv").write_text("")
    done = nbatch(*words, "--resume", stdin=text)
    assert done.code == 2 and "40 rows" in done.err and len(peer.processed) == 40, done


def test_results_that_are_gone_are_not_sent_anew_without_a_question(complete):
    path, resume = complete
    path.unlink()
    done, peer = resume(resume=None)
    assert done.code == 2 and "30 rows were accepted" in done.err and peer.processed == [], done
    done, peer = resume()
    assert done.code == 2 and peer.processed == [], done
    done, peer = resume("--yes", resume=None)
    assert done.code == 0 and len(peer.processed) == 40, done
    path.unlink()
    path.with_name(path.name + ".complete").unlink()  # both gone: nothing can be told
    done, peer = resume(resume=None)
    assert done.code == 0 and len(peer.processed) == 40, done


def test_a_rehearsal_may_be_repeated_and_is_compared_too(nbatch, tmp_path):
    write(tmp_path, range(1, 41))
    words = ("run", "in.csv", "--simulate")
    assert nbatch(*words).code == 0
    (tmp_path / "in.rehearsal.csv").unlink()
    assert nbatch(*words).code == 0
    (tmp_path / "in.rehearsal.csv").write_text("")
    done = nbatch(*words, "--resume")
    assert done.code == 2 and "40 rows" in done.err, done


def test_what_was_sorted_out_is_not_missing(complete):
    path, resume = complete
    text = (path.parent / "in.csv").read_text()
    (path.parent / "in.csv").write_text(text.replace(row_of(1), "").replace(row_of(2), ""))
    done, _ = resume("--sort", resume="--resume=rejected")
    assert done.code == 0 and len(read_results(path)) == 38, done
    done, peer = resume()
    assert done.code == 0 and peer.processed == [], done
    header, lines = split_lines(path)
    path.write_text(header + "".join(lines[1:]))
    done, peer = resume()
    assert done.code == 2 and "1 row was" in done.err and peer.processed == [], done


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:200] + b"?" + data[201:]])
def test_a_damaged_record_of_completeness_asks(complete, damage):
    path, resume = complete
    sidecar = path.with_name(path.name + ".complete")
    sidecar.write_bytes(damage(sidecar.read_bytes()))
    done, peer = resume(resume="--resume=rejected")
    assert done.code == 2 and "is damaged" in done.err and peer.processed == [], done
    assert resume("--yes")[0].code == 1
    assert resume()[0].code == 1


def test_results_without_journal_and_record_go_on_with_a_word(complete):
    path, resume = complete
    path.with_name(path.name + ".complete").unlink()
    done, peer = resume(resume="--resume=rejected")
    assert done.code == 0 and len(peer.processed) == 10 and "nobody can tell" in done.err, done


def test_the_record_of_completeness_is_no_wider_than_the_results_and_small(complete):
    path, resume = complete
    path.chmod(0o600)
    sidecar = path.with_name(path.name + ".complete")
    assert resume(resume="--resume=rejected")[0].code == 0
    assert sidecar.stat().st_mode & 0o777 == 0o600 and sidecar.stat().st_size <= 8192
    assert imei(1).encode() not in sidecar.read_bytes()


@pytest.mark.parametrize("answer,code", [("yes\n", 1), ("no\n", 2), ("\n", 2)])
def test_a_person_is_asked_about_missing_rows(complete, tmp_path, raw_peer, answer, code):
    path, _ = complete
    path.write_text("")
    peer = raw_peer(answering(lambda request: request.imei == imei(1)))
    session = PtySession([NBATCH, "run", "in.csv", "-o", path, "--endpoint", peer.url, "--resume"], cwd=tmp_path,
                         env={**os.environ, "NBATCH_API_KEY": KEY})
    session.wait_for("30 accepted rows are missing")
    session.send(answer)
    session.finish()
    assert session.code == code and len(peer.processed) == (39 if code == 1 else 0), session.output


CAN_MOUNT = shutil.which("unshare") and subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not CAN_MOUNT, reason="no mounts of one's own")
def test_on_another_mount_the_snapshot_counts_and_nothing_is_sent_twice(tmp_path):
    """A container that is started again has the same disk by another mount."""
    job = crash.Left(tmp_path / "left", rows=600).again()
    code, said = job.run(before=["unshare", "-m"])
    assert code in (0, 6), said
    job.verify()
    job.close()
