#!/usr/bin/python3
"""Chaos at full length: seeded faults on every kind of step, and the simulator's own count as the oracle.

    tests/soak/chaos.py [--seeds N] [--rows N] [--nbatch PATH]      (20 seeds, 50 000 rows, build/release/nbatch)

For each seed and each policy of --on-ambiguous one run with 64 requests in flight against `nbatch simulate` with ten kinds of
faults, 0.4 % each. Prints a line for each; exits with 1 when a promise is broken:
  hold     no command is processed twice;
  resend   every row is accepted, and twice only where the row says so;
  both     one result for each row; no row is called failed, rejected or invalid that was processed.
"""
import argparse
import collections
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from conftest import HEADER, row_of  # noqa: E402
from peers import Simulator  # noqa: E402

FAULTS = ["close", "close-after", "reset", "reset-after", "cut", "garbage", "no-uuid", "http-500-after", "errno-5117",
          "http-429"]


def run(nbatch, folder, rows, seed, policy):
    """What is wrong, in words; nothing when all is well."""
    audit, results = folder / f"{seed}-{policy}.jsonl", folder / f"{seed}-{policy}.csv"
    sim = Simulator(nbatch, audit, ["--seed", str(seed), *(w for f in FAULTS for w in ("--fault", f"{f}:0.4%"))])
    done = subprocess.run([nbatch, "run", folder / "in.csv", "--endpoint", sim.url, "-o", results, "--on-ambiguous", policy,
                           "--seed", str(seed), "--retry-delay", "5ms", "--no-adaptive", "-q"],
                          env={**os.environ, "NBATCH_API_KEY": "k"}, capture_output=True, text=True, check=False)
    sim.stop()
    processed = collections.Counter()
    with open(audit, encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            processed[entry["imei"]] += entry["processed"]
    with open(results, newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    audit.unlink()
    results.unlink()
    results.with_name(results.name + ".complete").unlink()
    status = collections.Counter(row["status"] for row in table)
    twice = sum(count > 1 for count in processed.values())
    print(f"seed {seed} {policy}: exit {done.returncode}, {dict(status)}, {twice} processed more than once", flush=True)
    wrong = []
    if sorted(int(row["row"]) for row in table) != list(range(1, rows + 1)):
        wrong.append("not one result for each row")
    if policy == "hold" and twice:
        wrong.append("a command was processed twice")
    if policy == "resend" and set(status) != {"accepted"}:
        wrong.append("a row was lost")
    for row in table:
        count = processed[row["imei"]]
        if count > 1 + int(row["ambiguous"]) or (row["status"] == "accepted" and count < 1) or \
                (row["status"] in ("failed", "rejected", "invalid") and count > 0):
            wrong.append(f"row {row['row']} is called {row['status']} and was processed {count} times")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rows", type=int, default=50000)
    parser.add_argument("--nbatch", default=str(ROOT / "build/release/nbatch"))
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in.csv").write_text(HEADER + "".join(row_of(i) for i in range(1, options.rows + 1)))
        for seed in range(1, options.seeds + 1):
            for policy in ("hold", "resend"):
                for text in run(options.nbatch, folder, options.rows, seed, policy):
                    print(f"  BROKEN: {text}")
                    failed = True
    sys.exit(1 if failed else 0)


main()
