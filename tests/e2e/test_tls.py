"""TLS, names and proxies: who is trusted, what is sent before that is known (nothing), and by which way."""
import base64
import collections
import os
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from conftest import HEADER, KEY, read_results, row_of
from tls import Authority

STALL = lambda connection, number: connection.hold()  # noqa: E731


def accept_all(connection, number):
    while request := connection.read_request():
        connection.accept(request)


def run(nbatch, path, *options, **keywords):
    out = path.with_suffix(".out.csv")
    done = nbatch("run", path, "-o", out, *options, **keywords)
    return done, read_results(out) if out.exists() else []


def wait_for(path, text):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if path.exists() and text in path.read_text():
            return
        time.sleep(0.01)
    raise AssertionError((text, path.exists() and path.read_text()))


def assert_not_sent(done, rows, count, text):
    assert done.code != 0
    assert rows, done
    assert len(rows) <= count
    for row in rows:
        assert (row["status"], row["attempts"], row["ambiguous"]) == ("failed", "0", "0"), row
        assert text in row["error"], row


# ---- certificates

def test_a_private_authority_is_trusted_when_it_is_named(nbatch, fleet, nginx, authority, certificate):
    server = nginx(tls=certificate, keepalive_requests=50)
    done, rows = run(nbatch, fleet(1000), "--endpoint", server.url, "--cacert", authority.ca)
    assert done.code == 0, done
    assert "WARNING" not in done.err and "through the proxy" not in done.err
    assert len(rows) == 1000
    lines = [line.split() for line in server.requests()]
    assert len({line[2] for line in lines}) == len(lines) == 1000
    assert {line[-1] for line in lines} == {"HTTP/1.1"}
    assert {line[4] for line in lines} == {KEY}


@pytest.mark.parametrize("flaw,text", [
    ("system", "certificate"), ("wrong authority", "certificate"), ("expired", "expired"),
    ("wrong host", "127.0.0.1"), ("self-signed", "self-signed"),
])
def test_a_server_that_cannot_be_trusted_gets_nothing(nbatch, fleet, raw_peer, authority, certificate, tmp_path, flaw,
                                                      text):
    bad = {"expired": lambda: authority.issue(days=-1), "wrong host": lambda: authority.issue("DNS:other.test"),
           "self-signed": authority.self_signed}.get(flaw, lambda: certificate)()
    ca = Authority(tmp_path / "other").ca if flaw == "wrong authority" else authority.ca
    trust = [] if flaw == "system" else ["--cacert", ca]
    peer = raw_peer(accept_all, tls=bad.context())
    done, rows = run(nbatch, fleet(3), "--endpoint", peer.url, *trust)
    assert peer.processed == []
    assert done.code == 4 and rows == [] and text in done.err, done  # every row would fail: the run stops
    assert "not sent" in done.err
    # The same server is used when nobody asks for its certificate: only that stood in the way.
    done, rows = run(nbatch, fleet(3, name="again.csv"), "--endpoint", peer.url, "--insecure")
    assert done.code == 0 and len(peer.processed) == 3, done


@pytest.mark.parametrize("flag", ["-k", "--insecure"])
def test_insecure_works_and_says_so_loudly(nbatch, fleet, raw_peer, authority, flag):
    peer = raw_peer(accept_all, tls=authority.self_signed().context())
    done, rows = run(nbatch, fleet(2), "--endpoint", peer.url, flag, "-q")
    assert done.code == 0 and [row["status"] for row in rows] == ["accepted"] * 2
    first = done.err.splitlines()[0]
    assert "WARNING" in first and "not verified" in first and peer.url in first


@pytest.mark.parametrize("ca,text", [("nothing-there.pem", "No such file"), (".", "regular file"),
                                     ("fleet.csv", "BEGIN CERTIFICATE")])
def test_a_file_of_authorities_is_checked_before_anything_else(nbatch, fleet, tmp_path, ca, text):
    path = fleet(1)
    path.write_text(path.read_text() + "this row is bad\n")
    done, rows = run(nbatch, path, "--endpoint", "https://127.0.0.1:1", "--cacert", ca)
    assert done.code == 4 and text in done.err and "--cacert" in done.err, done
    assert "row" not in done.err and rows == []


def test_tls_older_than_1_2_is_refused(nbatch, fleet, raw_peer, authority, certificate, tmp_path):
    """Also where the system's own settings would allow it."""
    lax = tmp_path / "openssl.cnf"
    lax.write_text("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n"
                   "MinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n")
    for newest, good in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
        peer = raw_peer(accept_all, tls=certificate.context(newest))
        done, rows = run(nbatch, fleet(2, name=f"{newest.name}.csv"), "--endpoint", peer.url, "--cacert", authority.ca,
                         "--max-attempts", 1, env={"OPENSSL_CONF": str(lax)})
        assert len(peer.processed) == (2 if good else 0)
        if not good:
            assert_not_sent(done, rows, 2, "not sent")
        else:
            assert done.code == 0, done


def test_tls_secrets_go_to_no_file(nbatch, fleet, raw_peer, authority, certificate, tmp_path):
    peer = raw_peer(accept_all, tls=certificate.context())
    secrets = tmp_path / "secrets"
    done, _ = run(nbatch, fleet(1), "--endpoint", peer.url, "--cacert", authority.ca,
                  env={"SSLKEYLOGFILE": str(secrets)})
    assert done.code == 0
    assert not secrets.exists()


def test_a_handshake_that_stalls_runs_out_of_time(nbatch, fleet, raw_peer):
    peer = raw_peer(STALL)
    done, rows = run(nbatch, fleet(2), "--endpoint", peer.url.replace("http:", "https:"), "--connect-timeout", "300ms", "--max-attempts", 1,
                     "--request-timeout", "20s")
    assert_not_sent(done, rows, 2, "time ran out")


def test_an_end_of_tls_without_an_end_of_tcp_is_in_doubt(nbatch, fleet, raw_peer, authority, certificate):
    """close_notify behind half a header block, and behind a request that was processed."""
    def script(connection, number):
        connection.process(connection.read_request())
        if number > 0:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-")
        try:
            connection.sock.unwrap().recv(1)
        except OSError:
            pass

    peer = raw_peer(script, tls=certificate.context())
    done, rows = run(nbatch, fleet(2), "--endpoint", peer.url, "--cacert", authority.ca, "-c", "1", "--on-ambiguous", "hold")
    assert done.code == 6
    assert [row["status"] for row in rows] == ["in_doubt"] * 2
    assert len(peer.processed) == 2


# ---- names

def test_resolve_leads_a_name_to_an_address(nbatch, fleet, raw_peer, authority, certificate):
    peer = raw_peer(accept_all, tls=certificate.context())
    port = peer.url.split(":")[2]
    done, rows = run(nbatch, fleet(3), "--endpoint", f"https://platform.test:{port}", "--cacert", authority.ca,
                     "--resolve", f"other.test:{port}:127.0.0.9", "--resolve", f"platform.test:{port}:127.0.0.1")
    assert done.code == 0 and len(rows) == 3, done
    assert {request.headers["host"] for request in peer.processed} == {f"platform.test:{port}"}


def test_a_resolved_name_is_not_this_machine(nbatch, fleet):
    """Plain http to a name may leave the machine, whatever address it is said to have."""
    done, _ = run(nbatch, fleet(1), "--endpoint", "http://platform.test:1", "--resolve", "platform.test:1:127.0.0.1")
    assert done.code == 4 and "--insecure-http" in done.err


@pytest.mark.parametrize("words,text", [
    (["--resolve", "platform.test:127.0.0.1"], "HOST:PORT:ADDRESS"),
    (["--resolve", "localhost:1:192.0.2.1"], "localhost is this machine"),
    (["--http2"], "--http2 is spoken over TLS only"),
    (["--proxy", "127.0.0.1:3128"], "http://proxy.example:3128"),
    (["--proxy", "http://me:secret@"], "http://proxy.example:3128"),
    (["--cacert", "x", "-k"], "exclude each other"),
])
def test_bad_values_name_the_remedy(nbatch, fleet, words, text):
    done, rows = run(nbatch, fleet(1), "--endpoint", "http://127.0.0.1:1", *words)
    assert done.code == 2 and text in done.err and "secret" not in done.err, done
    assert rows == []


@pytest.mark.parametrize("words", [["--proxy", "none"], ["--cacert", "x"], ["--http2"]])
def test_a_rehearsal_has_no_wire_to_set(nbatch, fleet, words):
    done, _ = run(nbatch, fleet(1), "--simulate", *words)
    assert done.code == 2 and "exclude each other" in done.err


# ---- HTTP/2

def test_http2_is_spoken_when_it_is_asked_for(nbatch, fleet, nginx, authority, certificate):
    """Also across the server's GOAWAY, which comes every 50 requests: each row once."""
    server = nginx(tls=certificate, http2=True, keepalive_requests=50)
    done, rows = run(nbatch, fleet(1000), "--endpoint", server.url, "--cacert", authority.ca, "--http2")
    assert done.code == 0, done
    assert {(row["status"], row["attempts"]) for row in rows} == {("accepted", "1")}
    lines = [line.split() for line in server.requests()]
    assert len({line[2] for line in lines}) == len(lines) == 1000
    assert {line[-1] for line in lines} == {"HTTP/2.0"}


def test_http2_is_not_spoken_unasked(nbatch, fleet, nginx, authority, certificate):
    server = nginx(tls=certificate, http2=True)
    done, _ = run(nbatch, fleet(3), "--endpoint", server.url, "--cacert", authority.ca)
    assert done.code == 0, done
    assert {line.split()[-1] for line in server.requests()} == {"HTTP/1.1"}


def test_http2_falls_back_where_the_server_has_none(nbatch, fleet, raw_peer, authority, certificate):
    peer = raw_peer(accept_all, tls=certificate.context())
    done, _ = run(nbatch, fleet(3), "--endpoint", peer.url, "--cacert", authority.ca, "--http2")
    assert done.code == 0 and len(peer.processed) == 3, done


# ---- proxies

def test_a_proxy_gets_the_whole_target(nbatch, fleet, raw_peer, proxy):
    peer, way = raw_peer(accept_all), proxy()
    done, rows = run(nbatch, fleet(3), "--endpoint", peer.url + "/base", "--proxy", way.url)
    assert done.code == 0, done
    assert len(rows) == len(peer.processed) == 3
    assert all(request.startswith(f"POST {peer.url}/base/nbiot/offline?imei=") for request in way.requests)
    assert all(request.target.startswith("/base/nbiot/offline?imei=") for request in peer.processed)
    assert f"through the proxy {way.url}\n" in done.err


def test_https_goes_through_a_tunnel(nbatch, fleet, raw_peer, proxy, authority, certificate):
    peer, way = raw_peer(accept_all, tls=certificate.context()), proxy()
    done, rows = run(nbatch, fleet(5), "--endpoint", peer.url, "--proxy", way.url, "--cacert", authority.ca, "-c", "1")
    assert done.code == 0, done
    assert len(rows) == len(peer.processed) == 5
    assert way.requests == [f"CONNECT {peer.url.removeprefix('https://')}"]
    assert all("api-key" not in head for head in way.heads)
    assert all(request.target.startswith("/nbiot/offline?imei=") for request in peer.processed)


@pytest.mark.parametrize("tunnel", [False, True], ids=["direct", "tunnel"])
def test_an_endpoints_path_stands_before_every_target(nbatch, fleet, raw_peer, proxy, authority, certificate, tunnel):
    """Also where libcurl is told the origin alone and the target beside it."""
    peer, way = raw_peer(accept_all, tls=certificate.context()), proxy()
    words = ["--proxy", way.url] if tunnel else []
    done, rows = run(nbatch, fleet(3), "--endpoint", peer.url + "/a/base/", "--cacert", authority.ca, *words)
    assert done.code == 0 and len(rows) == len(peer.processed) == 3, done
    assert all(request.target.startswith("/a/base/nbiot/offline?imei=") for request in peer.processed)
    assert all(request.headers["host"] == peer.url.removeprefix("https://") for request in peer.processed)
    assert bool(way.requests) == tunnel


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_proxys_password_goes_to_the_proxy_alone(nbatch, fleet, raw_peer, proxy, authority, certificate, tmp_path,
                                                   secure):
    peer, way = raw_peer(accept_all, tls=certificate.context() if secure else None), proxy()
    trust = ["--cacert", authority.ca] if secure else []
    done, _ = run(nbatch, fleet(2), "--endpoint", peer.url, *trust,
                  env={"NBATCH_PROXY": way.url.replace("//", "//me:pass-word@")})
    assert done.code == 0, done
    wanted = "Basic " + base64.b64encode(b"me:pass-word").decode()
    assert way.heads and {head["proxy-authorization"] for head in way.heads} == {wanted}
    assert all("proxy-authorization" not in request.headers for request in peer.processed)
    assert f"through the proxy {way.url}\n" in done.err
    for text in [done.err, done.out, *(f.read_text() for f in tmp_path.glob("*.csv"))]:
        assert "pass-word" not in text


@pytest.mark.parametrize("status", ["403 Forbidden", "502 Bad Gateway"])
def test_a_tunnel_that_is_refused_sends_nothing(nbatch, fleet, raw_peer, proxy, authority, certificate, status):
    peer, way = raw_peer(accept_all, tls=certificate.context()), proxy(refuse=status)
    done, rows = run(nbatch, fleet(2), "--endpoint", peer.url, "--proxy", way.url, "--cacert", authority.ca, "--max-attempts", 1)
    assert_not_sent(done, rows, 2, status[:3])
    assert peer.processed == [] and way.requests


def test_a_tunnel_that_wants_credentials_stops_the_run(nbatch, fleet, raw_peer, proxy, authority, certificate):
    peer, way = raw_peer(accept_all, tls=certificate.context()), proxy(refuse="407 Proxy Authentication Required")
    done, rows = run(nbatch, fleet(50), "--endpoint", peer.url, "--proxy", way.url, "--cacert", authority.ca)
    assert done.code == 4 and rows == [] and "USER:PASSWORD" in done.err, done
    assert peer.processed == [] and len(way.requests) == 1


def test_the_tunnels_answer_is_not_the_platforms(nbatch, fleet, raw_peer, proxy, authority, certificate):
    """A connection that dies behind the proxy's 200 has answered nothing."""
    def script(connection, number):
        connection.process(connection.read_request())
        connection.close()

    peer, way = raw_peer(script, tls=certificate.context()), proxy()
    done, rows = run(nbatch, fleet(2), "--endpoint", peer.url, "--proxy", way.url, "--cacert", authority.ca, "--on-ambiguous",
                     "hold")
    assert done.code == 6
    assert collections.Counter(row["status"] for row in rows) == {"in_doubt": 2}
    assert all(row["http_status"] == "" and row["error"].startswith("no answer") for row in rows), rows
    assert len(peer.processed) == 2


def test_a_proxy_of_the_environment_is_used_and_named(nbatch, fleet, raw_peer, proxy, authority, certificate):
    peer, way = raw_peer(accept_all, tls=certificate.context()), proxy()
    port = peer.url.split(":")[2]
    common = ["--endpoint", f"https://platform.test:{port}", "--cacert", authority.ca]
    env = {"https_proxy": way.url.replace("//", "//me:pass-word@")}
    done, _ = run(nbatch, fleet(2), *common, env=env)
    assert done.code == 0, done
    assert set(way.requests) == {f"CONNECT platform.test:{port}"}
    assert "through the proxy that the variable https_proxy names\n" in done.err and "pass-word" not in done.err
    seen = len(way.requests)
    done, _ = run(nbatch, fleet(2, name="b.csv"), *common, "--proxy", "none", "--resolve",
                  f"platform.test:{port}:127.0.0.1", env=env)
    assert done.code == 0 and len(way.requests) == seen and "through the proxy" not in done.err, done
    assert len(peer.processed) == 4


def test_a_proxy_that_was_named_overrides_the_environment(nbatch, fleet, raw_peer, proxy):
    peer, way, other = raw_peer(accept_all), proxy(), proxy()
    done, _ = run(nbatch, fleet(2), "--endpoint", peer.url, "--proxy", way.url,
                  env={"http_proxy": other.url, "no_proxy": "*"})
    assert done.code == 0 and len(way.requests) == 2 and other.requests == [], done


def test_loopback_behind_a_proxy_elsewhere_is_not_this_machine(nbatch, fleet):
    done, _ = run(nbatch, fleet(1), "--endpoint", "http://127.0.0.1:1", "--proxy", "http://192.0.2.1:3128")
    assert done.code == 4 and "--insecure-http" in done.err and "proxy" in done.err


ELSEWHERE = "192.0.2.1"  # TEST-NET-1: nobody answers, and nothing may be sent there


@pytest.mark.parametrize("endpoint, resolve", [
    ("http://127.0.0.1:8099", ["127.0.0.1:8099:" + ELSEWHERE]),
    ("http://127.0.0.1", ["127.0.0.1:80:" + ELSEWHERE]),
    ("http://127.1:8099", ["127.0.0.1:8099:" + ELSEWHERE]),
    ("http://127.0.0.1:8099/v1", ["127.0.0.1:8099:[2001:db8::1]"]),
    ("http://127.0.0.1:8099", ["127.0.0.1:8099:::ffff:192.0.2.1"]),
    ("http://127.0.0.1:8099", ["127.0.0.1:8099:127.0.0.1", "127.0.0.1:8099:" + ELSEWHERE]),
])
def test_a_key_in_clear_text_is_not_led_to_another_machine(nbatch, fleet, endpoint, resolve):
    words = [word for item in resolve for word in ("--resolve", item)]
    done, rows = run(nbatch, fleet(1), "--endpoint", endpoint, *words)
    assert done.code == 4 and "--insecure-http" in done.err and "--resolve leads to another machine" in done.err, done
    assert not rows


@pytest.mark.parametrize("endpoint", ["http://localhost.:1", "http://127.0.0.1.evil.example:1", "http://[::ffff:192.0.2.1]:1",
                                      "http://localhost.evil.example:1", "http://192.0.2.1:1", "http://0.0.0.0:1"])
def test_what_only_looks_like_this_machine_is_another(nbatch, fleet, endpoint):
    done, rows = run(nbatch, fleet(1), "--endpoint", endpoint)
    assert done.code == 4 and "--insecure-http" in done.err and not rows


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST", "127.1", "127.0.0.9"])
def test_this_machine_by_other_names_is_this_machine(nbatch, fleet, raw_peer, host):
    peer = raw_peer(accept_all)
    port = peer.url.rsplit(":", 1)[1]
    resolve = ["--resolve", f"127.0.0.9:{port}:127.0.0.1"] if host == "127.0.0.9" else []
    done, rows = run(nbatch, fleet(2), "--endpoint", f"http://{host}:{port}", *resolve)
    assert done.code == 0 and len(peer.processed) == 2, done


def test_a_proxy_elsewhere_gets_no_key_in_clear_text(nbatch, fleet, raw_peer):
    """Neither one that is named for an endpoint on this machine; one of the environment is not used for it."""
    peer = raw_peer(accept_all)
    done, rows = run(nbatch, fleet(1), "--endpoint", peer.url, "--proxy", f"http://{ELSEWHERE}:3128")
    assert done.code == 4 and "--insecure-http" in done.err and not rows
    done, rows = run(nbatch, fleet(1, name="b.csv"), "--endpoint", peer.url, env={"http_proxy": f"http://{ELSEWHERE}:3128"})
    assert done.code == 0 and len(peer.processed) == 1, done


def test_a_file_of_authorities_that_is_being_written_fails_no_row(raw_peer, authority, certificate, tmp_path):
    """It was good when the run started; a connection that finds it empty is tried again."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(Path(authority.ca).read_bytes())
    peer = raw_peer(accept_all, tls=certificate.context())
    out, told = tmp_path / "out.csv", tmp_path / "told"
    with told.open("w") as err:
        process = subprocess.Popen([os.environ["NBATCH"], "run", "-", "--format", "csv", "-o", str(out), "--endpoint",
                                    peer.url, "--cacert", str(ca), "--log", str(tmp_path / "log"), "-v"],
                                   stdin=subprocess.PIPE, stderr=err, text=True, cwd=tmp_path,
                                   env={**os.environ, "NBATCH_API_KEY": KEY})
    wait_for(tmp_path / "log", '"event":"start"')
    ca.write_text("")
    process.stdin.write(HEADER + row_of(1))
    process.stdin.flush()
    wait_for(told, "certificate")
    ca.write_bytes(Path(authority.ca).read_bytes())
    process.communicate(timeout=60)
    assert process.returncode == 0 and [row["status"] for row in read_results(out)] == ["accepted"], told.read_text()
