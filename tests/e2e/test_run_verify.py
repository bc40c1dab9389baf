"""nbatch run --on-ambiguous verify: a row that may have been processed is looked for before it is sent again."""
import datetime
import json
import os
import signal
import subprocess
import time

import pytest
from between import Between, at_once
from conftest import HEADER, imei, read_results, row_of
from crash import CLOCK
from test_verify import FAULTS, current, processed, statuses

ROWS = 300
PATIENCE = ("--max-attempts", "40", "--retry-delay", "5ms", "--retry-max-delay", "50ms")


def run(nbatch, sim, path, *words, settle="300ms,900ms"):
    return nbatch("run", path, "--endpoint", sim.url, "--on-ambiguous", "verify", "--settle", settle, *PATIENCE, *words)


def executes(tmp_path, count):
    path = tmp_path / "fleet.csv"
    path.write_text("action,imei,obj_id,obj_inst_id,res_id,args,expired_time\n" +
                    "".join(f"execute,{imei(i)},3,0,4,go{i},+7d\n" for i in range(1, count + 1)), encoding="utf-8")
    return path


@pytest.mark.parametrize("action", ["write", "execute"])
def test_one_run_sends_each_row_once(nbatch, tmp_path, fleet, simulator, action):
    sim = simulator(*FAULTS, "--lag", "200ms", "--state", tmp_path / "state")
    path = fleet(ROWS) if action == "write" else executes(tmp_path, ROWS)
    done = run(nbatch, sim, path, "--json")
    assert done.code == 0, done
    rows = current(nbatch, tmp_path / "fleet.results.csv")
    stored = processed(sim)
    assert all(len(uuids) == 1 for uuids in stored.values()) and len(stored) == ROWS
    assert {row["imei"]: row["uuid"] for row in rows} == {key[0]: uuids[0] for key, uuids in stored.items()}
    assert {row["status"] for row in rows} == {"accepted"}
    verified = json.loads(done.out)["verified"]
    assert verified["found"] > 3 and verified["missing"] > 3 and verified["unclear"] == 0, verified
    assert verified["looked"] == verified["found"] + verified["missing"] and verified["calls"] > 2 * verified["looked"] - 10
    assert not list(tmp_path.glob("*.doubt")) and not list(tmp_path.glob("*.journal"))


@pytest.fixture
def between(simulator):
    """Starts a simulator and a proxy in front of it; the audit is the simulator's."""
    started = []

    def start(*options, **ways):
        sim = simulator(*options)
        proxy = Between(sim.url, **ways)
        proxy.audit = sim.audit
        started.append(proxy)
        return proxy

    yield start
    for proxy in started:
        proxy.stop()


def is_sent(path):
    return "/history" not in path


def every_third(n, path):
    """Of the rows' own requests, a third gets no answer; half of these was processed."""
    return {0: "after", 3: "before"}.get(n % 6) if is_sent(path) and n > 1 else None


def check_once(rows, stored):
    """Each row is accepted, each command is stored once, and each row has the uuid of its own."""
    assert {row["status"] for row in rows} == {"accepted"}, rows
    assert sorted(row["uuid"] for row in rows) == sorted(sum(stored.values(), []))
    for key, uuids in stored.items():
        assert {row["uuid"] for row in rows if row["imei"] == key[0]} >= set(uuids)


@pytest.mark.parametrize("off_s", [-600, 600, -8 * 3600, 8 * 3600])
@pytest.mark.parametrize("first", ["answered", "lost"])
def test_a_clock_that_is_wrong_misleads_nobody(nbatch, tmp_path, fleet, between, off_s, first):
    lose = every_third if first == "answered" else lambda n, path: "after" if n == 1 else every_third(n, path)
    proxy = between(lose=lose)
    done = run(nbatch_at(nbatch, off_s), proxy, fleet(40), "--json")
    assert done.code == 0, done
    assert proxy.lost > 5 and json.loads(done.out)["verified"]["unclear"] == 0
    check_once(current(nbatch, tmp_path / "fleet.results.csv"), processed(proxy))


@pytest.mark.parametrize("off_s", [600, -8 * 3600])
def test_verify_reckons_with_the_clock_of_the_run(nbatch, tmp_path, fleet, between, off_s):
    proxy = between(lose=every_third)
    path, results = fleet(40), tmp_path / "fleet.results.csv"
    wrong = nbatch_at(nbatch, off_s)
    assert wrong("run", path, "--endpoint", proxy.url, "--on-ambiguous", "hold").code == 6
    done = nbatch("verify", results, "--endpoint", proxy.url, "--settle", "0s,0s")  # by a clock that is right again
    assert done.code == 0, done
    rows, stored = current(nbatch, results), processed(proxy)
    assert sorted(row["uuid"] for row in rows if row["status"] == "accepted") == sorted(sum(stored.values(), []))
    assert len(stored) + sum(row["status"] == "failed" for row in rows) == 40


def nbatch_at(nbatch, off_s):
    shim = {"LD_PRELOAD": CLOCK, "NBATCH_CLOCK_OFF": str(off_s),
            "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"}
    return lambda *words: nbatch(*words, env=shim)


def moved(hours):
    def move(text):
        form = "%Y-%m-%d %H:%M:%S"
        return (datetime.datetime.strptime(text, form) + datetime.timedelta(hours=hours)).strftime(form)

    def change(path, query, answer):
        data = answer.get("data", {})
        for entry in data.get("items", [data]):
            for name in ("create_time", "valid_time", "expired_time"):
                if name in entry:
                    entry[name] = move(entry[name].replace("T", " "))
        return answer
    return change


def test_a_platform_whose_clock_is_of_another_zone_leaves_what_it_has_in_doubt(nbatch, tmp_path, fleet, between):
    proxy = between(lose=every_third, change=moved(-8))
    done = run(nbatch, proxy, fleet(40), "--json")
    verified = json.loads(done.out)["verified"]
    assert done.code == 6 and verified["found"] == 0 and verified["unclear"] > 3 and verified["missing"] > 3, done
    stored = processed(proxy)
    assert all(len(uuids) == 1 for uuids in stored.values()) and len(stored) == 40
    doubtful = {row["imei"] for row in current(nbatch, tmp_path / "fleet.results.csv") if row["status"] == "in_doubt"}
    assert len(doubtful) == verified["unclear"]


def test_three_equal_executes_of_one_device_are_three(nbatch, tmp_path, between):
    for n, how in enumerate(("after", "before")):
        proxy = between(lose=lambda n, path, how=how: how if is_sent(path) and n % 2 == 1 and n < 12 else None)
        path = tmp_path / f"fleet{n}.csv"
        path.write_text("action,imei,obj_id,obj_inst_id,res_id,args,expired_time\n" +
                        3 * f"execute,{imei(1)},3,0,4,go,2036-01-01T00:00:00\n", encoding="utf-8")
        done = run(nbatch, proxy, path, "--json", settle="0s,100ms")
        assert done.code == 0 and proxy.lost > 1, done
        rows, stored = current(nbatch, tmp_path / f"fleet{n}.results.csv"), processed(proxy)
        check_once(rows, stored)
        assert len(rows) == 3 and len({row["uuid"] for row in rows}) == 3 and len(sum(stored.values(), [])) == 3


def test_an_execute_is_not_sent_again_without_settle(nbatch, tmp_path, between):
    """The default is a minute: here the history cannot be read, and the rows end at once."""
    proxy = between(lose=every_third, change=lambda path, query, answer: {"errno": 5106, "error": "UNSUCESS"})
    done = nbatch("run", executes(tmp_path, 12), "--endpoint", proxy.url, "--on-ambiguous", "verify", "--settle", "0s,0s")
    assert done.code == 6 and "UNSUCESS" in done.err, done
    assert all(len(uuids) == 1 for uuids in processed(proxy).values())


def test_what_an_operator_sent_by_hand_in_the_same_minute_is_not_claimed(nbatch, tmp_path, fleet, between):
    proxy = between(lose=lambda n, path: "before" if is_sent(path) and 20 < n < 40 else None)
    by_hand = tmp_path / "hand.csv"
    by_hand.write_text(HEADER + "".join(row_of(i, 7000 + i) for i in range(1, 21)), encoding="utf-8")
    assert nbatch("run", by_hand, "--endpoint", proxy.url).code == 0
    done = run(nbatch, proxy, fleet(20))
    assert done.code == 0 and proxy.lost > 5, done
    rows, stored = current(nbatch, tmp_path / "fleet.results.csv"), processed(proxy)
    assert len(stored) == 40 and all(len(uuids) == 1 for uuids in stored.values())
    hand = {row["uuid"] for row in read_results(tmp_path / "hand.results.csv")}
    assert {row["uuid"] for row in rows} == set(sum(stored.values(), [])) - hand


def without(names):
    def change(path, query, answer):
        for name in names:
            answer.get("data", {}).get("args", {}).pop(name, None)
        return answer
    return change


def test_args_without_mode_and_trigger_tell_enough(nbatch, tmp_path, fleet, between):
    proxy = between(lose=every_third, change=without(("mode", "trigger_msg")))
    done = run(nbatch, proxy, fleet(30))
    assert done.code == 0, done
    check_once(current(nbatch, tmp_path / "fleet.results.csv"), processed(proxy))


def test_args_without_an_object_tell_too_little(nbatch, tmp_path, fleet, between):
    proxy = between(lose=every_third, change=without(("obj_id",)))
    done = run(nbatch, proxy, fleet(30), "--json")
    verified = json.loads(done.out)["verified"]
    assert done.code == 6 and verified["found"] == 0 and verified["unclear"] > 0, done
    assert all(len(uuids) == 1 for uuids in processed(proxy).values())


def test_a_device_whose_history_cannot_be_read_stays_in_doubt(nbatch, tmp_path, fleet, between):
    unreadable = {imei(i) for i in range(1, 31, 2)}

    def change(path, query, answer):
        return {"errno": 5106, "error": "UNSUCESS"} if query["imei"] in unreadable else answer
    proxy = between(lose=every_third, change=change)
    done = run(nbatch, proxy, fleet(30))
    assert done.code == 6, done
    rows = current(nbatch, tmp_path / "fleet.results.csv")
    assert {row["imei"] for row in rows if row["status"] == "in_doubt"} < unreadable
    assert {row["status"] for row in rows if row["imei"] not in unreadable} == {"accepted"}
    assert all(len(uuids) == 1 for uuids in processed(proxy).values())


@pytest.mark.parametrize("gap", ["list", "lookup"])
def test_a_history_with_gaps_calls_nothing_missing(nbatch, tmp_path, fleet, between, gap):
    """The list has fewer than it counts, or does not know what it has listed."""
    def change(path, query, answer):
        items = answer.get("data", {}).get("items")
        if gap == "list" and items:
            items.pop()
        return {"errno": 5108, "error": "invalid parameter"} if gap == "lookup" and items is None else answer
    proxy = between(lose=every_third, change=change)
    done = run(nbatch, proxy, fleet(30))
    assert done.code == 6, done
    stored = processed(proxy)
    assert all(len(uuids) == 1 for uuids in stored.values())


@pytest.mark.parametrize("how", ["after", "before"])
def test_a_history_of_a_thousand_commands_is_read_to_its_end(nbatch, tmp_path, simulator, how):
    """Each command is looked up once, in whatever look."""
    sim, path = simulator("--queue-limit", "0"), tmp_path / "fleet.csv"
    path.write_text(HEADER + row_of(1, 5000) + row_of(1, 5001), encoding="utf-8")
    connection = at_once(sim.url.split("//")[1])
    for i in range(1000):  # somebody else's
        connection.request("POST", f"/nbiot/offline?imei={imei(1)}&obj_id=3311&obj_inst_id=0&mode=2&expired_time=2036-01-01T00:00:00",
                           json.dumps({"data": [{"res_id": 5850, "val": i}]}), {"api-key": "k"})
        assert json.loads(connection.getresponse().read())["errno"] == 0
    connection.close()
    proxy = Between(sim.url, lose=lambda n, path: {1: how}.get(n))
    try:
        done = run(nbatch, proxy, path, "--json", settle="0s,0s")
    finally:
        proxy.stop()
    assert done.code == 0, done
    said = json.loads(done.out)["verified"]
    assert said["found"] == (how == "after") and said["missing"] == (how == "before"), said
    assert 1020 <= said["calls"] < 1050, said
    stored = processed(sim)
    assert [len(stored[imei(1), body]) for _, body in list(stored)[-2:]] == [1, 1]


def test_the_next_row_of_the_device_waits(nbatch, tmp_path, between):
    proxy = between(lose=lambda n, path: {1: "after"}.get(n))
    path = tmp_path / "fleet.csv"
    path.write_text(HEADER + row_of(1, 1) + row_of(1, 2) + row_of(2, 3), encoding="utf-8")
    assert run(nbatch, proxy, path).code == 0
    sent = [index for index, call in enumerate(proxy.calls) if is_sent(call) and imei(1) in call]
    asked = [index for index, call in enumerate(proxy.calls) if not is_sent(call)]
    assert len(sent) == 2 and sent[0] < min(asked) and max(asked) < sent[1], proxy.calls


def test_a_run_that_is_stopped_meanwhile_leaves_the_row_for_verify(nbatch, tmp_path, fleet, between):
    proxy = between(lose=every_third)
    path, results = fleet(30), tmp_path / "fleet.results.csv"
    process = start(nbatch, proxy, path, tmp_path)
    wait_for(lambda: len([call for call in proxy.calls if is_sent(call)]) >= 30)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) in (6, 130)
    rows = current(nbatch, results)
    assert sum(row["status"] == "in_doubt" for row in rows) > 3
    assert "stopped before the platform's history had told" in results.read_text(encoding="utf-8")
    done = nbatch("verify", results, "--endpoint", proxy.url, "--settle", "0s,0s")
    assert done.code == 0, done
    done = run(nbatch, proxy, path, "--resume=failed")
    assert done.code == 0, done
    check_once(current(nbatch, results), processed(proxy))


def test_a_run_that_dies_meanwhile_sends_nothing_twice(nbatch, tmp_path, fleet, between):
    proxy = between(lose=every_third)
    path, results = fleet(30), tmp_path / "fleet.results.csv"
    process = start(nbatch, proxy, path, tmp_path)
    wait_for(lambda: len([call for call in proxy.calls if is_sent(call)]) >= 30)
    wait_for(lambda: results.exists() and results.read_text(encoding="utf-8").count(",accepted,") > 3)
    process.kill()
    process.wait()
    done = run(nbatch, proxy, path, "--resume")
    assert done.code == 6, done
    rows = current(nbatch, results)
    stored = processed(proxy)
    assert len(rows) == 30 and {row["status"] for row in rows} == {"accepted", "in_doubt"}
    assert all(len(uuids) == 1 for uuids in stored.values())
    doubtful = {row["imei"] for row in rows if row["status"] == "in_doubt"}
    assert {key[0] for key in stored} | doubtful == {imei(i) for i in range(1, 31)}


def test_resume_of_rows_in_doubt_is_verifys(nbatch, fleet):
    done = nbatch("run", fleet(3), "--endpoint", "http://127.0.0.1:9", "--on-ambiguous", "verify", "--resume=in_doubt")
    assert done.code == 2 and "nbatch verify" in done.err, done


def start(nbatch, proxy, path, folder):
    environment = {**os.environ, "NBATCH_API_KEY": "k"}
    return subprocess.Popen([nbatch.binary, "run", path, "--endpoint", proxy.url, "--on-ambiguous", "verify",
                             "--settle", "300s,400s"], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
