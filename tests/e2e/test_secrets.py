"""Secrets that come back: whatever a peer or a library echoes, no file and no stream that the run writes shows it."""
import base64
import json
import os
import signal
import subprocess
import urllib.parse

import pytest
from conftest import HEADER, KEY, NBATCH, row_of, wait_for
from peers import success

TOKEN_KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="


def forms(secret):
    """As a server, a proxy or a page may write it, and its first half, where the rest was cut off."""
    text = secret if isinstance(secret, str) else secret.decode()
    raw = text.encode()
    found = {text, urllib.parse.quote(text, safe=""), urllib.parse.quote(text, safe="").lower(), urllib.parse.quote(text),
             text[:len(text) // 2], raw.hex(), raw.hex().upper(), text.replace("=", "&#61;"), text.replace("/", "\\/"),
             urllib.parse.quote(urllib.parse.quote(text, safe=""), safe="")}
    for before in (b"", b"x", b"xy"):
        encoded = base64.b64encode(before + raw).decode()
        found.add(encoded[4 if before else 0:-4])
    return found


def leaks(folder, *texts, secret=KEY):
    """Which forms of the secret stand where."""
    found = []
    sources = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    sources.update({f"stream {i}": text.encode() for i, text in enumerate(texts)})
    for name, text in sources.items():
        found += [(name, form) for form in forms(secret) if form.encode() in text]
    return found


def echo(way, secret=None):
    """Answers with what it was sent, in one way or another; `way` makes an answer of the key's header."""
    def script(connection, number):
        while (request := connection.read_request()) is not None:
            key = secret or request.headers.get("api-key") or request.headers.get("authorization", "")
            if not connection.send(way(key, connection, request)):
                return
    return script


def answer(body, status="200 OK", headers=()):
    body = body if isinstance(body, bytes) else body.encode()
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
    return head.encode() + b"\r\n\r\n" + body


def refusal(text):
    return answer(json.dumps({"errno": 5106, "error": text}))


WAYS = {
    "verbatim": lambda key, *_: refusal(f"api-key: {key} is wrong"),
    "percent": lambda key, *_: refusal(f"?key={urllib.parse.quote(key, safe='')}&x"),
    "lower percent": lambda key, *_: refusal(urllib.parse.quote(key, safe="").lower().replace("%3d", "%3d")),
    "twice": lambda key, *_: refusal(urllib.parse.quote(urllib.parse.quote(key, safe=""), safe="")),
    "base64": lambda key, *_: refusal("Basic " + base64.b64encode(key.encode()).decode()),
    "base64 inside": lambda key, *_: refusal(base64.b64encode(b"api-key: " + key.encode()).decode()),
    "base64 inside 2": lambda key, *_: refusal(base64.b64encode(b"api-key:" + key.encode()).decode()),
    "hex": lambda key, *_: refusal(key.encode().hex()),
    "entities": lambda key, *_: refusal(key.replace("=", "&#61;").replace("/", "&#x2F;")),
    "cut off": lambda key, *_: refusal("x" * (255 - len(key) // 2) + key),
    "long": lambda key, *_: refusal(f"{key} " * 50),
    "escaped json": lambda key, *_: answer('{"errno":5106,"error":"' + "".join(f"\\u{ord(c):04x}" for c in key) + '"}'),
    "uuid": lambda key, *_: answer(success(key)),
    "uuid inside": lambda key, *_: answer(success(f"id-{key}-1")),
    "html": lambda key, *_: answer(f"<html><body>{key}</body>", headers=["Content-Type: text/html"]),
    "html 500": lambda key, *_: answer(f"<pre>{key}</pre>", "500 Internal Server Error"),
    "401": lambda key, *_: answer(json.dumps({"errno": 3, "error": f"auth failed {key}"}), "401 Unauthorized"),
    "errno 1": lambda key, *_: answer(json.dumps({"errno": 1, "error": f"auth failed: {key}"})),
    "location": lambda key, *_: answer("", "302 Found", [f"Location: http://user:{key}@elsewhere/{key}"]),
    "reason phrase": lambda key, *_: answer("no", f"404 {key}"),
    "header": lambda key, *_: answer("no", "404 Not Found", [f"X-Key: {key}", f"Retry-After: {key}"]),
    "no http": lambda key, *_: f"{key} {key}\r\n\r\n".encode(),
    "bad chunk": lambda key, *_: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{key}\r\n{key}".encode(),
    "bad length": lambda key, *_: f"HTTP/1.1 200 OK\r\nContent-Length: {key}\r\n\r\n{key}".encode(),
    "bad coding": lambda key, *_: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {key}\r\n\r\n{key}".encode(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("auth", ["key", "token"])
def test_an_echoed_key_is_shown_nowhere(nbatch, fleet, tmp_path, raw_peer, way, auth):
    peer = raw_peer(echo(WAYS[way]))
    words = ["--endpoint", peer.url, "-o", "o.csv", "-v", "--log", "l.jsonl", "--report", "r.html", "--metrics-file", "m",
             "--json", "--max-attempts", "1", "-c", "2", "--outage-wait", "1s", "--request-timeout", "2s"]
    env = {}
    if auth == "token":
        words += ["--product-id", "123123"]
        env = {"NBATCH_API_KEY": None, "NBATCH_ACCESS_KEY": TOKEN_KEY}
    done = nbatch("run", fleet(8), *words, env=env)
    # A key that is refused at once leaves no results: nothing has one.
    assert ((tmp_path / "o.csv").exists() or done.code == 4) and done.err, done
    if auth == "key":
        assert not leaks(tmp_path, done.out, done.err)
    else:
        assert not leaks(tmp_path, done.out, done.err, secret=TOKEN_KEY)
        for text in (done.out, done.err, *(path.read_text(errors="replace") for path in tmp_path.iterdir())):
            assert "sign=" not in text.replace("sign=***", "")


def test_an_echoed_key_is_not_in_what_a_kill_leaves(fleet, tmp_path, raw_peer):
    peer = raw_peer(echo(WAYS["verbatim"]))
    process = subprocess.Popen([NBATCH, "run", str(fleet(5000)), "--endpoint", peer.url, "-o", "o.csv", "--log", "l", "-v",
                                "--rate", "200/s"], cwd=tmp_path, env={**os.environ, "NBATCH_API_KEY": KEY},
                               stderr=subprocess.PIPE, text=True)
    err = ""
    while err.count("***") < 50 and (line := process.stderr.readline()):
        err += line
    wait_for(lambda: (tmp_path / "o.csv").read_text().count("***") > 10)
    process.send_signal(signal.SIGKILL)
    err += process.stderr.read()
    process.wait()
    assert (tmp_path / "o.csv.journal").exists() and "***" in err
    assert not leaks(tmp_path, err)


@pytest.mark.parametrize("words,env", [
    (["--endpoint", "http://user:hush-word@127.0.0.1:1"], {}),
    (["--endpoint", "http://user:hush-word@ho st"], {}),
    (["--endpoint", "http://us er:hush-word@host:port"], {}),
    (["--endpoint", "https://user:hush-word@host:99999999/"], {}),
    (["--endpoint", "user:hush-word@127.0.0.1:1"], {}),
    (["--endpoint", "ftp://user:hush-word@host"], {}),
    (["--endpoint", "http://user:hush-word%40host:x"], {}),
    ([], {"NBATCH_ENDPOINT": "http://user:hush-word@ho st"}),
    (["--proxy", "http://user:hush-word@ho st"], {}),
    (["--proxy", "user:hush-word@"], {}),
    (["--proxy", "http://user:hush-word%40host"], {}),
    (["--proxy", "nonsense://user:hush-word@host:1"], {}),
    ([], {"NBATCH_PROXY": "http://user:hush-word@ho st"}),
    (["--endpoint", "http://platform.invalid", "--insecure-http"], {"http_proxy": "http://user:hush-word@bad host:1"}),
    (["--endpoint", "http://platform.invalid", "--insecure-http"], {"http_proxy": "user:hush-word@host:port:x"}),
    (["--endpoint", "http://platform.invalid", "--insecure-http"], {"all_proxy": "nonsense://user:hush-word@host:1"}),
    (["--endpoint", "https://platform.invalid"], {"https_proxy": "user:hush-word@[::1:80"}),
    (["more", "http://user:hush-word@host"], {}),
    (["--simulate", "--endpoint", "http://user:hush-word@host"], {}),
    (["--simulate", "--proxy", "http://user:hush-word@host"], {}),
])
@pytest.mark.parametrize("where", ["words", "file"])
def test_an_address_that_is_none_shows_no_password(nbatch, fleet, tmp_path, words, env, where):
    given = list(words)
    if where == "file":
        if len(given) < 2 or not given[-2].startswith("--"):
            pytest.skip("no option to put into a file")
        (tmp_path / "c.yaml").write_text(f"{given[-2][2:]}: '{given[-1]}'\n")
        given[-2:] = ["--config", "c.yaml"]
    done = nbatch("run", fleet(3), "-o", "o.csv", "-v", "--json", "--log", "l", "--report", "r.html", "--outage-wait", "300ms",
                  "--max-attempts", "1", *given, env=env)
    assert done.code != 7 and (done.code != 0 or "--simulate" in words) and done.err, done
    (tmp_path / "c.yaml").unlink(missing_ok=True)
    assert not leaks(tmp_path, done.out, done.err, secret="hush-word")


@pytest.mark.parametrize("url", ["http://user:hush-word@ho st", "user:hush-word@host:1", "http://user:hush-word%40host",
                                 "http://user:hush/word@host:1"])
@pytest.mark.parametrize("option", ["--proxy", "--endpoint"])
def test_config_shows_no_password(nbatch, url, option):
    done = nbatch("config", option, url)
    assert done.code == 0 and "hush" not in done.out + done.err and "***" in done.out


def test_a_short_key_does_not_garble_what_is_said(nbatch, fleet, tmp_path, raw_peer):
    peer = raw_peer(echo(WAYS["verbatim"]))
    done = nbatch("run", fleet(3), "--endpoint", peer.url, "-o", "o.csv", env={"NBATCH_API_KEY": "a"})
    assert "api-key: a is wrong" in done.err
    done = nbatch("run", fleet(3), "--endpoint", peer.url, "-o", "p.csv", env={"NBATCH_API_KEY": "abcd"})
    assert "api-key: *** is wrong" in done.err


def test_a_uuid_that_holds_a_short_key_by_chance_stays(nbatch, tmp_path, raw_peer):
    (tmp_path / "f.csv").write_text(HEADER + row_of(1))
    peer = raw_peer(echo(lambda *_: answer(success("42742677-adc3-54ca-83a1-5aaaf71482f8"))))
    done = nbatch("run", "f.csv", "--endpoint", peer.url, "-o", "o.csv", env={"NBATCH_API_KEY": "54ca"})
    assert done.code == 0 and "42742677-adc3-54ca-83a1-5aaaf71482f8" in (tmp_path / "o.csv").read_text()
