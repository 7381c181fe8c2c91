#!/usr/bin/env bash
# Measures how long a promotion copies a volume and a rollback puts it back, next to a plain `cp -a` back.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/bench-rollback-volumes.sh [--mib N] [--files N] [--rounds N] [--gate FILE]

Starts nginx with a volume of N MiB (default 1024) in N files (default 64), promotes a release that changes one of them and
fails its verification, and prints a table: the copy while the service is stopped, the exchange, the whole way back with
reading every file to compare it, and `cp -a` of the same files back into the volume. Removes everything at the end.
TEXT
}

mib=1024 files=64 rounds=3 gate='' dir='' name="bench-volumes-$$"

main() {
  while [ $# -gt 0 ]; do
    case $1 in
      --mib) mib=${2:?$1 needs a value}; shift ;;
      --files) files=${2:?$1 needs a value}; shift ;;
      --rounds) rounds=${2:?$1 needs a value}; shift ;;
      --gate) gate=${2:?$1 needs a value}; shift ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; exit 2 ;;
    esac
    shift
  done
  [ -n "$gate" ] || { cargo build --quiet --manifest-path "$root/Cargo.toml" --bin gate && gate=$root/target/debug/gate; }
  gate=$(readlink -f -- "$gate")
  image=$(sed -n 's/^NGINX_IMAGE=//p' "$root/.stagegate/images.env")
  dir=$(mktemp -d)
  trap take_down EXIT
  product
  fill
  printf '| %s MiB in %s files | copy s | exchange s | way back s | cp -a s | way back / cp -a |\n|---|---|---|---|---|---|\n' \
    "$mib" "$files"
  local round
  for round in $(seq "$rounds"); do measure "$round"; done
}

product() {
  mkdir "$dir/product"
  cd "$dir/product"
  # shellcheck disable=SC2016  # Compose and the container read the variables.
  printf 'services:\n  web:\n    image: %s\n    command: ["bash", "/s/start.sh"]\n    environment: { LATE: "${LATE:-}" }\n%s\n' \
    "$image" '    volumes: ["./s:/s:ro", "files:/files"]
volumes: { files: {} }' >compose.yml
  {
    printf '[project]\nname = "%s"\nstate_dir = "%s/state"\ncompose = ["compose.yml"]\n' "$name" "$dir"
    for environment in staging production; do
      printf '[environments.%s]\nworkdir = "%s/%s"\nenv_file = "%s/%s.env"\n' \
        "$environment" "$dir" "$environment" "$dir" "$environment"
    done
    printf '[services.web]\nport = 80\nhealth = "/"\n[volumes.files]\nvolume = "files"\n'
    printf '[severity]\npolicy = "info"\nsecurity = "info"\nisolation = "info"\n'
    printf '[gate]\nsoak = "0s"\nverify_within = "10s"\n'
  } >stagegate.toml
  : >"$dir/staging.env"
  echo LATE=1 >"$dir/production.env"
  mkdir s
  git init --quiet
  echo "exec nginx -g 'daemon off;'" >s/start.sh
  release v1
  # shellcheck disable=SC2016
  printf '[ -z "$LATE" ] || { echo changed >/files/1; rm /usr/share/nginx/html/index.html; }\n%s\n' \
    "exec nginx -g 'daemon off;'" >s/start.sh
  release bad
  local environment
  for environment in staging production; do up "$environment" v1; done
  up staging bad
}

up() {
  local text
  text=$("$gate" up --env "$1" --release "$2" 2>&1) || die "release $2 did not come up in $1" "$text"
}

release() {
  git add --all
  git -c user.name=bench -c user.email=bench@example.org commit --quiet --message "$1"
  git tag "$1"
}

fill() {
  docker exec "$name-production-web-1" bash -c \
    "for i in \$(seq $files); do head -c $((mib * 1048576 / files)) /dev/urandom >/files/\$i; done; sync"
}

measure() {
  local text copy exchange back plain begun
  text=$("$gate" promote --from staging --to production --yes 2>&1) || true
  grep -q 'rolled back and verified' <<<"$text" || die "the rollback failed" "$text"
  copy=$(sed -n 's/^ok   copy volumes *\([0-9.]*\) s.*/\1/p' <<<"$text")
  back=$(sed -n 's/^undo copy volumes *\([0-9.]*\) s.*/\1/p' <<<"$text")
  exchange=$(sed -n 's/.*switched in \([0-9.]*\) s: files.*/\1/p' <<<"$text")
  # The usual way: the files of a copy over those of the volume.
  local mounts=(--volume "${name}-production_files:/live" --volume "$name-copy:/copy")
  docker run --rm "${mounts[@]}" --entrypoint bash "$image" -c 'cp -a /live/. /copy/ && sync'
  begun=$(date +%s%3N)
  docker run --rm "${mounts[@]}" --entrypoint bash "$image" -c 'rm -rf /live/* && cp -a /copy/. /live/ && sync'
  plain=$(($(date +%s%3N) - begun))
  docker volume rm --force "$name-copy" >/dev/null
  awk -v n="$1" -v c="$copy" -v e="$exchange" -v b="$back" -v p="$plain" \
    'BEGIN { printf "| round %s | %s | %s | %s | %.1f | %.2f |\n", n, c, e, b, p / 1000, b * 1000 / p }'
}

take_down() {
  local environment image
  for environment in staging production; do
    docker compose --project-name "$name-$environment" down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true
  done
  docker volume rm --force "$name-copy" >/dev/null 2>&1 || true
  docker image ls --format '{{.Repository}}:{{.Tag}}' stagegate/rollback | while read -r image; do
    local run=${image#stagegate/rollback:}
    if compgen -G "$dir/state/*/runs/${run:0:20}" >/dev/null; then docker image rm "$image" >/dev/null 2>&1 || true; fi
  done
  rm -rf "$dir"
}

main "$@"
