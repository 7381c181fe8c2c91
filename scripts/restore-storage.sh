#!/usr/bin/env bash
# Restores a volume or folder of a backup into a new volume, compared; the live one is left alone.
# usage: scripts/restore-storage.sh ENV BACKUP VOLUME [--into NAME]
# DEBUG=true prints each command. The log is logs/ENV/restore-YYYYMMDD.log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
[ $# -ge 3 ] || usage
environment=$1 backup=$2 volume=$3
shift 3
logged "$environment" restore "$GATE" restore --env "$environment" "$backup" --volume "$volume" "$@"
