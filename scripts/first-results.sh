#!/usr/bin/env bash
# Takes the Compose files of public products as they are, and leads to a first result: `gate init --yes`, `gate test`.
# shellcheck disable=SC2154 # title, repository, path, stopped and expected are of the products' files
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

# From `gate init` to a first result of a product that runs.
readonly limit_s=180

usage() {
  cat <<'TEXT'
usage: scripts/first-results.sh [--checkouts DIR] [--keep] [PRODUCT ...]
       scripts/first-results.sh --configure DIR

Starts each product of fixtures/first-results (default: all) as its owner does, with `docker compose up`; then runs `gate init --yes` and
`gate test`, and edits nothing in between. The result is true if what it reports changes with the product: one service is stopped, and
the next `gate test` has to name it. Prints a row of a table for each product. Exits with 1 where one took more than three minutes,
ended otherwise than its file expects, or was not true.

  --checkouts DIR  folder with checkouts OWNER/NAME of the repositories [default: they are cloned from GitHub]
  --configure DIR  start nothing: run `gate init --yes --no-run` and `gate config` in a copy of every folder below DIR that has Compose
                   files which Compose takes, and print how many get a configuration that `gate` reads
  --keep           leave stacks and folders, and print where they are
  --help           print this text

Where no registry answers, images are built from Debian's packages and PyPI; Compose files stay as they are. The products publish
fixed ports (80, 3000, 5000, 8000 ..), so they run one after the other. GATE names the program [default: a debug build of this checkout].
TEXT
}

main() {
  local names=() failed=0 product
  keep='' checkouts='' configure=''
  while [ $# -gt 0 ]; do
    case $1 in
      --configure) configure=$(realpath "${2:?--configure needs a folder}"); shift ;;
      --keep) keep=yes ;;
      --checkouts) checkouts=$(realpath "${2:?--checkouts needs a folder}"); shift ;;
      -h | --help) usage; exit 0 ;;
      -*) usage >&2; die "unknown option \`$1\`" ;;
      *) [ -f "$root/fixtures/first-results/$1.sh" ] || die "fixtures/first-results has no product $1"; names+=("$1") ;;
    esac
    shift
  done
  [ -n "${GATE:-}" ] || { (cd "$root" && cargo build --quiet --locked --bin gate); GATE=$root/target/debug/gate; }
  [ ${#names[@]} -gt 0 ] || mapfile -t names < <(cd "$root/fixtures/first-results" && for file in *.sh; do echo "${file%.sh}"; done)
  unset STAGEGATE_ENV "${!COMPOSE_@}" "${!POSTGRES_@}"
  # shellcheck source=/dev/null
  . "$root/.stagegate/images.env"
  scratch=$(mktemp -d)
  export STAGEGATE_STATE_DIR=$scratch/state
  trap clean_up EXIT
  if [ -n "$configure" ]; then configure_all; return; fi
  registry=no
  if timeout 60 docker pull --quiet nginx:latest >/dev/null 2>&1; then registry=yes; fi
  echo "| product | services | gate init | gate test | first result | one service stopped |"
  echo "|---|---|---|---|---|---|"
  for product in "${names[@]}"; do
    (run "$product") || failed=1
  done
  [ $failed = 0 ]
}

# Takes each folder by itself: what Compose refuses is no product, variables that nobody set apart, which `gate init` names.
configure_all() {
  local file made=0 refused=0 failed=0 reason
  while read -r file; do
    folder=$scratch/configured/${file#"$configure"/}
    folder=${folder%/*}
    [ ! -e "$folder/stagegate.toml" ] || continue
    mkdir -p "$folder"
    cp -r "${file%/*}/." "$folder/"
    cd "$folder"
    if "$GATE" init --yes --no-run >"$scratch/init.log" 2>&1 && "$GATE" config >"$scratch/config.log" 2>&1; then
      made=$((made + 1))
    elif reason=$(grep -m 1 -E '^error: docker compose refuses' "$scratch/init.log"); then
      refused=$((refused + 1))
      note "${folder#"$scratch/configured/"}: ${reason##*: }"
    else
      failed=$((failed + 1))
      note "${folder#"$scratch/configured/"}:"
      tail -n 5 "$scratch/init.log" "$scratch/config.log" >&2
    fi
  done < <(find "$configure" -regextype egrep -regex '.*/(docker-)?compose\.ya?ml' -type f | sort)
  echo "configured $made, refused by Compose $refused, failed $failed"
  [ $failed = 0 ] && [ $made -gt 0 ]
}

clean_up() {
  [ "$keep" != yes ] || { note "left in $scratch"; return; }
  local folder
  for folder in "$scratch"/*/; do remove "$(basename "$folder")"; done
  if [ -s "$scratch/images" ]; then xargs docker image rm <"$scratch/images" >/dev/null 2>&1 || true; fi
  rm -rf "$scratch"
}

remove() { docker compose --project-name "$1" down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true; }

# The image of a Debian suite: the one that setup.sh made, where no registry answers.
debian() {
  if docker image inspect "stagegate/debian:$1" >/dev/null 2>&1; then echo "stagegate/debian:$1"; else echo "debian:$1"; fi
}

# same_as IMAGE OWN: gives an image of this machine the name that the product uses.
same_as() {
  docker image inspect "$1" >/dev/null 2>&1 && return
  docker tag "$2" "$1"
  echo "$1" >>"$scratch/images"
}

# stand_in IMAGE FOLDER: builds an image of that name from the Dockerfile of standard input; FOLDER of the product is its context.
stand_in() {
  docker image inspect "$1" >/dev/null 2>&1 && return
  local context
  context=$(mktemp -d)
  cp -r "$folder/$2/." "$context/"
  # What the host trusts: a network may have a proxy with an authority of its own.
  cp /etc/ssl/certs/ca-certificates.crt "$context/authorities.crt"
  cat >"$context/Dockerfile"
  DOCKER_BUILDKIT=0 docker build --quiet --force-rm --tag "$1" "$context" >"$scratch/build.log" 2>&1 ||
    { tail -n 20 "$scratch/build.log" >&2; die "$product: no stand-in for $1"; }
  rm -rf "$context"
  echo "$1" >>"$scratch/images"
}

# Dockerfile lines that make pip trust what the host trusts; for the files of products.
# shellcheck disable=SC2034
readonly authorities='COPY authorities.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1'

fetch_product() {
  local own=$checkouts/$repository
  if [ -z "$checkouts" ]; then
    own=$scratch/checkouts/$repository
    [ -d "$own" ] || git clone --quiet --depth 1 "https://github.com/$repository" "$own"
  fi
  folder=$scratch/$product
  mkdir -p "$folder"
  cp -r "$own/$path/." "$folder/"
}

# gate STEP ARGUMENTS: runs it, writes its output into a file of that name, and sets `code` and `took` (milliseconds).
gate() {
  local step=$1 began
  began=$(date +%s%N)
  shift
  code=0
  "$GATE" "$@" >"$scratch/$product-$step.log" 2>&1 || code=$?
  took=$((($(date +%s%N) - began) / 1000000))
}

seconds() { printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100)); }

refuse() {
  note "$product: $1"
  tail -n 25 "$scratch/$product-$2.log" >&2
  echo "| $title | | $1 | | | |"
  remove "$product"
  exit 1
}

run() {
  product=$1
  # shellcheck source=/dev/null
  . "$root/fixtures/first-results/$product.sh"
  fetch_product
  cd "$folder"
  if [ $registry = no ]; then stand_ins; fi
  docker compose up --detach --quiet-pull >"$scratch/$product-up.log" 2>&1 || refuse 'docker compose up failed' up
  local services init tested truth
  services=$(docker compose ps --all --quiet | wc -l)
  gate init init --yes
  init=$took
  [ "$code" = 0 ] || refuse "gate init ended with $code" init
  gate test test --env local
  tested=$took
  [ "$code" = "$expected" ] || refuse "gate test ended with $code, expected $expected" test
  docker compose stop --timeout 1 "$stopped" >/dev/null 2>&1
  gate stopped test --env local
  truth="\`$stopped\` is named"
  if [ "$code" != 3 ] || ! grep -qE "not ready after .*$stopped" "$scratch/$product-stopped.log"; then refuse "\`$stopped\` was stopped: exit $code" stopped; fi
  remove "$product"
  echo "| $title | $services | $(seconds "$init") | $(seconds "$tested"), exit $expected | $(grep -m 1 -oE '[0-9]+/[0-9]+ required.*' "$scratch/$product-test.log" || echo ?) | $truth |"
  [ $((init + tested)) -lt $((limit_s * 1000)) ] || { note "$product: it took more than $limit_s s"; exit 1; }
}

main "$@"
