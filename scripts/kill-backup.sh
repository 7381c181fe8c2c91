#!/usr/bin/env bash
# Kills `gate backup`, `gate backup prune` and `gate restore` at random moments, and looks at what is left: nothing half
# listed, every listed backup intact, the database as before or as the backup, no database or container left behind.
# Brings a PostgreSQL of its own up and takes it away. Prints a table.
# usage: scripts/kill-backup.sh [KILLS [SEED [backup|prune|restore]]]     (100 kills of all three by default)
set -euo pipefail

kills=${1:-100} RANDOM=${2:-14} only=${3:-}
case $kills in -h | --help) sed -n '2,5s/^# //p' "$0" && exit 0 ;; esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
gate=${GATE:-$root/target/debug/gate}
image=${POSTGRES_IMAGE:-$(sed -n 's/^POSTGRES_IMAGE=//p' "$root/.stagegate/images.env")}
work=$(mktemp -d)
project=kill-backup-$$
cd "$work"
trap 'docker compose --project-name "$project-e" --env-file env down --volumes >"$work/down.log" 2>&1; rm -rf "$work"' EXIT
backup_product "$image"
backup_config "$project" <<END
keep_last = 2
hourly = 0
daily = 0
min_keep = 2
END
docker compose --project-name "$project-e" --env-file env up --detach --wait >up.log 2>&1
sql() { docker exec -i "$project-e-db-1" psql --quiet --no-align --tuples-only --username app "${@:2}" "$1"; }
sql shop -c "create table item as select i as id, repeat('x', 100) as text from generate_series(1, 60000) i" -c \
  "create table side as select i as id from generate_series(1, 1000) i"
sum() { sql shop -c "select count(*), coalesce(sum(id), 0) from item"; }

"$gate" backup --env e >first.log 2>&1
saved=$(sum)
declare -A tried killed wrong
for task in backup prune restore; do tried[$task]=0 killed[$task]=0 wrong[$task]=0; done
fail() {
  wrong[$task]=$((wrong[$task] + 1))
  printf 'kill %d (%s after %d ms): %s\n' "$number" "$task" "$wait" "$1" >&2
}
# Copies of the newest backup under other ids, so that there is something to remove.
make_old() {
  local newest copy id
  newest=$(find state/"$project"-e/backups -mindepth 1 -maxdepth 1 -name '2*' | sort | tail -n 1)
  for copy in 1 2 3 4 5 6; do
    id=20250101-00000$copy-$(printf '%04x' "$number")
    rm -rf "state/$project-e/backups/$id"
    cp -r "$newest" "state/$project-e/backups/$id"
    (cd "state/$project-e/backups/$id" && sed -i "s/$(basename "$newest")/$id/; s/\"taken_unix\": [0-9]*/\"taken_unix\": 173568960$copy/" manifest.json \
      && sha256sum -- $(ls | grep -v SHA256SUMS) >SHA256SUMS)
  done
}
# Replaced databases are kept for people; here they only take room.
drop_replaced() {
  sql postgres -c "select format('drop database %I', datname) from pg_database where datname like 'shop\\_\\_left%'" |
    while read -r line; do sql postgres -c "$line"; done
}
prune_ms=0 midst=0
for number in $(seq "$kills"); do
  tasks=(backup restore prune)
  task=${only:-${tasks[$((number % 3))]}}
  tried[$task]=$((tried[$task] + 1))
  sql shop -c "delete from item where id % 60 = $((number % 60))"
  before=$(sum)
  wait=$((RANDOM % 6000))
  case $task in
    backup) command=("$gate" backup --env e) ;;
    restore) command=("$gate" restore --env e latest --yes) wait=$((wait / 2)) ;;
    prune)
      make_old
      command=("$gate" backup prune --env e --yes)
      # One that nobody kills says how long it takes.
      if [ "$prune_ms" = 0 ]; then
        prune_ms=$(date +%s%3N)
        "${command[@]}" >run.log 2>&1 || fail "prune: $(tail -n 1 run.log)"
        prune_ms=$(($(date +%s%3N) - prune_ms))
        make_old
      fi
      wait=$((wait * 5 % (prune_ms + 50)))
      ;;
  esac
  "${command[@]}" >run.log 2>&1 &
  pid=$!
  sleep "$(printf '%d.%03d' $((wait / 1000)) $((wait % 1000)))"
  kill -9 "$pid" 2>kill.log || true
  code=0
  { wait "$pid" || code=$?; } 2>/dev/null
  # 137 is 128 and SIGKILL; the others had ended before.
  [ "$code" != 137 ] || killed[$task]=$((killed[$task] + 1))

  old=$(find state/"$project"-e/backups -mindepth 1 -maxdepth 1 -name "20250101-*-$(printf '%04x' "$number")" | wc -l)
  [ "$task" != prune ] || [ "$old" = 6 ] || [ "$code" != 137 ] || midst=$((midst + 1))
  # The next command finishes what was killed, and each listed backup has to be what it says.
  "$gate" backup list --env e --json >list.json 2>list.log || fail "list: $(cat list.log)"
  for id in $(sed -n 's/^ *"id": "\(.*\)",$/\1/p' list.json); do
    (cd "state/$project-e/backups/$id" && sha256sum --check --quiet SHA256SUMS) || fail "$id is damaged"
  done
  grep -q '"id"' list.json || fail "no backup is left"
  now=$(sum)
  [ "$now" = "$before" ] || { [ "$task" = restore ] && [ "$now" = "$saved" ]; } || fail "rows: $before before, $now now"
  copies=$(sql postgres -c "select count(*) from pg_database where datname like 'shop\\_\\_restored%'")
  [ "$copies" = 0 ] || fail "$copies unfinished copies are left"
  barred=$(sql postgres -c "select count(*) from pg_database where not datallowconn and datname <> 'template0'")
  [ "$barred" = 0 ] || fail "a database takes no sessions"
  # What serves as `saved` is the newest listed backup's.
  if [ "$task" = backup ] && [ "$(ls state/"$project"-e/backups | grep -c '^2')" -gt 0 ]; then
    "$gate" restore --env e latest --yes >restore.log 2>&1 || fail "restore: $(tail -n 1 restore.log)"
    saved=$(sum)
  fi
  drop_replaced
done
# One more backup takes away what the last kill left: drafts, tombstones, scratch servers.
"$gate" backup --env e >last.log 2>&1
task=backup wait=0
[ -z "$(find state/"$project"-e/backups -maxdepth 1 -name '.draft-*' -o -name '.removed-*')" ] || fail "a draft is left"
names=([0]="gate backup" "gate backup prune" "gate restore")
printf '| command | tried | killed | wrong |\n|---|---|---|---|\n'
for task in backup prune restore; do
  printf '| %s | %d | %d | %d |\n' "${names[0]}" "${tried[$task]}" "${killed[$task]}" "${wrong[$task]}"
  names=("${names[@]:1}")
done
[ "${tried[prune]}" = 0 ] || echo "$midst kills of prune came after a backup was removed and before it had ended" >&2
[ $((wrong[backup] + wrong[prune] + wrong[restore])) = 0 ]
