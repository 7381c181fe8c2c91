#!/usr/bin/env bash
# Deploys a release to staging, waits until it is healthy, and runs the health checks.
# usage: scripts/deploy-staging.sh [--env laptop|server|ENV] [--release REV] [gate up's options: --remove-orphans, --confirm ENV]
#   --env laptop    the environment `laptop`: its files as they are, or REV
#   --env server    the environment `staging` [default]: REV, or else the commit that is checked out here
#   --env ENV       any other environment of stagegate.toml: its files as they are, or REV
# DEBUG=true prints each command. The log is logs/ENV/deploy-YYYYMMDD.log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
environment=$staging release='' as_is=no
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --env)
      value_of "$@"
      case $2 in
        server) environment=$staging as_is=no ;;
        laptop) environment=$laptop as_is=yes ;;
        *) environment=$2 as_is=yes ;;
      esac
      shift
      ;;
    --release) value_of "$@" && release=$2 && shift ;;
    *) options+=("$1") ;;
  esac
  shift
done
[ "$as_is" = yes ] || release=${release:-HEAD}
logged "$environment" deploy "$GATE" up --env "$environment" ${release:+--release "$release"} "${options[@]}"
logged "$environment" deploy "$GATE" test --env "$environment" health
