"""Rows with more problems than are listed: the verdict counts all of them, whatever is shown."""
import csv
import json

import pytest
from conftest import imei, read_results

HEADER = "imei,obj_id,obj_inst_id,mode,expired_time,data\n"


def items(count, value, res_id=1):
    return "[" + ",".join(f'{{"res_id":{res_id},"val":{value}}}' for _ in range(count)) + "]"


def twelve(path, count=70):
    """Twelve commands for one device, each with so many items for one resource: two too many."""
    with open(path, "w", encoding="utf-8") as f:
        if path.suffix == ".jsonl":
            for i in range(12):
                f.write(json.dumps({"imei": imei(1), "obj_id": 3311, "obj_inst_id": 0, "mode": 2, "expired_time": "+7d",
                                    "data": json.loads(items(count, i))}) + "\n")
        else:
            f.write(HEADER)
            for i in range(12):
                f.write(f'{imei(1)},3311,0,2,+7d,"{items(count, i).replace(chr(34), chr(34) * 2)}"\n')
    return path


@pytest.mark.parametrize("name", ["f.csv", "f.jsonl"])
@pytest.mark.parametrize("count", [64, 65, 66, 70])
def test_a_row_that_the_check_calls_invalid_is_never_sent(nbatch, tmp_path, simulator, name, count):
    path = twelve(tmp_path / name, count)
    done = nbatch("check", path)
    assert done.code == 3 and "12 rows, 10 valid, 2 invalid" in done.told, done
    sim = simulator()
    done = nbatch("run", path, "--endpoint", sim.url, "--skip-invalid", "-o", "out.csv")
    assert done.code == 1, done
    rows = read_results(tmp_path / "out.csv")
    assert [row["status"] for row in sorted(rows, key=lambda row: int(row["row"]))] == ["accepted"] * 10 + ["invalid"] * 2
    assert all("[E-QUEUE]" in row["error"] for row in rows if row["status"] == "invalid"), rows
    assert len(sim.audit()) == 10


def test_a_pipe_is_judged_the_same(nbatch, tmp_path, simulator):
    sim = simulator()
    done = nbatch("run", "-", "--format", "csv", "--endpoint", sim.url, "-o", "out.csv",
                  stdin=twelve(tmp_path / "f.csv").read_text())
    assert done.code == 1, done
    errors = [row["error"] for row in read_results(tmp_path / "out.csv") if row["status"] == "invalid"]
    assert len(errors) == 2 and all("on lines 2, 3" in error and "[E-QUEUE]" in error for error in errors), errors
    assert len(sim.audit()) == 10


def test_a_resumed_run_sends_none_of_them_either(nbatch, tmp_path, simulator):
    path = twelve(tmp_path / "f.csv")
    audit = simulator()
    assert nbatch("run", path, "--endpoint", audit.url, "--skip-invalid", "-o", "out.csv").code == 1
    done = nbatch("run", path, "--endpoint", audit.url, "--skip-invalid", "-o", "out.csv", "--resume", "--yes")
    assert done.code == 1, done
    assert len(audit.audit()) == 10


def test_all_problems_count_also_those_that_are_not_listed(nbatch, tmp_path):
    path = twelve(tmp_path / "f.csv")
    done = nbatch("check", path, "--json", "--problems", "p.csv")
    assert done.code == 3
    summary = json.loads(done.out)
    assert (summary["warnings"], summary["valid"], summary["invalid"]) == (12 * 69 + 9 * 70, 10, 2), summary
    assert (summary["problems"]["W-RES-TWICE"], summary["problems"]["E-QUEUE"]) == (12 * 69, 2), summary
    with open(tmp_path / "p.csv", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    last = [row for row in rows if row["row"] == "12"]
    assert [row["severity"] for row in last if row["code"] == "E-QUEUE"] == ["error"]
    assert last[-1]["message"] == "6 more of this row are not listed" and last[-1]["code"] == "W-RES-TWICE", last[-1]
    assert len(last) == 65


def test_a_header_with_many_faults_says_how_many(nbatch, tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("imei," + ",".join("x" for _ in range(200)) + "\n" + imei(1) + "," * 200 + "\n", encoding="utf-8")
    done = nbatch("check", path, "--problems", "p.jsonl")
    assert done.code == 3 and "199  E-DUPLICATE" in done.told, done
    last = json.loads((tmp_path / "p.jsonl").read_text().splitlines()[-1])
    assert last["message"] == "135 more of this row are not listed", last


def test_the_keys_of_rows_that_cannot_be_read_are_those_of_earlier_versions(nbatch, tmp_path):
    """They are made of what is wrong with the row: of the first 64 problems, whatever the list shows."""
    good = {"imei": imei(1), "obj_id": 3311, "obj_inst_id": 0, "mode": 2, "expired_time": "+7d", "data": [{"res_id": 1, "val": 1}]}
    many = "{" + ",".join(f'"m{i}":1,"m{i}":{i}' for i in range(70)) + "}"
    with open(tmp_path / "f.jsonl", "w", encoding="utf-8") as f:
        f.write("not json\n" + f'{{"imei":"{imei(1)}","imei":"x","\\u0007a":1,"\\u0007a":2}}\n' + many + "\n" + json.dumps(good) + "\n")
    assert nbatch("run", "f.jsonl", "--simulate", "--skip-invalid", "-o", "out.csv").code == 1
    keys = {row["row"]: row["key"] for row in read_results(tmp_path / "out.csv")}
    assert [keys[row] for row in "123"] == ["56b3eeef1ffce185-1", "0f009e4a2f8bf19e-1", "088f667b8fe2976c-1"]
