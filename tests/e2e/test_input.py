"""Bad input: each has a clear message and its exit code, and nothing is sent."""
import os
import subprocess

import pytest
from conftest import HEADER, KEY, NBATCH, imei, read_results, row_of


def refused(nbatch, path, code, *words, command="check", options=()):
    done = nbatch(command, path, *options)
    assert done.code == code, done
    for word in words:
        assert word in done.told, done
    return done


def write(tmp_path, content, name="in.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_file_that_is_missing_is_refused(nbatch):
    refused(nbatch, "nowhere.csv", 2, "nowhere.csv", "No such file")


def test_a_directory_is_refused(nbatch, tmp_path):
    (tmp_path / "dir.csv").mkdir()
    refused(nbatch, "dir.csv", 2, "dir.csv", "directory")


def test_unreadable_file(nbatch, tmp_path):
    path = write(tmp_path, HEADER + row_of(1))
    path.chmod(0)
    if os.geteuid() != 0:
        refused(nbatch, path, 2, "Permission denied")
        return
    path.chmod(0o644)
    # Root reads everything: the call is made as another user.
    tmp_path.chmod(0o755)
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "--", "sh", "-c", "echo ok"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("cannot change the user here")
    path.chmod(0)
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "--", NBATCH, "check", str(path)],
                          capture_output=True, text=True, check=False)
    if done.returncode in (126, 127):
        pytest.skip("the other user cannot reach the program")
    assert done.returncode == 2 and "Permission denied" in done.stderr


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"  \r\n \n"])
def test_an_empty_file_is_refused(nbatch, tmp_path, content):
    refused(nbatch, write(tmp_path, content), 3, "empty", "E-EMPTY")


def test_a_header_without_rows_is_refused(nbatch, tmp_path):
    refused(nbatch, write(tmp_path, HEADER), 3, "no data rows", "E-EMPTY")


def test_an_empty_jsonl_is_refused(nbatch, tmp_path):
    refused(nbatch, write(tmp_path, "\n \n", "in.jsonl"), 3, "empty", "E-EMPTY")


def test_unknown_columns_are_all_named_with_the_nearest(nbatch, tmp_path):
    path = write(tmp_path, "imei,object_id,obj_id,obj_inst_id,mode,expired_tme,expired_time,res:x,data\n" + "1\n")
    refused(nbatch, path, 3, "object_id: unknown column", "expired_tme: unknown column; did you mean expired_time?",
            "res:x: is no resource column", "in.csv:1:")


def test_missing_columns_are_all_named(nbatch, tmp_path):
    refused(nbatch, write(tmp_path, "imei,obj_id\n1,2\n"), 3, "[E-COLUMN-MISSING]",
            "the values that all rows share: expired_time, obj_inst_id, mode", "the resource that all rows set, and its value",
            "--set expired_time=... --set obj_inst_id=... --set mode=... --set res:...=...")


def test_duplicate_columns_are_named(nbatch, tmp_path):
    refused(nbatch, write(tmp_path, "imei,imei,obj_id,obj_id\n1,2,3,4\n"), 3, "columns 1 and 2", "columns 3 and 4",
            "E-DUPLICATE")


def test_row_too_long_is_named_and_the_next_is_read(nbatch, tmp_path):
    path = write(tmp_path, HEADER + f"{imei(1)},3311,0,2,+7d,{'x' * 300}\n" + row_of(2))
    done = refused(nbatch, path, 3, "in.csv:2:", "longer than 200 bytes", options=["--max-row-bytes", "200"])
    assert "2 rows, 1 valid, 1 invalid" in done.told


def test_a_quote_that_is_never_closed_names_its_line(nbatch, tmp_path):
    path = write(tmp_path, HEADER + row_of(1) + f'{imei(2)},3311,0,2,+7d,"oops\n' + row_of(3))
    refused(nbatch, path, 3, "in.csv:3:", "E-QUOTE")


def test_invalid_utf8_names_line_and_column(nbatch, tmp_path):
    path = write(tmp_path, HEADER.encode() + row_of(1).encode() + imei(2).encode() + b",3311,0,2,+7d,\xd6\xd0\n")
    refused(nbatch, path, 3, "in.csv:3: res:5850", "UTF-8", "E-UTF8")


def test_nul_bytes_are_refused(nbatch, tmp_path):
    path = write(tmp_path, HEADER.encode() + imei(1).encode() + b",3311,0,2,+7d,a\x00b\n")
    refused(nbatch, path, 3, "in.csv:2:", "E-NUL")
    path = write(tmp_path, b'{"imei":"\x00"}\n', "in.jsonl")
    refused(nbatch, path, 3, "in.jsonl:1:", "E-NUL")


def test_wrong_number_of_cells_says_both(nbatch, tmp_path):
    refused(nbatch, write(tmp_path, HEADER + "1,2,3\n"), 3, "has 3 cells, the header has 6", "E-CELLS")


def test_physical_lines_are_counted_through_quoted_newlines_and_crlf(nbatch, tmp_path):
    path = write(tmp_path, "imei,obj_id,obj_inst_id,mode,expired_time,data\r\n"
                 f'{imei(1)},1,0,2,+1h,"[\r\n{{""res_id"":1,\r\n""val"":1}}]"\r\n'
                 "\r\n"
                 f'{imei(2)},1,0,9,+1h,"[{{""res_id"":1,""val"":1}}]"')
    done = refused(nbatch, path, 3, "in.csv:6: mode: 9 is outside 1–2")
    assert "2 rows, 1 valid, 1 invalid" in done.told


def test_bom_crlf_and_no_final_newline_are_fine(nbatch, tmp_path):
    text = "\ufeff" + (HEADER + row_of(1) + row_of(2)).replace("\n", "\r\n").rstrip()
    done = nbatch("check", write(tmp_path, text))
    assert done.code == 0, done
    assert "2 rows, 2 valid" in done.told


def test_json_that_rfc_8259_forbids(nbatch, tmp_path):
    good = f'{{"imei":"{imei(1)}","obj_id":1,"obj_inst_id":0,"mode":2,"expired_time":"+1h","data":[{{"res_id":1,"val":1}}]}}'
    for bad in ("{", "[1]", "1", '{"imei":01}', '{"imei":"a\tb"}', good + "x", good[:-1] + ',"mode":1}', "{'imei':1}",
                '{"imei":"\\ud800"}', good.replace("}]", ",}]")):
        path = write(tmp_path, good + "\n" + bad + "\n", "in.jsonl")
        done = refused(nbatch, path, 3, "in.jsonl:2:")
        assert "2 rows, 1 valid, 1 invalid" in done.told, bad


def test_unknown_extension_asks_for_the_format(nbatch, tmp_path):
    path = write(tmp_path, HEADER + row_of(1), "fleet.txt")
    refused(nbatch, path, 2, "--format")
    assert nbatch("check", path, "--format", "csv").code == 0
    assert nbatch("check", path, "--format", "xml").code == 2


def test_a_spreadsheet_that_is_not_read_is_to_be_saved(nbatch, tmp_path):
    for name in ("fleet.XLS", "fleet.ods", "fleet.numbers", "fleet.et"):
        refused(nbatch, write(tmp_path, "text", name), 2, f"{name}: this kind of spreadsheet", ".xlsx", "CSV UTF-8")


def test_problems_of_a_whole_file_are_counted_and_the_first_are_shown(nbatch, tmp_path):
    path = write(tmp_path, HEADER + "".join(f"{imei(i)},3311,0,3,+7d,1\n" for i in range(50)))
    done = refused(nbatch, path, 3, "… and 45 more", "E-RANGE", "50 rows, 0 valid, 50 invalid")
    assert done.told.count("[E-RANGE]") == 5


def test_check_says_what_it_found_as_json(nbatch, tmp_path):
    import json
    path = write(tmp_path, HEADER + row_of(1) + row_of(2).replace(",2,", ",5,"))
    done = nbatch("check", path, "--json")
    assert done.code == 3
    summary = json.loads(done.out)
    assert (summary["rows"], summary["valid"], summary["invalid"], summary["exit_status"]) == (2, 1, 1, 3)


def test_invalid_input_sends_nothing(nbatch, tmp_path, raw_peer):
    peer = raw_peer(lambda connection, number: connection.process(connection.read_request()))
    path = write(tmp_path, HEADER + row_of(1) + row_of(2).replace(",2,", ",5,"))
    done = nbatch("run", path, "--endpoint", peer.url)
    assert done.code == 3
    assert "nothing was sent" in done.told and "--skip-invalid" in done.told
    assert peer.processed == []
    assert not (tmp_path / "in.results.csv").exists()


def test_dry_run_touches_no_network(nbatch, tmp_path, fleet):
    """strace shows that check makes no socket at all."""
    if b"__asan_init" in open(NBATCH, "rb").read():
        pytest.skip("LeakSanitizer does not work under strace")
    path = fleet(100)
    trace = tmp_path / "trace"
    done = subprocess.run(["strace", "-f", "-e", "trace=network", "-o", trace, NBATCH, "run", "-n", path],
                          capture_output=True, text=True, check=False, env={**os.environ, "NBATCH_API_KEY": KEY})
    assert done.returncode == 0, done.stderr
    calls = [line for line in trace.read_text().splitlines() if "+++" not in line and "---" not in line]
    assert calls == []
