#!/usr/bin/env bash
# Restores a backup: into a new database, compared, then switched; the replaced database is kept. It asks before.
# usage: scripts/restore-database.sh ENV BACKUP|latest [gate restore's options: --database NAME, --into NAME, --confirm ENV, --yes]
# DEBUG=true prints each command. The log is logs/ENV/restore-YYYYMMDD.log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
[ $# -ge 2 ] || usage
environment=$1 backup=$2
shift 2
logged "$environment" restore "$GATE" restore --env "$environment" "$backup" "$@"
