#!/usr/bin/env bash
# Rolls production back: to the rollback point of the last promotion, or to a named one. It prompts for confirmation.
# usage: scripts/rollback.sh [--env ENV] [--list | --tag TAG | --emergency] [gate rollback's options: --with-data,
#        --carry-writes, --accept-newer-schema, --yes, --json]
#   --env ENV     another environment than `production`
#   --list        lists the rollback points, the newest last; changes nothing
#   --tag TAG     the rollback point with this git tag
#   --emergency   finishes an interrupted run, then rolls back the code of the last promotion at once: no prompt, no data
#                 is restored, and no options
# DEBUG=true prints each command. The log is logs/ENV/rollback-YYYYMMDD.log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
environment=$production emergency=no
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --env) value_of "$@" && environment=$2 && shift ;;
    --tag) value_of "$@" && options+=(--to "$2") && shift ;;
    --emergency) emergency=yes ;;
    *) options+=("$1") ;;
  esac
  shift
done
if [ "$emergency" = yes ]; then
  [ ${#options[@]} = 0 ] || refuse "--emergency takes no other options than --env, found ${options[*]}"
  options=(--yes)
fi
logged "$environment" rollback "$GATE" rollback --env "$environment" "${options[@]}"
