"""Each option of the commands of shared jobs is honoured, or refused by its name: none is left out in silence."""
import re

import pytest

DATABASE = "postgresql://nobody@127.0.0.1:9/nothing"

# What run --share refuses; with --share-only-rate, of which the results are a file of the run's own, only the second.
NOT_FOR_A_JOB = {"output": "x.csv", "resume": None, "status": "x.csv", "sort": None, "report": "x.html", "canary": "5", "dated": None,
                 "again": None, "keep": "30d", "rollout": "50%,100%:delivered=95%,wait=1h", "only-in": "x.csv", "settle": "1s,2s"}
NOT_FOR_A_RATE = {"simulate": None, "online": None, "ramp": "10/s..20/s:5m", "no-adaptive": None}

SEEN = "progress no-color quiet lang help version"
PLATFORM = ("endpoint api api-key-file api-key-command product-id user-id access-key-file insecure-http cacert insecure proxy resolve http2 "
            "connect-timeout request-timeout max-attempts retry-delay retry-max-delay outage-wait seed concurrency rate burst")
INPUT = ("format sheet encoding delimiter header-line set map pass true false imei max-row-bytes expect-rows max-age skip-invalid strict "
         "allow-replace yes embargo problems")
# Honoured, each in its place: the target and the attempts by what a run of its own uses for them (target_choose, sending_options), the input by
# its check, and what is of shared jobs alone by the tests of test_share.py. canary-accept is refused without a canary; dry-run and
# explain-retries do not come to the database.
HONOURED = {
    "run": f"{PLATFORM} {INPUT} {SEEN} config on-ambiguous halt share share-only-rate job log metrics-file json verbose dry-run explain-retries "
           "canary-accept",
    "work": f"{PLATFORM} {SEEN} config halt share job log metrics-file json verbose",
    "results": f"{SEEN} output share job status ambiguous",
    "jobs": f"{SEEN} share pause resume stop remove",
    "share": f"{SEEN} config share",
}


@pytest.mark.parametrize("command", HONOURED)
def test_every_option_of_the_table_is_honoured_or_refused(nbatch, command):
    names = set(re.findall(r"^  (?:-.,|   ) --([a-z0-9-]+)", nbatch(command, "--help").out, re.M))
    refused = {*NOT_FOR_A_JOB, *NOT_FOR_A_RATE} if command == "run" else set()
    honoured = set(HONOURED[command].split()) - ({"progress"} if command in ("results", "jobs", "share") else set())
    assert not refused & honoured
    assert names == refused | honoured, names ^ (refused | honoured)


def words(name, value):
    return [f"--{name}", *([value] if value else [])]


@pytest.mark.parametrize("name", [*NOT_FOR_A_JOB, *NOT_FOR_A_RATE])
def test_what_a_shared_job_has_no_use_for_is_refused_by_its_name(nbatch, fleet, name):
    value = {**NOT_FOR_A_JOB, **NOT_FOR_A_RATE}[name]
    done = nbatch("run", fleet(5), "--share", DATABASE, *words(name, value))
    assert done.code == 2 and f"--{name} is not for a shared job: " in done.err, done


@pytest.mark.parametrize("name", NOT_FOR_A_RATE)
def test_what_a_shared_rate_has_no_use_for_is_refused_by_its_name(nbatch, fleet, tmp_path, name):
    done = nbatch("run", fleet(5), "--share", DATABASE, "--share-only-rate", "--endpoint", "http://127.0.0.1:9",
                  *words(name, NOT_FOR_A_RATE[name]))
    assert done.code == 2 and ("is not for a shared rate: " in done.err or "--endpoint" in done.err), done
    assert not (tmp_path / "fleet.results.csv").exists()


def test_two_files_of_one_name_are_refused(nbatch, fleet):
    for what in (["run", fleet(5), "--share", DATABASE], ["work", "--share", DATABASE, "--job", "x"]):
        done = nbatch(*what, "--log", "one", "--metrics-file", "one")
        assert done.code == 2 and "are the same file" in done.err, done


def test_results_of_a_file_go_where_they_are_said_to(nbatch, fleet, tmp_path):
    assert nbatch("run", fleet(6), "--simulate=fault=errno-2001:30%,seed=5", "-o", "r.csv").code in (0, 1)
    shown = nbatch("results", "r.csv", "--status", "accepted").out
    done = nbatch("results", "r.csv", "--status", "accepted", "-o", "good.csv")
    assert done.code == 0 and done.out == "" and (tmp_path / "good.csv").read_text() == shown
    for output, why in (("good.csv", "exists already"), ("r.csv", "same file"), ("good.jsonl", "are CSV")):
        done = nbatch("results", "r.csv", "-o", output)
        assert done.code == 2 and why in done.err, done
    assert (tmp_path / "good.csv").read_text() == shown
    both = nbatch("results", "r.csv", "--job", "monday", "--share", DATABASE)
    assert both.code == 2 and "Leave one of them out" in both.err
