#!/usr/bin/env bash
# Shows the containers of environments and runs the health checks; nothing is changed.
# usage: scripts/health-check.sh [ENV ..]    [default: staging]
# The exit code is that of the first environment that is not healthy. DEBUG=true prints each command.
# The log is logs/ENV/health-YYYYMMDD.log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
case ${1:-} in -*) usage ;; esac
[ $# -gt 0 ] || set -- "$staging"
worst=0
for environment in "$@"; do
  code=0
  logged "$environment" health "$GATE" status --env "$environment" || code=$?
  logged "$environment" health "$GATE" test --env "$environment" health || code=$?
  [ "$worst" != 0 ] || worst=$code
done
exit "$worst"
