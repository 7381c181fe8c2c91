#!/usr/bin/env bash
# Compares `gate sync` with pg_dump and pg_restore, in turns between two servers of this host, and prints the table of
# docs/performance.md.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/bench-sync.sh [--size MB] [--rounds N] [--ways LIST] [--profile NAME] [--gate FILE] [--image NAME] [--record]

Starts two PostgreSQL containers (no host ports), fills one with 20 tables of 129 columns, and copies it into the other one in
turns: by `pg_dump -Fd -j2 -Z0` and `pg_restore -j2`, and by `gate sync` (row counts compared; contents compared too; 8 columns
sanitised; a subset of 1 % of the three largest tables; only what changed, with nothing changed, 1 % of the rows appended, 1 % changed
here and there). Processor time is that of both containers and of `gate`. Removes the servers at the end.

  --size MB       size of the tables (default 768, which is a database of about 1 GB)
  --rounds N      rounds (default 3)
  --ways LIST     what is measured (default "anchor counts checksums sanitised subset none appended scattered")
  --profile NAME  build profile: release (default) or dev
  --gate FILE     a `gate` that is built already
  --image NAME    PostgreSQL image (default: POSTGRES_IMAGE of .stagegate/images.env)
  --record        write the table to docs/performance.md
TEXT
}

ways='anchor counts checksums sanitised subset none appended scattered'
size=768 rounds=3 profile=release gate='' image='' record=no dir='' name="bench-sync-$$"

main() {
  options "$@"
  [ -x /usr/bin/time ] || die "/usr/bin/time is not installed" "Debian: apt-get install time"
  [ -n "$image" ] || image=$(sed -n 's/^POSTGRES_IMAGE=//p' "$root/.stagegate/images.env")
  if [ -z "$gate" ]; then
    say "building ($profile)"
    cargo build --quiet --profile "$profile" --manifest-path "$root/Cargo.toml" --bin gate
    gate=$root/target/${profile/dev/debug}/gate
  fi
  dir=$(mktemp -d)
  chmod 755 "$dir"
  trap take_down EXIT
  bring_up
  say "filling"
  fill
  local load_before text round way
  load_before=$(cut -d ' ' -f 1-3 /proc/loadavg)
  for round in $(seq "$rounds"); do
    for way in $ways; do
      say "round $round: $way"
      "measure_$way" >>"$dir/$way"
      note "$(tail -n 1 "$dir/$way") (processor s, wall s, KiB)"
    done
  done
  text=$(printf '%s, %s cores, load average %s before and %s after; PostgreSQL %s, database of %s, built as %s, median of %s rounds.\n\n%s\n' \
    "$(date -u +%Y-%m-%d)" "$(nproc)" "$load_before" "$(cut -d ' ' -f 1-3 /proc/loadavg)" \
    "$(sql production postgres 'show server_version')" \
    "$(sql production shop 'select pg_size_pretty(pg_database_size(current_database()))')" "$profile" "$rounds" "$(table)")
  printf '%s\n' "$text"
  [ "$record" = no ] || put "$text"
}

options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --size) size=${2:?$1 needs a value}; shift ;;
      --rounds) rounds=${2:?$1 needs a value}; shift ;;
      --ways) ways=${2:?$1 needs a value}; shift ;;
      --profile) profile=${2:?$1 needs a value}; shift ;;
      --gate) gate=${2:?$1 needs a value}; shift ;;
      --image) image=${2:?$1 needs a value}; shift ;;
      --record) record=yes ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; exit 2 ;;
    esac
    shift
  done
}

bring_up() {
  mkdir -m 777 "$dir/dump"
  cat >"$dir/compose.yml" <<TEXT
services:
  db:
    image: $image
    environment: { POSTGRES_HOST_AUTH_METHOD: trust, POSTGRES_DB: shop }
    command: -c shared_buffers=256MB -c max_wal_size=4GB
    volumes: ["$dir/dump:/dump"]
TEXT
  local way
  for way in counts checksums sanitised; do
    {
      printf '[project]\nname = "%s"\ncompose = ["compose.yml"]\nstate_dir = "%s/state"\n' "$name" "$dir"
      printf '[environments.production]\nprotected = true\n[environments.staging]\n'
      printf '[services.db]\nkind = "postgres"\n[databases.main]\nservice = "db"\nname = "shop"\nrole = "postgres"\n[sync]\n'
      case $way in
        counts) printf 'real_data = ["staging"]\nintegrity = "counts"\n' ;;
        checksums) printf 'real_data = ["staging"]\n' ;;
        sanitised) printf 'integrity = "counts"\n' ;;
      esac
    } >"$dir/$way.toml"
  done
  {
    printf 'unknown = "keep"\nprofile = "none"\n'
    for table in t1 t2; do
      printf '[databases.main."public.%s"]\nemail = "email"\nname = "name"\nphone = "phone"\nnote = "text"\n' "$table"
    done
  } >"$dir/stagegate-sanitize.toml"
  # A row of these refers to another one of its table: the way down is that of t1 alone.
  printf 'others = "empty"\nfollow = { never = ["t2.parent", "t3.parent"] }\n[roots]\nt1 = "id %% 100 = 7"\n' >"$dir/subset.toml"
  local environment
  for environment in production staging; do
    docker compose --project-name "$name-$environment" --file "$dir/compose.yml" up --detach --quiet-pull >/dev/null 2>&1
  done
  for environment in production staging; do
    until sql "$environment" shop 'select 1' >/dev/null 2>&1; do sleep 0.2; done
  done
}

take_down() {
  local environment
  for environment in production staging; do
    docker compose --project-name "$name-$environment" --file "$dir/compose.yml" down --volumes >/dev/null 2>&1 || true
  done
  rm -rf "$dir"
}

container() { printf '%s-%s-db-1' "$name" "$1"; }
sql() { docker exec --interactive "$(container "$1")" psql --username=postgres --no-psqlrc -qAt -v ON_ERROR_STOP=1 --dbname="$2" --command="$3"; }

# 20 tables, 129 columns, 22 foreign keys, 42 indexes. t1 and t2 hold half of the bytes.
fill() {
  docker exec --interactive "$(container production)" psql --username=postgres -q -v ON_ERROR_STOP=1 --dbname=shop <<TEXT
set synchronous_commit = off;
do \$\$
declare bytes bigint := $size::bigint * 1024 * 1024; rows bigint; more text; share float8;
begin
  for t in 1..20 loop
    share := case t when 1 then 0.3 when 2 then 0.2 when 3 then 0.1 else 0.4 / 17 end;
    more := case when t <= 2 then ', email text, name varchar(80), phone text, note text'
                 when t <= 11 then ', label text, note text, at timestamptz, data jsonb'
                 when t = 12 then ', note text' else ', amount numeric(12, 2), label text, note text' end;
    execute format('create table t%s (id bigint primary key, parent bigint, created timestamptz%s)', t, more);
    rows := greatest(10, (bytes * share / case when t <= 2 then 230 when t <= 11 then 240 else 180 end)::bigint);
    if t <= 2 then
      execute format('insert into t%s (id, parent, created, email, name, phone, note) select n, 1 + n / 3, now() - n * interval ''1 s'', ''user'' || n || ''@mail.example.com'', ''Name '' || md5(n::text), ''+49 30 '' || n, repeat(md5(n::text), 3) from generate_series(1, %s) n', t, rows);
    elsif t <= 11 then
      execute format('insert into t%s (id, parent, created, label, note, at, data) select n, 1 + n / 3, now() - n * interval ''1 s'', md5(n::text), repeat(md5(n::text), 2), now(), jsonb_build_object(''n'', n, ''s'', md5(n::text)) from generate_series(1, %s) n', t, rows);
    elsif t = 12 then
      execute format('insert into t%s (id, parent, created, note) select n, 1 + n / 3, now() - n * interval ''1 s'', repeat(md5((-n)::text), 3) from generate_series(1, %s) n', t, rows);
    else
      execute format('insert into t%s (id, parent, created, amount, label, note) select n, 1 + n / 3, now() - n * interval ''1 s'', n * 1.17, md5(n::text), repeat(md5(n::text), 2) from generate_series(1, %s) n', t, rows);
    end if;
    execute format('create index on t%s (created)', t);
    execute format('alter table t%s add foreign key (parent) references t%s (id)', t, t);
  end loop;
  create unique index on t1 (email);
  create index on t2 (lower(name));
  alter table t2 add foreign key (id) references t1 (id);
  alter table t3 add foreign key (id) references t1 (id);
end \$\$;
vacuum analyze;
TEXT
}

# Nanoseconds of processor time of both containers.
busy() {
  local environment total=0 value
  for environment in production staging; do
    value=$(docker exec "$(container "$environment")" sh -c \
      'if [ -f /sys/fs/cgroup/cpuacct/cpuacct.usage ]; then cat /sys/fs/cgroup/cpuacct/cpuacct.usage; else awk "/^usage_usec/ { print \$2 * 1000 }" /sys/fs/cgroup/cpu.stat; fi')
    total=$((total + value))
  done
  printf '%s' "$total"
}

calm() {
  local environment
  for environment in production staging; do sql "$environment" postgres checkpoint; done
}

# Prints processor seconds, wall seconds and peak KiB of this host's program.
measured() {
  local before after own wall peak
  calm
  before=$(busy)
  /usr/bin/time --format '%U %S %e %M' --output "$dir/time" "$@" >"$dir/out" 2>&1 || { cat "$dir/out" >&2; return 1; }
  after=$(busy)
  read -r user system wall peak <"$dir/time"
  own=$(awk "BEGIN { print $user + $system }")
  awk "BEGIN { printf \"%.1f %.1f %d\n\", ($after - $before) / 1e9 + $own, $wall, $peak }"
}

measure_anchor() {
  sql staging postgres 'drop database if exists anchor'
  sql staging postgres 'create database anchor template template0'
  docker exec "$(container production)" rm -rf /dump/d
  export source target
  source=$(container production) target=$(container staging)
  # shellcheck disable=SC2016
  measured sh -c 'docker exec "$source" pg_dump --username=postgres -Fd -j2 -Z0 --file=/dump/d shop &&
    docker exec "$target" pg_restore --username=postgres -j2 --dbname=anchor /dump/d'
  sql staging postgres 'drop database anchor'
}

measure_counts() { by_gate counts; }
measure_checksums() { by_gate checksums; }
measure_sanitised() { by_gate sanitised; }
# A sync before it, which is not measured, leaves the copy that the measured one changes.
measure_none() { incremental 'select 1'; }
measure_appended() {
  incremental "do \$\$
    declare ahead bigint := (select 100000000 * (1 + max(id) / 100000000) from t1);
    begin
      for t in 1..20 loop
        execute format('insert into t%1\$s select (jsonb_populate_record(r, jsonb_build_object(''id'', r.id + %2\$s)
          || case when %1\$s = 1 then jsonb_build_object(''email'', %2\$s || (to_jsonb(r) ->> ''email'')) else ''{}'' end)).* from t%1\$s r
          where id %% 100 = 17 and id < 100000000', t, ahead);
      end loop;
    end \$\$"
}
measure_scattered() {
  incremental "do \$\$ begin for t in 1..20 loop execute format('update t%s set created = created + interval ''1 s'' where id %% 100 = 7', t); end loop; end \$\$"
}
incremental() {
  kept || by_gate checksums --incremental >/dev/null
  sql production shop "$1" >/dev/null
  by_gate checksums --incremental
  note "$(sed -n "s,^  time *,,p" "$dir/out")"
  grep -q '^  incremental ' "$dir/out" || { cat "$dir/out" >&2; die "everything was copied"; }
}
kept() { [ -n "$(sql staging postgres "select 1 from pg_database where datname like 'shop\\_\\_synced%'")" ]; }
measure_subset() { by_gate checksums --subset "$dir/subset.toml"; }

by_gate() {
  local config=$1
  shift
  measured "$gate" --config "$dir/$config.toml" sync --from production --to staging --yes "$@"
}

median() { cut -d ' ' -f "$2" "$dir/$1" | sort -n | sed -n "$(((rounds + 1) / 2))p"; }

table() {
  local cpu wall way label first=${ways%% *}
  cpu=$(median "$first" 1) wall=$(median "$first" 2)
  printf '| Way | Processor s | Ratio | Wall s | Ratio | Peak memory of the program |\n|---|---|---|---|---|---|\n'
  for way in $ways; do
    case $way in
      anchor) label='`pg_dump -Fd -j2 -Z0`, `pg_restore -j2`' ;;
      counts) label='`gate sync`, row counts compared' ;;
      checksums) label='`gate sync`, contents compared too (default)' ;;
      sanitised) label='`gate sync`, 8 of 129 columns sanitised and searched for, row counts compared' ;;
      subset) label='`gate sync --subset`: 1 % of the three largest tables, contents compared' ;;
      none) label='`gate sync --incremental`: nothing changed' ;;
      appended) label='`gate sync --incremental`: 1 % of the rows of all tables are new' ;;
      scattered) label='`gate sync --incremental`: 1 % of the rows of all tables changed, evenly scattered' ;;
    esac
    awk "BEGIN { printf \"| %s | %.1f | %.2f | %.1f | %.2f | %s |\n\", \"$label\", $(median "$way" 1), $(median "$way" 1) / $cpu, $(median "$way" 2), $(median "$way" 2) / $wall, \"$([ "$way" = anchor ] && printf -- - || printf '%s MiB' $(($(median "$way" 3) / 1024)))\" }"
  done
}

put() {
  python3 - "$root/docs/performance.md" "$1" <<'TEXT'
import sys
path, table = sys.argv[1:]
text = open(path).read()
begin, end = "<!-- sync: begin -->\n", "<!-- sync: end -->"
head, rest = text.split(begin)
open(path, "w").write(head + begin + "\n" + table + "\n\n" + end + rest.split(end)[1])
TEXT
}

main "$@"
