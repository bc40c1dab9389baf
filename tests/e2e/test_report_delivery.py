"""nbatch report with a status file: what became of the accepted commands, on the page of their run."""
import re

import pytest
from conftest import NBATCH, read_results
from test_report import answering
from test_resume_undelivered import write_status


@pytest.fixture
def reported(nbatch, tmp_path, fleet):
    """A run of 20 rows with a status file of these states; the page, its counts by state, and what was said."""
    assert nbatch("run", fleet(20), "--simulate", "-o", "fleet.results.csv").code == 0

    def report(states, *words, status="fleet.status.csv", **more):
        if states is not None:
            write_status(tmp_path / status, tmp_path / "fleet.results.csv", states, **more)
        done = nbatch("report", "fleet.results.csv", *words)
        page = (tmp_path / "fleet.results.html").read_text(encoding="utf-8") if done.code == 0 else ""
        section = page[page.find('<section id="delivery">'):] if 'id="delivery"' in page else ""
        counts = dict(re.findall(r'<tr data-state="(\w+)"><th scope="row" class="key">.*?data-value="(\d+)"', section))
        return done, section, {state: int(count) for state, count in counts.items()}

    return report


def test_states_reasons_and_times_are_on_the_page(reported):
    states = {n: "delivered" for n in range(1, 11)} | {11: "refused", 12: "refused", 13: "failed", 14: "expired"}
    more = {f"row{n}": {"confirm_status": "SUCCESS", "confirm_time": f"2026-11-28T16:{n:02}:00+08:00"} for n in range(1, 11)}
    more |= {"row11": {"confirm_status": "NOT_FOUND"}, "row12": {"confirm_status": "NOT_FOUND"},
             "row13": {"reason": "<b>no & route</b>"}, "row15": {"expired_time": "2026-12-01T16:00:00+08:00"}}
    done, section, counts = reported(states, **more)
    assert done.code == 0, done
    assert counts == {"delivered": 10, "waiting": 6, "refused": 2, "failed": 1, "expired": 1}
    assert 'data-name="delivered" data-value="10">10 of 20 commands are delivered. 6 are still under way; the last gives up at' in section
    assert "1 Dec 2026, 08:00:00 UTC" in section
    reasons = re.findall(r'<tr data-state="(\w+)" data-reason="([^"]*)">.*?data-value="(\d+)"', section)
    assert reasons[0] == ("refused", "NOT_FOUND", "2")
    assert {r[:2] for r in reasons} == {("refused", "NOT_FOUND"), ("failed", "&lt;b&gt;no &amp; route&lt;/b&gt;"), ("expired", "")}
    assert "the device has no such object, instance or resource; compare obj_id" in section
    chart = section[section.find('id="delivered-chart"'):]
    assert 'class="s-delivered"' in chart and 'class="s-expired"' in chart and 'class="s-cancelled"' not in chart


def verdict(page):
    return re.sub("<[^>]*>", "", re.search(r'<p class="verdict.*?</p>', page)[0])


def test_the_first_sentence_says_nothing_is_left_only_where_that_is_so(nbatch, tmp_path, fleet, raw_peer):
    """Open and undelivered commands are in it; which call asks, where something is not known."""
    assert nbatch("run", fleet(4), "--endpoint", raw_peer(answering({})).url, "-o", "fleet.results.csv", "--report", "r.html").code == 0
    page = tmp_path / "r.html"
    first = verdict(page.read_text())
    assert "Nothing is left to send." in first and f"Which devices have it: {NBATCH} status fleet.results.csv --endpoint http" in first

    def report(states, **more):
        write_status(tmp_path / "fleet.status.csv", tmp_path / "fleet.results.csv", states, **more)
        assert nbatch("report", "fleet.results.csv", "-o", page).code == 0
        return verdict(page.read_text())

    first = report({1: "delivered", 2: "failed", 3: "expired"}, row2={"remain": "2", "send_status": "6"})
    assert "Nothing is left to send. 2 commands are still under way. 1 ended without being delivered." in first, first
    assert f"Which devices have it: {NBATCH} status fleet.results.csv" in first
    assert "2 are still under way" in page.read_text()
    first = report({1: "delivered", 2: "refused", 3: "expired", 4: "delivered"})
    assert "to send. 2 ended without being delivered." in first and "Which devices" not in first
    first = report(dict.fromkeys(range(1, 5), "delivered"))
    assert "Nothing is left to do. Accepted" in first and "Which devices" not in first


def test_without_a_status_file_there_is_no_such_section(reported):
    done, section, counts = reported(None)
    assert done.code == 0 and section == "" and counts == {}
    done, section, _ = reported(None, "--status", "none.csv")
    assert done.code == 2 and "none.csv is not there" in done.err


def test_a_file_of_other_commands_is_left_out(reported, nbatch, tmp_path, fleet):
    assert nbatch("run", fleet(20, "other.csv", first=50), "--simulate", "-o", "other.results.csv").code == 0
    write_status(tmp_path / "fleet.status.csv", tmp_path / "other.results.csv", {1: "delivered"})
    done, section, _ = reported(None)
    assert done.code == 0 and section == "" and "is not of these results, or older: it is left out" in done.err, done


def test_only_commands_of_the_current_results_count(reported, nbatch, tmp_path):
    """Row 3 was sent again since: what the file says of it is of an earlier uuid."""
    reported({3: "expired", 4: "delivered"})
    assert nbatch("run", "fleet.csv", "--simulate", "-o", "fleet.results.csv", "--resume=expired").code == 0
    assert len(read_results(tmp_path / "fleet.results.csv")) == 21
    done, section, counts = reported(None)
    assert counts == {"delivered": 1, "waiting": 18}, done
    assert 'data-name="unknown">Of 1 accepted row nothing is known yet' in section
    assert "1 of its lines are of commands that were replaced" in section


def test_a_damaged_file_is_refused(reported, tmp_path):
    (tmp_path / "fleet.status.csv").write_text("row,key\n", encoding="utf-8")
    done, _, _ = reported(None)
    assert done.code == 2 and "fleet.status.csv: line 1: this is no status file" in done.err, done
