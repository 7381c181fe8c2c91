#!/usr/bin/env bash
# Promotes what runs in laptop to staging: checked, backed up, rehearsed on a copy; rolled back if anything fails. It prompts
# for confirmation; --plan shows what would be done and what refuses it, and changes nothing.
# usage: scripts/promote-to-staging.sh [--from ENV] [gate promote's options: --plan, --release REV, --accept-caution, --yes, --json]
# DEBUG=true prints each command. The log is logs/staging/promote-YYYYMMDD.log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
source=$laptop
if [ "${1:-}" = --from ]; then
  value_of "$@"
  source=$2
  shift 2
fi
logged "$staging" promote "$GATE" promote --from "$source" --to "$staging" "$@"
