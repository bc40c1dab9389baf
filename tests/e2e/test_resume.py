"""--resume: rows go by their content, so that a file may change between runs; and what is done with each kind of result."""
import collections
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest
from conftest import HEADER, KEY, NBATCH, imei, read_results, row_of, wait_for

OK = b'{"errno":0,"error":"succ","data":{"uuid":"42742677-adc3-54ca-83a1-5aaaf71482f8"}}'
NO = b'{"errno":5106,"error":"UNSUCESS"}'


def answering(bad=lambda request: False, status="200 OK", body=NO):
    """A peer's script: an error for the requests that `bad` picks, else success."""

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            if bad(request):
                connection.reply(body, status)
            else:
                connection.process(request)
                connection.reply(OK)

    return script


@pytest.fixture
def run(nbatch, tmp_path):
    """Runs with results in r.csv; returns the call and the lines of the results."""

    def call(url, *words, code=0, name="in.csv", results="r.csv", **keywords):
        done = nbatch("run", name, "--endpoint", url, "-o", results, "--retry-delay", "1ms", *words, **keywords)
        assert done.code == code, done
        return done, read_results(tmp_path / results) if (tmp_path / results).exists() else []

    return call


def write(tmp_path, rows, name="in.csv"):
    (tmp_path / name).write_text(HEADER + "".join(rows))


def half_done(run, tmp_path, raw_peer, rows, done=10):
    """A run over all rows that was stopped after about `done` of them; returns its peer."""
    write(tmp_path, rows)
    peer = raw_peer(answering(lambda request: len(peer.processed) >= done))
    run(peer.url, "--halt", "rejected=1", "-c", "1", code=5)
    lines = read_results(tmp_path / "r.csv")
    assert collections.Counter(line["status"] for line in lines) == {"accepted": done, "rejected": 1}
    assert (tmp_path / "r.csv.journal").exists()
    return peer


def test_a_stopped_run_goes_on_where_it_was(run, tmp_path, raw_peer):
    first = half_done(run, tmp_path, raw_peer, [row_of(i) for i in range(1, 41)])
    second = raw_peer(answering())
    done, lines = run(second.url, "--resume", code=1)  # the rejected row stays rejected
    assert len(first.processed) == 10 and len(second.processed) == 29
    assert len({line["key"] for line in lines}) == len(lines) == 40
    assert "40 of 40 rows accounted for" in done.err, done
    assert not (tmp_path / "r.csv.journal").exists()


def test_a_second_resume_sends_nothing(run, tmp_path, raw_peer):
    write(tmp_path, [row_of(i) for i in range(1, 6)])
    peer = raw_peer(answering())
    run(peer.url)
    before = (tmp_path / "r.csv").read_bytes()
    done, _ = run(peer.url, "--resume")
    assert len(peer.processed) == 5 and (tmp_path / "r.csv").read_bytes() == before
    assert "5 of 5 rows accounted for" in done.err and "nothing is left to send" in done.err


def imeis(peer):
    return collections.Counter(request.imei for request in peer.processed)


CHANGES = {
    "sorted": lambda rows: sorted(rows, key=lambda row: row[::-1]),
    "shuffled": lambda rows: random.Random(3).sample(rows, len(rows)),
    "cut": lambda rows: rows[5:],
    "extended": lambda rows: rows + [row_of(100), row_of(101)],
    "extended in front": lambda rows: [row_of(100), row_of(101)] + rows,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_resumes_rightly(run, tmp_path, raw_peer, change):
    rows = [row_of(i) for i in range(1, 31)]
    first = half_done(run, tmp_path, raw_peer, rows)
    changed = CHANGES[change](rows)
    write(tmp_path, changed)
    second = raw_peer(answering())
    done, lines = run(second.url, "--resume=rejected")
    assert max((imeis(first) + imeis(second)).values()) == 1, "nothing is sent twice"
    assert {row.split(",")[0] for row in changed} <= set(imeis(first) + imeis(second)), "and nothing forgotten"
    assert f"{len(changed)} of {len(changed)} rows accounted for" in done.err, done
    if change == "cut":
        assert "5 of the results belong to no row of the input any more" in done.err, done


def test_a_corrected_row_is_a_new_row_and_the_results_keep_both(run, tmp_path, raw_peer):
    rows = [row_of(i) for i in range(1, 11)]
    write(tmp_path, rows)
    peer = raw_peer(answering(lambda request: request.imei == imei(3)))
    run(peer.url, code=1)
    write(tmp_path, rows[:2] + [row_of(3, 77)] + rows[3:])
    second = raw_peer(answering())
    done, lines = run(second.url, "--resume")
    assert [json.loads(request.body)["data"][0]["val"] for request in second.processed] == [77]
    assert [line["status"] for line in lines if line["imei"] == imei(3)] == ["rejected", "accepted"]
    assert "10 of 10 rows accounted for; 1 line is of a row that the input no longer has" in done.err, done


def test_equal_rows_are_told_apart_by_their_number(run, tmp_path, raw_peer):
    rows = [row_of(1), row_of(2), row_of(1), row_of(1), row_of(3)]
    write(tmp_path, rows)
    peer = raw_peer(answering(lambda request: len(peer.processed) >= 3))
    run(peer.url, "-c", "1", "--halt", "rejected=1", code=5)
    second = raw_peer(answering())
    _, lines = run(second.url, "--resume=rejected")
    assert imeis(peer) + imeis(second) == {imei(1): 3, imei(2): 1, imei(3): 1}
    assert {line["key"][-2:] for line in lines} == {"-1", "-2", "-3"}
    write(tmp_path, rows + [row_of(1)])
    third = raw_peer(answering())
    _, lines = run(third.url, "--resume")
    assert imeis(third) == {imei(1): 1} and lines[-1]["key"].endswith("-4")


def mixed(run, tmp_path, raw_peer):
    """Results with every status: accepted, rejected, failed, in_doubt, invalid."""
    rows = [row_of(i) for i in range(1, 6)] + [row_of(6).replace(",2,", ",9,")]
    write(tmp_path, rows)

    def script(connection, number):
        while (request := connection.read_request()) is not None:
            if request.imei == imei(2):
                connection.reply(NO)
            elif request.imei == imei(3):
                connection.reply(b"", "404 Not Found")
            elif request.imei == imei(4):
                connection.process(request)
                return
            else:
                connection.process(request)
                connection.reply(OK)

    peer = raw_peer(script)
    _, lines = run(peer.url, "--skip-invalid", "--on-ambiguous", "hold", "-c", "1", code=6)
    assert {line["imei"]: line["status"] for line in lines} == {
        imei(1): "accepted", imei(2): "rejected", imei(3): "failed", imei(4): "in_doubt", imei(5): "accepted",
        imei(6): "invalid"}


@pytest.mark.parametrize("wish,sent,code", [
    ("--resume", [], 6), ("--resume=rejected", [2], 6), ("--resume=failed", [3], 6),
    ("--resume=failed,rejected", [2, 3], 6), ("--resume=in_doubt", [4], 1), ("--resume=all", [2, 3], 6),
    ("--resume=all,in_doubt", [2, 3, 4], 1)])
def test_what_has_a_result_is_sent_again_only_when_asked_for(run, tmp_path, raw_peer, wish, sent, code):
    mixed(run, tmp_path, raw_peer)
    peer = raw_peer(answering())
    done, lines = run(peer.url, wish, "--skip-invalid", code=code)
    assert sorted(request.imei for request in peer.processed) == [imei(i) for i in sent]
    assert "6 of 6 rows accounted for" in done.err, done
    last = {line["imei"]: line for line in lines}
    for i in sent:
        assert last[imei(i)]["status"] == "accepted"
    if 4 in sent:  # the device may hold it twice, and the row still says so
        assert (last[imei(4)]["attempts"], last[imei(4)]["ambiguous"]) == ("2", "1")


def test_an_invalid_row_is_looked_at_again_when_asked_for(run, tmp_path, raw_peer):
    mixed(run, tmp_path, raw_peer)
    peer = raw_peer(answering())
    done, _ = run(peer.url, "--resume=invalid", code=3)  # it is as bad as before
    assert "E-RANGE" in done.err and "nothing was sent" in done.err, done
    done, lines = run(peer.url, "--resume=invalid", "--skip-invalid", code=6)
    assert [line["status"] for line in lines if line["imei"] == imei(6)] == ["invalid", "invalid"]
    assert peer.processed == []


def test_the_words_of_resume_are_checked(run, tmp_path, raw_peer, nbatch):
    mixed(run, tmp_path, raw_peer)
    done, _ = run("http://127.0.0.1:1", "--resume=accepted", code=2)
    assert "must be failed, rejected, invalid, in_doubt or all" in done.err
    done = nbatch("run", "in.csv", "--simulate", "-o", "other.csv", "--resume")
    assert done.code == 2 and "nothing to resume" in done.err, done


def test_rows_that_have_expired_since_do_not_stop_a_resume(run, tmp_path, raw_peer):
    """Their results stand; only what is still to be sent is checked."""
    end = int(time.time()) + 6
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
    late = [row_of(i).replace("+7d", soon) for i in range(1, 4)]
    write(tmp_path, late)
    peer = raw_peer(answering())
    run(peer.url)
    time.sleep(max(0, end + 0.1 - time.time()))
    write(tmp_path, late + [row_of(9)])
    done, lines = run(peer.url, "--resume")
    assert len(lines) == 4 and "3 with a result already" in done.err, done
    done = subprocess.run([NBATCH, "check", tmp_path / "in.csv"], capture_output=True, text=True, check=False)
    assert "E-TIME-PAST" in done.stdout  # the control: by themselves these rows are bad


def test_another_set_is_not_taken_for_new_rows(run, tmp_path, raw_peer):
    """Another --set makes every row another one: all of the fleet would get a second command."""
    (tmp_path / "in.csv").write_text("imei,obj_id,obj_inst_id,mode,res:5850\n" +
                                     "".join(f"{imei(i)},3311,0,2,{i}\n" for i in range(1, 11)))
    peer = raw_peer(answering(lambda request: len(peer.processed) >= 5))
    run(peer.url, "--set", "expired_time=+7d", "-c", "1", "--halt", "rejected=1", code=5)
    second = raw_peer(answering())
    done, _ = run(second.url, "--set", "expired_time=+8d", "--resume", code=2)
    assert "the same --set" in done.err and second.processed == [], done
    run(second.url, "--set", "expired_time=+7d", "--resume", code=1)
    assert len(second.processed) == 4
    run(second.url, "--set", "expired_time=+8d", "--resume", "--yes")
    assert len(second.processed) == 14


def test_a_rehearsal_is_not_taken_for_the_record(nbatch, run, tmp_path, raw_peer):
    write(tmp_path, [row_of(i) for i in range(1, 31)])
    done = nbatch("run", "in.csv", "--simulate=fault=errno-5106:100%", "-o", "r.csv", "-c", "1", "--halt", "rejected=1")
    assert done.code == 5, done
    peer = raw_peer(answering())
    done, _ = run(peer.url, "--resume", code=2)
    assert "rehearsal" in done.err and peer.processed == [], done


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl"])
def test_a_complete_rehearsal_is_not_taken_for_the_record(nbatch, tmp_path, name):
    write(tmp_path, [row_of(i) for i in range(1, 31)])
    assert nbatch("run", "in.csv", "--simulate", "-o", name).code == 0
    done = nbatch("run", "in.csv", "--endpoint", "https://platform.invalid", "-o", name, "--resume")
    assert done.code == 2 and "rehearsal" in done.err, done
    assert nbatch("run", "in.csv", "--simulate", "-o", name, "--resume").code == 0


def test_a_complete_record_is_not_rehearsed_on(nbatch, run, tmp_path, raw_peer):
    write(tmp_path, [row_of(i) for i in range(1, 31)])
    run(raw_peer(answering()).url)
    done = nbatch("run", "in.csv", "--simulate", "-o", "r.csv", "--resume")
    assert done.code == 2 and "a run to a platform" in done.err, done


def test_the_record_of_a_simulator_of_its_own_goes_on(nbatch, simulator, tmp_path):
    write(tmp_path, [row_of(i) for i in range(1, 31)])
    words = ("run", "in.csv", "--endpoint", simulator().url, "-o", "r.csv")
    assert nbatch(*words).code == 0
    assert nbatch(*words, "--resume").code == 0


def test_a_complete_rehearsal_does_not_stand_in_the_way_of_the_run(nbatch, tmp_path, raw_peer):
    write(tmp_path, [row_of(i) for i in range(1, 31)])
    assert nbatch("run", "in.csv", "--simulate").code == 0
    assert (tmp_path / "in.rehearsal.csv").exists()
    peer = raw_peer(answering())
    assert nbatch("run", "in.csv", "--endpoint", peer.url).code == 0
    assert len(peer.processed) == 30 and len(read_results(tmp_path / "in.results.csv")) == 30


def test_jsonl_results_and_passed_columns_resume(nbatch, tmp_path, raw_peer):
    (tmp_path / "in.csv").write_text("site," + HEADER + "".join(f'"a, ""{i}"" b",{row_of(i)}' for i in range(1, 21)))
    for name in ("r.jsonl", "r2.csv"):
        peer = raw_peer(answering(lambda request: len(peer.processed) >= 7))
        words = ["run", "in.csv", "-o", name, "--pass", "site", "-c", "1"]
        assert nbatch(*words, "--endpoint", peer.url, "--halt", "rejected=1").code == 5
        second = raw_peer(answering())
        done = nbatch(*words, "--endpoint", second.url, "--resume=all")
        assert done.code == 0 and len(peer.processed) + len(second.processed) == 20, done
        lines = read_results(tmp_path / name)
        assert {line["site"] for line in lines} == {f'a, "{i}" b' for i in range(1, 21)}
        done = nbatch("run", "in.csv", "-o", name, "--endpoint", second.url, "--resume")
        assert done.code == 7 and "columns" in done.err, done  # --pass is missing


def test_a_pipe_resumes_too(nbatch, tmp_path, raw_peer):
    text = HEADER + "".join(row_of(i) for i in range(1, 41))
    peer = raw_peer(answering(lambda request: len(peer.processed) >= 10))
    words = ["run", "-", "--format", "csv", "-o", "r.csv", "-c", "1"]
    assert nbatch(*words, "--endpoint", peer.url, "--halt", "rejected=1", stdin=text).code == 5
    second = raw_peer(answering())
    done = nbatch(*words, "--endpoint", second.url, "--resume=rejected", stdin=text)
    assert done.code == 0 and "40 of 40 rows accounted for" in done.err, done
    assert max((imeis(peer) + imeis(second)).values()) == 1 and len(second.processed) == 30


def test_an_interrupted_run_resumes(run, tmp_path, raw_peer, fleet):
    fleet(2000, "in.csv")

    def slow(connection, number):
        while (request := connection.read_request()) is not None:
            time.sleep(0.01)
            connection.process(request)
            connection.reply(OK)

    peer = raw_peer(slow)
    process = subprocess.Popen([NBATCH, "run", "in.csv", "--endpoint", peer.url, "-o", "r.csv", "-c", "4"], cwd=tmp_path,
                               env={**os.environ, "NBATCH_API_KEY": KEY}, stderr=subprocess.PIPE)
    wait_for(lambda: len(peer.processed) >= 50)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130, process.stderr.read()
    process.stderr.close()
    second = raw_peer(answering())
    _, lines = run(second.url, "--resume")
    assert max((imeis(peer) + imeis(second)).values()) == 1
    assert len(lines) == 2000 and {line["status"] for line in lines} == {"accepted"}


def test_two_runs_on_one_results_file_exclude_each_other(nbatch, tmp_path, raw_peer, fleet):
    fleet(2000, "in.csv")
    over = threading.Event()

    def slow(connection, number):
        while (request := connection.read_request()) is not None:
            connection.process(request)
            if len(connection.peer.processed) > 20:
                over.wait(60)  # there it stays until it is killed
            connection.reply(OK)

    peer = raw_peer(slow)
    process = subprocess.Popen([NBATCH, "run", "in.csv", "--endpoint", peer.url, "-o", "r.csv", "-c", "2"], cwd=tmp_path,
                               env={**os.environ, "NBATCH_API_KEY": KEY}, stderr=subprocess.DEVNULL)
    wait_for(lambda: peer.processed)
    other = raw_peer(answering())
    for words in ([], ["--resume"], ["--resume=all"]):
        done = nbatch("run", "in.csv", "--endpoint", other.url, "-o", "r.csv", *words)
        assert done.code == 2 and f"in use by process {process.pid} on " in done.err, done
    assert other.processed == []
    process.send_signal(signal.SIGKILL)
    process.wait()
    over.set()
    done = nbatch("run", "in.csv", "--endpoint", other.url, "-o", "r.csv", "--resume", "--on-ambiguous", "hold")
    assert done.code in (0, 6), done  # the lock has gone with its holder


def test_sort_puts_a_complete_run_in_order(run, tmp_path, raw_peer):
    rows = [row_of(i) for i in range(1, 301)]
    write(tmp_path, rows)
    peer = raw_peer(answering(lambda request: request.imei in (imei(7), imei(250))))
    run(peer.url, code=1)
    write(tmp_path, rows[:249] + [row_of(250, 1)] + rows[250:])
    done, lines = run(raw_peer(answering()).url, "--resume=rejected", "--sort")
    assert [int(line["row"]) for line in lines] == list(range(1, 301))
    assert {line["status"] for line in lines} == {"accepted"}
    old = read_results(tmp_path / "r.superseded.csv")
    assert {(line["imei"], line["status"]) for line in old} == {(imei(7), "rejected"), (imei(250), "rejected")}
    done, again = run(raw_peer(answering()).url, "--resume", "--sort")  # a sorted file is a results file like others
    assert again == lines and len(read_results(tmp_path / "r.superseded.csv")) == 2


def test_sort_leaves_an_incomplete_run_as_it_is(run, tmp_path, raw_peer):
    write(tmp_path, [row_of(i) for i in range(1, 41)])
    peer = raw_peer(answering(lambda request: len(peer.processed) >= 10))
    run(peer.url, "-c", "1", "--halt", "rejected=1", "--sort", code=5)
    assert (tmp_path / "r.csv.journal").exists() and not (tmp_path / "r.superseded.csv").exists()
    _, lines = run(raw_peer(answering()).url, "--resume=rejected", "--sort")
    assert [int(line["row"]) for line in lines] == list(range(1, 41))


def test_nothing_is_left_behind_where_nothing_was_sent(nbatch, tmp_path, fleet):
    fleet(10, "in.csv")
    done = nbatch("run", "in.csv", "--endpoint", "http://127.0.0.1:1", "-o", "r.csv", "--outage-wait", "300ms")
    assert done.code == 4, done
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]


def test_a_journal_without_its_results_is_not_lost(run, tmp_path, raw_peer):
    half_done(run, tmp_path, raw_peer, [row_of(i) for i in range(1, 41)])
    (tmp_path / "r.csv").rename(tmp_path / "away.csv")
    for words in ([], ["--resume"]):
        done, _ = run("http://127.0.0.1:1", *words, code=2)
        assert "journal" in done.err, done
    (tmp_path / "away.csv").rename(tmp_path / "r.csv")
    run(raw_peer(answering()).url, "--resume=all")


def test_the_key_is_in_neither_file(run, tmp_path, raw_peer):
    half_done(run, tmp_path, raw_peer, [row_of(i) for i in range(1, 41)])
    for name in ("r.csv", "r.csv.journal"):
        assert KEY.encode() not in (tmp_path / name).read_bytes()
    assert (tmp_path / "r.csv.journal").stat().st_mode & 0o777 == 0o600


def test_standard_output_is_never_the_only_record(nbatch, tmp_path, raw_peer):
    peer = raw_peer(answering())
    done = nbatch("run", "-", "--format", "csv", "--endpoint", peer.url, "-o", "-", stdin=HEADER + row_of(1))
    assert done.code == 0 and "the results are kept in nbatch-" in done.err, done
    (path,) = tmp_path.glob("nbatch-*.results.csv")
    assert path.read_text() == done.out
