#!/bin/bash
# Instructions and system calls that a row of a run costs, for the builds that people and tests use;
# compares them with bench/counts.txt, and fails when one is more than a tenth above.
#
#   bench/counts.sh [--record]
#
#   --record   write bench/counts.txt instead of comparing, after a change that is meant
#
# Builds what it measures (presets release and test). The figures are the same from run to run (see
# bench/counts.py for how); ctest compares those of the preset test each time.
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/lib.sh

record=()
case "${1:-}" in
  "") ;;
  --record) record=(--record) ;;
  *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' bench/counts.sh >&2; exit 2 ;;
esac

choose_python
need valgrind valgrind
need strace strace
.ci/install test
result=0
for build in release test; do
  { cmake --preset "$build" && cmake --build --preset "$build" --target nbatch; } >/dev/null
  "$python" -B bench/counts.py --nbatch "build/$build/nbatch" --build "$build" "${record[@]}" ||
    result=1
done
exit "$result"
