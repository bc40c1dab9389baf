#!/usr/bin/python3
"""Counts what a row of a run costs in instructions and system calls, which no busy machine changes.

    bench/counts.py --nbatch PATH                 prints both
    bench/counts.py --nbatch PATH --build NAME    compares them with what is recorded for that build
    bench/counts.py --nbatch PATH --build NAME --record    records them

Both are marginal, from a run of 1000 rows to one of 3000: callgrind's instructions, and strace's
calls of all threads. The peer answers only when as many requests wait as may be in flight, all of
them at once, so that client and peer meet in the same steps however fast either is. A figure that
is more than a tenth above the recorded one is a failure; bench/counts.sh does all of it.
"""
import argparse
import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORDED = HERE / "counts.txt"
FEW, MANY, IN_FLIGHT = 1000, 3000, 50  # rows, rows, and requests in flight, which divides both
TOLERANCE = 1.10
PATIENCE_S = 5  # a peer that gets no further request answers those that wait

ANSWER = b'{"errno":0,"error":"succ","data":{"uuid":"42742677-adc3-54ca-83a1-000000000000"}}'
REPLY = (b"HTTP/1.1 200 OK\r\nServer: peer\r\nContent-Type: application/json\r\n"
         b"Content-Length: %d\r\nConnection: keep-alive\r\n\r\n%s" % (len(ANSWER), ANSWER))


class Peer:
    """Answers IN_FLIGHT requests at a time, in a thread, until stop()."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.wake, self.woken = socket.socketpair()
        self.selector.register(self.woken, selectors.EVENT_READ)
        self.buffers, self.waiting, self.answered = {}, [], 0
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            ready = self.selector.select(PATIENCE_S)
            for key, _ in ready:
                if key.fileobj is self.woken:
                    return
                if key.fileobj is self.listener:
                    self.accept()
                else:
                    self.read(key.fileobj)
            if self.waiting and (len(self.waiting) >= IN_FLIGHT or not ready):
                self.answer()

    def accept(self):
        connection, _ = self.listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffers[connection] = b""
        self.selector.register(connection, selectors.EVENT_READ)

    def read(self, connection):
        try:
            data = connection.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.selector.unregister(connection)
            connection.close()
            del self.buffers[connection]
            return
        head, blank, body = (self.buffers[connection] + data).partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if blank and len(body) >= (int(length[1]) if length else 0):
            self.buffers[connection] = b""
            self.waiting.append(connection)
        else:
            self.buffers[connection] = head + blank + body

    def answer(self):
        for connection in self.waiting:
            self.answered += 1
            try:
                connection.sendall(REPLY.replace(b"000000000000", b"%012d" % self.answered))
            except OSError:
                pass
        self.waiting = []

    def stop(self):
        self.wake.send(b"x")
        self.thread.join()
        for connection in [*self.buffers, self.listener, self.wake, self.woken]:
            connection.close()


def run(nbatch, rows, wrapper, folder):
    """A run of so many rows under a tool; returns what the tool said."""
    peer = Peer()
    said, results = folder / "said", folder / "results.csv"
    env = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_") and "proxy" not in k.lower()}
    env["NBATCH_API_KEY"] = "a-key-of-the-bench"
    try:
        done = subprocess.run([*wrapper(said), nbatch, "run", "-q", str(folder / f"{rows}.csv"), "--endpoint",
                               peer.url, "-o", str(results), "-c", str(IN_FLIGHT),
                               # All of them from the start on: the peer waits for so many.
                               "--no-adaptive"],
                              env=env, capture_output=True, text=True, check=False, timeout=300)
    finally:
        peer.stop()
    if done.returncode != 0 or peer.answered != rows:
        sys.exit(f"counts.py: status {done.returncode}, {peer.answered} of {rows} answered: {done.stderr[-2000:]}")
    for path in folder.glob("results*"):
        path.unlink()
    return said.read_text(encoding="utf-8") + done.stderr


def instructions(nbatch, rows, folder):
    told = run(nbatch, rows, lambda said: ["valgrind", "--tool=callgrind", f"--log-file={said}",
                                           "--callgrind-out-file=/dev/null"], folder)
    return int(re.search(r"Collected : (\d+)", told)[1])


def system_calls(nbatch, rows, folder):
    told = run(nbatch, rows, lambda said: ["strace", "-f", "-c", "-o", str(said)], folder)
    return int(re.search(r"^ *100\.00 +\S+ +\S+ +(\d+) .*total$", told, re.M)[1])


MEASURES = {"instructions": (instructions, 0), "system calls": (system_calls, 2)}  # digits to print
TOOLS = ("valgrind", "strace")


def measure(nbatch):
    """The cost of a row by measure."""
    with tempfile.TemporaryDirectory(prefix="nbatch-counts.") as name:
        folder = Path(name)
        for rows in (FEW, MANY):
            subprocess.run([sys.executable, str(HERE / "make_input.py"), str(rows), str(folder / f"{rows}.csv"),
                            str(folder / f"{rows}.jsonl")], check=True)
        return {what: round((count(nbatch, MANY, folder) - count(nbatch, FEW, folder)) / (MANY - FEW), digits)
                for what, (count, digits) in MEASURES.items()}


def read_recorded(path=RECORDED):
    """{build: {measure: figure}} of a file with lines such as "test: instructions 101245"."""
    recorded = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        found = re.fullmatch(r"(\w+): ([a-z ]+) ([\d.]+)", line)
        if found:
            recorded.setdefault(found[1], {})[found[2]] = float(found[3])
    return recorded


def record(build, figures):
    recorded = read_recorded() if RECORDED.exists() else {}
    recorded[build] = figures
    with open(RECORDED, "w", encoding="utf-8") as file:
        file.write("# What a row of a run costs; written by bench/counts.sh --record.\n")
        for name in sorted(recorded):
            for what, (_, digits) in MEASURES.items():
                file.write(f"{name}: {what} {recorded[name][what]:.{digits}f}\n")


def grown(figures, recorded):
    """What has grown by more than a tenth, in words."""
    return [f"{figures[what]:g} {what} a row, recorded are {recorded[what]:g}: if that is meant, "
            "bench/counts.sh --record" for what in figures if figures[what] > recorded[what] * TOLERANCE]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nbatch", required=True)
    parser.add_argument("--build")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        sys.exit(f"counts.py: no {' and no '.join(missing)}")
    figures = measure(options.nbatch)
    for what, (_, digits) in MEASURES.items():
        print(f"{options.build or options.nbatch}: {what} {figures[what]:.{digits}f}")
    if options.record:
        record(options.build, figures)
    elif options.build:
        sys.exit("\n".join(grown(figures, read_recorded()[options.build])) or 0)


if __name__ == "__main__":
    main()
