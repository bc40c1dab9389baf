"""A peer that misbehaves, and what the rows are called. The oracle is the peer's own count."""
import collections
import socket

import pytest
from conftest import UNGUARDED, imei, read_results
from peers import success


def run_against(nbatch, peer, path, *options, **keywords):
    out = path.with_suffix(".out.csv")
    done = nbatch("run", path, "--endpoint", peer.url, "-o", out, "--max-attempts", "1", *options, **keywords)
    return done, read_results(out) if out.exists() else []


def processed_imeis(peer):
    return [request.target.split("imei=")[1].split("&")[0] for request in peer.processed]


def assert_honest(rows, peer, expected_rows):
    """One result per row; nothing the peer processed is called anything but accepted or in_doubt; nothing twice."""
    assert sorted(int(row["row"]) for row in rows) == list(range(1, expected_rows + 1))
    processed = collections.Counter(processed_imeis(peer))
    assert max(processed.values(), default=0) <= 1, "a command was processed twice"
    for row in rows:
        if row["status"] in ("failed", "rejected", "invalid"):
            assert processed[row["imei"]] == 0, f"processed, and called {row['status']}"
        if row["status"] == "accepted":
            assert processed[row["imei"]] == 1
            assert row["uuid"] or row["error"].startswith("errno 0 without a uuid")


# Each fault is what the peer does with a request, whether it has processed it by then, and what the row must be.
def fault_close(connection, request):
    connection.close()


def fault_close_after(connection, request):
    connection.process(request)
    connection.close()


def fault_reset(connection, request):
    connection.reset()


def fault_reset_after(connection, request):
    connection.process(request)
    connection.reset()


def fault_silent_after(connection, request):
    connection.process(request)
    connection.hold()


def fault_cut_status_line(connection, request):
    connection.process(request)
    connection.send(b"HTTP/1.1 20")
    connection.close()


def fault_cut_headers(connection, request):
    connection.process(request)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Le")
    connection.close()


def fault_headers_only(connection, request):
    connection.process(request)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 80\r\n\r\n")
    connection.close()


def fault_cut_body(connection, request):
    body = success(connection.process(request))
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:20])
    connection.close()


def fault_cut_close_delimited(connection, request):
    body = success(connection.process(request))
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + body[:20])
    connection.close()


def fault_cut_chunk(connection, request):
    body = success(connection.process(request))
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body[:20])
    connection.close()


def fault_bad_chunk_size(connection, request):
    connection.process(request)
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n")
    connection.close()


def fault_garbage_not_http(connection, request):
    connection.process(request)
    connection.send(b"\x00\x01\x02 this is no HTTP at all\r\n\r\n")
    connection.close()


def fault_garbage_body(connection, request):
    connection.process(request)
    connection.reply(b"<html>ok</html>")


def fault_no_uuid(connection, request):
    connection.process(request)
    connection.reply(b'{"errno":0,"error":"succ"}')


def fault_empty_body(connection, request):
    connection.process(request)
    connection.reply(b"")


def fault_huge_body(connection, request):
    connection.process(request)
    connection.reply(b" " * 200_000)


def fault_endless_headers(connection, request):
    connection.process(request)
    connection.send(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"x" * 1000 + b"\r\n")
    while connection.send((b"X-Filler: " + b"x" * 1000 + b"\r\n") * 100):
        pass


def fault_two_answers(connection, request):
    body = success(connection.process(request))
    connection.reply(body)
    connection.reply(body)


def fault_interim_then_cut(connection, request):
    connection.process(request)
    connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.close()


def fault_redirect(connection, request):
    connection.reply(b"", "307 Temporary Redirect", ["Location: http://127.0.0.1:9/nbiot/offline"])


def fault_401(connection, request):
    connection.reply(b"", "401 Unauthorized", ["WWW-Authenticate: Basic realm=x"])


def fault_403_errno(connection, request):
    connection.reply(b'{"errno":1,"error":"auth failed"}', "403 Forbidden")


def fault_404(connection, request):
    connection.reply(b"not here", "404 Not Found")


def fault_413_unread(connection, request):
    connection.reply(b"too large", "413 Payload Too Large", ["Connection: close"])
    connection.close()


def fault_417(connection, request):
    connection.reply(b"", "417 Expectation Failed")


def fault_429(connection, request):
    connection.reply(b"", "429 Too Many Requests", ["Retry-After: 1"])


def fault_500(connection, request):
    connection.process(request)
    connection.reply(b"oops", "500 Internal Server Error")


def fault_502(connection, request):
    connection.process(request)
    connection.reply(b"", "502 Bad Gateway")


def fault_503(connection, request):
    connection.process(request)
    connection.reply(b"", "503 Service Unavailable")


def fault_503_retry_after(connection, request):
    connection.reply(b"", "503 Service Unavailable", ["Retry-After: 1"])


def fault_504(connection, request):
    connection.process(request)
    connection.reply(b"", "504 Gateway Timeout")


def fault_status_999(connection, request):
    connection.process(request)
    connection.reply(success("x"), "999 What")


def fault_errno_5006(connection, request):
    connection.reply(b'{"errno":5006,"error":"system logic limit"}')


def fault_errno_7(connection, request):
    connection.reply(b'{"errno":7,"error":"service internal error"}')


def fault_contradicting_lengths(connection, request):
    body = success(connection.process(request))
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 90\r\n\r\n" + body)
    connection.close()


def fault_negative_length(connection, request):
    body = success(connection.process(request))
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + body)
    connection.close()


def fault_short_length(connection, request):
    """The body ends in mid-JSON, by the length that the headers give."""
    body = success(connection.process(request))
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\nConnection: close\r\n\r\n" + body)
    connection.close()


def fault_endless_interim(connection, request):
    connection.process(request)
    for _ in range(5):
        connection.send(b"HTTP/1.1 102 Processing\r\n\r\n")
    connection.reset()


def fault_uuid_of_another_type(connection, request):
    connection.process(request)
    connection.reply(b'{"errno":0,"error":"succ","data":{"uuid":42}}')


def fault_errno_as_text(connection, request):
    connection.process(request)
    connection.reply(b'{"errno":"0","error":"succ","data":{"uuid":"x"}}')


def fault_unknown_encoding(connection, request):
    """Compressed, though nobody asked for it."""
    connection.process(request)
    connection.reply(b"\x1f\x8b\x08\x00\x00", "200 OK", ["Content-Encoding: gzip"])


def fault_408(connection, request):
    connection.reply(b"", "408 Request Timeout", ["Connection: close"])
    connection.close()


EXPECTED = {
    fault_close: "in_doubt", fault_close_after: "in_doubt", fault_reset: "in_doubt", fault_reset_after: "in_doubt",
    fault_silent_after: "in_doubt", fault_cut_status_line: "in_doubt", fault_cut_headers: "in_doubt",
    fault_headers_only: "in_doubt", fault_cut_body: "in_doubt", fault_cut_close_delimited: "in_doubt",
    fault_cut_chunk: "in_doubt", fault_bad_chunk_size: "in_doubt", fault_garbage_not_http: "in_doubt",
    fault_garbage_body: "in_doubt", fault_no_uuid: "accepted", fault_empty_body: "in_doubt",
    fault_huge_body: "in_doubt", fault_endless_headers: "in_doubt", fault_two_answers: "accepted",
    fault_interim_then_cut: "in_doubt", fault_redirect: "failed", fault_401: "failed", fault_403_errno: "rejected",
    fault_404: "failed", fault_413_unread: "failed", fault_417: "failed", fault_429: "failed",
    fault_500: "in_doubt", fault_502: "in_doubt", fault_503: "in_doubt", fault_503_retry_after: "failed",
    fault_504: "in_doubt", fault_status_999: "in_doubt", fault_errno_5006: "rejected", fault_errno_7: "rejected",
    fault_contradicting_lengths: "accepted", fault_negative_length: "in_doubt", fault_short_length: "in_doubt",
    fault_endless_interim: "in_doubt", fault_uuid_of_another_type: "accepted", fault_errno_as_text: "accepted",
    fault_unknown_encoding: "in_doubt", fault_408: "failed",
}

EXIT = {"accepted": 0, "rejected": 1, "failed": 1, "in_doubt": 6}


@pytest.mark.parametrize("fault", EXPECTED, ids=lambda f: f.__name__.removeprefix("fault_"))
@pytest.mark.parametrize("reused", [False, True], ids=["first", "reused"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_fault_on_first_and_reused_connection_is_called_by_its_name(nbatch, fleet, raw_peer, authority, certificate,
                                                                    fault, reused, secure):
    """The fault strikes row 1 of a connection, or row 2 of one that has just answered row 1."""
    victim = imei(2 if reused else 1)

    def script(connection, number):
        while request := connection.read_request():
            if victim in request.target:
                fault(connection, request)
                continue  # where the fault has left the connection open, the next row finds it so
            if not connection.accept(request):
                return

    peer = raw_peer(script, tls=certificate.context() if secure else None)
    words = ["--cacert", authority.ca] if secure else []
    if fault is fault_silent_after:  # the others end by themselves
        words += ["--request-timeout", "3s"]
    done, rows = run_against(nbatch, peer, fleet(4), "-c", "1", *words)
    if fault is fault_401 and not reused:  # the first answer says that the key is no good for anybody
        assert done.code == 4 and rows == [] and peer.processed == []
        return
    by_imei = {row["imei"]: row for row in rows}
    expected = EXPECTED[fault]
    assert by_imei[victim]["status"] == expected, done
    if fault is not fault_two_answers:
        assert_honest(rows, peer, 4)
        assert [row["status"] for row in rows if row["imei"] != victim] == ["accepted"] * 3
        assert done.code == EXIT[expected]
    row = by_imei[victim]
    assert row["attempts"] == "1"
    assert row["ambiguous"] == ("1" if expected == "in_doubt" else "0")
    assert bool(row["error"]) == (expected != "accepted" or fault in (fault_no_uuid, fault_uuid_of_another_type))


def test_refused_connection_is_failed_and_never_left(nbatch, fleet):
    class Bound:
        """A port that is taken and on which nobody listens."""

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        peer = Bound()
        peer.url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done, rows = run_against(nbatch, peer, fleet(3))
    assert done.code == 1
    assert {(row["status"], row["attempts"], row["ambiguous"]) for row in rows} == {("failed", "0", "0")}
    assert all("refused" in row["error"] for row in rows)


def test_silence_before_any_answer_ends_at_the_request_timeout(nbatch, fleet, raw_peer):
    def script(connection, number):
        connection.read_request()
        connection.hold()

    done, rows = run_against(nbatch, raw_peer(script), fleet(2), "--request-timeout", "2s")
    assert done.code == 6
    assert [row["status"] for row in rows] == ["in_doubt"] * 2
    assert all("time ran out" in row["error"] for row in rows)


def test_a_tls_handshake_that_fails_is_not_sent(nbatch, fleet, raw_peer):
    peer = raw_peer(lambda connection, number: (connection.send(b"no TLS here\r\n"), connection.close()))
    peer.url = peer.url.replace("http:", "https:")
    done, rows = run_against(nbatch, peer, fleet(2))
    assert done.code == 1
    assert {(row["status"], row["attempts"]) for row in rows} == {("failed", "0")}


def fourth_request_closes(connection, number):
    """Answers three requests of a connection, then reads the next, processes it and closes: libcurl's cue to resend."""
    for _ in range(3):
        request = connection.read_request()
        if request is None or not connection.accept(request):
            return
    request = connection.read_request()
    if request is not None:
        connection.process(request)
        connection.close()


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_nothing_is_sent_twice_behind_our_back(nbatch, fleet, raw_peer, authority, certificate, secure):
    peer = raw_peer(fourth_request_closes, tls=certificate.context() if secure else None)
    trust = ["--cacert", authority.ca] if secure else []
    done, rows = run_against(nbatch, peer, fleet(400), "-c", "16", *trust)
    assert done.code == 6
    assert_honest(rows, peer, 400)
    assert len(peer.processed) == 400
    assert sum(row["status"] == "in_doubt" for row in rows) >= 50


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_negative_control_without_the_guard_libcurl_duplicates(nbatch, fleet, raw_peer, authority, certificate, secure):
    peer = raw_peer(fourth_request_closes, tls=certificate.context() if secure else None)
    trust = ["--cacert", authority.ca] if secure else []
    _, rows = run_against(nbatch, peer, fleet(400), "-c", "16", *trust, binary=UNGUARDED)
    counts = collections.Counter(processed_imeis(peer))
    assert len(rows) == 400
    assert sum(count > 1 for count in counts.values()) >= 50, "the peer no longer provokes what the guard prevents"


def test_a_redirect_does_not_carry_the_key_away(nbatch, fleet, raw_peer):
    thief = raw_peer(lambda connection, number: connection.process(connection.read_request()))

    def script(connection, number):
        while connection.read_request():
            connection.reply(b"", "302 Found", [f"Location: {thief.url}/nbiot/offline"])

    done, rows = run_against(nbatch, raw_peer(script), fleet(3))
    assert done.code == 1
    assert {row["status"] for row in rows} == {"failed"}
    assert thief.processed == []


def test_requests_are_what_the_platform_documents(nbatch, fleet, raw_peer):
    def script(connection, number):
        while request := connection.read_request():
            connection.accept(request)

    peer = raw_peer(script)
    done, _ = run_against(nbatch, peer, fleet(1))
    assert done.code == 0, done
    request = peer.processed[0]
    assert request.method == "POST"
    assert request.target.startswith(f"/nbiot/offline?imei={imei(1)}&expired_time=")
    assert request.target.endswith("&obj_id=3311&obj_inst_id=0&mode=2")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["api-key"] == "test-master-key-0123456789="
    assert request.body == b'{"data":[{"res_id":5850,"val":1}]}'
    assert set(request.headers) == {"host", "content-type", "content-length", "api-key"}
    assert request.lines[0] == "Host: " + peer.url.split("://")[1] and len(request.lines) == 4, "each once"
