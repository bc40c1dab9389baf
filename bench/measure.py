#!/usr/bin/python3
"""Runs commands one after the other on one core, and prints what they cost as a Markdown table.

    measure.py speed ROUNDS < jobs     every command once per round; the order turns with the rounds
    measure.py memory < jobs           every command three times: peak memory, its growth by rows
    measure.py send ROUNDS DIR < jobs  as speed, for what sends rows; DIR takes what they write
    measure.py grow DIR < jobs         every command once: CPU and peak memory, their growth by rows
    measure.py start ROUNDS DIR < jobs every command once per round: how long it takes

A line of jobs has tabs between its fields: the group, the tool's name, the rows, the input file,
and then the command, an argument a field. The first job of a group is what the others are compared
with. Of what sends rows, {out} in an argument stands for a file to write results to, else standard
output is that; there must be a line for each row. A number of rows with a ~ before it is that of a
load generator, which writes none, and 0 is told by its output ("1234 requests in"). Costs are those of the whole process, from wait4: user and system time, and peak resident
memory. Start it with -I -S and import little: the memory of a command's process includes, until
it executes the command, a copy of what this one had, so that it cannot be seen to need less.
"""
import os
import sys
import time

MEMORY_REPEATS = 3


class Job:
    def __init__(self, line):
        self.group, self.tool, rows, self.file, *self.command = line.rstrip("\n").split("\t")
        self.writes = rows.isdigit()
        self.rows = int(rows.lstrip("~"))
        self.bytes = os.stat(self.file).st_size
        self.runs = []


def execute(command, output):
    """In the child: all its threads share one core."""
    try:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.execvp(command[0], command)
    finally:
        os._exit(127)


def run(command, output=os.devnull):
    """CPU seconds, seconds, peak bytes."""
    sys.stdout.flush()
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        execute(command, output)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(f"measure.py: status {os.waitstatus_to_exitcode(status)}: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - begin, usage.ru_maxrss * 1024


def median(values):
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def thousands(number):
    return f"{number:,.0f}".replace(",", " ")


def megabytes(size, floor):
    return f"{size / 1e6:.1f}" if size > floor else f"< {floor / 1e6:.0f}"


def table(*heads):
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))


def print_speed(jobs, floor):
    table("input", "tool", "CPU s (min–max)", "µs of CPU per row", "rows/s of one core", "MB/s",
          "wall s", "peak MB", "CPU, × nbatch")
    for job in jobs:
        base = next(other for other in jobs if other.group == job.group)
        cpu, wall, peak = ([run[at] for run in job.runs] for at in range(3))
        ratios = [one / other[0] for one, other in zip(cpu, base.runs)]
        middle = median(cpu)
        print(f"| {job.group} | {job.tool} | {middle:.3f} ({min(cpu):.3f}–{max(cpu):.3f}) "
              f"| {middle / job.rows * 1e6:.3f} | {thousands(job.rows / middle)} "
              f"| {job.bytes / middle / 1e6:.0f} | {median(wall):.2f} "
              f"| {megabytes(max(peak), floor)} | {median(ratios):.2f} |")


def speed(jobs, rounds, floor):
    for job in jobs:
        run(job.command)  # the files and the programs are in memory from here on
    for turn in range(rounds):
        for at in range(len(jobs)):
            job = jobs[(at + turn) % len(jobs)]
            job.runs.append(run(job.command))
    print_speed(jobs, floor)


def memory(jobs, floor):
    table("input", "rows", "peak MB", "more bytes a row than the line above")
    before = None
    for job in jobs:
        peak = max(run(job.command)[2] for _ in range(MEMORY_REPEATS))
        known = before and before[0] == job.group and min(peak, before[2]) > floor
        growth = f"{(peak - before[2]) / (job.rows - before[1]):.1f}" if known else ""
        print(f"| {job.group} | {thousands(job.rows)} | {megabytes(peak, floor)} | {growth} |")
        before = (job.group, job.rows, peak)


def lines_of(path):
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def requests_told(path):
    """wrk's own count: how many it sends is up to the time that it is given."""
    with open(path, encoding="utf-8") as file:
        return next(int(line.split()[0]) for line in file if " requests in " in line)


def send(job, folder):
    """As run, and the rows that it was for. What it wrote is looked at and removed."""
    paths = [os.path.join(folder, name) for name in ("results.csv", "stdout")]
    named = any("{out}" in word for word in job.command)
    cost = run([word.replace("{out}", paths[0]) for word in job.command], paths[1])
    if job.writes and lines_of(paths[0 if named else 1]) < job.rows:
        sys.exit(f"measure.py: {job.tool}: fewer results than rows")
    rows = job.rows or requests_told(paths[1])
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    return (*cost, rows)


def take_turns(jobs, rounds, folder):
    for job in jobs:
        send(job, folder)
    for turn in range(rounds):
        for at in range(len(jobs)):
            job = jobs[(at + turn) % len(jobs)]
            job.runs.append(send(job, folder))


def print_send(jobs, rounds, folder, floor):
    take_turns(jobs, rounds, folder)
    table("tool", "rows", "CPU, µs a row (min–max)", "rows/s", "peak MB", "CPU of the first line ÷ its")
    for job in jobs:
        each = [cpu / rows * 1e6 for cpu, _, _, rows in job.runs]
        base = [cpu / rows * 1e6 for cpu, _, _, rows in jobs[0].runs]
        rate = median([rows / wall for _, wall, _, rows in job.runs])
        ratio = median([one / other for one, other in zip(base, each)])
        print(f"| {job.tool} | {thousands(median([run[3] for run in job.runs]))} "
              f"| {median(each):.1f} ({min(each):.1f}–{max(each):.1f}) | {thousands(rate)} "
              f"| {megabytes(max(run[2] for run in job.runs), floor)} | {ratio:.3f} |")


def print_grow(jobs, folder, floor):
    table("tool", "rows", "CPU, µs a row", "peak MB", "more bytes a row than the line above")
    before = None
    for job in jobs:
        cpu, _, peak, rows = send(job, folder)
        known = before and before[0] == job.tool and rows > before[1] and min(peak, before[2]) > floor
        growth = f"{(peak - before[2]) / (rows - before[1]):.1f}" if known else ""
        print(f"| {job.tool} | {thousands(rows)} | {cpu / rows * 1e6:.1f} | {megabytes(peak, floor)} "
              f"| {growth} |")
        before = (job.tool, rows, peak)


def print_start(jobs, rounds, folder):
    take_turns(jobs, rounds, folder)
    table("tool", "rows", "start to end, ms (min–max)", "CPU, ms")
    for job in jobs:
        wall = [run[1] * 1e3 for run in job.runs]
        print(f"| {job.tool} | {job.rows} | {median(wall):.1f} ({min(wall):.1f}–{max(wall):.1f}) "
              f"| {median([run[0] * 1e3 for run in job.runs]):.1f} |")


def main():
    what = sys.argv[1:]
    jobs = [Job(line) for line in sys.stdin]
    floor = max(run(["true"])[2] for _ in range(MEMORY_REPEATS)) * 1.05
    if what[:1] == ["speed"] and len(what) == 2 and int(what[1]) > 0:
        speed(jobs, int(what[1]), floor)
    elif what == ["memory"]:
        memory(jobs, floor)
    elif what[:1] == ["send"] and len(what) == 3 and int(what[1]) > 0:
        print_send(jobs, int(what[1]), what[2], floor)
    elif what[:1] == ["grow"] and len(what) == 2:
        print_grow(jobs, what[1], floor)
    elif what[:1] == ["start"] and len(what) == 3 and int(what[1]) > 0:
        print_start(jobs, int(what[1]), what[2])
    else:
        sys.exit(__doc__)


main()
