"""Runs that die, and what is left of them. The oracle is the server's audit; shared by test_crash.py and tests/soak/kill.py."""
import collections
import csv
import json
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

from conftest import HEADER, NBATCH, imei, luhn, read_results, row_of  # noqa: F401
from peers import Simulator

STRACE = shutil.which("strace")
# LeakSanitizer cannot work in a process that is traced; a library that is preloaded comes before the sanitizers'.
CALM = {"ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"}


def clean_environment(**more):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_") and "proxy" not in k.lower()}
    return {**environment, "NBATCH_API_KEY": "k", **more}


def write_input(folder, rows, kind="write"):
    """An input whose every row can be told by its device and value. Returns its path and (imei, value) of each row."""
    path = folder / "in.csv"
    contents = [(imei(i), i) for i in range(1, rows + 1)]
    if kind == "write":
        lines = [HEADER, *(row_of(i) for i in range(1, rows + 1))]
    elif kind == "execute":
        lines = ["action,imei,obj_id,obj_inst_id,res_id,expired_time,args\n",
                 *(f"execute,{imei(i)},3,0,4,+7d,{i}\n" for i in range(1, rows + 1))]
    elif kind == "noted":  # rows of many lengths, some longer than all that is written at once
        note = random.Random(1)
        lines = [HEADER.replace("\n", ",note\n"),
                 *(row_of(i).replace("\n", f',"{"n" * note.choice([1, 10, 1000, 60000, 120000])}"\n')
                   for i in range(1, rows + 1))]
    else:  # equal rows, and several for one device
        contents = [(imei(i // 4), i % 4 // 2) for i in range(4, rows + 4)]
        lines = [HEADER, *(row_of(i // 4, i % 4 // 2) for i in range(4, rows + 4))]
    path.write_text("".join(lines), encoding="utf-8")
    return path, contents


def value_of(entry):
    """What a request of the audit says: the value written, or the argument executed."""
    body = json.loads(entry["body"])
    return int(body["data"][0]["val"]) if "data" in body else int(body["args"])


def last_lines(table):
    """The current line of each row: the last one of its key."""
    current = {row["key"]: row for row in table}
    return sorted(current.values(), key=lambda row: int(row["row"]))


class Figures(collections.Counter):
    """What a check has counted."""

    def __str__(self):
        return ", ".join(f"{name} {count}" for name, count in self.items())


class Job:
    """One input, one results file, one simulator; any number of runs."""

    def __init__(self, folder, rows=300, kind="write", results="out.csv", concurrency=8, policy="hold", pipe=False,
                 latency="uniform:1ms..10ms", words=(), binary=NBATCH, audits=()):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.input, self.contents = write_input(self.folder, rows, kind)
        self.results = self.folder / results
        self.journal = self.folder / (results + ".journal")
        self.concurrency, self.policy, self.pipe, self.binary = concurrency, policy, pipe, binary
        self.words = [*words, *(["--pass", "note", "--max-row-bytes", "1M"] if kind == "noted" else [])]
        self.audits = list(audits)
        self.simulator = Simulator(NBATCH, self.folder / f"audit{len(self.audits)}.jsonl",
                                   ["--latency", latency, "--queue-limit", "0", "-q"])

    def command(self, *words, resume=None):
        resume = self.results.exists() if resume is None else resume
        source = ["-", "--format", "csv"] if self.pipe else [self.input]
        return [str(word) for word in (
            self.binary, "run", *source, "-o", self.results, "--endpoint", self.simulator.url, "-c", self.concurrency,
            "--on-ambiguous", self.policy, "--no-adaptive", *self.words, *(["--resume"] if resume else []), *words)]

    def start(self, *words, resume=None, before=(), environment=None):
        """Starts a run, which goes on with the results that are there."""
        cat = subprocess.Popen(["cat", self.input], stdout=subprocess.PIPE) if self.pipe else None
        process = subprocess.Popen([*map(str, before), *self.command(*words, resume=resume)],
                                   env=clean_environment(**(environment or {})), cwd=self.folder,
                                   stdin=cat.stdout if cat else subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if cat:
            cat.stdout.close()
            process.cat = cat
        return process

    @staticmethod
    def wait(process, timeout=120):
        """The exit status and what was said."""
        try:
            said = process.communicate(timeout=timeout)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        if hasattr(process, "cat"):
            process.cat.kill()
            process.cat.wait()
        return process.returncode, said

    def run(self, *words, **keywords):
        return self.wait(self.start(*words, **keywords))

    def complete(self, *words, codes=(0, 6)):
        """Runs until the end, undisturbed."""
        code, said = self.run(*words)
        assert code in codes, (code, said)
        assert not self.journal.exists(), said
        return said

    def table(self):
        return read_results(self.results)

    def in_doubt(self):
        """Rows that the results call in doubt, also while their last line is torn."""
        return self.results.read_bytes().count(b"in_doubt") if self.results.exists() else 0

    def processed(self):
        """What the server has done. Stops it."""
        mine = self.simulator.audit()
        return [entry for audit in [*self.audits, mine] for entry in audit if entry["processed"]]

    def verify(self):
        """Compares results and audit. Returns figures; raises where a promise is broken."""
        entries, table = self.processed(), self.table()
        rows = last_lines(table)
        assert [int(row["row"]) for row in rows] == list(range(1, len(self.contents) + 1)), "one current result per row"
        by_uuid = {entry["uuid"]: (entry["imei"], value_of(entry)) for entry in entries}
        done = collections.Counter((entry["imei"], value_of(entry)) for entry in entries)
        allowed, known = collections.Counter(), collections.Counter()
        uuids = [row["uuid"] for row in rows if row["status"] == "accepted"]
        assert len(set(uuids)) == len(uuids), "no uuid stands for two rows"
        for row, content in zip(rows, self.contents):
            assert row["imei"] == content[0], row
            assert row["status"] in ("accepted", "in_doubt"), row
            assert row["status"] != "accepted" or by_uuid.get(row["uuid"]) == content, ("not the server's", row)
            allowed[content] += 1 if self.policy == "hold" else 1 + int(row["ambiguous"])
            known[content] += 1 if self.policy == "hold" else 1 + int(row["ambiguous"])
        twice = sum(max(0, done[content] - allowed[content]) for content in done)
        lost = sum(count for content, count in done.items() if content not in known)
        doubt = sum(row["status"] == "in_doubt" for row in rows)
        never = sum(done[content] == 0 for content in set(self.contents))
        figures = Figures(rows=len(rows), lines=len(table), processed=len(entries), in_doubt=doubt, never_processed=never,
                          twice=twice, lost=lost)
        assert twice == 0 and lost == 0, figures
        assert never <= doubt, figures
        return figures

    def close(self):
        self.simulator.stop()


def random_delay(dice):
    """Seconds: now and then within the start and the recovery, else while rows are sent."""
    return dice.uniform(0, 0.03) if dice.random() < 0.3 else dice.uniform(0.03, 0.15)


def kill_often(job, kills, dice, *words, delay=random_delay):
    """Kills runs of the job at random until that many have died, or all is done. Returns how many, and the most rows that one
    death has left in doubt."""
    died = most = before = 0
    while died < kills:
        process = job.start(*words)
        time.sleep(delay(dice))
        ended = process.poll() is not None
        process.kill()
        code, said = job.wait(process)
        assert not ended or code in (0, 6), (code, said)
        assert ended or code == -9 or code in (0, 6), (code, said)
        now = job.in_doubt()
        most, before = max(most, now - before), now
        if code != -9:
            break
        died += 1
    return died, most


def strace(out, words, paths=()):
    """The command that runs another one under strace, for the calls that concern these paths."""
    return [STRACE, "-f", "-qq", "-o", out, *(w for path in paths for w in ("-P", path)), *words]


def watched(job):
    """The files that a run writes its record to, and their folder."""
    return [job.results, job.journal, f"{job.journal}.new", f"{job.results}.sorted", job.folder]
