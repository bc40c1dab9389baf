#!/usr/bin/python3
"""Checks three members of each line of a JSONL file, the way a quick script does: imei, mode, data.

    bench/peers/check_jsonl.py FILE.jsonl

Says how many rows it saw and how many were bad; exit status 1 when there were any.
"""
import json
import sys


def good(line):
    try:
        row = json.loads(line)
        imei = row["imei"]
        return (len(imei) == 15 and imei.isdigit() and row["mode"] in (1, 2)
                and isinstance(row["data"], list))
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def main():
    rows = bad = 0
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            rows += 1
            bad += not good(line)
    print(f"{rows} rows, {bad} bad")
    sys.exit(1 if bad else 0)


main()
