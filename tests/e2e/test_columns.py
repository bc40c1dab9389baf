"""--set, --map and --pass: how people's own files become commands."""
import json

import pytest
from conftest import imei, read_results

SHARED = ["--set", "obj_id=3311", "--set", "obj_inst_id=0", "--set", "mode=2", "--set", "expired_time=+7d"]


@pytest.fixture
def sent(nbatch, tmp_path, simulator):
    """Runs a file against a simulator; gives its audit, in the order of the rows, and the results."""

    def run(name, text, *words, code=0):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        sim = simulator()
        done = nbatch("run", path, "--endpoint", sim.url, "-c", "1", "-o", tmp_path / (name + ".out.csv"), *words,
                      env={"NBATCH_API_KEY": "k"})
        assert done.code == code, done
        return sim.audit(), read_results(tmp_path / (name + ".out.csv"))

    return run


def test_a_plain_list_of_imeis(sent):
    rows = "imei\n" + "".join(imei(i) + "\n" for i in range(1, 4))
    audit, results = sent("imeis.csv", rows, *SHARED, "--set", 'data=[{"res_id":5850,"val":true}]')
    assert [line["body"] for line in audit] == ['{"data":[{"res_id":5850,"val":true}]}'] * 3
    assert all("obj_id=3311" in line["target"] and "mode=2" in line["target"] for line in audit)
    assert [row["imei"] for row in results] == [imei(1), imei(2), imei(3)]


def test_a_value_of_the_row_wins_over_a_set(sent):
    audit, _ = sent("in.csv", f"imei,retry\n{imei(1)},5\n{imei(2)},\n", *SHARED, "--set", "retry=7",
                    "--set", "res:1=true")
    assert ["retry=5" in line["target"] for line in audit] == [True, False]
    assert ["retry=7" in line["target"] for line in audit] == [False, True]


@pytest.mark.parametrize("name,text", [
    ("in.csv", 'imei,level,note\n' + imei(1) + ',1.50,"say ""hi"", 中"\n'),
    ("in.jsonl", json.dumps({"imei": imei(1), "level": 0, "note": 'say "hi", 中'}).replace("0,", "1.50,", 1) + "\n"),
])
def test_references_keep_the_type_and_escape_text(sent, name, text):
    audit, _ = sent(name, text, *SHARED, "--set",
                    'data=[{"res_id":1,"val":${level}},{"res_id":2,"val":"<${note}>"},{"res_id":3,"val":${note}}]')
    assert '{"res_id":1,"val":1.50}' in audit[0]["body"]
    items = json.loads(audit[0]["body"])["data"]
    assert items[1]["val"] == '<say "hi", 中>' and items[2]["val"] == 'say "hi", 中'


def test_a_json_string_of_digits_stays_a_string(sent):
    audit, _ = sent("in.jsonl", json.dumps({"imei": imei(1), "code": "0042", "n": "42"}) + "\n", *SHARED,
                    "--set", "res:1=${code}", "--set", "res:2=${n}")
    assert json.loads(audit[0]["body"])["data"] == [{"res_id": 1, "val": "0042"}, {"res_id": 2, "val": "42"}]


def test_an_action_can_be_set(sent):
    audit, _ = sent("in.csv", f"imei\n{imei(1)}\n", "--set", "action=execute", "--set", "obj_id=3", "--set",
                    "obj_inst_id=0", "--set", "res_id=4", "--set", "expired_time=+1h", "--set", "args=reboot ${imei}")
    assert audit[0]["target"].startswith("/nbiot/execute/offline?")
    assert json.loads(audit[0]["body"]) == {"args": f"reboot {imei(1)}"}


def test_map_and_pass(sent):
    audit, results = sent("in.csv", f'设备号,site\n{imei(1)},"A ""1"", b"\n{imei(2)},\n', *SHARED, "--set", "res:1=true",
                          "--map", "imei=设备号", "--pass", "site,设备号")
    assert [row["site"] for row in results] == ['A "1", b', ""]
    assert [row["设备号"] for row in results] == [imei(1), imei(2)]
    assert len(audit) == 2


def test_passed_columns_keep_their_types_in_jsonl(nbatch, tmp_path):
    (tmp_path / "in.jsonl").write_text(
        '{"imei":"%s","site":{"a":[1.50]},"n":1.0,"s":"x\\"y"}\n{"imei":"%s"}\n' % (imei(1), imei(2)))
    done = nbatch("run", "in.jsonl", "--simulate", "-c", "1", "-o", "out.jsonl", "--pass", "site,n,s", *SHARED,
                  "--set", "res:1=1")
    assert done.code == 0, done
    first, second = (tmp_path / "out.jsonl").read_text().splitlines()
    assert '"site":{"a":[1.50]},"n":1.0,"s":"x\\"y"}' in first
    assert '"site":null,"n":null,"s":null}' in second


@pytest.mark.parametrize("words,code,message", [
    (["--set", "retyr=3"], 2, "did you mean retry?"),
    (["--set", "retry"], 2, "NAME=VALUE"),
    (["--set", "data=${x"], 2, "never closed"),
    (["--map", "imei"], 2, "NAME=COLUMN"),
    (["--set", "retry=3", "--set", "retry=4"], 2, "set already"),
    (["--pass", "imei"], 2, "the results have a column of that name"),
    (["--pass", "sit"], 3, "did you mean site?"),
    (["--map", "retry=tries"], 3, "--map names it, but the input has no such column"),
    (["--set", "args=${lable}"], 3, "did you mean label?"),
    (["--set", "retry=11"], 3, "in.csv:2: --set retry: 11 is outside 0–10 [E-RANGE]"),
    ([], 3, "[E-COLUMN]:\n  - site, label are not sent, and go into the results\n"),
    (["--map", "imei=site", "--pass", "label"], 3, "means the same as the column imei"),
])
def test_mistakes_say_what_to_do(nbatch, tmp_path, words, code, message):
    (tmp_path / "in.csv").write_text(f"imei,site,label\n{imei(1)},a,b\n")
    passes = [] if not words or words[0] in ("--map", "--pass") else ["--pass", "site,label"]
    done = nbatch("run", "in.csv", "--simulate", *SHARED, "--set", "res:1=1", *passes, *words)
    assert done.code == code and message in done.told, done
    assert not (tmp_path / "in.results.csv").exists()


def test_a_reference_without_a_value_is_an_error_of_the_row(nbatch, tmp_path):
    (tmp_path / "in.csv").write_text(f"imei,level\n{imei(1)},5\n{imei(2)},\n")
    done = nbatch("check", "in.csv", *SHARED, "--set", "res:1=${level}")
    assert done.code == 3 and "in.csv:3: --set res:1: ${level} has no value in this row [E-REQUIRED]" in done.told, done


def test_two_members_for_one_thing_are_an_error_of_the_row(nbatch, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"imei":"%s","device":"%s"}\n' % (imei(1), imei(2)))
    done = nbatch("check", "in.jsonl", *SHARED, "--set", "res:1=1", "--map", "imei=device")
    assert done.code == 3 and "[E-DUPLICATE]" in done.told, done


def test_what_the_environment_sets_counts(nbatch, tmp_path):
    (tmp_path / "in.csv").write_text(f"imei,device\n,{imei(1)}\n")
    done = nbatch("check", "in.csv", *SHARED, "--set", "res:1=1", env={"NBATCH_PASS": "device"})
    assert "unknown column" not in done.told, done
