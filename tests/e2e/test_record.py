"""The record when somebody else has a hand in it: results put in another order, moved, replaced, cut, linked; and lost disks."""
import collections
import gzip
import json
import random
from pathlib import Path

import powercut
import pytest
from conftest import HEADER, imei, read_results, row_of
from test_resume import NO, OK, answering, imeis


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
