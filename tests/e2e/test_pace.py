"""The pace against a platform that hides its limit: the simulator's limit, over a real connection and in real time.

The figures that the pace is held to are in tests/unit/test_pace.c, in virtual time. Here they are generous: the machine
may be busy.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import threading
import time
from datetime import datetime

import pytest

from conftest import NBATCH, read_results, wait_for
from peers import OK


def times(path):
    return sorted(datetime.fromisoformat(row["finished_at"].replace("Z", "+00:00")).timestamp()
                  for row in read_results(path) if row["status"] == "accepted")


@pytest.mark.figures
@pytest.mark.parametrize("by", ["errno-15", "http-429-retry-after"])
def test_a_hidden_limit_is_found_and_told(nbatch, fleet, tmp_path, by):
    done = nbatch("run", fleet(2400), f"--simulate=latency=50ms,limit=300/s,burst=30,limit-by={by}", "-o", "out.csv",
                  "--json", "--seed", "1")
    assert done.code == 0, done
    summary = json.loads(done.out)
    assert summary["accepted"] == 2400
    assert 240 < summary["allowed_per_second"] < 330
    assert summary["retries"] < 0.05 * summary["attempts"]
    ends = times(tmp_path / "out.csv")
    last = ends[int(len(ends) * 0.98)]
    counted = [end for end in ends if ends[0] + 2 <= end <= last]
    assert len(counted) / (last - ends[0] - 2) > 0.5 * 300
    assert done.err.count("the platform asks for less") == 1
    assert "outage" not in done.err and "probes" not in done.err


@pytest.mark.figures
def test_the_summary_says_what_the_platform_allowed_and_nothing_where_it_showed_no_limit(nbatch, fleet):
    done = nbatch("run", fleet(400), "--simulate=latency=10ms,limit=100/s,burst=10", "-o", "a.csv")
    assert done.code == 0, done
    told = re.search(r"^the platform allowed about (\d+)/s$", done.err, re.M)
    assert told and 70 < int(told[1]) < 130, done
    done = nbatch("run", fleet(100), "--simulate=latency=10ms", "-o", "b.csv", "--json")
    assert json.loads(done.out)["allowed_per_second"] is None
    assert "allowed about" not in nbatch("run", fleet(100), "--simulate=latency=10ms", "-o", "c.csv").err


@pytest.mark.figures
def test_what_a_run_waits_for_is_told_while_it_goes_on(nbatch, fleet, tmp_path):
    done = nbatch("run", fleet(260), "--simulate=latency=10ms,limit=60/s,burst=5", "-o", "a.csv", "--progress", "always",
                  "--log", "run.jsonl")
    assert done.code == 0 and re.search(r"; the platform takes about \d+/s", done.err), done
    end = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()][-1]
    assert end["event"] == "end" and 30 < end["allowed_per_second"] < 90
    done = nbatch("run", fleet(40), "--simulate=latency=10ms", "-o", "b.csv", "--progress", "always", "--rate", "40/s")
    assert "; held to 40/s" in done.err and "the platform takes" not in done.err, done


@pytest.mark.figures
def test_the_pace_of_the_last_ten_seconds_is_told(nbatch, fleet):
    done = nbatch("run", fleet(480), "--simulate", "-o", "a.csv", "--json", "--ramp", "1/s..40/s:22s")
    assert done.code == 0, done
    late = json.loads(done.out)["rows_per_second_last_10s"]
    told = re.search(r"s \(([\d.]+) rows/s\), in the last ten seconds (\d+) rows/s", done.err)
    assert told and 1.15 * float(told[1]) < int(told[2]) == round(late) < 41, done
    assert json.loads(nbatch("run", fleet(4), "--simulate", "-o", "b.csv", "--json").out)["rows_per_second_last_10s"] is None


@pytest.mark.figures
def test_refusals_by_chance_do_not_slow_a_rate_that_was_asked_for(nbatch, fleet, tmp_path):
    done = nbatch("run", fleet(1200), "--simulate=latency=20ms,fault=errno-15:2%,seed=3", "--rate", "200/s", "-o", "out.csv",
                  "--seed", "1")
    assert done.code == 0, done
    ends = times(tmp_path / "out.csv")
    assert int(len(ends) * 0.95) / (ends[int(len(ends) * 0.95)] - ends[0]) > 0.75 * 200


class SlowToGreet:
    """Speaks TLS on the first connection only, and counts the others, which it leaves waiting for their handshake."""

    def __init__(self, certificate):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.context, self.waiting, self.first = certificate.context(), [], None
        threading.Thread(target=self.serve, daemon=True).start()

    def answer_first(self, connection):
        with contextlib.suppress(OSError):
            self.first = self.context.wrap_socket(connection, server_side=True)
            while self.first.recv(65536):
                self.first.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(OK) + OK)

    def serve(self):
        threading.Thread(target=self.answer_first, args=(self.listener.accept()[0],), daemon=True).start()
        with contextlib.suppress(OSError):
            while True:
                self.waiting.append(self.listener.accept()[0])


@pytest.mark.figures
@pytest.mark.parametrize("places, expected", [(8, 8), (200, 33)])  # 32, and one more for the first, which connected
def test_connections_that_are_being_made_have_a_bound(fleet, tmp_path, authority, certificate, places, expected):
    peer = SlowToGreet(certificate)
    process = subprocess.Popen(
        [NBATCH, "run", str(fleet(4000)), "--endpoint", peer.url, "--cacert", str(authority.ca), "-c", str(places),
         "--no-adaptive", "--connect-timeout", "60s", "--rate", "1000/s", "--burst", "500", "-o", str(tmp_path / "out.csv")],
        env={**os.environ, "NBATCH_API_KEY": "a-key-of-the-tests"}, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(peer.waiting) >= expected - 1)
    time.sleep(1)  # for more, which must not come
    assert expected - 1 <= len(peer.waiting) <= expected, len(peer.waiting)
    process.kill()
    process.wait()


@pytest.mark.parametrize("spec, part", [
    ("limit=300", "such as 300/s"), ("limit=0/s", "such as 300/s"), ("limit=9999999/s", "such as 300/s"),
    ("limit-by=close", "errno-15"), ("limit-by=errno-0", "errno-15"), ("burst=x", "whole number"),
])
def test_settings_of_the_limit_that_are_none(nbatch, fleet, spec, part):
    done = nbatch("run", fleet(1), f"--simulate={spec}")
    assert done.code == 2 and part in done.err and spec.split("=")[0] in done.err, done


def refusing(state, reply, begin, end):
    """A platform that refuses everything from `begin` to `end`, in seconds since its first request."""
    def script(connection, number):
        while (request := connection.read_request()) is not None:
            with connection.peer.lock:
                first = state.setdefault("first", time.monotonic())
            if begin < time.monotonic() - first < end:
                connection.reply(*reply)
                continue
            connection.process(request)
            connection.reply(OK)

    return script


REFUSALS = {"429": (b"", "429 Too Many Requests", []), "503": (b"", "503 Service Unavailable", []),
            "errno": (b'{"errno":15,"error":"api freq out of limit"}',)}


@pytest.mark.figures
@pytest.mark.parametrize("by", ["429", "errno"])
def test_an_outage_that_refuses_everything_says_nothing_of_the_rate(nbatch, fleet, raw_peer, tmp_path, by):
    """It had taken the rate of the probes for the platform's limit: 15 rows a minute, for hours."""
    peer = raw_peer(refusing({}, REFUSALS[by], 1, 5))
    done = nbatch("run", fleet(600), "--endpoint", peer.url, "--rate", "200/s", "-o", "out.csv", "--seed", "1")
    assert done.code == 0 and "answers again" in done.err, done
    ends = times(tmp_path / "out.csv")
    gap, at = max((after - before, before) for before, after in zip(ends, ends[1:]))
    assert len(ends) == 600 and gap > 3 and ends[-1] - at - gap < 20, done


def stubborn(refused, end, by="errno"):
    """A platform that refuses some devices always, and from `end` requests on all of them."""
    count = [0]

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            with connection.peer.lock:
                count[0] += 1
                out = count[0] > end
            if out or refused(int(request.imei[-8:-1])):
                connection.reply(*REFUSALS[by])
                continue
            connection.process(request)
            connection.reply(OK)

    return script


@pytest.mark.figures
@pytest.mark.parametrize("by, code, status", [("errno", 1, "rejected"), ("503", 6, "in_doubt")])
def test_every_fifth_device_that_is_refused_does_not_hold_up_the_others(nbatch, fleet, raw_peer, tmp_path, by, code, status):
    """The rate had fallen to some rows a minute, or the retries had gone one by one: not a matter of seconds, but of hours."""
    peer = raw_peer(stubborn(lambda device: device % 5 == 0, 10**9, by))
    done = nbatch("run", fleet(2500), "--endpoint", peer.url, "-o", "out.csv", "-c", "8", "--seed", "4")
    rows = read_results(tmp_path / "out.csv")
    assert done.code == code and "the platform fails" not in done.err and "allowed about" not in done.err, done
    failed = [row for row in rows if row["status"] == status]
    assert len(rows) == 2500 and len(failed) == 500 and {row["attempts"] for row in failed} == {"5"}, done


@pytest.mark.figures
def test_devices_that_are_always_refused_are_rejected_and_no_outage(nbatch, fleet, raw_peer, tmp_path):
    """They are all that is left in the end, where it had waited for ten minutes, and given them no result."""
    peer = raw_peer(stubborn(lambda device: device % 40 == 0, 10**9))
    done = nbatch("run", fleet(400), "--endpoint", peer.url, "-o", "out.csv", "-c", "8", "--outage-wait", "2s", "--seed", "4")
    rows = read_results(tmp_path / "out.csv")
    assert done.code == 1 and "the platform fails" not in done.err and "allowed about" not in done.err, done
    refused = [row for row in rows if row["status"] == "rejected"]
    assert len(rows) == 400 and len(refused) == 10 and {row["attempts"] for row in refused} == {"5"}, done


@pytest.mark.figures
def test_an_outage_among_such_devices_is_one(nbatch, fleet, raw_peer, tmp_path):
    """The negative control: rows that were not refused before keep their place."""
    peer = raw_peer(stubborn(lambda device: device % 40 == 0, 300))
    done = nbatch("run", fleet(400), "--endpoint", peer.url, "-o", "out.csv", "-c", "8", "--outage-wait", "4s", "--seed", "4")
    rows = read_results(tmp_path / "out.csv")
    assert done.code == 5 and "the platform fails" in done.err and len(rows) < 310, done
