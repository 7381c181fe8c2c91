#!/usr/bin/env bash
# Checks the migrations of two public projects and compares the results with the known ones.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/real-world.sh [--zksync DIR] [--minder DIR] [--pg MAJOR]

Runs `gate migrations check` over the migrations of two public projects, if their sources are available, and compares the
verdicts with the expected ones. Nothing is downloaded. DIR is a checkout of the project, or its folder of migrations.

  --zksync DIR   matter-labs/zksync-era at 3e29e4a08d (core/lib/dal/migrations, sqlx)
  --minder DIR   mindersec/minder at 2853b8dc7 (database/migrations, golang-migrate)
  --pg MAJOR     PostgreSQL major version [default: 17]
  --help         print this text

GATE names the program [default: a release build of this checkout].
TEXT
}

main() {
  local zksync='' minder='' major=17 failed=0
  while [ $# -gt 0 ]; do
    case $1 in
      --zksync) zksync=${2:?--zksync needs a folder}; shift ;;
      --minder) minder=${2:?--minder needs a folder}; shift ;;
      --pg) major=${2:?--pg needs a major such as 17}; shift ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; die "unknown option \`$1\`" ;;
    esac
    shift
  done
  [ -n "$zksync$minder" ] || { usage >&2; die "no sources were given"; }
  has jq || die "jq is missing" "apt-get install jq"
  if [ -z "${GATE:-}" ]; then
    (cd "$root" && cargo build --release --quiet --bin gate)
    GATE=${CARGO_TARGET_DIR:-$root/target}/release/gate
  fi
  # One file of zksync-era is a simple migration among reversible ones: sqlx applies it too, and it has no way back.
  if [ -n "$zksync" ]; then
    compare zksync-era "$zksync" core/lib/dal/migrations sqlx "$major" '[204,9,28,21,6]' 20241812144402 || failed=1
  fi
  if [ -n "$minder" ]; then
    compare minder "$minder" database/migrations golang-migrate "$major" '[77,3,15,10,12]' none || failed=1
  fi
  exit "$failed"
}

# Compares exact, order only, another schema, SQL error and no usable down; one migration may be left out of the count.
compare() {
  local name=$1 dir=$2 below=$3 tool=$4 major=$5 want=$6 left_out=$7 report found code=0
  if [ -d "$dir/$below" ]; then dir=$dir/$below; fi
  report=$(mktemp)
  "$GATE" migrations check "$dir" --tool "$tool" --pg "$major" --json >"$report" || code=$?
  # 3: something was found, as is expected.
  [ "$code" = 3 ] || { rm -f "$report"; die "$name: gate exited with code $code"; }
  found=$(jq -c --arg left_out "$left_out" '.servers[0].migrations | map(select(.version != $left_out)) | . as $all
    | ["exact", "order_only", "another_schema", "sql_error", "no_usable_down"]
    | map(. as $verdict | $all | map(select(.verdict == $verdict)) | length)' "$report")
  say "$name: $(jq -r '.servers[0] | "\(.counts.migrations) migrations, \((.migrations | map(.took_ms) | add) / 1000) s, chain \(.chain_ms / 1000) s, \(.server)"' "$report")"
  say "$name: exact, order only, another schema, SQL error, no usable down: $found, expected $want"
  rm -f "$report"
  [ "$found" = "$want" ] || { note "$name: the verdicts are not the expected ones"; return 1; }
}

main "$@"
