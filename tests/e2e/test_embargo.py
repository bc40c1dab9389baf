"""--embargo: no device gets anything before its end, so that the whole run can be taken back until then."""
import calendar
import json
import re
import time
from urllib.parse import parse_qs, urlsplit

from conftest import HEADER, NBATCH, imei, read_results, row_of


def valid_times(audit):
    """By device: valid_time as epoch seconds, None where there is none."""
    return {entry["imei"]: valid_time(entry["target"]) for entry in audit}


def valid_time(target):
    text = parse_qs(urlsplit(target).query).get("valid_time", [None])[0]
    return text and calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S")) - 8 * 3600


def test_rows_without_a_valid_time_get_the_embargos_end(nbatch, tmp_path, fleet, simulator):
    path = fleet(3)
    path.write_text(path.read_text(encoding="utf-8").replace("expired_time,", "expired_time,valid_time,")
                    .replace("+7d,1", "+7d,,1").replace("+7d,2", "+7d,+2h,2").replace("+7d,3", "+7d,,3"), encoding="utf-8")
    sim = simulator()
    start = int(time.time())
    done = nbatch("run", path, "--endpoint", sim.url, "--embargo", "30m", "--log", "log", "--json")
    assert done.code == 0, done
    times = valid_times(sim.audit())
    assert times[imei(1)] == times[imei(3)] and 0 <= times[imei(1)] - start - 1800 <= 60
    assert 0 <= times[imei(2)] - start - 7200 <= 60
    assert re.search(r"29m \d+s|30m", done.err), done
    assert f"what this run has sent can be taken back: {NBATCH} cancel {tmp_path}/fleet.results.csv --endpoint" in done.err
    until = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(times[imei(1)]))
    assert json.loads(done.out)["embargo_until"] == until
    started = next(e for e in map(json.loads, (tmp_path / "log").read_text(encoding="utf-8").splitlines()) if e["event"] == "start")
    assert started["embargo_until"] == until


def test_keys_do_not_change_by_it(nbatch, tmp_path, fleet):
    path = fleet(5)
    assert nbatch("run", path, "--simulate", "-o", "with.csv", "--embargo", "1h").code == 0
    assert nbatch("run", path, "--simulate", "-o", "without.csv").code == 0
    keys = [sorted(row["key"] for row in read_results(tmp_path / name)) for name in ("with.csv", "without.csv")]
    assert keys[0] == keys[1]
    done = nbatch("run", path, "--simulate", "-o", "without.csv", "--embargo", "1h", "--resume")
    assert done.code == 0 and "5 of them before this run" in done.err
    assert "taken back" not in done.err


def test_one_that_ends_before_all_is_sent_is_refused(nbatch, tmp_path, fleet, simulator):
    sim = simulator()
    path = fleet(100)
    done = nbatch("run", path, "--endpoint", sim.url, "--rate", "10/s", "--embargo", "8s")
    assert done.code == 2 and "the embargo ends before all is sent" in done.err and "10s" in done.err, done
    assert not (tmp_path / "fleet.results.csv").exists()
    done = nbatch("run", path, "--endpoint", sim.url, "--ramp", "5/s..15/s:1m", "--embargo", "12s")
    assert done.code == 2 and "the embargo ends before all is sent: that takes about 16s" in done.err, done
    done = nbatch("run", path, "--endpoint", sim.url, "--rate", "1000/s", "--canary", "1:30s", "--embargo", "20s")
    assert done.code == 2 and "takes about 30s" in done.err, done
    assert sim.audit() == []


def test_the_check_predicts_it(nbatch, fleet):
    path = fleet(100)
    done = nbatch("check", path, "--rate", "10/s", "--embargo", "8s")
    assert done.code == 2 and "the embargo ends before all is sent" in done.told, done
    done = nbatch("check", path, "--rate", "10/s", "--embargo", "1h", "--json")
    assert done.code == 0 and "59m 50s of the embargo are left once all is sent" in done.told, done
    said = json.loads(done.out)
    assert said["embargo_s"] == 3600 and said["embargo_spare_s"] == 3590 and said["estimated_s"] == 10
    done = nbatch("check", path, "--embargo", "1h")  # at the platform's documented limit
    assert done.code == 0 and "1h of the embargo are left" in done.told, done
    done = nbatch("check", path, "--embargo", "1h", "--rate", "none")
    assert done.code == 0 and "is known with --rate" in done.told, done
    done = nbatch("check", path, "--embargo", "30")
    assert done.code == 2 and "--embargo" in done.told


def test_what_expires_within_it_is_an_error_of_the_row(nbatch, tmp_path):
    (tmp_path / "x.csv").write_text(HEADER + row_of(1) + row_of(2).replace("+7d", "+10m"), encoding="utf-8")
    done = nbatch("check", "x.csv", "--embargo", "30m")
    assert done.code == 3 and "E-TIME-ORDER" in done.out + done.err
    assert "is not later than the embargo's end" in done.out + done.err
    assert nbatch("check", "x.csv", "--embargo", "9m").code == 0


def test_equal_rows_are_still_seen(nbatch, tmp_path):
    (tmp_path / "x.csv").write_text(HEADER + row_of(1) * 2, encoding="utf-8")
    done = nbatch("check", "x.csv", "--embargo", "30m")
    assert "W-TWICE" in done.out + done.err


def test_a_row_that_leaves_after_its_end_leaves_without_it(nbatch, fleet, raw_peer):
    """The rate was not known, and so nothing was predicted."""
    def script(connection, _number):
        while (request := connection.read_request()) is not None:
            if not connection.peer.processed:
                time.sleep(5.2)
            connection.accept(request)

    peer = raw_peer(script)
    done = nbatch("run", fleet(3), "--endpoint", peer.url, "--embargo", "4s", "-c", "1")
    assert done.code == 0, done
    times = {request.imei: valid_time(request.target) for request in peer.processed}
    assert times[imei(1)] and times[imei(2)] is times[imei(3)] is None
    assert "valid_time has come before the row's turn" in done.err and "the embargo ended at" in done.err


def test_a_resumed_run_begins_its_own(nbatch, tmp_path, fleet, simulator):
    sim = simulator()
    path = fleet(1)
    assert nbatch("run", path, "--endpoint", sim.url, "--embargo", "10m").code == 0
    with open(path, "a", encoding="utf-8") as file:
        file.write(row_of(2))
    time.sleep(2)
    assert nbatch("run", path, "--endpoint", sim.url, "--embargo", "10m", "--resume").code == 0
    times = valid_times(sim.audit())
    assert times[imei(2)] - times[imei(1)] >= 2
