"""Whole runs against the simulator; its audit is the oracle."""
import subprocess

import pytest
from conftest import HEADER, NBATCH, ROOT, imei, read_audit, read_results, row_of


@pytest.mark.parametrize("sample,words", [("fleet.csv", []), ("data.csv", ["--allow-replace"]), ("fleet.jsonl", []),
                                          ("imeis.csv", ["--set", "obj_id=3311", "--set", "obj_inst_id=0", "--set",
                                                         "mode=2", "--set", "expired_time=+7d", "--set",
                                                         'data=[{"res_id":5850,"val":true}]'])])
def test_samples_run_to_their_end(nbatch, tmp_path, sample, words):
    done = nbatch("run", ROOT / "samples" / sample, "--simulate", "-o", "out.csv", *words,
                  env={"NBATCH_API_KEY": None})
    assert done.code == 0, done
    assert {row["status"] for row in read_results(tmp_path / "out.csv")} == {"accepted"}


def test_the_sample_of_mistakes_is_refused(nbatch):
    done = nbatch("check", ROOT / "samples/mistakes.csv")
    assert done.code == 3 and "24 rows, 3 valid, 21 invalid" in done.told


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_100_000_rows_to_the_simulator_and_back(nbatch, tmp_path, fleet, fleet_jsonl, simulator, kind):
    sim = simulator()
    path = fleet(100_000) if kind == "csv" else fleet_jsonl(100_000)
    out = tmp_path / f"out.{kind}"
    done = nbatch("run", path, "--endpoint", sim.url, "-o", out)
    assert done.code == 0, done
    rows = read_results(out)
    assert sorted(int(row["row"]) for row in rows) == list(range(1, 100_001))
    uuids = {entry["imei"]: entry["uuid"] for entry in sim.audit() if entry["processed"]}
    assert len(uuids) == len(set(uuids.values())) == 100_000
    for row in rows:
        assert row["imei"] == imei(int(row["row"]))
        assert row["uuid"] == uuids[row["imei"]]


def test_faults_are_never_misnamed_and_nothing_is_processed_twice(nbatch, tmp_path, fleet, simulator):
    sim = simulator("--seed", "5", *(word for kind in ("close", "close-after", "reset", "reset-after", "cut", "garbage",
                                                       "no-uuid", "http-500-after", "http-429", "http-404", "errno-7")
                                     for word in ("--fault", f"{kind}:3%")))
    done = nbatch("run", fleet(5000), "--endpoint", sim.url, "-o", "out.csv", "--max-attempts", "1", "--no-adaptive")
    assert done.code == 6, done
    rows = read_results(tmp_path / "out.csv")
    assert sorted(int(row["row"]) for row in rows) == list(range(1, 5001))
    processed = {}
    for entry in sim.audit():
        processed[entry["imei"]] = processed.get(entry["imei"], 0) + entry["processed"]
    assert max(processed.values()) == 1
    for row in rows:
        if row["status"] in ("failed", "rejected"):
            assert processed.get(row["imei"], 0) == 0, row
        if row["status"] == "accepted":
            assert processed[row["imei"]] == 1
    assert {row["status"] for row in rows} == {"accepted", "rejected", "failed", "in_doubt"}


def test_an_eleventh_waiting_command_is_refused(nbatch, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(HEADER + "".join(row_of(1, value) for value in range(5)))
    done = nbatch("run", path, "--simulate=queue-limit=3")
    assert done.code == 1, done
    rows = sorted(read_results(tmp_path / "in.rehearsal.csv"), key=lambda row: int(row["row"]))
    assert [row["errno"] for row in rows] == ["0"] * 3 + ["5006"] * 2
    assert "errno 5006" in done.err


def test_the_simulator_checks_the_key(nbatch, tmp_path, fleet, simulator):
    key = tmp_path / "key"
    key.write_text("right\n")
    sim = simulator("--api-key-file", str(key))
    assert nbatch("run", fleet(1), "--endpoint", sim.url, "-o", "a.csv", env={"NBATCH_API_KEY": "right"}).code == 0
    assert nbatch("run", fleet(1), "--endpoint", sim.url, "-o", "b.csv", env={"NBATCH_API_KEY": "wrong"}).code == 1
    assert read_results(tmp_path / "b.csv")[0]["errno"] == "1"


@pytest.mark.parametrize("words", [["--listen", "0.0.0.0:1"], ["--fault", "close"], ["--fault", "clse:1%"],
                                   ["--fault", "close:2"], ["--seed", "x"], ["--audit"], ["--latncy", "3"]])
def test_bad_settings_of_the_simulator(nbatch, words):
    assert nbatch("simulate", *words).code == 2


def test_nginx_as_a_server_nobody_here_wrote(nbatch, tmp_path, fleet, nginx):
    server = nginx(keepalive_requests=50)
    done = nbatch("run", fleet(3000), "--endpoint", server.url, "-o", "out.csv")
    assert done.code == 0, done
    assert len(read_results(tmp_path / "out.csv")) == 3000
    targets = [line.split()[2] for line in server.requests()]
    assert len(targets) == len(set(targets)) == 3000


def test_valgrind_finds_nothing_in_2000_rows(tmp_path, fleet):
    if b"__asan_init" in open(NBATCH, "rb").read() or b"__tsan_init" in open(NBATCH, "rb").read():
        pytest.skip("valgrind does not run a sanitized program")
    # What the C library keeps of a thread that is just ending is lost "possibly".
    done = subprocess.run(["valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite",
                           NBATCH, "run", str(fleet(2000)), "--simulate", "-o", str(tmp_path / "out.csv")],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
