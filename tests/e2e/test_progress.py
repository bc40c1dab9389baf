"""The progress line as a person on a terminal has it, and as a log file has it."""
import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
import time

import pytest
from conftest import HEADER, KEY, NBATCH, row_of, wait_for
from pty_session import PtySession

SLOW = ["--rate", "40/s"]


@pytest.fixture
def terminal(tmp_path):
    started = []

    def start(*words, columns=100, **env):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_") and k != "NO_COLOR"}
        environment.update({"TERM": "xterm", "NBATCH_API_KEY": KEY, **env})
        session = PtySession([NBATCH, *words], cwd=tmp_path, env=environment, columns=columns)
        started.append(session)
        return session

    yield start
    for session in started:
        session.stop()


def lines_of(output):
    """What the live line showed, one after the other, without colours."""
    text = re.sub(rb"\x1b\[\d+m", b"", output).decode()
    return [part.split("\x1b[K")[0] for part in text.split("\r") if not part.startswith("\n") and "\x1b[K" in part]


def test_a_terminal_has_one_live_line(terminal, fleet):
    session = terminal("run", fleet(120), "--simulate=fault=errno-5106:20%,seed=3", *SLOW, columns=150)
    output = session.finish()
    assert session.code == 1
    shown = [line for line in lines_of(output) if line.startswith("sending: [")]
    assert len(shown) >= 3
    assert re.fullmatch(r"sending: \[#*-*\] \d+ % \d+/120, \d+ rows/s, \d+ in flight(, \d+ rejected)?(, .* to go)?(; held to 40/s)?",
                        shown[-1]), shown[-1]
    assert any("rejected" in line for line in shown) and any("to go" in line for line in shown)
    assert b"\x1b[31m" in output and b"\x1b[32m" in output  # colours
    # The line is taken away before the summary.
    assert re.search(rb"\r\x1b\[K\r\n\d+ of 120 rows were accepted", output), output[-500:]


def test_the_line_fits_the_window_also_when_it_changes(terminal, fleet):
    session = terminal("run", fleet(2000), "--simulate", *SLOW, columns=40, NO_COLOR="1")
    at = session.wait_for("rows/s")
    session.resize(20)
    at = session.wait_for("\x1b[K", session.wait_for("\r", at))
    at = session.wait_for("\x1b[K", at)  # this one was drawn for the new width
    session.resize(150)
    narrow_until = at
    at = session.wait_for("to go", session.wait_for("sending: [", at))
    session.kill(signal.SIGINT)
    session.wait_for("stopping")
    output = session.finish()
    assert session.code == 130
    assert all(len(line) <= 39 for line in lines_of(output[:narrow_until]))
    assert lines_of(output[:narrow_until]) and any(len(line) > 60 for line in lines_of(output[narrow_until:]))


def test_a_pause_says_why_on_the_line(terminal, fleet):
    session = terminal("run", fleet(4000), "--simulate", *SLOW)
    session.wait_for("rows/s")
    session.kill(signal.SIGUSR2)
    at = session.wait_for("paused; SIGUSR2 goes on")
    at = session.wait_for("paused: SIGUSR2 goes on", at)
    session.kill(signal.SIGUSR2)
    session.wait_for("going on", at)
    session.kill(signal.SIGTERM)
    session.finish()
    assert session.code == 143


@pytest.mark.parametrize("words,env", [(["--no-color"], {}), ([], {"NO_COLOR": "1"})])
def test_colours_can_be_switched_off(terminal, fleet, words, env):
    session = terminal("run", fleet(60), "--simulate=fault=errno-5106:20%,seed=3", *SLOW, *words, **env)
    output = session.finish()
    assert b"\rsending: [" in output and b"\x1b[3" not in output and b"\x1b[0m" not in output


def test_an_empty_no_color_means_nothing(terminal, fleet):
    output = terminal("run", fleet(60), "--simulate=fault=errno-5106:20%,seed=3", *SLOW, NO_COLOR="").finish()
    assert b"\x1b[31m" in output


@pytest.mark.parametrize("words,env", [(["-q"], {}), (["--progress", "never"], {}), ([], {"TERM": "dumb"}), ([], {"TERM": ""})])
def test_no_live_line_where_none_is_wanted(terminal, fleet, words, env):
    session = terminal("run", fleet(40), "--simulate", *SLOW, *words, **env)
    output = session.finish()
    assert session.code == 0 and b"sending:" not in output and b"\x1b[" not in output


def test_problems_that_are_only_counted_leave_the_line_alone(terminal, tmp_path):
    """Each row but the first has a warning, of which five are shown; the line must stay when those are told."""
    os.mkfifo(tmp_path / "pipe.csv")
    session = terminal("check", "pipe.csv", "--progress", "always", NO_COLOR="1")
    with open(tmp_path / "pipe.csv", "w", encoding="utf-8") as pipe:
        pipe.write(HEADER)
        for _ in range(3):
            pipe.write("".join(row_of(i) for i in range(10000)))
            pipe.flush()
            wait_for(lambda: fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)) == struct.pack("i", 0))
            time.sleep(0.5)
        pipe.write("".join(row_of(i) for i in range(10000)))
    output = session.finish()
    assert output.count(b"[W-TWICE]") == 5
    behind = output[output.rindex(b"[W-TWICE]"):]
    assert behind.count(b"\rchecking pipe.csv: ") >= 2
    assert behind.count(b"\r\x1b[K") == 1  # at the end


def test_problems_are_coloured_for_people_alone(terminal, nbatch, tmp_path):
    (tmp_path / "bad.csv").write_text(HEADER + "1,3311,0,2,+7d,1\n")
    session = terminal("check", "bad.csv")
    output = session.finish()
    assert session.code == 3 and b"\x1b[31mE-IMEI\x1b[0m" in output
    done = nbatch("check", "bad.csv")
    assert "[E-IMEI]" in done.out and "\x1b" not in done.told


def test_a_file_has_plain_lines(nbatch, fleet):
    """Ten seconds are long for a test: SIGUSR1 asks for the same line at once."""
    process = subprocess.Popen([NBATCH, "run", str(fleet(400)), "--simulate", *SLOW], stderr=subprocess.PIPE, text=True)
    first = process.stderr.readline(), process.stderr.readline(), process.stderr.readline()
    assert first[2].startswith("sending 400 rows"), first
    time.sleep(0.5)
    process.send_signal(signal.SIGUSR1)
    line = process.stderr.readline()
    assert re.fullmatch(r"sending: \d+ of 400 rows \(\d+ %\), \d+ rows/s, \d+ in flight(, .* to go)?(; held to 40/s)?\n", line), line
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "\r" not in rest and "\x1b" not in rest
