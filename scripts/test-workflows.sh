#!/usr/bin/env bash
# Runs the workflow checks (workflows/*.toml of the release) against an environment.
# usage: scripts/test-workflows.sh [--staging|--production|--env ENV] [gate test's options: --json, --junit FILE, --confirm ENV ..]
# In an environment with `protected = true` only what reads is run. A release without workflows ends with exit code 4: no
# check ran. DEBUG=true prints each command. The log is logs/ENV/workflows-YYYYMMDD.log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
environment=$staging
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --staging) environment=$staging ;;
    --production) environment=$production ;;
    --env) value_of "$@" && environment=$2 && shift ;;
    *) options+=("$1") ;;
  esac
  shift
done
logged "$environment" workflows "$GATE" test --env "$environment" workflows --verbose "${options[@]}"
