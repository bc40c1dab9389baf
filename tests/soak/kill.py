#!/usr/bin/python3
"""Deaths at full length, and the simulator's audit as the oracle.

    tests/soak/kill.py [PART ...] [--kills N] [--calls N] [--cuts N] [--seed N]     (all parts, build/test/nbatch or $NBATCH)

  random   kill -9 at random moments, each time followed by --resume, until the run is complete
  calls    kill -9 at and behind the n-th call that writes, syncs, cuts, renames or removes, also in a recovery and a sort
  errors   each call fails once, or from then on
  cuts     power cuts: what was not synced is missing, in part or all of it
  record   results cut off at every byte and with every bit flipped, a journal with flipped bits (tests/unit/test_ledger.c)

Prints a line for each group; exits with 1 when a promise is broken. What is promised:
  no row is lost, none is sent twice under hold, one death leaves no more rows in doubt than requests were in flight (a power cut:
  no more than the journal has places), and every row has one current result, whose uuid is the server's.
"""
import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import crash  # noqa: E402

RANDOM_KINDS = [
    {},
    {"results": "out.jsonl"},
    {"pipe": True},
    {"kind": "execute"},
    {"kind": "repeated"},
    {"policy": "resend"},
    {"concurrency": 64},
    {"concurrency": 1},
    {"words": ["--sort"]},
    {"kind": "noted", "rows": 400},
    {"latency": "0", "rows": 8000, "concurrency": 32},
]


def random_part(options, failures):
    dice = random.Random(options.seed)
    total = crash.Figures()
    for kind in RANDOM_KINDS:
        left = -(-options.kills // len(RANDOM_KINDS))
        while left > 0:
            with tempfile.TemporaryDirectory() as name:
                job = crash.Job(name, **{"rows": 4000, **kind})
                try:
                    died, most = crash.kill_often(job, left, dice, *job.words)
                    job.complete()
                    figures = job.verify()
                    assert most <= job.concurrency or job.policy != "hold", f"{most} rows in doubt from one death"
                    total.update(figures, kills=died)
                    total["most in doubt"] = max(total["most in doubt"], most)
                    print(f"random {kind}: kills {died}, most in doubt {most}; {figures}", flush=True)
                    left -= max(died, 1)
                except AssertionError as broken:
                    failures.append(f"random {kind} seed {options.seed}: {broken}")
                    print("  BROKEN:", failures[-1], flush=True)
                    left = 0
                finally:
                    job.close()
    print(f"random, all: {total}", flush=True)


def calls_of(options, failures, title, make, faults, *words):
    """Each fault at its first, second, … call, until there is no such call any more."""
    for call, how in faults:
        n = struck = 0
        while n < options.calls:
            n += 1
            job, fault = make(), crash.Fault(call, n, how)
            try:
                hit = crash.survive(job, fault, *words)
                job.verify()
                struck += hit
            except AssertionError as broken:
                failures.append(f"{title}: {fault}: {broken}")
                print("  BROKEN:", failures[-1], flush=True)
                hit = True
            finally:
                job.close()
                shutil.rmtree(job.folder)
            if not hit:
                break
        print(f"{title}: {how} at {call}: {struck} deaths", flush=True)


def calls_part(options, failures):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        left = crash.Left(folder / "csv", rows=600)
        calls_of(options, failures, "recovery", left.again, crash.KILLS)
        left = crash.Left(folder / "jsonl", rows=600, results="out.jsonl", policy="resend")
        calls_of(options, failures, "recovery, JSONL, resend", left.again, crash.KILLS, "--sort")
        left = crash.Left(folder / "noted", rows=100, kind="noted")
        calls_of(options, failures, "recovery, long rows", left.again, crash.KILLS)
        calls_of(options, failures, "long rows", lambda: crash.Job(folder / "job", rows=60, kind="noted"), crash.KILLS)
        calls_of(options, failures, "a run", lambda: crash.Job(folder / "job", rows=2000, concurrency=4, latency="2ms"),
                 crash.KILLS)


def errors_of(options, failures, title, make, *words):
    for call, how in [*crash.ERRORS, ("write", "short"), ("write", "short-full"), ("pwrite", "short")]:
        for onward in ("", "+") if "=" in how and "EINTR" not in how else ("",):
            n, codes = 0, crash.collections.Counter()
            while n < min(options.calls, 20):
                n += 1
                job, fault = make(), crash.Fault(call, f"{n}{onward}", how)
                try:
                    before = job.in_doubt()
                    hit, code, said = crash.fail_and_go_on(job, fault, *words)
                    figures = job.verify()
                    told = re.search(r"(\d+) results? found no place", said)
                    assert job.audits or figures["in_doubt"] == before + int(told[1] if told else 0), \
                        f"what was known is not kept: {figures}"
                    codes[code] += hit
                except AssertionError as broken:
                    failures.append(f"{title}: {fault}: {broken}")
                    print("  BROKEN:", failures[-1], flush=True)
                    hit = True
                finally:
                    job.close()
                    shutil.rmtree(job.folder)
                if not hit:
                    break
            print(f"{title}: {how} at {call}{onward}: exit {dict(codes)}", flush=True)


def errors_part(options, failures):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        errors_of(options, failures, "a run", lambda: crash.Job(folder / "job", rows=200, concurrency=8, latency="2ms"))
        errors_of(options, failures, "long rows", lambda: crash.Job(folder / "job", rows=50, kind="noted"))
        errors_of(options, failures, "recovery and sort", crash.Left(folder / "csv", rows=400).again, "--sort")


def cuts_of(options, failures, title, run, dice, count=None):
    """The power is cut at moments of the run, `count` of them, and each time it goes on from what the disk may hold."""
    total, most, start = crash.Figures(), 0, time.monotonic()
    try:
        for _, figures in crash.cut_power(run, dice, count):
            total["cuts"] += 1
            if isinstance(figures, str):
                total["refused, nothing sent"] += 1
            else:
                most = max(most, figures["in_doubt"])
                total.update({name: figures[name] for name in ("twice", "lost")})
    except AssertionError as broken:
        failures.append(f"{title}: {broken}")
        print("  BROKEN:", failures[-1], flush=True)
    print(f"{title}: {total}, most in doubt {most}; {time.monotonic() - start:.0f} s", flush=True)


def cuts_part(options, failures):
    dice = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder, each = Path(name), max(1, options.cuts // 28)  # seven kinds, four choices of what is missing
        first = crash.killed_run(folder / "a", 20, rows=600, latency="2ms")
        header = first.header
        cuts_of(options, failures, "a run", first, dice, each)
        first = crash.killed_run(folder / "b", 12, rows=4000, latency="0", concurrency=64)
        cuts_of(options, failures, "64 at a time", first, dice, each)
        first = crash.killed_run(folder / "c", 15, rows=600, latency="1ms", results="out.jsonl")
        cuts_of(options, failures, "JSONL", first, dice, each)
        first = crash.killed_run(folder / "d", 8, rows=600, latency="2ms")
        cuts_of(options, failures, "a recovery", crash.CutRun(first.folder, kill=6, before=first, rows=600), dice, each)
        first = crash.CutRun(folder / "e", rows=300, latency="1ms", fault=crash.Fault("write", 6, "short-full"))
        cuts_of(options, failures, "a recovery from a full disk", crash.CutRun(folder / "e", kill=6, before=first, rows=300),
                dice, each)
        first = crash.CutRun(folder / "f", rows=300, latency="1ms", inject=["fdatasync:error=EIO:when=3"])
        cuts_of(options, failures, "a recovery from a failed sync", crash.CutRun(folder / "f", kill=6, before=first, rows=300),
                dice, each)
        run = crash.CutRun(folder / "g", rows=300, words=["--sort"], header=header)
        cuts_of(options, failures, "a whole run, sorted", run, dice, each)


def record_part(options, failures):
    done = subprocess.run([ROOT / "build/test/tests/test_ledger"], env={**os.environ, "NBATCH_THOROUGH": "1"}, check=False)
    if done.returncode:
        failures.append("record: see above")


PARTS = {"random": random_part, "calls": calls_part, "errors": errors_part, "cuts": cuts_part, "record": record_part}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("part", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--kills", type=int, default=1100)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failures = []
    for part in options.part:
        start = time.monotonic()
        PARTS[part](options, failures)
        print(f"{part}: {time.monotonic() - start:.0f} s", flush=True)
    for failure in failures:
        print("BROKEN:", failure)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
