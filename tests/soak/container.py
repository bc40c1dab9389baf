#!/usr/bin/python3
"""nbatch in a container: builds src/packaging/Containerfile with podman, and runs what it makes, with the simulator's audit as the oracle.

    tests/soak/container.py build/test/nbatch      as root; some five minutes

Wants podman, buildah and mmdebstrap. The base image is made of Debian's archive, so that no registry is asked; images are kept in a
folder of their own, which is removed. Where crun will not (cgroups that are v1 and v2 at once), --podman "podman --runtime /usr/sbin/runc
--cgroup-manager cgroupfs"; where limits cannot be raised, --run "--ulimit nofile=1024:1024 --ulimit nproc=1024:1024".
--image NAME goes without the build.

A rehearsal; a run; kill -9 in mid-run; podman stop, with enough time and with too little; Ctrl-C on a terminal; a full disk. After
each: the exit status, and that no command was lost, invented or sent twice but where the results say so.
"""
import argparse
import collections
import csv
import os
import pty
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
sys.dont_write_bytecode = True
from conftest import imei as imei_of  # noqa: E402
from peers import Simulator  # noqa: E402

ROOT = Path(__file__).parents[2]
KEY = "MasterKeyForTheContainer0000"
BASE = "docker.io/library/debian:bookworm-slim"


class Box:
    """Podman with a storage of its own, a folder /data, and a simulator on this machine's loopback."""

    def __init__(self, options, folder):
        self.options, self.folder, self.count = options, folder, 0
        folder.chmod(0o755)
        self.podman = [*shlex.split(options.podman), "--storage-driver", "vfs"]
        if not options.image:
            self.podman += ["--root", str(folder / "root"), "--runroot", str(folder / "runroot")]

    def call(self, *words, **more):
        return subprocess.run([*self.podman, *map(str, words)], check=False, text=True, **more)

    def build(self):
        base = self.folder / "base.tar"
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", base], check=True)
        source = self.folder / "source"
        source.mkdir()
        archive = subprocess.run(["git", "-C", ROOT, "archive", "HEAD"], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
        for words in (["import", base, BASE],
                      ["build", "--isolation=chroot", "--network=host", "-t", "nbatch", "-f", "src/packaging/Containerfile", "."]):
            done = self.call(*words, cwd=source, capture_output=True)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return "nbatch"

    def begin(self, rows, *settings, size=None):
        """An empty /data with an input of so many devices, and a platform that has seen nothing."""
        self.count += 1
        self.data = self.folder / f"data{self.count}"
        self.data.mkdir()
        if size:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.data], check=True)
        self.imeis = [imei_of(self.count * 100_000 + i) for i in range(rows)]
        lines = ["imei,obj_id,obj_inst_id,mode,expired_time,res:5850", *(f"{imei},3311,0,2,+1d,true" for imei in self.imeis)]
        (self.data / "fleet.csv").write_text("\n".join(lines) + "\n")
        os.chown(self.data, 65532, 65532)
        self.platform = Simulator(self.options.nbatch, self.folder / f"audit{self.count}", settings)
        self.name = f"nbatch-soak-{os.getpid()}-{self.count}"

    def words(self, *nbatch, tty=False):
        """podman run, as the head of the recipe has it, with the key in the environment."""
        return [*self.podman, "run", "--rm", "--name", self.name, "--network=host", *shlex.split(self.options.run), *(["-it"] if tty else []),
                "-v", f"{self.data}:/data", "-e", "NBATCH_API_KEY", self.options.image, "run", "fleet.csv", "--endpoint",
                self.platform.url, *nbatch]

    def run(self, *nbatch):
        done = subprocess.run(self.words(*nbatch), capture_output=True, text=True, check=False, env={**os.environ, "NBATCH_API_KEY": KEY})
        return done.returncode, done.stderr + done.stdout

    def start(self, *nbatch, rows=20, **more):
        """Begins a run, and comes back when so many rows are in the results."""
        process = subprocess.Popen(self.words(*nbatch, tty="stdin" in more), env={**os.environ, "NBATCH_API_KEY": KEY},
                                   **{"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **more})
        results, limit = self.data / "fleet.results.csv", time.monotonic() + 60
        while not results.exists() or results.read_bytes().count(b"\n") <= rows:
            assert process.poll() is None and time.monotonic() < limit, process.returncode
            time.sleep(0.02)
        return process

    def judge(self):
        """In doubt by the results, and stored twice. What was lost or invented is an error."""
        statuses = {}
        for row in csv.DictReader((self.data / "fleet.results.csv").open()):
            if statuses.get(row["imei"]) != "accepted":
                statuses[row["imei"]] = row["status"]
        stored = collections.Counter(row["imei"] for row in self.platform.audit() if row.get("uuid"))
        in_doubt = {imei for imei, status in statuses.items() if status == "in_doubt"}
        assert set(statuses) == set(self.imeis), f"{len(set(self.imeis) - set(statuses))} without a result"
        assert not set(self.imeis) - set(stored) - in_doubt, "lost"
        assert set(stored) <= set(self.imeis), "invented"
        for path in self.data.rglob("*"):
            assert KEY.encode() not in path.read_bytes(), path
        return len(in_doubt), sum(count - 1 for count in stored.values())


def tell(what):
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


def plain(box):
    box.begin(24)
    done = box.call("run", "--rm", *shlex.split(box.options.run), "-v", f"{box.data}:/data", box.options.image, "run", "fleet.csv",
                    "--simulate", capture_output=True)
    assert done.returncode == 0 and "all 24 rows were accepted" in done.stderr, done
    assert (box.data / "fleet.rehearsal.csv").stat().st_uid == 65532
    tell("a rehearsal: nothing but the image and the folder; the files are the user 65532's")
    code, said = box.run()
    assert code == 0 and box.judge() == (0, 0), said
    tell("a run to a simulator on this machine: 24 accepted, each once")


def killed(box):
    box.begin(2000, "--latency", "20ms")
    process = box.start("--rate", "200/s")
    box.call("kill", "--signal", "KILL", box.name, capture_output=True)
    code = process.wait(60)
    assert code == 137, code
    code, said = box.run("--resume", "--on-ambiguous", "hold")
    in_doubt, twice = box.judge()
    assert code == 6 and in_doubt > 0 and twice == 0, said
    tell(f"kill -9 (137), gone on with in another container: {in_doubt} in doubt, 0 twice, 0 lost")


def stopped(box):
    box.begin(600, "--latency", "3s")
    process = box.start("-c", "50", "--no-adaptive")
    box.call("stop", "--time", "60", box.name, capture_output=True)
    code, said = process.wait(60), process.stderr.read().decode()
    assert code not in (0, 137), said
    assert box.run("--resume", "-c", "200")[0] == 0 and box.judge() == (0, 0)
    tell(f"podman stop --time 60 ({code}): the requests in flight were waited for; gone on with: 0 in doubt, 0 twice, 0 lost")
    box.begin(200, "--latency", "8s")
    process = box.start("-c", "50", "--no-adaptive", rows=0)
    time.sleep(2)
    box.call("stop", "--time", "1", box.name, capture_output=True)
    assert process.wait(60) == 137
    code, said = box.run("--resume", "-c", "200", "--on-ambiguous", "hold")
    in_doubt, twice = box.judge()
    assert code == 6 and in_doubt > 0 and twice == 0, said
    tell(f"podman stop --time 1, the control: {in_doubt} in doubt")


def interrupted(box):
    box.begin(2000, "--latency", "200ms")
    ours, theirs = pty.openpty()
    process = box.start("--rate", "100/s", stdin=theirs, stdout=theirs, stderr=theirs)
    os.write(ours, b"\x03")
    os.set_blocking(ours, False)
    said, limit = b"", time.monotonic() + 60
    while process.poll() is None and time.monotonic() < limit:
        try:
            said += os.read(ours, 65536)
        except BlockingIOError:
            time.sleep(0.05)
    assert process.returncode == 130 and b"\r" in said, (process.returncode, said[-2000:])
    assert box.run("--resume")[0] == 0 and box.judge() == (0, 0)
    tell("Ctrl-C on a terminal (130), gone on with: 0 in doubt, 0 twice, 0 lost")


def full(box):
    box.begin(20_000, size="3m")
    try:
        code, said = box.run()
        assert code == 7 and "No space left" in said, (code, said[-2000:])
        subprocess.run(["mount", "-o", "remount,size=64m", box.data], check=True)
        code, said = box.run("--resume", "--on-ambiguous", "hold")
        in_doubt, twice = box.judge()
        assert code in (0, 6) and twice == 0, (code, said[-2000:])
    finally:
        subprocess.run(["umount", box.data], check=False)
    tell(f"a full disk (7), gone on with once there was room: {in_doubt} in doubt, 0 twice, 0 lost")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nbatch", help="the program whose simulator is the platform")
    parser.add_argument("--podman", default="podman")
    parser.add_argument("--run", default="", help="options of podman run")
    parser.add_argument("--image")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        box = Box(options, Path(folder))
        if not options.image:
            options.image = box.build()
            tell("the recipe is built as it is")
        for step in (plain, killed, stopped, interrupted, full):
            step(box)


if __name__ == "__main__":
    main()
