#!/usr/bin/env bash
# Promotes a trivial product again and again and counts the good releases that were blocked or rolled back.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/soak-promotions.sh N [--product web|migrated|self] [--load]

Promotes N good releases of a product that has no healthcheck. Each release changes the page, which is then read from
production. Prints a row of a table: promotions, false blocks, false rollbacks. Exits 1 if there was one.

  --product web       nginx at a published port, a service that listens after some seconds, and services that run once
                      in every spelling [default]
            migrated  nginx and PostgreSQL, and a service that runs once, changes the schema in each release, and is
                      awaited by nobody
            self      the same with a service that changes the schema whenever it starts
  --load   keep 20 busy processes on the machine meanwhile
  --help   print this text

GATE names the program [default: a debug build of this checkout].
TEXT
}

main() {
  local wanted='' load=''
  kind=web
  while [ $# -gt 0 ]; do
    case $1 in
      --load) load=1 ;;
      --product) kind=${2:?which product?} && shift ;;
      -h | --help) usage; exit 0 ;;
      [1-9]*) wanted=$1 ;;
      *) usage >&2; die "unknown option \`$1\`" ;;
    esac
    shift
  done
  [ -n "$wanted" ] || { usage >&2; die "say how many promotions"; }
  case $kind in web | migrated | self) ;; *) usage >&2; die "unknown product \`$kind\`" ;; esac
  if [ -z "${GATE:-}" ]; then
    (cd "$root" && cargo build --quiet --bin gate)
    GATE=$root/target/debug/gate
  fi
  # shellcheck source=/dev/null
  . "$root/.stagegate/images.env"
  folder=$(mktemp -d)
  name=soak-$$
  busy=()
  trap clean_up EXIT
  product
  [ -z "$load" ] || for _ in $(seq 20); do nice yes >/dev/null & busy+=($!); done
  soak "$wanted" "$load"
}

clean_up() {
  [ ${#busy[@]} = 0 ] || kill "${busy[@]}" 2>/dev/null || true
  local environment
  for environment in staging production; do
    docker compose --project-name "$name-$environment" down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true
  done
  docker image ls --format '{{.Repository}}:{{.Tag}}' stagegate/rollback | while read -r image; do
    local run=${image#stagegate/rollback:}
    if compgen -G "$folder/state/*/runs/${run:0:20}" >/dev/null; then docker image rm "$image" >/dev/null 2>&1 || true; fi
  done
  rm -rf "$folder"
}

product() {
  mkdir -p "$folder/product/page" "$folder/product/sql"
  cd "$folder/product"
  "product_$kind" >docker-compose.yml
  {
    cat <<TEXT
[project]
name = "$name"
state_dir = "../state"
[environments.staging]
workdir = "../staging"
env_file = "../staging.env"
[environments.production]
workdir = "../production"
env_file = "../production.env"
[gate]
soak = "1s"
TEXT
    "settings_$kind"
  } >stagegate.toml
  local environment port
  for environment in staging production; do
    free_port
    printf 'WEB_PORT=%s\nDB_PASSWORD=%s\n' "$port" "$environment" >"$folder/$environment.env"
    free_port
    printf 'SLOW_PORT=%s\n' "$port" >>"$folder/$environment.env"
  done
  git init --quiet
  release 0
  "$GATE" up --env staging --release v0 >"$folder/log" 2>&1 || { cat "$folder/log" >&2; die "staging did not come up"; }
  "$GATE" up --env production --release v0 >"$folder/log" 2>&1 || { cat "$folder/log" >&2; die "production did not come up"; }
}

# No health check anywhere, a service that listens late, and services that run once in every spelling.
product_web() {
  cat <<TEXT
services:
  web:
    image: $NGINX_IMAGE
    ports: ["127.0.0.1:\${WEB_PORT:?}:80"]
    volumes: ["./page:/usr/share/nginx/html:ro"]
    depends_on:
      awaited: { condition: service_completed_successfully }
  slow:
    image: $NGINX_IMAGE
    ports: ["127.0.0.1:\${SLOW_PORT:?}:80"]
    command: ["sh", "-c", "sleep 3; exec nginx -g 'daemon off;'"]
    environment: { RELEASE: "\${RELEASE:-}" }
    volumes: ["./page:/usr/share/nginx/html:ro"]
  awaited: { image: $NGINX_IMAGE, command: ["true"] }
  restart-no: { image: $NGINX_IMAGE, command: ["sh", "-c", "sleep 1"], restart: "no" }
  on-failure: { image: $NGINX_IMAGE, command: ["true"], restart: on-failure }
  condition-none: { image: $NGINX_IMAGE, command: ["true"], deploy: { restart_policy: { condition: none } } }
  by-key: { image: $NGINX_IMAGE, command: ["true"] }
TEXT
}

settings_web() {
  cat <<'TEXT'
[services.web]
port = 80
health = "/"
[services.slow]
port = 80
[services.by-key]
one_shot = true
TEXT
}

# A database without a health check, as many write it, and $1, which changes its schema in each release.
with_database() {
  cat <<TEXT
services:
  db:
    image: $POSTGRES_IMAGE
    environment: { POSTGRES_USER: shop, POSTGRES_PASSWORD: "\${DB_PASSWORD:?}", POSTGRES_DB: shop }
    volumes: ["db-data:/var/lib/postgresql/data"]
  web:
    image: $NGINX_IMAGE
    ports: ["127.0.0.1:\${WEB_PORT:?}:80"]
    volumes: ["./page:/usr/share/nginx/html:ro"]
$1
volumes:
  db-data:
TEXT
}

# Migrations in a service that runs once and that nobody waits for.
product_migrated() {
  with_database "  migrate:
    image: $POSTGRES_IMAGE
    restart: \"no\"
    command: [\"sh\", \"-c\", \"until pg_isready -q; do sleep 0.2; done; exec psql --quiet --set ON_ERROR_STOP=1 --file /sql/up.sql\"]
    environment: { PGHOST: db, PGUSER: shop, PGDATABASE: shop, PGPASSWORD: \"\${DB_PASSWORD:?}\" }
    volumes: [\"./sql:/sql:ro\"]
    depends_on: [db]"
}

settings_migrated() {
  settings_database
  echo 'migrations = "migrate"'
}

# A service that migrates whenever it starts, and then works.
product_self() {
  with_database "  app:
    image: $POSTGRES_IMAGE
    init: true
    command: [\"sh\", \"-c\", \"until pg_isready -q; do sleep 0.2; done; psql --quiet --set ON_ERROR_STOP=1 --file /sql/up.sql && exec sleep infinity\"]
    environment: { PGHOST: db, PGUSER: shop, PGDATABASE: shop, PGPASSWORD: \"\${DB_PASSWORD:?}\" }
    volumes: [\"./sql:/sql:ro\"]
    depends_on: [db]"
}

settings_self() { settings_database; }

settings_database() {
  cat <<'TEXT'
[services.web]
port = 80
health = "/"
[services.db]
kind = "postgres"
[databases.main]
service = "db"
name = "shop"
TEXT
}

release() {
  echo "release $1" >page/index.html
  {
    echo "create table if not exists item (id int primary key, state varchar(10) check (state in ('new', 'paid')));"
    echo "insert into item select i, 'new' from generate_series(1, 1000) i on conflict do nothing;"
    for ((column = 1; column <= $1; column++)); do
      echo "alter table item add column if not exists c$column text not null default '$column';"
    done
  } >sql/up.sql
  git add --all
  git -c user.name=soak -c user.email=soak@example.org -c commit.gpgsign=false commit --quiet --message "release $1"
  git tag "v$1"
}

soak() {
  local wanted=$1 load=$2 promoted=0 blocked=0 rolled_back=0 other=0 number code port began=$SECONDS
  port=$(sed -n 's/^WEB_PORT=//p' "$folder/production.env")
  for number in $(seq "$wanted"); do
    release "$number"
    code=0
    "$GATE" up --env staging --release "v$number" >"$folder/log" 2>&1 || code=$?
    if [ $code = 0 ]; then
      "$GATE" promote --from staging --to production --yes >"$folder/log" 2>&1 || code=$?
    fi
    case $code in
      0) promoted=$((promoted + 1)) ;;
      3 | 4) blocked=$((blocked + 1)) ;;
      5 | 6) rolled_back=$((rolled_back + 1)) ;;
      *) other=$((other + 1)) ;;
    esac
    if [ $code != 0 ]; then
      echo "release $number: exit $code" >&2
      grep -E 'FAIL|reason|error|blocked' "$folder/log" >&2 || true
    elif [ "$(curl -fsS "http://127.0.0.1:$port/")" != "release $number" ]; then
      die "release $number was promoted, and production serves another one"
    elif [ "$kind" != web ] && [ "$(columns)" != $((number + 2)) ]; then
      die "release $number was promoted, and production's table has $(columns) columns"
    fi
  done
  echo "| product | load | promotions | promoted | false blocks | false rollbacks | other | seconds each |"
  echo "|---|---|---|---|---|---|---|---|"
  echo "| $kind | ${load:+20 busy processes, }$(cut -d' ' -f1 /proc/loadavg) | $wanted | $promoted | $blocked | $rolled_back | $other | $(((SECONDS - began) / wanted)) |"
  [ "$promoted" = "$wanted" ]
}

# How many columns the table of production has.
columns() {
  docker compose --project-name "$name-production" exec -T db psql -U shop -Atc \
    "select count(*) from information_schema.columns where table_name = 'item'" shop
}

main "$@"
