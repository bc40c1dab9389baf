#!/bin/bash
# Measures the dry run (nbatch check FILE) beside what could be used instead, and prints Markdown.
#
#   bench/check.sh [--rows N] [--rounds R] [--nbatch PATH]
#
#   --rows N       rows of the input (default 1000000)
#   --rounds R     how often every tool runs; they take turns (default 5)
#   --nbatch PATH  the program (default build/release/nbatch, which is built)
#
# Three tables: CPU, speed and memory of every tool; memory of the check by rows; instructions per
# row, which do not depend on how busy the machine is. What is missing is installed from Debian
# (miller, nodejs, jq, valgrind; as root or through sudo), or left out with a word on standard
# error. Its files stand in a temporary folder (TMPDIR) that is removed; a million rows take 600 MB
# of it.
set -euo pipefail
caller=$PWD
cd "$(dirname "$0")/.."
. bench/lib.sh

rows=1000000
rounds=5
few=100
nbatch=

usage() {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' bench/check.sh >&2
  exit 2
}

while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case "$1" in
    --rows) rows=$2 ;;
    --rounds) rounds=$2 ;;
    --nbatch) nbatch=$2 ;;
    *) usage ;;
  esac
  shift 2
done
[[ $rows =~ ^[1-9][0-9]{0,7}$ && $rounds =~ ^[1-9][0-9]{0,3}$ ]] || usage
# A relative path is the caller's, not the project's.
[[ -z $nbatch || $nbatch = /* ]] || nbatch=$caller/$nbatch

choose_nbatch
need mlr miller
need node nodejs
need jq jq
need valgrind valgrind
choose_python

work=$(mktemp -d "${TMPDIR:-/tmp}/nbatch-bench.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# job GROUP TOOL FILE COMMAND...: a line for measure.py; a tool that is missing has none.
job() {
  local group=$1 tool=$2 file=$3
  shift 3
  have "$1" || return 0
  local count=${file##*/}
  (IFS=$'\t'; printf '%s\n' "$group	$tool	${count%%.*}	$file	$*")
}

# peers NAME FEW: every tool, on NAME.csv and NAME.jsonl, and nbatch on FEW, where data repeat.
# nbatch comes first: the others are compared with it.
peers() {
  local csv=$1.csv jsonl=$1.jsonl
  job CSV "nbatch check" "$csv" "$nbatch" check "$csv"
  job CSV "nbatch check, $few different data" "$2.csv" "$nbatch" check "$2.csv"
  job CSV "wc -l" "$csv" wc -l "$csv"
  job CSV "Python: csv, json, 3 fields" "$csv" "$python" bench/peers/check_csv.py "$csv"
  job CSV "Python: csv.DictReader, json, 3 fields" "$csv" \
    "$python" bench/peers/check_csv_dict.py "$csv"
  job CSV "Node: split, JSON.parse" "$csv" node bench/peers/parse.js "$csv"
  job CSV "Miller: --ojson cat" "$csv" mlr --icsv --ojson cat "$csv"
  job JSONL "nbatch check" "$jsonl" "$nbatch" check "$jsonl"
  job JSONL "nbatch check, $few different data" "$2.jsonl" "$nbatch" check "$2.jsonl"
  job JSONL "wc -l" "$jsonl" wc -l "$jsonl"
  job JSONL "Python: json, 3 fields" "$jsonl" "$python" bench/peers/check_jsonl.py "$jsonl"
  job JSONL "Node: JSON.parse" "$jsonl" node bench/peers/parse.js "$jsonl"
  job JSONL "jq -c .mode" "$jsonl" jq -c .mode "$jsonl"
}

make_input() { "$python" bench/make_input.py "$1" "$work/$1.csv" "$work/$1.jsonl"; }

# A check that finds something to say about the input would not measure what is meant.
check_input() {
  local file clean="\"valid\":$1,\"invalid\":0,\"warnings\":0,"
  for file in "$work/$1.csv" "$work/$1.jsonl"; do
    "$nbatch" check --strict --quiet --json "$file" | grep -qF "$clean" ||
      { say "nbatch does not find $1 good rows in the input"; exit 1; }
  done
}

versions() {
  local cpu linux
  linux=$(uname -r)
  cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | sed 1q)
  printf '%s, %s cores, one of them used; ' "${cpu:-$(uname -m)}" "$(nproc)"
  printf 'Linux %s;\n%s, %s' "${linux%%-*}" "$("$nbatch" --version)" "$("$python" --version)"
  if have node; then printf ', Node %s' "$(node --version)"; fi
  if have mlr; then printf ', %s' "$(mlr --version | sed 1q)"; fi
  if have jq; then printf ', %s' "$(jq --version)"; fi
  printf '.\n'
}

memory_jobs() {
  local group count file
  for group in CSV JSONL; do
    for count in 10000 100000 1000000; do
      file=$work/$count.${group,,}
      job "$group" "nbatch check" "$file" "$nbatch" check "$file"
    done
  done
}

# instructions COMMAND...: how many it executes.
instructions() {
  valgrind --tool=callgrind --callgrind-out-file="$work/callgrind.out" "$@" 2>&1 >/dev/null |
    sed -n 's/.*Collected : *\([0-9]*\).*/\1/p'
}

# marginal GROUP TOOL COMMAND...: COMMAND with the small file and with the larger one after it.
marginal() {
  local group=$1 tool=$2 ext few many
  shift 2
  have "$1" || return 0
  ext=${group,,}
  few=$(instructions "$@" "$work/1000.$ext") || few=
  many=$(instructions "$@" "$work/3000.$ext") || many=
  [[ -n $few && -n $many ]] || { say "callgrind could not run $1"; return 0; }
  printf '| %s | %s | %s |\n' "$group" "$tool" "$(((many - few) / 2000))"
}

for count in 1000 3000 10000 100000 1000000 "$rows"; do
  [ -e "$work/$count.csv" ] || make_input "$count"
done
mkdir "$work/few"
"$python" bench/make_input.py "$rows" "$work/few/$rows.csv" "$work/few/$rows.jsonl" "$few"
check_input 1000
check_input "$rows"

printf '%s rows, %s rounds, medians. %s\n\n' "$rows" "$rounds" "$(versions)"
peers "$work/$rows" "$work/few/$rows" | "$python" -IS bench/measure.py speed "$rounds"

printf '\nMemory of nbatch check, distinct devices:\n\n'
memory_jobs | "$python" -IS bench/measure.py memory

if have valgrind; then
  printf '\nInstructions per row (callgrind, from 1000 to 3000 rows):\n\n'
  printf '| input | tool | instructions per row |\n|---|---|---|\n'
  marginal CSV "nbatch check" "$nbatch" check
  marginal CSV "wc -l" wc -l
  marginal CSV "Python: csv, json, 3 fields" "$python" bench/peers/check_csv.py
  marginal JSONL "nbatch check" "$nbatch" check
  marginal JSONL "wc -l" wc -l
  marginal JSONL "Python: json, 3 fields" "$python" bench/peers/check_jsonl.py
  marginal JSONL "jq -c .mode" jq -c .mode
fi
