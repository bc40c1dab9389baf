// Sends each row of a CSV, 64 at a time, and writes a line for each: a straightforward undici script.
//
//   NODE_PATH=…/node_modules node bench/peers/send_undici.js FILE.csv BASE-URL RESULTS.csv
//
// Knows just the CSV of bench/make_input.py (data is the last cell, and the only quoted one). Checks
// nothing, records nothing ahead, sends nothing again.
'use strict';
const fs = require('fs');
const readline = require('readline');
const { Pool } = require('undici');

const CONCURRENCY = 64;
const [path, base, results] = process.argv.slice(2);
const expires = new Date(Date.now() + (7 * 24 + 8) * 3600e3).toISOString().slice(0, 19);
const headers = { 'content-type': 'application/json', 'api-key': 'a-key-of-the-bench' };

async function work(lines, pool, out) {
  for (;;) {
    const { value: line, done } = await lines.next();
    if (done) return;
    const [imei, object, instance, mode, , retry] = line.split(',', 6);
    const data = JSON.parse(line.slice(line.indexOf(',"') + 2, -1).replaceAll('""', '"'));
    const query = new URLSearchParams({
      imei, obj_id: object, obj_inst_id: instance, mode, expired_time: expires, retry,
    });
    const { statusCode, body } = await pool.request({
      method: 'POST', path: `/nbiot/offline?${query}`, headers, body: JSON.stringify({ data }),
    });
    const reply = await body.json();
    out.write(`${imei},${statusCode},${reply.errno},${reply.data.uuid}\n`);
  }
}

async function main() {
  const input = readline.createInterface({ input: fs.createReadStream(path) });
  const lines = input[Symbol.asyncIterator]();
  const pool = new Pool(base, { connections: CONCURRENCY });
  const out = fs.createWriteStream(results);
  await lines.next(); // the header
  await Promise.all(Array.from({ length: CONCURRENCY }, () => work(lines, pool, out)));
  await pool.close();
  out.end();
}

main();
