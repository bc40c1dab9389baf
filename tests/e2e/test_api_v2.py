"""The newer OneNET (--api v2): its paths, tokens and answers; and that nothing there is sent again by guess."""
import base64
import collections
import hashlib
import hmac
import json
import re
import time
import urllib.parse
import uuid
import zlib

import pytest
from conftest import KEY, imei, read_results

ACCESS_KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="
USER = ["--api", "v2", "--user-id", "420217"]
ENV = {"NBATCH_API_KEY": None, "NBATCH_ACCESS_KEY": ACCESS_KEY}


@pytest.fixture
def access_key(tmp_path):
    path = tmp_path / "access.key"
    path.write_text(ACCESS_KEY + "\n")
    path.chmod(0o600)
    return path


def envelope(code=0, msg="succ", **more):
    return json.dumps({"code": code, "msg": msg, "request_id": "a25087f46df04b69b29e90ef0acfd115", **more}).encode()


def accepted():
    return envelope(data={"uuid": str(uuid.uuid4())})


def answering(*answers):
    """The n-th request of a device gets the n-th answer, further ones the last; counts them: peer.asked[imei]."""
    def script(connection, number):
        while (request := connection.read_request()) is not None:
            connection.process(request)
            with connection.peer.lock:
                asked = connection.peer.__dict__.setdefault("asked", collections.Counter())
                asked[request.imei] += 1
                answer = answers[min(asked[request.imei], len(answers)) - 1]
            status, headers = "200 OK", []
            if isinstance(answer, tuple):
                status, *headers, answer = answer
            connection.reply(answer() if callable(answer) else answer, status, headers)
    return script


def send(nbatch, path, peer, *words, env=None):
    return nbatch("run", path, "--endpoint", peer.url, *USER, "--retry-delay", "1ms", *words, env=env or ENV)


def assert_token(value, version, res):
    """The platform's definition, written down once more."""
    fields = dict(urllib.parse.parse_qsl(value, strict_parsing=True))
    assert (fields["version"], fields["res"], fields["method"]) == (version, res, "sha256")
    assert abs(int(fields["et"]) - time.time() - 3600) < 60
    text = "\n".join([fields["et"], fields["method"], fields["res"], fields["version"]])
    mac = hmac.new(base64.b64decode(ACCESS_KEY), text.encode(), hashlib.sha256).digest()
    assert fields["sign"] == base64.b64encode(mac).decode()


def test_a_row_is_accepted_over_the_newer_platforms_paths(nbatch, raw_peer, tmp_path):
    (tmp_path / "fleet.csv").write_text("action,imei,obj_id,obj_inst_id,res_id,mode,expired_time,data\n"
                                        f"write,{imei(1)},3311,0,,2,+7d,\"[{{\"\"res_id\"\":1,\"\"val\"\":2}}]\"\n"
                                        f"read,{imei(2)},3311,0,1,,+7d,\n"
                                        f"execute,{imei(3)},3,0,4,,+7d,\n")
    peer = raw_peer(answering(accepted))
    done = send(nbatch, "fleet.csv", peer)
    rows = read_results(tmp_path / "fleet.results.csv")
    assert done.code == 0 and [row["status"] for row in rows] == ["accepted"] * 3, done
    assert len({row["uuid"] for row in rows}) == 3
    asked = {request.imei: request for request in peer.processed}
    assert [(asked[imei(i)].method, asked[imei(i)].target.split("?")[0]) for i in (1, 2, 3)] == [
        ("POST", "/nb-iot/offline"), ("GET", "/nb-iot/offline"), ("POST", "/nb-iot/execute/offline")]
    for request in peer.processed:
        assert "api-key" not in request.headers
        assert_token(request.headers["authorization"], "2022-05-01", "userid/420217")


def test_a_product_token_keeps_its_form(nbatch, fleet, raw_peer):
    peer = raw_peer(answering(accepted))
    done = nbatch("run", fleet(1), "--endpoint", peer.url, "--api", "v2", "--product-id", "abc", env=ENV)
    assert done.code == 0, done
    assert_token(peer.processed[0].headers["authorization"], "2018-10-31", "products/abc")


@pytest.mark.parametrize("answer,status,errno", [
    (envelope(5006, "system logic limit"), "rejected", "5006"),
    (envelope(5108, "invalid parameter: obj_id"), "rejected", "5108"),
    (envelope(4711, "what this is nobody knows"), "rejected", "4711"),
    (("404 Not Found", b"<html>"), "failed", ""),
])
def test_a_refusal_is_final(nbatch, fleet, raw_peer, tmp_path, answer, status, errno):
    peer = raw_peer(answering(answer))
    done = send(nbatch, fleet(1), peer, "--on-ambiguous", "resend")
    row, = read_results(tmp_path / "fleet.results.csv")
    assert (done.code, row["status"], row["errno"], row["attempts"]) == (1, status, errno, "1"), done
    assert peer.asked[imei(1)] == 1


def test_throttling_by_the_status_is_waited_for(nbatch, fleet, raw_peer, tmp_path):
    busy = ("429 Too Many Requests", "Retry-After: 0", envelope(15, "api freq out of limit"))
    peer = raw_peer(answering(busy, busy, accepted))
    done = send(nbatch, fleet(1), peer)
    row, = read_results(tmp_path / "fleet.results.csv")
    assert (done.code, row["status"], row["attempts"], row["ambiguous"]) == (0, "accepted", "3", "0"), done
    assert peer.asked[imei(1)] == 3


UNKNOWN = [
    b"",
    b"<html>hello</html>",
    b'{"result":"success","id":"1"}',
    b'{"code":0}',
    b'{"code":0,"msg":"su"c!}',
    b'{"code":0,"msg":"succ","errno":5006,"error":"system logic limit"}',
    envelope(500, "internal server error"),
    envelope(15, "api freq out of limit"),
    ("500 Internal Server Error", envelope(500, "?")),
    b'{"errno":5117,"error":"rpc error"}',
    b'{"errno":4711,"error":"?"}',
]


@pytest.mark.parametrize("answer", UNKNOWN, ids=range(len(UNKNOWN)))
@pytest.mark.parametrize("words", [[], ["--on-ambiguous", "resend"]], ids=["default", "resend"])
def test_an_unknown_answer_is_never_sent_again(nbatch, fleet, raw_peer, tmp_path, answer, words):
    """The peer's count is the oracle: it took the command each time that it was asked."""
    peer = raw_peer(answering(answer))
    done = send(nbatch, fleet(1), peer, *words)
    row, = read_results(tmp_path / "fleet.results.csv")
    assert (done.code, row["status"], row["attempts"], row["ambiguous"]) == (6, "in_doubt", "1", "1"), done
    assert peer.asked[imei(1)] == 1 and len(peer.processed) == 1


@pytest.mark.parametrize("answer", [UNKNOWN[1], UNKNOWN[2], b'{"errno":0,"errno":1}'], ids=range(3))
def test_negative_control_the_first_dialect_sends_such_again(nbatch, fleet, raw_peer, answer):
    peer = raw_peer(answering(answer))
    nbatch("run", fleet(1), "--endpoint", peer.url, "--max-attempts", "3", "--retry-delay", "1ms")
    assert peer.asked[imei(1)] == 3


def test_what_was_cut_off_is_no_answer(nbatch, fleet, raw_peer, tmp_path):
    """There --on-ambiguous decides, as on the first dialect."""
    def script(connection, number):
        request = connection.read_request()
        connection.process(request)
        if number == 0:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"code\":0,\"msg\":")
            connection.close()
        else:
            connection.reply(accepted())

    peer = raw_peer(script)
    done = send(nbatch, fleet(1), peer)
    row, = read_results(tmp_path / "fleet.results.csv")
    assert (done.code, row["status"], row["attempts"], row["ambiguous"]) == (0, "accepted", "2", "1"), done
    assert len(peer.processed) == 2


def test_the_first_dialects_acceptance_is_believed(nbatch, fleet, raw_peer, tmp_path):
    peer = raw_peer(answering(lambda: json.dumps({"errno": 0, "error": "succ",
                                                  "data": {"uuid": str(uuid.uuid4())}}).encode()))
    done = send(nbatch, fleet(1), peer)
    row, = read_results(tmp_path / "fleet.results.csv")
    assert (done.code, row["status"], row["errno"]) == (0, "accepted", "0") and row["uuid"], done


@pytest.mark.parametrize("answer", [envelope(10403, "no permission"), ("403 Forbidden", envelope(10403, "no permission")),
                                    ("401 Unauthorized", b"")])
def test_a_refused_token_stops_the_run_at_once(nbatch, fleet, raw_peer, tmp_path, answer):
    peer = raw_peer(answering(answer))
    done = send(nbatch, fleet(20), peer)
    assert done.code == 4 and "key" in done.err, done
    assert sum(peer.asked.values()) == 1


# The simulator.

def test_a_rehearsal_speaks_the_dialect(nbatch, fleet, tmp_path):
    done = nbatch("run", fleet(30), "--api", "v2", "--simulate=audit=audit.jsonl", env={"NBATCH_API_KEY": None})
    assert done.code == 0, done
    audit = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert len(audit) == 30 and all(line["target"].startswith("/nb-iot/offline?imei=") for line in audit)
    rows = read_results(tmp_path / "fleet.rehearsal.csv")
    assert {line["uuid"] for line in audit} == {row["uuid"] for row in rows}


def test_the_simulators_queue_is_full_after_ten(nbatch, tmp_path, simulator):
    header = "imei,obj_id,obj_inst_id,mode,expired_time,res:5850\n"
    for name, values in (("first.csv", range(10)), ("second.csv", [10])):
        (tmp_path / name).write_text(header + "".join(f"{imei(1)},3311,0,2,+7d,{i}\n" for i in values))
    sim = simulator("--api", "v2")
    assert nbatch("run", "first.csv", "--yes", "--endpoint", sim.url, *USER, env=ENV).code == 0
    done = nbatch("run", "second.csv", "--endpoint", sim.url, *USER, env=ENV)
    row, = read_results(tmp_path / "second.results.csv")
    assert (done.code, row["status"], row["error"]) == (1, "rejected", "system logic limit"), done


@pytest.mark.parametrize("fault,attempts,status", [
    ("envelope", 1, "in_doubt"), ("garbage", 1, "in_doubt"), ("errno-15", 1, "in_doubt"), ("errno-5117", 1, "in_doubt"),
    ("errno-5006", 1, "rejected"), ("no-uuid", 1, "accepted"), ("http-429", 3, "failed"), ("close-after", 3, "in_doubt"),
    ("http-503-after", 3, "in_doubt")])
def test_which_faults_are_sent_again(nbatch, fleet, simulator, tmp_path, fault, attempts, status):
    sim = simulator("--api", "v2", "--fault", f"{fault}:1")
    nbatch("run", fleet(1), "--endpoint", sim.url, *USER, "--max-attempts", "3", "--retry-delay", "1ms", env=ENV,
           timeout=60)
    row, = read_results(tmp_path / "fleet.results.csv")
    assert (row["status"], row["attempts"]) == (status, str(attempts))
    assert len(sim.audit()) == attempts


def test_the_simulator_throttles(nbatch, fleet, simulator):
    sim = simulator("--api", "v2", "--limit", "200/s", "--limit-by", "http-429")
    assert nbatch("run", fleet(60), "--endpoint", sim.url, *USER, "--max-attempts", "50", env=ENV).code == 0
    assert sum(line["processed"] for line in sim.audit()) == 60


def test_the_simulator_checks_the_token(nbatch, fleet, simulator, tmp_path, access_key):
    sim = simulator("--api", "v2", "--user-id", "420217", "--access-key-file", str(access_key))
    assert nbatch("run", fleet(2), "--endpoint", sim.url, *USER, "-o", "a.csv", env=ENV).code == 0
    other = {"NBATCH_API_KEY": None, "NBATCH_ACCESS_KEY": base64.b64encode(b"another key").decode()}
    for i, (words, env) in enumerate([(["--user-id", "420218"], ENV), (["--user-id", "420217"], other),
                                      (["--product-id", "420217"], ENV)]):
        done = nbatch("run", fleet(2), "--endpoint", sim.url, "--api", "v2", *words, "-o", f"wrong{i}.csv", env=env)
        assert done.code == 4, done
    assert [line["errno"] for line in sim.audit()] == [0, 0, 10403, 10403, 10403]


def test_the_simulators_history_has_the_dialects_envelope(nbatch, fleet, simulator):
    import urllib.request
    sim = simulator("--api", "v2")
    assert nbatch("run", fleet(1), "--endpoint", sim.url, *USER, env=ENV).code == 0
    with urllib.request.urlopen(f"{sim.url}/nb-iot/offline/history?imei={imei(1)}&start=2020-01-01T00:00:00") as answer:
        told = json.load(answer)
    assert told["code"] == 0 and told["msg"] == "succ" and told["request_id"]
    assert told["data"]["total_count"] == 1 and told["data"]["items"][0]["imei"] == imei(1)


# Crossed.

@pytest.mark.parametrize("words,env,code,remedy", [
    ([*USER, "--endpoint", "https://api.heclouds.com"], ENV, 2, "say --api v1"),
    ([*USER, "--endpoint", "http://API.heclouds.com:80/x"], ENV, 2, "say --api v1"),
    (["--endpoint", "https://iot-api.heclouds.com"], None, 2, "say --api v2"),
    (["--endpoint", "https://iot-api.heclouds.com."], None, 2, "say --api v2"),
    (["--api", "v2"], None, 4, "--user-id ID"),
    (["--api", "v2", "--api-key-file", "{key}"], None, 4, "takes no MasterKey"),
    (["--api", "v2", "--api-key-command", "true"], None, 4, "takes no MasterKey"),
    (["--api", "v2", "--access-key-file", "{key}"], None, 4, "--user-id ID"),
    (["--user-id", "1"], ENV, 4, "--user-id is for --api v2"),
    ([*USER, "--product-id", "1"], ENV, 2, "exclude each other"),
    ([*USER, "--api-key-file", "{key}"], ENV, 2, "exclude each other"),
    (["--api", "v2", "--user-id", "a/b"], ENV, 2, "the account's id"),
    (USER, {**ENV, "NBATCH_ACCESS_KEY": KEY}, 4, "not base64"),
    (USER, {"NBATCH_API_KEY": KEY}, 4, "no access key"),
    (["--endpoint", "http://127.0.0.1:9"],
     {"NBATCH_API_KEY": "version=2018-10-31&res=products%2F1&et=1537255523&method=sha1&sign=ZjA1NzZlMmMxYzIyOT"}, 4,
     "--access-key-file"),
    ([*USER, "--endpoint", "http://127.0.0.1:9"],
     {"NBATCH_ACCESS_KEY": "version=2022-05-01&res=userid%2F1&et=1537255523&method=sha1&sign=ZjA1NzZlMmMxYzIyOT"}, 4,
     "it is a token"),
    (["--api", "v3"], None, 2, "must be v1 or v2"),
])
def test_what_is_of_the_other_dialect_names_the_remedy(nbatch, fleet, access_key, words, env, code, remedy):
    done = nbatch("run", fleet(1), *[word.format(key=access_key) for word in words], env=env)
    assert done.code == code and remedy in done.err and "sending" not in done.err, done
    assert "ZjA1" not in done.err and ACCESS_KEY not in done.err and KEY not in done.err


def test_a_client_of_the_other_dialect_is_told(nbatch, fleet, raw_peer, simulator):
    peer = raw_peer(answering(accepted))
    done = nbatch("run", fleet(9), "--endpoint", peer.url, "--max-attempts", "1")
    assert done.code == 4 and "say --api v2" in done.err, done
    sim = simulator()
    done = nbatch("run", fleet(9), "--endpoint", sim.url, *USER, "-o", "x.csv", env=ENV)
    assert done.code == 4 and not any(line["processed"] for line in sim.audit()), done


@pytest.mark.parametrize("first,second", [([], USER), (USER, [])], ids=["v1 to v2", "v2 to v1"])
def test_results_of_the_other_dialect_are_not_gone_on_with(nbatch, fleet, raw_peer, tmp_path, first, second):
    """The run that left them had not ended: it was halted."""
    keys = {**ENV, "NBATCH_API_KEY": KEY}
    full = '"system logic limit"'
    peer = raw_peer(answering(f'{{"code":5006,"msg":{full}}}'.encode() if first else
                              f'{{"errno":5006,"error":{full}}}'.encode()))
    done = nbatch("run", fleet(5), "--endpoint", peer.url, *first, "-c", "1", "--halt", "rejected=1", env=keys)
    assert done.code == 5 and (tmp_path / "fleet.results.csv.journal").exists(), done
    before = len(peer.processed)
    done = nbatch("run", fleet(5), "--resume", "--endpoint", peer.url, *second, env=keys)
    assert done.code == 2 and "name another results file" in done.err and len(peer.processed) == before, done
    assert nbatch("run", fleet(5), "--resume", "--endpoint", peer.url, *first, env=keys).code == 1
    assert len(peer.processed) == 5


def test_the_setting_comes_from_variable_and_file(nbatch, fleet, raw_peer, tmp_path):
    peer = raw_peer(answering(accepted))
    (tmp_path / "ops.yaml").write_text(f"api: v2\nuser-id: \"420217\"\nendpoint: {peer.url}\n")
    assert nbatch("run", fleet(1), "--config", "ops.yaml", env=ENV).code == 0
    variables = {**ENV, "NBATCH_API": "v2", "NBATCH_USER_ID": "420217", "NBATCH_ENDPOINT": peer.url}
    assert nbatch("run", fleet(1), "-o", "b.csv", env=variables).code == 0
    assert all(request.target.startswith("/nb-iot/") for request in peer.processed) and len(peer.processed) == 2
    shown = nbatch("config", env={"NBATCH_API": "v2"}).out
    assert "endpoint: https://iot-api.heclouds.com " in shown
    assert nbatch("run", "--help").out.count("not tried on the platform") == 1


# The platform's own hosts, led to a peer of ours.

@pytest.mark.parametrize("host,words,per_s", [
    ("api.heclouds.com", [], 300), ("iot-api.heclouds.com", USER, 100), ("platform.test", [], 0),
    ("api.heclouds.com", ["--rate", "none"], 0), ("api.heclouds.com", ["--rate", "50/s"], 50)])
def test_the_documented_rate_is_the_default_at_the_platforms_hosts(nbatch, fleet, raw_peer, tmp_path, host, words, per_s):
    ok = b'{"errno":0,"error":"succ","data":{"uuid":"42742677-adc3-54ca-83a1-5aaaf71482f8"}}'
    peer = raw_peer(answering(accepted if words == USER else ok))
    port = peer.url.rsplit(":", 1)[1]
    rows = 2 * per_s or 30  # so long that the metrics are written on the way
    done = nbatch("run", fleet(rows), "--endpoint", f"http://{host}:{port}", "--resolve", f"{host}:{port}:127.0.0.1",
                  "--insecure-http", "--metrics-file", "run.prom", *words, env={**ENV, "NBATCH_API_KEY": KEY})
    assert done.code == 0 and len(peer.processed) == rows, done
    limit = re.search(r"^nbatch_rate_limit\S* (\S+)$", (tmp_path / "run.prom").read_text(), re.M)
    assert float(limit[1] if limit else 0) == per_s
    documented = per_s in (300, 100)
    assert (f"a time, at most {per_s}/s as the platform documents (see --rate)" in done.err) == documented, done
    assert documented or "as the platform documents" not in done.err
    options = ["--endpoint", f"http://{host}:{port}", *words[:2]]
    checked = json.loads(nbatch("check", "--json", fleet(rows), *options, env=ENV).out)
    assert checked.get("estimated_s") == (2 if per_s else None)
    told = nbatch("check", fleet(rows), *options, env=ENV).told
    assert (f"takes 2s at {per_s}/s, which the platform documents" in told) == documented, told


# What .complete held before it knew the dialect, beside results without an accepted row.
COMPLETE_OF_OLD = zlib.decompress(base64.b85decode(
    b"c-qTLN-Rmvuu>?`NGws%)h$XbF3n9<NY2kKNCdJKN-|OvKw>#1#R}z_B^i3WTwDwwz{mgrY=<=s!lqYgL%9qSpmaNnwF&3($Fmql!6+C7qhJ(_f>AIEM!_f;1*2dTjDk@x>;V8*V;D{"))


def test_complete_results_of_one_dialect_are_not_resumed_in_the_other(nbatch, fleet, simulator, tmp_path):
    sim = simulator("--api", "v2", "--fault", "errno-5006:1")
    path, results = fleet(3), tmp_path / "fleet.results.csv"
    again = ("run", path, "--resume=rejected")
    assert nbatch("run", path, "--endpoint", sim.url, *USER, env=ENV).code == 1
    assert not (tmp_path / "fleet.results.csv.journal").exists()
    before = results.read_bytes()
    first = simulator()
    done = nbatch(*again, "--endpoint", first.url, env={"NBATCH_API_KEY": "k"})
    assert done.code == 2 and "the record of a run with --api v2" in done.err, done
    assert (len(first.audit()), results.read_bytes()) == (0, before)
    # The control: in its own dialect it goes on.
    assert nbatch(*again, "--endpoint", sim.url, *USER, env=ENV).code == 1
    assert len(sim.audit()) == 6


def test_a_complete_file_that_knows_no_dialect_stands_in_no_way(nbatch, fleet, simulator, tmp_path):
    sim = simulator("--api", "v2", "--fault", "errno-5006:1")
    path, complete = fleet(3), tmp_path / "fleet.results.csv.complete"
    assert nbatch("run", path, "--endpoint", sim.url, *USER, env=ENV).code == 1
    assert len(complete.read_bytes()) == len(COMPLETE_OF_OLD)
    complete.write_bytes(COMPLETE_OF_OLD)
    first = simulator()
    done = nbatch("run", path, "--resume=rejected", "--endpoint", first.url, env={"NBATCH_API_KEY": "k"})
    assert done.code == 0 and "damaged" not in done.err, done
    assert len(first.audit()) == 3
