#!/bin/bash
# Measures how a workbook (.xlsx) is read and checked, beside what else reads one: xlsx2csv, which
# makes a CSV of it, and openpyxl, which reads its rows; neither checks anything. Prints Markdown.
#
#   bench/book.sh [--rows N] [--rounds R] [--nbatch PATH]
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/lib.sh

rows=1000000
rounds=3
nbatch=
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' bench/book.sh >&2; exit 2; }
  case "$1" in
    --rows) rows=$2 ;;
    --rounds) rounds=$2 ;;
    --nbatch) nbatch=$2 ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' bench/book.sh >&2; exit 2 ;;
  esac
  shift 2
done
choose_nbatch
choose_python
need xlsx2csv xlsx2csv
"$python" -c 'import openpyxl' 2>/dev/null || need openpyxl python3-openpyxl
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -IS bench/make_input.py "$rows" "$work/fleet.csv" "$work/fleet.jsonl"
"$python" -I bench/make_book.py "$work/fleet.csv" "$work/fleet.xlsx"
job() { local IFS=$'\t'; printf '%s\n' "$*"; }
{
  job xlsx "nbatch check" "$rows" "$work/fleet.xlsx" "$nbatch" check -q "$work/fleet.xlsx"
  job xlsx "xlsx2csv" "$rows" "$work/fleet.xlsx" xlsx2csv "$work/fleet.xlsx"
  job xlsx "openpyxl, read only" "$rows" "$work/fleet.xlsx" "$python" bench/read_book.py "$work/fleet.xlsx"
} | "$python" -IS bench/measure.py speed "$rounds"
