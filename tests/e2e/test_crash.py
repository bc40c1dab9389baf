"""Runs that die, disks that fail, and power that is cut: nothing is lost, and nothing sent twice that was not asked for.

tests/soak/kill.py does the same at full length.
"""
import os
import random
import subprocess
import sys
import time

import crash
import powercut
import pytest
from conftest import read_results

needs_strace = pytest.mark.skipif(crash.STRACE is None, reason="there is no strace")


@pytest.fixture
def job(tmp_path):
    """Makes jobs: job(rows=…, kind=…) as crash.Job."""
    made = []

    def make(**keywords):
        made.append(crash.Job(tmp_path / f"job{len(made)}", **keywords))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """What a killed run left: left("csv") makes a new job that finds itself in that place."""
    kinds = {"csv": {"rows": 600}, "jsonl": {"rows": 600, "results": "out.jsonl", "policy": "resend"},
             "noted": {"rows": 100, "kind": "noted"}}
    made, jobs = {}, []

    def make(kind):
        if kind not in made:
            made[kind] = crash.Left(tmp_path_factory.mktemp(kind), kills=2, **kinds[kind])
        jobs.append(made[kind].again())
        return jobs[-1]

    yield make
    for one in jobs:
        one.close()


@pytest.mark.parametrize("kind", [{}, {"results": "out.jsonl", "pipe": True}, {"kind": "execute", "words": ["--sort"]},
                                  {"kind": "repeated", "policy": "resend"}],
                         ids=["CSV", "JSONL from a pipe", "executes, sorted", "equal rows, resend"])
def test_killed_at_random_moments_nothing_is_lost_or_sent_twice(job, kind):
    one = job(rows=500, **kind)
    died, most = crash.kill_often(one, 5, random.Random(7))
    one.complete()
    figures = one.verify()
    assert one.policy == "resend" or most <= one.concurrency, (died, most, figures)


def test_without_a_mark_before_each_request_the_kills_send_twice(job):
    """On a busy machine a run may have ended before it is killed: then there is another."""
    def kill_some(seed):
        one = job(rows=500, binary=crash.UNMARKED)
        crash.kill_often(one, 5, random.Random(seed))
        one.complete()
        one.verify()

    with pytest.raises(AssertionError, match="twice"):
        for seed in range(7, 17):
            kill_some(seed)


RUN_DEATHS = [("write", "half-kill", 1), ("write", "signal=KILL", 1), ("open", "kill-after", 1), ("fsync", "kill-after", 2),
              ("rename", "signal=KILL", 1), ("rename", "kill-after", 1), ("write", "half-kill", 3), ("write", "kill-after", 4),
              ("fdatasync", "signal=KILL", 3), ("pwrite", "half-kill", 3), ("unlink", "kill-after", 1),
              ("unlink", "kill-after", 2)]


@needs_strace
@pytest.mark.parametrize("call,how,n", RUN_DEATHS)
def test_killed_at_any_call_of_a_run_it_goes_on(job, call, how, n):
    one = job(rows=200, latency="5ms")
    assert crash.survive(one, crash.Fault(call, n, how)), "the call was not made"
    one.verify()


@pytest.mark.parametrize("how", ["half-kill", "kill-after"])
def test_killed_while_a_line_is_written_that_has_no_room_beside_others_it_goes_on(job, how):
    one = job(rows=30, kind="long")
    for n in (3, 2, 4):
        assert crash.survive(one, crash.Fault("write", n, how), complete=False)
    one.complete()
    one.verify()


RECOVERY_DEATHS = [("write", "half-kill", 1), ("write", "kill-after", 2), ("pwrite", "half-kill", 2), ("rename", "kill-after", 1),
                   ("rename", "signal=KILL", 2), ("fallocate", "signal=KILL", 1), ("unlink", "kill-after", 1),
                   ("unlink", "kill-after", 3)]


@needs_strace
@pytest.mark.parametrize("call,how,n", RECOVERY_DEATHS)
def test_killed_at_any_call_of_a_recovery_it_goes_on(left, call, how, n):
    one = left("csv")
    assert crash.survive(one, crash.Fault(call, n, how)), "the call was not made"
    one.verify()


@needs_strace
@pytest.mark.parametrize("call,how,n", [("rename", "signal=KILL", 3), ("rename", "kill-after", 3), ("fsync", "signal=KILL", 7)])
def test_killed_while_it_sorts_the_results_are_whole(left, call, how, n):
    one = left("jsonl")
    assert crash.survive(one, crash.Fault(call, n, how), "--sort"), "the call was not made"
    figures = one.verify()
    assert figures["lines"] == figures["rows"]
    assert [row["row"] for row in read_results(one.results)] == [str(i) for i in range(1, 601)]


FAILURES = [("write", "error=EIO", "2"), ("write", "error=ENOSPC", "3+"), ("write", "error=EINTR", "2"), ("write", "short", "2"),
            ("write", "short-full", "3"), ("pwrite64", "error=EIO", "3"), ("fdatasync", "error=EIO", "2"),
            ("fdatasync", "error=ENOSPC", "1+"), ("fsync", "error=EIO", "1"), ("fsync", "error=EIO", "3"),
            ("openat", "error=EMFILE", "2"), ("fallocate", "error=ENOSPC", "1"), ("fallocate", "error=EOPNOTSUPP", "1"),
            ("fallocate", "error=EINTR", "1"), ("mmap", "error=ENODEV", "1"), ("rename", "error=EIO", "1"),
            ("unlink", "error=EIO", "2")]


@needs_strace
@pytest.mark.parametrize("call,how,n", FAILURES)
def test_after_an_error_all_that_is_known_is_kept(job, call, how, n):
    one = job(rows=200, latency="5ms")
    struck, code, _ = crash.fail_and_go_on(one, crash.Fault(call, n, how))
    harmless = how in ("short", "error=EINTR", "error=EOPNOTSUPP")
    assert (struck or how == "short") and code == (0 if harmless else 7)
    assert one.verify()["in_doubt"] == 0


@pytest.mark.parametrize("call", ["write", "pwrite"])
def test_a_short_write_in_a_recovery_is_gone_on_with(left, call):
    one = left("csv")
    _, code, said = crash.fail_and_go_on(one, crash.Fault(call, 1, "short"))
    assert code in (0, 6), (code, said)
    one.verify()


@needs_strace
@pytest.mark.parametrize("call,how,n", [("write", "error=ENOSPC", "1+"), ("access", "error=EIO", "1"), ("fallocate", "error=ENOSPC", "1"),
                                        ("rename", "error=EIO", "1"), ("pread64", "error=EIO", "2"), ("fdatasync", "error=EIO", "1")])
def test_after_an_error_in_a_recovery_it_goes_on(left, call, how, n):
    one = left("csv")
    struck, code, _ = crash.fail_and_go_on(one, crash.Fault(call, n, how))
    assert struck and code == 7
    one.verify()


def test_a_disk_that_fills_up_stops_the_run_and_with_more_room_it_goes_on(job, tmp_path):
    disk = crash.SmallDisk(tmp_path / "disk", "1M")
    try:
        if disk.why:
            pytest.skip(disk.why)
        one = job(rows=6000, latency="0", concurrency=8)
        one.results = disk.folder / "out.csv"
        code, said = one.run(before=disk.before, resume=False)
        assert code == 7 and "No space left on device" in said and "--resume" in said, (code, said)
        assert disk.has("out.csv.journal")
        code, said = one.run(before=disk.before, resume=True)
        assert code == 7 and "make room" in said, (code, said)
        disk.resize("8M")
        code, said = one.run("--sort", before=disk.before, resume=True)
        assert code == 0 and not disk.has("out.csv.journal"), (code, said)
        disk.copy("out.csv")
        figures = one.verify()
        assert figures["in_doubt"] == 0 and figures["processed"] == 6000
    finally:
        disk.close()


def test_a_run_that_sent_nothing_and_dies_while_it_tidies_up_is_in_nobodys_way(job):
    one = job(rows=20)
    nowhere = ["--endpoint", "http://127.0.0.1:1", "--outage-wait", "1s", "--retry-delay", "10ms"]
    code, said = crash.Fault("unlink", 1, "kill-after").strike(one, *nowhere)
    assert crash.is_killed(code), (code, said)
    one.complete()
    assert one.verify()["in_doubt"] == 0


@needs_strace
def test_after_a_power_cut_nothing_is_lost_or_sent_twice(tmp_path):
    dice = random.Random(11)
    run = crash.killed_run(tmp_path, 6, rows=600, latency="2ms")
    for _ in crash.cut_power(run, dice, 10):
        pass


@needs_strace
def test_after_a_power_cut_in_a_recovery_nothing_is_lost_or_sent_twice(tmp_path):
    dice = random.Random(12)
    first = crash.killed_run(tmp_path, 6, rows=600, latency="2ms")
    second = crash.CutRun(first.folder, kill=5, before=first, rows=600)
    for _ in crash.cut_power(second, dice, 8):
        pass


@needs_strace
@pytest.mark.parametrize("failure", ["no room for a write", "a sync"])
def test_after_a_power_cut_behind_a_run_that_failed_nothing_is_lost_or_sent_twice(tmp_path, failure):
    how = {"inject": ["fdatasync:error=EIO:when=1"]} if failure == "a sync" else \
        {"fault": crash.Fault("write", 3, "short-full")}
    failed = crash.CutRun(tmp_path / "run", rows=300, latency="1ms", **how)
    resumed = crash.CutRun(tmp_path / "run", before=failed, kill=5, rows=300)
    for _ in crash.cut_power(resumed, random.Random(13), 5):
        pass


@needs_strace
def test_after_a_power_cut_while_it_sorts_the_results_are_whole(tmp_path, left):
    header = powercut.Header(left("csv").journal.read_bytes())
    run = crash.CutRun(tmp_path / "run", rows=150, words=["--sort"], header=header)
    moments = sum(1 for _ in powercut.cuts(crash.copy.deepcopy(run.disk), run.trace))
    for _ in crash.cut_power(run, random.Random(14), range(moments - 12, moments), ["none", "all", "pages"]):
        pass


@needs_strace
def test_without_the_wait_for_the_disk_a_power_cut_sends_twice(tmp_path):
    run = crash.CutRun(tmp_path / "run", rows=300, latency="1ms", binary=crash.UNSYNCED,
                       inject=["pwrite64:delay_enter=20000:when=2+", "fdatasync:signal=KILL:when=1"])
    with pytest.raises(AssertionError, match="twice"):
        for _ in crash.cut_power(run, random.Random(1), None, ["none"]):
            pass


@pytest.mark.parametrize("end", [b"", b"1", b'9,10,"half a cell\n'], ids=["cut", "one byte", "half a line"])
def test_a_torn_tail_after_a_power_cut_is_cut_off_and_its_row_named(left, end):
    one = left("csv")
    header = powercut.Header(one.journal.read_bytes())
    one.journal.write_bytes(header.put_on(powercut.File(), one.journal.read_bytes(), random.Random(1)))
    whole = one.results.read_bytes()
    one.results.write_bytes(whole + end if end else whole[:-7])
    code, said = one.run()
    if code == 7:  # what is cut off was synced
        assert not end and "the end of the file is missing" in said
        one.results.write_bytes(whole)
        code, said = one.run()
    assert code in (0, 6), (code, said)
    assert not end or "cut off" in said
    one.verify()


def test_a_damaged_middle_is_refused_with_its_place_and_nothing_is_sent(left):
    one = left("csv")
    whole = one.results.read_bytes()
    at = whole.index(b"accepted", 300)
    one.results.write_bytes(whole[:at] + b"rejected" + whole[at + 8:])
    code, said = one.run()
    assert code == 7 and "damaged between byte" in said and "nothing sent" in said, (code, said)
    assert one.simulator.audit() == []


def test_the_headers_checksum_is_what_the_power_cuts_take_it_for(left):
    header = powercut.Header(left("csv").journal.read_bytes())
    assert 24 < header.size < powercut.PAGE
