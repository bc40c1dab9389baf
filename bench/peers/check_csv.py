#!/usr/bin/python3
"""Checks three fields of each row of a CSV, the way a quick script does: imei, mode, data.

    bench/peers/check_csv.py FILE.csv

Says how many rows it saw and how many were bad; exit status 1 when there were any.
"""
import csv
import json
import sys


def good(imei, mode, data):
    if len(imei) != 15 or not imei.isdigit() or mode not in ("1", "2"):
        return False
    try:
        return isinstance(json.loads(data), list)
    except ValueError:
        return False


def main():
    rows = bad = 0
    with open(sys.argv[1], newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader)
        imei, mode, data = (header.index(name) for name in ("imei", "mode", "data"))
        for row in reader:
            rows += 1
            bad += not good(row[imei], row[mode], row[data])
    print(f"{rows} rows, {bad} bad")
    sys.exit(1 if bad else 0)


main()
