"""The end of a run: did all arrive, what did not and why, and the commands that go on from there, which are executed here."""
import json
import os
import subprocess

import pytest
from conftest import HEADER, KEY, read_results, row_of
from peers import FULL, OK, answering


@pytest.fixture
def shell(tmp_path):
    """Executes a command as a person would who copies it into a shell."""
    def run(command, **environment):
        env = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_") and "proxy" not in k.lower()}
        return subprocess.run(["bash", "-c", command], cwd=tmp_path, env={**env, "NBATCH_API_KEY": KEY, **environment},
                              capture_output=True, text=True, check=False, timeout=60)
    return run


def steps_of(done):
    return {step["name"]: step for step in json.loads(done.out)["next"]}


def statuses(path):
    return sorted(row["status"] for row in read_results(path))


def test_when_all_arrived_there_is_nothing_to_do(nbatch, fleet, raw_peer):
    done = nbatch("run", fleet(5), "--endpoint", raw_peer(answering({})).url, "--json")
    assert done.code == 0 and "all 5 rows were accepted" in done.err and "what to do" not in done.err
    summary = json.loads(done.out)
    assert summary["next"] == [] and summary["total"]["accepted"] == 5 and summary["report"] is None


def test_one_row_is_spoken_of_as_one(nbatch, fleet, raw_peer):
    peer = raw_peer(answering({0: ("404 Not Found", b"")}))
    done = nbatch("run", fleet(1), "--endpoint", peer.url)
    assert "sending 1 row to" in done.err and "the one row was not accepted\n" in done.err, done
    done = nbatch("run", "fleet.csv", "--endpoint", peer.url, "--resume=failed")
    assert done.code == 0 and "the one row was accepted\n" in done.err, done


def test_what_did_not_arrive_comes_with_reason_remedy_and_command(nbatch, fleet, raw_peer):
    peer = raw_peer(answering({1: ("200 OK", FULL), 2: ("404 Not Found", b"<html>")}))
    done = nbatch("run", fleet(5), "--endpoint", peer.url, "-c", "1", "--json")
    assert done.code == 1
    text = " ".join(done.err.split())
    assert "3 of 5 rows were accepted" in text
    assert "errno 5006 system logic limit: a documented limit was crossed" in text
    assert "-> wait until the device has fetched its commands, or cancel some" in text
    assert "send the one failed row again; it was not processed" in text
    for step in steps_of(done).values():
        assert step["command"] in done.err and step["what"] in done.err
    reasons = {reason["error"]: reason for reason in json.loads(done.out)["reasons"]}
    assert reasons["system logic limit"]["remedy"].startswith("wait until") and reasons["HTTP 404"]["rows"] == 1


def test_the_commands_do_what_they_say(nbatch, tmp_path, raw_peer, shell):
    """Names that a shell would take apart; each command is executed as it is shown."""
    name = "it's a $fleet & more.csv"
    (tmp_path / name).write_text(HEADER + "".join(row_of(i) for i in range(1, 9)))
    peer = raw_peer(answering({0: ("200 OK", FULL), 1: ("404 Not Found", b""), 2: ("500 Oops", b"")}))
    done = nbatch("run", name, "--endpoint", peer.url, "-c", "1", "--on-ambiguous", "hold", "-o", "-dash; `x`.csv", "--json")
    results = tmp_path / "-dash; `x`.csv"
    assert done.code == 6 and statuses(results) == ["accepted"] * 5 + ["failed", "in_doubt", "rejected"], done
    steps = steps_of(done)
    assert set(steps) == {"failed", "rejected", "verify", "look", "in_doubt"}
    verify = shell(steps["verify"]["command"] + " --max-attempts 1")  # this peer has no history
    assert verify.returncode == 6 and "0 of 1 rows in doubt" in verify.stderr, verify
    look = shell(steps["look"]["command"])
    assert [line.split(",")[4] for line in look.stdout.splitlines()[1:]] == ["in_doubt"], look
    assert shell(steps["failed"]["command"]).returncode == 6
    assert shell(steps["rejected"]["command"]).returncode == 6
    assert len(peer.processed) == 8  # the question is one
    again = shell(steps["in_doubt"]["command"])
    assert again.returncode == 0 and len(peer.processed) == 9, again
    assert "all 8 rows were accepted" in again.stderr and "7 of them before this run" in again.stderr


def test_a_stopped_run_is_gone_on_with(nbatch, fleet, raw_peer, shell):
    peer = raw_peer(answering({n: ("200 OK", FULL) for n in range(3, 6)}))
    done = nbatch("run", fleet(50), "--endpoint", peer.url, "-c", "1", "--halt", "rejected=2", "--json")
    assert done.code == 5
    steps = steps_of(done)
    assert steps["resume"]["rows"] == 45 and "send the 45 rows that were not sent" in done.err
    after = shell(steps["resume"]["command"])
    summary = json.loads(after.stdout)
    assert summary["total"] == {"accepted": 47, "rejected": 3, "failed": 0, "in_doubt": 0, "invalid": 0}
    assert "47 of 50 rows were accepted" in after.stderr and "2 of them before this run" in after.stderr


def test_standard_input_goes_on_with_the_file_that_keeps_its_results(nbatch, tmp_path, raw_peer, shell):
    peer = raw_peer(answering({1: ("404 Not Found", b"")}))
    text = HEADER + "".join(row_of(i) for i in range(1, 4))
    done = nbatch("run", "-", "--format", "csv", "--endpoint", peer.url, "-c", "1", "-o", "-", stdin=text)
    assert done.code == 1 and "give it the same input again" in done.err
    command = next(line.strip() for line in done.err.splitlines() if "--resume=failed" in line)
    (tmp_path / "same.csv").write_text(text)
    again = shell(command + " < same.csv")
    assert again.returncode == 0 and "all 3 rows were accepted" in again.stderr, again


def test_commands_show_no_secret(nbatch, fleet, raw_peer):
    peer = raw_peer(answering({0: ("404 Not Found", b"")}))
    done = nbatch("run", fleet(2), "--endpoint", peer.url, "--json", "--api-key-command", "echo hush-key",
                  "--proxy=http://user:hush-word@" + peer.url.split("//")[1], env={"NBATCH_API_KEY": None})
    assert done.code == 1 and "hush" not in done.err + done.out, done
    assert "--api-key-command ... --proxy ..." in steps_of(done)["failed"]["command"]


def test_a_mended_row_is_sent_by_the_command(nbatch, tmp_path, raw_peer, shell):
    path = tmp_path / "in.csv"
    path.write_text(HEADER + row_of(1) + row_of(2).replace(",2,", ",5,"))
    peer = raw_peer(answering({}))
    done = nbatch("run", path, "--endpoint", peer.url, "--skip-invalid", "--json")
    assert done.code == 1 and "fix the one invalid row in the input, then send it" in done.err
    path.write_text(HEADER + row_of(1) + row_of(2))
    assert shell(steps_of(done)["mend"]["command"]).returncode == 0
    assert len(peer.processed) == 2
