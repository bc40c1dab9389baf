#!/usr/bin/python3
"""Writes N valid rows, the same ones every time: one write of two resources for each of N devices.

    bench/make_input.py N FILE.csv FILE.jsonl [DIFFERENT]

Both files hold the same commands. A CSV row has 100 bytes, its line break counted. The IMEIs are
distinct, in no order, and their check digits fit; the time is relative, so that it stays right.
Of DIFFERENT values of `data` there are that many, else about as many as rows.
"""
import sys

DEVICES = 10**8  # as many as eight digits after the prefix can tell apart
STRIDE = 61803399  # odd and no multiple of five: visits each of them once
LUHN_TWICE = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # digit sum of twice the digit


def imei(row):
    body = f"865820{row * STRIDE % DEVICES:08d}"
    total = sum(LUHN_TWICE[int(c)] if at % 2 else int(c) for at, c in enumerate(body))
    return f"{body}{-total % 10}"


def values(row):
    """Two values, eleven characters in all: what makes a row 100 bytes long."""
    level = 1000 + row * 7919 % 900000 / 100
    return ("true", f"{level:.2f}") if row % 2 else ("false", f"{level:.1f}")


def main():
    if len(sys.argv) not in (4, 5) or not sys.argv[1].isdigit() or int(sys.argv[1]) > DEVICES:
        sys.exit(__doc__)
    different = int(sys.argv[4]) if len(sys.argv) == 5 else DEVICES
    with open(sys.argv[2], "x", encoding="ascii") as csv, \
         open(sys.argv[3], "x", encoding="ascii") as jsonl:
        csv.write("imei,obj_id,obj_inst_id,mode,expired_time,retry,data\n")
        for row in range(int(sys.argv[1])):
            device = imei(row)
            on, level = values(row % different)
            data = f'[{{"res_id":5850,"val":{on}}},{{"res_id":5851,"val":{level}}}]'
            cell = data.replace('"', '""')
            csv.write(f'{device},3311,0,2,+7d,3,"{cell}"\n')
            jsonl.write(f'{{"imei":"{device}","obj_id":3311,"obj_inst_id":0,"mode":2,'
                        f'"expired_time":"+7d","retry":3,"data":{data}}}\n')


main()
