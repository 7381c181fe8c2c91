#!/usr/bin/env bash
# Compares two environments and scores how ready the release of the first is for the second; nothing is changed.
# usage: scripts/compare-environments.sh [A B] [gate compare's options: --no-suites, --accept-caution, --json, --markdown FILE ..]
#        [default: staging production]
# DEBUG=true prints each command. The log is logs/B/compare-YYYYMMDD.log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
a=$staging b=$production
case ${1:-} in
  '' | -*) ;;
  *)
    [ $# -ge 2 ] || usage
    a=$1 b=$2
    shift 2
    ;;
esac
logged "$b" compare "$GATE" compare "$a" "$b" "$@"
