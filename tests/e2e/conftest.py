"""What the end-to-end tests share: the program, inputs, and the servers that it is run against."""
import csv
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from peers import Nginx, Proxy, RawPeer, Simulator  # noqa: E402
from tls import Authority  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
NBATCH = os.environ.get("NBATCH", str(ROOT / "build/test/nbatch"))
UNGUARDED = os.environ.get("NBATCH_UNGUARDED", str(ROOT / "build/test/tests/nbatch-unguarded"))
KEY = "test-master-key-0123456789="


def pytest_configure(config):
    config.addinivalue_line("markers", "figures: what is looked at is a rate or a latency, which a sanitizer changes")


def wait_for(condition, seconds=60):
    """Until it is so. The time is patience with a busy machine, and nothing that is tested."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not come about"
        time.sleep(0.02)


class Done:
    """A finished call of the program."""

    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr
        self.told = self.out + self.err  # of a check, the report is what was asked for: standard output

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out[-3000:]}\n--- stderr\n{self.err[-3000:]}"


def luhn(number14):
    total = 0
    for i, c in enumerate(reversed(number14)):
        n = int(c) * (2 if i % 2 == 0 else 1)
        total += n - 9 if n > 9 else n
    return number14 + str(-total % 10)


def imei(i):
    return luhn(f"86{i:012d}")


HEADER = "imei,obj_id,obj_inst_id,mode,expired_time,res:5850\n"


def row_of(i, value=None):
    return f"{imei(i)},3311,0,2,+7d,{i if value is None else value}\n"


@pytest.fixture
def nbatch(tmp_path):
    """Runs the program in an empty folder: nbatch("check", "x.csv", stdin=…, env=…)."""

    def run(*args, stdin=None, env=None, binary=NBATCH, timeout=300, cwd=tmp_path, text=True, file_limit=None):
        environment = {k: v for k, v in os.environ.items()
                       if not k.startswith("NBATCH_") and "proxy" not in k.lower()}
        environment["NBATCH_API_KEY"] = KEY
        environment.update(env or {})
        environment = {k: v for k, v in environment.items() if v is not None}
        options = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        if file_limit is not None:  # bytes, soft and hard, of each file that is written
            options["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, file_limit)
        process = subprocess.run([binary, *map(str, args)], cwd=cwd, env=environment, timeout=timeout,
                                 capture_output=True, text=text, check=False, **options)
        return Done(process)

    run.binary = NBATCH
    return run


@pytest.fixture
def fleet(tmp_path):
    """Writes a CSV with n good rows and returns its path."""

    def write(n, name="fleet.csv", first=1):
        path = tmp_path / name
        with open(path, "w", encoding="utf-8") as f:
            f.write(HEADER)
            f.writelines(row_of(i) for i in range(first, first + n))
        return path

    return write


@pytest.fixture
def fleet_jsonl(tmp_path):
    def write(n, name="fleet.jsonl", first=1):
        path = tmp_path / name
        with open(path, "w", encoding="utf-8") as f:
            for i in range(first, first + n):
                f.write(json.dumps({"imei": imei(i), "obj_id": 3311, "obj_inst_id": 0, "mode": 2,
                                    "expired_time": "+7d", "data": [{"res_id": 5850, "val": i}]}) + "\n")
        return path

    return write


def read_results(path):
    """The rows of a results file, as dicts with the CSV's texts ("" for what JSONL calls null)."""
    path = Path(path)
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def read_audit(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def simulator(tmp_path):
    """Starts simulators: simulator("--fault", "reset:10%") returns one with .url, .audit() and .stop()."""
    started = []

    def start(*options):
        sim = Simulator(NBATCH, tmp_path / f"audit{len(started)}.jsonl", options)
        started.append(sim)
        return sim

    yield start
    for sim in started:
        sim.stop()


@pytest.fixture
def nginx(tmp_path):
    started = []

    def start(**options):
        server = Nginx(tmp_path / f"nginx{len(started)}", **options)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def raw_peer():
    """Starts raw peers: raw_peer(script) where script(connection, n) serves the n-th connection."""
    started = []

    def start(script, **options):
        peer = RawPeer(script, **options)
        started.append(peer)
        return peer

    yield start
    for peer in started:
        peer.stop()


@pytest.fixture
def proxy():
    """Starts a forwarding proxy: proxy() has .url, .requests and .heads."""
    started = []

    def start(**options):
        server = Proxy(**options)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority):
    """Good for 127.0.0.1, localhost and platform.test."""
    return authority.issue()
