"""Jobs that several machines share, in a real PostgreSQL: nothing lost, nothing sent twice, whatever stops, dies or stands still."""
import collections
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import time

import pytest
from conftest import HEADER, KEY, NBATCH, ROOT, read_audit, read_results, row_of
from crash import CALM, CLOCK
from postgres import Postgres

LEASE_S = 2
ACCOUNT = hashlib.sha256(KEY.encode()).hexdigest()[:8]


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def schema(postgres):
    done = subprocess.run([NBATCH, "share", "init", "--share", postgres.uri("admin")], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    postgres.sql("GRANT nbatch_worker TO ops; GRANT nbatch_viewer TO eye;"
                 f"UPDATE nbatch.meta SET lease = '{LEASE_S} s'")
    return postgres


@pytest.fixture
def long_lease(schema):
    """However busy the machine is, nobody takes a shard over."""
    schema.sql("UPDATE nbatch.meta SET lease = '60 s'")
    yield
    schema.sql(f"UPDATE nbatch.meta SET lease = '{LEASE_S} s'")


@pytest.fixture
def shared(schema, nbatch, tmp_path):
    """Calls the program with the database: shared("jobs"), and worker(…) as a process beside it."""
    started = []

    class Shared:
        database = schema
        program = staticmethod(nbatch)

        def __call__(self, *args, user="ops", **options):
            return nbatch(*args, env={"NBATCH_SHARE": schema.uri(user)}, **options)

        def start(self, *args, key=KEY, binary=NBATCH, **environment):
            log = open(tmp_path / f"worker{len(started)}.log", "w", encoding="utf-8")
            alone = ["setpriv", "--pdeathsig", "KILL", "--"]  # a worker waits for its database as long as it takes
            process = subprocess.Popen([*alone, binary, *map(str, args), "--progress", "never"], cwd=tmp_path, stdout=log,
                                       stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                       env={**os.environ, "NBATCH_SHARE": schema.uri(), "NBATCH_API_KEY": key,
                                            **environment})
            process.log = tmp_path / f"worker{len(started)}.log"
            started.append(process)
            return process

        def results(self, job):
            path = tmp_path / f"{job}.results.csv"
            path.unlink(missing_ok=True)
            done = self("results", "--job", job, "-o", path)
            assert done.code == 0, done
            return read_results(path)

        def count(self, job, of="result", where="true"):
            return int(schema.sql(f"SELECT count(*) FROM nbatch.{of} r JOIN nbatch.job j ON j.id = r.job "
                                  f"WHERE j.name = '{job}' AND {where}"))

        def wait_for(self, job, more_than, where="true", patience=60, of="result"):
            end = time.monotonic() + patience
            while self.count(job, of=of, where=where) <= more_than:
                assert time.monotonic() < end, [p.log.read_text() for p in started]
                time.sleep(0.05)

    yield Shared()
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def finished(process, *codes, patience=120):
    assert process.wait(timeout=patience) in codes, process.log.read_text()
    return process.log.read_text()


def check_against_audit(results, audit, rows):
    """One result a row; nothing processed twice; what is accepted was processed once, with that uuid."""
    assert [int(row["row"]) for row in results] == list(range(1, rows + 1))
    processed = collections.Counter(line["imei"] for line in audit if line["processed"])
    assert max(processed.values()) == 1, [i for i in processed if processed[i] > 1]
    uuids = {line["imei"]: line["uuid"] for line in audit if line["processed"]}
    for row in results:
        assert row["status"] in ("accepted", "in_doubt"), row
        if row["status"] == "accepted":
            assert uuids[row["imei"]] == row["uuid"], row


def test_init_makes_a_schema_once_and_says_what_to_do(postgres, schema, nbatch):
    assert "already, of version 1" in nbatch("share", "init", "--share", postgres.uri("admin")).err
    postgres.sql("UPDATE nbatch.meta SET version = 99")
    refused = nbatch("jobs", "--share", postgres.uri())
    postgres.sql("UPDATE nbatch.meta SET version = 1")
    assert refused.code == 2 and "use a newer nbatch" in refused.err
    newer = postgres.sql("UPDATE nbatch.meta SET version = 99 RETURNING version")
    again = nbatch("share", "init", "--share", postgres.uri("admin"))
    postgres.sql("UPDATE nbatch.meta SET version = 1")
    assert newer == "99" and again.code == 2 and "use a newer nbatch" in again.err
    postgres.sql("CREATE DATABASE empty")
    refused = nbatch("jobs", "--share", postgres.uri().replace("/nbatch?", "/empty?"))
    assert refused.code == 2 and "nbatch share init" in refused.err


def test_whoever_makes_the_schema_at_the_same_time_finds_it_whole(postgres):
    postgres.sql("CREATE DATABASE several")
    uri = postgres.uri("admin").replace("/nbatch?", "/several?")
    makers = [subprocess.Popen([NBATCH, "share", "init", "--share", uri], stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [maker.communicate(timeout=120)[1] for maker in makers]
    assert [maker.returncode for maker in makers] == [0] * 4, told
    assert sum("is there now" in text for text in told) == 1 and sum("already, of version 1" in text for text in told) == 3, told
    assert postgres.sql("SELECT count(*) FROM nbatch.meta", database="several") == "1"


def test_a_worker_has_no_more_rights_than_it_needs(postgres, schema):
    """Of the roles themselves: what the program does not do anyway is refused by the database, too."""
    def refused(role, text):
        done = subprocess.run(["psql", "-h", postgres.folder, "-U", role, "-d", "nbatch", "-AtqX", "-c", text], text=True,
                              capture_output=True, check=False, timeout=60)
        return "permission denied" in done.stderr or "must be owner" in done.stderr

    for text in ("UPDATE nbatch.meta SET version = 2", "DROP TABLE nbatch.job", "ALTER TABLE nbatch.result DISABLE TRIGGER ALL",
                 "UPDATE nbatch.command SET target = ''", "UPDATE nbatch.job SET account = ''", "UPDATE nbatch.event SET status = 0",
                 "DELETE FROM nbatch.account", "DELETE FROM nbatch.result", "DELETE FROM nbatch.command", "DELETE FROM nbatch.shard", "CREATE TABLE nbatch.mine (a int)", "TRUNCATE nbatch.job"):
        assert refused("ops", text), text
    tables = postgres.sql("SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'nbatch'::regnamespace")
    for table in tables.split():
        assert not refused("eye", f"SELECT 1 FROM nbatch.{table} LIMIT 1") and refused("eye", f"DELETE FROM nbatch.{table}"), table
    assert len(tables.split()) == 9
    postgres.sql("CREATE ROLE stranger LOGIN")
    assert refused("stranger", "SELECT 1 FROM nbatch.job")


def test_a_password_in_the_uri_is_refused(nbatch):
    for uri in ("postgresql://ops:secret@db/nbatch", "host=db password=secret"):
        done = nbatch("jobs", "--share", uri)
        assert done.code == 2 and ".pgpass" in done.err and "secret" not in done.err


def test_a_job_is_loaded_worked_at_and_read(shared, simulator, tmp_path):
    sim = simulator()
    lines = [row_of(1 + i % 100, value=i).rstrip("\n") + f",note {i}\n" for i in range(300)]
    (tmp_path / "f.csv").write_text(HEADER.rstrip("\n") + ",note\n" + "".join(lines) + "123,3311,0,2,+7d,1,bad\n")
    refused = shared("run", "f.csv", "--pass", "note", "--endpoint", sim.url, "--job", "one")
    assert refused.code == 3 and "one" not in shared("jobs").out
    done = shared("run", "f.csv", "--pass", "note", "--skip-invalid", "--endpoint", sim.url, "--job", "one", "-c", "16")
    assert done.code == 1, done
    results = shared.results("one")
    assert [row["status"] for row in results] == ["accepted"] * 300 + ["invalid"]
    assert [row["note"] for row in results] == [f"note {i}" for i in range(300)] + ["bad"]
    assert len({row["key"] for row in results}) == 301
    order = collections.defaultdict(list)
    uuids = {row["uuid"]: int(row["row"]) for row in results}
    for line in read_audit(sim.audit_path):
        order[line["imei"]].append(uuids[line["uuid"]])
    assert len(order) == 100 and all(rows == sorted(rows) and len(rows) == 3 for rows in order.values())
    jobs = shared("jobs").out.splitlines()
    assert [line.split()[:5] for line in jobs if line.startswith("one")] == [["one", "complete", ACCOUNT, "301", "300"]]
    again = shared("run", "f.csv", "--pass", "note", "--skip-invalid", "--endpoint", sim.url, "--job", "one")
    assert again.code == 2 and "nbatch work" in again.err
    assert "removed" in shared("jobs", "--remove", "one").err
    assert shared.database.sql("SELECT count(*) FROM nbatch.command") == "0"


def test_the_key_is_not_stored_and_another_account_or_endpoint_is_refused(shared, simulator, fleet):
    sim = simulator()
    assert shared("run", fleet(5), "--endpoint", sim.url, "--job", "k").code == 0
    dump = subprocess.run(["pg_dump", "-h", shared.database.folder, "-U", "admin", "nbatch"], capture_output=True,
                          text=True, check=True).stdout
    assert ACCOUNT in dump and KEY not in dump
    other = shared.start("work", "--job", "k", "--endpoint", sim.url, key="another-master-key-000000=")
    assert "this key is that of" in finished(other, 4)
    elsewhere = shared("work", "--job", "k", "--endpoint", "http://127.0.0.1:9")
    assert elsewhere.code == 2 and "say so with --endpoint" in elsewhere.err


def test_a_viewer_looks_and_does_not_work(shared, simulator, fleet):
    sim = simulator()
    assert shared("run", fleet(5), "--endpoint", sim.url, "--job", "v").code == 0
    assert shared("jobs", user="eye").code == 0
    assert shared("results", "--job", "v", user="eye").out.count("accepted") == 5
    assert "permission denied" in shared("jobs", "--remove", "v", user="eye").err
    worker = shared("work", "--job", "v", "--endpoint", sim.url, user="eye")
    assert worker.code == 7 and "permission denied" in worker.err
    assert "permission denied" in shared("run", fleet(5), "--endpoint", sim.url, "--job", "w", user="eye").err


def test_killed_workers_leave_one_stride_in_doubt_and_nothing_lost(shared, simulator, fleet):
    shared.database.sql("UPDATE nbatch.meta SET lease = '5 s'")  # those that live keep theirs on a busy machine
    sim = simulator("--latency", "5ms")
    rows, stride, kills = 2500, 16, 2
    work = ["work", "--job", "kill", "--endpoint", sim.url, "-c", stride]
    first = shared.start("run", fleet(rows), "--job", "kill", "--endpoint", sim.url, "-c", stride,
                         "--on-ambiguous", "hold")
    shared.wait_for("kill", 100)
    others = [shared.start(*work), shared.start(*work)]
    for _ in range(kills):
        time.sleep(random.uniform(0.2, 0.6))
        victim = others.pop(0)
        victim.kill()
        victim.wait()
        others.append(shared.start(*work))
    for process in [first, *others]:
        finished(process, 0, 6)
    shared.database.sql(f"UPDATE nbatch.meta SET lease = '{LEASE_S} s'")
    results = shared.results("kill")
    check_against_audit(results, read_audit(sim.audit_path), rows)
    assert sum(row["status"] == "in_doubt" for row in results) <= kills * stride
    assert int(shared.database.sql("SELECT count(DISTINCT worker) FROM nbatch.result")) >= 3


def stand_still(shared, sim, job, path, policy, binary=NBATCH):
    """A worker whose stride waits for its turn is stopped for longer than its lease, and woken; what it says."""
    stride = 16
    sleeper = shared.start("run", path, "--job", job, "--endpoint", sim.url, "-c", stride, "--rate", "50/s",
                           "--on-ambiguous", policy, binary=binary)
    shared.wait_for(job, 20)
    sleeper.send_signal(signal.SIGSTOP)
    before = shared.count(job)
    other = shared.start("work", "--job", job, "--endpoint", sim.url, "-c", stride)
    time.sleep(LEASE_S + 0.5)
    shared.wait_for(job, before)
    sleeper.send_signal(signal.SIGCONT)
    finished(other, 0, 6)
    return finished(sleeper, 0, 6)


def test_a_worker_that_stood_still_overwrites_nothing_and_its_answers_count(shared, simulator, fleet):
    sim = simulator("--latency", "300ms")
    assert "stood still for longer than its lease" in stand_still(shared, sim, "still", fleet(200), "hold")
    results = shared.results("still")
    check_against_audit(results, read_audit(sim.audit_path), 200)
    # What had left before it was stopped was answered meanwhile: that settles rows in doubt, and is kept.
    assert shared.count("still", "event") > 0
    processed = {line["imei"] for line in read_audit(sim.audit_path)}
    for row in results:
        assert row["status"] == ("accepted" if row["imei"] in processed else "in_doubt"), row


@pytest.mark.parametrize("fence", [True, False], ids=["fenced", "unfenced"])
def test_a_worker_that_stood_still_sends_nothing_more_of_its_stride(shared, simulator, fleet, fence):
    """With its negative control: rows that had not left are sent by the other worker alone."""
    sim = simulator("--latency", "5ms")
    binary = NBATCH if fence else os.environ.get("NBATCH_UNFENCED", str(ROOT / "build/test/tests/nbatch-unfenced"))
    stand_still(shared, sim, f"resend-{fence}", fleet(200), "resend", binary)
    processed = collections.Counter(line["imei"] for line in read_audit(sim.audit_path) if line["processed"])
    twice = [device for device in processed if processed[device] > 1]
    assert len(processed) == 200 and (len(twice) <= 3) == fence, twice


@pytest.mark.usefixtures("long_lease")
def test_a_worker_whose_clock_is_an_hour_off_changes_nothing(shared, simulator, fleet):
    """Leases, rate and results go by the database's time; what has expired, by the platform's."""
    sim = simulator("--latency", "5ms")
    rows, stride = 1200, 16
    first = shared.start("run", fleet(rows), "--job", "clocks", "--endpoint", sim.url, "-c", stride, "--on-ambiguous", "hold",
                         "--rate", "200/s")
    shared.wait_for("clocks", 20)
    assert shared("jobs", "--pause", "clocks").code == 0
    work = ["work", "--job", "clocks", "--endpoint", sim.url, "-c", stride]
    others = [shared.start(*work, LD_PRELOAD=CLOCK, NBATCH_CLOCK_OFF=off, **CALM) for off in ("3600", "-3600")]
    shared.wait_for("clocks", 2, of="worker")  # all three are there
    assert shared("jobs", "--resume", "clocks").code == 0
    told = [finished(process, 0) for process in (first, *others)]
    assert not any("lost" in text or "stood still" in text for text in told), told
    results = shared.results("clocks")
    check_against_audit(results, read_audit(sim.audit_path), rows)
    assert {row["status"] for row in results} == {"accepted"}
    assert shared.count("clocks", where="r.finished NOT BETWEEN now() - interval '5 min' AND now()") == 0
    assert int(shared.database.sql("SELECT count(DISTINCT worker) FROM nbatch.result r JOIN nbatch.job j ON j.id = r.job "
                                   "WHERE j.name = 'clocks'")) == 3
    took = float(shared.database.sql("SELECT extract(epoch FROM max(finished) - min(finished)) FROM nbatch.result r "
                                     "JOIN nbatch.job j ON j.id = r.job WHERE j.name = 'clocks'"))
    assert took > 0.99 * (rows - 50) / 200, took


@pytest.mark.usefixtures("long_lease")
@pytest.mark.parametrize("how", ["cut", "restart", "kill"])
def test_the_database_goes_away_and_comes_back(shared, simulator, fleet, how):
    sim = simulator("--latency", "40ms")
    rows, stride, job = 2000, 16, f"database-{how}"
    runs = [shared.start("run", fleet(rows), "--job", job, "--endpoint", sim.url, "-c", stride,
                         "--on-ambiguous", "hold")]
    shared.wait_for(job, 200)
    runs.append(shared.start("work", "--job", job, "--endpoint", sim.url, "-c", stride))
    # It has begun to work: a database that is away at the start is refused.
    shared.wait_for(job, 0, "r.worker = (SELECT max(id) FROM nbatch.worker w WHERE w.job = j.id) AND r.reached > 0 "
                            "AND (SELECT count(*) FROM nbatch.worker w WHERE w.job = j.id) = 2", of="shard")
    for _ in range(3 if how == "cut" else 1):
        time.sleep(0.3)
        if how == "cut":
            shared.database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                "WHERE application_name = 'nbatch' AND pid <> pg_backend_pid()")
            continue
        if how == "restart":
            shared.database.stop()
        else:
            shared.database.kill()
        time.sleep(0.3)
        shared.database.start()
    assert "the database is away" in "".join(finished(process, 0, 6) for process in runs)
    results = shared.results(job)
    check_against_audit(results, read_audit(sim.audit_path), rows)
    assert sum(row["status"] == "in_doubt" for row in results) == 0


def test_what_is_kept_of_a_job_that_was_removed_is_told_of_and_stays(shared, simulator, fleet, tmp_path):
    sim, job = simulator(), "gone"
    finished(shared.start("run", fleet(3), "--job", job, "--endpoint", sim.url), 0)
    head = shared.database.sql("SELECT id || ' ' || (extract(epoch FROM loaded) * 1000000)::bigint FROM nbatch.job WHERE name = 'gone'")
    late, other = tmp_path / f"{job}.host:1.late", tmp_path / "other.host:1.late"
    for file in (late, other):
        file.write_text(f"nbatch-late 2 {head} 77\n{{1}}\n")
    # The database is named in no file: one of another job of that name may be of another database.
    assert "warning" not in shared("jobs", "--pause", job).err
    done = shared("jobs", "--remove", job)
    assert done.code == 0 and f"could not write are kept in {late.name}, which stays" in done.err and other.name not in done.err, done
    told = finished(shared.start("run", fleet(3), "--job", job, "--endpoint", sim.url), 0)
    assert f"kept in {late.name}: of another job gone than this one" in told and late.exists() and other.exists(), told
    late.unlink()
    assert "warning" not in finished(shared.start("work", "--job", job, "--endpoint", sim.url), 0)


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "not-kept"])
@pytest.mark.parametrize("policy", ["hold", "resend"])
def test_a_worker_that_dies_while_the_database_is_away_loses_no_answer(shared, simulator, fleet, tmp_path, kept, policy):
    """Its stride is answered while nobody can write that down. With its negative control: without its file these rows are in doubt, or
    sent twice."""
    sim = simulator("--latency", "1200ms")
    rows, stride, job = 80, 32, f"away-{policy}-{kept}"
    worker = shared.start("run", fleet(rows), "--job", job, "--endpoint", sim.url, "-c", stride, "--on-ambiguous", policy)
    shared.wait_for(job, stride - 1)
    # The next stride has been marked by now, or will be in a moment: then it is under way for 1.2 s.
    marked = int(shared.database.sql("SELECT count(*) FROM nbatch.started"))
    end = time.monotonic() + 60
    while marked < stride:
        assert time.monotonic() < end, worker.log.read_text()
        time.sleep(0.02)
        marked = int(shared.database.sql("SELECT count(*) FROM nbatch.started"))
    shared.database.kill()
    late = tmp_path / f"{job}.{os.uname().nodename}:{worker.pid}.late"
    end = time.monotonic() + 60
    while not late.exists() or late.read_text().count("\n.\n") < marked:
        assert time.monotonic() < end, (late.exists() and late.read_text(), worker.log.read_text())
        time.sleep(0.05)
    worker.kill()
    worker.wait()
    assert late.stat().st_mode & 0o777 == 0o600
    if kept:
        with open(late, "a", encoding="utf-8") as file:  # … and it died in the middle of a line
            file.write("{1,2")
    else:
        late.unlink()
    shared.database.start()
    told = finished(shared.start("work", "--job", job, "--endpoint", sim.url, "-c", stride), 0, 6)
    results, audit = shared.results(job), read_audit(sim.audit_path)
    processed = collections.Counter(line["imei"] for line in audit if line["processed"])
    assert len(processed) == len(results) == rows and not late.exists()
    in_doubt = sum(row["status"] == "in_doubt" for row in results)
    twice = sum(count > 1 for count in processed.values())
    assert ("handed in" in told) == kept
    if kept:
        assert in_doubt == 0 and twice == 0, (in_doubt, twice)
        check_against_audit(results, audit, rows)
    else:
        assert 0 < (in_doubt if policy == "hold" else twice) <= stride


@pytest.mark.figures
def test_the_rate_is_the_accounts_over_all_workers_and_runs(shared, simulator, fleet):
    sim = simulator()
    # The run without a rate of its own ends first: then there is none any more.
    first = shared.start("run", fleet(850, "a.csv"), "--job", "rate", "--endpoint", sim.url, "--rate", "200/s")
    shared.wait_for("rate", 0)
    second = shared.start("work", "--job", "rate", "--endpoint", sim.url)
    third = shared.start("run", fleet(150, "b.csv", first=5001), "--share-only-rate", "--endpoint", sim.url)
    for process in (first, second, third):
        finished(process, 0)
    times = sorted(line["time"] for line in read_audit(sim.audit_path))
    kept = times[50:]  # before that a connection that is made late makes the time look short
    rate = (len(kept) - 1) * 1000 / (kept[-1] - kept[0])
    assert len(times) == 1000 and 100 < rate < 202, rate
    assert len(read_results(third.log.parent / "b.results.csv")) == 150
    assert {row["status"] for row in shared.results("rate")} == {"accepted"}


def events(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.usefixtures("long_lease")
def test_starts_are_taken_as_far_as_there_are_rows(shared, simulator, fleet):
    """What one worker took and does not use, the others would wait for."""
    sim = simulator()
    before = int(shared.database.sql(f"SELECT coalesce(sum(taken), 0) FROM nbatch.account WHERE name = '{ACCOUNT}'"))
    first = shared.start("run", fleet(600), "--job", "frugal", "--endpoint", sim.url, "--rate", "300/s")
    shared.wait_for("frugal", 0)
    workers = [shared.start("work", "--job", "frugal", "--endpoint", sim.url) for _ in range(2)]
    for process in (first, *workers):
        finished(process, 0)
    taken = int(shared.database.sql(f"SELECT sum(taken) FROM nbatch.account WHERE name = '{ACCOUNT}'")) - before
    assert len(read_audit(sim.audit_path)) == 600 and taken >= 600
    assert taken < 650, taken  # were they taken for 200 ms in any case: 690 and more


@pytest.mark.usefixtures("long_lease")
def test_log_and_metrics_of_the_run_and_of_the_worker_that_the_unit_starts(shared, simulator, fleet, tmp_path):
    sim = simulator()
    run = shared.start("run", fleet(1200), "--job", "told", "--endpoint", sim.url, "--rate", "200/s", "--log", "run.jsonl",
                       "--metrics-file", "run.prom")
    shared.wait_for("told", 0)
    assert shared("jobs", "--pause", "told").code == 0
    (tmp_path / "work.yaml").write_text(f"share: {shared.database.uri()}\nendpoint: {sim.url}\nrate: 200/s\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "api-key").write_text(KEY + "\n")
    (credentials / "api-key").chmod(0o400)
    unit = (ROOT / "src/packaging/examples/nbatch-work@.service").read_text(encoding="utf-8")
    line = re.search("^ExecStart=(.*)$", unit, re.M).group(1)
    line = line.replace("%i", "told").replace("/usr/bin/nbatch", str(NBATCH)).replace("/etc/nbatch", str(tmp_path))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NBATCH_")}
    with subprocess.Popen(line.split(), cwd=tmp_path, env={**environment, "CREDENTIALS_DIRECTORY": str(credentials)},
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as work:
        shared.wait_for("told", 1, of="worker")
        assert shared("jobs", "--resume", "told").code == 0
        err = work.communicate(timeout=120)[1]
    assert work.returncode == 0, err
    finished(run, 0)
    logs = [events(tmp_path / "run.jsonl"), events(tmp_path / "log.jsonl")]
    for log in logs:
        names = [event["event"] for event in log]
        assert names[0] == "begin" and "start" in names and names[-1] == "end", names
        assert {event["job"] for event in log[-1:]} == {"told"} and log[-1]["end"] == "complete"
    assert sum(log[-1]["accepted"] for log in logs) == 1200 and logs[1][-1]["accepted"] > 0
    for name, log in zip(("run.prom", "work.prom"), logs):
        metrics = (tmp_path / name).read_text(encoding="utf-8")
        assert re.search(rf'^nbatch_rows\S*{{[^}}]*accepted[^}}]*}} {log[-1]["accepted"]}$', metrics, re.M), metrics


def test_what_ends_before_a_row_is_sent_is_in_the_log_too(shared, tmp_path, simulator):
    done = shared("work", "--job", "nothing-of-that-name", "--endpoint", simulator().url, "--log", "log.jsonl", "--metrics-file",
                  "m.prom")
    assert done.code != 0
    last = events(tmp_path / "log.jsonl")[-1]
    assert last["event"] == "refused" and last["exit_status"] == done.code and (tmp_path / "m.prom").exists()
    assert "nothing-of-that-name" in last["why"]


@pytest.mark.usefixtures("long_lease")
def test_a_job_is_paused_goes_on_and_is_stopped(shared, simulator, fleet):
    sim = simulator()
    worker = shared.start("run", fleet(3000), "--job", "p", "--endpoint", sim.url, "--rate", "50/s")
    shared.wait_for("p", 20)
    assert "paused" in shared("jobs", "--pause", "p").err
    end = time.monotonic() + 60
    while "the job is paused" not in worker.log.read_text():
        assert time.monotonic() < end, worker.log.read_text()
        time.sleep(0.05)
    before, done = -1, shared.count("p")
    while done != before:  # what was under way ends
        time.sleep(1)
        before, done = done, shared.count("p")
    time.sleep(0.5)
    assert shared.count("p") == done < 3000
    assert shared("jobs", "--resume", "p").code == 0
    shared.wait_for("p", done)
    assert "job p, whose state is running, cannot be removed: a worker is at it" in shared("jobs", "--remove", "p").err
    assert shared("jobs", "--stop", "p").code == 0
    assert "the job was stopped" in finished(worker, 5)
    for change in ("--pause", "--resume", "--stop", "--remove"):
        assert "permission denied" in shared("jobs", change, "p", user="eye").err
    done = shared.count("p")
    assert shared("jobs", "--resume", "p").code == 0
    worker = shared.start("work", "--job", "p", "--endpoint", sim.url)
    shared.wait_for("p", done)
    assert shared("jobs", "--stop", "p").code == 0
    finished(worker, 5)
    assert "job p, whose state is stopped, cannot be paused" in shared("jobs", "--pause", "p").err
    assert shared("jobs", "--remove", "p").code == 0
    assert shared("jobs", "--pause", "p").code == 2


def test_a_job_that_is_not_there_is_named_with_its_database_and_those_that_are(shared, simulator, fleet):
    sim, where = simulator(), f"in the database nbatch at {shared.database.folder}"
    calls = [("jobs", "--pause"), ("jobs", "--resume"), ("jobs", "--stop"), ("jobs", "--remove"), ("work", "--endpoint", sim.url, "--job"),
             ("results", "--job"), ("status", "--endpoint", sim.url, "--job"), ("cancel", "--yes", "--endpoint", sim.url, "--job"),
             ("verify", "--endpoint", sim.url, "--job"), ("report", "--job")]
    shared.database.sql("DELETE FROM nbatch.job")
    done = shared("jobs", "--remove", "august")
    assert done.code == 2 and f"there is no job august {where}, which has none at all" in done.err, done
    for job in ("august-fleet", "september"):
        finished(shared.start("run", fleet(2), "--job", job, "--endpoint", sim.url), 0)
    for words in calls:
        done = shared(*words, "august-flet")
        assert done.code == 2 and f"there is no job august-flet {where}; did you mean august-fleet?" in done.err, done
    done = shared("jobs", "--stop", "x")
    assert f"there is no job x {where}; the latest there: september, august-fleet (nbatch jobs lists them)" in done.err, done


def test_rows_that_wait_for_their_turn_are_given_back_when_a_job_is_stopped(shared, simulator, fleet):
    """At a low rate a stride takes hours."""
    sim = simulator()
    worker = shared.start("run", fleet(50), "--job", "slow", "--endpoint", sim.url, "--rate", "10/h")
    shared.wait_for("slow", 0)
    assert shared("jobs", "--stop", "slow").code == 0
    assert "the job was stopped" in finished(worker, 5, patience=60)
    assert len(read_audit(sim.audit_path)) == shared.count("slow") == 1
    assert shared.count("slow", "started", "may_left") == 0
    shared.database.sql("UPDATE nbatch.job SET rate = NULL WHERE name = 'slow'")
    assert shared("jobs", "--resume", "slow").code == 0
    finished(shared.start("work", "--job", "slow", "--endpoint", sim.url), 0)
    check_against_audit(shared.results("slow"), read_audit(sim.audit_path), 50)


def test_what_is_not_for_a_shared_job_is_refused(shared, nbatch, fleet):
    alone = nbatch("run", fleet(5), "--share-only-rate", "--endpoint", "http://127.0.0.1:9")
    assert alone.code == 2 and "--share URI" in alone.err
    for option, value in (("--output", "x.csv"), ("--report", "x.html"), ("--simulate", None), ("--canary", "5")):
        done = shared("run", fleet(5), option, *([value] if value else []), "--job", "r")
        assert done.code == 2 and f"{option} is not for a shared job" in done.err


def test_the_guards_of_a_run_hold_before_a_job_is_loaded(shared, simulator, fleet, tmp_path):
    sim, path = simulator(), fleet(20)
    before = shared.database.sql("SELECT count(*) FROM nbatch.job")
    old = fleet(5, "old.csv")
    os.utime(old, (time.time() - 7200,) * 2)
    for given, options, why in ((path, ["--expect-rows", "30..40"], "--expect-rows says 30 to 40"),
                                (old, ["--max-age", "1h"], "--max-age allows 1h"),
                                (path, ["--embargo", "10s", "--rate", "1/s"], "the embargo ends before all is sent")):
        done = shared("run", given, "--endpoint", sim.url, *options)
        assert done.code in (2, 3) and why in done.err, done
    lines = path.read_text().splitlines()
    (tmp_path / "u.csv").write_text("\n".join([lines[0] + ",uuid", *(line + ",x" for line in lines[1:])]) + "\n")
    done = shared("run", "u.csv", "--pass", "uuid", "--endpoint", sim.url)
    assert done.code == 2 and "a column of that name of their own" in done.err, done
    assert shared.database.sql("SELECT count(*) FROM nbatch.job") == before
    good = shared("run", path, "--endpoint", sim.url, "--job", "guarded", "--expect-rows", "20", "--max-age", "1h", "--embargo", "1h")
    assert good.code == 0, good
    waiting = shared.database.sql("SELECT count(*) FROM nbatch.command c JOIN nbatch.job j ON j.id = c.job WHERE j.name = 'guarded' "
                                  "AND target LIKE '%valid_time=%' AND valid_at > extract(epoch FROM now()) + 3000")
    assert waiting == "20"


def test_results_of_a_job_are_those_that_were_asked_for(shared, simulator, fleet):
    sim = simulator("--fault", "errno-2001:30%", "--seed", "5")
    assert shared("run", fleet(40), "--endpoint", sim.url, "--job", "some").code == 1
    everything = shared("results", "--job", "some").out.splitlines()
    accepted = shared("results", "--job", "some", "--status", "accepted").out.splitlines()
    rejected = shared("results", "--job", "some", "--status", "rejected,failed").out.splitlines()
    assert 1 < len(accepted) < 41 and 1 < len(rejected) < 41 and sorted(accepted[1:] + rejected[1:]) == sorted(everything[1:])
    assert shared("results", "--job", "some", "--ambiguous").out.splitlines() == everything[:1]


PATIENCE = ("--max-attempts", "40", "--retry-delay", "5ms", "--retry-max-delay", "50ms", "--rate", "none")


def test_rows_in_doubt_of_a_job_are_looked_for_by_several_at_once(shared, simulator, fleet, tmp_path):
    """Of requests whose answer got lost, and of a worker that died: what verify finds goes into the database, once."""
    faults = ("--fault", "close-after:10%", "--fault", "reset-after:5%", "--fault", "close:10%")
    sim, rows, stride = simulator(*faults, "--seed", "3", "--latency", "20ms"), 300, 16
    (tmp_path / "v.csv").write_text(HEADER.rstrip("\n") + ",note\n" + "".join(
        row_of(i).rstrip("\n") + f',"a, ""{i}"""\n' for i in range(1, rows + 1)))
    worker = shared.start("run", "v.csv", "--pass", "note", "--job", "verify", "--endpoint", sim.url, "-c", stride, "--on-ambiguous", "hold")
    shared.wait_for("verify", 100)
    worker.kill()
    worker.wait()
    finished(shared.start("work", "--job", "verify", "--endpoint", sim.url, "-c", stride), 6)
    before = collections.Counter(row["status"] for row in shared.results("verify"))
    assert before["in_doubt"] > 20, before
    look = ["verify", "--job", "verify", "--endpoint", sim.url, "--settle", "0s,1s", *PATIENCE]
    looks = [shared.start(*look), shared.start(*look)]
    told = [finished(process, 0) for process in looks]
    assert sum(int(re.search(r"(\d+) rows? of verify settled in the database", text).group(1)) for text in told) == before["in_doubt"]
    results, stored = shared.results("verify"), {}
    for line in sim.audit():
        if line.get("processed") and line.get("action") == "write":
            assert stored.setdefault(line["imei"], line["uuid"]) == line["uuid"], "sent twice"
    assert len(results) == rows and [row["note"] for row in results] == [f'a, "{i}"' for i in range(1, rows + 1)]
    for row in results:
        assert (row["status"], row["uuid"]) == (("accepted", stored[row["imei"]]) if row["imei"] in stored else ("failed", "")), row
    assert 0 < sum(row["status"] == "failed" for row in results)
    assert not list(tmp_path.glob("verify.*.csv.*")) and "--resume=failed --output verify.results.csv" in told[0]


def test_status_report_and_cancel_of_a_job(shared, simulator, fleet, tmp_path):
    sim = simulator()
    (tmp_path / "tmp").mkdir()
    assert shared("run", fleet(30), "--endpoint", sim.url, "--job", "asked").code == 0

    def call(*args, **options):
        environment = {"NBATCH_SHARE": shared.database.uri(options.get("user", "ops")), "TMPDIR": str(tmp_path / "tmp")}
        done = shared.program(*args, "--job", "asked", env=environment)
        assert not list((tmp_path / "tmp").iterdir()), "its copy of the results is still there"
        return done

    first = call("status", "--endpoint", sim.url, user="eye")
    assert re.search(r"nbatch status .*--job asked --watch", first.told) and len(read_results(tmp_path / "asked.status.csv")) == 30, first
    report = call("report", user="eye")
    assert report.code == 0 and "asked" in (tmp_path / "asked.html").read_text(), report
    dry = call("cancel", "--endpoint", sim.url, "-n")
    assert dry.code == 0 and dry.out.count("\n") >= 30, dry
    cancelled = call("cancel", "--endpoint", sim.url, "--yes")
    assert cancelled.code == 0 and len(read_results(tmp_path / "asked.cancelled.csv")) == 30, cancelled
    both = call("status", "x.results.csv")
    assert both.code == 2 and "Leave one of them out" in both.err
    assert "which results" in shared.program("status").err
    assert "nbatch jobs lists them" in shared.program("report", "--job", "none", "--share", shared.database.uri()).err
