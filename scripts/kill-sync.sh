#!/usr/bin/env bash
# Kills `gate sync` at random moments: the target must be as it was before, or complete, and usable each time.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/kill-sync.sh [--kills N] [--seed N] [--mode full|incremental|subset|files] [--gate FILE]

Starts two PostgreSQL containers (no host ports), and kills `gate sync` (SIGKILL) N times (default 100) at moments between its
start and its end. After each kill the target must take sessions and hold either what it held before or the whole copy. At the
end one sync runs through and nothing may be left of the others. Exits 1 and names each violation.
With `--mode incremental` rows of the source change before each kill, and what is complete holds these changes.
With `--mode files` most of the time goes into `gate sync --files`, and every third kill comes while folders are exchanged. The next
`gate` command must finish it: the volume is as before or complete, its container runs, no copy and no container is left.
TEXT
}

kills=100 seed=1 mode=full rows=150000 extra=() gate='' dir='' name="kill-sync-$$" violations=0
files_before=0 files_complete=0 exchanged=0

main() {
  while [ $# -gt 0 ]; do
    case $1 in
      --kills) kills=${2:?$1 needs a value}; shift ;;
      --seed) seed=${2:?$1 needs a value}; shift ;;
      --mode) mode=${2:?$1 needs a value}; shift ;;
      --gate) gate=${2:?$1 needs a value}; shift ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; exit 2 ;;
    esac
    shift
  done
  [ -n "$gate" ] || { cargo build --quiet --manifest-path "$root/Cargo.toml" --bin gate && gate=$root/target/debug/gate; }
  RANDOM=$seed
  dir=$(mktemp -d)
  case $mode in
    full) ;;
    incremental) extra=(--incremental) ;;
    subset) extra=(--subset "$dir/subset.toml") rows=50000 ;;
    files) extra=(--files) rows=2000 ;;
    *) usage >&2; exit 2 ;;
  esac
  printf '[roots]\nt = "id <= 50000"\n' >"$dir/subset.toml"
  trap take_down EXIT
  bring_up
  local whole number before
  [ "$mode" != incremental ] || run_through
  change 0
  before=$(date +%s%3N)
  run_through
  whole=$(($(date +%s%3N) - before))
  say "one sync takes $whole ms; killing $kills"
  local as_before=0 complete=0
  for number in $(seq "$kills"); do
    mark_target
    change "$number"
    kill_one "$number" $(((RANDOM * 32768 + RANDOM) % (whole + 200)))
  done
  printf '%s: killed %s: %s as before, %s complete, %s violations\n' "$mode" "$kills" "$as_before" "$complete" "$violations"
  [ "$mode" != files ] || printf 'volumes: %s as before, %s complete; %s kills while folders were exchanged\n' "$files_before" "$files_complete" "$exchanged"
  run_through
  local left
  left=$(sql staging postgres "select string_agg(datname, ' ') from pg_database where datname like 'shop\\_\\_%' and datname not like 'shop\\_\\_synced%'")
  [ "$(wc -w <<<"$left")" -le 1 ] || violation "left at the end: $left"
  [ "$violations" -eq 0 ]
}

bring_up() {
  local image
  image=$(sed -n 's/^POSTGRES_IMAGE=//p' "$root/.stagegate/images.env")
  printf 'services:\n  db:\n    image: %s\n    environment: { POSTGRES_HOST_AUTH_METHOD: trust, POSTGRES_DB: shop }\n' "$image" >"$dir/compose.yml"
  [ "$mode" != files ] || printf '  web:\n    image: %s\n    init: true\n    entrypoint: [sleep, infinity]\n    volumes: ["uploads:/uploads"]\nvolumes: { uploads: {} }\n' "$image" >>"$dir/compose.yml"
  {
    printf '[project]\nname = "%s"\ncompose = ["compose.yml"]\nstate_dir = "%s/state"\n' "$name" "$dir"
    printf '[environments.production]\nprotected = true\n[environments.staging]\n'
    printf '[services.db]\nkind = "postgres"\n[databases.main]\nservice = "db"\nname = "shop"\nrole = "postgres"\n'
    [ "$mode" != files ] || printf '[volumes.uploads]\nvolume = "uploads"\n'
    printf '[sync]\nreal_data = ["staging"]\n'
  } >"$dir/stagegate.toml"
  local environment
  for environment in production staging; do
    docker compose --project-name "$name-$environment" --file "$dir/compose.yml" up --detach >/dev/null 2>&1
  done
  for environment in production staging; do
    until [ "$(sql "$environment" shop 'select 1' 2>/dev/null)" = 1 ] && sleep 1 && sql "$environment" shop 'select 1' >/dev/null; do sleep 0.2; done
  done
  local all=150000
  [ "$mode" != files ] || all=$rows
  sql production shop "create table t (id bigint primary key, parent bigint references t, body text);
    insert into t select n, 1 + n / 2, repeat(md5(n::text), 4) from generate_series(1, $all) n; create index on t (md5(body))"
  [ "$mode" != files ] || in_web production 'mkdir -p a/b; for n in $(seq 300); do head -c 200000 /dev/urandom >a/b/$n; done; ln -s a/b l; ln a/b/1 same'
}

take_down() {
  local environment
  for environment in production staging; do
    docker compose --project-name "$name-$environment" --file "$dir/compose.yml" down --volumes >/dev/null 2>&1 || true
  done
  rm -rf "$dir"
}

sql() { docker exec "$name-$1-db-1" psql --username=postgres --no-psqlrc -qAt -v ON_ERROR_STOP=1 --dbname="$2" --command="$3"; }
sync() { "$gate" --config "$dir/stagegate.toml" sync --from production --to staging --yes "${extra[@]}"; }
run_through() { sync >"$dir/out" 2>&1 || { cat "$dir/out" >&2; die "a sync that nobody killed failed"; }; }
in_web() { docker exec "$name-$1-web-1" bash -c "cd /uploads; $2"; }
# The names, kinds, modes, owners and contents of a volume, as one checksum.
look() { in_web "$1" "{ find . -exec stat -c '%n %F %a %u %g %N' {} +; find . -type f -exec sha256sum {} +; } | sort | sha256sum"; }
change() {
  [ "$mode" != files ] || in_web production "head -c 100000 /dev/urandom >a/b/$1; rm -f a/b/1$1; echo $1 >number"
  [ "$mode" = incremental ] || return 0
  sql production shop "update t set body = '$1' where id % 50 = $1 % 50; delete from t where id = 150000 - $1 % 1000;
    insert into t values (150000 - $1 % 1000, 1, 'new $1')"
}
contents() { sql "$1" shop "select sum(hashtextextended(t::text, 0)) from t where id <= $rows"; }
mark_target() {
  [ "$mode" != files ] || until sql staging shop 'select 1' >/dev/null 2>&1; do sleep 0.2; done
  sql staging shop 'create table if not exists of_before (id integer)'
  [ "$mode" != files ] || { in_web staging 'date +%s%N >of_before' && before_files=$(look staging); }
}
violation() { note "violation: $*"; violations=$((violations + 1)); }

kill_one() {
  local number=$1 after=$2 pid state
  # The very process, not a shell around it: what it started goes on, as after a real kill.
  "$gate" --config "$dir/stagegate.toml" sync --from production --to staging --yes "${extra[@]}" >"$dir/out" 2>&1 &
  pid=$!
  if [ "$mode" = files ] && [ $((number % 3)) = 0 ]; then
    exchange_begins "$pid"
    after=$((after % 1500))
  fi
  sleep "$(awk "BEGIN { print $after / 1000 }")"
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  [ "$mode" != files ] || check_files "kill $number after $after ms"
  state=$(sql staging shop "select case when to_regclass('of_before') is not null then 'before'
    when (select count(*) from t) = $rows and (select count(*) from pg_constraint where convalidated and conrelid = 't'::regclass) >= 2
    then 'complete' else 'torn' end" 2>&1) || state="no session: $state"
  case $state in
    before) as_before=$((as_before + 1)) ;;
    complete)
      complete=$((complete + 1))
      [ "$(contents staging)" = "$(contents production)" ] || violation "kill $number after $after ms: other rows than the source's"
      ;;
    *) violation "kill $number after $after ms: $state" ;;
  esac
}

# Waits until the folders of the process's sync are about to be exchanged.
exchange_begins() {
  while kill -0 "$1" 2>/dev/null; do
    ! grep -qs '"root"' "$dir/state/$name-staging/sync-files.json" || { exchanged=$((exchanged + 1)) && return 0; }
    sleep 0.005
  done
}

# check_files KILL: lets the next command finish what was killed, and looks at the volume.
check_files() {
  local now left
  "$gate" --config "$dir/stagegate.toml" backup list --env staging >"$dir/next" 2>&1 || violation "$1: $(tail -n 1 "$dir/next")"
  now=$(look staging 2>&1) || violation "$1: the container that uses the volume does not run: $now"
  if [ "$now" = "$before_files" ]; then
    files_before=$((files_before + 1))
  elif [ "$now" = "$(look production)" ]; then
    files_complete=$((files_complete + 1))
  else
    violation "$1: the volume is neither as before nor complete ($(head -n 2 "$dir/next"))"
  fi
  [ ! -e "$dir/state/$name-staging/sync-files.json" ] || violation "$1: the next command left it unfinished"
  left=$(docker ps --quiet --filter name=stagegate-files- | xargs -r docker inspect --format '{{range .Mounts}}{{.Source}} {{end}}' | grep -F "$name" || true)
  [ -z "$left" ] || violation "$1: a container still copies"
  # shellcheck disable=SC2016
  left=$(find "$(docker volume inspect --format '{{.Mountpoint}}' "${name}-staging_uploads")/../.stagegate" -mindepth 1 -maxdepth 1 -type d ! -name '*.presync.*' 2>/dev/null || true)
  [ -z "$left" ] || violation "$1: left: $left"
}

main "$@"
