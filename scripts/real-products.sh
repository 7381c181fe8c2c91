#!/usr/bin/env bash
# Promotes real products from one of their releases to the next one and rolls them back, with what `gate init` writes.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/real-products.sh [--keep] [PRODUCT ...]

Takes each product of fixtures/products (default: all) as a user of it would: its Compose file, an env file for each
environment, `gate init`, then `gate up` of staging and production, rows that a user makes, the next release in staging,
`gate promote`, more rows, `gate rollback --with-data`. Prints a row of a table for each: what `gate test` found, how each
command ended, seconds, which release runs, rows. Exits with 1 where one ended otherwise than it should.

Images are built from Debian's packages and PyPI, by the gate. Where no registry answers, scripts/setup.sh --postgres 15,17,18 makes
the images that they begin with.

  --keep   leave stacks and folders, and print where they are
  --help   print this text

GATE names the program [default: a debug build of this checkout].
TEXT
}

main() {
  local names=() failed=0 product
  keep=''
  while [ $# -gt 0 ]; do
    case $1 in
      --keep) keep=yes ;;
      -h | --help) usage; exit 0 ;;
      -*) usage >&2; die "unknown option \`$1\`" ;;
      *) [ -f "$root/fixtures/products/$1/product.sh" ] || die "fixtures/products has no product $1"; names+=("$1") ;;
    esac
    shift
  done
  has jq || die "jq is missing" "apt-get install jq"
  [ -n "${GATE:-}" ] || { (cd "$root" && cargo build --quiet --locked --bin gate); GATE=$root/target/debug/gate; }
  [ ${#names[@]} -gt 0 ] || mapfile -t names < <(cd "$root/fixtures/products" && ls)
  unset STAGEGATE_ENV "${!COMPOSE_@}" "${!POSTGRES_@}" WEB_PORT DB_PASSWORD
  # shellcheck source=/dev/null
  . "$root/.stagegate/images.env"
  scratch=$(mktemp -d)
  export STAGEGATE_STATE_DIR=$scratch/state
  trap clean_up EXIT
  echo "| product | gate test | promote | seconds | release | rollback | seconds | release | rows: at first, of the new release, after the rollback |"
  echo "|---|---|---|---|---|---|---|---|---|"
  for product in "${names[@]}"; do
    (run "$product") || failed=1
  done
  [ $failed = 0 ]
}

clean_up() {
  if [ "$keep" = yes ]; then note "left in $scratch"; return; fi
  local folder environment
  for folder in "$scratch"/*/; do
    folder=$(basename "$folder")
    for environment in staging production; do
      docker compose --project-name "$folder-$environment" down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true
      docker image ls --format '{{.Repository}}:{{.Tag}}' "$folder-$environment-*" | xargs --no-run-if-empty docker image rm >/dev/null 2>&1 || true
    done
  done
  docker image ls --format '{{.Repository}}:{{.Tag}}' stagegate/rollback | while read -r image; do
    local run=${image#stagegate/rollback:}
    if compgen -G "$STAGEGATE_STATE_DIR/*/runs/${run:0:20}" >/dev/null; then docker image rm "$image" >/dev/null 2>&1 || true; fi
  done
  rm -rf "$scratch"
}

# The image of a Debian suite: the one that setup.sh made, where no registry answers.
debian() {
  if docker image inspect "stagegate/debian:$1" >/dev/null 2>&1; then echo "stagegate/debian:$1"; else echo "debian:$1"; fi
}

commit() {
  git add --all
  git -c user.name=real -c user.email=real@example.org -c commit.gpgsign=false commit --quiet --message "$1"
  git tag "$1"
}

# gate STEP ARGUMENTS: runs it, writes its output into a file of that name, and sets `code` and `took`.
gate() {
  local step=$1 began=$SECONDS
  shift
  code=0
  "$GATE" "$@" >"$folder/$step.log" 2>&1 || code=$?
  took=$((SECONDS - began))
}

should() {
  [ "$code" = "$1" ] && return
  note "$product: $2 ended with $code, expected $1"
  tail -n 25 "$folder/$2.log" >&2
  echo "| $product | | $2 ended with $code | | | | | | |"
  exit 1
}

prepare() {
  folder=$scratch/$product
  mkdir -p "$folder/$product"
  cd "$folder/$product"
  cp "$root/fixtures/products/$product/compose.yaml" .
  sed -i "s#image: postgres:17#image: $POSTGRES_IMAGE#" compose.yaml
  local environment
  for environment in staging production; do
    free_port
    printf 'WEB_PORT=%s\nDB_PASSWORD=of-%s-%s\n' "$port" "$environment" "$RANDOM$RANDOM" >".env.$environment"
  done
  cp .env.staging .env
  echo '.env*' >.gitignore
  git init --quiet
  release 1
  commit v1
  gate init init --yes
  should 0 init
  sed -i '/^#\[environments/,/^$/s/^#//' stagegate.toml
  if declare -F settings >/dev/null; then settings >>stagegate.toml; fi
  git add --all
  git -c user.name=real -c user.email=real@example.org -c commit.gpgsign=false commit --quiet --message 'under the gate'
  git tag --force v1 >/dev/null
}

# must COMMAND ..: ends the product's run where what a user does fails: `set -e` does not hold in it.
must() {
  "$@" && return
  note "$product: $* failed"
  echo "| $product | | $* failed | | | | | | |"
  exit 1
}

value() { sed -n "s/^$2=//p" "$folder/$product/.env.$1"; }
of() { "$1" "$(value production WEB_PORT)" "$(value production DB_PASSWORD)" "${2:-$product-production}" "$product-production"; }
rows() { docker compose --project-name "$product-production" exec --no-TTY "$database" psql -U "$user" -Atc "$rows" "$name"; }

run() {
  product=$1
  # shellcheck source=/dev/null
  . "$root/fixtures/products/$product/product.sh"
  prepare
  gate up-staging up --env staging --release v1
  should 0 up-staging
  gate up-production up --env production --release v1
  should 0 up-production
  gate test test --env staging
  local tested=$code promoted seconds before after of_new old
  must of write first
  before=$(rows)
  old=$(of version)
  release 2
  commit v2
  gate up-next up --env staging --release v2
  should 0 up-next
  gate promote promote --from staging --to production --yes
  promoted=$code seconds=$took
  should 0 promote
  after=$(of version)
  must of write second
  of_new=$(rows)
  gate rollback rollback --env production --with-data --yes
  should 0 rollback
  echo "| $title | $tested | $promoted | $seconds | $old, then $after | $code | $took | $(of version) | $before, $of_new, $(rows) |"
  if [ "$old" != "$after" ] && [ "$(of version)" = "$old" ] && [ "$(rows)" = "$before" ] && [ "$of_new" -gt "$before" ]; then
    return
  fi
  note "$product: the releases or the rows in its line are not those expected"
  return 1
}

main "$@"
