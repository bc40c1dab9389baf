"""What a stranger types and is told in the first minutes: readers that go away, words that are asked about, hints."""
import json
import os
import re
import subprocess

import pytest
from conftest import NBATCH, ROOT
from pty_session import PtySession


def until_closed(words, cwd):
    """Runs the program with a standard output that nobody reads."""
    r, w = os.pipe()
    os.close(r)
    done = subprocess.run([NBATCH, *words], cwd=cwd, stdout=w, stderr=subprocess.PIPE, text=True, check=False,
                          stdin=subprocess.DEVNULL, env={k: v for k, v in os.environ.items() if not k.startswith("NBATCH_")})
    os.close(w)
    return done


@pytest.mark.parametrize("words", ["results r.csv", "report r.csv -o -", "check fleet.csv", "check fleet.csv --json",
                                   "check fleet.csv --problems -", "check --fix fleet.csv", "template", "help", "help rate",
                                   "--help", "run --help", "help man", "completion bash", "version", "config"])
def test_a_reader_that_goes_away_ends_it_without_a_word(nbatch, fleet, tmp_path, words):
    fleet(20)
    assert nbatch("run", "fleet.csv", "--simulate", "-o", "r.csv").code == 0
    done = until_closed(words.split(), tmp_path)
    assert done.returncode in (-13, 141) and "ipe" not in done.stderr, done


def test_what_has_an_end_to_reach_reaches_it_without_a_reader(fleet, tmp_path):
    fleet(20)
    done = until_closed(["run", "fleet.csv", "--simulate", "--json", "-o", "r.csv"], tmp_path)
    assert done.returncode == 141 and "ipe" not in done.stderr and "20 of 20 rows accounted for" in done.stderr, done
    done = until_closed(["check", "fleet.csv", "--split-valid", "good.csv"], tmp_path)
    assert done.returncode == 141 and (tmp_path / "good.csv").read_text() == (tmp_path / "fleet.csv").read_text()


def test_other_errors_of_the_output_are_told(nbatch, fleet, tmp_path):
    """Negative control: what ends quietly is a reader that is gone, not a disk that is full."""
    fleet(20)
    nbatch("run", "fleet.csv", "--simulate", "-o", "r.csv")
    for words in (["results", "r.csv"], ["check", "fleet.csv"], ["template"], ["help"]):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([NBATCH, *words], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 7 and "No space left" in done.stderr, done


def words_of_the_tables():
    """As the sources have them."""
    platform, ledger = ROOT / "src/platform", ROOT / "src/ledger/result_line.h"
    statuses = re.findall(r'X\(\w+, "(\w+)"\)', (ROOT / "src/core/row_status.h").read_text())
    states = re.findall(r'\[COMMAND_\w+\] = \{"([\w ]+)"', (platform / "delivery.c").read_text())
    codes = re.findall(r'"([EW]-[A-Z0-9-]+)"', (platform / "problem.h").read_text())
    columns = re.findall(r'X\(\w+, "(\w+)"', ledger.read_text())
    parameters = re.findall(r'\[PARAM_\w+\] = \{"(\w+)"', (platform / "rules.c").read_text())
    faults = re.findall(r'^    \{"([a-zA-Z0-9_-]+)"', (ROOT / "src/sim/faults.c").read_text(), re.M)
    for words, least in ((statuses, 5), (states, 6), (codes, 40), (columns, 12), (parameters, 9), (faults, 10)):
        assert len(words) >= least, words
        yield from words


def test_every_word_of_the_tables_is_explained(nbatch):
    for word in words_of_the_tables():
        done = nbatch("help", word)
        assert done.code == 0 and word.lower() in done.out.lower() and done.err == "", done


def test_other_words_are_explained_or_answered(nbatch):
    for word, said in (("res:5850", "a column of an input"), ("http-404", "a fault"), ("NBATCH_RATE", "--rate"), ("5106", "UNSUCESS"),
                       ("exit", "129, 130, 143"), ("template", "nbatch template"), ("ACCEPTED", "a status of a row")):
        done = nbatch("help", word)
        assert done.code == 0 and said in done.out, done
    assert nbatch("help", "statuses", "failed").out.startswith("failed:")
    assert "SIGINT" in nbatch("help", "exit", "130").out
    for word, near in (("acepted", "accepted"), ("E-IMEl", "E-IMEI"), ("rsults", "results"), ("exprired_time", "expired_time")):
        done = nbatch("help", word)
        assert done.code == 2 and f"did you mean nbatch help {near}?" in done.err, done
    assert nbatch("help", "xyzzyplugh").code == 2


def test_a_manual_page_is_read_on_a_terminal_and_raw_in_a_pipe(nbatch, tmp_path):
    (tmp_path / "man").write_text('#!/bin/sh\necho "shown by man $*"\ncat >/dev/null\n')
    (tmp_path / "man").chmod(0o755)
    session = PtySession([NBATCH, "help", "man"], env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert b"shown by man -l -" in session.finish() and session.code == 0
    session = PtySession([NBATCH, "help", "man"], env={**os.environ, "PATH": "/nowhere"})
    assert b"man-db" in session.finish() and session.code == 7
    assert nbatch("help", "man").out.startswith('.')


@pytest.mark.parametrize("words,hint", [
    (["--key", "x"], "--api-key-file FILE, or set NBATCH_API_KEY"), (["--api-key=x"], "--api-key-file FILE"),
    (["--token", "x"], "--api-key-file FILE"), (["--threads", "3"], "did you mean --concurrency?"), (["--qps", "3"], "did you mean --rate?"),
    (["--api-key-file", "none.key"], "No such file or directory; make one that only you can read")])
def test_what_is_meant_by_an_option_is_told(nbatch, fleet, words, hint):
    fleet(1)
    done = nbatch("run", "fleet.csv", *words)
    assert done.code in (2, 4) and hint in done.err, done


@pytest.mark.parametrize("command", ["results", "report", "verify", "cancel", "status"])
def test_results_that_are_not_there_are_a_matter_of_usage(nbatch, tmp_path, command):
    (tmp_path / "k").write_text("k")
    (tmp_path / "k").chmod(0o600)
    key = [] if command in ("results", "report") else ["--api-key-file", "k", "--endpoint", "http://127.0.0.1:1"]
    done = nbatch(command, "none.csv", *key)
    assert done.code == 2 and "none.csv: No such file" in done.err, done


@pytest.mark.parametrize("answers,code", [(["y\n", "yes\n"], 0), (["y\n", "y\n"], 3), (["Yes\n"], 0), (["n\n"], 3)])
def test_the_letter_y_gets_a_second_chance(tmp_path, answers, code):
    (tmp_path / "in.csv").write_text("imei,obj_id,obj_inst_id,mode,expired_time,res:1\n865820031310001,3311,0,1,+7d,1\n")
    session = PtySession([NBATCH, "run", "in.csv", "--simulate"], cwd=tmp_path)
    session.wait_for(b"Type yes: ")
    session.send(answers[0])
    if len(answers) > 1:
        session.wait_for(b"type the whole word yes: ")
        session.send(answers[1])
    shown = session.finish()
    assert session.code == code, shown


def test_nothing_is_named_that_was_not_made(nbatch, fleet, tmp_path):
    fleet(5)
    done = nbatch("run", "fleet.csv", "--simulate=fault=http-401:100%", "--json", "-o", "r.csv")
    assert done.code == 4 and "results: " not in done.err and not (tmp_path / "r.csv").exists(), done
    assert json.loads(done.out)["results"] is None
    done = nbatch("check", "fleet.csv", "--problems", "p.csv", "--split-valid", "g.csv", "--split-invalid", "b.csv")
    assert done.out.endswith("problems: p.csv\nvalid rows: g.csv\ninvalid rows: b.csv\n"), done


def test_nothing_left_to_send_is_said(nbatch, fleet):
    fleet(5)
    assert nbatch("run", "fleet.csv", "--simulate", "-o", "r.csv").code == 0
    done = nbatch("run", "fleet.csv", "--simulate", "-o", "r.csv", "--resume")
    assert done.code == 0 and "nothing is left to send" in done.err and "sending 0 rows" not in done.err, done


def test_figures_are_those_of_a_person(nbatch, fleet):
    fleet(12000)
    done = nbatch("run", "fleet.csv", "--simulate", "-o", "r.csv", "--rate", "30000/s")
    assert "12,000 rows, 12,000 valid" in done.err and "all 12,000 rows were accepted" in done.err and "e+" not in done.err, done
