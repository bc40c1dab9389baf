#!/usr/bin/python3
"""Runs commands one after the other on one core, and prints what they cost as a Markdown table.

    measure.py speed ROUNDS < jobs     every command once per round; the order turns with the rounds
    measure.py memory < jobs           every command three times: peak memory, its growth by rows

A line of jobs has tabs between its fields: the group, the tool's name, the rows, the input file,
and then the command, an argument a field. The first job of a group is what the others are compared
with. Costs are those of the whole process, from wait4: user and system time, and peak resident
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
        self.rows = int(rows)
        self.bytes = os.stat(self.file).st_size
        self.runs = []


def execute(command):
    """In the child: its output is of no interest, and all its threads share one core."""
    try:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.execvp(command[0], command)
    finally:
        os._exit(127)


def run(command):
    """CPU seconds, seconds, peak bytes."""
    sys.stdout.flush()
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        execute(command)
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


def main():
    what = sys.argv[1:]
    jobs = [Job(line) for line in sys.stdin]
    floor = max(run(["true"])[2] for _ in range(MEMORY_REPEATS)) * 1.05
    if what[:1] == ["speed"] and len(what) == 2 and int(what[1]) > 0:
        speed(jobs, int(what[1]), floor)
    elif what == ["memory"]:
        memory(jobs, floor)
    else:
        sys.exit(__doc__)


main()
