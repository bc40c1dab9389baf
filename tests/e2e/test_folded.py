"""Answers whose header lines are folded, on connections and in places that were used before."""
import pytest
from conftest import read_results
from peers import success

BODY_LATER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


def answer(head, command_uuid):
    body = success(command_uuid)
    return head % len(body) + body


FOLDED = {
    "first": b"HTTP/1.1 200 OK\r\n folded: x\r\nContent-Length: %d\r\n\r\n",
    "first, by a tab": b"HTTP/1.1 200 OK\r\n\tfolded: x\r\nContent-Length: %d\r\n\r\n",
    "first, empty": b"HTTP/1.1 200 OK\r\n \r\nContent-Length: %d\r\n\r\n",
    "only": b"HTTP/1.1 200 OK\r\n " + b"x" * 5000 + b"\r\n\r\n%d",
    "first of an interim answer": b"HTTP/1.1 100 Continue\r\n folded: x\r\n\r\nHTTP/1.1 200 OK\r\n"
                                  b"Content-Length: %d\r\n\r\n",
    "first behind an interim answer": b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n folded: x\r\n"
                                      b"Content-Length: %d\r\n\r\n",
}


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("kind", FOLDED)
def test_a_folded_first_header_line_does_no_harm(nbatch, fleet, raw_peer, authority, certificate, kind, secure):
    def script(connection, number):
        count = 0
        while request := connection.read_request():
            count += 1
            head = FOLDED[kind] if count % 3 == 0 else BODY_LATER
            connection.send(answer(head, connection.process(request)))

    peer = raw_peer(script, tls=certificate.context() if secure else None)
    options = ["--endpoint", peer.url, "-c", "4", "--on-ambiguous", "hold",
               *(["--cacert", authority.ca] if secure else [])]
    out = fleet(60).with_suffix(".out.csv")
    done = nbatch("run", fleet(60), "-o", out, *options)
    rows = read_results(out)
    assert done.code in (0, 6), done
    assert len(rows) == 60 and {row["status"] for row in rows} <= {"accepted", "in_doubt"}
    assert len(peer.processed) == 60, "nothing twice"
    assert sum(row["status"] == "accepted" for row in rows) >= 20
    done = nbatch("run", fleet(60), "-o", out, "--resume", *options)
    assert done.code in (0, 6) and len(peer.processed) == 60, done


def test_a_folded_later_line_is_read(nbatch, fleet, raw_peer):
    def script(connection, number):
        while request := connection.read_request():
            connection.send(answer(b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\tc\r\nContent-Length: %d\r\n\r\n",
                                   connection.process(request)))

    peer = raw_peer(script)
    out = fleet(60).with_suffix(".out.csv")
    done = nbatch("run", fleet(60), "-o", out, "--endpoint", peer.url, "-c", "4")
    assert done.code == 0 and {row["status"] for row in read_results(out)} == {"accepted"}, done
