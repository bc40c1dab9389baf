"""Tokens that are signed, keys that a command prints, and that neither goes anywhere else."""
import base64
import hashlib
import hmac
import os
import subprocess
import threading
import time
import urllib.parse

import pytest
from conftest import KEY, NBATCH, read_results

ACCESS_KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="
NO_KEY = {"NBATCH_API_KEY": None}


def accept_all(connection, number):
    while request := connection.read_request():
        connection.accept(request)


@pytest.fixture
def access_key(tmp_path):
    path = tmp_path / "access.key"
    path.write_text(ACCESS_KEY + "\n")
    path.chmod(0o600)
    return path


def assert_token(value, product_id, access_key=ACCESS_KEY):
    """The platform's definition, written down a second time."""
    fields = dict(urllib.parse.parse_qsl(value, strict_parsing=True))
    assert list(fields) == ["version", "res", "et", "method", "sign"]
    assert (fields["version"], fields["res"], fields["method"]) == ("2018-10-31", f"products/{product_id}", "sha256")
    assert abs(int(fields["et"]) - time.time() - 3600) < 60
    text = "\n".join([fields["et"], fields["method"], fields["res"], fields["version"]])
    mac = hmac.new(base64.b64decode(access_key), text.encode(), hashlib.sha256).digest()
    assert fields["sign"] == base64.b64encode(mac).decode()
    assert value.count("%2F") >= 1 and not set(value.split("&sign=")[1]) & set("+/=")


def test_a_token_stands_in_place_of_the_api_key(nbatch, fleet, raw_peer, access_key):
    """Also where the environment has an api key: what was asked for wins."""
    peer = raw_peer(accept_all)
    done = nbatch("run", fleet(3), "--endpoint", peer.url, "--product-id", "123123", "--access-key-file", access_key)
    assert done.code == 0, done
    assert len(peer.processed) == 3
    for request in peer.processed:
        assert "api-key" not in request.headers
        assert_token(request.headers["authorization"], "123123")


def test_the_access_key_comes_from_environment_or_systemd(nbatch, fleet, raw_peer, tmp_path, access_key):
    peer = raw_peer(accept_all)
    env = {"NBATCH_API_KEY": None, "NBATCH_ACCESS_KEY": ACCESS_KEY, "NBATCH_PRODUCT_ID": "abc"}
    assert nbatch("run", fleet(1), "--endpoint", peer.url, "-o", "a.csv", env=env).code == 0
    access_key.rename(tmp_path / "access-key")
    env = {"NBATCH_API_KEY": None, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert nbatch("run", fleet(1), "--endpoint", peer.url, "-o", "b.csv", "--product-id", "abc", env=env).code == 0
    for request in peer.processed:
        assert_token(request.headers["authorization"], "abc")
    assert len(peer.processed) == 2


def test_the_simulator_checks_the_token(nbatch, fleet, simulator, tmp_path, access_key):
    sim = simulator("--product-id", "abc", "--access-key-file", str(access_key))
    common = ["run", fleet(2), "--endpoint", sim.url]
    assert nbatch(*common, "-o", "a.csv", "--product-id", "abc", "--access-key-file", access_key).code == 0
    other = base64.b64encode(b"another key").decode()
    wrong = [(["--product-id", "abd", "--access-key-file", access_key], {}),
             (["--product-id", "abc"], {"NBATCH_ACCESS_KEY": other}),
             ([], {"NBATCH_API_KEY": ACCESS_KEY})]
    for i, (words, env) in enumerate(wrong):
        assert nbatch(*common, "-o", f"wrong{i}.csv", *words, env=env).code != 0
        assert {row["errno"] for row in read_results(tmp_path / f"wrong{i}.csv")} == {"1"}


@pytest.mark.parametrize("words,text", [
    (["--access-key-file", "{key}"], "--product-id"),
    (["--product-id", "p", "--access-key-file", "{key}", "--api-key-file", "{key}"], "exclude each other"),
    (["--product-id", "p", "--api-key-command", "true"], "exclude each other"),
    (["--api-key-file", "{key}", "--api-key-command", "true"], "exclude each other"),
    (["--product-id", "a/b", "--access-key-file", "{key}"], "letters and digits"),
    (["--product-id", "p", "--simulate"], "exclude each other"),
])
def test_ways_that_do_not_go_together(nbatch, fleet, access_key, words, text):
    endpoint = [] if "--simulate" in words else ["--endpoint", "http://127.0.0.1:1"]
    done = nbatch("run", fleet(1), *endpoint, *[w.format(key=access_key) for w in words])
    assert done.code == 2 and text in done.err, done


@pytest.mark.parametrize("content,mode,text", [
    ("", 0o600, "empty"), ("not-base64!", 0o600, "base64"), ("YQ", 0o600, "base64"), ("YQ==", 0o644, "chmod 600"),
])
def test_access_key_files_that_are_refused(nbatch, fleet, access_key, content, mode, text):
    access_key.write_text(content)
    access_key.chmod(mode)
    done = nbatch("run", fleet(1), "--endpoint", "http://127.0.0.1:1", "--product-id", "p", "--access-key-file",
                  access_key)
    assert done.code == 4 and text in done.err and "access key from" in done.err, done
    assert not content or content not in done.err


def test_a_missing_access_key_says_how_to_give_one(nbatch, fleet):
    done = nbatch("run", fleet(1), "--endpoint", "http://127.0.0.1:1", "--product-id", "p")
    assert done.code == 4 and "--access-key-file" in done.err and "NBATCH_ACCESS_KEY" in done.err


@pytest.mark.parametrize("words,text", [
    (["--product-id", "p"], "belong together"), (["--access-key-file", "{key}"], "belong together"),
    (["--product-id", "a b", "--access-key-file", "{key}"], "letters and digits"),
])
def test_bad_token_settings_of_the_simulator(nbatch, access_key, words, text):
    done = nbatch("simulate", *[w.format(key=access_key) for w in words])
    assert done.code == 2 and text in done.err, done


def test_the_access_key_appears_nowhere(nbatch, fleet, tmp_path, raw_peer):
    peer = raw_peer(lambda connection, number: (connection.read_request(), connection.close()))
    done = nbatch("run", fleet(5), "--endpoint", peer.url, "--json", "--product-id", "p",
                  env={"NBATCH_ACCESS_KEY": ACCESS_KEY})
    assert done.code == 6
    assert ACCESS_KEY not in done.out + done.err and "sign=" not in done.out + done.err
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert ACCESS_KEY.encode() not in file.read_bytes()


def test_the_running_process_hides_the_access_key(fleet, raw_peer):
    started, release = threading.Event(), threading.Event()

    def script(connection, number):
        request = connection.read_request()
        started.set()
        release.wait(60)
        connection.accept(request)

    peer = raw_peer(script)
    process = subprocess.Popen([NBATCH, "run", str(fleet(1)), "--endpoint", peer.url, "--product-id", "p"],
                               env={**os.environ, "NBATCH_API_KEY": KEY, "NBATCH_ACCESS_KEY": ACCESS_KEY},
                               stderr=subprocess.DEVNULL)
    try:
        assert started.wait(60)
        try:
            with open(f"/proc/{process.pid}/environ", "rb") as f:
                environ = f.read()
            assert ACCESS_KEY.encode() not in environ and KEY.encode() not in environ
        except PermissionError:
            pass  # not even readable: dumpable is off
        assert os.stat(f"/proc/{process.pid}/environ").st_uid == 0
    finally:
        release.set()
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_command_prints_the_key(nbatch, fleet, raw_peer):
    peer = raw_peer(accept_all)
    done = nbatch("run", fleet(2), "--endpoint", peer.url, "--api-key-command", "printf 'from-%s\\n' command", env=NO_KEY)
    assert done.code == 0, done
    assert {request.headers["api-key"] for request in peer.processed} == {"from-command"}


def test_a_commands_environment_has_no_key(nbatch, fleet, raw_peer):
    peer = raw_peer(accept_all)
    command = "printf %s \"found-${NBATCH_API_KEY-none}-${NBATCH_ACCESS_KEY-none}\""
    assert nbatch("run", fleet(1), "--endpoint", peer.url, "--api-key-command", command,
                  env={"NBATCH_ACCESS_KEY": ACCESS_KEY}).code == 0
    assert peer.processed[0].headers["api-key"] == "found-none-none"


def test_a_command_takes_nothing_of_the_input(nbatch, fleet, raw_peer):
    peer = raw_peer(accept_all)
    done = nbatch("run", "-", "--format", "csv", "-o", "out.csv", "--endpoint", peer.url, "--api-key-command", "cat; echo key", env=NO_KEY,
                  stdin=fleet(3).read_text())
    assert done.code == 0, done
    assert [request.headers["api-key"] for request in peer.processed] == ["key"] * 3


@pytest.mark.parametrize("command,text", [
    ("echo secret-word; exit 3", "exit status 3"), ("kill -9 $$", "signal 9"), ("true", "empty"),
    ("echo secret-word; echo two", "line break"), ("yes secret-word", "more than a key"),
    ("nowhere-to-be-found 2>/dev/null", "exit status 127"),
])
def test_commands_that_give_no_key(nbatch, fleet, command, text):
    done = nbatch("run", fleet(1), "--endpoint", "http://127.0.0.1:1", "--api-key-command", command, env=NO_KEY)
    assert done.code == 4 and text in done.err and "--api-key-command" in done.err, done
    assert "secret-word" not in done.err
