"""--resume=expired, undelivered, cancelled: accepted rows whose command has ended otherwise are sent again."""
import collections
import csv
import os
import signal
import subprocess
import time

import pytest
from conftest import KEY, NBATCH, imei, read_results, wait_for

COLUMNS = ("row,key,imei,uuid,state,send_status,confirm_status,reason,remain,create_time,send_time,confirm_time,"
           "expired_time,checked_at").split(",")
AGAIN = "sent again after its earlier command had ended: "


def write_status(path, results, states, **more):
    """A status file that gives each accepted row of the results the state of its number, else `waiting`."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        out.writeheader()
        for row in sorted(current(results).values(), key=lambda row: int(row["row"])):
            number = int(row["row"])
            line = dict.fromkeys(COLUMNS, "") | {k: row[k] for k in ("row", "key", "imei", "uuid")}
            line |= {"state": states.get(number, "waiting"), "send_status": "1", "remain": "0",
                     "checked_at": "2026-11-28T16:00:00+08:00"} | more.get(f"row{number}", {})
            out.writerow(line)


def current(results):
    """The line of each key that counts."""
    lines = {}
    for row in read_results(results):
        before = lines.get(row["key"])
        if before is None or weight(row) >= weight(before):
            lines[row["key"]] = row
    return lines


def weight(row):
    """What was sent again after it had been accepted is weighed as what is accepted."""
    return row["status"] == "accepted" or row["error"].startswith(AGAIN), row["finished_at"]


def uuids(results):
    return {int(row["row"]): row["uuid"] for row in current(results).values()}


@pytest.fixture
def sent(nbatch, tmp_path, fleet, simulator):
    """Six rows that were accepted: the simulator, the input, a call that resumes."""
    sim = simulator()
    path = fleet(6)
    assert nbatch("run", path, "--endpoint", sim.url).code == 0

    def resume(words, *more):
        return nbatch("run", path, "--endpoint", sim.url, f"--resume={words}", *more)

    return sim, tmp_path / "fleet.results.csv", tmp_path / "fleet.status.csv", resume


def processed(sim):
    return collections.Counter(entry["imei"] for entry in sim.audit() if entry["processed"])


def test_what_expired_is_sent_again_once(sent):
    sim, results, status, resume = sent
    before = uuids(results)
    write_status(status, results, {2: "expired", 4: "expired", 5: "delivered", 6: "refused"})
    done = resume("expired")
    assert done.code == 0 and "2 accepted rows are sent again" in done.err, done
    after = uuids(results)
    assert {n for n in after if after[n] != before[n]} == {2, 4}
    assert "6 of 6 rows accounted for; 2 lines of the results are replaced" in done.err
    done = resume("expired")  # the same status file: it speaks of other uuids than are current now
    assert done.code == 0 and "0 accepted rows are sent again" in done.err, done
    assert "of 2 accepted rows it is not known yet" in done.err
    done = resume("")  # nothing is missing: what was accepted twice counts once
    assert done.code == 0 and "missing" not in done.err, done
    assert processed(sim) == {imei(n): 2 if n in (2, 4) else 1 for n in range(1, 7)}


def test_the_words_are_the_states(sent):
    sim, results, status, resume = sent
    states = {1: "expired", 2: "failed", 3: "failed", 4: "refused", 5: "missing", 6: "delivered"}
    write_status(status, results, states, row3={"remain": "2", "send_status": "6"})
    done = resume("undelivered")
    assert done.code == 0 and "4 accepted rows are sent again" in done.err, done
    assert "1 failed command is not: the platform will try it again" in done.err
    assert processed(sim) == {imei(n): 2 if n in (1, 2, 4, 5) else 1 for n in range(1, 7)}


def test_what_was_looked_for_too_soon_is_not_missing_yet(sent):
    """The platform's history lags: what does not show right after the run may be there all the same."""
    sim, results, status, resume = sent
    written = int(results.stat().st_mtime)
    at = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(written + seconds)) for seconds in (5, 599, 601)]
    write_status(status, results, dict.fromkeys((1, 2, 3, 4), "missing"), row1={"checked_at": at[0]},
                 row2={"checked_at": at[1]}, row3={"checked_at": at[2]},
                 row4={"checked_at": at[0], "reason": "overwritten"})
    done = resume("undelivered")
    assert done.code == 0 and "2 accepted rows are sent again" in done.err, done
    assert "2 missing commands are not: they were looked for within ten minutes" in done.err, done
    assert processed(sim) == {imei(n): 2 if n in (3, 4) else 1 for n in range(1, 7)}


def test_with_other_words_beside_them(nbatch, tmp_path, fleet, simulator):
    sim = simulator("--fault", "errno-5106:50%", "--seed", "3")
    path = fleet(10)
    assert nbatch("run", path, "--endpoint", sim.url).code == 1
    sim.stop()
    sim = simulator()
    results = tmp_path / "fleet.results.csv"
    accepted = {int(r["row"]) for r in read_results(results) if r["status"] == "accepted"}
    write_status(tmp_path / "other.csv", results, {n: "expired" for n in accepted})
    done = nbatch("run", path, "--endpoint", sim.url, "--resume=rejected,expired", "--status", "other.csv")
    assert done.code == 0, done
    assert len(processed(sim)) == 10


def test_what_was_taken_back_is_sent_when_that_is_said(sent):
    sim, results, status, resume = sent
    write_status(status, results, {1: "cancelled"})
    row = next(r for r in read_results(results) if r["row"] == "2")
    (results.parent / "fleet.cancelled.csv").write_text(
        "row,key,imei,uuid,outcome,errno,error,finished_at\n"
        f"2,{row['key']},{row['imei']},{row['uuid']},cancelled,0,,2026-11-28T08:00:00.000Z\n"
        f"3,{row['key']},{row['imei']},another,too_late,5006,,2026-11-28T08:00:00.000Z\n"
        f"4,{row['key']},", encoding="utf-8")  # cut off by a death
    assert "0 accepted rows" in resume("expired").err
    done = resume("cancelled")
    assert done.code == 0 and "2 accepted rows are sent again" in done.err, done
    status.unlink()
    done = resume("cancelled")  # one of the two files is enough
    assert done.code == 0 and "0 accepted rows are sent again" in done.err, done
    assert processed(sim) == {imei(n): 2 if n in (1, 2) else 1 for n in range(1, 7)}


def test_a_file_that_is_missing_damaged_or_of_others_is_refused(sent, nbatch, fleet):
    sim, results, status, resume = sent
    done = resume("expired")
    assert done.code == 2 and "fleet.status.csv is not there" in done.err and "run nbatch status" in done.err
    status.write_text("row,key\n", encoding="utf-8")
    done = resume("expired")
    assert done.code == 2 and "line 1: this is no status file: it has no column imei" in done.err, done
    other = fleet(6, "other.csv", first=100)
    assert nbatch("run", other, "--endpoint", sim.url).code == 0
    write_status(status, results.parent / "other.results.csv", {1: "expired"})
    done = resume("expired")
    assert done.code == 2 and "it is of other results, or older than they are" in done.err, done
    assert max(processed(sim).values()) == 1


def test_a_file_saved_again_by_a_spreadsheet_is_the_same(sent):
    sim, results, status, resume = sent
    write_status(status, results, {2: "expired"})
    text = status.read_text(encoding="utf-8").replace("\n", ",,\r\n")
    status.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert "1 accepted row is sent again" in resume("expired").err
    assert processed(sim)[imei(2)] == 2


@pytest.mark.parametrize("how", ["rejected", "failed", "in_doubt"])
@pytest.mark.parametrize("order", ["as it was", "turned", "sorted"])
def test_a_row_that_does_not_get_through_this_time_is_not_lost(nbatch, tmp_path, fleet, simulator, how, order):
    """It was accepted, its command expired, and sent again it failed: every reader says so, whatever the order of the lines."""
    good = simulator()
    path = fleet(3)
    assert nbatch("run", path, "--endpoint", good.url).code == 0
    results = tmp_path / "fleet.results.csv"
    write_status(tmp_path / "fleet.status.csv", results, {2: "expired"})
    bad = simulator("--fault", {"rejected": "errno-5006", "failed": "http-429", "in_doubt": "http-503"}[how] + ":100%")
    words = ["--endpoint", bad.url, "--max-attempts", "2", "--retry-delay", "5ms"]
    code = 6 if how == "in_doubt" else 1
    done = nbatch("run", path, *words, "--resume=expired", *(["--sort"] if order == "sorted" else []))
    assert done.code == code and "3 of 3 rows accounted for" in done.err, done
    assert f"--resume={how}" in done.err
    if order == "turned":
        lines = results.read_text(encoding="utf-8").splitlines()
        results.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n", encoding="utf-8")
    row = current(results)[next(r["key"] for r in read_results(results) if r["row"] == "2")]
    assert row["status"] == how and row["error"].startswith(AGAIN) and row["uuid"] == ""
    assert nbatch("results", results, "--status", how).out.count("\n") == 2
    say = nbatch("status", results, "-n")
    assert say.code == 0 and "2 calls for 2 devices" in say.err, say
    page = tmp_path / "page.html"
    assert nbatch("report", results, "-o", page).code == 0
    assert AGAIN not in page.read_text(encoding="utf-8")
    assert nbatch("run", path, *words, "--resume").code == code  # nothing is sent
    done = nbatch("run", path, *words, f"--resume={how}")
    assert done.code == code, done  # in vain again, and it stays on the list
    done = nbatch("run", path, "--endpoint", good.url, f"--resume={how}", "--sort")
    assert done.code == 0, done
    assert processed(good) == {imei(1): 1, imei(2): 2, imei(3): 1}
    assert [(r["row"], r["status"]) for r in read_results(results)] == [(str(n), "accepted") for n in (1, 2, 3)]
    assert "missing" not in nbatch("run", path, "--endpoint", bad.url, "--resume").err


def test_a_line_that_does_not_say_so_does_not_count_beside_an_accepted_one(nbatch, tmp_path, fleet, simulator):
    """The control: of two runs whose results were put into one file, the accepted line is the truth."""
    sim = simulator()
    path = fleet(2)
    assert nbatch("run", path, "--endpoint", sim.url).code == 0
    results = tmp_path / "fleet.results.csv"
    row = read_results(results)[0]
    line = f"1,2,{row['key']},{row['imei']},failed,,,connection refused,,1,0,,2037-01-01T00:00:00.000Z\n"
    results.write_text(results.read_text(encoding="utf-8") + line, encoding="utf-8")
    done = nbatch("run", path, "--endpoint", sim.url, "--resume=failed")
    assert done.code == 0 and processed(sim) == {imei(1): 1, imei(2): 1}, done


@pytest.mark.parametrize("policy", ["hold", "resend"])
def test_a_death_while_they_are_sent_again(nbatch, tmp_path, fleet, simulator, policy):
    """What may have left is in doubt as any row is: under hold it is not sent once more, whatever the status file says."""
    fast, slow = simulator(), simulator("--latency", "1s")
    path = fleet(40)
    assert nbatch("run", path, "--endpoint", fast.url).code == 0
    results = tmp_path / "fleet.results.csv"
    write_status(tmp_path / "fleet.status.csv", results, {n: "expired" for n in range(1, 31)})
    words = [NBATCH, "run", str(path), "--endpoint", slow.url, "--resume=expired", "--on-ambiguous", policy, "-c", "8"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_")} | {"NBATCH_API_KEY": KEY}
    with subprocess.Popen(words, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: len(slow.audit_path.read_text(encoding="utf-8").splitlines()) >= 12)
        process.send_signal(signal.SIGKILL)
    for _ in range(3):
        done = nbatch(*words[1:])
    again = processed(slow)
    assert set(again) == {imei(n) for n in range(1, 31)}, done
    lines = {r["imei"]: r for r in read_results(results) if r["status"] == "in_doubt"}
    assert lines
    if policy == "hold":
        assert done.code == 6 and max(again.values()) == 1, done
    else:
        assert done.code == 0, done
        counted = {r["imei"]: int(r["ambiguous"]) for r in current(results).values()}
        assert all(times <= 1 + counted[device] for device, times in again.items())
    assert "missing" not in done.err
