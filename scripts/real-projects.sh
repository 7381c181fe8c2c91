#!/usr/bin/env bash
# Begins a project with each migration tool whose migrations are programs, and compares what gate reports with what is right.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
# shellcheck source=scripts/real-server.sh
. "$root/scripts/real-server.sh"

usage() {
  cat <<'TEXT'
usage: scripts/real-projects.sh [--tool NAME]... [--set NAME]... [--keep DIR]

Begins a project with the tool's own command, adds the migrations of fixtures/real-tools/projects, and runs `gate init`,
`gate migrations check` with the one line that `gate init` proposes, and the tool itself on the same PostgreSQL server. Compares:
whether `gate init` recognises the tool, the codes of the required findings with their migrations, and the schema (pg_dump -s).
Prints a line for each difference and a table. Exits with 1 if there is a difference.

  --tool NAME  alembic, flask-migrate, django, yoyo or rails; repeatable [default: each one installed]
  --set NAME   good, rows-lost or schema-not-restored; repeatable [default: all]
  --keep DIR   write the projects and logs there, and leave them

The fourth migration of each set cannot be reverted, and is declared so. PYTHON names an interpreter that
has the tools and a driver of PostgreSQL [default: python3]. Nothing is installed.
GATE names the program `gate` [default: a build of this checkout]; IMAGE the image of the server [default: stagegate/postgres:17].
TEXT
}

all_tools=(alembic flask-migrate django yoyo rails) all_sets=(good rows-lost schema-not-restored)
tools=() sets=() keep=''
python=${PYTHON:-$(command -v python3 || true)}

main() {
  arguments "$@"
  for needed in jq docker psql; do has "$needed" || die "$needed is missing"; done
  if [ -z "${GATE:-}" ]; then
    (cd "$root" && cargo build --locked --quiet --bin gate)
    GATE=${CARGO_TARGET_DIR:-$root/target}/debug/gate
  fi
  [ ${#tools[@]} -gt 0 ] || tools=("${all_tools[@]}")
  [ ${#sets[@]} -gt 0 ] || sets=("${all_sets[@]}")
  work=$(mktemp -d)
  [ -z "$keep" ] || { mkdir -p "$keep"; work=$(cd "$keep" && pwd); }
  trap finish EXIT
  start_server "$server"
  local tool name different=0 compared differs begun
  for tool in "${tools[@]}"; do
    "has_${tool//-/_}" 2>/dev/null || { note "$tool is not installed: left out"; continue; }
    compared=0 differs=0 begun=$SECONDS
    for name in "${sets[@]}"; do
      compared=$((compared + 1))
      one "$tool" "$name" || differs=$((differs + 1))
    done
    rows+=("| $tool | $("version_${tool//-/_}") | $compared | $differs | $(((SECONDS - begun) / compared)) |")
    different=$((different + differs))
  done
  [ ${#rows[@]} -gt 0 ] || die "none of the tools is installed"
  printf '| tool | version | sets | differences | seconds a set |\n|---|---|---|---|---|\n'
  printf '%s\n' "${rows[@]}"
  [ "$different" = 0 ]
}

arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --tool) tools+=("${2:?--tool needs a name}"); shift ;;
      --set) sets+=("${2:?--set needs a name}"); shift ;;
      --keep) keep=${2:?--keep needs a folder}; shift ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; die "unknown option \`$1\`" ;;
    esac
    shift
  done
}

rows=()
server=stagegate-real-projects-$$

finish() {
  docker rm -f "$server" >/dev/null 2>&1 || true
  [ -n "$keep" ] || rm -rf "$work"
}

# ---- one project, both ways ----

one() { # TOOL SET
  local tool=$1 set=$2
  folder=$work/$1/$2 database=${1//-/_}_${2//-/_} wrong=()
  rm -rf "$folder"
  mkdir -p "$folder"
  sql postgres "create database \"$database\""
  # The product finds its database by this variable; gate sends it to a scratch database all the same.
  export SHOP_DATABASE=postgresql://postgres@127.0.0.1:$port/$database
  (cd "$folder" && "begin_${tool//-/_}") >"$folder.begin.log" 2>&1 || { tail -n 5 "$folder.begin.log"; die "cannot begin a project of $tool"; }
  cp -r "$root/fixtures/real-tools/projects/$tool/good/." "$folder"
  [ "$set" = good ] || cp -r "$root/fixtures/real-tools/projects/$(fixture_of "$tool")/$set/." "$folder"
  recognised "$tool"
  by_gate "$tool"
  by_tool "$tool"
  judge "$tool" "$set"
  sql postgres "drop database \"$database\" with (force)"
  [ ${#wrong[@]} -gt 0 ] || return 0
  printf 'DIFFERS %s %s\n' "$tool" "$set"
  printf '    %s\n' "${wrong[@]}"
  return 1
}

# A Flask application has the migrations of Alembic.
fixture_of() { case $1 in flask-migrate) printf alembic ;; *) printf '%s' "$1" ;; esac; }
tool_of() { fixture_of "$1"; }

# `gate init` names the tool, and nothing else is left to configure.
recognised() { # TOOL
  printf 'services:\n  db: { image: "postgres:17" }\n' >"$folder/compose.yaml"
  (cd "$folder" && "$GATE" init --print --no-run) >"$folder.init.toml" 2>"$folder.init.log" || true
  grep -A 3 '^\[migrations.main\]' "$folder.init.toml" | grep -qx "tool = \"$(tool_of "$1")\"" ||
    wrong+=("gate init does not recognise it: $(grep -A 3 '^\[migrations' "$folder.init.toml" | tr '\n' ' ')$(tail -n 1 "$folder.init.log")")
  rm "$folder/compose.yaml"
}

by_gate() { # TOOL
  local program=()
  [ "$1" = rails ] || program=(--program "$python")
  gate_code=0
  (cd "$folder" && waive "$1" && "$GATE" migrations check . --tool "$1" "${program[@]}" --scratch server \
    --server-variable REAL_TOOLS_SERVER --json --schema "$folder.gate.txt") >"$folder.gate.json" 2>"$folder.gate.log" || gate_code=$?
  gate_required=$(jq -r '[.servers[0].findings[] | select(.severity == "required" and .waived == null)
    | "\(.code) \(.place.object)"] | unique | join(", ")' "$folder.gate.json" 2>>"$folder.gate.log") || gate_required=$(tail -n 1 "$folder.gate.log")
}

# The last migration cannot be reverted, as a reviewed file declares.
waive() { # TOOL
  local name=0004_note
  case $1 in alembic | flask-migrate) name=0004 ;; django) name=shop.0004_note ;; rails) name=20260101000004_drop_note ;; *) ;; esac
  cat >stagegate-waivers.toml <<TEXT
[[irreversible]]
migration = "$name"
reason = "the notes are gone"
owner = "team"
TEXT
}

by_tool() { # TOOL
  (cd "$folder" && "up_${1//-/_}") >"$folder.tool.log" 2>&1 || wrong+=("the tool itself fails: $(tail -n 1 "$folder.tool.log")")
  mkdir -p "$folder.dump"
  docker exec "$server" pg_dump -U postgres -s "${own_tables[@]}" "$database" | sed '/^\\/d' >"$folder.dump/1_dump.sql"
  "$GATE" migrations check "$folder.dump" --tool plain --scratch server --server-variable REAL_TOOLS_SERVER --no-rows \
    --schema "$folder.tool.txt" >"$folder.dump.log" 2>&1 || true
}

own_tables=()
for table in alembic_version django_migrations schema_migrations ar_internal_metadata _yoyo_migration _yoyo_log _yoyo_version yoyo_lock; do
  own_tables+=("--exclude-table=public.$table" "--exclude-table=public.${table}_id_seq")
done

judge() { # TOOL SET
  local want code=3
  case $2 in
    good) want='' code=0 ;;
    rows-lost) want='data-not-restored' ;;
    schema-not-restored) want='schema-not-restored second-up-fails' ;;
  esac
  local found
  found=$(tr ',' '\n' <<<"$gate_required" | awk 'NF { print $1 }' | sort -u | tr '\n' ' ' | sed 's/ $//')
  [ "$found" = "$want" ] || wrong+=("required findings [$gate_required], expected [$want]")
  [ "$gate_code" = "$code" ] || wrong+=("exit code $gate_code, expected $code")
  diff "$folder.tool.txt" "$folder.gate.txt" >"$folder.diff" 2>&1 || wrong+=("the schemas differ: $(tr '\n' ' ' <"$folder.diff" | cut -c 1-300)")
}

# ---- the tools ----

module() { "$python" -c "import importlib.metadata as m; print(m.version('$1'))"; }

has_alembic() { module alembic >/dev/null && module SQLAlchemy >/dev/null; }
version_alembic() { module alembic; }
begin_alembic() {
  "$python" -m alembic init migrations
  sed -i 's|^sqlalchemy.url = .*|sqlalchemy.url = postgresql+psycopg2://nobody@nowhere/shop|' alembic.ini
}
up_alembic() {
  sed -i "s|^sqlalchemy.url = .*|sqlalchemy.url = postgresql+psycopg2://${SHOP_DATABASE#*://}|" alembic.ini
  "$python" -m alembic upgrade heads
}

has_flask_migrate() { module Flask-Migrate >/dev/null && module Flask-SQLAlchemy >/dev/null; }
version_flask_migrate() { module Flask-Migrate; }
begin_flask_migrate() {
  cp "$root"/fixtures/real-tools/projects/flask-migrate/good/app.py .
  "$python" -m flask db init
  cp -r "$root/fixtures/real-tools/projects/alembic/good/." .
}
up_flask_migrate() { "$python" -m flask db upgrade; }

has_django() { module django >/dev/null; }
version_django() { module django; }
begin_django() {
  "$python" -m django startproject product .
  "$python" manage.py startapp shop
  sed -i 's/^INSTALLED_APPS = \[/&\n    "shop",/' product/settings.py
  cat >>product/settings.py <<'TEXT'

import os
from urllib.parse import urlsplit

url = urlsplit(os.environ["SHOP_DATABASE"])
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "HOST": url.hostname,
                         "PORT": url.port, "USER": url.username}}
TEXT
}
up_django() { "$python" manage.py migrate --noinput; }

has_yoyo() { module yoyo-migrations >/dev/null; }
version_yoyo() { module yoyo-migrations; }
begin_yoyo() {
  mkdir migrations
  "$python" -m yoyo init --no-cache --database postgresql://nobody@nowhere/shop migrations </dev/null
}
up_yoyo() { "$python" -m yoyo apply --batch --no-config-file --database "$SHOP_DATABASE" migrations; }

has_rails() { has rails && ruby -e 'require "active_record"; require "pg"'; }
version_rails() { rails --version | awk '{ print $2 }'; }
begin_rails() {
  rails new . --name=product --api --minimal --skip-sprockets --skip-bundle --skip-git --skip-gemfile --database=postgresql --force
  # Debian's gems, without Bundler.
  sed -i '/bundler\/setup/d' config/boot.rb
  sed -i '/Bundler.require/d' config/application.rb
  sed -i '/config.file_watcher/d' config/environments/development.rb
  printf 'development:\n  url: <%%= ENV["SHOP_DATABASE"] %%>\n' >config/database.yml
}
up_rails() { bin/rails db:migrate; }

main "$@"
