#!/usr/bin/env bash
# Compares reading a database by the gate and by pg_dump, in turns on one server, and prints the table of
# docs/performance.md.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/bench-database.sh [--rounds N] [--tables N] [--rows N] [--profile NAME] [--gate FILE] [--record]

Starts its own PostgreSQL (no host ports), creates tables of 12 columns each, and reads their schema in turns by the gate
and by `pg_dump --schema-only` inside of the container. Then measures the difference of two such schemas, the peak memory
of `gate schema dump`, and the row count and checksums of one large table, alone and with two workers. Removes the server
at the end.

  --rounds N      rounds (default 5)
  --tables N      tables (default 1000)
  --rows N        rows of the large table, about 200 bytes each (default 2000000; 0 skips it)
  --profile NAME  build profile: release (default) or dev
  --gate FILE     another `gate`, whose peak memory is measured as well
  --record        write the table to docs/performance.md
TEXT
}

rounds=5 tables=1000 rows=2000000 profile=release other='' record=no
dir='' project="bench-database-$$"

main() {
  options "$@"
  [ -x /usr/bin/time ] || die "/usr/bin/time is not installed" "Debian: apt-get install time"
  say "building ($profile)"
  cargo build --quiet --profile "$profile" --manifest-path "$root/Cargo.toml" --bin gate
  cargo build --quiet --profile "$profile" --manifest-path "$root/Cargo.toml" --package stagegate-proof --bin database-bench
  dir=$(mktemp -d)
  trap take_down EXIT
  bring_up
  fill
  local load_before table
  load_before=$(cut -d ' ' -f 1-3 /proc/loadavg)
  say "measuring in turns"
  table=$(measured)
  table=$(printf '%s, %s cores, load average %s before and %s after; PostgreSQL %s in a container, built as %s.\n\n%s\n' \
    "$(date -u +%Y-%m-%d)" "$(nproc)" "$load_before" "$(cut -d ' ' -f 1-3 /proc/loadavg)" \
    "$(sql bench 'show server_version')" "$profile" "$table")
  printf '%s\n' "$table"
  [ "$record" = no ] || put "$table"
}

options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --rounds) rounds=${2:?$1 needs a value}; shift ;;
      --tables) tables=${2:?$1 needs a value}; shift ;;
      --rows) rows=${2:?$1 needs a value}; shift ;;
      --profile) profile=${2:?$1 needs a value}; shift ;;
      --gate) other=${2:?$1 needs a value}; shift ;;
      --record) record=yes ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; die "unknown option \`$1\`" ;;
    esac
    shift
  done
}

take_down() {
  docker compose --project-name "$project" --project-directory "$dir" down --volumes --timeout 0 >/dev/null 2>&1 || true
  rm -rf "$dir"
}

bring_up() {
  local image=postgres:17
  [ -f "$root/.stagegate/images.env" ] && image=$(sed -n 's/^POSTGRES_17_IMAGE=//p' "$root/.stagegate/images.env")
  cat >"$dir/docker-compose.yml" <<TEXT
services:
  db:
    image: $image
    command: [postgres, -c, fsync=off, -c, max_parallel_workers=8]
    environment: {POSTGRES_PASSWORD: only-for-this-run, POSTGRES_DB: bench}
    shm_size: 256m
TEXT
  cat >"$dir/stagegate.toml" <<TEXT
[project]
name = "bench"
[environments.bench]
project = "$project"
[services.db]
kind = "postgres"
[databases.main]
service = "db"
name = "bench"
TEXT
  docker compose --project-name "$project" --project-directory "$dir" up --detach --quiet-pull 2>/dev/null
  # The image's first start ends its server once, so it is asked over TCP, where only the second one listens.
  local deadline=$((SECONDS + 60))
  until inside psql --host 127.0.0.1 --username postgres --dbname bench --command 'select 1' >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || die "PostgreSQL did not start within 60 s" "docker logs $(container)"
  done
}

container() { docker compose --project-name "$project" --project-directory "$dir" ps --quiet db; }
inside() { docker exec --interactive --env PGPASSWORD=only-for-this-run "$(container)" "$@"; }
sql() { inside psql --host 127.0.0.1 --username postgres --dbname "$1" --no-psqlrc --quiet --tuples-only --no-align \
  --set ON_ERROR_STOP=1 --command "$2"; }

# Tables with a key, a reference to the one before, a check, defaults and two indexes beside the key's.
fill() {
  say "making $tables tables"
  sql bench "do \$\$ begin for i in 1 .. $tables loop
    execute format('create table t%s (id bigint generated always as identity primary key, parent bigint, name text not null,
      state text not null default ''new'', amount numeric(12, 2) check (amount >= 0), made timestamptz not null default now(),
      changed timestamptz, note varchar(200), tags text[], payload jsonb, is_open boolean default true, code uuid)', i);
    execute format('create index on t%s (parent); create index on t%s (state, made)', i, i);
    if i > 1 then execute format('alter table t%s add foreign key (parent) references t%s', i, i - 1); end if;
    if i % 100 = 0 then commit; end if;
  end loop; end \$\$"
  sql bench 'vacuum analyze'
  [ "$rows" = 0 ] || { say "making $rows rows"; large; }
}

large() {
  sql postgres 'create database large'
  sql large "create table events (id bigint primary key, account int not null, kind text not null, amount numeric(12, 2),
    at timestamptz not null, source inet, code uuid, note text, payload jsonb)"
  sql large "insert into events select i, i % 5000, 'kind-' || i % 7, (i % 100000) / 100.0,
    timestamptz '2026-01-01' + i * interval '1 second', ('10.0.' || i % 256 || '.' || i % 200)::inet,
    md5(i::text)::uuid, 'note number ' || i, jsonb_build_object('a', i, 'b', 'text ' || i % 1000, 'c', i % 2 = 0)
    from generate_series(1, $rows) i"
  sql large 'vacuum analyze events'
}

measured() {
  local target=$profile address
  [ "$profile" != dev ] || target=debug
  target=${CARGO_TARGET_DIR:-$root/target}/$target
  address=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$(container)")
  printf '| what | measured |\n|---|---|\n'
  BENCH_PASSWORD=only-for-this-run "$target/database-bench" --address "$address" --container "$(container)" \
    --rounds "$rounds" --large "$rows"
  printf '| peak memory of `gate schema dump` | %s |\n' "$(peak "$target/gate")"
  [ -z "$other" ] || printf '| the same of the other `gate` | %s |\n' "$(peak "$other")"
}

# Prints the peak memory of one `gate schema dump`, the median of three.
peak() {
  local of
  for of in 1 2 3; do
    (cd "$dir" && /usr/bin/time --format '%M' --output "$dir/peak" "$1" schema dump --env bench >/dev/null)
    tail -n 1 "$dir/peak"
  done | sort -n | sed -n 2p | awk '{ printf "%.1f MiB", $1 / 1024 }'
}

# Replaces what stands between the two marks.
put() {
  local page=$root/docs/performance.md
  grep -q '^<!-- database: begin -->$' "$page" || die "$page has no mark \`<!-- database: begin -->\`"
  TABLE=$1 awk '
    /^<!-- database: begin -->$/ { print; print ""; print ENVIRON["TABLE"]; print ""; inside = 1; next }
    /^<!-- database: end -->$/ { inside = 0 }
    !inside { print }
  ' "$page" >"$page.new"
  mv "$page.new" "$page"
  say "recorded in docs/performance.md"
}

main "$@"
