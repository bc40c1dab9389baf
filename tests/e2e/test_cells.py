"""What a cell means: damage that a spreadsheet has done, columns of several kinds, blanks, times that come too soon,
what equals what. A peer records the requests, so that it is the wire that is looked at."""
import json
import os
import shlex
import subprocess
import threading

import pytest
from conftest import NBATCH, imei, read_results
from pty_session import PtySession

HEAD = "imei,obj_id,obj_inst_id,mode,expired_time,"


def accept_all(connection, _number):
    while (request := connection.read_request()) is not None:
        connection.accept(request)


@pytest.fixture
def wire(nbatch, raw_peer, tmp_path):
    """Runs an input and returns what was said and the requests: wire(text, "--yes", name="in.jsonl")."""

    def run(text, *words, name="in.csv", pipe=False, code=0, binary=NBATCH):
        peer = raw_peer(accept_all)
        for path in tmp_path.glob("in*results*"):
            path.unlink()
        format_of = ["--format", name.rsplit(".", 1)[1], "-o", "in.results.csv"] if pipe else []
        if not pipe:
            (tmp_path / name).write_bytes(text.encode())
        done = nbatch("run", "-" if pipe else name, "--endpoint", peer.url, "-c", "1", *format_of, *words,
                      stdin=text if pipe else None, binary=binary)
        assert code is None or done.code == code, done
        return done, peer.processed

    return run


def column(values, name="res:5850"):
    quoted = ['"' + value.replace('"', '""') + '"' if '"' in value or "," in value else value for value in values]
    return f"{HEAD}{name}\n" + "".join(f"{imei(i)},3311,0,2,+7d,{value}\n" for i, value in enumerate(quoted))


def lines(values, member="res:5850"):
    return "".join(json.dumps({"imei": imei(i), "obj_id": 3311, "obj_inst_id": 0, "mode": 2, "expired_time": "+7d",
                               member: value}) + "\n" for i, value in enumerate(values))


def value_of(request):
    return json.loads(request.body)["data"][0]["val"]


# What a spreadsheet leaves in place of a value

DAMAGED = ["#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#####", "Err:502",
           "＃Ｎ／Ａ", "#WERT!", "错误:502", "=B2*2", "＝B2*2", "+B2", "@SUM(A1:A3)", " #N/A ", "#n/a"]


@pytest.mark.parametrize("value", DAMAGED)
def test_what_a_spreadsheet_left_in_place_of_a_value_is_an_error_of_the_row(nbatch, wire, tmp_path, value):
    done, sent = wire(column(["80", value, "81"]), "--skip-invalid", code=1)
    assert "in.csv:3: res:5850: " in done.told and "[E-SPREADSHEET]" in done.told, done
    assert "W-MIXED" not in done.told  # it does not count among the column's values
    assert [value_of(request) for request in sent] == [80, 81]
    assert nbatch("check", "in.csv").code == 3
    _, sent = wire(column([value], "res:5850:string"))
    assert value_of(sent[0]) == value


def test_damage_is_found_wherever_a_value_comes_from(nbatch, tmp_path):
    (tmp_path / "v.csv").write_text(f"{HEAD}v\n{imei(1)},3311,0,2,+7d,#N/A\n")
    for words in (['data=[{"res_id":1,"val":${v}}]'], ['data=[{"res_id":1,"val":"at ${v}"}]'], ["res:1=${v}"],
                  ["res:1=at ${v}"]):
        done = nbatch("check", "v.csv", "--set", *words)
        assert done.code == 3 and "[E-SPREADSHEET]" in done.told, (words, done)
    assert nbatch("check", "v.csv", "--set", "res:1:string=${v}").code == 0
    text = (tmp_path / "v.csv").read_text().replace(",v\n", ",v:string\n")
    (tmp_path / "v.csv").write_text(text)
    assert nbatch("check", "v.csv", "--set", 'data=[{"res_id":1,"val":${v:string}}]').code == 0
    (tmp_path / "x.csv").write_text(f"action,imei,obj_id,obj_inst_id,res_id,expired_time,args\n"
                                    f"execute,{imei(1)},3,0,4,+7d,#REF!\n")
    done = nbatch("check", "x.csv")
    assert done.code == 3 and "x.csv:2: args: #REF! is an error of the spreadsheet" in done.told, done
    (tmp_path / "x.csv").write_text((tmp_path / "x.csv").read_text().replace(",args\n", ",args:string\n"))
    assert nbatch("check", "x.csv").code == 0
    assert nbatch("run", "x.csv", "--simulate").code == 0  # the simulator takes what is meant
    (tmp_path / "j.jsonl").write_text(lines(["#N/A"]))
    assert nbatch("check", "j.jsonl").code == 3


# A column is looked at as a whole

ODD_TEXTS = ["1,234.50", "12%", "¥80", "(80)", "−80", "８０", "80\u00a0", "0042", "+5", "3,5", "n/a", "80 "]


@pytest.mark.parametrize("value", ODD_TEXTS)
@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
def test_a_text_among_numbers_asks_before_anything_is_sent(nbatch, wire, tmp_path, value, name):
    if value == "80 " and name == "in.csv":
        pytest.skip("in CSV, blanks around a number are no part of it")
    make = column if name == "in.csv" else lines
    numbers = ["80", "81.5", "8e1"] if name == "in.csv" else [80, 81.5, 80]
    text = make([*numbers, value])
    done, sent = wire(text, name=name, code=3)
    assert "W-MIXED" in done.told and "res:5850: holds 3 numbers (" in done.told and "and 1 text (" in done.told, done
    line = 5 if name == "in.csv" else 4
    assert f"on line {line})" in done.told and "say --yes" in done.told and "nothing was sent" in done.told, done
    assert sent == [] and not list(tmp_path.glob("in*results*"))
    assert nbatch("check", name).code == 0
    assert nbatch("check", name, "--strict").code == 3
    _, sent = wire(text, "--yes", name=name)
    assert value_of(sent[3]) == value
    if name == "in.csv":
        done, sent = wire(column([*numbers, value], "res:5850:string"))
        assert [value_of(request) for request in sent] == [*numbers, value] and "W-MIXED" not in done.told


def test_a_quiet_run_says_what_it_would_have_asked_about(wire):
    done, sent = wire(column(["80", "12%"]), "-q", code=3)
    assert done.told == ('nbatch: res:5850: holds 1 number (80 on line 2) and 1 text ("12%" on line 3): each is sent as '
                        "what it looks like: correct the values, or say --yes where they are meant; nothing was sent\n")
    assert sent == []
    done, sent = wire(column(["80", "12%"]), "-q", "--yes")
    assert done.told == "" and len(sent) == 2


def test_a_text_among_booleans_and_numbers_that_may_be_hex_ask(wire):
    for values in (["true", "false", "ture"], ["true", "“on”"], ["12A5", "12E5", "1205", "0120"], ["1205", "12E5"]):
        done, sent = wire(column(values), code=3)
        assert "[W-MIXED]" in done.told and sent == [], (values, done)
    done, _ = wire(column(["12A5", "12E5", "1205", "0120"]), code=3)
    assert 'holds 2 numbers (12E5 on line 3, …) and 2 texts ("12A5" on line 2, "0120" on line 5)' in done.told


@pytest.mark.parametrize("values", [["80", "80.0", "8e1", "-1"], ["on", "off", "8 o'clock"], ["0042", "0043"],
                                    ["true", "false"], ["8.5E+3", "1e5"], ["设备 1", "é"]])
def test_a_column_of_one_kind_asks_nothing(wire, values):
    done, sent = wire(column(values))
    assert "warning" not in done.told.replace("0 warnings", "") and len(sent) == len(values), done


def test_numbers_beside_booleans_are_told_and_ask_nothing(wire):
    done, sent = wire(column(["1", "true"]))
    assert "[W-MIXED]" in done.told and len(sent) == 2


@pytest.mark.parametrize("character", ["\u00a0", "\u200b", "\ufeff", "\u202e", "\u200f"])
def test_invisible_characters_are_shown_by_their_number(wire, character):
    done, sent = wire(column([f"a{character}b", "c"]), code=3)
    assert f'"a<U+{ord(character):04X}>b" on line 2' in done.told and "[W-INVISIBLE]" in done.told, done
    assert sent == []
    assert len(wire(column([f"a{character}b", "c"]), "--yes")[1]) == 2
    done, sent = wire(column([f"a{character}b", "c"], "res:5850:string"))
    assert len(sent) == 2 and "W-INVISIBLE" not in done.told


def test_invisible_characters_are_found_in_args_templates_and_data(wire):
    execute = "action,imei,obj_id,obj_inst_id,res_id,expired_time,{}\nexecute," + imei(1) + ",3,0,4,+7d,a\u00a0b\n"
    text = column(["a\u200bb"], "v")
    for source, words in ((execute.format("args"), []), (execute.format("v"), ["--set", "args=<${v}>"]),
                          (execute.format("v"), ["--set", "args=${v}"]), (text, ["--set", "res:1=<${v}>"]),
                          (text, ["--set", 'data=[{"res_id":1,"val":"${v}"}]']), (text, ["--set", "res:1=${v}"]),
                          (column(['[{"res_id":1,"val":"a\u202eb"}]'], "data"), [])):
        done, sent = wire(source, *words, code=3)
        assert "[W-INVISIBLE]" in done.told and sent == [], (words, done)
        assert len(wire(source, *words, "--yes")[1]) == 1
    assert len(wire(execute.format("args:string"))[1]) == 1
    done, sent = wire(execute.format("args"), pipe=True, code=1)
    assert "[E-DOUBT]" in done.told and sent == []


def test_values_of_data_are_looked_at_by_resource(wire):
    data = ['[{"res_id":1,"val":80},{"res_id":2,"val":"a"}]', '[{"res_id":1,"val":"81"},{"res_id":2,"val":"b"}]']
    done, sent = wire(column(data, "data"), code=3)
    assert "gives resource 1 values of several kinds: 1 number (the first on line 2), 1 text (the first on line 3)" \
        in done.told and "resource 2" not in done.told and sent == []
    done, _ = wire(lines([json.loads(text) for text in data], "data"), name="in.jsonl", code=3)
    assert "W-MIXED" in done.told
    assert len(wire(column(data, "data"), "--yes")[1]) == 2


def test_columns_that_a_template_takes_values_from_are_looked_at(wire):
    text = column(["80", "12%", "81"], "v")
    bare, quoted = 'data=[{"res_id":1,"val":${v}}]', 'data=[{"res_id":1,"val":"${v}"}]'
    done, sent = wire(text, "--set", bare, code=3)
    assert 'v: holds 2 numbers (80 on line 2, …) and 1 text ("12%" on line 3)' in done.told and sent == []
    _, sent = wire(text, "--set", quoted)
    assert [value_of(request) for request in sent] == ["80", "12%", "81"]


def test_invalid_rows_and_those_that_have_their_result_do_not_count(nbatch, wire):
    text = column(["80", "12%"]).replace(imei(1), "123")
    done, sent = wire(text, "--skip-invalid", code=1)
    assert "W-MIXED" not in done.told and len(sent) == 1
    wire(column(["80", "12%"]), "--yes")
    assert nbatch("run", "in.csv", "--endpoint", "http://127.0.0.1:1", "--resume").code == 0


def test_a_pipe_judges_each_row_by_those_before_it(wire, tmp_path):
    text = column(["80", "12%", "81", "a\u00a0b"])
    done, sent = wire(text, pipe=True, code=1)
    assert [value_of(request) for request in sent] == [80, 81]
    assert 'standard input:3: res:5850: "12%" is a text, and 80 on line 2 is a number [E-DOUBT]' in done.told, done
    assert [row["status"] for row in sorted(read_results(tmp_path / "in.results.csv"), key=lambda row: int(row["row"]))] \
        == ["accepted", "invalid", "accepted", "invalid"]
    assert len(wire(text, "--yes", pipe=True)[1]) == 4
    done, sent = wire(column(["true", "TRUE"]), pipe=True, code=1)
    assert "[E-DOUBT]" in done.told and len(sent) == 1


@pytest.mark.parametrize("answer,code", [("yes\n", 0), ("no\n", 3)])
def test_on_a_terminal_it_is_a_question(tmp_path, answer, code):
    (tmp_path / "in.csv").write_text(column(["80", "12%"]))
    session = PtySession([NBATCH, "run", "in.csv", "--simulate"], cwd=tmp_path)
    session.wait_for(b"Type yes: ")
    session.send(answer)
    shown = session.finish()
    assert session.code == code, shown
    assert (tmp_path / "in.rehearsal.csv").exists() == (code == 0)


def test_the_memory_of_a_column_does_not_grow_with_rows(nbatch, tmp_path):
    (tmp_path / "in.csv").write_text(column(["80", "12%", "a\u00a0b"] * 3000))
    done = nbatch("check", "in.csv")
    said = [line for line in done.told.splitlines() if "W-MIXED" in line and "holds" in line]
    assert done.code == 0 and len(said) == 1 and "3000 numbers" in said[0] and "6000 texts" in said[0], done


# A spreadsheet's booleans

@pytest.mark.parametrize("words", [("TRUE", "FALSE"), ("True", "False"), ("ＴＲＵＥ", "ＦＡＬＳＥ"), ("WAHR", "FALSCH"),
                                   ("开", "关"), ("是", "否"), ("On", "OFF"), ("yes", "no"), ("Y", "N"), ("打开", "关闭"),
                                   ("√", "×")])
def test_words_for_true_and_false_ask_or_are_mapped(nbatch, wire, words):
    text = column(words)
    done, sent = wire(text, code=3)
    told = [line for line in done.told.splitlines() if "[W-BOOLEAN]" in line]
    assert len(told) == 1 and f"--true {words[0]} --false {words[1]}" in told[0] and sent == [], done
    fix = nbatch("check", "--fix", "in.csv")
    assert shlex.split(fix.out)[2:] == ["in.csv", "--true", words[0], "--false", words[1]], fix
    _, sent = wire(text, "--true", words[0], "--false", words[1])
    assert [value_of(request) for request in sent] == [True, False]
    _, sent = wire(text, "--yes")
    assert [value_of(request) for request in sent] == list(words)
    _, sent = wire(text.replace("res:5850", "res:5850:string"))
    assert [value_of(request) for request in sent] == list(words)


def test_words_are_mapped_wherever_a_value_is_wanted(nbatch, wire):
    _, sent = wire(column(["1", "0", "on", "off"]), "--true", "1,on", "--false", "0", "--false", "off")
    assert [value_of(request) for request in sent] == [True, False, True, False]
    _, sent = wire(lines(["TRUE", 0, False]), "--true", "TRUE", "--false", "0", name="in.jsonl")
    assert [value_of(request) for request in sent] == [True, False, False]
    template = ["--set", 'data=[{"res_id":1,"val":${v}}]']
    done, sent = wire(column(["TRUE"], "v"), *template, code=3)
    assert 'v: 1 cell looks like true or false, and is sent as a text: "TRUE" on line 2' in done.told and sent == []
    _, sent = wire(column(["TRUE"], "v"), *template, "--true", "TRUE")
    assert value_of(sent[0]) is True
    _, sent = wire(column(["TRUE"], "res:1:string"), "--true", "TRUE")
    assert value_of(sent[0]) == "TRUE"
    for bad in (["--true", "x", "--false", "x"], ["--true", ""], ["--true", "a,,b"]):
        assert nbatch("check", "in.csv", *bad).code == 2


# Blanks

def test_blanks_around_a_text_are_sent_and_those_around_a_number_are_not(wire):
    head = "imei , obj_id,obj_inst_id,mode,expired_time,res:1:string,res:2,res:3:opaque, note\n"
    row = f" {imei(1)}, 3311 ,0 ,\t2, +7d , a ,  7 , 0A , x \n"
    done, sent = wire(head + row, "--pass", "note")
    assert [item["val"] for item in json.loads(sent[0].body)["data"]] == [" a ", 7, "0A"]
    assert sent[0].target.startswith(f"/nbiot/offline?imei={imei(1)}&expired_time=")
    assert sent[0].target.endswith("&obj_id=3311&obj_inst_id=0&mode=2")


def test_blanks_stay_in_args_templates_and_passed_columns(wire, tmp_path):
    text = f"action,imei,obj_id,obj_inst_id,res_id,expired_time,args,note\nexecute,{imei(1)},3,0,4,+7d, x\t, n \n"
    _, sent = wire(text, "--pass", "note")
    assert json.loads(sent[0].body) == {"args": " x\t"}
    assert read_results(tmp_path / "in.results.csv")[0]["note"] == " n "
    text = column([" a ", "Q b Q", "Q cQ "], "v").replace("Q", '"')
    _, sent = wire(text, "--set", 'data=[{"res_id":1,"val":${v}}]')
    assert [value_of(request) for request in sent] == [" a ", " b ", " c"]
    _, sent = wire(column([" a "], "v"), "--set", 'data=[{"res_id":1,"val":"<${v}>"}]')
    assert value_of(sent[0]) == "< a >"
    _, sent = wire(column([" a "], "v"), "--set", "res:1=${v}")
    assert value_of(sent[0]) == " a "


@pytest.mark.parametrize("row,values", [
    ('{i},3311,0,2,+7d," a ", b ,c', [" a ", " b ", "c"]), ('{i},3311,0,2,+7d, "a" ,"b""c" , d', ["a", 'b"c', " d"]),
    ('{i},3311,0,2,+7d,"two\nlines", b,c ', ["two\nlines", " b", "c "]),
    ("{i},3311,0,2,+7d,a b, ,c", ["a b", "c"]), ("{i},3311,0,2,+7d," + "x" * 1015 + " ," + " " * 2000 + "b,c",
                                                 None)])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_blanks_are_told_from_quotes_and_line_ends(wire, row, values, end):
    head = HEAD + "res:1:string,res:2:string,res:3:string"
    if values is None:
        _, sent = wire(head + (end or "\n") + row.format(i=imei(1)) + end, code=3)
        return
    _, sent = wire(head + (end or "\n") + row.format(i=imei(1)) + end)
    assert [item["val"] for item in json.loads(sent[0].body)["data"]] == values


def test_a_tab_is_no_blank_where_it_is_the_delimiter(wire):
    text = column([" a "], "res:1:string").replace(",", "\t")
    _, sent = wire(text, "--delimiter", "tab")
    assert value_of(sent[0]) == " a "


KEYS = """action,imei,obj_id,obj_inst_id,res_id,mode,expired_time,res:1:string,res:2,args,retry
write,865820031313187,03311,00,,2,2037-01-01T00:00:00, a ,7 ,,
write, 865820031313187 ,3311,0,,2,2036-12-31T16:00:00Z,a,TRUE,,3
execute,865820031313187,3311,0,1,,2037-01-01T00:00:00,,, x ,00010
"""
# Made by the program before blanks were sent, booleans asked about and integers written in one form.
OLD_KEYS = ["68a2170eb2eda4d6-1", "b69c100f5854094f-1", "453d58dd502f28e9-1"]


def test_rows_keep_the_keys_that_they_had(wire, tmp_path):
    wire(KEYS, "--yes")
    assert [row["key"] for row in sorted(read_results(tmp_path / "in.results.csv"), key=lambda row: int(row["row"]))] \
        == OLD_KEYS


# One form on the wire

def test_integers_have_one_form_on_the_wire(wire):
    text = ("imei,obj_id,obj_inst_id,mode,expired_time,retry,timeout,trigger_msg,res:005850\n"
            f"{imei(1)},00065535,0000,0002,+7d,00010,0005,007,1\n")
    _, sent = wire(text)
    assert sent[0].target.split("&", 2)[2] == "obj_id=65535&obj_inst_id=0&mode=2&retry=10&timeout=5&trigger_msg=7"
    assert sent[0].body == b'{"data":[{"res_id":5850,"val":1}]}'


@pytest.mark.parametrize("data,code", [('[{"res_id":-0,"val":1}]', "E-RANGE"), ('[{"res_id":1,"type":-0,"val":1}]', "E-RANGE"),
                                       ('[{"res_id":1,"val":-0}]', "W-NUMBER"), ('[{"res_id":1,"type":2,"val":-0}]', "W-NUMBER"),
                                       ('[{"res_id":1,"val":-0.0}]', None), ('[{"res_id":1,"type":1,"val":12}]', "E-TYPE"),
                                       ('[{"res_id":1,"val":1' + "0" * 70 + "}]", "E-NUMBER")])
@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
def test_numbers_that_mean_two_things_are_told(nbatch, tmp_path, data, code, name):
    if name == "in.csv":
        text = column([data], "data")
    else:
        text = lines([0], "data").replace('"data": 0', f'"data": {data}')
    (tmp_path / name).write_text(text)
    done = nbatch("check", name, "--json")
    said = json.loads(done.out)
    assert list(said["problems"]) == ([code] if code else []), done
    assert done.code == (3 if code and code[0] == "E" else 0)


@pytest.mark.parametrize("name,value", [("mode", "-0"), ("obj_id", "-0"), ("retry", "+5"), ("timeout", "-0"), ("obj_inst_id", "-0")])
def test_a_sign_is_no_part_of_an_integer(nbatch, tmp_path, name, value):
    row = {"imei": imei(1), "obj_id": "1", "obj_inst_id": "0", "mode": "2", "expired_time": "+7d", "retry": "3",
           "timeout": "25", "res:1": "1", name: value}
    (tmp_path / "in.csv").write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    assert nbatch("check", "in.csv").code == 3


def test_an_opaque_value_is_no_number(nbatch, tmp_path):
    (tmp_path / "in.jsonl").write_text(lines([1234], "res:1:opaque") + lines([True], "res:1:opaque"))
    done = nbatch("check", "in.jsonl")
    assert done.code == 3 and done.told.count("[E-TYPE]") == 2, done
    (tmp_path / "in.jsonl").write_text(lines(["1234"], "res:1:opaque"))
    assert nbatch("check", "in.jsonl").code == 0


# The same command in other words

SAME = [({"expired_time": "2037-01-01T00:00:00"}, {"expired_time": "2036-12-31T16:00:00Z"}), ({"retry": ""}, {"retry": "3"}),
        ({"timeout": ""}, {"timeout": "025"}), ({"trigger_msg": ""}, {"trigger_msg": "7"}), ({"obj_id": "03311"}, {"obj_id": "3311"}),
        ({"data": '[{"res_id":1,"val":2}]'}, {"data": '[ {"val":2, "res_id":1} ]'}),
        ({"data": '[{"res_id":1,"val":"é"}]'}, {"data": '[{"val":"\\u00e9","res_id":1}]'}),
        ({"action": "read", "mode": "", "data": "", "bin2hex": ""}, {"action": "read", "mode": "", "data": "", "bin2hex": "false"})]
OTHER = [({"retry": ""}, {"retry": "4"}), ({"data": '[{"res_id":1,"val":2}]'}, {"data": '[{"res_id":1,"val":2.0}]'}),
         ({"data": '[{"res_id":1,"val":"2"}]'}, {"data": '[{"res_id":1,"val":2}]'}), ({"mode": "1"}, {"mode": "2"}),
         ({"data": '[{"res_id":1,"val":1},{"res_id":2,"val":2}]'}, {"data": '[{"res_id":1,"val":2},{"res_id":2,"val":1}]'}),
         ({"valid_time": ""}, {"valid_time": "+1d"}), ({"action": "read", "mode": "", "data": "", "obj_inst_id": ""},
                                                       {"action": "read", "mode": "", "data": "", "obj_inst_id": "0"})]


def check_pair(nbatch, tmp_path, one, other):
    fields = ("action", "imei", "obj_id", "obj_inst_id", "mode", "valid_time", "expired_time", "retry", "timeout",
              "trigger_msg", "bin2hex", "data")
    base = {"action": "write", "imei": imei(1), "obj_id": "3311", "obj_inst_id": "0", "mode": "2", "expired_time": "+7d",
            "data": '[{"res_id":5850,"val":1}]'}
    rows = [[{**base, **what}.get(field, "").replace('"', '""') for field in fields] for what in (one, other)]
    (tmp_path / "in.csv").write_text(",".join(fields) + "\n" + "".join(
        ",".join(f'"{cell}"' for cell in row) + "\n" for row in rows))
    done = nbatch("check", "in.csv", "--json")
    return json.loads(done.out)["problems"]


@pytest.mark.parametrize("one,other", SAME)
def test_the_same_command_in_other_words_is_told(nbatch, tmp_path, one, other):
    assert check_pair(nbatch, tmp_path, one, other) == {"W-TWICE": 1}


@pytest.mark.parametrize("one,other", OTHER)
def test_what_differs_on_the_wire_is_not_the_same(nbatch, tmp_path, one, other):
    assert "W-TWICE" not in check_pair(nbatch, tmp_path, one, other)


# Times

@pytest.mark.parametrize("time,code,said", [
    ("9999-12-31T16:00:00Z", "E-TIME", "outside the years 1970–9999"), ("+99999d", "E-TIME", "more than a hundred years"),
    ("2027-02-30T00:00:00", "E-TIME", "does not exist"), ("2037-01-01T00:00:00.500Z", "W-TIME-FRACTION", "2037-01-01T08:00:00 (UTC+8) is sent"),
    ("+86400500ms", "W-TIME-FRACTION", "is dropped"), ("2037-01-01T00:00:00.000Z", None, "0 warnings"),
    ("2037-01-01T00:00:00.25+08:00", "W-TIME-FRACTION", "2037-01-01T00:00:00 (UTC+8) is sent")])
def test_times_that_the_platform_cannot_hold_are_named_as_what_they_are(nbatch, tmp_path, time, code, said):
    (tmp_path / "in.csv").write_text(column(["1"]).replace("+7d", time))
    done = nbatch("check", "in.csv")
    assert said in done.told and (code is None or f"[{code}]" in done.told), done


def test_a_valid_time_that_has_come_is_left_out_and_said_once(wire):
    rows = "".join(f"{imei(i)},3311,0,2,+2s,+7d,1\n" for i in range(5)) + f"{imei(9)},3311,0,2,+1d,+7d,1\n"
    done, sent = wire("imei,obj_id,obj_inst_id,mode,valid_time,expired_time,res:1\n" + rows, "--rate", "1/s")
    has_valid = ["valid_time=" in request.target for request in sent]
    assert len(sent) == 6 and has_valid[-3:] == [False, False, True] and has_valid == sorted(has_valid[:5], reverse=True) + [True]
    assert all("&expired_time=" in request.target and "&&" not in request.target for request in sent)
    assert done.told.count("valid_time has come before the row's turn") == 1, done


def test_each_attempt_looks_at_valid_time_again(nbatch, raw_peer, tmp_path):
    seen = []

    def script(connection, _number):
        while (request := connection.read_request()) is not None:
            seen.append(request.target)
            if "valid_time=" in request.target:
                connection.reply(b"", "503 Service Unavailable", ["Retry-After: 1"])
            else:
                connection.accept(request)

    peer = raw_peer(script)
    (tmp_path / "in.csv").write_text("imei,obj_id,obj_inst_id,mode,valid_time,expired_time,res:1\n"
                                     f"{imei(1)},3311,0,2,+5s,+7d,1\n")
    done = nbatch("run", "in.csv", "--endpoint", peer.url, "--max-attempts", "99")
    assert done.code == 0 and "valid_time=" in seen[0] and "valid_time=" not in seen[-1], (seen, done)
    assert seen[-1] == seen[0][:seen[0].index("valid_time=")] + seen[0][seen[0].index("expired_time="):]


# Devices

@pytest.mark.parametrize("name,strict,every", [
    ("000000000000000", False, False), ("012345678901237", False, True), ("1234", False, True), ("0012", False, True),
    ("123", False, False), ("86582003131318712", False, True), ("865820031313187123", False, False), ("865820031313187", True, True),
    ("0000", False, False), ("12a4", False, False)])
def test_test_devices_want_a_word(nbatch, wire, tmp_path, name, strict, every):
    text = HEAD + f"res:1\n{name},3311,0,2,+7d,1\n"
    (tmp_path / "in.csv").write_text(text)
    done = nbatch("check", "in.csv")
    assert done.code == (0 if strict else 3) and ("[E-IMEI]" in done.told) == (not strict), done
    assert nbatch("check", "in.csv", "--imei", "any").code == (0 if every else 3)
    if every:
        _, sent = wire(text, "--imei", "any")
        assert f"imei={name}&" in sent[0].target
        assert read_results(tmp_path / "in.results.csv")[0]["imei"] == name
    assert nbatch("check", "in.csv", "--imei", "all").code == 2


def test_a_test_device_keeps_its_digits_over_a_crash(nbatch, raw_peer, tmp_path):
    asked = threading.Event()

    def script(connection, _number):
        connection.read_request()
        asked.set()
        connection.hold()

    (tmp_path / "in.csv").write_text(HEAD + "res:1\n0012,3311,0,2,+7d,1\n")
    words = [NBATCH, "run", "in.csv", "--imei", "any", "--endpoint", raw_peer(script).url]
    with subprocess.Popen(words, cwd=tmp_path, env={**os.environ, "NBATCH_API_KEY": "k"}, stderr=subprocess.DEVNULL) as run:
        assert asked.wait(60)
        run.kill()
    done = nbatch("run", "in.csv", "--imei", "any", "--endpoint", raw_peer(accept_all).url, "--resume", "--on-ambiguous", "hold")
    assert done.code == 6, done
    assert [(row["imei"], row["status"]) for row in read_results(tmp_path / "in.results.csv")] == [("0012", "in_doubt")]


# Reads

def test_a_read_of_a_resource_wants_its_instance(nbatch, tmp_path):
    head = "action,imei,obj_id,obj_inst_id,res_id,expired_time\n"
    (tmp_path / "in.csv").write_text(head + f"read,{imei(1)},3311,,5850,+7d\n")
    done = nbatch("check", "in.csv")
    assert done.code == 0 and "res_id: is given without obj_inst_id [W-NO-INSTANCE]" in done.told, done
    for instance, resource in (("0", "5850"), ("0", ""), ("", "")):
        (tmp_path / "in.csv").write_text(head + f"read,{imei(1)},3311,{instance},{resource},+7d\n")
        assert "W-NO-INSTANCE" not in nbatch("check", "in.csv").told


def test_an_execute_without_args_has_no_body(wire):
    _, sent = wire(f"action,imei,obj_id,obj_inst_id,res_id,expired_time\nexecute,{imei(1)},3,0,4,+7d\n")
    assert sent[0].method == "POST" and sent[0].body == b"" and sent[0].headers["content-length"] == "0"
