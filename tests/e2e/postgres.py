"""A PostgreSQL server of Debian's, started for the tests as a user of its own, in a temporary folder with its socket in it.

It ends with the tests, however these end: a shell that is nobody's child waits for the end of a pipe, which the tests hold open.
"""
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE_S = 60
GUARD = """exec 3<&0
(cat <&3; cd /; "$@" stop; rm -rf "$0") 2>/dev/null &"""
MISSING = "there is no PostgreSQL server to test with: .ci/install test installs it (the package postgresql)"


def binaries():
    """Where its programs are, of the newest version."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/pg_ctl"))
    assert found, MISSING
    return Path(found[-1]).parent


class Postgres:
    """start(), stop(mode), and what is asked of it as its superuser."""

    def __init__(self):
        self.bin = binaries()
        # A server refuses to run as root; the package has made a user for it.
        self.own = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.folder = Path(tempfile.mkdtemp(prefix="nbatch-pg-", dir="/tmp"))  # a socket's path is short
        pg_ctl = [*self.own, self.bin / "pg_ctl", "-D", self.data, "-w", "-t", "10", "-m", "immediate"]
        self.guard = subprocess.Popen(["setsid", "sh", "-c", GUARD, self.folder, *pg_ctl], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)
        if self.own:
            shutil.chown(self.folder, "postgres")
        self.folder.chmod(0o755)
        self.call("initdb", "-D", self.data, "-A", "trust", "-U", "admin", "--no-sync", "--locale", "C.UTF-8")
        self.start()
        self.sql("CREATE DATABASE nbatch", database="postgres")
        for name in ("ops", "eye"):
            self.sql(f"CREATE ROLE {name} LOGIN")

    @property
    def data(self):
        return self.folder / "data"

    def call(self, program, *args):
        done = subprocess.run([*self.own, self.bin / program, *map(str, args)], cwd=self.folder, text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr

    def start(self):
        self.call("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o",
                  f"-k {self.folder} -c listen_addresses='' -c max_connections=40 -c shared_buffers=16MB", "start")

    def stop(self, mode="fast"):
        self.call("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def kill(self):
        """As a machine that dies: no process of it ends in order."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in [pid, *map(int, children)]:
            os.kill(process, signal.SIGKILL)
        while any(self.is_alive(process) for process in [pid, *map(int, children)]):
            time.sleep(0.01)
        # Else a process that nobody has waited for passes for a running server.
        for lock in (self.data / "postmaster.pid", *self.folder.glob(".s.PGSQL.*")):
            lock.unlink()

    @staticmethod
    def is_alive(pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    def uri(self, user="ops"):
        return f"postgresql://{user}@/nbatch?host={self.folder}"

    def sql(self, text, database="nbatch"):
        done = subprocess.run(["psql", "-h", self.folder, "-U", "admin", "-d", database, "-AtqX", "-v", "ON_ERROR_STOP=1",
                               "-c", text], text=True, capture_output=True, check=False, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def remove(self):
        self.guard.stdin.close()
        self.guard.stdout.read()  # its end: all is done
        self.guard.wait()
        assert not self.folder.exists()
