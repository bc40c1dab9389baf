"""Roll-outs by what devices did: --rollout and --canary N:delivered=…; the simulator's audit is the oracle."""
import collections
import datetime
import json
import os
import random
import re
import signal
import subprocess
import time

import crash
import pytest
from conftest import HEADER, KEY, NBATCH, imei, read_results, row_of

DEVICES = ("--uplink", "5s..20s", "--clock", "40x", "--seed", "5")
STEPS = "1%,10%,100%:delivered=95%,wait=20s"


def audit(sim):
    return [json.loads(line) for line in sim.audit_path.read_text(encoding="utf-8").split("\n")[:-1]]


def stored(sim):
    """How many commands were stored for each device."""
    return collections.Counter(line["imei"] for line in audit(sim) if line.get("action") == "write" and line["processed"])


def events(path, *names):
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["event"] in names]


def roll(nbatch, path, sim, *words):
    return nbatch("run", path, "--endpoint", sim.url, "--rate", "2000/s", "--log", "log", *words)


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def test_it_stops_in_the_first_step_where_too_many_devices_refuse(nbatch, fleet, tmp_path, simulator):
    """Of 1000 devices 80 refuse, 8 more or less: 50 would pass."""
    path, sim = fleet(10000), simulator(*DEVICES, "--fault", "device-not_found:8%")
    steps = "10%,30%,100%:delivered=95%,wait=20s"
    done = roll(nbatch, path, sim, "--rollout", steps, "--json", "--metrics-file", "m.prom")
    assert done.code == 5, done
    said = json.loads(done.out)
    assert said["end"] == "undelivered" and said["accepted"] == 1000 and said["not_sent"] == 9000
    where = said["rollout"]
    assert (where["state"], where["step"], where["steps"], where["until_row"]) == ("stopped", 1, 3, 1000)
    assert where["commands"] == 1000 and where["needed"] == 950 and where["lost"] > 50
    assert sum(stored(sim).values()) == 1000 and set(stored(sim)) == {imei(i) for i in range(1, 1001)}
    assert "step 1 of 3" in done.err and "will not be" in done.err
    [stopped] = events(tmp_path / "log", "step_stopped")
    assert stopped["step"] == 1 and stopped["lost"] == where["lost"]
    assert 'nbatch_rollout_step{' in (tmp_path / "m.prom").read_text()
    # What became of each is there, as nbatch status writes it; gone on with, it stops again, and sends nothing.
    states = collections.Counter(row["state"] for row in read_results(tmp_path / "fleet.status.csv"))
    assert states["refused"] == where["lost"] and sum(states.values()) == 1000
    again = roll(nbatch, path, sim, "--rollout", steps, "--resume")
    assert again.code == 5 and sum(stored(sim).values()) == 1000
    # Negative control: what is asked for is what stops it.
    done = roll(nbatch, path, sim, "--rollout", steps.replace("95%", "80%"), "--resume", "--json")
    assert done.code == 0 and json.loads(done.out)["rollout"]["state"] == "done", done
    assert set(stored(sim).values()) == {1} and len(stored(sim)) == 10000


def test_killed_ten_times_it_goes_through(nbatch, fleet, tmp_path, simulator):
    path, dice, steps = fleet(10000), random.Random(7), STEPS.replace("95%", "85%")
    sim = simulator(*DEVICES, "--fault", "device-not_found:1%", "--state", tmp_path / "state")
    words = [NBATCH, "run", str(path), "--endpoint", sim.url, "--rate", "1500/s", "-c", "4", "--on-ambiguous", "hold",
             "--rollout", steps, "--log", str(tmp_path / "log"), "-q"]
    kills, met = 0, set()

    def sent():
        return sim.audit_path.read_bytes().count(b'"action":"write"')

    while kills < 10:
        resume = ["--resume"] if (tmp_path / "fleet.results.csv").exists() else []
        process = subprocess.Popen([*words, *resume], cwd=tmp_path, env={"NBATCH_API_KEY": KEY}, stderr=subprocess.PIPE)
        if kills == 0:  # however long it takes to start: in the first wait
            wait_for(lambda: (tmp_path / "log").exists() and events(tmp_path / "log", "step_waits"))
        elif dice.random() < 0.3:  # while it starts, or looks at what was left
            time.sleep(dice.uniform(0, 0.5))
        else:
            enough = sent() + dice.randint(1, 600)
            wait_for(lambda: sent() >= enough or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
        met.add(events(tmp_path / "log", "step", "step_waits")[-1]["event"])
    assert met == {"step", "step_waits"}  # while it sent, and while it waited
    done = roll(nbatch, path, sim, "--rollout", steps, "-c", "4", "--on-ambiguous", "hold", "--resume")
    assert done.code in (0, 6), done
    in_doubt = sum(row["status"] == "in_doubt" for row in read_results(tmp_path / "fleet.results.csv"))
    assert in_doubt <= 4 * kills
    # Nothing twice; and what was not stored is named: a row that was on its way when the process died is in doubt.
    assert set(stored(sim).values()) == {1}
    doubtful = {row["imei"] for row in read_results(tmp_path / "fleet.results.csv") if row["status"] == "in_doubt"}
    assert {imei(i) for i in range(1, 10001)} - set(stored(sim)) <= doubtful
    passed = [event["step"] for event in events(tmp_path / "log", "step_done")]
    assert {1, 2, 3} <= set(passed)


def test_relative_times_count_from_the_start_of_each_step(nbatch, tmp_path, simulator):
    path, sim = tmp_path / "fleet.csv", simulator("--uplink", "3s", "--clock", "1x")
    rows = [row_of(i).replace("+7d", "+1h") for i in range(1, 10)] + [row_of(10).replace("+7d", "2030-01-01T00:00:00")]
    path.write_text(HEADER + "".join(rows))
    done = roll(nbatch, path, sim, "--rollout", "10%,100%:delivered=100%,wait=30s")
    assert done.code == 0, done
    writes = {line["imei"]: line["target"] for line in audit(sim) if line.get("action") == "write"}
    expires = [re.search(r"expired_time=([^&]*)", writes[imei(i)])[1] for i in range(1, 11)]
    assert expires[-1] == "2030-01-01T00:00:00"
    times = [datetime.datetime.fromisoformat(text) for text in expires[:-1]]
    # The first device reports in 1 to 3 s after its command: the others' times are as much later.
    assert len(set(times[1:])) == 1 and times[1] > times[0], times
    begins = [event["began_at"] for event in events(tmp_path / "log", "step")]
    moments = [datetime.datetime.fromisoformat(text[:-1]) for text in begins]
    assert moments[1] - moments[0] == times[1] - times[0]


@pytest.mark.parametrize("time_of,words,what", [
    ("+7d", ["--set", "valid_time=+1h"], "valid_time"), ("+7d", ["--embargo", "1h"], "valid_time"),
    ("hour", [], "expired_time"), ("+7d", [], None), ("hours", [], None)])
def test_times_are_checked_against_the_waits_before_anything_leaves(nbatch, tmp_path, simulator, time_of, words, what):
    """Two waits of half an hour; the last two rows of the table are the negative control."""
    sim = simulator(*DEVICES)
    later = {"hour": 3500, "hours": 3 * 3600}.get(time_of)
    if later:
        zone = datetime.timezone(datetime.timedelta(hours=8))
        time_of = (datetime.datetime.now(zone) + datetime.timedelta(seconds=later)).strftime("%Y-%m-%dT%H:%M:%S")
    path = tmp_path / "fleet.csv"
    path.write_text(HEADER + "".join(row_of(i).replace("+7d", time_of) for i in range(1, 101)))
    words = ["--rollout", "1%,10%,100%:delivered=95%,wait=30m", *words]
    if what is None:
        process = subprocess.Popen([NBATCH, "run", path, "--endpoint", sim.url, *words], env={"NBATCH_API_KEY": KEY})
        wait_for(lambda: stored(sim))
        process.terminate()
        assert process.wait(timeout=60) == 143
        return
    done = roll(nbatch, path, sim, *words)
    assert done.code == 2 and what in done.err and "nothing was sent" in done.err, done
    assert not stored(sim) and not (tmp_path / "fleet.results.csv").exists()


@pytest.mark.skipif(crash.STRACE is None, reason="there is no strace")
@pytest.mark.parametrize("call", ["close", "epoll_wait"])
def test_no_signal_is_lost_between_a_step_and_its_wait(tmp_path, simulator, call):
    """SIGTERM at each of the last calls of the first step, and the first of its wait: the run ends as it should, and not by the signal."""
    sim = simulator("--uplink", "1h..2h")
    path, trace = tmp_path / "fleet.csv", tmp_path / "trace"

    def start(n, *inject):
        path.write_text(HEADER + "".join(row_of(i) for i in range(100 * n + 1, 100 * n + 101)))  # a queue holds ten
        words = [NBATCH, "run", path, "-o", tmp_path / f"{n}.csv", "--endpoint", sim.url, "--rollout", "1%,100%:delivered=95%,wait=30m"]
        return subprocess.Popen([crash.STRACE, "-f", "-qq", "-o", trace, "-e", f"trace={call}", *inject, "--", *words],
                                env={"NBATCH_API_KEY": KEY, **crash.CALM}, stderr=subprocess.PIPE, text=True)

    process = start(0)
    said = iter(process.stderr.readline, "")
    assert any("waiting for the devices until" in line for line in said)
    calls = [line.split(" ", 1) for line in trace.read_text().splitlines()]
    last = sum(what.lstrip().startswith(f"{call}(") for thread, what in calls if thread == calls[0][0])  # they are counted by thread
    subprocess.run(["pkill", "-TERM", "-P", str(process.pid)], check=True)
    process.communicate()
    for n in range(max(1, last - 11), last + 1):
        process = start(n, "-e", f"inject={call}:signal=SIGTERM:when={n}")
        said = process.communicate(timeout=120)[1]
        assert process.returncode == 143, (n, said)
        assert (tmp_path / f"{n}.csv.journal").exists() or "nothing was sent" in said or not (tmp_path / f"{n}.csv").exists(), (n, said)


def test_a_canary_by_what_devices_did(nbatch, fleet, tmp_path, simulator):
    path, sim = fleet(200), simulator(*DEVICES, "--fault", "device-bad_request:100%")
    done = roll(nbatch, path, sim, "--canary", "20:delivered=90%,wait=20s", "--json")
    where = json.loads(done.out)["rollout"]
    assert done.code == 5 and (where["step"], where["steps"], where["until_row"], where["needed"]) == (1, 2, 20, 18)
    assert len(stored(sim)) == 20
    sim = simulator(*DEVICES)
    done = roll(nbatch, path, sim, "-o", "good.csv", "--canary", "20:delivered=90%,wait=20s", "--rollout",
                "50%,100%:delivered=99%,wait=20s")
    assert done.code == 0 and len(stored(sim)) == 200
    assert [event["until_row"] for event in events(tmp_path / "log", "step")][-3:] == [20, 100, 200]


def test_the_end_of_the_wait_stops_it_and_a_later_answer_lets_it_go_on(nbatch, fleet, tmp_path, simulator):
    path, state = fleet(50), tmp_path / "state"
    sim = simulator("--state", state)  # no device reports in
    words = ["--rollout", "10%,100%:delivered=80%,wait=2s"]
    begin = time.monotonic()
    done = roll(nbatch, path, sim, *words)
    assert done.code == 5 and "the wait is over" in done.err and time.monotonic() - begin >= 1.5
    done = roll(nbatch, path, sim, *words, "--resume")  # one look, and no wait
    assert done.code == 5 and len(stored(sim)) == 5
    sim.stop()
    sim = simulator(*DEVICES, "--state", state)
    wait_for(lambda: sum(line.get("send_status") == 5 for line in audit(sim)) >= 5)
    done = roll(nbatch, path, sim, *words, "--resume")
    assert done.code == 0 and len(stored(sim)) == 45, done


@pytest.mark.parametrize("number,code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_wait_that_was_interrupted_ends_when_it_would_have(nbatch, fleet, tmp_path, simulator, number, code):
    path, sim = fleet(50), simulator()
    words = ["run", str(path), "--endpoint", sim.url, "--log", "log", "--rollout", "10%,100%:delivered=80%,wait=4s"]
    process = subprocess.Popen([NBATCH, *words], cwd=tmp_path, env={"NBATCH_API_KEY": KEY}, stderr=subprocess.PIPE)
    wait_for(lambda: (tmp_path / "log").exists() and events(tmp_path / "log", "step_waits"))
    time.sleep(0.3)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code
    done = nbatch(*words, "--resume")
    assert done.code == 5 and len(stored(sim)) == 5, done
    assert len({event["waits_until"] for event in events(tmp_path / "log", "step_waits")}) == 1


def test_rows_that_are_not_accepted_are_not_delivered(nbatch, tmp_path, simulator):
    """Invalid ones are none of the step's."""
    path, sim = tmp_path / "fleet.csv", simulator(*DEVICES)
    rows = [row_of(i) for i in range(1, 101)]
    rows[1] = rows[1].replace(imei(2), "12")
    path.write_text(HEADER + "".join(rows))
    done = roll(nbatch, path, sim, "--skip-invalid", "--rollout", "10%,100%:delivered=100%,wait=20s", "--json")
    assert done.code == 1 and json.loads(done.out)["rollout"]["state"] == "done", done
    sim = simulator(*DEVICES, "--fault", "errno-5006:30%")
    done = roll(nbatch, path, sim, "--skip-invalid", "-o", "o.csv", "--rollout", "10%,100%:delivered=100%,wait=20s", "--json")
    said = json.loads(done.out)
    assert done.code == 5 and said["rollout"]["commands"] == 9 and said["rollout"]["lost"] == said["rejected"] > 0


@pytest.mark.parametrize("words", [["--rollout", "1%,10%:delivered=95%,wait=1d"], ["--rollout", "1%,100%"],
                                   ["--canary", "5:delivered=90%"],
                                   ["--canary", "5:delivered=90%,wait=1h", "--canary-accept", "90%"],
                                   ["--canary", "5", "--rollout", "1%,100%:delivered=95%,wait=1d"]])
def test_what_makes_no_sense_is_refused(nbatch, fleet, words):
    done = nbatch("run", fleet(9), "--simulate", *words)
    assert done.code == 2 and ("--rollout" in done.err or "--canary" in done.err), done


def test_a_pipe_and_another_runs_status_file_are_refused(nbatch, fleet, tmp_path, simulator):
    path, sim = fleet(20), simulator(*DEVICES)
    done = roll(nbatch, "-", sim, "--format", "csv", "-o", "o.csv", "--rollout", STEPS)
    assert done.code == 2, done
    with open(path, encoding="utf-8") as file:
        done = nbatch("run", "-", "--format", "csv", "-o", "o.csv", "--endpoint", sim.url, "--rollout", STEPS, stdin=file.read())
    assert done.code == 2 and "pipe" in done.err, done
    (tmp_path / "fleet.status.csv").write_text("")
    done = roll(nbatch, path, sim, "--rollout", STEPS)
    assert done.code == 2 and "fleet.status.csv" in done.err and not stored(sim), done


def test_a_rehearsal_in_the_process_goes_through(nbatch, fleet, tmp_path):
    done = nbatch("run", fleet(100), "--simulate=uplink=5s,clock=100x,seed=3", "--rollout", STEPS, "--json")
    assert done.code == 0 and json.loads(done.out)["rollout"]["state"] == "done", done
    assert (tmp_path / "fleet.rehearsal.status.csv").exists() or list(tmp_path.glob("*status*")), os.listdir(tmp_path)
