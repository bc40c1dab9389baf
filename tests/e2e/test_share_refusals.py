"""A database that refuses for now, does not answer, or has forgotten: what was promised of a shared job holds, and it is said."""
import collections
import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from conftest import HEADER, read_audit, row_of
from test_share import check_against_audit, finished, postgres, schema, shared  # noqa: F401

FULL = """CREATE OR REPLACE FUNCTION public.no_room() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER no_room BEFORE INSERT ON nbatch.result FOR EACH ROW EXECUTE FUNCTION public.no_room()"""
WAITING = """CREATE OR REPLACE FUNCTION public.waiting() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END $$;
    CREATE TRIGGER waiting BEFORE INSERT ON nbatch.started FOR EACH ROW EXECUTE FUNCTION public.waiting()"""
ROOM = "DROP TRIGGER no_room ON nbatch.result"


def wait_until(is_so, what, patience=60):
    end = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < end, what()
        time.sleep(0.05)


@pytest.mark.parametrize("policy, twice", [("hold", 0), ("resend", 32)])
def test_what_a_dead_worker_may_have_sent_waits_until_it_is_settled(shared, simulator, fleet, policy, twice):
    """… however often the database refuses to. With resend, the same rows are sent again."""
    sim = simulator("--latency", "1s")
    rows, stride, job = 128, 32, f"settle-{policy}"
    path, work = fleet(rows), ["--job", job, "--endpoint", sim.url, "-c", stride]
    first = shared.start("run", path, *work, "--on-ambiguous", policy)
    shared.wait_for(job, 30)
    second = shared.start("work", *work)
    wait_until(lambda: shared.count(job, "started", "may_left") >= stride - 8, second.log.read_text)
    first.kill()
    first.wait()
    marked = shared.count(job, "started", "may_left")
    shared.database.sql(FULL)
    try:
        wait_until(lambda: "No space left" in second.log.read_text(), second.log.read_text)
        time.sleep(1)
    finally:
        shared.database.sql(ROOM)
    told = finished(second, 6 if policy == "hold" else 0)
    assert "the database is back" in told and told.count("the database is away") < 4, told
    results, audit = shared.results(job), read_audit(sim.audit_path)
    assert sum(row["status"] == "in_doubt" for row in results) == (marked if policy == "hold" else 0)
    processed = collections.Counter(line["imei"] for line in audit if line["processed"])
    assert sum(count > 1 for count in processed.values()) <= twice
    if policy == "hold":
        check_against_audit(results, audit, rows)


@pytest.mark.parametrize("forget", ["DELETE FROM nbatch.worker", "UPDATE nbatch.worker SET until = '-infinity'"], ids=["gone", "late"])
def test_a_worker_of_which_nothing_is_known_keeps_the_rate(shared, simulator, fleet, forget):
    sim, job, rate = simulator(), "forgotten-" + forget[:3].lower(), 20
    worker = shared.start("run", fleet(4000), "--job", job, "--endpoint", sim.url, "-c", 16, "--rate", f"{rate}/s")
    shared.wait_for(job, 10)
    for _ in range(4):
        begun, before = time.monotonic(), shared.count(job)
        shared.database.sql(forget)
        time.sleep(1)
        sent = shared.count(job) - before
        assert sent <= 2 * rate * (time.monotonic() - begun) + 16, sent
    jobs = shared("jobs").out
    assert next(line.split()[9] for line in jobs.splitlines() if line.startswith(job)) == "1", jobs
    worker.send_signal(signal.SIGTERM)
    finished(worker, 143)
    assert shared("jobs", "--remove", job).code == 0


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # one that was about to end
            os.kill(pid, number)


@contextlib.contextmanager
def frozen(server):
    """Its processes stand still, and its connections stay."""
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGSTOP)  # it has no further children
    pids = [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()), pid]
    signal_all(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        signal_all(pids, signal.SIGCONT)


def test_a_worker_ends_although_the_database_does_not_answer(shared, simulator, fleet, tmp_path):
    sim, rows, job = simulator("--latency", "200ms"), 300, "hung"
    worker = shared.start("run", fleet(rows), "--job", job, "--endpoint", sim.url, "-c", 16, "--on-ambiguous", "hold")
    shared.wait_for(job, 20)
    with frozen(shared.database):
        time.sleep(0.5)  # the requests in flight are answered meanwhile
        worker.send_signal(signal.SIGTERM)
        told = finished(worker, 7, patience=60)
    assert "it does not answer, and the run was to end" in told and "are kept in hung." in told, told
    assert "nbatch jobs tells how far hung is" in told
    told = finished(shared.start("work", "--job", job, "--endpoint", sim.url, "-c", 16), 0)
    assert "handed in" in told and not list(tmp_path.glob("*.late"))
    check_against_audit(shared.results(job), read_audit(sim.audit_path), rows)


@contextlib.contextmanager
def unanswered(server):
    """Marks are not answered, while all else is; they are carried out behind it, although nobody waits for that any more."""
    server.sql(WAITING)
    psql = subprocess.Popen(["psql", "-h", server.folder, "-U", "admin", "-d", "nbatch", "-AtqX"], text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    print("BEGIN; SELECT 'locked' || pg_advisory_xact_lock(1);", file=psql.stdin, flush=True)
    assert psql.stdout.readline() == "locked\n"
    try:
        yield
    finally:
        psql.communicate("COMMIT;\n")
    others = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ops'"
    wait_until(lambda: server.sql(others) == "0", lambda: "its connection is still there")
    server.sql("DROP TRIGGER waiting ON nbatch.started")


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "not-kept"])
def test_rows_whose_mark_was_not_answered_when_a_worker_ended_are_sent_by_the_next(shared, simulator, fleet, tmp_path, kept):
    """They are marked in the end, and have not left. With its negative control: where nothing tells of them they are in doubt."""
    sim, rows, job = simulator("--latency", "200ms"), 200, f"unsent-{kept}"
    worker = shared.start("run", fleet(rows), "--job", job, "--endpoint", sim.url, "-c", 16, "--on-ambiguous", "hold")
    shared.wait_for(job, 20)
    with unanswered(shared.database):
        wait_until(lambda: shared.database.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != "0",
                   worker.log.read_text)
        worker.send_signal(signal.SIGTERM)
        told = finished(worker, 7, patience=60)
    assert f"kept in {job}." in told, told
    late, = tmp_path.glob("*.late")
    text = late.read_text()
    unsent = [batch.split("\n")[3] for batch in text.split("\n.\n") if "unsent\n" in batch]
    count = sum(len(re.findall(r"\d+", rows)) for rows in unsent)
    assert count > 0, text
    if not kept:
        late.unlink()
    told = finished(shared.start("work", "--job", job, "--endpoint", sim.url, "-c", 16), 0, 6)
    results = shared.results(job)
    check_against_audit(results, read_audit(sim.audit_path), rows)
    in_doubt = sum(row["status"] == "in_doubt" for row in results)
    assert ("handed in" in told) == kept and (in_doubt == 0 if kept else in_doubt >= count), (in_doubt, count, told)


def test_a_database_that_does_not_answer_is_told_of(shared, simulator, fleet):
    sim, rows, job = simulator("--latency", "200ms"), 100, "silent"
    worker = shared.start("run", fleet(rows), "--job", job, "--endpoint", sim.url, "-c", 16, "--on-ambiguous", "hold")
    shared.wait_for(job, 20)
    with frozen(shared.database):
        wait_until(lambda: "does not answer" in worker.log.read_text(), worker.log.read_text)
    finished(worker, 0)
    check_against_audit(shared.results(job), read_audit(sim.audit_path), rows)


def test_a_database_that_stands_still_is_no_silence_for_who_asks_it(shared):
    with frozen(shared.database):
        begin = time.monotonic()
        done = shared("jobs")
        assert done.code == 4 and 10 < time.monotonic() - begin < 60, done
    assert "the database has not answered for 2 s; it is waited for 15 s" in done.err, done
    assert "has not answered" not in shared("jobs").err


def test_the_time_in_which_a_worker_stood_still_is_no_wait_for_an_answer(shared, simulator, fleet):
    """A laptop that is closed, a machine that is moved: the answer is there once the worker runs again."""
    sim, rows, job = simulator("--latency", "200ms"), 400, "asleep"
    worker = shared.start("run", fleet(rows), "--job", job, "--endpoint", sim.url, "-c", 16, "--on-ambiguous", "resend")
    shared.wait_for(job, 20)
    with frozen(shared.database):
        time.sleep(1.5)  # calls are under way
        worker.send_signal(signal.SIGSTOP)
    time.sleep(11)  # more than a call may take
    worker.send_signal(signal.SIGCONT)
    told = finished(worker, 0, 1)
    assert "does not answer" not in told, told
    assert len(shared.results(job)) == rows


@pytest.mark.parametrize("file, stem", [("设备.csv", "job-"), ("a b.csv", "a_b-"), ("q'uo;te \".csv", "q_uo_te-"),
                                        ("é$(x)1.2.csv", "x_1-"), ("n" * 150 + ".csv", "n" * 40 + "-")])
def test_a_job_that_is_named_after_its_file_can_be_typed(shared, simulator, tmp_path, file, stem):
    sim, path = simulator(), tmp_path / file
    path.write_text(HEADER + row_of(0))
    done = shared("run", path, "--endpoint", sim.url)
    assert done.code == 0, done
    name = next(line.split()[1].rstrip(":") for line in done.err.splitlines() if line.startswith("job "))
    assert name.startswith(stem) and f"nbatch results --job {name} gives" in done.err
    assert len(shared.results(name)) == 1
    assert shared("jobs", "--remove", name).code == 0


def test_a_mark_is_on_the_disk_whatever_the_server_does_for_others(shared, simulator, fleet):
    sim, sql = simulator(), shared.database.sql
    sql("""ALTER ROLE ops SET synchronous_commit = off; CREATE TABLE public.seen (what text); GRANT INSERT ON public.seen TO ops;
        CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.seen VALUES (TG_TABLE_NAME || current_setting('synchronous_commit')); RETURN NULL; END $$;
        CREATE TRIGGER look AFTER INSERT ON nbatch.started EXECUTE FUNCTION public.look();
        CREATE TRIGGER look AFTER INSERT ON nbatch.result EXECUTE FUNCTION public.look();
        CREATE TRIGGER look AFTER INSERT ON nbatch.job EXECUTE FUNCTION public.look()""")
    try:
        finished(shared.start("run", fleet(20), "--job", "durable", "--endpoint", sim.url), 0)
        assert sql("SELECT DISTINCT what FROM public.seen ORDER BY 1").split() == ["jobon", "resulton", "startedon"]
    finally:
        sql("""ALTER ROLE ops RESET synchronous_commit; DROP TRIGGER look ON nbatch.started; DROP TRIGGER look ON nbatch.result;
            DROP TRIGGER look ON nbatch.job""")


class Cut:
    """Between the program and the database: once a COMMIT has been carried out, its answer and the connection are cut, and where it
    stays away, there is no other."""

    def __init__(self, server, folder, stays_away):
        self.target, self.is_cut, self.stays_away = str(next(server.folder.glob(".s.PGSQL.*[0-9]"))), False, stays_away
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / Path(self.target).name))
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.is_cut and self.stays_away:
                client.close()
                continue
            threading.Thread(target=self.carry, args=[client], daemon=True).start()

    def carry(self, client):
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.target)
        with client, server:
            while True:
                for one in select.select([client, server], [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    (server if one is client else client).sendall(data)
                    if one is client and b"COMMIT\0" in data and not self.is_cut:
                        server.recv(65536)  # it has been carried out
                        self.is_cut = True
                        return


@pytest.fixture
def short_folder():
    """A socket's path is short."""
    with tempfile.TemporaryDirectory(prefix="nbatch-cut-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize("stays_away", [False, True], ids=["back", "away"])
def test_a_load_whose_end_nobody_heard_of(shared, simulator, fleet, nbatch, short_folder, stays_away):
    sim, job = simulator(), f"unheard-{stays_away}"
    cut = Cut(shared.database, short_folder, stays_away)
    done = nbatch("run", fleet(30), "--job", job, "--endpoint", sim.url, "--share",
                  f"postgresql://ops@/nbatch?host={short_folder}")
    cut.listener.close()
    assert cut.is_cut
    if stays_away:
        assert done.code == 4 and f"nbatch work --job {job}" in done.err, done
        assert finished(shared.start("work", "--job", job, "--endpoint", sim.url), 0)
    else:
        assert done.code == 0, done
    check_against_audit(shared.results(job), read_audit(sim.audit_path), 30)
