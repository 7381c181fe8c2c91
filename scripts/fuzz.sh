#!/usr/bin/env bash
# Runs each fuzz target for a while: scripts/fuzz.sh [SECONDS a target] [TARGET ..]
#
# Needs cargo-fuzz (`cargo install cargo-fuzz --locked`) and a C++ compiler. Works on stable: the sanitizer flags, which
# are nightly's, are allowed by RUSTC_BOOTSTRAP for this run alone. What crashes a target is kept in fuzz/artifacts/.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

seconds=${1:-30}
shift || true
case $seconds in '' | *[!0-9]*) die "\`$seconds\` is no number of seconds" "write scripts/fuzz.sh [SECONDS] [TARGET ..]" ;; esac
cargo fuzz --version >/dev/null 2>&1 || die "cargo-fuzz is missing" "cargo install cargo-fuzz --locked"
export RUSTC_BOOTSTRAP=1

targets=("$@")
[ "${#targets[@]}" -gt 0 ] || mapfile -t targets < <(cargo fuzz list)
for target in "${targets[@]}"; do
  say "$target, $seconds s"
  cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 -verbosity=0
done
