#!/usr/bin/env bash
# Shows the gate on the sample shop: one good release reaches production, four bad ones do not.
# What it promises is checked, not only shown: any difference makes it fail.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

# With another name, scripts/test.sh runs a demo of its own next to one that somebody keeps.
readonly demo=$root/.stagegate/${DEMO_NAME:-demo} project=shop-${DEMO_NAME:-demo}
readonly pid_file=$demo.pid
readonly shop=$demo/shop log=$demo/client.jsonl
readonly target=${CARGO_TARGET_DIR:-$root/target}/debug
readonly gate=$target/gate client=$target/shop-client
readonly environments=(staging production)
# What is expected of each release: the exit code, and where it is stopped.
expected=('v2 0 -' 'v3-contract 3 validate' 'v3-rowloss 3 rehearse' 'v3-unhealthy 5 verify' 'v3-crashloop 5 verify')
readonly short=('v2 0 -' 'v3-unhealthy 5 verify')

keep=no go_on=yes gate_pid='' client_pid='' url=''
problems=() rows=()

usage() {
  cat <<'TEXT'
usage: scripts/demo.sh [--short] [--keep]
       scripts/demo.sh --down

Starts a sample shop twice on this machine, as staging and as production, and keeps reading and ordering in production
while releases are promoted to it: one good release, and four that fail in different ways. Then it reports where each one
was stopped, how long production was down, and whether a row was lost. Exits with 0 if everything was as expected.

  --short   only the good release and one bad release, which is rolled back with code and data
  --keep    leave both environments running at the end
  --down    remove what --keep, or a run that was killed, left behind
  --help    print this text

Requires Docker, Compose v2 and cargo (scripts/setup.sh runs first). Everything it creates is in .stagegate/demo and in the
compose projects shop-demo-staging and shop-demo-production, and is removed at the end, also after Ctrl-C. Images of the
shop stay, as a cache: docker image ls stagegate-shop/api. Before one is reused, its binary has to report that it was
compiled from the current sources.

Variables for a demo that shares nothing with another one: DEMO_NAME instead of `demo` in these names, SHOP_IMAGE
instead of stagegate-shop/api, SHOP_TARGET_DIR for the shop's compiled code (~/.cache/stagegate-shop).
TEXT
}

main() {
  while [ $# -gt 0 ]; do
    case $1 in
      --short) expected=("${short[@]}") ;;
      --keep) keep=yes ;;
      --down) only_one; take_away; rm -f "$pid_file"; exit 0 ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; die "unknown option \`$1\`" ;;
    esac
    shift
  done
  only_one
  # A setting of the user's shell would win over the environments' own files.
  unset STAGEGATE_ENV STAGEGATE_STATE_DIR "${!COMPOSE_@}" "${!POSTGRES_@}" WEB_PORT SHOP_ENV JWT_SECRET MAIL_FROM LOG_LEVEL \
    SEED_ORDERS SEED_LEGACY REDIS_IMAGE NGINX_IMAGE
  trap 'leave $?' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  provide
  make_product
  bring_up
  start_client
  local line
  for line in "${expected[@]}"; do
    # Not behind "||": there, a command that fails inside would go unseen.
    # shellcheck disable=SC2086 # three words
    try $line
    [ "$go_on" = yes ] || break
  done
  stop_client
  tell
}

# --- what is shown

bold='' plain=''
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; fi

heading() { printf '\n%s[%3d s] %s%s\n' "$bold" "$SECONDS" "$*" "$plain" >&2; }

# Ctrl-C reaches every process of the terminal; this one goes on, so that the others can say how they end.
indent() { trap '' INT TERM HUP; sed -u 's/^/    /' >&2; }

problem() {
  problems+=("$*")
  note "NOT AS EXPECTED: $*"
}

# --- one demo at a time, and what it leaves behind

only_one() {
  local other=''
  if [ -e "$pid_file" ]; then other=$(<"$pid_file"); fi
  if [ -n "$other" ] && [ "$other" != $$ ] && tr '\0' ' ' 2>/dev/null <"/proc/$other/cmdline" | grep -q 'demo\.sh'; then
    die "the demo runs already in this checkout (process $other)" "end it with Ctrl-C there, or: kill $other"
  fi
  mkdir -p "$root/.stagegate"
  echo $$ >"$pid_file"
}

leave() {
  local code=$1
  trap '' HUP INT TERM
  stop_client
  stop_process "$gate" "$gate_pid" 60
  if [ ! -d "$demo" ]; then
    :
  elif [ "$keep" = no ]; then
    heading "taking everything away"
    take_away || code=1
  else
    tell_kept
  fi
  rm -f "$pid_file"
  exit "$code"
}

tell_kept() {
  heading "kept; to inspect it:"
  note "cd ${shop#"$PWD"/}"
  note "$gate status --env production"
  note "$gate history --env production"
  note "curl '$url/api/orders?limit=2'"
  note "from the root of this repository: cargo test -- --env staging --config ${demo#"$root"/}/shop/stagegate.toml"
  note "to remove it: scripts/demo.sh --down"
}

# Ends a process of an earlier or of this run: asked first, so that the gate takes back what it began.
stop_process() {
  local program=$1 pid=$2 patience=$3
  runs "$program" "$pid" || return 0
  note "waiting for $(basename "$program") (process $pid) to end"
  kill -TERM "$pid" 2>/dev/null || true
  wait_until "$patience" gone "$program" "$pid" || kill -KILL "$pid" 2>/dev/null || true
}

# True where process $2 is program $1: its number may be another program's by now.
runs() { [ -n "$2" ] && [[ $(readlink "/proc/$2/exe" 2>/dev/null) == "$1"* ]]; }
gone() { ! runs "$1" "$2"; }

# Waits up to $1 seconds for a command to succeed.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

# Takes away what this checkout's demo made, whole or in part; that nothing is there is fine.
take_away() {
  [ -d "$demo" ] || return 0
  stop_process "$client" "$(cat "$demo/client.pid" 2>/dev/null)" 5
  stop_process "$gate" "$(cat "$demo/gate.pid" 2>/dev/null)" 90
  local environment name
  for environment in "${environments[@]}"; do
    if has_own_objects "$project-$environment"; then down "$project-$environment"; fi
  done
  for name in $(projects | grep '^stagegate-rehearsal-' || true); do
    if is_own_run "${name#stagegate-rehearsal-}"; then down "$name"; fi
  done
  for name in $(docker image ls --format '{{.Tag}}' stagegate/rollback); do
    # A tag begins with the run's id, which has two dashes.
    if is_own_run "$(cut -d - -f 1-3 <<<"$name")"; then docker image rm "stagegate/rollback:$name" >/dev/null; fi
  done
  rm -rf "$demo"
}

down() {
  local told
  if told=$(docker compose --project-name "$1" down --volumes --remove-orphans --timeout 1 2>&1); then
    note "$1: containers, volumes and networks are gone"
  else
    printf '%s\n' "$told" | indent
    die "compose project \`$1\` could not be removed" "later: scripts/demo.sh --down"
  fi
}

is_own_run() { compgen -G "$demo/state/*/runs/$1" >/dev/null; }

# Prints the compose projects that have containers, volumes or networks here.
projects() {
  local format='{{.Label "com.docker.compose.project"}}'
  { docker ps --all --format "$format"; docker volume ls --format "$format"; docker network ls --format "$format"; } | sort -u
}

# Fails where the containers of a project are not this demo's; true where the project has anything.
has_own_objects() {
  local folder
  while read -r folder; do
    [[ $folder == "$demo"/* ]] || die "compose project \`$1\` runs already, and this demo did not make it (it belongs to $folder)" \
      "if it is a demo of another checkout: scripts/demo.sh --down there" \
      "else, if nobody needs it: docker compose --project-name $1 down --volumes"
  done < <(docker ps --all --filter "label=com.docker.compose.project=$1" \
    --format '{{.Label "com.docker.compose.project.working_dir"}}')
  projects | grep -qx "$1"
}

# --- the product

provide() {
  heading "tools and images (scripts/setup.sh)"
  "$root/scripts/setup.sh" 2>&1 | indent
  [ ! -d "$demo" ] || note "an earlier demo was left behind: removing it"
  take_away
  local environment
  for environment in "${environments[@]}"; do
    if has_own_objects "$project-$environment"; then
      die "volumes or networks of compose project \`$project-$environment\` exist, and this demo did not create them" \
        "if they are not needed: docker compose --project-name $project-$environment down --volumes"
    fi
  done
  heading "building the gate and the client (some minutes the first time)"
  (cd "$root" && cargo build --workspace --locked) 2>&1 | indent
}

make_product() {
  heading "a product of its own in ${demo#"$root"/}: a repository with six releases, two environments"
  mkdir -p "$demo/trees"
  "$root/fixtures/shop/releases/make-repo.sh" "$shop" 2>&1 | indent
  cp "$root/.stagegate/images.env" "$demo/images.env"
  local environment
  for environment in "${environments[@]}"; do write_env "$environment"; done
  sed "s/^name = \"shop-demo\"/name = \"$project\"/" "$root/fixtures/demo/stagegate.toml" >"$shop/stagegate.toml"
  build_images
}

# Builds the images of v1 and of the releases that are tried.
build_images() {
  local release line trees=()
  for line in v1 "${expected[@]}"; do
    release=${line%% *}
    mkdir "$demo/trees/$release"
    git -C "$shop" archive "$release" | tar -C "$demo/trees/$release" -x
    trees+=("$demo/trees/$release")
  done
  "$root/fixtures/shop/build.sh" "${trees[@]}" 2>&1 | indent
}

# Writes an environment's settings: the example's, with passwords of this run and a port that is free.
write_env() {
  local port
  free_port
  (
    umask 077
    sed -e "s/^WEB_PORT=.*/WEB_PORT=$port/" \
      -e "s/^POSTGRES_PASSWORD=.*/POSTGRES_PASSWORD=$(random)/" -e "s/^JWT_SECRET=.*/JWT_SECRET=$(random)/" \
      "$root/fixtures/shop/.env.$1" >"$shop/.env.$1"
  )
  note "$1: http://127.0.0.1:$port, settings in ${shop#"$root"/}/.env.$1"
  if [ "$1" = production ]; then url=http://127.0.0.1:$port; fi
}

random() { od -An -N 24 -t x1 /dev/urandom | tr -d ' \n'; }

# --- the gate and the client

# Runs the gate in the product's repository. What it gives goes to file \$1 (shown where that is empty), its messages
# are shown. In the background, so that a signal reaches this script at once.
run_gate() {
  local given=${1:-/dev/fd/4} status=0 shown
  shift
  note "\$ gate $*"
  exec 4> >(indent)
  shown=$!
  (cd "$shop" && exec "$gate" "$@" >"$given" 2>&4 4>&-) &
  gate_pid=$!
  exec 4>&-
  echo "$gate_pid" >"$demo/gate.pid"
  wait "$gate_pid" || status=$?
  gate_pid=''
  rm -f "$demo/gate.pid"
  wait "$shown" || true
  return "$status"
}

bring_up() {
  local environment
  heading "v1 in staging and in production, side by side"
  for environment in "${environments[@]}"; do
    run_gate '' up --env "$environment" --release v1 || die "$environment did not come up"
  done
  for environment in "${environments[@]}"; do
    heading "the suites against $environment"
    run_gate '' test --env "$environment" || problem "the suites do not pass in $environment"
  done
}

start_client() {
  heading "a customer begins: every 100 ms, an order of production is read or placed"
  : >"$log"
  "$client" poll --url "$url" --log "$log" &
  client_pid=$!
  echo "$client_pid" >"$demo/client.pid"
  wait_until 10 grep -q '"kind":"write","ok":true' "$log" || die "no order can be placed at $url"
}

stop_client() {
  [ -n "$client_pid" ] || return 0
  kill -TERM "$client_pid" 2>/dev/null || true
  wait "$client_pid" || problem "the client did not end well"
  client_pid=''
}

# --- one release

# Takes a release to staging, promotes it, and checks that it ended as expected; `go_on` is no where the next
# release would not find what it needs.
try() {
  local release=$1 expected_exit=$2 expected_stop=$3 status=0 since until stopped
  heading "$release: $(git -C "$shop" log -1 --format=%s "$release")"
  stage "$release"
  keep_state "$release" before
  since=$(now_ms)
  run_gate "$demo/$release.journal" promote --from staging --to production --yes --json || status=$?
  until=$(now_ms)
  "$client" outcome --journal "$demo/$release.journal" >"$demo/$release.outcome" ||
    die "$release: the gate exited with $status and reported no run"
  rows+=("$release $status $since $until")
  stopped=$(field stopped_at "$demo/$release.outcome")
  [ "${stopped:--}" = "$expected_stop" ] || problem "$release was stopped at \`${stopped:--}\`, expected \`$expected_stop\`"
  if [ "$status" = "$expected_exit" ]; then
    keep_state "$release" after
    compare "$release"
  else
    problem "$release: the gate ended with $status, expected $expected_exit; no further release is tried"
    go_on=no
  fi
}

# Brings staging to a release on top of v2, without what the release tried before left in its database.
stage() {
  if [ "$1" != v2 ]; then
    run_gate '' down --env staging --volumes --yes || die "staging cannot be stopped"
    run_gate '' up --env staging --release v2 || die "staging did not come up"
  fi
  run_gate '' up --env staging --release "$1" || die "staging did not come up with $1"
}

now_ms() { date +%s%3N; }

# Prints a field of a file of flat JSON; nothing where it is null.
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$2" | sed 's/^null$//'; }

# Keeps what must be the same after a release that failed; of the good one, only rows that were there.
keep_state() {
  local release=$1 when=$2 left_out=''
  if [ "$when" = before ]; then sql "SELECT now() - interval '3 seconds'" >"$demo/$release.mark"; fi
  if [ "$release" = v2 ]; then left_out=note; fi
  tables "$(<"$demo/$release.mark")" "$left_out" >"$demo/$release.tables.$when"
  {
    echo "version $("$client" get "$url/api/version")"
    echo "commit $(git -C "$demo/production" rev-parse HEAD)"
    echo "env file $(sha256sum <"$shop/.env.production")"
    # The dump's \restrict lines carry a random word.
    echo "schema $(in_database pg_dump --schema-only | grep -v 'restrict ' | sha256sum)"
    # shellcheck disable=SC2046 # ids
    docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.Image}} {{.State.Status}}' \
      $(containers --all --filter label=com.docker.compose.oneoff=False) | sort
  } >"$demo/$release.state.$when"
}

containers() { docker ps --quiet --filter "label=com.docker.compose.project=$project-production" "$@"; }

in_database() {
  local program=$1
  shift
  docker exec --interactive "$(containers --filter label=com.docker.compose.service=db)" "$program" -U shop -d shop "$@"
}

sql() { in_database psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "${@:2}" --command "$1"; }

# Prints a line a table: its name, rows and a checksum of their contents. Rows made after the time \$1 are the
# customer's and are left out (each of them is looked for at the end), and so is column \$2.
tables() {
  local name
  for name in $(sql "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"); do
    if [ -n "$2" ] && [ "$name" = schema_migrations ]; then continue; fi
    sql "SELECT '$name', count(*), md5(string_agg(row, '' ORDER BY row)) FROM (
           SELECT md5((to_jsonb(t) - '$2')::text) AS row FROM public.\"$name\" AS t
           WHERE coalesce((to_jsonb(t) ->> 'created_at')::timestamptz < '$1', true)) AS rows"
  done
}

# Compares what was kept before and after.
compare() {
  local release=$1 part
  for part in tables state; do
    if [ "$part" = state ] && [ "$release" = v2 ]; then continue; fi
    if ! diff "$demo/$release.$part.before" "$demo/$release.$part.after" 2>&1 | indent; then
      problem "$release: production's $part before (<) and after (>) differ"
      go_on=no
    fi
  done
  if ! grep -q '"version":"2\.0\.0"' "$demo/$release.state.after"; then
    problem "$release: production does not serve v2: $(head -n 1 "$demo/$release.state.after")"
    go_on=no
  fi
  [ "$go_on" = yes ] || return 0
  note "v2 is live in production; $(awk -F '|' '{ rows += $2 } END { print rows }' "$demo/$release.tables.after") rows unchanged$(
    [ "$release" = v2 ] || echo ", schema, images, code and settings too")"
}

# --- the end

tell() {
  heading "production, from a customer's point of view"
  local row text='release|where it was stopped|exit|live again (s)|verified (s)|requests|failed|longest gap (s)|rows lost'
  for row in "${rows[@]}"; do
    # shellcheck disable=SC2086 # four words
    text+=$'\n'$(table_row $row)
  done
  printf '\n%s\n\n' "$(aligned <<<"$text")"
  tell_whole
  if [ "${#problems[@]}" -gt 0 ]; then
    printf '\nnot as expected:\n' >&2
    printf '  %s\n' "${problems[@]}" >&2
    exit 1
  fi
  say "all as expected, after $SECONDS s"
}

# Prints a row of the table. Rows lost are those that were there before, and acknowledged orders of this time.
table_row() {
  local release=$1 status=$2 since=$3 until=$4 outcome=$demo/$1.outcome report=$demo/$1.report stopped lost
  "$client" report --log "$log" --since-ms "$since" --until-ms "$until" --url "$url" >"$report"
  stopped=$(field stopped_at "$outcome" | tr _ ' ')
  case $(field end "$outcome") in
    promoted) stopped='- (promoted)' ;;
    blocked) stopped+=', not touched' ;;
    rolled_back) stopped+=', rolled back' ;;
    *) stopped+=", $(field end "$outcome" | tr _ ' ')" ;;
  esac
  lost=$(field writes_lost "$report")
  lost=$((lost + $(rows_gone "$release")))
  echo "$release|$stopped|$status|$(rounded "$(field serving_s "$outcome")")|$(rounded "$(field verified_s "$outcome")")|$(
    field requests "$report")|$(field failed "$report")|$(seconds "$(field longest_gap_ms "$report")")|$lost"
}

rows_gone() {
  local before=$demo/$1.tables.before after=$demo/$1.tables.after
  if [ ! -e "$after" ]; then echo 0; return; fi
  awk -F '|' 'NR == FNR { after[$1] = $2; next } $2 > after[$1] { gone += $2 - after[$1] } END { print gone + 0 }' "$after" "$before"
}

rounded() { if [ -n "$1" ]; then LC_ALL=C printf '%.1f' "$1"; else printf -- '-'; fi; }
seconds() { printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100)); }

# Aligns columns that are divided by |: the first two to the left, numbers to the right.
aligned() {
  awk -F '|' '
    { for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } columns = NF }
    END {
      for (line = 1; line <= NR; line++) {
        for (i = 1; i <= columns; i++) {
          # mawk has no "%*s".
          printf "%" (i <= 2 ? "-" : "") width[i] "s" (i < columns ? "  " : "\n"), cell[line, i]
        }
      }
    }'
}

tell_whole() {
  local report=$demo/whole.report acknowledged lost
  "$client" report --log "$log" --url "$url" >"$report"
  acknowledged=$(field writes_acknowledged "$report") lost=$(field writes_lost "$report")
  if [ "$lost" = 0 ]; then
    printf 'in total: %s requests, %s failed; %s orders were acknowledged, and none is missing\n' \
      "$(field requests "$report")" "$(field failed "$report")" "$acknowledged"
  else
    problem "$lost of $acknowledged acknowledged orders are gone or changed: $(sed 's/.*"lost":\(.*\)}/\1/' "$report")"
  fi
}

main "$@"
