#!/usr/bin/env bash
# Kills the gate after every single journal line of a good and of a failing promotion, on the real sample stack, lets the
# next command finish the run, and compares the target with the states before and after. Takes about half an hour.
# usage: scripts/kill-sweep.sh [all | begun | LINE,LINE,...]   (begun: the begin of each step)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
case ${1:-} in
  -h | --help)
    sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac
scripts/setup.sh
cargo build --workspace --locked --quiet
begun=$SECONDS
STAGEGATE_PROOF_LINES=${1:-all} cargo proof --locked kill -- --nocapture --test-threads 1
printf '==> no inconsistent end, %d s\n' $((SECONDS - begun)) >&2
