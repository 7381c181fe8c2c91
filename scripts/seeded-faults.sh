#!/usr/bin/env bash
# Seeds one fault after the other into a running copy of the sample stack and verifies that the suites detect it, with the
# name of the service and the cause. usage: scripts/seeded-faults.sh [--keep] [--clean N] [FAULT ..]
#
# --clean N  runs the suites N times on the healthy stack instead: every run has to pass
# --keep     leaves the stacks and the folder with the records
#
# Requires scripts/setup.sh. Builds the gate of this checkout (GATE names another one). Exits with 1 if a fault is not
# detected; one that needs a program which is not installed here is reported as untried.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
faults=$root/fixtures/faults
gate=${GATE:-${CARGO_TARGET_DIR:-$root/target}/debug/gate}
keep=no clean=0 names=()
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=yes ;;
    --clean) clean=${2:?a number}; shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) die "unknown option $1" ;;
    *) [ -f "$faults/$1/fault.sh" ] || die "fixtures/faults has no fault $1"; names+=("$1") ;;
  esac
  shift
done
# A program from an earlier build may not know the faults of this checkout.
[ -n "${GATE:-}" ] || (cd "$root" && cargo build --locked --quiet --bin gate)
[ -x "$gate" ] || die "$gate is missing"
has openssl || die "openssl is not installed" "apt-get install openssl"
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(cd "$faults" && for fault in */fault.sh; do dirname "$fault"; done)

unset STAGEGATE_ENV STAGEGATE_STATE_DIR "${!COMPOSE_@}" "${!POSTGRES_@}" WEB_PORT SHOP_ENV JWT_SECRET MAIL_FROM LOG_LEVEL
scratch=$(mktemp -d)
prefix=faults-$$
staging=$prefix-staging production=$prefix-production
images=$root/.stagegate/images.env
[ -f "$images" ] || : >"$scratch/images.env"
[ ! -f "$images" ] || cp "$images" "$scratch/images.env"
# shellcheck disable=SC1091 # made by scripts/setup.sh
. "$scratch/images.env"

take_down() {
  if [ $keep = yes ]; then
    note "left: $scratch, docker compose projects $staging and $production"
    return
  fi
  for project in "$staging" "$production"; do
    docker compose -p "$project" down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true
  done
  docker image rm --force "$prefix:fault" >/dev/null 2>&1 || true
  rm -rf "$scratch"
}
trap take_down EXIT

env_file() { # ENVIRONMENT
  local port
  free_port
  cat >"$scratch/$1.env" <<TEXT
SHOP_ENV=$1
WEB_PORT=$port
POSTGRES_USER=shop
POSTGRES_DB=shop
POSTGRES_PASSWORD=$(openssl rand -hex 16)
JWT_SECRET=$(openssl rand -hex 24)
MAIL_FROM=shop@$1.example.org
SEED_ORDERS=200
TEXT
}

# What the faults' scripts may call.
value_of() { sed -n "s/^$1=//p" "$scratch/${2:-staging}.env"; }
give() { sed -i "s|^$2=.*|$2=$3|" "$scratch/$1.env"; }
change() { # FILE FROM TO: in staging's tree, the first one
  local text
  text=$(<"$scratch/staging/$1")
  [[ $text == *"$2"* ]] || die "$1 has no \`$2\` to change"
  printf '%s\n' "${text/"$2"/"$3"}" >"$scratch/staging/$1"
}
reload() { docker kill --signal HUP "$staging-$1-1" >/dev/null; }
sql() { docker exec "$staging-db-1" psql -q -U shop -d shop -c "$1" >/dev/null; }
image_from() { printf 'FROM %s\nLABEL %s\n' "$1" "$2" | DOCKER_BUILDKIT=0 docker build -q -t "$prefix:fault" - >/dev/null 2>&1; }
certificate() { # NAME DAYS ca|self: staging's web speaks TLS with it
  local dir=$scratch/staging/web/conf.d
  (
    cd "$scratch"
    [ -f ca.key ] || openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj "/CN=seeded" 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -keyout "$dir/web.key" -out web.csr -subj "/CN=$1" 2>/dev/null
    printf 'subjectAltName=DNS:%s\n' "$1" >names
    if [ "$3" = ca ]; then
      openssl x509 -req -in web.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days "$2" -extfile names -out "$dir/web.pem" 2>/dev/null
    else
      openssl x509 -req -in web.csr -signkey "$dir/web.key" -days "$2" -extfile names -out "$dir/web.pem" 2>/dev/null
    fi
    cp ca.pem "$dir/ca.pem"
  )
  chmod 644 "$dir/web.key"
  cat >>"$dir/default.conf" <<'TEXT'
server {
    listen 8443 ssl;
    ssl_certificate conf.d/web.pem;
    ssl_certificate_key conf.d/web.key;
    root /usr/share/nginx/html;
    add_header X-Content-Type-Options nosniff always;
}
TEXT
}

on_one_line() { awk '{ printf "%s\\n", $0 }'; }
give_keys() { # FLAW: of the service of issuer.pl, which gets a new key pair
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$scratch/issuer.pem" 2>/dev/null
  printf 'FLAW=%s\nPRIVATE_KEY=%s\nPUBLIC_KEY=%s\n' "$1" "$(on_one_line <"$scratch/issuer.pem")" \
    "$(openssl pkey -in "$scratch/issuer.pem" -pubout | on_one_line)" >>"$scratch/staging.env"
}

compose() { # ENVIRONMENT ARGUMENTS
  local name=$1 files=(-f docker-compose.yml)
  shift
  if [ "$name" = staging ]; then
    for file in "${overrides[@]}"; do files+=(-f "$file"); done
  fi
  (cd "$scratch/$name" && docker compose --env-file ../images.env --env-file "../$name.env" -p "$prefix-$name" "${files[@]}" "$@")
}

# Starts an environment that has to come up; on a busy machine a healthcheck may give up too early the first time.
start() { # ENVIRONMENT ARGUMENTS
  local name=$1 try
  shift
  for try in 1 2 3 4 5 6 7 8; do
    compose "$name" up -d "$@" >"$scratch/$name.up.log" 2>&1 && return
    note "$name: up failed ($try)"
    sleep 5
  done
  cat "$scratch/$name.up.log" >&2
  die "$name did not come up"
}

# Lays fresh trees and settings: nothing of the last fault is left in them.
lay() {
  local name
  for name in staging production; do
    mkdir -p "$scratch/$name/fault"
    # Written over, not replaced: containers have the folders mounted.
    rm -rf "$scratch/$name/workflows" "$scratch/$name/migrations/"00[2-9]_*
    cp -R "$root"/fixtures/shop/{docker-compose.yml,web,contracts,migrations,seed,workflows} "$scratch/$name/"
    # A machine that is too busy to start curl within 2 s, or to answer within 3 s, is none of the faults.
    sed -i -e 's/timeout: 2s/timeout: 20s/' -e 's/start_period: .*s$/start_period: 60s/' "$scratch/$name/docker-compose.yml"
    sed -i -e 's/within = "20s"/within = "40s"/' -e 's/within = "[235]s"/within = "15s"/' "$scratch/$name"/workflows/*.toml
  done
  rm -f "$scratch"/staging/fault*.yml "$scratch"/staging/{behind-nginx,issuer}.yml "$scratch"/staging/fault/* \
    "$scratch"/staging/web/conf.d/{web.key,web.pem,ca.pem}
  cp "$scratch/pristine/"*.env "$scratch/"
  overrides=()
}

configure() { # OVERRIDES ..
  local file list='"docker-compose.yml"'
  for file in "$@"; do list="$list, \"$file\""; done
  cat >"$scratch/stagegate.toml" <<TEXT
[project]
name = "faults"
state_dir = "state"
[environments.staging]
project = "$staging"
workdir = "staging"
compose = [$list]
env_file = ["images.env", "staging.env"]
ready_within = "40s"
[environments.production]
project = "$production"
workdir = "production"
env_file = ["images.env", "production.env"]
protected = true
[services.web]
port = 80
health = "/ping"
[services.api]
port = 8080
health = "/readyz"
version = "/version"
contract = "contracts/openapi.json"
[services.db]
kind = "postgres"
[services.cache]
kind = "redis"
[databases.main]
service = "db"
name = "shop"
migrations = "migrate"
[security.jwt.api]
key_variable = "JWT_SECRET"
audience_variable = "SHOP_ENV"
$config
TEXT
}

examine() { # RECORDS [FILTER]
  (cd "$scratch" && "$gate" test --env staging --json ${2:+"$2"} >"$1" 2>"$1.err")
}

bring_up() {
  local name port
  mkdir -p "$scratch/pristine"
  for name in staging production; do env_file $name; done
  free_port
  cat >>"$scratch/staging.env" <<TEXT
STAGING=$staging
PRODUCTION=$production
FAULT_IMAGE=$prefix:fault
FREE_PORT=$port
TEXT
  cp "$scratch"/{staging,production,images}.env "$scratch/pristine/"
  config=""
  lay
  configure
  for name in production staging; do
    start $name
  done
  # What the migrations make is what the schema has to be from here on.
  examine "$scratch/sound.jsonl" || true
  (cd "$scratch" && "$gate" schema accept --env staging >/dev/null 2>&1) || die "the schema could not be read"
  examine "$scratch/sound.jsonl" || { told "$scratch/sound.jsonl" >&2; die "the healthy stack does not pass"; }
}

# Prints what did not pass, one line each.
told() { grep -E '"status":"(fail|broken)","severity":"required"' "$1" | sed -E 's/.*"trial":"([^"]*)".*"message":"(([^"\\]|\\.)*)".*/\1: \2/' || true; }

# Prints the message of the first trial that matches $2 in the records $1, ended as $4 and says $3 anywhere.
found() {
  grep -E "\"trial\":\"($2)\"" "$1" | grep -F "\"status\":\"$4\"" | grep -F -- "$3" | head -n 1 |
    sed -E 's/.*"trial":"([^"]*)".*"message":"(([^"\\]|\\.)*)".*/\1\t\2/'
}

has_any() { for program in "$@"; do ! has "$program" || return 0; done; return 1; }

seed() { # NAME: breaks, asks, mends; adds a line to the table
  local name=$1 pattern hit records=$scratch/$1.jsonl missed=no from=$SECONDS
  about="" trial="" says="" behind_nginx=no in_files=yes config="" needs="" only="" status=fail passes="" issuer=no
  break_it() { :; }
  mend_it() { :; }
  lay
  # shellcheck disable=SC1090 # one of fixtures/faults
  . "$faults/$name/fault.sh"
  if [ -n "$needs" ] && ! has_any $needs; then
    printf 'UNTRIED %-26s none of these is installed: %s\n' "$name" "$needs"
    untried+=("$name")
    lay
    return
  fi
  if [ $behind_nginx = yes ]; then
    cp "$faults/behind-nginx.yml" "$scratch/staging/"
    cp "$faults/behind-nginx.conf" "$scratch/staging/fault/default.conf"
    cp "$faults/$name/fault.inc" "$scratch/staging/fault/"
    overrides+=(behind-nginx.yml)
  fi
  if [ $issuer = yes ]; then
    cp "$faults"/issuer.{pl,json} "$scratch/staging/fault/"
    cp "$faults/issuer.yml" "$scratch/staging/"
    overrides+=(issuer.yml)
  fi
  if [ -f "$faults/$name/docker-compose.yml" ]; then
    cp "$faults/$name/docker-compose.yml" "$scratch/staging/fault.yml"
    overrides+=(fault.yml)
  fi
  if [ $in_files = yes ]; then configure "${overrides[@]}"; else configure; fi
  break_it
  # A fault may be that this fails.
  [ ${#overrides[@]} -eq 0 ] || compose staging up -d >"$scratch/$name.up.log" 2>&1 || true
  examine "$records" "$only" || true
  for pattern in $trial; do
    hit=$(found "$records" "$pattern" "$says" "$status")
    if [ -n "$hit" ]; then
      printf 'found   %-26s %s\n' "$name" "${hit/$'\t'/: }"
    else
      missed=yes
      printf 'MISSED  %-26s %s should fail and report `%s` (%s)\n' "$name" "$pattern" "$says" "$about"
      told "$records" | sed 's/^/        instead: /'
    fi
  done
  for pattern in $passes; do
    [ -z "$(found "$records" "$pattern" "" pass)" ] || continue
    missed=yes
    printf 'MISSED  %-26s %s should pass (%s)\n' "$name" "$pattern" "$about"
  done
  mend_it
  mend
  note "$name: $((SECONDS - from)) s"
  [ $missed = no ]
}

# Puts the sound stack back.
mend() {
  local had=${#overrides[@]}
  lay
  config=""
  configure
  # What a fault stopped is started again, what it changed is made anew.
  docker unpause "$staging-api-1" >/dev/null 2>&1 || true
  start staging --remove-orphans
  [ "$had" -eq 0 ] || reload web
}

say "starting staging and production"
bring_up
if [ "$clean" -gt 0 ]; then
  passed=0 from=$SECONDS
  for ((run = 1; run <= clean; run++)); do
    if examine "$scratch/clean-$run.jsonl"; then passed=$((passed + 1)); else
      say "run $run did not pass"
      told "$scratch/clean-$run.jsonl"
    fi
  done
  trials=$(grep -c '"trial"' "$scratch/clean-1.jsonl")
  printf '%s of %s runs of %s checks passed, %s s\n' "$passed" "$clean" "$trials" $((SECONDS - from))
  [ "$passed" = "$clean" ]
  exit
fi
missing=() untried=()
for name in "${names[@]}"; do seed "$name" || missing+=("$name"); done
tried=$((${#names[@]} - ${#untried[@]}))
printf '%s of %s faults found\n' $((tried - ${#missing[@]})) $tried
examine "$scratch/after.jsonl" || { told "$scratch/after.jsonl" >&2; die "after the last fault the stack is not healthy"; }
[ ${#missing[@]} -eq 0 ] || die "not found: ${missing[*]}"
