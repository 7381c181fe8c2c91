#!/usr/bin/env bash
# Backs up volumes and folders of an environment (`[volumes]` of stagegate.toml): archived, unpacked and compared.
# usage: scripts/backup-storage.sh ENV VOLUME [VOLUME ..]
# DEBUG=true prints each command. The log is logs/ENV/backup-YYYYMMDD.log.
set -euo pipefail
# shellcheck source=scripts/operate.sh
. "$(dirname "${BASH_SOURCE[0]}")/operate.sh"

help_if_wanted "$@"
[ $# -ge 2 ] || usage
environment=$1
shift
volumes=()
for volume in "$@"; do volumes+=(--volume "$volume"); done
logged "$environment" backup "$GATE" backup --env "$environment" "${volumes[@]}"
