"""Runs that die, and what is left of them. The oracle is the server's audit; shared by test_crash.py and tests/soak/kill.py."""
import collections
import copy
import csv
import itertools
import json
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import powercut
from conftest import HEADER, NBATCH, UNGUARDED, imei, luhn, read_results, row_of  # noqa: F401
from peers import Simulator

STRACE = shutil.which("strace")
FAULTS = str(Path(UNGUARDED).with_name("nbatch-faults.so"))
CLOCK = str(Path(UNGUARDED).with_name("nbatch-clock.so"))
UNMARKED = str(Path(UNGUARDED).with_name("nbatch-unmarked"))
UNSYNCED = str(Path(UNGUARDED).with_name("nbatch-unsynced"))
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
    elif kind in ("noted", "long"):  # rows of many lengths, some (or all) longer than all that is written at once
        note, lengths = random.Random(1), [1, 10, 1000, 60000, 120000] if kind == "noted" else [120000]
        lines = [HEADER.replace("\n", ",note\n"),
                 *(row_of(i).replace("\n", f',"{"n" * note.choice(lengths)}"\n')
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
        self.folder.mkdir(parents=True, exist_ok=True)
        self.input, self.contents = write_input(self.folder, rows, kind)
        self.results = self.folder / results
        self.journal = self.folder / (results + ".journal")
        self.concurrency, self.policy, self.pipe, self.binary = concurrency, policy, pipe, binary
        self.words = [*words, *(["--pass", "note", "--max-row-bytes", "1M"] if kind in ("noted", "long") else [])]
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
    def wait(process, timeout=300):
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


def wait_for_requests(job, process, count):
    """Waits until the server has had so many more of them, or the run has ended. Returns the seconds until the first one."""
    audit = job.simulator.audit_path
    began, size, first = time.monotonic(), audit.stat().st_size, None
    while process.poll() is None and count > 0:
        time.sleep(0.0005)
        with open(audit, "rb") as file:
            file.seek(size)
            more = file.read()
        count -= more.count(b"\n")
        size += len(more)
        if more and first is None:
            first = time.monotonic() - began
    return first


def kill_often(job, kills, dice, *words):
    """Kills runs of the job at random until that many have died, or all is done: now and then within the start and the
    recovery, else while rows are sent. Returns how many, and the most rows that one death has left in doubt."""
    died = most = before = 0
    start = 0.03  # seconds until the first request leaves; on a busy machine it is more
    while died < kills:
        process = job.start(*words)
        if dice.random() < 0.3:
            time.sleep(dice.uniform(0, start))
        else:
            start = wait_for_requests(job, process, dice.randint(1, max(1, len(job.contents) // (2 * kills)))) or start
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


class Fault:
    """Something that happens to the n-th call of a kind that concerns the record."""

    def __init__(self, call, n, how):
        self.call, self.n, self.how = call, n, how

    def __str__(self):
        return f"{self.how} at {self.call} {self.n}"

    def start(self, job, *words):
        """Starts a run to which it happens. `how`: what strace injects, or one of faults.c's words for half a call."""
        environment = {"UV_THREADPOOL_SIZE": "1", **CALM}
        if "=" in self.how:
            traced = ",".join(sorted({self.call, "fdatasync", "fsync", "pwrite64"}))
            before = strace(job.folder / "trace", ["-y", "-s", "0", "-e", f"trace={traced}",
                                                   "-e", f"inject={self.call}:{self.how}:when={self.n}"], watched(job))
            return job.start(*words, before=before, environment=environment)
        return job.start(*words, environment={**environment, **self.environment(job)})

    def environment(self, job):
        return {"LD_PRELOAD": FAULTS, "NBATCH_FAULT": f"{self.call}:{self.n}:{self.how}",
                "NBATCH_FAULT_PATH": str(job.results.with_suffix(""))}

    def strike(self, job, *words):
        """Runs to the end, or to the fault."""
        return job.wait(self.start(job, *words))


KILL = "signal=KILL"
KILLS = [(call, KILL) for call in
         ("write", "pwrite64", "fdatasync", "fsync", "rename", "ftruncate", "unlink", "openat", "fallocate")]
KILLS += [(call, "kill-after") for call in
          ("write", "pwrite", "fdatasync", "fsync", "rename", "ftruncate", "unlink", "open", "posix_fallocate")]
KILLS += [("write", "half-kill"), ("pwrite", "half-kill")]


def is_killed(code):
    return code in (-9, 137)


class Left:
    """What a run left behind that was killed in mid-run: something to recover from, again and again."""

    def __init__(self, folder, kills=2, words=(), **keywords):
        self.keywords, self.words = keywords, list(words)
        self.folder = Path(folder)
        for i in itertools.count():
            job = Job(self.folder / f"left{i}", **keywords)
            kill_often(job, kills, random.Random(i), *words)
            self.audit = job.simulator.audit()
            if job.journal.exists() and job.results.read_bytes().count(b"\n") > 1:
                break
        self.results, self.journal = job.results, job.journal
        self.made = 0

    def again(self, **keywords):
        """A job that finds itself in that place."""
        self.made += 1
        job = Job(self.folder / f"again{self.made}", audits=[self.audit], **{**self.keywords, **keywords})
        for path in (self.results, self.journal):
            if path.exists():
                shutil.copy(path, job.folder / path.name)
        return job


def survive(job, fault, *words, complete=True):
    """Lets the fault strike, and then goes on to the end. False when there was nothing to strike any more."""
    before = job.in_doubt()
    code, said = fault.strike(job, *words)
    assert is_killed(code) or code in (0, 6), (code, said)
    if complete:
        job.complete(*words)
        assert job.in_doubt() - before <= job.concurrency or job.audits, "in doubt"
    return is_killed(code)


ERRORS = [(call, f"error={error}") for call, errors in {
    "write": ("EIO", "ENOSPC", "EINTR"), "pwrite64": ("EIO", "ENOSPC", "EINTR"), "fdatasync": ("EIO", "ENOSPC", "EINTR"),
    "fsync": ("EIO", "EINTR"), "openat": ("EIO", "EMFILE", "EINTR"), "fallocate": ("EIO", "ENOSPC", "EINTR", "EOPNOTSUPP"),
    "mmap": ("ENOMEM", "ENODEV"), "rename": ("EIO", "ENOSPC"), "ftruncate": ("EIO", "EINTR"), "unlink": ("EIO",),
    "flock": ("EINTR", "ENOLCK"), "access": ("EIO",), "pread64": ("EIO", "EINTR")}.items() for error in errors]
HARMLESS = ("EINTR", "EOPNOTSUPP")


def was_injected(job):
    trace = job.folder / "trace"
    return trace.exists() and "(INJECTED)" in trace.read_text()


def syncs_again(job):
    """Files that were synced again although a sync of them had failed."""
    failed, again = set(), set()
    for line in (job.folder / "trace").read_text().splitlines():
        call = line.split("(", 1)[0].split()[-1]
        path = line.split("<", 1)[1].split(">", 1)[0] if "<" in line else ""
        if call in ("fdatasync", "fsync", "pwrite64") and path in failed and "resumed" not in line:
            again.add((call, path))
        if "(INJECTED)" in line and call in ("fdatasync", "fsync") and "EINTR" not in line:
            failed.add(path)
    return again


def fail_and_go_on(job, fault, *words):
    """Lets a call fail, and goes on once the cause is gone. False when there was no such call any more."""
    code, said = fault.strike(job, *words)
    struck = was_injected(job) if "=" in fault.how else True
    assert code in (0, 6, 7), (code, said)
    assert code != 7 or struck, (code, said)
    if struck and "=" in fault.how:
        assert not syncs_again(job), "a sync that failed was tried again"
    if code == 7:
        assert said.count("nbatch: ") >= 1, said
        job.complete(*words)
    else:
        assert not job.journal.exists(), (code, said)
    return struck, code, said


class CutRun:
    """A run under strace, and what follows when the power is cut in its course."""

    def __init__(self, folder, kill=None, before=None, binary=NBATCH, words=(), fault=None, inject=(), header=None,
                 **keywords):
        """`kill`: at which pwrite64 it is killed. `before`: the CutRun whose files this one goes on with. `fault`: one of
        faults.c's. `inject`: what strace injects. `header`: that of another run, where this one leaves no journal."""
        self.folder, self.keywords, self.words = Path(folder), keywords, list(words)
        self.disk = powercut.Disk(self.folder)
        self.job = before.job if before else Job(self.folder, binary=binary, **keywords)
        self.place = before.trace.end if before else 0
        path = self.folder / f"trace{self.place}"
        injects = [f"pwrite64:signal=KILL:when={kill}"] if kill else list(inject)
        environment = {"UV_THREADPOOL_SIZE": "1", **CALM, **(fault.environment(self.job) if fault else {})}
        self.code, said = self.job.run(*self.words, environment=environment,
                                       before=powercut.record(path, *(w for i in injects for w in ("-e", f"inject={i}"))))
        assert is_killed(self.code) or self.code in ((7,) if fault or inject else (0, 6)), (self.code, said)
        self.trace = powercut.Trace(path, self.place)
        if before:
            self.disk = before.disk
            for _ in powercut.cuts(self.disk, before.trace):
                pass
            if before.code == 7:  # it has settled its journal: what was mapped is synced
                self.disk.adopt(self.job.journal, before.journal)
        self.journal = self.job.journal.read_bytes() if self.job.journal.exists() else None
        self.header = powercut.Header(self.journal) if self.journal else header or before and before.header
        self.audit = None
        self.number = 0

    def finish(self):
        self.job.simulator.stop()
        self.audit = self.job.simulator.audit()

    def go_on(self, files, sent, *words):
        """Resumes from what the disk holds. Returns the figures, or what was said where there is nothing to go on with."""
        self.number += 1
        job = Job(self.folder / f"cut{self.number}", audits=[[entry for entry in self.audit if entry["imei"] in sent]],
                  **{**self.keywords, "latency": "0"})
        try:
            for path, data in files.items():
                (job.folder / Path(path).name).write_bytes(data)
            code, said = job.run(*words, *self.words)
            if code not in (0, 6):
                assert not sent, ("rows were sent, and it is refused", code, said)
                return said
            assert not job.journal.exists()
            return job.verify()
        except AssertionError as broken:
            raise AssertionError(f"{broken} (kept in {job.folder})") from broken
        finally:
            job.close()


def killed_run(folder, kill, **keywords):
    """A CutRun that was killed at that pwrite64, or at an earlier one where it does not make so many."""
    while kill > 1:
        run = CutRun(Path(folder) / f"kill{kill}", kill=kill, **keywords)
        if is_killed(run.code):
            return run
        run.job.close()
        kill -= 1 + kill // 4
    raise AssertionError("the run makes no snapshots")


def cut_power(run, dice, count, choices=powercut.CHOICES):
    """Cuts the power at `count` moments of the run (None: all; or a range of them). Yields (what was cut, figures)."""
    run.finish()
    moments = sum(1 for _ in powercut.cuts(copy.deepcopy(run.disk), run.trace))
    if count is None or isinstance(count, range):
        chosen = set(count or range(moments))
    else:
        chosen = {0, *dice.sample(range(moments), min(count, moments))}
    for i, cut in enumerate(powercut.cuts(run.disk, run.trace)):
        if i not in chosen:
            continue
        for choice in choices:
            what = f"cut {i} of {moments} (call {cut.place}), {choice}"
            try:
                yield what, run.go_on(cut.state(dice, choice, run.header), cut.sent())
            except AssertionError as broken:
                raise AssertionError(f"{what}: {broken}") from broken


class SmallDisk:
    """A file system of little room, in a mount namespace of its own. `why` says why there is none."""

    def __init__(self, folder, size):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.holder, self.why = None, None
        if not shutil.which("unshare") or not shutil.which("nsenter"):
            self.why = "there is no unshare or nsenter"
            return
        mount = f'mount -t tmpfs -o size={size} tmpfs "$1" && echo there && exec sleep 600'
        self.holder = subprocess.Popen(["unshare", "-m", "sh", "-c", mount, "sh", str(folder)], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "there\n":
            self.why = f"mounting is not permitted here: {self.holder.communicate()[1].strip()}"

    @property
    def before(self):
        """The words that run a command there."""
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--"]

    def resize(self, size):
        subprocess.run([*self.before, "mount", "-o", f"remount,size={size}", str(self.folder)], check=True)

    def copy(self, name):
        """Copies a file out, to the same path as it has in there."""
        data = subprocess.run([*self.before, "cat", str(self.folder / name)], check=True, capture_output=True).stdout
        (self.folder / name).write_bytes(data)

    def has(self, name):
        return subprocess.run([*self.before, "test", "-e", str(self.folder / name)], check=False).returncode == 0

    def close(self):
        if self.holder:
            self.holder.kill()
            self.holder.communicate()
