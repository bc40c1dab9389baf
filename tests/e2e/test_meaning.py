"""What the platform's answers mean: numbers with their texts, acceptances with a flaw, a key that is refused, and answers
that are not the platform's. The oracle is the peer's own count of requests."""
import collections
import datetime
import email.utils
import itertools
import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid

import pytest
from conftest import HEADER, KEY, imei, read_results, row_of

FAST = ["--retry-delay", "1ms", "--seed", "7"]
ID = "aaaaaaaa-0000-4000-8000-000000000001"
FLEET = ["text", "csv"]


def errno(number, text):
    return "200 OK", json.dumps({"errno": number, "error": text}, ensure_ascii=False).encode(), []


class Answers:
    """A script for a peer: answer(nth request, request) is (status, body, headers), or None for what the platform does.
    Counts all requests, and what was in flight at the same time."""

    def __init__(self, answer):
        self.answer = answer
        self.lock = threading.Lock()
        self.count = collections.Counter()
        self.requests = []

    def __call__(self, connection, number):
        while (request := connection.read_request()) is not None:
            with self.lock:
                nth = len(self.requests)
                self.requests.append(request)
                self.count[request.imei if "imei=" in request.target else request.target] += 1
            answer = self.answer(nth, request)
            if answer is None:
                connection.accept(request)
            else:
                status, body, headers = answer
                connection.reply(body, status, headers)


@pytest.fixture
def answers(raw_peer):
    """answers(function) → (script, url)."""

    def start(answer, **keywords):
        script = Answers(answer)
        return script, raw_peer(script, **keywords).url

    return start


def always(*answer):
    return lambda nth, request: answer


@pytest.fixture
def run(nbatch, tmp_path):
    def call(path, url, *words, code=None, keep=False, env=None, **keywords):
        if not keep:
            for name in ("out.csv", "out.csv.journal", "out.csv.complete"):
                (tmp_path / name).unlink(missing_ok=True)
        done = nbatch("run", path, "--endpoint", url, "-o", "out.csv", *words, env=env, **keywords)
        assert code is None or done.code == code, done
        out = tmp_path / "out.csv"
        return done, sorted(read_results(out), key=lambda row: int(row["row"])) if out.exists() else []

    return call


def executes(tmp_path, count):
    path = tmp_path / "executes.csv"
    path.write_text("imei,action,obj_id,obj_inst_id,res_id,expired_time\n" +
                    "".join(f"{imei(i)},execute,3,0,4,+1h\n" for i in range(1, count + 1)))
    return path


# Numbers and texts

AGAIN = [(1, "internal server error"), (7, "service internal error"), (14, "network latency"), (15, "api freq out of limit"),
         (17, "nbiot server error"), (18, "hs server error"), (5117, "rpc error"), (1, "Internal  Server Error."),
         (1, "服务器内部错误"), (7, ""), (7, "whatever")]
REJECTED = [(3, "parameter required"), (4, "invalid JSON"), (5, "request entity too large"), (6, "invalid parameter"),
            (7, "parameter required"), (7, "Parameter Required"), (8, "not found"), (9, "entity data required"),
            (10, "device not online"), (11, "already exists"), (12, "already exists"), (13, "system limit"), (16, "unsuccess"),
            (22, "invalid protocol"), (2001, "device not online"), (5006, "system logic limit"), (5106, "UNSUCESS"),
            (5108, "invalid parameter"), (3, ""), (4711, "something"), (7, "缺少参数"), (5117, "invalid parameter")]
KEYS = [(1, "auth failed"), (2, "api-key required"), (3, "auth failed"), (3, "token鉴权失败"), (3, "鉴权失败"), (1, ""),
        (3, "AUTH　FAILED"), (3, "Auth\u00a0Failed"), (99, "auth failed")]


@pytest.mark.parametrize("number,text", AGAIN)
def test_a_fault_of_the_service_is_sent_again(run, fleet, answers, number, text):
    script, url = answers(lambda nth, request: errno(number, text) if script.count[request.imei] == 1 else None)
    _, rows = run(fleet(2), url, *FAST, code=0)
    assert [(row["status"], row["attempts"], row["ambiguous"]) for row in rows] == [("accepted", "2", "0")] * 2


@pytest.mark.parametrize("number,text", REJECTED)
def test_what_the_platform_refuses_for_good_is_sent_once(run, fleet, answers, number, text):
    script, url = answers(always(*errno(number, text)))
    _, rows = run(fleet(2), url, *FAST, code=1)
    assert [(row["status"], row["errno"], row["attempts"]) for row in rows] == [("rejected", str(number), "1")] * 2
    assert len(script.requests) == 2


@pytest.mark.parametrize("number,text", KEYS)
def test_a_refused_key_stops_the_run_and_leaves_rows_to_be_sent(run, fleet, answers, number, text):
    script, url = answers(always(*errno(number, text)))
    path = fleet(300)
    done, rows = run(path, url, *FAST, code=4)
    assert "refused for the key" in done.told and rows == [], done
    assert len(script.requests) <= 5 and len(set(script.count.values())) == 1
    if number in (2, 3):
        assert len(script.requests) == 1
    script, url = answers(always())
    script.answer = lambda nth, request: None
    _, rows = run(path, url, *(["--resume"] if (path.parent / "out.csv").exists() else []), keep=True, code=0)
    assert [row["status"] for row in rows] == ["accepted"] * 300 and len(script.requests) == 300


def test_a_lost_answer_inside_the_platform_is_ambiguous(run, fleet, answers, tmp_path):
    script, url = answers(always(*errno(5108, "rpc response error")))
    done, rows = run(executes(tmp_path, 3), url, *FAST, code=6)
    assert [(row["status"], row["errno"], row["attempts"]) for row in rows] == [("in_doubt", "5108", "1")] * 3
    assert len(script.requests) == 3 and "lost the answer" in " ".join(done.told.split()), done
    _, rows = run(fleet(1), url, *FAST, code=6)
    assert rows[0]["attempts"] == "5"
    _, rows = run(fleet(1), url, *FAST, "--on-ambiguous", "hold", code=6)
    assert rows[0]["attempts"] == "1"


@pytest.mark.parametrize("status,number,text,expected", [
    ("401 Unauthorized", 77, "no", 4), ("403 Forbidden", 77, "no", 4), ("403 Forbidden", 5006, "system logic limit", 1),
    ("500 Internal Server Error", 3, "token鉴权失败", 4), ("400 Bad Request", 6, "invalid parameter", 1)])
def test_an_errno_beside_an_http_status(run, fleet, answers, status, number, text, expected):
    body = json.dumps({"errno": number, "error": text}).encode()
    script, url = answers(always(status, body, []))
    _, rows = run(fleet(20), url, *FAST, code=expected)
    assert len(script.requests) <= 5 if expected == 4 else {row["status"] for row in rows} == {"rejected"}


# errno 0 was processed

def ok(uuid_json):
    return b'{"errno":0,"error":"succ","data":{"uuid":' + uuid_json + b"}}"


WHOLE = {
    "tab": ok(json.dumps(ID + "\t").encode()), "CR": ok(json.dumps(ID + "\r\n").encode()),
    "raw CR": ok(b'"' + ID.encode() + b'\r"'), "NBSP": ok(f'"\u00a0{ID}\u00a0"'.encode()),
    "U+3000": ok(f'"{ID}\u3000"'.encode()), "zero width": ok(f'"\u200b{ID}\u200b"'.encode()),
    "BOM inside": ok(f'"\ufeff{ID}"'.encode()), "escaped NBSP": ok(b'"' + ID.encode() + b'\\u00a0"'),
    "errno as a text": b'{"errno":"0","error":"succ","data":{"uuid":"' + ID.encode() + b'"}}',
    "0.0": ok(f'"{ID}"'.encode()).replace(b":0,", b":0.0,"), "0e0": ok(f'"{ID}"'.encode()).replace(b":0,", b":0e0,"),
    "-0": ok(f'"{ID}"'.encode()).replace(b":0,", b":-0,"),
    "lone surrogate": b'{"errno":0,"error":"x\\ud800y","data":{"uuid":"' + ID.encode() + b'"}}',
    "low surrogate": b'{"errno":0,"error":"x\\udc00","data":{"uuid":"' + ID.encode() + b'"}}',
    "no escape": b'{"errno":0,"error":"x\\qy","data":{"uuid":"' + ID.encode() + b'"}}',
    "bad UTF-8": b'{"errno":0,"error":"\xff\xfe","data":{"uuid":"' + ID.encode() + b'"}}',
    "BOM": b"\xef\xbb\xbf" + ok(f'"{ID}"'.encode()), "bytes behind": ok(f'"{ID}"'.encode()) + b"\x00garbage",
    "a list of one": b'{"errno":0,"error":"succ","data":[{"uuid":"' + ID.encode() + b'"}]}',
    "data is the uuid": b'{"errno":0,"error":"succ","data":"' + ID.encode() + b'"}',
    "errno twice, the same": b'{"errno":0,"errno":0,"data":{"uuid":"' + ID.encode() + b'"}}',
    "uuid twice, the same": b'{"errno":0,"data":{"uuid":"' + ID.encode() + b'","uuid":"' + ID.encode() + b'"}}',
    "NUL behind": ok(b'"' + ID.encode() + b'\\u0000x"'),
}
FLAWED = {
    "data null": b'{"errno":0,"error":"succ","data":null}', "no data": b'{"errno":0,"error":"succ"}',
    "empty list": b'{"errno":0,"data":[]}', "list of two": b'{"errno":0,"data":[{"uuid":"a"},{"uuid":"b"}]}',
    "data is a text": b'{"errno":0,"data":"queued"}', "number": ok(b"42"), "empty": ok(b'""'), "null": ok(b"null"),
    "blank": ok(b'" \\t"'), "too long": ok(b'"' + b"a" * 65 + b'"'), "NUL": ok(b'"4274\\u000026"'),
    "two uuids": b'{"errno":0,"data":{"uuid":"' + ID.encode() + b'","uuid":"' + ID[::-1].encode() + b'"}}',
}


@pytest.mark.parametrize("name", WHOLE)
def test_errno_0_is_accepted_with_its_uuid_and_sent_once(run, fleet, answers, tmp_path, name):
    script, url = answers(always("200 OK", WHOLE[name], []))
    for path, words in ((fleet(1), FAST), (executes(tmp_path, 1), FAST)):
        before = len(script.requests)
        _, rows = run(path, url, *words, code=0)
        assert [(row["status"], row["uuid"], row["attempts"], row["ambiguous"]) for row in rows] == [
            ("accepted", ID, "1", "0")]
        assert len(script.requests) - before == 1


@pytest.mark.parametrize("name", FLAWED)
def test_errno_0_without_a_uuid_is_accepted_and_sent_once(run, fleet, answers, name):
    script, url = answers(always("200 OK", FLAWED[name], []))
    path = fleet(2)
    done, rows = run(path, url, *FAST, "--report", "page.html", "--json", code=0)
    assert [(row["status"], row["uuid"], row["errno"], row["attempts"]) for row in rows] == [("accepted", "", "0", "1")] * 2
    assert all(row["error"].startswith("errno 0 without a uuid that can be read: ") for row in rows)
    assert json.loads(done.out)["accepted"] == 2
    for words in (["--resume"], ["--resume=failed"], ["--resume=rejected"]):
        run(path, url, *FAST, *words, keep=True, code=0)
    assert len(script.requests) == 2


@pytest.mark.parametrize("status", ["201 Created", "404 Not Found", "429 Too Many Requests", "500 Oops", "503 Busy", "302 Found"])
def test_errno_0_counts_whatever_the_status(run, fleet, answers, status):
    script, url = answers(always(status, ok(f'"{ID}"'.encode()), []))
    _, rows = run(fleet(1), url, *FAST, code=0)
    assert (rows[0]["status"], rows[0]["uuid"], rows[0]["attempts"]) == ("accepted", ID, "1") and len(script.requests) == 1


@pytest.mark.parametrize("body", [
    b'{"errno":5,"error":"x","errno":0,"data":{"uuid":"%b"}}' % ID.encode(),
    b'{"errno":0,"data":{"uuid":"%b"},"errno":7,"error":"service internal error"}' % ID.encode(),
    b'{"errno":0,"errno":"5108","data":{"uuid":"%b"}}' % ID.encode(),
    b'{"errno":0,"data":{"uuid":"%b"}}{"errno":5}' % ID.encode()])
def test_two_errnos_that_differ_are_in_doubt(run, answers, tmp_path, body):
    script, url = answers(always("200 OK", body, []))
    _, rows = run(executes(tmp_path, 2), url, *FAST, code=6)
    assert [(row["status"], row["attempts"]) for row in rows] == [("in_doubt", "1")] * 2 and len(script.requests) == 2


# Answers that are not the platform's

PAGE = b"<!DOCTYPE html><html><head><title>Login</title></head><body>please log in\x1b[31m</body></html>"
STRANGE = {
    "login page": ("200 OK", PAGE, [], "login page"),
    "newer platform": ("200 OK", b'{"code":10403,"msg":"no permission","request_id":"7"}', [], "newer OneNET platform"),
    "newer platform, good": ("200 OK", b'{"code":0,"msg":"succ","data":{}}', [], "newer OneNET platform"),
    "newer platform, 404": ("404 Not Found", b'{"code":404,"msg":"no"}', [], "newer OneNET platform"),
    "404": ("404 Not Found", b"404 page not found", [], "check --endpoint"),
    "405": ("405 Method Not Allowed", b"", [], "check --endpoint"),
    "400": ("400 Bad Request", PAGE, [], "check --endpoint"),
    "empty": ("200 OK", b"", [], "it is empty"),
    "204": ("204 No Content", b"", [], "it is empty"),
    "text": ("200 OK", b"OK", [], "another service"),
    "other JSON": ("200 OK", b'{"status":"ok"}', [], "another service"),
    "redirect": ("302 Found", b"", ["Location: http://portal.example/login"], "http://portal.example/login"),
}


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("kind", ["write", "execute"])
def test_answers_of_somebody_else_stop_the_run(run, fleet, answers, tmp_path, name, kind):
    status, body, headers, words = STRANGE[name]
    script, url = answers(always(status, body, headers))
    path = fleet(500) if kind == "write" else executes(tmp_path, 500)
    done, rows = run(path, url, *FAST, code=4)
    assert words in done.told and len(script.requests) == 5 and len(rows) <= 5, done
    assert "\x1b" not in done.told
    assert {row["status"] for row in rows} <= ({"in_doubt"} if status.startswith("2") else {"failed"})
    if body and name != "newer platform, 404":
        assert body[:9].decode() in done.told
    script, url = answers(always())
    script.answer = lambda nth, request: None
    run(path, url, "--resume", keep=True)
    assert len(script.requests) >= 495  # negative control: the platform's own answers stop nothing


def test_a_path_that_is_given_twice_is_named(run, fleet, answers):
    script, url = answers(always("404 Not Found", b"", []))
    done, _ = run(fleet(50), url + "/nbiot", *FAST, code=4)
    assert "/nbiot" in done.told and "leave it out" in " ".join(done.told.split()) and len(script.requests) == 5, done


@pytest.mark.parametrize("answer", [("200 OK", PAGE, []), ("404 Not Found", b"", []), ("302 Found", b"", ["Location: /x"])])
def test_somebody_else_in_mid_run_hits_a_bounded_number_of_rows(run, answers, tmp_path, answer):
    script, url = answers(lambda nth, request: None if nth < 200 else answer)
    done, rows = run(executes(tmp_path, 2000), url, "-c", "16", *FAST, code=4)
    assert "not the platform's" in done.told
    assert 205 <= len(script.requests) <= 200 + 5 + 16 + 16, done
    assert sum(row["status"] == "accepted" for row in rows) == 200


@pytest.mark.parametrize("answer", [("200 OK", PAGE, []), ("404 Not Found", b"", [])])
def test_a_few_strange_answers_among_good_ones_stop_nothing(run, answers, tmp_path, answer):
    script, url = answers(lambda nth, request: answer if nth % 5 else None)
    run(executes(tmp_path, 60), url, "-c", "1", *FAST, code=6 if answer[1] else 1)
    assert len(script.requests) == 60


@pytest.mark.parametrize("status", ["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"])
def test_pages_of_a_gateway_are_an_outage(run, fleet, answers, status):
    script, url = answers(lambda nth, request: (status, PAGE, []) if nth < 8 else None)
    _, rows = run(fleet(10), url, *FAST, "--max-attempts", "20", code=0)
    assert {row["status"] for row in rows} == {"accepted"}


def test_the_first_request_goes_alone(run, fleet, raw_peer):
    """Whatever the row: the first of a run, of a canary, of a resumed run."""
    seen = []

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            seen.append(request.imei)
            if len(seen) == 1:
                alone = threading.Event()
                alone.wait(0.3)
                first.append(len(seen))
            connection.accept(request)

    for words in ([], ["--canary", "10"], ["--ramp", "100/s..1000/s:1s"], ["--rate", "1000/s", "--burst", "50"]):
        first = []
        seen.clear()
        run(fleet(100), raw_peer(script).url, "-c", "32", *words, code=0)
        assert first == [1] and len(seen) == 100


# The key

def replace_key(path, text):
    """As whoever rotates a key does it: nobody reads half of one."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.chmod(0o600)
    other.replace(path)


def keyed(good, refusal=errno(3, "token鉴权失败"), after=None):
    """Takes the keys in `good`; from request `after` on only the last of them."""

    def answer(nth, request):
        key = request.headers.get("api-key")
        valid = good if after is None or nth < after else good[-1:]
        return None if key in valid else refusal

    return answer


@pytest.mark.parametrize("refusal", [errno(3, "token鉴权失败"), errno(1, "auth failed"), ("401 Unauthorized", b"", []),
                                     ("403 Forbidden", b"<html>", [])])
def test_a_key_that_is_revoked_in_mid_run_stops_it(run, fleet, answers, refusal):
    script, url = answers(lambda nth, request: None if nth < 300 else refusal)
    path = fleet(2000)
    done, rows = run(path, url, "-c", "16", "--log", "log.jsonl", *FAST, code=4)
    assert "refused for the key" in done.told and [row["status"] for row in rows] == ["accepted"] * 300, done
    assert len(script.requests) <= 300 + 5 + 32
    log = (path.parent / "log.jsonl").read_text()
    assert '"stopped"' in log and "refused for the key" in log
    script.answer = lambda nth, request: None
    done, rows = run(path, url, "--resume", keep=True, code=0)
    assert [row["status"] for row in rows] == ["accepted"] * 2000


@pytest.mark.parametrize("refusal", [errno(3, "auth failed"), errno(1, "auth failed"), ("401 Unauthorized", b"", [])])
@pytest.mark.parametrize("source", ["file", "command"])
@pytest.mark.parametrize("after", [0, 200])
def test_a_rotated_key_is_read_again_and_no_row_is_refused(run, fleet, answers, tmp_path, refusal, source, after):
    key = tmp_path / "key"
    key.write_text("old-key\n")
    key.chmod(0o600)
    inner = keyed(["old-key", "new-key"], refusal, after)
    is_rotated = threading.Event()

    def answer(nth, request):
        if nth == max(after - 20, 0):  # other requests are answered at the same time
            replace_key(key, "new-key\n")
            is_rotated.set()
        if nth >= after:  # the old one is refused once there is a new one
            assert is_rotated.wait(60)
        return inner(nth, request)

    script, url = answers(answer)
    words = ["--api-key-file", key] if source == "file" else ["--api-key-command", f"echo x >> {tmp_path}/calls; cat {key}"]
    done, rows = run(fleet(600), url, "-c", "16", "--log", "log.jsonl", *words, *FAST, code=0, env={"NBATCH_API_KEY": None})
    assert [row["status"] for row in rows] == ["accepted"] * 600 and "gives another one" in done.told, done
    assert "key_renewed" in (tmp_path / "log.jsonl").read_text()
    assert len(script.requests) <= 600 + 5 + 32
    if source == "command":
        assert (tmp_path / "calls").read_text() == "x\nx\n"
    assert {row["attempts"] for row in rows} <= {"1", "2"}


@pytest.mark.parametrize("source", ["file", "command"])
def test_a_key_file_that_is_being_written_is_looked_at_again(run, fleet, answers, tmp_path, source):
    """`echo key > file` empties the file first. Here half of the key is there before the whole is."""
    key = tmp_path / "key"
    key.write_text("old-key\n")
    key.chmod(0o600)
    texts = ["", "new-", "new-key\n"] if source == "file" else ["", "new-key\n"]
    refused = threading.Event()

    def write():
        for text in texts:
            key.write_text(text)
            if not text:
                assert refused.wait(60)
            time.sleep(0.2 if text else 0.5)

    writing = threading.Thread(target=write)

    def answer(nth, request):
        if nth == 100:
            writing.start()
            while key.read_text():
                time.sleep(0.001)
        if nth < 100 or request.headers.get("api-key") == "new-key":
            return None
        refused.set()
        return errno(3, "auth failed")

    words = ["--api-key-file", key] if source == "file" else ["--api-key-command", f"cat {key}"]
    script, url = answers(answer)
    done, rows = run(fleet(300), url, "-c", "1", *words, *FAST, code=0, env={"NBATCH_API_KEY": None})
    writing.join()
    assert [row["status"] for row in rows] == ["accepted"] * 300 and "gives another one" in done.told, done
    assert {request.headers["api-key"] for request in script.requests} == {"old-key", "new-key"}
    assert len(script.requests) == 300 + 5


@pytest.mark.parametrize("text,why", [("", "it is empty"), ("two words", "it holds a space")])
def test_a_key_file_that_stays_bad_stops_the_run_and_is_told(run, fleet, answers, tmp_path, text, why):
    key = tmp_path / "key"
    key.write_text("old-key\n")
    key.chmod(0o600)

    def answer(nth, request):
        key.write_text(text)
        return errno(3, "auth failed")

    began = time.monotonic()
    done, rows = run(fleet(50), answers(answer)[1], "--api-key-file", key, *FAST, code=4, env={"NBATCH_API_KEY": None})
    assert why in done.told and "cannot be read again" in done.told and rows == [], done
    assert time.monotonic() - began > 5


def test_a_signal_ends_a_run_that_waits_for_its_key(fleet, answers, tmp_path):
    key = tmp_path / "key"
    key.write_text("old-key\n")
    key.chmod(0o600)
    refused = threading.Event()

    def answer(nth, request):
        key.write_text("")
        refused.set()
        return errno(3, "auth failed")

    process = subprocess.Popen([os.environ["NBATCH"], "run", str(fleet(50)), "--endpoint", answers(answer)[1],
                                "--api-key-file", str(key), "-q"], stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert refused.wait(60)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143 or "it is empty" in err, err  # 143, unless the signal came seconds late


def test_a_key_that_was_read_again_is_still_a_secret(run, tmp_path, answers):
    key = tmp_path / "key"
    key.write_text("the-key-of-this-run\n")
    key.chmod(0o600)
    path = tmp_path / "in.csv"
    path.write_text(HEADER + row_of(1) * 3)
    _, url = answers(always(*errno(1, "auth failed: the-key-of-this-run")))
    _, rows = run(path, url, "--api-key-file", key, *FAST, code=1, env={"NBATCH_API_KEY": None})
    assert len(rows) == 3 and all("***" in row["error"] and "the-key" not in row["error"] for row in rows), rows


def test_a_key_that_cannot_be_read_again_is_told(run, fleet, answers, tmp_path):
    key = tmp_path / "key"
    key.write_text("old-key\n")
    key.chmod(0o600)

    def answer(nth, request):
        key.unlink(missing_ok=True)
        return errno(3, "auth failed")

    done, _ = run(fleet(50), answers(answer)[1], "--api-key-file", key, code=4, env={"NBATCH_API_KEY": None})
    assert "cannot be read again" in done.told and "old-key" not in done.told, done
    done, _ = run(fleet(50), answers(always(*errno(3, "auth failed")))[1], code=4)
    assert "from the environment" in done.told and KEY not in done.told, done


def test_devices_of_another_product_stop_nothing(run, fleet, answers):
    foreign = {imei(i) for i in (1, 2, 7, 8, 9, 50, 99, 100)}
    script, url = answers(lambda nth, request: errno(1, "auth failed") if request.imei in foreign else None)
    for words in (["-c", "1"], ["-c", "8"], ["-c", "1", "--canary", "2", "--canary-accept", "0"]):
        _, rows = run(fleet(100), url, *words, *FAST, code=1)
        assert {row["imei"] for row in rows if row["status"] == "rejected"} == foreign
        assert sum(row["status"] == "accepted" for row in rows) == 92
    assert max(script.count.values()) == 3


def test_a_foreign_device_with_many_rows_holds_nobody_up(run, tmp_path, answers):
    path = tmp_path / "in.csv"
    path.write_text(HEADER + row_of(1) * 3 + row_of(2) * 3)
    script, url = answers(lambda nth, request: errno(1, "auth failed") if request.imei == imei(1) else None)
    _, rows = run(path, url, *FAST, code=1)
    assert [row["status"] for row in rows] == ["rejected"] * 3 + ["accepted"] * 3 and len(script.requests) == 6
    path.write_text(HEADER + row_of(1) * 3)
    _, rows = run(path, url, *FAST, code=1)
    assert [row["status"] for row in rows] == ["rejected"] * 3


def test_a_file_of_another_product_stops(run, fleet, answers):
    script, url = answers(lambda nth, request: errno(1, "auth failed"))
    done, rows = run(fleet(100), url, *FAST, code=4)
    assert len(script.requests) == 5 and rows == [] and "5 rows in a row" in done.told, done


def test_a_row_in_doubt_that_is_refused_for_the_key_stays_in_doubt(run, fleet, raw_peer):
    seen = itertools.count()

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            if next(seen) == 0:
                connection.process(request)
                return
            connection.reply(errno(3, "auth failed")[1])

    _, rows = run(fleet(40), raw_peer(script).url, "-c", "1", *FAST, code=4)
    assert [(row["status"], row["ambiguous"]) for row in rows] == [("in_doubt", "1")]


def test_a_proxy_that_wants_credentials_stops_the_run(run, fleet, answers):
    script, url = answers(always("407 Proxy Authentication Required", b"", []))
    for endpoint in ("http://platform.example:8080", "https://platform.example"):
        done, rows = run(fleet(40), endpoint, "--proxy", url, "--insecure-http", *FAST, code=4)
        assert "proxy" in done.told and "USER:PASSWORD" in done.told and rows == [], done
    assert len(script.requests) <= 4


# The platform's clock

ZONE = datetime.timezone(datetime.timedelta(hours=8))


class Clocked:
    """A platform whose clock is off by so many seconds, and which refuses a time that has passed by it."""

    def __init__(self, off_s, strict=True):
        self.off_s, self.strict = off_s, strict
        self.lock = threading.Lock()
        self.targets = []

    def now(self):
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.off_s)

    def left(self, request, name):
        """Seconds from the platform's now to a time of a request."""
        text = dict(pair.split("=") for pair in request.target.split("?")[1].split("&"))[name]
        return (datetime.datetime.fromisoformat(text).replace(tzinfo=ZONE) - self.now()).total_seconds()

    def __call__(self, connection, number):
        while (request := connection.read_request()) is not None:
            date = [f"Date: {email.utils.format_datetime(self.now(), usegmt=True)}"]
            with self.lock:
                self.targets.append((request.imei, self.left(request, "expired_time")))
            if self.strict and self.left(request, "expired_time") <= 0:
                connection.reply(errno(5108, "invalid parameter")[1], headers=date)
            else:
                connection.reply(json.dumps({"errno": 0, "error": "succ", "data": {"uuid": connection.process(request)}})
                                 .encode(), headers=date)


@pytest.mark.parametrize("off_s,direction", [(3600, "3600 s behind"), (-3600, "3600 s ahead of"), (86400 * 30, "behind")])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_clock_that_is_off_is_said_once_and_relative_times_go_by_the_platforms(run, fleet, fleet_jsonl, raw_peer, off_s,
                                                                                  direction, kind):
    platform = Clocked(off_s)
    peer = raw_peer(platform)
    path = fleet(50) if kind == "csv" else fleet_jsonl(50)
    done, rows = run(path, peer.url, "-c", "8", "--log", "log.jsonl", code=0)
    text = " ".join(done.told.split())
    number = re.search(r"this machine's clock is (\d+) s", text)
    assert number and abs(int(number[1]) - abs(off_s)) <= 60 and text.count("this machine's clock is") == 1, done
    assert direction.split()[-1] in text
    week = 7 * 86400
    late = [left for _, left in platform.targets[1:]]
    assert all(abs(left - week) < 60 for left in late[-45:]), late
    assert [row["status"] for row in rows] == ["accepted"] * 50
    assert '"event":"clock"' in (path.parent / "log.jsonl").read_text().replace(" ", "")
    if off_s > week:  # the scout's own time had passed by the platform's clock: it was sent again
        assert [name for name, _ in platform.targets].count(imei(1)) == 2


def test_absolute_times_stay_and_a_good_clock_says_nothing(run, tmp_path, raw_peer):
    path = tmp_path / "in.csv"
    path.write_text("imei,obj_id,obj_inst_id,mode,expired_time,res:5850\n" +
                    "".join(f"{imei(i)},3311,0,2,2037-01-01T00:00:00,1\n" for i in range(1, 20)))
    requests = raw_peer(Clocked(7200))
    done, _ = run(path, requests.url, code=0)
    assert {r.target.split("expired_time=")[1][:19] for r in requests.processed} == {"2037-01-01T00:00:00"}
    done, _ = run(path, raw_peer(Clocked(20)).url, code=0)
    assert "clock" not in done.told


def test_keys_do_not_depend_on_the_clock(run, fleet, raw_peer):
    path = fleet(20)
    _, rows = run(path, raw_peer(Clocked(86400)).url, code=0)
    keys = [row["key"] for row in rows]
    _, rows = run(path, raw_peer(Clocked(0)).url, code=0)
    assert [row["key"] for row in rows] == keys


def test_an_access_key_is_rotated_too(run, fleet, answers, tmp_path):
    key = tmp_path / "access"
    key.write_text("b2xkLW9sZC1vbGQtb2xkLW9sZA==\n")
    key.chmod(0o600)
    tokens = []

    def answer(nth, request):
        token = request.headers["authorization"].split("sign=")[1]
        if nth == 100:
            replace_key(key, "bmV3LW5ldy1uZXctbmV3LW5ldw==\n")
            tokens.append(token)
        return errno(3, "token鉴权失败") if tokens and token == tokens[0] else None

    script, url = answers(answer)
    _, rows = run(fleet(300), url, "-c", "8", "--product-id", "123123", "--access-key-file", key, *FAST, code=0,
                  env={"NBATCH_API_KEY": None})
    assert [row["status"] for row in rows] == ["accepted"] * 300 and len(script.requests) <= 300 + 5 + 16


def test_a_pipe_stops_as_a_file_does(run, fleet, answers):
    text = fleet(300).read_text()
    for answer in (errno(3, "auth failed"), STRANGE["404"][:3]):
        script, url = answers(always(*answer))
        run("-", url, "--format", "csv", *FAST, code=4, stdin=text)
        assert len(script.requests) <= 5


def test_rows_behind_a_stop_have_no_result_and_the_next_command_is_right(run, fleet, answers):
    """Where nothing was recorded there is nothing to resume."""
    path = fleet(30)
    done, _ = run(path, answers(always(*errno(3, "auth failed")))[1], code=4)
    assert "--resume" not in done.told and "30 rows" in done.told, done
    done, _ = run(path, answers(lambda nth, request: None if nth < 10 else errno(3, "auth failed"))[1], "-c", "1", code=4)
    assert "--resume" in done.told and "20 rows" in done.told, done
