#!/usr/bin/env bash
# Runs the gate over small products in the forms that other people's Compose files have: fixtures/wild/N-slug.
# usage: scripts/wild.sh [--keep] [FORM ..]
#        scripts/wild.sh --corpus DIR
#
# Each form is a product with a `form.sh`: what it is called, how far it is taken (lint, up or promote), what each step is
# expected to end with, and what has to be true then. Prints a table of form, expected and got; exits with 1 where they
# differ. Needs the images of scripts/setup.sh. Builds the gate of this checkout (GATE names another one).
#
# --keep        leaves stacks, repositories and logs
# --corpus DIR  runs `gate config` and `gate lint` over every Compose file below DIR, as in checkouts of public products.
#               Nothing is started. Whether a file can be used is what `docker compose config` says of it
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
forms=$root/fixtures/wild
gate=${GATE:-${CARGO_TARGET_DIR:-$root/target}/debug/gate}
keep=no names=() corpus=
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=yes ;;
    --corpus) corpus=${2:?--corpus needs a folder}; shift ;;
    -h | --help) sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) die "unknown option $1" ;;
    *) [ -f "$forms/$1/form.sh" ] || die "fixtures/wild has no form $1"; names+=("$1") ;;
  esac
  shift
done
[ -n "${GATE:-}" ] || (cd "$root" && cargo build --locked --quiet --bin gate)
[ -x "$gate" ] || die "$gate is missing"
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(cd "$forms" && for form in */form.sh; do dirname "$form"; done | sort -n)

unset STAGEGATE_ENV "${!COMPOSE_@}" "${!POSTGRES_@}" WEB_PORT DB_PASSWORD
# shellcheck source=/dev/null
. "$root/.stagegate/images.env"
scratch=$(mktemp -d)
export STAGEGATE_STATE_DIR=$scratch/state
failures=0 made=()

# The stacks of a form, by the exact names of their projects.
remove() {
  local project
  for project in "${made[@]}"; do
    docker compose --project-name "$project" down --volumes --remove-orphans --timeout 0 >/dev/null 2>&1 || true
  done
  if declare -F after >/dev/null; then after >/dev/null 2>&1 || true; fi
  made=()
}
finish() {
  if [ "$keep" = yes ]; then printf 'left in %s\n' "$scratch"; else remove; rm -rf "$scratch"; fi
}
trap finish EXIT

# Makes the product: release v1 is the form's folder, v2 is v1 with the form's v2/ on top.
make_product() {
  local form=$1 name=$2 env n=0 port
  mkdir -p "$dir/product"
  (cd "$forms/$form" && tar --exclude ./form.sh --exclude ./v2 --exclude ./stagegate.toml -cf - .) | tar -xf - -C "$dir/product"
  cd "$dir/product"
  # The forms name the images as setup.sh builds them; where a registry answers, they have other names.
  grep -rlE 'stagegate/(nginx:1|postgres:17)' . | while read -r file; do
    sed -i -e "s#stagegate/nginx:1#$NGINX_IMAGE#g" -e "s#stagegate/postgres:17#$POSTGRES_IMAGE#g" "$file"
  done
  {
    printf '[project]\nname = "%s"\n' "$name"
    [ -z "${compose:-}" ] || printf 'compose = [%s]\n' "$compose"
    for env in staging production; do
      printf '[environments.%s]\nworkdir = "%s"\nenv_file = ".env.%s"\nready_within = "%s"\n' \
        "$env" "${workdirs:-..}/$env" "$env" "${ready_within:-60s}"
    done
    [ "${web:-yes}" = no ] || printf '[services.web]\nport = 80\nhealth = "/"\n'
    printf '[severity]\npolicy = "info"\nsecurity = "info"\nisolation = "info"\n"policy::stack::drift" = "required"\n'
    printf '[gate]\nsoak = "1s"\ncross_versions = "%s"\n' "${cross_versions:-off}"
    [ ! -f "$forms/$form/stagegate.toml" ] || cat "$forms/$form/stagegate.toml"
  } >stagegate.toml
  for env in staging production; do
    n=$((n + 1))
    free_port
    printf 'WEB_PORT=%s\nDB_PASSWORD=password-of-%s\nSTAGE=%s\nNET=10.24%s.%s\n' "$port" "$env" "$env" "$n" $((port % 250)) >".env.$env"
    if declare -F variables >/dev/null; then variables "$env" >>".env.$env"; fi
    made+=("$name-$env")
  done
  [ -e .gitignore ] || printf '.env.*\n' >.gitignore
  git init --quiet
  git config user.email wild@example.org
  git config user.name wild
  git add --all
  git commit --quiet --message v1
  git tag v1
  if [ -d "$forms/$form/v2" ]; then cp -R "$forms/$form/v2/." .; else printf 'two\n' >RELEASE; fi
  git add --all
  git commit --quiet --message v2
  git tag v2
}

# Runs a step and compares its exit code with the expected one; `says` is a text that its output has to hold.
step() {
  local name=$1 want=$2 says=$3 code=0
  shift 3
  [ "$want" != - ] || return 0
  printf '$ gate %s\n' "$*" >>"$log"
  "$gate" "$@" >"$dir/out" 2>&1 </dev/null || code=$?
  cat "$dir/out" >>"$log"
  printf -- '-> %s\n' "$code" >>"$log"
  expected+=" $name $want" got+=" $name $code"
  [ "$code" = "$want" ] || wrong=yes
  if [ -n "$says" ] && ! grep -qF -- "$says" "$dir/out"; then wrong=yes got+=" (nothing of \"$says\")"; fi
  [ "$code" = 0 ]
}

# Runs a function of the form that finds out whether something is true.
holds() {
  declare -F "$1" >/dev/null || return 0
  expected+=" $1"
  if "$1" >>"$log" 2>&1; then got+=" $1"; else wrong=yes got+=" NOT($1)"; fi
}

# The container of a service, by its labels.
container() {
  docker ps --all --quiet --filter "label=com.docker.compose.project=$name-$1" --filter "label=com.docker.compose.service=$2" \
    --filter label=com.docker.compose.oneoff=False
}
inside() { docker exec "$(container "$1" "$2")" "${@:3}"; }

run_form() {
  local form=$1 level=promote want_lint=0 want_up=0 want_plan=0 want_promote=0 want_back=- want_purge=- says_up="" says_plan="" says_promote=""
  local title="" compose="" workdirs="" web="" ready_within="" cross_versions=""
  unset -f variables before after_up promoted purged after shell
  # shellcheck disable=SC1090 # one of fixtures/wild
  . "$forms/$form/form.sh"
  name=wild$$-${form%%-*} dir=$scratch/$form log=$scratch/$form.log expected="" got="" wrong=no
  make_product "$form" "$name"
  if declare -F before >/dev/null; then before >>"$log" 2>&1; fi
  step config 0 "" config || true
  if [ "$level" = lint ]; then
    step lint "$want_lint" "" lint docker-compose.yml --env-file .env.staging --fail-on required || true
  else
    if step up "$want_up" "$says_up" up --env staging --release v1; then
      holds after_up
      if [ "$level" = promote ]; then
        step up 0 "" up --env production --release v1 || true
        step up 0 "" up --env staging --release v2 || true
        step plan "$want_plan" "$says_plan" promote --from staging --to production --plan || true
        step promote "$want_promote" "$says_promote" promote --from staging --to production --yes || true
        holds promoted
        step rollback "$want_back" "" rollback --env production --yes || true
        step down "$want_purge" "" down --env production --volumes --yes || true
        step purge "$want_purge" "" purge --env production --yes || true
        holds purged
      fi
    fi
  fi
  local result=ok
  [ "$wrong" = no ] || { result=WRONG; failures=$((failures + 1)); }
  printf '%-31s| %-56s| %-56s| %-5s | %s\n' "$form" "${expected# }" "${got# }" "$result" "$title"
  [ "$wrong" = no ] || sed 's/^/    /' "$log" | tail -n 25
  cd "$root"
  [ "$keep" = yes ] || remove
}

# Compares what the gate makes of every Compose file below a folder with what Compose itself makes of it.
run_corpus() {
  local file folder usable code lint total=0 refused=0
  local -a given
  while IFS= read -r file; do
    total=$((total + 1)) folder=$(dirname "$file") given=() usable=yes code=0 lint=0
    printf '[project]\nname = "corpus"\n[environments.staging]\nworkdir = "%s"\ncompose = ["%s"]\n' "$folder" "$(basename "$file")" >"$scratch/stagegate.toml"
    if [ -f "$folder/.env" ]; then
      printf 'env_file = "%s/.env"\n' "$folder" >>"$scratch/stagegate.toml"
      given=(--env-file "$folder/.env")
    fi
    docker compose --project-name corpus --project-directory "$folder" "${given[@]}" --file "$file" --profile '*' config --quiet \
      >"$scratch/compose" 2>&1 </dev/null || usable=no
    "$gate" --config "$scratch/stagegate.toml" config >"$scratch/config" 2>&1 </dev/null || code=$?
    (cd "$folder" && "$gate" lint "$(basename "$file")" "${given[@]}") >"$scratch/lint" 2>&1 </dev/null || lint=$?
    # 3 is a finding; 2 is right where Compose refuses the file too.
    case "$usable $code $lint" in
      "yes 0 0" | "yes 0 3") ;;
      "no 0 2" | "no 0 0" | "no 0 3") refused=$((refused + 1)) ;;
      *)
        failures=$((failures + 1))
        printf '%s: usable %s, config %s, lint %s\n' "${file#"$corpus"/}" "$usable" "$code" "$lint"
        tail -n 3 "$scratch/lint" | sed 's/^/    /'
        ;;
    esac
  done < <(find "$corpus" -type f -regextype posix-extended -iregex '.*/(docker-)?compose[^/]*\.ya?ml' | sort)
  printf '%s files, %s that Compose refuses, %s wrong\n' "$total" "$refused" "$failures"
}
if [ -n "$corpus" ]; then
  corpus=$(cd "$corpus" && pwd)
  run_corpus
  [ "$failures" = 0 ]
  exit
fi

printf '%-31s| %-56s| %-56s| %-5s | %s\n' form expected got "" "what it is"
for form in "${names[@]}"; do run_form "$form"; done
printf '%s forms, %s wrong\n' "${#names[@]}" "$failures"
[ "$failures" = 0 ]
