"""A platform whose answers about commands are odd: between nbatch and the simulator somebody edits them.

What cannot be read whole, or is about something else, decides nothing: nothing is missing, refused or taken back by it.
"""
import contextlib
import http.server
import json
import threading
import urllib.error
import urllib.request

import pytest
from conftest import HEADER, imei, read_results, row_of
from test_cancel import outcomes
from test_status import ends_of, send, states, status, wait_for

SINGLE, SEVERAL = range(1, 6), range(6, 9)  # devices with one command, and with three each
ROWS = len(SINGLE) + 3 * len(SEVERAL)


class Editing(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def go_on(self):
        length = int(self.headers.get("Content-Length") or 0)
        request = urllib.request.Request(self.server.to + self.path, method=self.command,
                                         data=self.rfile.read(length) if length else None)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                body, code = answer.read(), 200
        except urllib.error.HTTPError as error:
            body, code = error.read(), error.code
        if "/history" in self.path:
            body = self.server.edit(self, body)
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = go_on

    def log_message(self, *words):
        pass


@contextlib.contextmanager
def edited(sim, edit):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Editing) as server:
        server.to, server.edit, server.url = sim.url, edit, f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def by_entry(change):
    """Changes each entry of an answer: the one of a LOOKUP, all of a LIST."""
    def edit(_, body):
        answer = json.loads(body)
        data = answer.get("data")
        if data:
            for entry in data.get("items") or [data]:
                change(entry)
        return json.dumps(answer).encode()
    return edit


def by_list(change):
    def edit(_, body):
        answer = json.loads(body)
        if answer.get("data") and "items" in answer["data"]:
            change(answer["data"])
        return json.dumps(answer).encode()
    return edit


def halve_items(data):
    data["items"] = [None] + data["items"][1:]


def both(*edits):
    def edit(request, body):
        for one in edits:
            body = one(request, body)
        return body
    return edit


ODD = {
    "of another device": (by_entry(lambda entry: entry.update(imei=imei(999))), "about another device or command"),
    "of another device, as a number": (by_entry(lambda entry: entry.update(imei=int(imei(999)))), "about another device or command"),
    "of another command": (both(by_entry(lambda entry: "cmd_uuid" in entry or entry.update(cmd_uuid="x-1")),
                                by_list(halve_items)), "about another device or command"),
    "without a send_status": (by_entry(lambda entry: entry.pop("send_status")), "cannot be read whole"),
    "with a word for it": (by_entry(lambda entry: entry.update(send_status="soon")), "cannot be read whole"),
    "cut in the middle": (lambda _, body: body[:len(body) // 2], None),
    "an item that is null": (both(by_list(halve_items), by_entry(lambda entry: entry and entry.pop("send_status"))), "cannot be read whole"),
    "numbers for items": (both(by_entry(lambda entry: entry.pop("send_status")),
                               by_list(lambda data: data.update(items=[1, 2, 3]))), "cannot be read whole"),
    "a page that is empty": (both(by_entry(lambda entry: entry.pop("send_status")),
                                  by_list(lambda data: data.update(items=[]))), "answer that helps"),
}


@pytest.fixture
def delivered(nbatch, tmp_path, simulator):
    path = tmp_path / "fleet.csv"
    path.write_text(HEADER + "".join([row_of(i) for i in SINGLE] + [row_of(i, k) for i in SEVERAL for k in (1, 2, 3)]))
    sim = simulator("--uplink", "1s", "--clock", "100000x")
    results = send(nbatch, path, sim)
    wait_for(lambda: len(ends_of(sim)) == ROWS)
    return sim, results


@pytest.mark.parametrize("name", ODD)
def test_an_odd_answer_leaves_its_rows_open_and_is_said(nbatch, tmp_path, delivered, name):
    sim, results = delivered
    edit, said = ODD[name]
    with edited(sim, edit) as platform:
        done = status(nbatch, platform, results, "--max-attempts", "1")
    assert done.code == 8 and "without an answer that helps" in done.err, done
    assert said is None or said in done.err, done
    rows = read_results(tmp_path / "fleet.status.csv")
    kept = [row for row in rows if row["state"] == "unclear" and row["reason"] == "not asked yet"]
    taken = [row for row in rows if row["state"] == "delivered"]  # what a list says of ours it says
    assert len(kept) + len(taken) == ROWS and len(kept) >= 5 + len(SEVERAL), (name, rows)
    assert status(nbatch, sim, results).code == 0 and states(tmp_path / "fleet.status.csv") == {"delivered": ROWS}


def test_a_word_that_nobody_knows_is_shown_and_is_no_refusal(nbatch, tmp_path, delivered):
    sim, results = delivered
    with edited(sim, by_entry(lambda entry: entry.update(confirm_status="DEVICE_BUSY"))) as platform:
        for _ in range(2):  # taken up from the file, and asked again
            done = status(nbatch, platform, results)
            assert done.code == 8 and "0 have it, 8 wait" in done.err, done
            rows = read_results(tmp_path / "fleet.status.csv")
            assert {(row["state"], row["reason"], row["send_status"]) for row in rows} == {("unclear", "DEVICE_BUSY", "5")}
    done = nbatch("run", tmp_path / "fleet.csv", "--endpoint", sim.url, "--resume=undelivered")
    assert "0 accepted rows are sent again" in done.err, done
    assert status(nbatch, sim, results).code == 0


@pytest.mark.parametrize("total", [lambda page, total: total + page, lambda page, total: total * 10, lambda page, total: page])
def test_a_total_that_changes_between_pages(nbatch, tmp_path, delivered, total):
    """Pages of one entry: none of ours is lost, whatever total_count says; where it says too little, none is missing for good."""
    sim, results = delivered

    def edit(request, body):
        answer = json.loads(body)
        if "/history?" in request.path and answer.get("data"):
            data, page = answer["data"], int(request.path.split("&page=")[1].split("&")[0])
            data["total_count"], data["items"] = total(page, 3), data["items"][page - 1:page]
        return json.dumps(answer).encode()

    with edited(sim, lambda request, body: edit(request, first_page(sim, request, body))) as platform:
        done = status(nbatch, platform, results)
    found = states(tmp_path / "fleet.status.csv")
    assert found["delivered"] >= 5 and sum(found.values()) == ROWS, (done, found)
    assert done.code in (0, 8), done
    assert status(nbatch, sim, results).code == 0 and states(tmp_path / "fleet.status.csv") == {"delivered": ROWS}


def first_page(sim, request, body):
    """What pages of another size are cut from."""
    if "/history?" not in request.path:
        return body
    path = request.path.split("&page=")[0] + "&page=1&per_page=50&sort=ASC"
    with urllib.request.urlopen(sim.url + path, timeout=60) as answer:
        return answer.read()


def refusing(edit):
    """PUTs go nowhere and are refused: what came of the command is told by a LOOKUP alone."""
    class Refusing(Editing):
        def do_PUT(self):
            body = json.dumps({"errno": 16, "error": "unsuccess"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
    Refusing.edit = edit
    return Refusing


@pytest.mark.parametrize("change", [lambda entry: entry.update(imei=imei(999)), lambda entry: entry.update(cmd_uuid="x-1"),
                                    lambda entry: entry.pop("send_status")], ids=["device", "command", "unreadable"])
def test_an_answer_about_another_command_settles_no_cancel(nbatch, tmp_path, delivered, change):
    sim, results = delivered
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), refusing(None)) as server:
        server.to, server.edit = sim.url, by_entry(change)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = nbatch("cancel", results, "--endpoint", f"http://127.0.0.1:{server.server_port}", "--yes")
        assert done.code == 6, done
        assert outcomes(tmp_path / "fleet.cancelled.csv") == {"in_doubt": ROWS}
        server.edit = lambda _, body: body
        done = nbatch("cancel", results, "--endpoint", f"http://127.0.0.1:{server.server_port}", "--yes")
        assert done.code == 1 and outcomes(tmp_path / "fleet.cancelled.csv") == {"too_late": ROWS}, done
        server.shutdown()
