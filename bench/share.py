#!/usr/bin/python3
"""What a job in a database costs beside one in a file: CPU a row, rows loaded a second, starts taken a second.

    bench/share.py [--rows N] [--rounds N] NBATCH

A PostgreSQL server of its own (tests/e2e/postgres.py), the simulator in a process of its own; both runs take turns in each round.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/e2e"))
from conftest import HEADER, KEY, row_of  # noqa: E402
from postgres import Postgres  # noqa: E402


def cpu_of(words, folder, environment):
    """CPU and wall seconds of one process."""
    begin = time.monotonic()
    process = subprocess.Popen(words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code == 0, (words, code, told)
    return usage.ru_utime + usage.ru_stime, time.monotonic() - begin


def takes(server, seconds):
    """rate_take.sql as four workers call it, at a rate that never holds any of them up."""
    sql = (Path(__file__).resolve().parents[1] / "src/ledger/share/rate_take.sql").read_text(encoding="utf-8")
    for number, value in (("6", "0"), ("5", "NULL"), ("4", "200"), ("3", "1"), ("2", "60"), ("1", "'bench'")):
        sql = sql.replace(f"${number}", value)
    server.sql("INSERT INTO nbatch.account (name) VALUES ('bench'); INSERT INTO nbatch.worker (account, name, rate, until) "
               "VALUES ('bench', 'bench', 100000000, now() + interval '1 h')")
    script = server.folder / "take.sql"
    script.write_text(sql)
    done = subprocess.run([server.bin / "pgbench", "-h", server.folder, "-U", "admin", "-n", "-M", "prepared", "-c", "4", "-T", str(seconds),
                           "-f", script, "nbatch"], capture_output=True, text=True, check=True)
    return float(re.search(r"tps = ([0-9.]+)", done.stdout).group(1))


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--rows", type=int, default=20000)
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("nbatch")
    given = words.parse_args()
    nbatch, rows = str(Path(given.nbatch).resolve()), given.rows
    server = Postgres()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "fleet.csv").write_text(HEADER + "".join(row_of(i) for i in range(1, rows + 1)), encoding="utf-8")
        environment = {**os.environ, "NBATCH_API_KEY": KEY}
        subprocess.run([nbatch, "share", "init", "--share", server.uri("admin")], check=True)
        server.sql("GRANT nbatch_worker TO ops")
        simulator = subprocess.Popen([nbatch, "simulate", "--queue-limit", "0"], stdout=subprocess.PIPE, text=True)
        try:
            url = simulator.stdout.readline().strip()
            run = [nbatch, "run", "fleet.csv", "--endpoint", url, "--progress", "never"]
            shared = [*run, "--share", server.uri()]
            ratios, mine, theirs, loads = [], [], [], []
            for number in range(given.rounds):
                cpu_file, _ = cpu_of([*run, "-o", f"r{number}.csv"], folder, environment)
                cpu_shared, _ = cpu_of([*shared, "--job", f"j{number}"], folder, environment)
                _, check_s = cpu_of([nbatch, "check", "fleet.csv", "--quiet"], folder, environment)
                begin = time.monotonic()
                loader = subprocess.Popen([*shared, "--job", f"l{number}", "--rate", "50/s"], cwd=folder, env=environment)
                while server.sql(f"SELECT count(*) FROM nbatch.job WHERE name = 'l{number}'") == "0":
                    time.sleep(0.005)
                loads.append(rows / (time.monotonic() - begin - check_s))
                server.sql("UPDATE nbatch.job SET state = 'stopped' WHERE state = 'running'")
                loader.wait()
                mine.append(cpu_file / rows * 1e6)
                theirs.append(cpu_shared / rows * 1e6)
                ratios.append(cpu_shared / cpu_file)
            print(f"{rows} rows, {given.rounds} rounds, medians\n")
            print("| µs of CPU per row, a file | … a job | ratio (min–max) | rows/s loaded | takes/s, 4 at once |\n|---|---|---|---|---|")
            print(f"| {statistics.median(mine):.1f} | {statistics.median(theirs):.1f} | {statistics.median(ratios):.2f} "
                  f"({min(ratios):.2f}–{max(ratios):.2f}) | {statistics.median(loads):.0f} | {takes(server, 5):.0f} |")
        finally:
            simulator.terminate()
            simulator.wait()
            server.remove()


if __name__ == "__main__":
    main()
