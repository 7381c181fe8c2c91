#!/usr/bin/env bash
# Backs up the databases of an environment; the backup is listed once it was restored into a scratch server and compared.
# usage: scripts/backup-database.sh ENV [DATABASE ..]
# DEBUG=true prints each command. The log is logs/ENV/backup-YYYYMMDD.log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
[ $# -ge 1 ] || usage
environment=$1
shift
databases=()
for database in "$@"; do databases+=(--database "$database"); done
logged "$environment" backup "$GATE" backup --env "$environment" "${databases[@]}"
logged "$environment" backup "$GATE" backup prune --env "$environment" --yes
