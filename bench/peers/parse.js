// Goes through a file line by line and parses the JSON of each: the whole line of JSONL; of CSV the
// last cell, found by a simple split. Checks nothing else.
//
//   node bench/peers/parse.js FILE.csv|FILE.jsonl
//
// Says how many rows it saw and how many were bad; exit status 1 when there were any.
'use strict';
const fs = require('fs');
const readline = require('readline');

const file = process.argv[2];
const csv = file.endsWith('.csv');
let lines = 0;
let bad = 0;

function lastCell(line) {
  return line.slice(line.indexOf(',"') + 2, -1).replaceAll('""', '"');
}

readline.createInterface({ input: fs.createReadStream(file) })
  .on('line', (line) => {
    lines++;
    if (csv && lines === 1) return;
    try {
      JSON.parse(csv ? lastCell(line) : line);
    } catch {
      bad++;
    }
  })
  .on('close', () => {
    console.log(`${csv ? lines - 1 : lines} rows, ${bad} bad`);
    process.exitCode = bad ? 1 : 0;
  });
