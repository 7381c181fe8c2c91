#!/usr/bin/env bash
# Installs the Debian package of dist/ into a fresh container that has no Rust, and goes from there to a first result on a
# product that `gate` never saw: each step is timed, none edits a file.
#
# usage: scripts/try-package.sh [--base IMAGE] [--keep]
#   --base IMAGE  the Debian image of the container [default: debian:trixie-slim, else stagegate/debian:trixie]
#   --keep        keep the container, for inspection
#
# The container gets the Docker socket; the product's folder has the same path inside and outside.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

# From the package's file to a first result.
readonly limit_s=600

base='' keep=no
while [ $# -gt 0 ]; do
  case $1 in
    --base) base=${2:?--base needs an image}; shift ;;
    --keep) keep=yes ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) die "unknown option \`$1\`" "scripts/try-package.sh --help" ;;
  esac
  shift
done

package=$(find "$root/dist" -name 'stagegate_*.deb' 2>/dev/null | sort -V | tail -n 1)
[ -n "$package" ] || die "there is no package in dist" "scripts/dist.sh"
if [ -z "$base" ]; then
  base=debian:trixie-slim
  docker image inspect "$base" >/dev/null 2>&1 || base=stagegate/debian:trixie
fi
# shellcheck source=/dev/null
. "$root/.stagegate/images.env"

product=$(mktemp -d /tmp/stagegate-product-XXXXXX)
name=stagegate-package-$$
project=${product##*/}
project=$(tr '[:upper:]' '[:lower:]' <<<"$project")
times=()

clean() {
  [ "$keep" = no ] || { note "kept: container $name, product $product"; return; }
  docker exec "$name" sh -c "cd $product && docker compose --project-name $project down --volumes --timeout 2" >/dev/null 2>&1 || true
  docker rm --force "$name" >/dev/null 2>&1 || true
  rm -rf "$product"
}
trap clean EXIT

# A product as somebody has it: nothing in it knows `gate`.
write_product() {
  cp "$package" "$product/stagegate.deb"
  mkdir "$product/shop"
  free_port
  cat >"$product/shop/compose.yaml" <<END
services:
  db:
    image: ${POSTGRES_IMAGE:?}
    environment:
      POSTGRES_USER: shop
      POSTGRES_PASSWORD: \${DB_PASSWORD:?set it in .env}
      POSTGRES_DB: shop
    volumes: [data:/var/lib/postgresql/data]
    healthcheck: { test: ["CMD-SHELL", "pg_isready -q -h 127.0.0.1 -U shop"], interval: 1s, retries: 60 }
  cache:
    image: ${REDIS_IMAGE:?}
  web:
    image: ${NGINX_IMAGE:?}
    ports: ["127.0.0.1:\${WEB_PORT:-$port}:80"]
    depends_on: { db: { condition: service_healthy } }
volumes:
  data:
END
  printf 'DB_PASSWORD=only-for-this-try\n' >"$product/shop/.env"
  chmod 600 "$product/shop/.env"
}

inside() { docker exec --workdir "$product/shop" "$name" "$@"; }

# Runs a step in the container, with its time; `want` is a list of exit codes that are fine.
step() {
  local title=$1 want=$2 from code=0 log=$product/log
  shift 2
  from=$(date +%s%N)
  inside "$@" >"$log" 2>&1 || code=$?
  [[ " $want " == *" $code "* ]] || { tail -n 40 "$log" >&2; die "$title: exit code $code, expected $want"; }
  times+=("$(printf '%-44s %7.1f s   exit %s' "$title" "$((($(date +%s%N) - from) / 100000000))e-1" "$code")")
  note "${times[-1]}"
}

# Fails where the last step did not print a text.
printed() { grep -qE -- "$1" "$product/log" || { cat "$product/log" >&2; die "the last step did not print \`$1\`"; }; }

container() {
  docker run --detach --name "$name" --network host --volume /var/run/docker.sock:/var/run/docker.sock \
    --volume "$product:$product" "$base" sleep infinity >/dev/null
  # A slim image leaves out manual pages, and installs nothing that is recommended: a machine of somebody does both.
  inside sh -c 'rm -f /etc/dpkg/dpkg.cfg.d/slim /etc/dpkg/dpkg.cfg.d/docker; sed -i "/Install-Recommends/d" /etc/apt/apt.conf.d/* 2>/dev/null || true'
  if inside sh -c 'command -v cargo rustc gate' >/dev/null; then die "$base has Rust or gate already"; fi
}

install_package() {
  step 'apt-get update' 0 apt-get update -qq
  step 'apt-get install man-db bash-completion' 0 env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends man-db bash-completion
  step 'apt-get install ./stagegate.deb' 0 env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$product/stagegate.deb"
  step 'gate version --json' 0 gate version --json
  printed '"commit": "[0-9a-f]{40}"'
  step 'man gate' 0 sh -c 'MANPAGER=cat man gate && MANPAGER=cat man gate-promote'
  printed 'promotes|Promote a release'
  step 'completions' 0 bash -c '. /usr/share/bash-completion/bash_completion; _comp_load gate 2>/dev/null || __load_completion gate; complete -p gate'
  printed 'complete .* gate$'
}

first_result() {
  step 'docker compose up (the product, by its owner)' 0 docker compose --project-name "$project" up --detach --quiet-pull
  step 'git init, one commit (the owner'"'"'s)' 0 sh -c 'git init -q . && echo .env >.gitignore && git add . && git -c user.name=owner -c user.email=owner@example.org commit -qm first'
  step 'gate doctor' '0' gate doctor
  step 'gate init' 0 gate init
  printed 'wrote .*stagegate.toml'
  environment=$(sed -n 's/.*gate test --env \([a-z0-9_-]*\).*/\1/p' "$product/log" | head -n 1)
  # 3: what a check found is a result, too.
  step "gate test --env ${environment:=local}" '0 3' gate test --env "$environment"
  printed 'required'
  cat "$product/log" >&2
  step 'gate doctor, with the file' '0' gate doctor
  printed 'promotion'
  cat "$product/log" >&2
}

from=$(date +%s)
write_product
container
install_package
first_result
took=$(($(date +%s) - from))
say "from the package's file to a first result on $base"
printf '    %s\n' "${times[@]}"
printf '    %-44s %7d s\n' 'all, the product included' "$took"
[ "$took" -lt "$limit_s" ] || die "it took $took s, and $limit_s s are the limit"
