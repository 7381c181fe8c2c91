#!/usr/bin/env bash
# Counts the requests that fail while a service is replaced: by gate's promotions without downtime, and by simpler ways.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/bench-rollout.sh [--rounds N] [--rate N] [--apps "A .."] [--ways "W .."] [--gate FILE]

Replaces a service that starts in two seconds while it gets requests (--rate 120 a second, 2 % of them take two seconds, six of
seven connections stay open) and prints a table. Each of N rounds (default 10) goes to the next release and back again.

  apps   what the service does on SIGTERM. graceful: ends what is under way. abrupt: ends at once. deaf: goes on until killed
  ways   gate: `gate promote` and `gate rollback` with rollout = "blue-green"
         compose: `docker compose up -d`, with the port published by the service
         scale: the order of docker-rollout behind the same proxy: two containers, wait until healthy, stop the earlier one
         nginx: the same with nginx and a reload: the proxy's settings name the new container, then the earlier one is stopped

Removes everything at the end. The image of the proxy is HAPROXY_IMAGE of .stagegate/images.env.
TEXT
}

rounds=10 rate=120 apps='graceful abrupt deaf' ways='gate compose scale nginx' gate='' dir='' name="bench-rollout-$$" image="bench-rollout:$$"

main() {
  while [ $# -gt 0 ]; do
    case $1 in
      --rounds) rounds=${2:?$1 needs a value}; shift ;;
      --rate) rate=${2:?$1 needs a value}; shift ;;
      --apps) apps=${2:?$1 needs a value}; shift ;;
      --ways) ways=${2:?$1 needs a value}; shift ;;
      --gate) gate=${2:?$1 needs a value}; shift ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; exit 2 ;;
    esac
    shift
  done
  [ -n "$gate" ] || { cargo build --quiet --manifest-path "$root/Cargo.toml" --workspace --bin gate && gate=$root/target/debug/gate; }
  gate=$(readlink -f -- "$gate")
  haproxy=$(sed -n 's/^HAPROXY_IMAGE=//p' "$root/.stagegate/images.env")
  nginx=$(sed -n 's/^NGINX_IMAGE=//p' "$root/.stagegate/images.env")
  runtime=$(sed -n 's/^RUNTIME_IMAGE=//p' "$root/.stagegate/images.env")
  dir=$(mktemp -d)
  trap take_down EXIT
  app_image
  local app way
  echo "$(date +%F), $(nproc) processors, load average $(cut -d ' ' -f 1-3 /proc/loadavg) before; $rate requests/s, $rounds rounds there and back."
  echo
  echo '| way | on SIGTERM | replaced | requests | of 2 s | failed | of these on idle connections | longest gap s |'
  echo '|---|---|---|---|---|---|---|---|'
  for app in $apps; do
    for way in $ways; do measure "$way" "$app"; done
  done
  echo
  echo "load average $(cut -d ' ' -f 1-3 /proc/loadavg) after."
}

app_image() {
  mkdir "$dir/image"
  cp "$root/scripts/rollout_app.py" "$dir/image/app.py"
  cat >"$dir/image/Dockerfile" <<TEXT
FROM $runtime
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-minimal libpython3-stdlib curl
COPY app.py /app.py
ENTRYPOINT ["python3", "/app.py"]
TEXT
  DOCKER_BUILDKIT=0 docker build --force-rm -q -t "$image" "$dir/image" >"$dir/image.log" 2>&1 || { tail "$dir/image.log" >&2; die "the image of the service cannot be built"; }
}

# measure WAY APP: replaces the service under load and prints a row.
measure() {
  local way=$1 app=$2 round load replaced=0
  mkdir "$dir/$way-$app"
  cd "$dir/$way-$app"
  free_port
  "begin_$way" "$app"
  wait_for "$port"
  python3 "$root/scripts/rollout_load.py" "$port" "$rate" >load.json &
  load=$!
  sleep 1
  for round in $(seq "$rounds"); do
    "next_$way" v2 && replaced=$((replaced + 1))
    "back_$way" v1 && replaced=$((replaced + 1))
  done
  sleep 1
  kill -TERM "$load"
  wait "$load" || true
  python3 - "$way" "$app" "$replaced" <<'PYTHON'
import json, sys
found = json.load(open("load.json"))
row = [*sys.argv[1:4], found["requests"], found["slow"], found["failed"], found["idle_closed"], found["gap_s"]]
print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
PYTHON
  end "$way" "$app"
}

wait_for() {
  timeout 60 sh -c "until curl -fsS -o /dev/null http://127.0.0.1:$1/health; do sleep 0.2; done" 2>/dev/null || die "nothing responds at port $1"
}

# service APP VERSION: the service in the compose file, without a port.
service() {
  cat <<TEXT
services:
  web:
    image: $image
    environment: { MODE: $1, VERSION: $2 }
    stop_grace_period: 5s
    healthcheck: { test: ["CMD", "curl", "-fsS", "http://127.0.0.1:8080/health"], interval: 500ms, timeout: 2s, retries: 20 }
TEXT
}

# --- gate

begin_gate() {
  mkdir product
  (
    cd product
    cat >stagegate.toml <<TEXT
[project]
name = "$name-$1"
state_dir = "../state"
[environments.staging]
workdir = "../staging"
env_file = "../staging.env"
[environments.production]
workdir = "../production"
env_file = "../production.env"
rollout = { web = "blue-green" }
[rollout]
image = "$haproxy"
[services.web]
port = 8080
health = "/health"
[severity]
policy = "info"
security = "info"
isolation = "info"
[gate]
soak = "1s"
TEXT
    echo "WEB_PORT=$port" >../production.env
    git init -q
    local version
    for version in v1 v2; do
      { service "$1" "$version"; echo '    ports: ["127.0.0.1:${WEB_PORT:?}:8080"]'; } >docker-compose.yml
      git add -A
      git -c user.name=bench -c user.email=bench@example.org commit -qm "$version"
      git tag "$version"
    done
  )
  free_port_of_staging
  run_gate up --env staging --release v2
  run_gate up --env production --release v1
}

free_port_of_staging() {
  local own=$port
  free_port
  echo "WEB_PORT=$port" >staging.env
  port=$own
}

run_gate() { (cd product && "$gate" "$@" >>../gate.log 2>&1) || { tail -n 5 gate.log >&2; return 1; }; }
next_gate() { run_gate promote --from staging --to production --yes; }
back_gate() { run_gate rollback --env production --yes; }

# --- compose

begin_compose() { application=$1; next_compose v1; }
next_compose() {
  { service "$application" "$1"; echo "    ports: [\"127.0.0.1:$port:8080\"]"; } >docker-compose.yml
  docker compose -p "$name-compose-$application" up -d >>up.log 2>&1
  wait_for "$port"
}
back_compose() { next_compose "$1"; }

# --- scale: docker-rollout's order

begin_scale() {
  application=$1
  cat >haproxy.cfg <<'TEXT'
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
  retries 3
  option redispatch
resolvers docker
  nameserver engine 127.0.0.11:53
  hold valid 250ms
  timeout resolve 250ms
listen web
  bind :80
  server-template s 1-2 web:8080 check inter 250ms resolvers docker resolve-prefer ipv4 init-addr libc,none
TEXT
  behind v1 "$haproxy" '["haproxy", "-db", "-f", "/p/haproxy.cfg"]'
  docker compose -p "$name-scale-$application" up -d >>up.log 2>&1
}

# behind VERSION IMAGE COMMAND: writes the compose file of the service behind a proxy.
behind() {
  {
    service "$application" "$1"
    cat <<TEXT
  proxy:
    image: $2
    entrypoint: $3
    volumes: [".:/p:ro"]
    ports: ["127.0.0.1:$port:80"]
TEXT
  } >docker-compose.yml
}

next_scale() {
  local old new
  behind "$1" "$haproxy" '["haproxy", "-db", "-f", "/p/haproxy.cfg"]'
  two_containers scale
  docker stop "$old" >/dev/null && docker rm "$old" >/dev/null
}
back_scale() { next_scale "$1"; }

# two_containers WAY: starts the next container next to the earlier one, waits until it is healthy; sets `old` and `new`.
two_containers() {
  local project="$name-$1-$application"
  old=$(docker compose -p "$project" ps -q web)
  docker compose -p "$project" up -d --no-recreate --scale web=2 web >>up.log 2>&1
  new=$(docker compose -p "$project" ps -q web | grep -v "$old")
  timeout 60 sh -c "until [ \"\$(docker inspect -f '{{.State.Health.Status}}' $new)\" = healthy ]; do sleep 0.1; done"
}

# --- nginx: a reload

begin_nginx() {
  application=$1
  behind v1 "$nginx" '["nginx", "-c", "/p/nginx.conf", "-g", "daemon off;"]'
  nginx_names web
  docker compose -p "$name-nginx-$application" up -d >>up.log 2>&1
}

nginx_names() {
  cat >nginx.conf.new <<TEXT
events {}
http {
  access_log off;
  upstream web { server $1:8080; keepalive 32; }
  server {
    listen 80;
    keepalive_timeout 300s;
    location / { proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
TEXT
  cat nginx.conf.new >nginx.conf
}

next_nginx() {
  local old new
  behind "$1" "$nginx" '["nginx", "-c", "/p/nginx.conf", "-g", "daemon off;"]'
  two_containers nginx
  nginx_names "$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$new")"
  docker exec "$(docker compose -p "$name-nginx-$application" ps -q proxy)" nginx -c /p/nginx.conf -s reload >>up.log 2>&1
  docker stop "$old" >/dev/null && docker rm "$old" >/dev/null
}
back_nginx() { next_nginx "$1"; }

# --- the end

end() {
  local project
  case $1 in gate) set -- "$name-$2-staging" "$name-$2-production" ;; *) set -- "$name-$1-$2" ;; esac
  for project in "$@"; do
    docker compose -p "$project" down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true
  done
}

take_down() {
  local app way
  cd /
  for app in $apps; do for way in $ways; do end "$way" "$app"; done; done
  docker image rm "$image" >/dev/null 2>&1 || true
  local run tag
  for run in "$dir"/gate-*/state/*/runs/*; do
    for tag in $(docker image ls --format '{{.Tag}}' stagegate/rollback | grep "^${run##*/}" || true); do
      docker image rm "stagegate/rollback:$tag" >/dev/null 2>&1 || true
    done
  done
  rm -rf "$dir"
}

main "$@"
