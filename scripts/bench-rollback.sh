#!/usr/bin/env bash
# Measures how long a failed promotion's rollback puts a database back, next to restoring its dump.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/bench-rollback.sh [--mib "N N .."] [--rounds N] [--gate FILE]

For each size (default "15 1024", in MiB): starts PostgreSQL with one table of that size, promotes a release that migrates it and
then fails its verification, and prints a table: the migration's freeze until the decision, the switch of the databases, the whole
way from the decision to "rolled back and verified", and `pg_restore -j2` of the same rows into a new database on the same
server. Removes everything at the end. A size needs about 6 times as much disk.
TEXT
}

sizes='15 1024' rounds=3 gate='' dir='' name="bench-rollback-$$"

main() {
  while [ $# -gt 0 ]; do
    case $1 in
      --mib) sizes=${2:?$1 needs a value}; shift ;;
      --rounds) rounds=${2:?$1 needs a value}; shift ;;
      --gate) gate=${2:?$1 needs a value}; shift ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; exit 2 ;;
    esac
    shift
  done
  [ -n "$gate" ] || { cargo build --quiet --manifest-path "$root/Cargo.toml" --bin gate && gate=$root/target/debug/gate; }
  gate=$(readlink -f -- "$gate")
  nginx=$(sed -n 's/^NGINX_IMAGE=//p' "$root/.stagegate/images.env")
  postgres=$(sed -n 's/^POSTGRES_IMAGE=//p' "$root/.stagegate/images.env")
  dir=$(mktemp -d)
  trap take_down EXIT
  product
  echo '| MiB | round | switch s | decision to verified s | pg_restore -j2 s | switch / pg_restore |'
  echo '|---|---|---|---|---|---|'
  local size round
  for size in $sizes; do
    fill "$size"
    for round in $(seq "$rounds"); do measure "$size" "$round"; done
  done
}

product() {
  mkdir "$dir/product"
  cd "$dir/product"
  cat >compose.yml <<TEXT
services:
  db:
    image: $postgres
    environment: { POSTGRES_USER: app, POSTGRES_PASSWORD: only-for-this-bench, POSTGRES_DB: app }
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: { test: ["CMD-SHELL", "pg_isready -q -h 127.0.0.1 -U app"], interval: 1s, retries: 120 }
  migrate:
    image: $postgres
    restart: "no"
    command: ["bash", "-c", "for f in /m/*.sql; do psql -qX -v ON_ERROR_STOP=1 -f \$\$f || exit 1; done"]
    volumes: ["./m:/m:ro"]
    tmpfs: [/var/lib/postgresql/data]
    environment: { PGHOST: db, PGUSER: app, PGPASSWORD: only-for-this-bench, PGDATABASE: app }
    depends_on: { db: { condition: service_healthy } }
  web:
    image: $nginx
    command: ["bash", "/s/start.sh"]
    environment: { LATE: "\${LATE:-}" }
    volumes: ["./s:/s:ro"]
    depends_on: { migrate: { condition: service_completed_successfully } }
volumes: { data: {} }
TEXT
  {
    printf '[project]\nname = "%s"\nstate_dir = "%s/state"\ncompose = ["compose.yml"]\n' "$name" "$dir"
    for environment in staging production; do
      printf '[environments.%s]\nworkdir = "%s/%s"\nenv_file = "%s/%s.env"\n' \
        "$environment" "$dir" "$environment" "$dir" "$environment"
    done
    printf '[services.web]\nport = 80\nhealth = "/"\n[services.db]\nkind = "postgres"\n'
    printf '[databases.main]\nservice = "db"\nname = "app"\nmigrations = "migrate"\n'
    printf '[severity]\npolicy = "info"\nsecurity = "info"\nisolation = "info"\n'
    printf '[gate]\nsoak = "0s"\nverify_within = "10s"\ncross_versions = "off"\nmigrate_within = "30m"\nbackup_within = "60m"\n'
  } >stagegate.toml
  : >"$dir/staging.env"
  echo LATE=1 >"$dir/production.env"
  mkdir s m
  git init --quiet
  echo "exec nginx -g 'daemon off;'" >s/start.sh
  echo 'create table if not exists filled (id bigint primary key, text text);' >m/1.sql
  release v1
  # shellcheck disable=SC2016 # the container reads the variable
  printf '[ -z "$LATE" ] || rm /usr/share/nginx/html/index.html\n%s\n' "exec nginx -g 'daemon off;'" >s/start.sh
  echo 'alter table filled add column if not exists size int not null default 1;' >m/2.sql
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

in_db() { docker exec "$name-production-db-1" "$@"; }

# Fills the table to N MiB: a row is about 1 KiB, of text that does not compress away.
fill() {
  in_db psql -qX -U app -d app -c "truncate filled" -c "insert into filled select i, (select string_agg(md5(i::text || j), '')
    from generate_series(1, 30) j) from generate_series(1, $1 * 1000) i" -c 'checkpoint' >/dev/null
}

measure() {
  local text switch back plain begun run journal
  text=$("$gate" promote --from staging --to production --yes 2>&1) || true
  grep -q 'rolled back and verified' <<<"$text" || die "the rollback failed" "$text"
  switch=$(sed -n '0,/database switched in/s/.*database switched in \([0-9.]*\) s.*/\1/p' <<<"$text")
  # From the journal: the decision, and the last line.
  journal=$(find "$dir/state/$name-production/runs" -name journal.jsonl -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)
  back=$(python3 - "$journal" <<'PY'
import datetime, json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
of = lambda line: datetime.datetime.fromisoformat(line["wall"].replace("Z", "+00:00"))
decided = next(line for line in lines if '"rollback"' in json.dumps(line) and "decided" in json.dumps(line))
print(f"{(of(lines[-1]) - of(decided)).total_seconds():.1f}")
PY
  )
  # The usual way: a dump of the same rows, into a new database.
  in_db bash -c 'rm -rf /tmp/dump && pg_dump -U app -Fc -f /tmp/dump app && createdb -U app plain'
  begun=$(date +%s%3N)
  in_db pg_restore -U app -j 2 -d plain /tmp/dump
  plain=$(($(date +%s%3N) - begun))
  in_db bash -c 'dropdb -U app plain && rm -rf /tmp/dump'
  for run in $(in_db psql -qAtX -U app -d postgres -c "select datname from pg_database where datname like 'app__failed_%'"); do
    in_db dropdb -U app "$run"
  done
  awk -v m="$1" -v n="$2" -v s="$switch" -v b="$back" -v p="$plain" \
    'BEGIN { printf "| %s | %s | %s | %s | %.1f | %.3f |\n", m, n, s, b, p / 1000, s * 1000 / p }'
}

take_down() {
  local environment image
  for environment in staging production; do
    docker compose --project-name "$name-$environment" down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true
  done
  docker image ls --format '{{.Repository}}:{{.Tag}}' stagegate/rollback | while read -r image; do
    local run=${image#stagegate/rollback:}
    if compgen -G "$dir/state/*/runs/${run:0:20}" >/dev/null; then docker image rm "$image" >/dev/null 2>&1 || true; fi
  done
  rm -rf "$dir"
}

main "$@"
