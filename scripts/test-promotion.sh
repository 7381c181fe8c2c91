#!/usr/bin/env bash
# Tests whether a promotion to an environment would be let through: runs the checks in the source, compares both
# environments, and shows the plan with what refuses it. Nothing is changed.
# usage: scripts/test-promotion.sh ENV [--from SOURCE]    [default source: laptop for staging, else staging]
# The exit code is that of the first step that failed. DEBUG=true prints each command.
# The log is logs/ENV/test-promotion-YYYYMMDD.log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
case ${1:-} in '' | -*) usage ;; esac
target=$1
shift
source=$staging
[ "$target" != "$staging" ] || source=$laptop
if [ "${1:-}" = --from ]; then
  value_of "$@"
  source=$2
  shift 2
fi
[ $# = 0 ] || usage
worst=0
step() {
  local code=0
  logged "$target" test-promotion "$GATE" "$@" || code=$?
  [ "$worst" != 0 ] || worst=$code
}
step compare "$source" "$target"
step promote --from "$source" --to "$target" --plan
exit "$worst"
