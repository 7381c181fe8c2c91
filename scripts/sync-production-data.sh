#!/usr/bin/env bash
# Copies production's data into another environment, sanitised unless `real_data` of [sync] lists that environment. It
# prompts for confirmation; --dry-run shows what would be copied and what refuses it, and changes nothing.
# usage: scripts/sync-production-data.sh [TARGET] [--from ENV] [gate sync's options: --database NAME, --dry-run, --yes, --json]
#        [default: from production to staging]
# DEBUG=true prints each command. The log is logs/TARGET/sync-YYYYMMDD.log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
target=$staging source=$production
case ${1:-} in '' | -*) ;; *) target=$1 && shift ;; esac
if [ "${1:-}" = --from ]; then
  value_of "$@"
  source=$2
  shift 2
fi
logged "$target" sync "$GATE" sync --from "$source" --to "$target" "$@"
