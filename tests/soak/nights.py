#!/usr/bin/python3
"""Nights of nbatch@.timer on a Debian 12 of its own, booted by systemd-nspawn, with the simulator's audit as the oracle.

    .ci/package && tests/soak/nights.py build/package/nbatch_*.deb      as root; some five minutes

Wants systemd-container and mmdebstrap. The package is installed there, and a timer that comes every few seconds stands
for the nights: one that goes well, one with yesterday's file, a wrong file, no key, one that is killed, one that a reboot cuts, one
that a power cut cuts, a full disk, one whose machine is off. After each: what the unit, its log, the metrics, OnFailure= and the
link say, and that no command was lost or sent twice.
"""
import argparse
import collections
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
sys.dont_write_bytecode = True
from conftest import imei as imei_of  # noqa: E402
from peers import Simulator  # noqa: E402

KEY = "MasterKeyForTheNights0000000"
EVERY = "*-*-* *:*:00/20"
PACKAGES = "systemd,systemd-sysv,dbus,ca-certificates"


class Machine:
    """A Debian in a folder; boot(), off(), cut() as a power cut does, and what runs in it."""

    def __init__(self, root):
        self.root, self.process = root, None

    def boot(self):
        self.process = subprocess.Popen(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "-D", self.root],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: self.leader() and self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded"),
              "the machine has booted")

    def leader(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return children[-1] if children else None

    def run(self, *words, check=False):
        return subprocess.run(["nsenter", "-a", "-t", self.leader(), "--", *map(str, words)], capture_output=True, text=True, check=check)

    def off(self, how="poweroff"):
        self.run("systemctl", how)
        self.process.wait(60)

    def cut(self):
        os.kill(int(self.leader()), signal.SIGKILL)
        self.process.wait(60)


def until(is_so, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


class Nights:
    def __init__(self, machine, peer):
        self.machine, self.peer = machine, peer
        self.folder = machine.root / "var/lib/nbatch/meters"
        self.next_imei = 0
        self.sent = set()

    def new_input(self, rows):
        lines = ["imei,obj_id,obj_inst_id,mode,expired_time,res:5700"]
        for _ in range(rows):
            self.sent.add(imei_of(self.next_imei))
            lines.append(f"{imei_of(self.next_imei)},3200,0,2,+7d,21")
            self.next_imei += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "input.csv").write_text("\n".join(lines) + "\n")
        (self.folder / "input.csv").chmod(0o644)

    def events(self):
        path = self.folder / "log.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def ends(self):
        return [event for event in self.events() if event["event"] in ("end", "refused")]

    def failures(self):
        return self.machine.run("journalctl", "-t", "nbatch-meters-failed", "-o", "cat", "--no-pager").stdout

    def stored(self):
        """How often each device's command was stored."""
        lines = self.peer.audit_path.read_text().rpartition("\n")[0].splitlines() if self.peer.audit_path.exists() else []
        return collections.Counter(line["imei"] for line in map(json.loads, lines) if line.get("uuid"))

    def timer(self, what):
        self.machine.run("systemctl", what, "--now", "nbatch@meters.timer", check=True)

    def night(self, code):
        """Waits for the timer to come, and for the service to end."""
        before = len(self.ends())
        self.timer("enable")
        until(lambda: len(self.ends()) > before, "a night has ended")
        self.timer("disable")
        until(lambda: self.state()[0] in ("inactive", "failed"), "the service has ended")
        assert self.ends()[-1]["exit_status"] == code, self.ends()[-1]
        assert (self.state()[1] == str(code)), self.state()
        return self.ends()[-1]

    def start(self):
        """Begins a night that is to be cut short, and waits for its first hundred commands."""
        before = sum(self.stored().values())
        self.machine.run("systemctl", "start", "--no-block", "nbatch@meters.service", check=True)
        until(lambda: sum(self.stored().values()) > before + 100, "a hundred commands are sent")

    def state(self):
        """What systemd says of the service, and the exit status of its last start."""
        shown = self.machine.run("systemctl", "show", "nbatch@meters.service").stdout
        values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        return values.get("ActiveState"), values.get("ExecMainStatus")

    def metrics(self):
        """As Prometheus would read them."""
        program = ("import sys; from prometheus_client.parser import text_string_to_metric_families as read\n"
                   "print({s.name: s.value for f in read(sys.stdin.read()) for s in f.samples if 'status' not in s.labels})")
        text = (self.folder / "meters.prom").read_text()
        done = subprocess.run([sys.executable, "-c", program], input=text, capture_output=True, text=True, check=True)
        return eval(done.stdout)  # pylint: disable=eval-used

    def latest(self):
        return (self.folder / "meters.latest.results.csv").resolve().read_text().splitlines()

    def check_sent(self):
        """Nothing is lost but what the results call in doubt, and nothing was stored twice. How many are in doubt."""
        stored = self.stored()
        in_doubt = {imei for imei, status in statuses_that_count(self.latest()).items() if status == "in_doubt"}
        lost = self.sent - set(stored) - in_doubt
        assert not lost and set(stored) <= self.sent, f"{len(lost)} lost, {len(set(stored) - self.sent)} invented"
        again = sum(count - 1 for count in stored.values())
        assert again == 0, f"{again} were stored twice"
        return len(in_doubt)


def statuses_that_count(lines):
    """By device: an accepted line counts, else the last one."""
    statuses = {}
    for row in csv.DictReader(lines):
        if statuses.get(row["imei"]) != "accepted":
            statuses[row["imei"]] = row["status"]
    return statuses


def install(root, package, endpoint):
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}",
                    f"--customize-hook=upload {package} /tmp/nbatch.deb",
                    '--customize-hook=chroot "$1" apt-get install -y -qq /tmp/nbatch.deb', "bookworm", root], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    etc = root / "etc/nbatch"
    etc.mkdir()
    (etc / "meters.yaml").write_text(f"endpoint: {endpoint}\nrate: 200/s\nexpect-rows: 10..5000\nmetrics-file: meters.prom\n"
                                     "on-ambiguous: hold\nkeep: 30d\n")
    (etc / "meters.key").write_text(KEY + "\n")
    (etc / "meters.key").chmod(0o600)
    units = root / "etc/systemd/system"
    shutil.copy(Path(__file__).parents[2] / "src/packaging/examples/nbatch-failed@.service", units)
    (units / "nbatch@.service.d").mkdir()
    (units / "nbatch@.service.d/tell.conf").write_text("[Unit]\nOnFailure=nbatch-failed@%i.service\n")
    (units / "nbatch@meters.timer.d").mkdir()
    (units / "nbatch@meters.timer.d/often.conf").write_text(f"[Timer]\nOnCalendar=\nOnCalendar={EVERY}\nAccuracySec=1s\n")


def tell(what):
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


def go_through(nights):
    machine = nights.machine

    nights.new_input(300)
    nights.night(0)
    nights.check_sent()
    assert len(nights.latest()) == 301 and nights.failures() == ""
    success = nights.metrics()["nbatch_last_success_time_seconds"]
    assert time.time() - success < 60
    tell("a night that goes well: 300 accepted, the link leads to them, nobody is told")

    end = nights.night(3)
    assert "sent before" in end["why"], end
    until(lambda: "sent before" in nights.failures(), "OnFailure= has told", 20)
    assert nights.metrics()["nbatch_last_success_time_seconds"] == success
    nights.check_sent()
    tell("yesterday's file: refused, nothing sent, OnFailure= tells why, the last success is still the one before")

    (nights.folder / "input.csv").write_text("imei,obj_id\n123,x\n")
    end = nights.night(3)
    nights.check_sent()
    tell(f"a wrong file: nothing sent ({end.get('why', end)})")

    key = machine.root / "etc/nbatch/meters.key"
    key.rename(key.with_suffix(".away"))
    nights.new_input(300)
    machine.run("systemctl", "start", "nbatch@meters.service")
    assert nights.state()[0] == "failed", nights.state()
    key.with_suffix(".away").rename(key)
    nights.night(0)
    nights.check_sent()
    tell("no key: the unit fails and says so; with the key it is sent")

    nights.new_input(1000)
    nights.start()
    machine.run("systemctl", "kill", "-s", "KILL", "nbatch@meters.service")
    until(lambda: nights.state()[0] == "failed", "the kill is seen")
    told = nights.failures()
    assert nights.metrics()["nbatch_last_success_time_seconds"] > success
    nights.night(6)
    until(lambda: nights.failures() != told, "OnFailure= has told", 20)
    tell(f"killed, and gone on with: {nights.check_sent()} in doubt, 0 twice, 0 lost")
    settle(nights)

    nights.new_input(1000)
    nights.start()
    machine.off("reboot")
    machine.boot()
    nights.night(0)
    nights.check_sent()
    tell("cut by a reboot, gone on with after it: the rows in flight were waited for, 0 in doubt, 0 twice, 0 lost")

    nights.new_input(1000)
    nights.start()
    machine.cut()
    machine.boot()
    nights.night(6)
    tell(f"the machine died, gone on with after it: {nights.check_sent()} in doubt, 0 twice, 0 lost")
    settle(nights)

    fill(nights)

    count = len(nights.ends())
    nights.timer("enable")
    machine.off()
    time.sleep(25)
    machine.boot()
    time.sleep(1)
    assert machine.run("systemctl", "is-enabled", "nbatch@meters.timer").stdout.strip() == "enabled"
    age = time.time() - nights.metrics()["nbatch_last_success_time_seconds"]
    assert age > 25, age
    nights.timer("disable")
    tell(f"a machine that was off: the timer comes again by itself ({len(nights.ends()) - count} since), "
         f"and the age of the last success is {age:.0f} s, which the alert NbatchNoSuccess goes by")

    for path in nights.folder.rglob("*"):
        assert path.is_symlink() or KEY.encode() not in path.read_bytes(), path
    assert KEY not in machine.run("journalctl", "--no-pager").stdout
    tell("the key is in no file of the job and not in the journal")


def settle(nights):
    """What an operator does in the morning: ask the history for what is in doubt, and send what was not processed."""
    def command(words):
        done = nights.machine.run("sh", "-c", f"cd /var/lib/nbatch/meters && NBATCH_API_KEY_FILE=/etc/nbatch/meters.key nbatch {words}")
        assert done.returncode == 0, done.stderr

    command(f"verify meters.latest.results.csv --endpoint {nights.peer.url} --settle 0s,1s --yes")
    missing = nights.sent - set(nights.stored())
    if missing:
        command("run --resume=failed -o $(readlink meters.latest.results.csv) --config /etc/nbatch/meters.yaml --job meters input.csv")
    left = nights.check_sent()
    stored = set(nights.stored())
    assert left == 0, f"{left} are in doubt still"
    assert stored == nights.sent, f"{len(nights.sent - stored)} are not there"
    tell(f"    nbatch verify, and --resume=failed for the {len(missing)} that were not processed: nothing is in doubt any more, 0 twice, 0 lost")


def fill(nights):
    """A disk that gets full while rows are sent, and has room again for the next night."""
    machine = nights.machine
    inside = machine.run("readlink", "-f", "/var/lib/nbatch/meters").stdout.strip()
    nights.new_input(3000)
    mount = (f"set -e; cp -a {inside} /root/kept; mount -t tmpfs -o size=4M,mode=750 none {inside}; chown --reference=/root/kept {inside}; "
             f"cp -a /root/kept/input.csv /root/kept/log.jsonl {inside}/; "
             f"dd if=/dev/zero of={inside}/filler bs=1k count=$(($(df --output=avail -k {inside} | tail -n 1) - 1100)) status=none")
    machine.run("sh", "-c", mount, check=True)
    machine.run("systemctl", "start", "nbatch@meters.service")
    assert nights.state() == ("failed", "7"), nights.state()
    until(lambda: "No space left" in nights.failures(), "OnFailure= has told", 20)
    accepted = sum(nights.stored().values())
    # Read in the machine: from outside there is what the mount hides.
    code = machine.run("sh", "-c", f"rm {inside}/filler; systemctl start nbatch@meters.service; systemctl show nbatch@meters.service -P ExecMainStatus; "
                       f"cat {inside}/meters.latest.results.csv > /root/latest.csv; umount {inside}").stdout.strip()
    nights.latest = lambda: (machine.root / "root/latest.csv").read_text().splitlines()
    tell(f"a full disk, behind {accepted} of all commands, then room: exit status {code}, {nights.check_sent()} in doubt, 0 twice, 0 lost")
    del nights.latest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("package", type=Path)
    parser.add_argument("--nbatch", default="build/package/nbatch", help="the program that simulates")
    options = parser.parse_args()
    assert os.geteuid() == 0, "wants root: systemd-nspawn boots a machine"
    folder = Path(tempfile.mkdtemp(prefix="nbatch-nights-"))
    root = folder / "machine"
    peer = Simulator(options.nbatch, folder / "audit.jsonl", ["--api-key-file", key_file(folder)])
    machine = Machine(root)
    try:
        tell("making a Debian 12")
        install(root, options.package, peer.url)
        machine.boot()
        go_through(Nights(machine, peer))
    except BaseException:
        print(machine.run("journalctl", "-n", "8", "--no-pager").stdout)
        raise
    finally:
        if machine.process and machine.process.poll() is None:
            machine.cut()
        peer.stop()
        shutil.rmtree(folder, ignore_errors=True)


def key_file(folder):
    path = folder / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    return str(path)


if __name__ == "__main__":
    main()
