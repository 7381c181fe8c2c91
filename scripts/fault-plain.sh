# shellcheck shell=bash
# The faults of scripts/fault-matrix.sh that mean something without a gate, on `docker compose up -d`. Sourced, never run.

: "${dir:?}" "${name:?}" "${target:?}"

plain=$name-plain plain_rows=()

compose() { docker compose --project-name "$plain" --project-directory "$dir/plain" --file "$dir/plain/compose.yml" --env-file "$dir/plain.env" "$@"; }

# Title, release, seconds after which it happens (0: before the start), what happens.
plain_faults() {
  git -C "$dir/product" worktree add --quiet --detach "$dir/plain" v1
  # shellcheck disable=SC2016 # evaluated when it happens
  {
    plain_cell 'Ctrl-C' good 2 'kill -INT $up'
    plain_cell 'SIGKILL to docker compose' good 2 'kill -KILL $up'
    plain_cell 'PostgreSQL killed in the migration' good 2 'kill -KILL "$(docker inspect --format "{{.State.Pid}}" $plain-db-1)"'
    plain_cell 'the image of the release is removed' good 0 'docker image rm --force "$name/web:good" >/dev/null'
    image_of good "$(sed -n 's/^NGINX_IMAGE=//p' "$root/.stagegate/images.env")"
    plain_cell 'a variable is removed from the env file' good 0 'sed -i /GREETING/d "$dir/plain.env"'
    plain_cell 'a release that fails its checks' late 0 true
    plain_cell 'a healthcheck that fails every other second' flapping 0 true
  }
  plain_table
}

plain_cell() {
  local title=$1 release=$2 delay=$3 happens=$4 code=0 up page schema
  free_port
  sed "s/^WEB_PORT=.*/WEB_PORT=$port/" "$dir/production.env" >"$dir/plain.env"
  git -C "$dir/plain" checkout --quiet --force --detach v1
  compose up --detach >/dev/null 2>&1
  responds "http://127.0.0.1:$port/"
  git -C "$dir/plain" checkout --quiet --force --detach "$release"
  [ "$delay" != 0 ] || eval "$happens"
  # The process itself, not a subshell around it.
  env --default-signal=INT docker compose --project-name "$plain" --project-directory "$dir/plain" --file "$dir/plain/compose.yml" \
    --env-file "$dir/plain.env" up --detach >"$dir/up" 2>&1 &
  up=$!
  if [ "$delay" != 0 ]; then sleep "$delay" && eval "$happens"; fi
  wait "$up" 2>/dev/null || code=$?
  # Whatever restarts by itself has its time.
  sleep 10
  page=$(curl -fs -m 2 "http://127.0.0.1:$port/") || page='no answer'
  schema=$(docker exec "$plain-db-1" psql -qAtX -U app -d app -c "select case when exists (select from
    information_schema.columns where table_name = 'item' and column_name = 'size') then 'new' else 'old' end" 2>/dev/null) || schema='no answer'
  plain_rows+=("| $title | $code | ${page/v1/old} | $schema |")
  note "docker compose up -d: ${plain_rows[-1]}"
  cp "$dir/production.env" "$dir/plain.env"
  compose down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1
}

plain_table() {
  echo '| Fault | Exit code | Page, 10 s later | Schema |'
  echo '|---|---|---|---|'
  printf '%s\n' "${plain_rows[@]}" | sed 's/| good |/| new |/; s/| late |/| new |/; s/| flapping |/| new, unhealthy every other second |/'
}
