#!/usr/bin/env bash
# Makes faults happen in real promotions, checks what must hold afterwards, and writes the table of docs/reliability.md.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/fault-matrix.sh [--quick | --only "NAME .." | --list] [--plain] [--seed N] [--mib N] [--write] [--gate FILE]

Promotes releases of a small product with a database of N MiB (default 24) and makes a fault happen at a place of the run's
journal, as root. Asserts that the fault happened, and afterwards: all old or all new (I1); content as before (I2); each
acknowledged row live or in a database that was kept (I3); no process, container or session of the run left (I4); the lock
free (I5); every backup as its checksums (I6); gate audit verify (I7); the page answers (I8). Prints a row of a table for
each; exits 1 where something does not hold.

  --quick   one place for each of about ten faults, drawn by the seed
  --only    these faults alone; --list prints their names
  --plain   afterwards some of them on `docker compose up -d`, and a table of what that leaves
  --seed N  draws the moments again [default: the time; it is printed]
  --write   puts the tables into docs/reliability.md; with --only, the rows of other faults stay
TEXT
}

mib=24 seed=$(date +%s) only='' quick='' plain_too='' write='' gate='' dir='' name="faults-$$" staged='' output='' clock='' rows=() failed=0 fired=0

main() {
  while [ $# -gt 0 ]; do
    case $1 in
      --quick) quick=1 ;;
      --only) only=" ${2:?$1 needs a value} "; shift ;;
      --seed) seed=${2:?$1 needs a value}; shift ;;
      --mib) mib=${2:?$1 needs a value}; shift ;;
      --plain) plain_too=1 ;;
      --write) write=1 ;;
      --gate) gate=${2:?$1 needs a value}; shift ;;
      --list)
        # shellcheck source=scripts/fault-list.sh
        . "$root/scripts/fault-list.sh"
        each_fault listed
        exit 0
        ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; exit 2 ;;
    esac
    shift
  done
  is_root || die "the faults need root: packets are dropped, a file system is mounted" "sudo scripts/fault-matrix.sh"
  [ -n "$gate" ] || { cargo build --quiet --workspace --locked --manifest-path "$root/Cargo.toml" && gate=$root/target/debug/gate; }
  gate=$(readlink -f -- "$gate")
  RANDOM=$((seed % 32768))
  dir=$(mktemp -d)
  # shellcheck source=scripts/fault-product.sh
  . "$root/scripts/fault-product.sh"
  # shellcheck source=scripts/fault-list.sh
  . "$root/scripts/fault-list.sh"
  # shellcheck source=scripts/fault-plain.sh
  . "$root/scripts/fault-plain.sh"
  trap take_down EXIT
  mkdir "$dir/state"
  # Small, so that it can be full.
  mount -t tmpfs -o size=512m,mode=0755 none "$dir/state"
  say "seed $seed"
  product
  each_fault cells
  table >"$dir/table"
  [ -z "$plain_too" ] || { echo; plain_faults; } >>"$dir/table"
  cat "$dir/table"
  [ -z "$write" ] || write_table
  say "${#rows[@]} faults, $fired happened, $failed with a violation (seed $seed)"
  [ $failed = 0 ] && [ $fired = ${#rows[@]} ]
}

# Calls $1 with the columns of each fault.
each_fault() {
  local line columns i
  while IFS= read -r line; do
    [ -n "$line" ] || continue
    IFS='|' read -ra columns <<<"$line"
    for i in "${!columns[@]}"; do columns[i]=$(sed 's/^ *//;s/ *$//' <<<"${columns[i]}"); done
    "$1" "${columns[@]}"
  done <<<"$FAULTS"
}

listed() { printf '%-14s %s (%s)\n' "$1" "$2" "$4"; }

cells() {
  local fault=$1 title=$2 release=$3 delay=$5 in_quick=${6:-} places
  read -ra places <<<"$4"
  if [ -n "$only" ]; then [[ $only == *" $fault "* ]] || return 0; fi
  if [ -n "$quick" ]; then
    [ -n "$in_quick" ] || [ -n "$only" ] || return 0
    places=("${places[RANDOM % ${#places[@]}]}")
  fi
  local place
  for place in "${places[@]}"; do
    delay_ms=$((delay > 0 ? RANDOM % delay : 0))
    cell </dev/null
  done
}

# Waits until the run's journal has an entry, for $2 seconds; fails where it does not come.
reached() {
  local entry=${1%%:*} step=${1#*:} end=$((SECONDS + ${2:-180})) key=step
  [ "$entry" != decided ] || key=decision
  while [ $SECONDS -lt $end ]; do
    run_dir=$(find "$state/runs" -maxdepth 1 -name '2*' ! -name '*-up' -newer "$dir/begun" | sort | tail -n 1)
    ! grep -qs "\"entry\":\"$entry\",\"$key\":\"$step\"" "$run_dir/journal.jsonl" || return 0
    ! grep -qs '"entry":"ended"' "$run_dir/journal.jsonl" || return 1
    sleep 0.02
  done
  return 1
}

pause() { sleep "$(awk -v ms=$((RANDOM % $1)) 'BEGIN { print ms / 1000 }')"; }
call() { ! declare -F "$1" >/dev/null || "$1"; }

start_promotion() {
  local environment=(--default-signal=INT)
  [ -z "$clock" ] || environment+=(LD_PRELOAD="$clock" FAKETIME_TIMESTAMP_FILE="$dir/clock" FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1)
  if [ "$output" = closed ]; then
    # Whoever reads goes away after the first lines.
    env "${environment[@]}" "$gate" promote --from staging --to production --yes > >(head -n 3 >"$dir/out") 2>&1 &
  else
    env "${environment[@]}" "$gate" promote --from staging --to production --yes >"$dir/out" 2>&1 &
  fi
  gate_pid=$!
}

# One promotion with one fault at one place.
cell() {
  local since end code=0 happened=no found problems='' back during
  [ "$staged" = "$release" ] || stage "$release"
  fresh_counts
  call "before_$fault"
  sleep 0.1
  touch "$dir/begun"
  since=$(date +%s%3N)
  start_promotion
  if reached "$place"; then
    sleep "$(awk -v ms="$delay_ms" 'BEGIN { print ms / 1000 }')"
    during=$(tail -n 1 "$run_dir/journal.jsonl" | sed -n 's/.*"entry":"\([a-z_]*\)"\(,"\(step\|decision\)":"\([a-z_]*\)"\)\?.*/\1 \4/p')
    since=$(date +%s%3N)
    if "fire_$fault"; then happened=yes fired=$((fired + 1)); fi
  fi
  wait "$gate_pid" 2>/dev/null || code=$?
  call "after_$fault"
  finish
  end=$(ended)
  if [ "$end" = stuck ] && declare -F "unstick_$fault" >/dev/null; then
    "unstick_$fault"
    "$gate" resume --env production >>"$dir/out" 2>&1 || true
    end="stuck, then $(ended)"
  fi
  back=$(awk -v s="$since" -v e="$(date -r "$run_dir/journal.jsonl" +%s%3N)" 'BEGIN { printf "%.1f", (e - s) / 1000 }')
  problems=$(violations; call "problem_$fault")
  lost_rows
  case $end in stuck | not_verified | none) problems+=" ended as $end" ;; esac
  [ "$happened" = yes ] || problems+=" it did not happen"
  rows+=("| $title | ${during:-$place} | $happened | ${end//_/ } | ${problems:-hold} | $back | $(longest_gap "$since") | $kept | $lost |")
  echo "${rows[-1]}"
  if [ -n "$problems" ]; then
    failed=$((failed + 1))
    note "exit $code; run $run_dir" && tail -n 25 "$dir/out" >&2
    keep_evidence
  fi
  recover_product
}

# Waits until the run has ended, by itself or by its watchdog; else as the next command does it.
finish() {
  local _
  for _ in $(seq 600); do
    [ "$(ended)" = none ] || return 0
    is_alive "$(sed 's/.*"process":\([0-9]*\).*/\1/' "$run_dir/watchdog.json" 2>/dev/null)" || break
    sleep 0.25
  done
  "$gate" recover run >>"$dir/out" 2>&1 || true
}

is_alive() { [ -n "$1" ] && [ -e "/proc/$1" ] && ! grep -qs '^State:.*Z' "/proc/$1/status"; }
ended() { local end; end=$(tail -n 1 "$run_dir/journal.jsonl" 2>/dev/null | sed -n 's/.*"entry":"ended","end":"\([a-z_]*\)".*/\1/p'); echo "${end:-none}"; }

keep_evidence() {
  [ -n "${EVIDENCE:-}" ] || return 0
  mkdir -p "$EVIDENCE/$fault-${place//:/-}"
  cp -r "$dir/out" "$run_dir"/*.jsonl "$run_dir"/*.log "$EVIDENCE/$fault-${place//:/-}/" 2>/dev/null || true
}

stage() { docker image inspect "$name/web:good" >/dev/null 2>&1; up staging "$1"; }

# Goes back to the first release for the next fault.
recover_product() {
  case $(release_of) in
    'v1 v1 v1 v1') ;;
    'good good good good')
      if ! "$gate" rollback --env production --with-data --yes >"$dir/back" 2>&1 || [ "$(release_of)" != 'v1 v1 v1 v1' ] ||
        [ "$(fingerprint)" != "$baseline" ]; then
        failed=$((failed + 1))
        note "the rollback by hand after that did not restore v1 ($(release_of)): starting over"
        cat "$dir/back" >&2
        start_over
      fi
      ;;
    *)
      note "production is neither all v1 nor all good ($(release_of)): starting over"
      start_over
      ;;
  esac
}

table() {
  echo '| Fault | During | Happened | End | Invariants | Seconds to the end | Longest time without a response, s | Rows kept aside | Rows lost |'
  echo '|---|---|---|---|---|---|---|---|---|'
  printf '%s\n' "${rows[@]}"
}

# Returns the rows that the page has of other faults, then this run's: with --only, what was measured before stays.
with_other_rows() {
  local old=$dir/old
  sed -n '/<!-- faults: begin -->/,/<!-- faults: end -->/{/<!-- faults: /!p}' "$1" >"$old"
  head -n 2 "$dir/table"
  awk -F'|' 'NR == FNR { again[$2]; next } FNR > 2 && !/^[|]/ { exit } FNR > 2 && !($2 in again)' "$dir/table" "$old"
  tail -n +3 "$dir/table"
  [ -n "$plain_too" ] || awk '/^$/ { rest = 1 } rest' "$old"
}

# Puts the tables between their marks.
write_table() {
  local page=$root/docs/reliability.md
  if [ -n "$only" ]; then
    with_other_rows "$page" >"$dir/merged"
    mv "$dir/merged" "$dir/table"
  fi
  sed -i -e "/<!-- faults: begin -->/r $dir/table" -e '/<!-- faults: begin -->/,/<!-- faults: end -->/{/<!-- faults: /!d}' "$page"
}

main "$@"
