#!/usr/bin/env bash
# Shows this machine, all environments, and what runs in the one for development; nothing is changed.
# usage: scripts/status-dev.sh [ENV] [gate status' options: --json]    [default: laptop]
# DEBUG=true prints each command. There is no log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
environment=$laptop
case ${1:-} in '' | -*) ;; *) environment=$1 && shift ;; esac
shown "$GATE" env
shown "$GATE" status --env "$environment" "$@"
