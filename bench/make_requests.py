#!/usr/bin/python3
"""Writes the requests of a CSV of bench/make_input.py, for tools that read no CSV.

    bench/make_requests.py FILE.csv BASE-URL REQUESTS.tsv CURL.config

REQUESTS.tsv has target and body of each row, with a tab between them; CURL.config is for curl
--config: one transfer a row, which prints the reply and the URL on one line.
"""
import csv
import sys
import time
import urllib.parse

NAMES = ("imei", "obj_id", "obj_inst_id", "mode", "expired_time", "retry")


def main():
    path, base, requests, config = sys.argv[1:5]
    expires = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + (7 * 24 + 8) * 3600))
    with open(path, newline="", encoding="ascii") as source, \
         open(requests, "w", encoding="ascii") as tsv, \
         open(config, "w", encoding="ascii") as curl:
        for number, row in enumerate(csv.DictReader(source)):
            query = {name: row[name] for name in NAMES} | {"expired_time": expires}
            target = "/nbiot/offline?" + urllib.parse.urlencode(query)
            body = '{"data":' + row["data"] + "}"
            tsv.write(f"{target}\t{body}\n")
            if number:
                curl.write("next\n")
            quoted = body.replace('"', '\\"')
            curl.write(f'url = "{base}{target}"\ndata = "{quoted}"\nsilent\nshow-error\n'
                       'header = "Content-Type: application/json"\n'
                       'header = "api-key: a-key-of-the-bench"\nwrite-out = "\\t%{url}\\n"\n')


main()
