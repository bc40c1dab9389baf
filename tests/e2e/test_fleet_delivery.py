"""The whole way of a fleet of 10 000 devices: sent with an embargo, watched until nothing is open, or taken back in time.

The simulator's audit, which writes down what each device did, is the oracle.
"""
import collections
import json

import pytest
from conftest import HEADER, KEY, read_results, row_of, wait_for
from test_cancel import delivered, lines_of, puts, uuids
from test_status import ends_of, paste, questions

DEVICES = 10_000
FAULTS = ["device-not_found:5%", "device-bad_request:2%", "device-time_out:5%", "device-silent:2%", "device-offline:1%"]


@pytest.fixture
def sent(nbatch, tmp_path, simulator):
    """Theirs and ours: a command of somebody else's for each tenth device, then the run, with an embargo."""
    theirs, path = tmp_path / "theirs.csv", tmp_path / "fleet.csv"
    theirs.write_text(HEADER + "".join(row_of(i, 7) for i in range(1, DEVICES + 1, 10)))

    def send(embargo, expires, *words):
        path.write_text(HEADER + "".join(row_of(i).replace("+7d", expires) for i in range(1, DEVICES + 1)))
        sim = simulator("--uplink", "5s..60s", "--clock", "600x", "--seed", "11", *words)
        assert nbatch("run", theirs, "--endpoint", sim.url, "-q").code == 0
        done = nbatch("run", path, "--endpoint", sim.url, "--embargo", embargo, "--rate", "none")
        assert done.code == 0, done
        return sim, tmp_path / "theirs.results.csv", tmp_path / "fleet.results.csv", done

    return send


def test_watched_until_nothing_is_open_the_counts_are_those_of_the_audit(nbatch, tmp_path, sent):
    sim, _, results, _ = sent("20s", "+6h", *[word for fault in FAULTS for word in ("--fault", fault)])
    done = nbatch("status", results, "--endpoint", sim.url, "--rate", "none", "--watch=1s", "--timeout", "240s", "--json",
                  timeout=300)
    said = json.loads(done.out)
    assert said["open"] == 0 and done.code == 1, done
    found = {row["uuid"]: row for row in read_results(tmp_path / "fleet.status.csv")}
    assert len(found) == DEVICES == said["commands"]["total"]
    ends = ends_of(sim)
    expected = {}
    for uuid, row in found.items():
        end = ends.get(uuid)
        if end is None or end["send_status"] != 5:  # out of tries, or went out in silence
            assert row["state"] in ("failed", "expired"), (row, end)
            expected[uuid] = row["state"]
        else:
            expected[uuid] = "delivered" if end["confirm_status"] == 0 else "refused"
    assert {uuid: row["state"] for uuid, row in found.items()} == expected
    counts = collections.Counter(expected.values())
    assert {k: v for k, v in said["commands"].items() if k in counts} == counts
    assert counts["delivered"] > 8000 and counts["refused"] > 300
    refused = collections.Counter(row["reason"] for row in found.values() if row["state"] == "refused")
    assert said["refused"] == refused and {"NOT_FOUND", "BAD_REQUEST"} <= set(refused)
    assert said["devices"] == {"total": DEVICES, "done": counts["delivered"], "waiting": 0}
    # Nothing that has ended is asked about again.
    asked = len(questions(sim))
    assert nbatch("status", results, "--endpoint", sim.url, "-q").code == 1 and len(questions(sim)) == asked
    # What is on the page is the same.
    assert nbatch("report", results, "-q").code == 0
    page = (tmp_path / "fleet.results.html").read_text(encoding="utf-8")
    assert f'data-name="delivered" data-value="{counts["delivered"]}"' in page


def test_taken_back_within_the_embargo_none_is_delivered(nbatch, tmp_path, sent):
    """By the call that the run's summary names; what others have put there is delivered all the same."""
    sim, theirs, results, done = sent("60h", "+7d")  # six minutes
    call = next(line for line in done.err.splitlines() if "can be taken back: " in line).split("can be taken back: ")[1]
    done = paste(f"NBATCH_API_KEY={KEY} {call}", tmp_path, "--yes --rate none")
    assert done.returncode == 0 and f"all {DEVICES} commands were taken back" in done.stderr, done
    ours = uuids(results)
    assert puts(sim) == dict.fromkeys(ours, 1)
    wait_for(lambda: uuids(theirs) <= delivered(sim))
    assert delivered(sim) == uuids(theirs)
    done = nbatch("status", results, "--endpoint", sim.url, "--rate", "none", "--json")
    assert json.loads(done.out)["commands"]["cancelled"] == DEVICES and done.code == 1
    assert {line["uuid"] for line in lines_of(sim) if "device" in line}.isdisjoint(ours)
