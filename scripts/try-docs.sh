#!/usr/bin/env bash
# Runs the commands of docs/first-hour.md as they stand there, and verifies what the page promises.
#
# usage: scripts/try-docs.sh [--keep] [--log FILE] [--report FILE]
#   --keep      keep the folder and what runs, for inspection
#   --log FILE  write the commands and what they printed to FILE
#   --report FILE  copy the HTML report of the page's `gate test` to FILE
#
# GATE is the program to try [default: `gate` of the PATH]. Where no registry can be reached, the sample stack's images get
# the names that the page uses, and lose them at the end.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

# What the page's title promises.
readonly limit_s=900
page=$root/docs/first-hour.md

keep=no log='' report=''
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=yes ;;
    --report) report=$(realpath "${2:?--report needs a file}"); shift ;;
    --log) log=${2:?--log needs a file}; shift ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) die "unknown option \`$1\`" "scripts/try-docs.sh --help" ;;
  esac
  shift
done

program=$(command -v "${GATE:-gate}") ||
  die "there is no program \`${GATE:-gate}\`" "cargo build --workspace && GATE=target/debug/gate scripts/try-docs.sh"
program=$(realpath "$program")
# The page's product has a fixed name, and all of it is removed at the end.
for env in staging production; do
  [ -z "$(docker ps --all --quiet --filter "label=com.docker.compose.project=shop-$env")$(docker volume ls --quiet \
    --filter "label=com.docker.compose.project=shop-$env")" ] ||
    die "a project \`shop-$env\` is here already, and the page makes one of that name" "docker compose --project-name shop-$env ps --all"
done

work=$(mktemp -d)
named=()

clean() {
  [ "$keep" = no ] || { note "kept: $work"; return; }
  local env
  for env in staging production; do
    docker compose --project-name "shop-$env" down --volumes --timeout 1 >/dev/null 2>&1 || true
  done
  [ ${#named[@]} -eq 0 ] || docker rmi --no-prune "${named[@]}" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap clean EXIT

# Gives an image of .stagegate/images.env the name that the page uses, where the page's own is neither here nor to be had.
name_image() {
  local name=$1 own=$2
  if docker image inspect "$name" >/dev/null 2>&1 || timeout 60 docker pull --quiet "$name" >/dev/null 2>&1; then return; fi
  docker tag "$own" "$name"
  named+=("$name")
}

# Prints the page's blocks of shell.
blocks() { awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$page"; }

# Fails where the output lacks what the page promises.
promised() { grep -qE -- "$1" "$work/log" || { tail -n 60 "$work/log" >&2; die "the page promises \`$1\`, and it was not printed"; }; }

if docker ps --all --format '{{.Label "com.docker.compose.project"}}' | grep -qxE 'shop-(staging|production)'; then
  die "containers of shop-staging or shop-production are there already" "docker compose --project-name shop-staging down"
fi
# shellcheck source=/dev/null
. "$root/.stagegate/images.env"
name_image postgres:17 "${POSTGRES_IMAGE:?}"
name_image nginx:1 "${NGINX_IMAGE:?}"

mkdir "$work/bin"
ln -s "$program" "$work/bin/gate"
blocks >"$work/page.sh"
[ -z "$report" ] || sed -i "s#^gate test .*--html \([^ ]*\)\$#&\ncp \1 '$report'#" "$work/page.sh"
[ "$(grep -c '^gate ' "$work/page.sh")" -ge 12 ] || die "the commands of $page were not found"

from=$SECONDS code=0
(cd "$work" && PATH="$work/bin:$PATH" STAGEGATE_STATE_DIR="$work/state" bash -euv page.sh) >"$work/log" 2>&1 </dev/null || code=$?
took=$((SECONDS - from))
[ -z "$log" ] || cp "$work/log" "$log"
[ "$code" -eq 0 ] || { tail -n 60 "$work/log" >&2; die "the page ended with code $code"; }

promised '^wrote .*stagegate.toml'
promised '^promoted'
promised '^exit code 5$'
promised 'rolled back'
# The prices of the bad release are gone, those of the good one are there.
promised '^price: 1$'
[ ! -e "$work/stagegate-tour" ] || die "the page leaves its folder behind"
if docker ps --all --format '{{.Names}}' | grep -E '^shop-(staging|production)-'; then die "the page leaves containers behind"; fi
[ "$took" -lt "$limit_s" ] || die "the page took $took s, and promises $limit_s"
say "docs/first-hour.md: $(grep -c '^gate ' "$work/page.sh") commands of gate in $took s, as it promises"
