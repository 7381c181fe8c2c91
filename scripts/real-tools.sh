#!/usr/bin/env bash
# Runs folders of migrations with the tools themselves and with `gate migrations check`, and compares the two.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
# shellcheck source=scripts/real-server.sh
. "$root/scripts/real-server.sh"
# shellcheck source=fixtures/real-tools/cases.sh
. "$root/fixtures/real-tools/cases.sh"

usage() {
  cat <<'TEXT'
usage: scripts/real-tools.sh [--tool NAME]... [--case NAME]... [--all] [--keep DIR]

Writes each case of fixtures/real-tools/cases.sh as a folder of each migration tool that is installed, runs it with the tool
and with `gate migrations check` on the same PostgreSQL server, and compares: whether it is accepted, which migrations are
applied and in which order, the schema (pg_dump -s), whether all down migrations run, and what they leave. Prints a line for
each difference, with --all for each comparison, and a table. Exits with 1 if there is a difference.

  --tool NAME  sqlx, dbmate, golang-migrate, goose, diesel, refinery or sqitch; repeatable [default: each one installed]
  --case NAME  one case; repeatable [default: all]
  --all        print the comparisons without a difference too
  --keep DIR   write the folders, logs and schemas there, and leave them

Programs: sqlx, dbmate, migrate, goose, diesel, refinery, sqitch; TOOLS names a folder to look in first. Nothing is installed.
GATE names the program `gate` [default: a build of this checkout]; IMAGE the image of the server [default: stagegate/postgres:17].
TEXT
}

all_tools=(sqlx dbmate golang-migrate goose diesel refinery sqitch)
tools=() cases=() keep='' is_verbose=no

main() {
  arguments "$@"
  PATH=${TOOLS:+$TOOLS:}$PATH
  for needed in jq docker psql; do has "$needed" || die "$needed is missing"; done
  if [ -z "${GATE:-}" ]; then
    (cd "$root" && cargo build --locked --quiet --bin gate)
    GATE=${CARGO_TARGET_DIR:-$root/target}/debug/gate
  fi
  [ ${#tools[@]} -gt 0 ] || tools=("${all_tools[@]}")
  [ ${#cases[@]} -gt 0 ] || mapfile -t cases < <(declare -F | sed -n 's/^declare -f case_//p')
  work=$(mktemp -d)
  [ -z "$keep" ] || { mkdir -p "$keep"; keep=$(cd "$keep" && pwd); }
  trap finish EXIT
  start_server "$server"
  local tool name different=0
  for tool in "${tools[@]}"; do
    has "$(program "$tool")" || { note "$tool is not installed: left out"; continue; }
    compared=0 differs=0
    for name in "${cases[@]}"; do one "$tool" "$name"; done
    rows+=("| $tool | $(version "$tool") | $compared | $differs |")
    different=$((different + differs))
  done
  printf '| tool | version | folders | differences |\n|---|---|---|---|\n'
  printf '%s\n' "${rows[@]}"
  [ "$different" = 0 ]
}

arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --tool) tools+=("${2:?--tool needs a name}"); shift ;;
      --case) cases+=("${2:?--case needs a name}"); shift ;;
      --keep) keep=${2:?--keep needs a folder}; shift ;;
      --all) is_verbose=yes ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; die "unknown option \`$1\`" ;;
    esac
    shift
  done
}

rows=()
server=stagegate-real-tools-$$

finish() {
  docker rm -f "$server" >/dev/null 2>&1 || true
  rm -rf "$work"
}

# ---- one folder, both ways ----

one() { # TOOL CASE
  tool=$1
  folder=$work/$1/$2 database=${1//-/_}_$2 is_left_out=no
  HISTORY_TABLE=$(history_table "$tool")
  mkdir -p "$folder"
  unset UP DOWN BARE
  "begin_${tool//-/_}"
  "case_$2"
  [ $is_left_out = no ] || return 0
  compared=$((compared + 1))
  sql postgres "create database \"$database\"" || die "no database for $1 $2"
  by_tool "$2"
  by_gate
  judge "$1" "$2"
  sql postgres "drop database \"$database\" with (force)"
  [ -z "$keep" ] || { rm -rf "${keep:?}/$1/$2"; mkdir -p "$keep/$1"; cp -r "$folder" "$folder".* "$keep/$1/"; }
}

only() { # TOOL ..: for which tools the case is
  local name
  is_left_out=yes
  for name; do [ "$name" != "$tool" ] || is_left_out=no; done
  [ $is_left_out = no ]
}

raw() { # PATH
  [ $is_left_out = no ] || return 0
  mkdir -p "$(dirname "$folder/$1")"
  # A here-string ends with a line feed of its own.
  cat >"$folder/$1"
}

step() { # VERSION NAME, with UP, DOWN and BARE
  [ $is_left_out = no ] || return 0
  "step_${tool//-/_}" "$1" "$2"
}

url() { printf 'postgres://postgres@127.0.0.1:%s/%s?sslmode=disable' "$port" "$database"; }

# Sets what the tool did: exit code, applied versions, schema; then all the way down.
by_tool() {
  tool_code=0 tool_down=0
  (cd "$folder" && "up_${tool//-/_}") >"$folder.tool.log" 2>&1 || tool_code=$?
  tool_applied=$(applied "$tool")
  dump >"$folder.tool.sql"
  (cd "$folder" && "down_${tool//-/_}") >"$folder.down.log" 2>&1 || tool_down=$?
  dump >"$folder.bottom.sql"
}

# Prints the schema without the tool's own tables.
dump() {
  local own=(--exclude-schema=sqitch)
  [ "$tool" = sqitch ] || own=("--exclude-table=public.$HISTORY_TABLE" "--exclude-table=public.${HISTORY_TABLE}_id_seq")
  docker exec "$server" pg_dump -U postgres -s "${own[@]}" "$database" | sed '/^\\/d'
}

# Sets what gate reports: codes that mean a refusal, versions up to the first failure, schema, down migrations.
by_gate() {
  local code=0
  "$GATE" migrations check "$folder" --tool "$tool" --scratch server --server-variable REAL_TOOLS_SERVER --no-rows --json \
    --schema "$folder.gate.txt" >"$folder.gate.json" 2>"$folder.gate.log" || code=$?
  if ! jq -e .servers "$folder.gate.json" >/dev/null 2>&1; then
    gate_refuses="exit $code" gate_applied='' gate_down='' gate_stops=
    return
  fi
  gate_refuses=$(jq -r '[.servers[0].findings[] | select(.severity == "required") | .code
    | select(test("^(down-|second-|schema-|chain-|data-|enum-value-left|irreversible)") | not)] | unique | join(",")' "$folder.gate.json")
  # dbmate refuses a file without a down block before it runs it.
  if [ "$tool" = dbmate ] && grep -q '"down-missing"' "$folder.gate.json"; then gate_refuses=${gate_refuses:+$gate_refuses,}down-missing; fi
  gate_down=$(jq -r '[.servers[0].findings[] | select(.code | test("^down-")) | .code] | unique | join(",")' "$folder.gate.json")
  gate_applied=$(jq -r '[.servers[0].migrations[] | {version, verdict}] as $all
    | ([$all[] | .verdict] | map(. == "up_fails" or . == "not_run") | index(true)) as $stop
    | $all[: ($stop // ($all | length))] | map(.version) | join(" ")' "$folder.gate.json")
}

# ---- what differs ----

judge() { # TOOL CASE
  local wrong=() tool_says=accepted gate_says=accepted
  [ "$tool_code" = 0 ] || tool_says=refused
  [ -z "$gate_refuses" ] || gate_says=refused
  # A tool that takes one of two migrations of a version, or finds none at all, does not refuse the folder.
  [ $tool_says = $gate_says ] || [ "$gate_refuses" = duplicate-version ] || [ "$gate_refuses" = no-migrations ] ||
    wrong+=("$tool_says by the tool (code $tool_code), $gate_says by gate ($gate_refuses)")
  # A script that ended the tool's transaction is recorded, and the tool ends with an error all the same.
  ! grep -q 'because the script ended it' "$folder.gate.json" || gate_applied=$tool_applied
  if [ "$(shortened "$tool_applied")" != "$(shortened "$gate_applied")" ]; then
    # Of a folder that is refused as a whole, the tool applies nothing or a part; gate tries what it can all the same.
    case "$tool_says $gate_refuses" in
      *duplicate-version* | refused*bad-* | refused*no-migrations* | refused*down-missing*) ;;
      *) [ "$tool_says $gate_says $tool_applied" = 'refused refused ' ] ||
        wrong+=("the tool applied [$tool_applied], gate [$gate_applied]") ;;
    esac
  fi
  if [ "$tool_says$gate_says" = acceptedaccepted ]; then
    same_schema || wrong+=("the schemas differ: $(tr '\n' ' ' <"$folder.diff" | cut -c 1-300)")
    # What a tool does without a down migration differs: gate reports it.
    case $tool_down:$gate_down in 0:*down-fails* | [1-9]*:) wrong+=("down: code $tool_down, gate reports [$gate_down]") ;; *) ;; esac
  fi
  if [ ${#wrong[@]} -gt 0 ]; then
    differs=$((differs + 1))
    printf 'DIFFERS %s %s\n' "$1" "$2"
    printf '    %s\n' "${wrong[@]}"
    tail -n 2 "$folder.tool.log" | sed 's/^/      /'
  elif [ $is_verbose = yes ]; then
    printf 'same    %s %s: %s [%s] %s\n' "$1" "$2" "$tool_says" "$tool_applied" "$gate_refuses"
  fi
}

# Versions without zeros in front, dashes and the tags that name the files of a reworked change.
shortened() { sed -E 's/-//g; s/@[^ ]*//g; s/(^| )0+([0-9])/\1\2/g' <<<"$1"; }

# The dump of the tool's database, run as a script, has to give the schema that gate saw.
same_schema() {
  mkdir -p "$folder.dump"
  cp "$folder.tool.sql" "$folder.dump/1_dump.sql"
  "$GATE" migrations check "$folder.dump" --tool plain --scratch server --server-variable REAL_TOOLS_SERVER --no-rows \
    --schema "$folder.tool.txt" >"$folder.dump.log" 2>&1 || true
  diff "$folder.tool.txt" "$folder.gate.txt" >"$folder.diff" 2>&1
}

# ---- the tools ----

program() { case $1 in golang-migrate) printf migrate ;; *) printf '%s' "$1" ;; esac; }

version() { # TOOL
  case $1 in
    golang-migrate) migrate -version 2>&1 ;;
    goose) goose -version 2>&1 | sed 's/^goose version: *//' ;;
    diesel) diesel --version 2>&1 | grep -o 'Version.*' ;;
    *) "$1" --version 2>&1 ;;
  esac | head -n 1
}

history_table() { # TOOL
  case $1 in
    sqlx) printf _sqlx_migrations ;;
    dbmate | golang-migrate) printf schema_migrations ;;
    goose) printf goose_db_version ;;
    diesel) printf __diesel_schema_migrations ;;
    refinery) printf refinery_schema_history ;;
    sqitch) printf sqitch.changes ;;
  esac
}

# Prints the versions that the tool recorded, in the order in which it did.
applied() { # TOOL
  local table=$HISTORY_TABLE found version dirty
  case $1 in
    sqlx) table="(select version, installed_on as at from $table where success) x order by at, version" ;;
    dbmate | diesel | refinery) table="$table order by ctid" ;;
    goose) table="(select version_id as version, id from $table where version_id > 0 and is_applied) x order by id" ;;
    sqitch) table="(select change as version, committed_at from sqitch.changes) x order by committed_at" ;;
    golang-migrate)
      # It records the last version alone.
      read -r version dirty < <(sql "$database" "select version || ' ' || dirty from $table" 2>/dev/null) || true
      found=$(cd "$folder" && for file in *.up.sql; do printf '%s\n' "${file%%_*}"; done | sort -n)
      while read -r one; do
        [ -n "${version:-}" ] && [ "$((10#${one:-0}))" -le "$((10#$version))" ] || continue
        [ "${dirty:-}" != true ] || [ "$((10#$one))" -lt "$((10#$version))" ] || continue
        printf '%s ' "$one"
      done <<<"$found" 2>/dev/null | sed 's/ $//'
      return ;;
  esac
  sql "$database" "select version from $table" 2>/dev/null | tr '\n' ' ' | sed 's/ $//' || true
}

write() { # PATH TEXT
  mkdir -p "$(dirname "$folder/$1")"
  printf '%s\n' "$2" >"$folder/$1"
}

pair() { # STEM [MARK]: STEM.up.sql and STEM.down.sql
  printf '%s%s' "${2:-}" "${UP:+$UP
}" >"$folder/$1.up.sql"
  [ -z "${DOWN+set}" ] || printf '%s%s' "${2:-}" "${DOWN:+$DOWN
}" >"$folder/$1.down.sql"
}

begin_sqlx() { :; }
step_sqlx() { pair "$1_$2" "${BARE:+-- no-transaction
}"; }
up_sqlx() { sqlx migrate run --source . --database-url "$(url)"; }
down_sqlx() { sqlx migrate revert --target-version 0 --source . --database-url "$(url)"; }

begin_golang_migrate() { :; }
step_golang_migrate() { pair "$1_$2"; }
up_golang_migrate() { migrate -path . -database "$(url)" up; }
down_golang_migrate() { migrate -path . -database "$(url)" down -all; }

# A byte order mark stands at the beginning of the file.
marked() { # UP-MARK DOWN-MARK [FIRST-LINE]
  local mark='' up=$UP
  if [ "${up:0:1}" = $'\ufeff' ]; then mark=$'\ufeff' up=${up:1}; fi
  printf '%s%s%s\n%s\n' "$mark" "${3:-}" "$1" "$up"
  [ -z "${DOWN+set}" ] || printf '%s\n%s\n' "$2" "$DOWN"
}

begin_dbmate() { :; }
step_dbmate() {
  local bare=${BARE:+ transaction:false}
  marked "-- migrate:up$bare" "-- migrate:down$bare" >"$folder/$1_$2.sql"
}
up_dbmate() { dbmate --url "$(url)" -d . --no-dump-schema migrate; }
down_dbmate() {
  while [ "$(sql "$database" 'select count(*) from schema_migrations' 2>/dev/null || echo 0)" != 0 ]; do
    dbmate --url "$(url)" -d . --no-dump-schema rollback || return
  done
}

begin_goose() { :; }
step_goose() {
  # goose ends a statement at a line that ends with a semicolon; a body needs its annotations.
  local UP=$UP begin='-- +goose StatementBegin' end='-- +goose StatementEnd'
  case $UP in *'$$'* | *'$body$'* | *atomic*) UP="$begin
$UP
$end" ;; esac
  marked '-- +goose Up' '-- +goose Down' "${BARE:+-- +goose NO TRANSACTION
}" >"$folder/$1_$2.sql"
}
up_goose() { goose -dir . postgres "$(url)" up; }
down_goose() { goose -dir . postgres "$(url)" down-to 0; }

begin_diesel() { :; }
step_diesel() {
  mkdir -p "$folder/$1_$2"
  printf '%s' "${UP:+$UP
}" >"$folder/$1_$2/up.sql"
  [ -z "${DOWN+set}" ] || printf '%s' "${DOWN:+$DOWN
}" >"$folder/$1_$2/down.sql"
  [ -z "${BARE:-}" ] || write "$1_$2/metadata.toml" 'run_in_transaction = false'
}
up_diesel() { diesel migration run --migration-dir . --database-url "$(url)"; }
down_diesel() { diesel migration revert --all --migration-dir . --database-url "$(url)"; }

begin_refinery() { :; }
step_refinery() { printf '%s' "${UP:+$UP
}" >"$folder/V$1__$2.sql"; }
up_refinery() { REFINERY_URL=$(url) refinery migrate -e REFINERY_URL -p .; }
down_refinery() { :; }

begin_sqitch() {
  write sqitch.plan '%syntax-version=1.0.0
%project=real
'
  write sqitch.conf '[core]
	engine = pg
[user]
	name = Ada
	email = ada@example.com'
  changes=0
}
step_sqitch() {
  changes=$((changes + 1))
  printf '%s 2026-01-01T00:00:%02dZ Ada <ada@example.com> # step\n' "$2" "$changes" >>"$folder/sqitch.plan"
  write "deploy/$2.sql" "$UP"
  [ -z "${DOWN+set}" ] || write "revert/$2.sql" "$DOWN"
}
up_sqitch() { sqitch deploy --target "db:pg://postgres@127.0.0.1:$port/$database"; }
down_sqitch() { sqitch revert -y --target "db:pg://postgres@127.0.0.1:$port/$database"; }

main "$@"
