#!/usr/bin/python3
"""Sends each row of a CSV, 64 at a time, and writes a line for each: a straightforward aiohttp script.

    bench/peers/send_aiohttp.py FILE.csv BASE-URL RESULTS.csv

It checks nothing, records nothing ahead, sends nothing again.
"""
import asyncio
import csv
import json
import sys
import time

import aiohttp

CONCURRENCY = 64
NAMES = ("imei", "obj_id", "obj_inst_id", "mode", "expired_time", "retry")


async def work(rows, session, url, out):
    for row in rows:
        query = {name: row[name] for name in NAMES}
        body = json.dumps({"data": json.loads(row["data"])})
        async with session.post(url, params=query, data=body) as response:
            reply = json.loads(await response.text())
        out.writerow((row["imei"], response.status, reply["errno"], reply["data"]["uuid"]))


async def main(path, base, results):
    expires = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + (7 * 24 + 8) * 3600))
    headers = {"api-key": "a-key-of-the-bench", "Content-Type": "application/json"}
    with open(path, newline="", encoding="utf-8") as source, \
         open(results, "w", newline="", encoding="utf-8") as target:
        rows = ({**row, "expired_time": expires} for row in csv.DictReader(source))
        out = csv.writer(target)
        connector = aiohttp.TCPConnector(limit=CONCURRENCY)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            url = base + "/nbiot/offline"
            await asyncio.gather(*(work(rows, session, url, out) for _ in range(CONCURRENCY)))


asyncio.run(main(*sys.argv[1:4]))
