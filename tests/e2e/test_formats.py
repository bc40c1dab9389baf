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
        done.err = done.err.decode()
    assert done.code == code, done
    for word in words:
        assert word in done.err, done
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
    assert "3 rows" not in done.err
    check(nbatch, "-", 3, "standard input:", "cut off", "E-COMPRESSED", options=["--format", "csv"],
          stdin=packed[:-5])


def test_damage_names_the_line_it_was_noticed_at(nbatch, tmp_path):
    packed = bytearray(gzip.compress(TEXT.encode()))
    packed[-8] ^= 1
    done = check(nbatch, write(tmp_path, bytes(packed), "fleet.csv.gz"), 3, "fleet.csv.gz:5:",
                 "damaged behind byte", "incorrect data check", "[E-COMPRESSED]")
    assert "rows," not in done.err


def test_a_damaged_file_sends_nothing(nbatch, tmp_path, raw_peer):
    peer = raw_peer(lambda connection, number: connection.process(connection.read_request()))
    path = write(tmp_path, gzip.compress(TEXT.encode())[:-1], "fleet.csv.gz")
    done = nbatch("run", path, "--endpoint", peer.url)
    assert done.code == 3 and "nothing was sent" in done.err, done
    assert peer.processed == []


def test_a_compressed_pipe_that_is_cut_off_says_that_not_all_was_sent(nbatch, tmp_path):
    packed = gzip.compress(TEXT.encode())
    done = nbatch("run", "-", "--format", "csv", "--simulate", "-o", "out.csv", stdin=packed[:-4], text=False)
    assert done.code == 7, done
    assert b"E-COMPRESSED" in done.err and b"nothing was sent" not in done.err and b"was stopped" in done.err, done
    assert len(read_results(tmp_path / "out.csv")) == 3


@pytest.mark.parametrize("extension", ["gz", "zst"])
def test_a_run_over_a_compressed_file_names_its_results_as_for_the_plain_one(nbatch, tmp_path, extension):
    path = write(tmp_path, PACKERS[extension](TEXT.encode()), f"fleet.csv.{extension}")
    done = nbatch("run", path, "--simulate")
    assert done.code == 0, done
    rows = read_results(tmp_path / "fleet.results.csv")
    assert sorted(row["imei"] for row in rows) == [imei(1), imei(2), imei(3)]
    assert {row["status"] for row in rows} == {"accepted"}
