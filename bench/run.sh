#!/bin/bash
# Measures nbatch run beside what could be used instead, on the same work, and prints Markdown.
#
#   bench/run.sh [--tls] [--rows N] [--rounds R] [--largest N] [--nbatch PATH]
#
#   --tls          over TLS 1.3 and kept connections, with a certificate that nbatch, undici and
#                  libcurl verify (wrk, h2load and hey do not); the first table alone, without curl
#                  and aiohttp
#   --rows N       rows that each tool sends in a round (default 50000)
#   --rounds R     how often every tool runs; they take turns (default 5)
#   --largest N    the largest file of the tables by rows (default 1000000)
#   --nbatch PATH  the program (default build/release/nbatch, which is built)
#
# The work: a POST for each row of a CSV, with a URL and body of its own, 64 connections, the reply's
# JSON parsed, a line of results for each row; nginx answers, on another core. Four tables: every
# tool; CPU and memory by rows; nbatch and libcurl alone by connections; a small file from start to
# end. What is missing is installed from Debian (nginx-light, python3-aiohttp, nodejs, npm, curl,
# parallel, wrk, nghttp2-client, hey; as root or through sudo) and npm (undici, into build/bench), or
# left out with a word on standard error. Its files stand in a temporary folder (TMPDIR) that is
# removed.
set -euo pipefail
caller=$PWD
cd "$(dirname "$0")/.."
. bench/lib.sh

rows=50000
rounds=5
largest=1000000
nbatch=
connections=64
tls=

usage() {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' bench/run.sh >&2
  exit 2
}

while [ $# -gt 0 ]; do
  if [ "$1" = --tls ]; then tls=1; shift; continue; fi
  [ $# -ge 2 ] || usage
  case "$1" in
    --rows) rows=$2 ;;
    --rounds) rounds=$2 ;;
    --largest) largest=$2 ;;
    --nbatch) nbatch=$2 ;;
    *) usage ;;
  esac
  shift 2
done
[[ $rows =~ ^[1-9][0-9]{2,6}$ && $rounds =~ ^[1-9][0-9]{0,3}$ ]] || usage
[[ $largest =~ ^[1-9][0-9]{0,7}$ ]] || usage
# A relative path is the caller's, not the project's.
[[ -z $nbatch || $nbatch = /* ]] || nbatch=$caller/$nbatch

choose_nbatch
choose_python
have nginx || [ -x /usr/sbin/nginx ] || need nginx nginx-light
have nginx || [ -x /usr/sbin/nginx ] || { say "no nginx to send to"; exit 1; }
need curl curl
need parallel parallel
need wrk wrk
need h2load nghttp2-client
need hey hey
need node nodejs
need npm npm
"$python" -c 'import aiohttp' 2>/dev/null || need python3-aiohttp python3-aiohttp 2>/dev/null
have_aiohttp=1
"$python" -c 'import aiohttp' 2>/dev/null || { have_aiohttp=; say "no aiohttp; left out"; }
modules=$PWD/build/bench/node_modules
if have node && [ ! -d "$modules/undici" ] && have npm; then
  say "installing undici"
  mkdir -p build/bench
  npm install --prefix build/bench --no-audit --no-fund --no-save undici@6 >/dev/null 2>&1 || true
fi
have_undici=1
[ -d "$modules/undici" ] || { have_undici=; say "no undici; left out"; }

mkdir -p build/bench
multi=$PWD/build/bench/send_multi
# shellcheck disable=SC2046 # several words
cc -O2 -D_GNU_SOURCE -Isrc -o "$multi" bench/peers/send_multi.c src/net/memory.c \
  $(pkg-config --cflags --libs libcurl libuv libcjson) || { multi=; say "no C compiler with libcurl, libuv and cJSON; left out"; }

work=$(mktemp -d "${TMPDIR:-/tmp}/nbatch-bench.XXXXXX")
trap 'stop_nginx; rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$work/out"
export NBATCH_API_KEY=a-key-of-the-bench
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
trust=()
if [ -n "$tls" ]; then
  have openssl || need openssl openssl
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
  trust=(--cacert "$work/cert.pem")
  export NODE_EXTRA_CA_CERTS=$work/cert.pem SSL_CERT_FILE=$work/cert.pem
fi
start_nginx

# job TOOL ROWS COMMAND...: a line for measure.py.
job() {
  local tool=$1 rows=$2
  shift 2
  (IFS=$'\t'; printf '%s\n' "run	$tool	$rows	$work/1.csv	$*")
}

job_nbatch() {
  local rows=$1 concurrency=$2
  job "nbatch run${3:-}" "$rows" "$nbatch" run -q "$work/$rows.csv" --endpoint "$url" \
    -o '{out}' -c "$concurrency" "${trust[@]}"
}
job_undici() {
  [ -z "$have_undici" ] ||
    job "Node: undici" "$1" env "NODE_PATH=$modules" node bench/peers/send_undici.js "$work/$1.csv" \
      "$url" '{out}'
}
# What libcurl itself costs.
job_multi() {
  [ -z "$multi" ] || job "libcurl multi alone, in C${3:-}" "$1" "$multi" "$work/$1.tsv" "$url" \
    '{out}' "$2" ${tls:+"$work/cert.pem"}
}
job_aiohttp() {
  [ -z "$have_aiohttp" ] || [ -n "$tls" ] ||
    job "Python: aiohttp" "$1" "$python" bench/peers/send_aiohttp.py "$work/$1.csv" "$url" '{out}'
}
job_curl() {
  have curl && [ -z "$tls" ] || return 0 # with TLS they take minutes
  job "curl --parallel --config" "$1" curl --parallel --parallel-immediate \
    --parallel-max "$connections" --config "$work/$1.curl"
}
job_parallel() {
  have parallel && have curl || return 0
  job "GNU parallel, curl" "$1" parallel --will-cite -j "$connections" -a "$work/$1.tsv" \
    --colsep '\t' curl -s -H "Content-Type:application/json" -H "api-key:$NBATCH_API_KEY" \
    -w '\\n' --data '{2}' "$url{1}"
}

# The floor: they read no rows and write no results.
load_generators() {
  local even=$((rows / connections * connections)) script one
  one=$url$(sed -n '1s/\t.*//p' "$work/$rows.tsv")
  if have wrk; then
    for script in post_static post; do
      job "wrk, $([ $script = post ] && echo "a request a row in Lua" || echo "one request")" "~0" \
        env "NBATCH_BENCH_REQUESTS=$work/requests.tsv" \
        wrk -t1 "-c$connections" -d2s -s "bench/peers/$script.lua" "$one"
    done
  fi
  if have h2load; then
    job "h2load --h1, one request" "~$even" h2load --h1 -t1 "-c$connections" -n "$even" \
      -d "$work/body" -H "Content-Type: application/json" -H "api-key: $NBATCH_API_KEY" "$one"
  fi
  if have hey; then
    job "hey, one request" "~$even" hey -n "$even" -c "$connections" -m POST -D "$work/body" \
      -T application/json -H "api-key: $NBATCH_API_KEY" "$one"
  fi
}

make_input() {
  local count=$1
  [ ! -e "$work/$count.csv" ] || return 0
  "$python" bench/make_input.py "$count" "$work/$count.csv" "$work/$count.jsonl"
  rm "$work/$count.jsonl"
  [ "$count" -gt 100000 ] || "$python" bench/make_requests.py "$work/$count.csv" "$url" \
    "$work/$count.tsv" "$work/$count.curl"
}

versions() {
  local cpu linux
  linux=$(uname -r)
  cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | sed 1q)
  printf '%s, %s cores, one for the client and one for nginx; Linux %s;\n' \
    "${cpu:-$(uname -m)}" "$(nproc)" "${linux%%-*}"
  printf '%s, %s' "$("$nbatch" --version)" "$("$python" --version)"
  [ -z "$have_aiohttp" ] ||
    printf ', aiohttp %s' "$("$python" -c 'import aiohttp; print(aiohttp.__version__)')"
  if have node; then printf ', Node %s' "$(node --version)"; fi
  [ -z "$have_undici" ] || printf ', undici %s' \
    "$(sed -n 's/^ *"version": "\(.*\)",*/\1/p' "$modules/undici/package.json")"
  if have curl; then printf ', %s' "$(curl --version | sed -n '1s/ (.*//p')"; fi
  printf '.\n'
}

few=$((rows / 100))
sizes=(10000 100000)
[[ $largest = 10000 || $largest = 100000 ]] || sizes+=("$largest")
if [ -n "$tls" ]; then sizes=(); fi
for count in "$rows" "$few" 1 "${sizes[@]}"; do make_input "$count"; done
sed 5000q "$work/$rows.tsv" >"$work/requests.tsv" # more would cost wrk's Lua its memory
sed -n '1s/^[^\t]*\t//p' "$work/$rows.tsv" | tr -d '\n' >"$work/body"

printf '%s rounds, medians. %s\n\n' "$rounds" "$(versions)"
{
  job_nbatch "$rows" "$connections"
  job_multi "$rows" "$connections"
  job_undici "$rows"
  job_aiohttp "$rows"
  job_curl "$rows"
  load_generators
} | "$python" -IS bench/measure.py send "$rounds" "$work/out"
[ -z "$tls" ] || exit 0

if have parallel && have curl; then
  printf '\nA process a row:\n\n'
  { job_nbatch "$few" "$connections"; job_parallel "$few"; } |
    "$python" -IS bench/measure.py send 1 "$work/out"
fi

printf '\nBy rows:\n\n'
{
  for count in "${sizes[@]}"; do job_nbatch "$count" "$connections"; done
  for count in "${sizes[@]}"; do job_undici "$count"; done
  for count in 10000 100000; do job_aiohttp "$count"; done
  for count in 10000 100000; do job_curl "$count"; done
} | "$python" -IS bench/measure.py grow "$work/out"

printf '\nBy connections:\n\n'
{
  for count in 64 1 16 256 1024; do job_nbatch "$rows" "$count" ", $count connections"; done
  for count in 64 1024; do job_multi "$rows" "$count" ", $count connections"; done
} | "$python" -IS bench/measure.py send "$rounds" "$work/out"

printf '\nA file of one row:\n\n'
{ job_nbatch 1 "$connections"; job_undici 1; job_aiohttp 1; } |
  "$python" -IS bench/measure.py start 20 "$work/out"
