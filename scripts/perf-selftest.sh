#!/usr/bin/env bash
# Measures how often the comparison of releases is wrong on this machine: servers that cost the same, 5, 10 and 20 % more
# are measured in rounds, each with its own processes, and evaluated by the gate's rules and by simpler ones on the same
# rounds. Prints the tables of docs/performance.md. Takes about forty minutes, because a comparison may measure for 20 s
# here and not for 60.
# usage: scripts/perf-selftest.sh [ROUNDS [SECONDS]] (default 100 20)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
case ${1:-} in
  -h | --help)
    sed -n '2,6s/^# //p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac
rounds=${1:-100} within=${2:-20}
cargo build --release --locked --quiet --package stagegate-proof --bin perf-selftest
# Where cargo put it, and not where another build may have left one.
program=${CARGO_TARGET_DIR:-target}/release/perf-selftest
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
loads=()
begun=$SECONDS
"$program" record --rounds "$rounds" --within "$within" --out "$scratch/rounds.jsonl" &
recorder=$!
while kill -0 "$recorder" 2>/dev/null; do
  read -r load _ </proc/loadavg
  loads+=("$load")
  sleep 5
done
wait "$recorder"
printf '%s\n' "${loads[@]}" | sort -n | awk -v date="$(date -u +%F)" -v cores="$(nproc)" -v took=$((SECONDS - begun)) '
  { load[NR] = $1 }
  END { printf "%s, %d processors, load %s to %s (median %s), %d s\n\n", date, cores, load[1], load[NR], load[int((NR + 1) / 2)], took }'
"$program" judge --within "$within" --log "$scratch/rounds.jsonl"
