#!/usr/bin/env bash
# Compares the load generator with wrk, in turns on one server, and prints the table of docs/performance.md.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/bench-load.sh [--rounds N] [--round TIME] [--connections N] [--record]

Starts a small server on the loopback that logs how long each response took, and puts load on it with the gate's own
generator and with wrk in turns: one thread and the same number of connections each. Without wrk (Debian: apt-get install wrk) the
generator is measured alone.

  --rounds N        rounds for each path (default 7)
  --round TIME      how long a round lasts (default 3s)
  --connections N   connections (default 32)
  --record          write the table to docs/performance.md
TEXT
}

main() {
  local args=() record=no table
  while [ $# -gt 0 ]; do
    case $1 in
      --rounds | --round | --connections) args+=("$1" "${2:?$1 needs a value}"); shift ;;
      --record) record=yes ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; die "unknown option \`$1\`" ;;
    esac
    shift
  done
  has wrk && args+=(--wrk "$(command -v wrk)") || note "wrk is not installed: the generator is measured alone"
  say "building"
  cargo build --quiet --release --manifest-path "$root/Cargo.toml" --package stagegate-proof --bin load-bench
  local load_before
  load_before=$(cut -d ' ' -f 1-3 /proc/loadavg)
  say "measuring in turns"
  table=$("${CARGO_TARGET_DIR:-$root/target}/release/load-bench" compare "${args[@]}")
  table=$(printf '%s, %s cores, load average %s before and %s after.\n\n%s\n' "$(date -u +%Y-%m-%d)" "$(nproc)" \
    "$load_before" "$(cut -d ' ' -f 1-3 /proc/loadavg)" "$table")
  printf '%s\n' "$table"
  [ "$record" = no ] || put "$table"
}

# Replaces what stands between the two marks.
put() {
  local page=$root/docs/performance.md
  grep -q '^<!-- load: begin -->$' "$page" || die "$page has no mark \`<!-- load: begin -->\`"
  TABLE=$1 awk '
    /^<!-- load: begin -->$/ { print; print ""; print ENVIRON["TABLE"]; print ""; inside = 1; next }
    /^<!-- load: end -->$/ { inside = 0 }
    !inside { print }
  ' "$page" >"$page.new"
  mv "$page.new" "$page"
  say "recorded in docs/performance.md"
}

main "$@"
