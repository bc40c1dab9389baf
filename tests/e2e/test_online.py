"""--online: what waits at the devices, before a row is sent. The simulator's audit is the oracle."""
import collections
import json
import os
import re
import signal
import subprocess
import time

import pytest
from conftest import HEADER, KEY, NBATCH, imei, read_results, wait_for
from test_odd_answers import by_entry, by_list, edited

COLUMNS = "imei,action,obj_id,obj_inst_id,res_id,mode,expired_time,data\n"


def write(path, devices, each=1, resource=5850, mode=2, inst=0, expires="+7d"):
    """So many writes a device, each of another resource."""
    data = [f'"[{{""res_id"":{resource + k},""val"":{k}}}]"' for k in range(each)]
    path.write_text(COLUMNS + "".join(f"{imei(i)},write,3311,{inst},,{mode},{expires},{data[k]}\n"
                                      for i in devices for k in range(each)), encoding="utf-8")
    return path


def send(nbatch, sim, path, *words):
    done = nbatch("run", path, "--endpoint", sim.url, "-q", "--allow-replace", *words)
    assert done.code in (0, 1), done
    return path.with_suffix(".results.csv")


def check(nbatch, sim, path, *words, **options):
    return nbatch("check", path, "--online", "--endpoint", sim.url, *words, **options)


def problems(nbatch, sim, path, *words):
    """What the check finds: (line, code, message); and the summary."""
    listed = path.with_suffix(".problems.csv")
    listed.unlink(missing_ok=True)
    done = check(nbatch, sim, path, "--json", "--problems", listed, "--rate", "none", *words)
    said = json.loads(done.out)
    assert said["exit_status"] == done.code, done
    return [(int(row["line"]), row["code"], row["message"]) for row in read_results(listed)], said


def codes(found):
    return dict(collections.Counter(code for _, code, _ in found))


def stored(sim):
    """How many commands were stored for each device."""
    return collections.Counter(line["imei"] for line in sim.audit() if line.get("processed") and line.get("action"))


@pytest.fixture
def platform(tmp_path, simulator):
    return lambda *options: simulator("--state", tmp_path / "state", *options)


def test_rows_that_find_no_place_are_refused_in_file_order_with_their_lines(nbatch, tmp_path, platform):
    sim = platform()
    send(nbatch, sim, write(tmp_path / "before.csv", [1, 2], each=8))
    send(nbatch, sim, write(tmp_path / "full.csv", [3], each=10, resource=1))
    path = write(tmp_path / "fleet.csv", [1, 2, 3, 4], each=3, resource=7)
    found, said = problems(nbatch, sim, path)
    assert [(line, code) for line, code, _ in found] == [(line, "E-QUEUE") for line in (4, 7, 8, 9, 10)]
    assert "8 of 10 places" in found[0][2] and "lines 2, 3:" in found[0][2] and "refused, or takes the place of the oldest" in found[0][2]
    assert found[2][2].startswith("10 commands wait for the device already")
    assert said["invalid"] == 5 and said["exit_status"] == 3 and said["valid"] == 7
    assert said["online"] == {"devices": 4, "lists": 4, "lookups": 16, "waiting": 26, "devices_waiting": 3, "devices_full": 1,
                              "devices_answered": 4, "devices_refused": 0, "devices_unknown": 0}
    # Negative control: without the option nothing is found, and nobody is asked.
    done = nbatch("check", path)
    assert done.code == 0 and "12 valid" in done.told
    assert sum("history?" in line.get("target", "") for line in sim.audit()) == 4


@pytest.mark.parametrize("full", ["refuse", "overwrite"])
def test_run_sends_what_fits_and_the_platform_never_sees_an_eleventh(nbatch, tmp_path, platform, full):
    sim = platform("--full", full)
    send(nbatch, sim, write(tmp_path / "before.csv", range(1, 21), each=7))
    path = write(tmp_path / "fleet.csv", range(1, 31), each=5, resource=9)
    done = nbatch("run", path, "--endpoint", sim.url, "--online")
    assert done.code == 3 and "40 of 150 rows are invalid (E-QUEUE 40); nothing was sent" in done.err, done
    assert not (tmp_path / "fleet.results.csv").exists()
    done = nbatch("run", path, "--endpoint", sim.url, "--online", "--skip-invalid")
    assert done.code == 1, done
    rows = collections.Counter(row["status"] for row in read_results(tmp_path / "fleet.results.csv"))
    assert rows == {"accepted": 110, "invalid": 40}
    assert max(stored(sim).values()) == 10
    tried = collections.Counter(line["imei"] for line in sim.audit() if line.get("action"))
    assert max(tried.values()) == 10, "an eleventh was tried"


def test_negative_control_without_the_option_an_eleventh_is_sent(nbatch, tmp_path, platform):
    sim = platform()
    send(nbatch, sim, write(tmp_path / "before.csv", [1], each=7))
    assert nbatch("run", write(tmp_path / "fleet.csv", [1], each=5, resource=9), "--endpoint", sim.url, "-q").code == 1
    assert collections.Counter(line["imei"] for line in sim.audit() if line.get("action"))[imei(1)] == 12


def test_a_waiting_write_of_the_same_resource_is_named_with_uuid_and_time(nbatch, tmp_path, platform):
    sim = platform()
    results = send(nbatch, sim, write(tmp_path / "before.csv", [1, 2, 3]))
    uuids = {row["imei"]: row["uuid"] for row in read_results(results)}
    path = write(tmp_path / "fleet.csv", [1, 2])
    found, said = problems(nbatch, sim, path)
    assert [(line, code) for line, code, _ in found] == [(2, "W-CONFLICT"), (3, "W-CONFLICT")] and said["exit_status"] == 0
    for line, device in ((0, 1), (1, 2)):
        assert re.search(rf"resource 5850 as the command {uuids[imei(device)]} does.* since 20\d\d-\d\d-\d\dT[\d:]{{8}} \(UTC\+8\)",
                         found[line][2]), found
    # Another resource, another instance, and reads meet nothing.
    for other in ({"resource": 5851}, {"inst": 1}):
        assert problems(nbatch, sim, write(tmp_path / "other.csv", [1, 2], **other))[0] == []
    path.write_text(COLUMNS + f"{imei(1)},read,3311,0,5850,,+7d,\n")
    found, said = problems(nbatch, sim, path)
    assert found == [] and said["online"]["lookups"] == 0 and said["online"]["waiting"] == 1
    # A write with mode 1 replaces what the waiting one writes, whichever resource that is.
    found, _ = problems(nbatch, sim, write(tmp_path / "whole.csv", [1], mode=1, resource=1))
    assert "W-CONFLICT" in codes(found) and any(uuids[imei(1)] in message and message.startswith("replaces the instance")
                                                for _, _, message in found)
    # Strict: it is an error.
    assert check(nbatch, sim, write(tmp_path / "fleet.csv", [1, 2]), "--strict").code == 3


def test_a_waiting_write_that_replaces_meets_every_resource_of_its_instance(nbatch, tmp_path, platform):
    """The simulator shows no mode, as the platform was seen to do: somebody between shows it."""
    sim = platform()
    send(nbatch, sim, write(tmp_path / "before.csv", [1], mode=1, resource=1))
    path = write(tmp_path / "fleet.csv", [1], resource=2)
    assert problems(nbatch, sim, path)[0] == []
    with edited(sim, by_entry(lambda entry: "args" in entry and entry["args"].update(mode="1"))) as between:
        found, _ = problems(nbatch, between, path)
    assert codes(found) == {"W-CONFLICT": 1} and "replaces the instance" in found[0][2]


@pytest.mark.parametrize("edit", [lambda entry: entry.pop("content", None), lambda entry: entry.pop("args", None),
                                  lambda entry: entry.update(content="{")])
def test_a_waiting_write_of_which_the_platform_does_not_tell_what_it_writes_is_warned_of(nbatch, tmp_path, platform, edit):
    sim = platform()
    send(nbatch, sim, write(tmp_path / "before.csv", [1], resource=1))
    with edited(sim, by_entry(edit)) as between:
        found, said = problems(nbatch, between, write(tmp_path / "fleet.csv", [1], resource=2))
    assert codes(found) == {"W-CONFLICT": 1} and "does not tell what it writes" in found[0][2] and said["exit_status"] == 0


def test_what_was_delivered_cancelled_or_has_expired_takes_no_place(nbatch, tmp_path, simulator):
    sim = simulator("--state", tmp_path / "state", "--clock", "60x", "--uplink", "1s")
    delivered = send(nbatch, sim, write(tmp_path / "delivered.csv", [1], each=10))
    assert nbatch("status", delivered, "--endpoint", sim.url, "--watch=1s", "--rate", "none", "-q").code == 0
    sim.stop()
    sim = simulator("--state", tmp_path / "state", "--clock", "60x")
    cancelled = send(nbatch, sim, write(tmp_path / "cancelled.csv", [2], each=10))
    assert nbatch("cancel", cancelled, "--endpoint", sim.url, "--yes", "-q").code == 0
    send(nbatch, sim, write(tmp_path / "expired.csv", [3], each=10, expires="+1m"))
    send(nbatch, sim, write(tmp_path / "waits.csv", [4], each=4), "--embargo", "6h")
    time.sleep(2)  # two minutes for the devices and for what expires
    found, said = problems(nbatch, sim, write(tmp_path / "fleet.csv", [1, 2, 3, 4], resource=7))
    assert found == [] and said["online"]["waiting"] == 4 and said["online"]["devices_waiting"] == 1
    # Under an embargo commands wait, and take their places.
    found, _ = problems(nbatch, sim, write(tmp_path / "fleet.csv", [3, 4], each=7, resource=7))
    assert [line for line, code, _ in found if code == "E-QUEUE"] == [15]


def test_a_resumed_run_does_not_warn_of_its_own_commands(nbatch, tmp_path, platform):
    sim = platform()
    path = write(tmp_path / "fleet.csv", range(1, 7))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:4]))
    results = send(nbatch, sim, path)
    path.write_text("".join(lines) + lines[1].replace('""val"":0', '""val"":0.0'))
    # Other people's commands are warned of, so are one's own where they are not known.
    found, _ = problems(nbatch, sim, path)
    assert [line for line, code, message in found if code == "W-CONFLICT" and "waits" in message] == [2, 3, 4, 8]
    done = nbatch("run", path, "--endpoint", sim.url, "--online", "--resume")
    assert done.code == 0 and "waits for the device" not in done.told, done
    assert len(read_results(results)) == 7
    # But they take places: nine of ten are taken by now at none, two at the first device.
    assert json.loads(check(nbatch, sim, path, "--json").out)["online"]["waiting"] == 7


def message_of(found, line):
    return " ".join(message for at, _, message in found if at == line)


def test_settled_rows_take_no_place_on_resume(nbatch, tmp_path, platform):
    sim = platform()
    path = write(tmp_path / "fleet.csv", [1], each=10)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:7]))
    send(nbatch, sim, path)
    path.write_text("".join(lines))
    done = nbatch("run", path, "--endpoint", sim.url, "--online", "--resume")
    assert done.code == 0 and stored(sim)[imei(1)] == 10, done


ODD = {
    "no json": (lambda request, body: b"<html>", "E-UNASKED", 3),
    "an item that is null": (by_list(lambda data: data["items"].append(None)), "E-UNASKED", 3),
    "an item without a state": (by_list(lambda data: data["items"][0].pop("send_status")), "E-UNASKED", 3),
    "an item of another device": (by_list(lambda data: data["items"][0].update(imei=imei(99))), "E-UNASKED", 3),
    "a list that shows less than it says": (by_list(lambda data: data.update(total_count=9, items=[])), "E-UNASKED", 3),
    "a command of another device": (by_entry(lambda entry: "content" in entry and entry.update(imei=imei(99))), "E-UNASKED", 3),
    "a command that cannot be read": (lambda request, body: body if "/history?" in request.path else b'{"errno":0,"data":[]}',
                                      "E-UNASKED", 3),
    "no such device": (lambda request, body: b'{"errno":8,"error":"device not found: ab"}', "E-DEVICE", 3),
    "a device of another product": (lambda request, body: b'{"errno":1,"error":"auth failed"}', "E-DEVICE", 3),
    "the same in other words": (lambda request, body: b'{"errno":3,"error":"auth failed"}', "E-DEVICE", 3),
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_not_known_for_certain_is_named_and_nothing_is_sent(nbatch, tmp_path, platform, case):
    edit, code, status = ODD[case]
    sim = platform()
    send(nbatch, sim, write(tmp_path / "before.csv", [1, 2]))
    path = write(tmp_path / "fleet.csv", [1, 2, 3])

    def first(request, body):
        return edit(request, body) if imei(1) in request.path else body

    with edited(sim, first) as between:
        words = ("--max-attempts", "2", "--retry-delay", "1ms")
        found, said = problems(nbatch, between, path, *words)
        assert (2, code) in [(line, c) for line, c, _ in found] and said["exit_status"] == status, found
        assert codes(found)[code] == 1 and said["invalid"] == 1
        assert said["online"]["devices_refused"] + said["online"]["devices_unknown"] == 1
        done = nbatch("run", path, "--endpoint", between.url, "--online", *words)
        assert done.code == 3 and "nothing was sent" in done.err
        assert not (tmp_path / "fleet.results.csv").exists()
        done = nbatch("run", path, "--endpoint", between.url, "--online", "--skip-invalid", *words)
        assert done.code == 1
    rows = {row["imei"]: row for row in read_results(tmp_path / "fleet.results.csv")}
    assert rows[imei(1)]["status"] == "invalid" and code in rows[imei(1)]["error"]
    assert rows[imei(2)]["status"] == rows[imei(3)]["status"] == "accepted"
    if code == "E-DEVICE":
        said = json.loads(edit(None, b""))
        assert f"{said['error']} (errno {said['errno']})" in message_of(found, 2)


def test_a_device_of_another_product_is_told_by_the_newer_platform_too(nbatch, tmp_path, simulator):
    path = write(tmp_path / "fleet.csv", [1, 2, 3])
    (tmp_path / "access.key").write_text("KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw=")
    (tmp_path / "access.key").chmod(0o600)

    def refuse(request, body):
        return b'{"code":10403,"msg":"auth failed"}' if imei(2) in request.path else body

    with edited(simulator("--api", "v2"), refuse) as between:
        words = ("--api", "v2", "--user-id", "420217", "--access-key-file", "access.key", "--problems", "p.csv")
        done = nbatch("check", path, "--online", "--endpoint", between.url, *words, env={"NBATCH_API_KEY": None})
    assert done.code == 3, done
    assert [(row["line"], row["code"]) for row in read_results(tmp_path / "p.csv")] == [("3", "E-DEVICE")]
    assert "auth failed (code 10403)" in done.told


@pytest.mark.parametrize("at", range(3))
def test_what_the_platform_says_is_cut_between_two_characters(nbatch, tmp_path, platform, at):
    said = "x" * at + "设备不存在" * 60
    with edited(platform(), lambda request, body: json.dumps({"errno": 8, "error": said}).encode()) as between:
        found, _ = problems(nbatch, between, write(tmp_path / "fleet.csv", [1]))
    shown = re.search(r"the platform says: (.*)… \(errno 8\)$", found[0][2])[1]
    assert said.startswith(shown) and 140 < len(shown.encode()) < 200


def entries(device, count, waiting, at="2026-11-01 08:00:00"):
    """A history of so many commands, of which the oldest wait."""
    return [{"cmd_uuid": f"00000000-0000-4000-8000-{device:04d}{n:08d} ", "type": "READ", "create_time": at, "imei": imei(device),
             "expired_time": "2036-12-31 00:00:00", "send_status": 1 if n < waiting else 5} for n in range(count)]


def listing(history, broken=False):
    """Answers every list by that history, the newest first."""
    asked = []

    def edit(request, _):
        asked.append(request.path)
        page, per_page = (int(re.search(rf"[?&]{name}=(\d+)", request.path)[1]) for name in ("page", "per_page"))
        newest = history[::-1]
        items = newest[:per_page] if broken else newest[(page - 1) * per_page:page * per_page]
        return json.dumps({"errno": 0, "error": "succ", "data": {"total_count": len(history), "items": items}}).encode()

    edit.asked = asked
    return edit


def test_a_list_of_a_thousand_is_read_to_its_end(nbatch, tmp_path, platform):
    edit = listing(entries(1, 1000, 6))
    with edited(platform(), edit) as between:
        found, said = problems(nbatch, between, write(tmp_path / "fleet.csv", [1], each=5))
    assert said["online"]["lists"] == len(edit.asked) == 20 and said["online"]["waiting"] == 6
    assert [line for line, code, _ in found if code == "E-QUEUE"] == [6]
    # It begins a year ago: a command waits as long as its expired_time says.
    assert all(re.search(r"[?&]start=20\d\d-", path) for path in edit.asked)
    start = re.search(r"start=(\d{4})-(\d\d)", edit.asked[0])
    assert int(start[1]) * 12 + int(start[2]) <= time.gmtime().tm_year * 12 + time.gmtime().tm_mon - 11


def test_where_ten_wait_nothing_more_is_asked(nbatch, tmp_path, platform):
    edit = listing(entries(1, 1000, 1000))
    with edited(platform(), edit) as between:
        found, said = problems(nbatch, between, write(tmp_path / "fleet.csv", [1], each=2))
    assert len(edit.asked) == 1 and codes(found) == {"E-QUEUE": 2} and said["online"]["devices_full"] == 1


def test_pages_that_repeat_are_no_list(nbatch, tmp_path, platform):
    edit = listing(entries(1, 1000, 5), broken=True)
    with edited(platform(), edit) as between:
        found, said = problems(nbatch, between, write(tmp_path / "fleet.csv", [1]))
    assert len(edit.asked) == 2 and codes(found) == {"E-UNASKED": 1} and said["exit_status"] == 3


def moving(history, moves):
    """Answers every list by that history; behind so many pages somebody hands in a command, and the oldest one leaves."""
    asked, left = [], list(range(moves))

    def edit(request, _):
        asked.append(request.path)
        page, per_page = (int(re.search(rf"[?&]{name}=(\d+)", request.path)[1]) for name in ("page", "per_page"))
        items = history[::-1][(page - 1) * per_page:page * per_page]
        answer = json.dumps({"errno": 0, "error": "succ", "data": {"total_count": len(history), "items": items}}).encode()
        if left and page * per_page < len(history):
            history.append(history[-1] | {"cmd_uuid": f"11111111-0000-4000-8000-{left.pop():012d}", "send_status": 1})
            del history[0]
        return answer

    edit.asked = asked
    return edit


@pytest.mark.parametrize("moves, code, lists", [(0, None, 3), (1, None, 7), (100, "E-UNASKED", 12)])
def test_a_list_that_moves_while_it_is_read_is_read_again(nbatch, tmp_path, platform, moves, code, lists):
    """Its total stays the same: one command is met twice, and the one that has come is not met at all."""
    edit = moving(entries(1, 120, 0), moves)
    with edited(platform(), edit) as between:
        found, said = problems(nbatch, between, write(tmp_path / "fleet.csv", [1]))
    assert codes(found) == ({code: 1} if code else {}) and len(edit.asked) == lists, (found, edit.asked)
    assert "may change while it is read" in found[0][2] if code else said["online"]["waiting"] == moves


def test_how_long_it_takes_is_said_first_and_the_rate_is_kept(nbatch, tmp_path, platform):
    sim = platform()
    begin = time.monotonic()
    done = check(nbatch, sim, write(tmp_path / "fleet.csv", range(1, 41)), "--rate", "20/s")
    assert done.code == 0 and time.monotonic() - begin > 1.5, done
    assert "asking 40 devices what waits there: a call for each" in done.told and "at least 2s at 20/s" in done.told
    assert "devices asked: 40, with an answer: 40; commands that wait: 0" in done.told


def test_throttling_and_faults_are_met_as_everywhere(nbatch, tmp_path, simulator):
    sim = simulator("--fault", "http-503:10%", "--fault", "reset:5%", "--fault", "http-429-retry-after:1%", "--seed", "3")
    done = check(nbatch, sim, write(tmp_path / "fleet.csv", range(1, 101)), "--json", "--max-attempts", "20", "--retry-delay", "5ms")
    assert done.code == 0 and json.loads(done.out)["online"]["devices"] == 100, done


def test_a_platform_that_stays_away_ends_it_with_a_reason(nbatch, tmp_path, simulator):
    sim = simulator("--fault", "http-503:100%")
    for command, words in (("check", ()), ("run", ())):
        done = nbatch(command, write(tmp_path / "fleet.csv", range(1, 9)), "--online", "--endpoint", sim.url, "--outage-wait", "1s", *words)
        assert done.code == 5 and "of 8 devices have answered; nothing was sent" in done.err, done
    assert not (tmp_path / "fleet.results.csv").exists()


@pytest.mark.parametrize("command", ["check", "run"])
def test_interrupted_it_sends_nothing(tmp_path, simulator, command):
    sim = simulator()
    path = write(tmp_path / "fleet.csv", range(1, 2001))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_")} | {"NBATCH_API_KEY": KEY}
    process = subprocess.Popen([NBATCH, command, path, "--online", "--endpoint", sim.url, "--rate", "50/s", "--progress", "never"], cwd=tmp_path,
                               env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: sim.audit_path.read_bytes().count(b"history?") > 20)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "of 2000 devices have answered; nothing was sent" in err, (out, err)
    assert not (tmp_path / "fleet.results.csv").exists()
    assert not any(line.get("action") for line in sim.audit())


def test_a_refused_key_ends_it(nbatch, tmp_path, simulator):
    (tmp_path / "key").write_text("another")
    (tmp_path / "key").chmod(0o600)
    sim = simulator("--api-key-file", tmp_path / "key")
    for command in ("check", "run"):
        done = nbatch(command, write(tmp_path / "fleet.csv", range(1, 30)), "--online", "--endpoint", sim.url)
        assert done.code == 4, done
    assert len(sim.audit()) < 30


def test_what_cannot_be_read_twice_is_refused(nbatch, tmp_path, platform):
    sim = platform()
    text = write(tmp_path / "fleet.csv", [1]).read_text()
    for command in ("check", "run"):
        done = nbatch(command, "-", "--format", "csv", "--online", "--endpoint", sim.url, *(["-o", "x.csv"] if command == "run" else []), stdin=text)
        assert done.code == 2 and "--online" in done.err and "cannot be read twice" in done.err, done
    # A file on standard input can.
    with open(tmp_path / "fleet.csv", encoding="utf-8") as file:
        done = subprocess.run([NBATCH, "check", "-", "--format", "csv", "--online", "--endpoint", sim.url], stdin=file, cwd=tmp_path,
                              env={"NBATCH_API_KEY": KEY}, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "devices asked: 1," in done.stdout + done.stderr, done


def test_an_input_that_is_bad_by_itself_is_told_before_anybody_is_asked(nbatch, tmp_path, platform):
    sim = platform()
    path = write(tmp_path / "fleet.csv", [1, 2])
    path.write_text(path.read_text() + "123,write,3311,0,,2,+7d,\n")
    done = nbatch("run", path, "--online", "--endpoint", sim.url)
    assert done.code == 3 and "E-IMEI" in done.told and "asking" not in done.told, done
    assert check(nbatch, sim, path, "--json").code == 3  # a check asks about the good ones
    (tmp_path / "none.csv").write_text("imei,nothing\n1,2\n")
    assert check(nbatch, sim, tmp_path / "none.csv").code == 3
    assert sum("history?" in line.get("target", "") for line in sim.audit()) == 2


def test_the_input_must_not_change_while_devices_are_asked(nbatch, tmp_path, platform):
    path = write(tmp_path / "fleet.csv", [1, 2])

    def change(request, body):
        path.write_text(path.read_text().replace('""val"":0', '""val"":9'))
        return body

    with edited(platform(), change) as between:
        for command in ("check", "run"):
            write(path, [1, 2])
            done = nbatch(command, path, "--online", "--endpoint", between.url)
            assert done.code == 3 and "input changed" in done.err, done
    assert not (tmp_path / "fleet.results.csv").exists()


@pytest.mark.parametrize("words", [("check",), ("run",), ("run", "-n")])
def test_a_rehearsal_asks_its_own_devices(nbatch, tmp_path, words):
    done = nbatch(*words, write(tmp_path / "fleet.csv", range(1, 6)), "--online", "--simulate", env={"NBATCH_API_KEY": None})
    assert done.code == 0 and "devices asked: 5, with an answer: 5; commands that wait: 0" in done.told, done


def test_a_run_goes_on_as_ever_behind_it(nbatch, tmp_path, platform):
    """Log and metrics are those of one run; rules to halt and steps are for its rows."""
    sim = platform()
    path = write(tmp_path / "fleet.csv", range(1, 31))
    done = nbatch("run", path, "--online", "--endpoint", sim.url, "--log", "log", "--metrics-file", "m.prom", "--canary", "5", "--halt", "failed=1",
                  "--json", "--ramp", "100/s..1000/s:1s")
    assert done.code == 0 and json.loads(done.out)["rows"] == 30, done
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert events.count("begin") == events.count("start") == events.count("end") == 1
    assert max(stored(sim).values()) == 1


def test_split_and_list_of_problems_know_it(nbatch, tmp_path, platform):
    sim = platform()
    send(nbatch, sim, write(tmp_path / "before.csv", [1], each=9, resource=1))
    path = write(tmp_path / "fleet.csv", [1, 2], each=2)
    done = check(nbatch, sim, path, "--split-valid", "good.csv", "--split-invalid", "bad.csv")
    assert done.code == 3
    assert len((tmp_path / "good.csv").read_text().splitlines()) == 4 and len((tmp_path / "bad.csv").read_text().splitlines()) == 2
    assert check(nbatch, sim, tmp_path / "good.csv").code == 0


def test_it_can_be_asked_of_the_newer_platform(nbatch, tmp_path, simulator):
    sim = simulator("--api", "v2")
    path = write(tmp_path / "fleet.csv", [1], each=6)
    (tmp_path / "access.key").write_text("KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw=")
    (tmp_path / "access.key").chmod(0o600)
    words = ("--api", "v2", "--endpoint", sim.url, "--user-id", "420217", "--access-key-file", "access.key")
    assert nbatch("run", path, *words, "-q", env={"NBATCH_API_KEY": None}).code == 0
    done = nbatch("check", path, "--online", *words, env={"NBATCH_API_KEY": None})
    assert done.code == 3 and "E-QUEUE" in done.told and "W-CONFLICT" in done.told, done


def test_many_devices_take_little_memory(nbatch, tmp_path, simulator):
    """The same as the check of the same rows without asking, up to some bytes a device where something waits."""
    if b"__asan_init" in open(NBATCH, "rb").read():
        pytest.skip("a sanitizer keeps what is freed")
    sim = simulator()
    path = tmp_path / "fleet.csv"
    path.write_text(HEADER + "".join(f"{imei(i)},3311,0,2,+7d,1\n" for i in range(1, 20001)))
    peaks = []
    for words in ((), ("--online", "--endpoint", sim.url)):
        script = ("import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True)\n"
                  "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
        done = subprocess.run(["/usr/bin/python3", "-c", script, NBATCH, "check", path, "-q", *words], cwd=tmp_path, env={"NBATCH_API_KEY": KEY},
                              capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) * 1024)
    assert peaks[1] - peaks[0] < 16 * 1024 * 1024, peaks


def test_the_time_that_the_questions_take_is_no_time_of_the_rows(nbatch, tmp_path, platform):
    """Five seconds of questions, five of rows: a row that may wait for nine is not too late."""
    sim, path = platform(), write(tmp_path / "fleet.csv", range(1, 51), expires="+9s")
    done = nbatch("run", path, "--online", "--endpoint", sim.url, "--rate", "10/s", "-q")
    assert done.code == 0, done


def test_a_time_that_passes_during_the_questions_is_told_before_anything_is_sent(nbatch, tmp_path, platform):
    soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 8 * 3600 + 3))
    sim, path = platform(), write(tmp_path / "fleet.csv", range(1, 61), expires=soon)
    done = nbatch("run", path, "--online", "--endpoint", sim.url, "--rate", "10/s", "-q")
    assert done.code == 3 and "E-TIME-PAST 60" in done.err, done
    assert stored(sim) == {}


@pytest.mark.parametrize("pace", [["--rate", "2/s"], ["--rate", "2/s", "--burst", "3"], ["--ramp", "2/s..3/s:60s"]])
def test_rows_do_not_come_on_top_of_the_questions(nbatch, tmp_path, platform, pace):
    sim, path = platform(), write(tmp_path / "fleet.csv", range(1, 5))
    assert nbatch("run", path, "--online", "--endpoint", sim.url, *pace, "-q").code == 0
    audit = sim.audit()
    asked = [line["time"] for line in audit if "history" in line.get("target", "")]
    sent = [line["time"] for line in audit if line.get("action") == "write"]
    assert len(asked) == len(sent) == 4
    assert min(sent) - max(asked) > 250  # of the 500 ms of a row; without the guard some 20
    assert max(asked) - min(asked) > (600 if "--burst" not in pace else 200)


def test_rows_that_are_not_sent_take_no_place(nbatch, tmp_path, platform):
    """Of a strict check: the same row twice, what somebody else's command writes, and what is late."""
    sim = platform()
    send(nbatch, sim, write(tmp_path / "before.csv", [1], each=2))
    path = write(tmp_path / "fleet.csv", [1], each=10)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:4] + lines[3:]))
    # Negative control: without --strict these rows are sent, and take their places.
    assert codes(problems(nbatch, sim, path)[0]) == {"W-CONFLICT": 2, "W-TWICE": 1, "E-QUEUE": 3}
    found, said = problems(nbatch, sim, path, "--strict")
    assert codes(found) == {"W-CONFLICT": 2, "W-TWICE": 1} and said["valid"] == 8 and said["devices"] == 1
    found, said = problems(nbatch, sim, write(tmp_path / "one.csv", [1]), "--strict")
    assert codes(found) == {"W-CONFLICT": 1} and said["devices"] == 0
    done = nbatch("run", path, "--online", "--endpoint", sim.url, "--strict", "--skip-invalid")
    assert done.code == 1 and stored(sim)[imei(1)] == 10, done


def test_a_strict_check_of_a_file_counts_rows_that_are_sent(nbatch, tmp_path):
    path = write(tmp_path / "fleet.csv", [1], each=10)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2] + lines[1:]))
    said = json.loads(nbatch("check", path, "--strict", "--json").out)
    assert said["problems"] == {"W-TWICE": 1} and said["valid"] == 10
    assert json.loads(nbatch("check", path, "--json").out)["problems"] == {"W-TWICE": 1, "E-QUEUE": 1}


def test_rows_of_other_instances_take_no_place_and_nobody_asks_for_their_devices(nbatch, tmp_path, platform):
    sim = platform()
    send(nbatch, sim, write(tmp_path / "before.csv", [1], each=4, resource=1))
    path = write(tmp_path / "fleet.csv", [1], each=6, inst=1)
    path.write_text(path.read_text() + "".join(write(tmp_path / "more.csv", [1, 2], each=6, resource=9).read_text().splitlines(keepends=True)[1:]))
    (tmp_path / "only.csv").write_text(f"imei,obj_id,obj_inst_id\n{imei(1)},3311,0\n")
    done = nbatch("run", path, "--online", "--endpoint", sim.url, "--skip-invalid", "--only-in", "only.csv")
    assert done.code == 1 and "devices asked: 1," in done.told, done
    rows = collections.Counter((row["imei"], row["status"]) for row in read_results(tmp_path / "fleet.results.csv"))
    assert rows == {(imei(1), "accepted"): 6, (imei(1), "invalid"): 6, (imei(2), "invalid"): 6}
    assert all("E-NOT-IN" in row["error"] for row in read_results(tmp_path / "fleet.results.csv") if row["status"] == "invalid")


SOON = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 3 * 24 * 3600))
REFUSED = {
    "a number of rows": ({}, ("--expect-rows", "100"), 3, "--expect-rows"),
    "a write that replaces": ({"mode": "1"}, (), 3, "would be replaced (mode 1)"),
    "an embargo that is too short": ({}, ("--embargo", "2s", "--rate", "1/s"), 2, "the embargo ends before all is sent"),
    "steps that take too long": ({"expires": SOON}, ("--canary", "2:delivered=90%,wait=30d"), 2, "expired_time may pass"),
    "values of two kinds": ({"value": "on"}, (), 3, "correct the values"),
    "the input of the night before": ({}, ("--dated",), 3, "it was sent before, every byte the same"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_needs_no_answer_is_refused_before_the_first_question(nbatch, tmp_path, platform, case):
    row, words, status, message = REFUSED[case]
    sim, path = platform(), tmp_path / "fleet.csv"
    path.write_text(HEADER + "".join(f"{imei(i)},3311,0,{row.get('mode', '2')},{row.get('expires', '+7d')},"
                                     f"{row.get('value', '1') if i == 40 else i}\n" for i in range(1, 41)))
    if case == "the input of the night before":
        assert nbatch("run", path, "--endpoint", sim.url, *words).code == 0
        time.sleep(1.1)  # results are named by the second
    for command in ("run", "check") if "--embargo" in words else ("run",):
        done = nbatch(command, path, "--online", "--endpoint", sim.url, *words)
        assert done.code == status and message in done.err and "asking" not in done.told, done
    assert not [line for line in sim.audit() if "history" in line.get("target", "")]


def test_devices_that_did_not_answer_are_told_apart(nbatch, tmp_path, platform):
    def some(request, body):
        return b"<html>" if imei(2) in request.path else body

    path = write(tmp_path / "fleet.csv", [1, 2, 3])
    with edited(platform(), some) as between:
        done = check(nbatch, between, path, "--json", "--max-attempts", "1")
    assert done.code == 3 and "devices asked: 3, with an answer: 2;" in done.err and "not known: 1" in done.err, done
    online = json.loads(done.out)["online"]
    assert online["devices"] == 3 and online["devices_answered"] == 2 and online["devices_unknown"] == 1


NOWHERE = {"nobody listens": ("http://127.0.0.1:1", 4), "no such name": ("https://nowhere.invalid", 4), "a platform that fails": (None, 5)}


@pytest.mark.parametrize("case", NOWHERE)
@pytest.mark.parametrize("rows", [1, 30])
def test_an_endpoint_that_does_not_answer_is_the_same_for_few_rows_and_for_many(nbatch, tmp_path, simulator, case, rows):
    endpoint, status = NOWHERE[case]
    endpoint = endpoint or simulator("--fault", "http-503:100%").url
    path = write(tmp_path / "fleet.csv", range(1, rows + 1))
    commands = [("check", "--online"), ("run", "--online"), ("run", "--online", "--skip-invalid")]
    for words in commands + ([("snapshot",)] if status == 4 else []):
        done = nbatch(words[0], path, *words[1:], "--endpoint", endpoint, "--outage-wait", "1s", "--retry-delay", "1ms", "--json")
        assert done.code == json.loads(done.out)["exit_status"] == status and "could not be reached" in done.err, done
        for left in tmp_path.glob("fleet.results.*"):
            left.unlink()


def test_json_is_given_however_it_ends(nbatch, tmp_path, simulator):
    (tmp_path / "key").write_text("another")
    (tmp_path / "key").chmod(0o600)
    path = write(tmp_path / "fleet.csv", range(1, 2001))
    refusing, sim = simulator("--api-key-file", tmp_path / "key"), simulator()
    for words in (("check", "--online"), ("run", "--online"), ("run",)):
        done = nbatch(*words, path, "--endpoint", refusing.url, "--json")
        said = json.loads(done.out)
        assert done.code == said["exit_status"] == 4 and said["command"] == words[0] and said.get("rows", 0) in (0, 2000), done
        assert words == ("check", "--online") or (said["end"] == "refused" and said["not_sent"] == 2000), said
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBATCH_")} | {"NBATCH_API_KEY": KEY}
    for command in ("check", "run"):
        asked = sim.audit_path.read_bytes().count(b"history?")
        process = subprocess.Popen([NBATCH, command, path, "--online", "--endpoint", sim.url, "--rate", "50/s", "--json"], cwd=tmp_path,
                                   env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: sim.audit_path.read_bytes().count(b"history?") > asked + 20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        said = json.loads(out)
        assert process.returncode == said["exit_status"] == 130 and "interrupted" in err, (out, err)
        assert said.get("end", "interrupted") == "interrupted"
    bad = write(tmp_path / "bad.csv", [1], mode=3)
    for words in (("run",), ("snapshot",), ("run", "--online")):
        done = nbatch(*words, bad, "--endpoint", sim.url, "--json")
        assert done.code == json.loads(done.out)["exit_status"] == 3, done


def test_an_attempt_is_of_the_line_of_its_devices_first_row(nbatch, tmp_path, platform):
    sim, path = platform(), tmp_path / "fleet.csv"
    write(path, [3, 1, 2])
    path.write_text(path.read_text() + "".join(path.read_text().splitlines(keepends=True)[1:]))
    assert nbatch("run", path, "--online", "--endpoint", sim.url, "--log", "log", "--verbose", "-q").code == 0
    logged = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    asked = [event for event in logged if event["event"] == "attempt" and event.get("asked") == "list"]
    assert sorted(event["line"] for event in asked) == [2, 3, 4] and not any("row" in event for event in asked)


def test_rows_that_found_no_place_are_sent_by_the_command_that_is_named(nbatch, tmp_path, simulator):
    options = ("--state", tmp_path / "state", "--clock", "60x")
    sim = simulator(*options)
    send(nbatch, sim, write(tmp_path / "before.csv", [1], each=9, resource=1))
    path = write(tmp_path / "fleet.csv", [1, 2], each=3)
    path.write_text(path.read_text() + "123,write,3311,0,,2,+7d,\n")
    done = nbatch("run", path, "--online", "--endpoint", sim.url, "--skip-invalid", "--json", "--report", "page.html")
    steps = {step["name"]: step for step in json.loads(done.out)["next"]}
    assert set(steps) == {"mend", "later"} and steps["mend"]["rows"] == 1 and steps["later"]["rows"] == 2, done
    assert "--resume=invalid" in steps["later"]["command"] and "--resume=invalid" in done.err
    assert "--resume=invalid" in (tmp_path / "page.html").read_text()
    sim.stop()
    sim = simulator(*options, "--uplink", "1s")
    assert nbatch("status", tmp_path / "before.results.csv", "--endpoint", sim.url, "--watch=1s", "--rate", "none", "-q").code == 0
    words = steps["later"]["command"].replace(steps["later"]["command"].split("--endpoint ")[1].split()[0], sim.url)
    again = subprocess.run(["/bin/sh", "-c", words], cwd=tmp_path, env={"NBATCH_API_KEY": KEY}, capture_output=True, text=True, check=False)
    total = json.loads(again.stdout)["total"]
    assert again.returncode == 1 and total["accepted"] == 6 and total["invalid"] == 1, again
