"""Inputs that are not plain UTF-8 CSV with commas: each is read as what it is, or refused with what to do."""
import ctypes
import gzip

import pytest
from conftest import HEADER, imei, read_results, row_of

TEXT = HEADER + row_of(1) + row_of(2) + row_of(3)


def pack_zstd(data):
    """By the library that the program is linked to: Debian's python3 has no module for it."""
    lib = ctypes.CDLL("libzstd.so.1")
    lib.ZSTD_compressBound.restype = ctypes.c_size_t
    lib.ZSTD_compress.restype = ctypes.c_size_t
    lib.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    room = lib.ZSTD_compressBound(ctypes.c_size_t(len(data)))
    out = ctypes.create_string_buffer(room)
    made = lib.ZSTD_compress(out, room, data, len(data), 3)
    return out.raw[:made]


PACKERS = {"gz": gzip.compress, "zst": pack_zstd, "zstd": pack_zstd}


def write(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def check(nbatch, path, code, *words, options=(), stdin=None):
    done = nbatch("check", path, *options, stdin=stdin, text=stdin is None)
    if stdin is not None:
        done.told = done.told.decode()
    assert done.code == code, done
    for word in words:
        assert word in done.told, done
    return done


@pytest.mark.parametrize("extension", PACKERS)
def test_a_compressed_file_is_read(nbatch, tmp_path, extension):
    path = write(tmp_path, PACKERS[extension](TEXT.encode()), f"fleet.csv.{extension}")
    check(nbatch, path, 0, "3 rows, 3 valid")


def test_compressed_jsonl_is_read(nbatch, tmp_path, fleet_jsonl):
    data = fleet_jsonl(3).read_bytes()
    check(nbatch, write(tmp_path, gzip.compress(data), "x.jsonl.gz"), 0, "3 rows, 3 valid")


@pytest.mark.parametrize("extension", ["gz", "zst"])
def test_the_first_bytes_count_and_not_the_name(nbatch, tmp_path, extension):
    packed = PACKERS[extension](TEXT.encode())
    check(nbatch, write(tmp_path, packed, "fleet.csv"), 0, "3 rows, 3 valid")
    check(nbatch, write(tmp_path, TEXT, f"fleet.csv.{extension}"), 0, "3 rows, 3 valid")


@pytest.mark.parametrize("extension", ["gz", "zst"])
def test_compressed_standard_input_is_read(nbatch, extension):
    check(nbatch, "-", 0, "3 rows, 3 valid", options=["--format", "csv"], stdin=PACKERS[extension](TEXT.encode()))


def test_members_one_behind_the_other_and_padding_are_read(nbatch, tmp_path):
    packed = gzip.compress((HEADER + row_of(1)).encode()) + gzip.compress(row_of(2).encode()) + b"\0" * 512
    check(nbatch, write(tmp_path, packed, "fleet.csv.gz"), 0, "2 rows, 2 valid")


@pytest.mark.parametrize("extension", ["gz", "zst"])
def test_a_file_that_is_cut_off_is_refused(nbatch, tmp_path, extension):
    packed = PACKERS[extension](TEXT.encode())
    path = write(tmp_path, packed[:-5], f"fleet.csv.{extension}")
    done = check(nbatch, path, 3, f"fleet.csv.{extension}:", "cut off", "E-COMPRESSED", "copy or make it again")
    assert "3 rows" not in done.told
    check(nbatch, "-", 3, "standard input:", "cut off", "E-COMPRESSED", options=["--format", "csv"],
          stdin=packed[:-5])


def test_damage_names_the_line_it_was_noticed_at(nbatch, tmp_path):
    packed = bytearray(gzip.compress(TEXT.encode()))
    packed[-8] ^= 1
    done = check(nbatch, write(tmp_path, bytes(packed), "fleet.csv.gz"), 3, "fleet.csv.gz:5:",
                 "damaged behind byte", "incorrect data check", "[E-COMPRESSED]")
    assert "rows," not in done.told


def test_a_damaged_file_sends_nothing(nbatch, tmp_path, raw_peer):
    peer = raw_peer(lambda connection, number: connection.process(connection.read_request()))
    path = write(tmp_path, gzip.compress(TEXT.encode())[:-1], "fleet.csv.gz")
    done = nbatch("run", path, "--endpoint", peer.url)
    assert done.code == 3 and "nothing was sent" in done.told, done
    assert peer.processed == []


def test_a_compressed_pipe_that_is_cut_off_says_that_not_all_was_sent(nbatch, tmp_path):
    packed = gzip.compress((HEADER + "".join(row_of(i) for i in range(1, 5001))).encode())
    done = nbatch("run", "-", "--format", "csv", "--simulate", "-o", "out.csv", stdin=packed[:-4], text=False)
    assert done.code == 3, done
    assert b"E-COMPRESSED" in done.told and b"nothing was sent" not in done.told and b"was stopped" in done.told, done
    assert 1000 < len(read_results(tmp_path / "out.csv")) <= 5000


@pytest.mark.parametrize("extension", ["gz", "zst"])
def test_a_run_over_a_compressed_file_names_its_results_as_for_the_plain_one(nbatch, tmp_path, extension):
    path = write(tmp_path, PACKERS[extension](TEXT.encode()), f"fleet.csv.{extension}")
    done = nbatch("run", path, "--simulate")
    assert done.code == 0, done
    rows = read_results(tmp_path / "fleet.rehearsal.csv")
    assert sorted(row["imei"] for row in rows) == [imei(1), imei(2), imei(3)]
    assert {row["status"] for row in rows} == {"accepted"}


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_named_encoding_is_read(nbatch, tmp_path, encoding):
    value = "café" if encoding == "cp1252" else "中文"
    path = write(tmp_path, (HEADER + row_of(1, value)).encode(encoding), "fleet.csv")
    name = encoding.replace("utf-16-", "utf-16")
    check(nbatch, path, 0, "1 row, 1 valid", options=["--encoding", name])
    check(nbatch, path, 3, options=[])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "gb18030", "utf-8"])
def test_a_byte_order_mark_tells_the_encoding(nbatch, tmp_path, encoding):
    text = "\ufeff" + HEADER + row_of(1, "中文")
    path = write(tmp_path, text.encode(encoding), "fleet.csv")
    check(nbatch, path, 0, "1 row, 1 valid")
    check(nbatch, "-", 0, "1 row, 1 valid", options=["--format", "csv"], stdin=path.read_bytes())
    check(nbatch, write(tmp_path, gzip.compress(path.read_bytes()), "x.csv.gz"), 0, "1 row, 1 valid")


def test_the_device_gets_what_the_file_says(nbatch, tmp_path, raw_peer):
    bodies = []

    def serve(connection, number):
        request = connection.read_request()
        bodies.append(request.body)
        connection.process(request)

    peer = raw_peer(serve)
    path = write(tmp_path, (HEADER + row_of(1, "中文𠀀")).encode("gb18030"), "fleet.csv")
    done = nbatch("run", path, "--encoding", "gb18030", "--endpoint", peer.url, "--max-attempts", "1")
    assert len(bodies) == 1 and "中文𠀀".encode() in bodies[0], done


def test_a_mark_that_contradicts_the_option_is_refused(nbatch, tmp_path):
    path = write(tmp_path, ("\ufeff" + TEXT).encode(), "fleet.csv")
    check(nbatch, path, 3, "fleet.csv:1:", "byte order mark of UTF-8", "GB18030", "leave --encoding out", "E-ENCODING",
          options=["--encoding", "gb18030"])


def test_an_unknown_encoding_is_refused_with_examples(nbatch, tmp_path):
    path = write(tmp_path, TEXT, "fleet.csv")
    for name in ("klingon", "utf-7", "gbk//IGNORE"):
        check(nbatch, path, 2, name, options=["--encoding", name])
    check(nbatch, path, 2, "gb18030", "gbk", "utf-16", options=["--encoding", "klingon"])


def test_bytes_that_are_no_utf8_hint_at_the_encoding(nbatch, tmp_path):
    path = write(tmp_path, (HEADER + row_of(1) + row_of(2, "中文")).encode("gb18030"), "fleet.csv")
    done = check(nbatch, path, 3, "fleet.csv:3: res:5850: is not valid UTF-8; if it comes from Excel in China, "
                                  "try --encoding gb18030 [E-UTF8]")
    assert "2 rows, 1 valid, 1 invalid" in done.told


def test_bytes_that_are_illegal_in_the_named_encoding_spoil_their_row_alone(nbatch, tmp_path):
    content = HEADER.encode() + row_of(1, "中文").encode("gbk") + row_of(2).encode().replace(b"\n", b"\xff\n")
    path = write(tmp_path, content + row_of(3).encode(), "fleet.csv")
    done = check(nbatch, path, 3, "fleet.csv:3: res:5850: is not valid GBK [E-UTF8]", options=["--encoding", "gbk"])
    assert "3 rows, 2 valid, 1 invalid" in done.told


@pytest.mark.parametrize("names, delimiter", [((";", "semicolon"), ";"), (("tab", "\\t", "\t"), "\t"),
                                              (("|", "pipe"), "|"), ((",", "comma"), ",")])
def test_another_delimiter_is_read(nbatch, tmp_path, names, delimiter):
    path = write(tmp_path, TEXT.replace(",", delimiter), "fleet.csv")
    for name in names:
        check(nbatch, path, 0, "3 rows, 3 valid", options=["--delimiter", name])


@pytest.mark.parametrize("delimiter, name", [(";", "semicolon"), ("|", "pipe"), ("\t", "tab")])
def test_a_wrong_delimiter_is_told(nbatch, tmp_path, delimiter, name):
    path = write(tmp_path, "\n" + TEXT.replace(",", delimiter), "fleet.csv")
    check(nbatch, path, 3, "[E-DELIMITER]:\n", "\nthis command reads it:\n", f"fleet.csv --delimiter {name}\n")


def test_a_comma_under_another_delimiter_is_told(nbatch, tmp_path):
    check(nbatch, write(tmp_path, TEXT, "fleet.csv"), 3, "separated by commas", "--delimiter comma", options=["--delimiter", ";"])


def test_the_delimiter_must_be_one(nbatch, tmp_path, fleet_jsonl):
    path = write(tmp_path, TEXT, "fleet.csv")
    for bad in ("a", "7", '"', ";;", " ", "；"):
        check(nbatch, path, 2, "--delimiter", "must be one ASCII character", options=["--delimiter", bad])
    check(nbatch, fleet_jsonl(1), 2, "fleet.jsonl", "leave --delimiter out", options=["--delimiter", ";"])
