# shellcheck shell=bash
# The product that scripts/fault-matrix.sh promotes, and what must hold of it after a fault. Sourced, never run.
#
# One database of some MiB, a one-shot migration of two seconds, a web server that shows its release, a client that inserts
# rows and keeps the number of each one that was acknowledged, and a client that requests the page all the time.

# Shared with fault-matrix.sh, which makes them.
: "${dir:?}" "${name:?}" "${root:?}" "${gate:?}" "${mib:?}"

target=$name-production
state=$dir/state/$target

in_db() { docker exec "$target-db-1" "$@"; }
# SQL of one statement each, in a database of production.
sql() { in_db psql -qAtX -U app -d "$1" -c "$2"; }
container() { docker inspect --format "$2" "$target-$1-1" 2>/dev/null; }

product() {
  mkdir -p "$dir/product/s" "$dir/product/m" "$dir/acks" "$dir/hook"
  cd "$dir/product"
  local nginx postgres environment
  nginx=$(sed -n 's/^NGINX_IMAGE=//p' "$root/.stagegate/images.env")
  postgres=$(sed -n 's/^POSTGRES_IMAGE=//p' "$root/.stagegate/images.env")
  postgres_image=$postgres
  image_of v1 "$nginx"
  image_of good "$nginx"
  cat >compose.yml <<TEXT
services:
  db:
    image: $postgres
    restart: unless-stopped
    command: ["postgres", "-c", "max_prepared_transactions=5", "-c", "wal_level=logical"]
    environment: { POSTGRES_USER: app, POSTGRES_PASSWORD: "\${DB_PASSWORD:?}", POSTGRES_DB: app }
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: { test: ["CMD-SHELL", "pg_isready -q -h 127.0.0.1 -U app"], interval: 1s, retries: 120 }
  migrate:
    image: $postgres
    restart: "no"
    command: ["bash", "-c", "for f in /m/*.sql; do psql -qX -v ON_ERROR_STOP=1 -f \$\$f || exit 1; done"]
    volumes: ["./m:/m:ro"]
    tmpfs: [/var/lib/postgresql/data]
    environment: { PGHOST: db, PGUSER: app, PGPASSWORD: "\${DB_PASSWORD:?}", PGDATABASE: app }
    depends_on: { db: { condition: service_healthy } }
  web:
    image: $name/web:v1
    restart: unless-stopped
    command: ["bash", "/s/start.sh"]
    environment: { LATE: "\${LATE:-}", GREETING: "\${GREETING:?}" }
    volumes: ["./s:/s:ro"]
    ports: ["127.0.0.1:\${WEB_PORT:?}:80"]
    depends_on: { migrate: { condition: service_completed_successfully } }
volumes: { data: {} }
TEXT
  {
    printf '[project]\nname = "%s"\nstate_dir = "%s/state"\ncompose = ["compose.yml"]\n' "$name" "$dir"
    for environment in staging production; do
      printf '[environments.%s]\nworkdir = "%s/%s"\nenv_file = "%s/%s.env"\n' \
        "$environment" "$dir" "$environment" "$dir" "$environment"
    done
    printf '[services.web]\nport = 80\nhealth = "/"\n[services.db]\nkind = "postgres"\n'
    printf '[databases.main]\nservice = "db"\nname = "app"\nmigrations = "migrate"\n'
    printf '[severity]\npolicy = "info"\nsecurity = "info"\nisolation = "info"\n'
    printf '[gate]\nsoak = "2s"\nverify_within = "60s"\nrollback_within = "60s"\ncommit_within = "60s"\nmigrate_within = "20s"\ncross_versions = "off"\n'
    printf 'notify_command = ["bash", "%s/hook/notify.sh"]\n' "$dir"
  } >stagegate.toml
  hook true
  for environment in staging production; do
    free_port
    printf 'WEB_PORT=%s\nDB_PASSWORD=only-for-this-test\nGREETING=hello\n' "$port" >"$dir/$environment.env"
  done
  echo LATE=1 >>"$dir/production.env"
  web_port=$port
  git init --quiet
  start_script ''
  # The tables are filled once and by hand: a release changes them.
  echo 'create table if not exists item (id bigint primary key, text text);' >m/1.sql
  release v1
  sed -i "s#$name/web:v1#$name/web:good#" compose.yml
  start_script ''
  echo 'select pg_sleep(2); alter table item add column if not exists size int not null default 1;' >m/2.sql
  release good
  # Each of these is well in staging, and fails where the variable LATE is set.
  # shellcheck disable=SC2016 # the container reads the variable
  start_script '[ -z "$LATE" ] || rm /usr/share/nginx/html/index.html'
  release late
  # shellcheck disable=SC2016
  start_script '[ -z "$LATE" ] || (while sleep 1; do touch /tmp/ill; sleep 1; rm /tmp/ill; done) &'
  sed -i 's#^    volumes: \["./s:/s:ro"\]#    healthcheck: { test: ["CMD", "test", "!", "-e", "/tmp/ill"], interval: 1s, retries: 1 }\n&#' compose.yml
  release flapping
  for environment in staging production; do up "$environment" v1; done
  sql app "insert into item select i, (select string_agg(md5(i::text || j), '') from generate_series(1, 30) j)
    from generate_series(1, $mib * 1000) i"
  sql app 'create table written (id bigint primary key)'
  sql app 'create table ticket (id bigint primary key, note text)'
  network=${target}_default
  writer
  visitor
  baseline=$(fingerprint)
}

# An image for a release: nginx with a label, so that each release has one of its own.
image_of() { printf 'FROM %s\nLABEL fault-matrix=%s\n' "$2" "$1" | DOCKER_BUILDKIT=0 docker build --quiet --tag "$name/web:$1" - >/dev/null 2>&1; }

# What the web server does before it listens; the page is the release's name.
start_script() {
  printf '%s\n' 'basename "$(cat /s/release)" >/usr/share/nginx/html/index.html' "$1" "exec nginx -g 'daemon off;'" >s/start.sh
}

# The program that the gate notifies: BODY.
hook() { printf 'cat >/dev/null\n%s\n' "$1" >"$dir/hook/notify.sh"; }

release() {
  echo "$1" >s/release
  git add --all
  git -c user.name=faults -c user.email=faults@example.org commit --quiet --message "$1"
  git tag "$1"
}

up() {
  local text
  text=$("$gate" up --env "$1" --release "$2" 2>&1) || die "release $2 did not come up in $1" "$text"
  [ "$1" != staging ] || staged=$2
}

# Inserts numbers that go up and keeps those that the server acknowledged; comes back at once where it is refused.
writer() {
  cat >"$dir/acks/writer.sh" <<'TEXT'
i=0
while :; do
  i=$((i + 1))
  psql -qAtX -c "insert into written values ($i)" >/dev/null 2>&1 && echo "$i" >>/acks/acked
  sleep 0.05
done
TEXT
  : >"$dir/acks/acked"
  docker run --detach --name "$name-writer" --network "$network" --volume "$dir/acks:/acks" --entrypoint bash --init \
    --env PGHOST=db --env PGUSER=app --env PGPASSWORD=only-for-this-test --env PGDATABASE=app --env PGCONNECT_TIMEOUT=2 \
    --tmpfs /var/lib/postgresql/data "$postgres_image" /acks/writer.sh >/dev/null
}

# Requests the page four times a second and keeps the time of each answer.
visitor() {
  while sleep 0.25; do
    ! curl -fs -m 1 -o /dev/null "http://127.0.0.1:$web_port/" || date +%s%3N >>"$dir/answers"
  done &
  visitor=$!
}

# The longest time in seconds without an answer of the page, from SINCE (in ms since 1970) until now.
longest_gap() {
  { echo "$1"; awk -v s="$1" '$1 >= s' "$dir/answers"; date +%s%3N; } |
    awk 'NR > 1 && $1 - last > gap { gap = $1 - last } { last = $1 } END { printf "%.1f", gap / 1000 }'
}

# Rows and schema, without what the clients write. `\restrict` is another word in each dump.
fingerprint() {
  in_db bash -c "pg_dump -U app --schema-only app | grep -v '^.\(un\)\?restrict'; psql -qAtX -U app -d app -c \
    'select count(*), sum(hashtextextended(i::text, 0)::numeric) from item i'" | sha256sum | cut -c1-16
}

# Which release each part is of: the page, the files, the image, the schema.
release_of() {
  local page files image schema
  page=$(curl -fs -m 2 "http://127.0.0.1:$web_port/") || page=none
  files=$(git -C "$dir/production" describe --tags --exact-match --exclude 'rollback-*' HEAD 2>/dev/null) || files=other
  image=$(docker image inspect --format '{{index .Config.Labels "fault-matrix"}}' "$(container web '{{.Image}}')" 2>/dev/null) || image=none
  schema=$(sql app "select case when exists (select from information_schema.columns where table_name = 'item'
    and column_name = 'size') then 'good' else 'v1' end" 2>/dev/null) || schema=none
  echo "$page $files $image $schema"
}

# Prints what does not hold; nothing where all is well. $1: the run's end.
violations() {
  local found parts left
  for _ in $(seq 20); do parts=$(release_of); [[ $parts != *none* ]] && break; sleep 0.5; done
  case $parts in
    'v1 v1 v1 v1') [ "$(fingerprint)" = "$baseline" ] || echo "I2: the content of the database is another one" ;;
    'good good good good') ;;
    *none*) echo "I8: no answer ($parts)" ;;
    *) echo "I1: neither all old nor all new: $parts" ;;
  esac
  [ "$("$gate" status --env production >"$dir/status" 2>&1; echo $?)" = 0 ] || echo "I1: drift: $(tr '\n' ' ' <"$dir/status")"
  lost_rows
  [ "$lost" = 0 ] || echo "I3: $lost acknowledged rows are neither live nor kept"
  for _ in $(seq 20); do left=$(leftovers); [ -z "$left" ] && break; sleep 0.5; done
  [ -z "$left" ] || echo "I4: $left"
  flock --nonblock "$state/lock" true || echo "I5: the lock is held by $(cat "$state/lock-owner.json")"
  for found in "$state"/runs/*/backup; do
    [ ! -e "$found/SHA256SUMS" ] || (cd "$found" && sha256sum --quiet --check SHA256SUMS) >/dev/null 2>&1 || echo "I6: $found does not verify"
  done
  "$gate" audit verify >"$dir/audit" 2>&1 || echo "I7: $(tr '\n' ' ' <"$dir/audit")"
}

# Sets `lost`, and `kept`: acknowledged rows that are not live but in a database that the gate kept.
lost_rows() {
  local database
  sort -n "$dir/acks/acked" >"$dir/acked"
  sql app 'select id from written' | sort >"$dir/live"
  : >"$dir/kept"
  for database in $(sql postgres "select datname from pg_database where datname like 'app\_\_%' and datallowconn"); do
    sql "$database" 'select id from written' >>"$dir/kept"
  done
  sort -u "$dir/kept" -o "$dir/kept"
  sort "$dir/acked" | comm -23 - "$dir/live" >"$dir/not-live"
  kept=$(comm -12 "$dir/not-live" "$dir/kept" | wc -l)
  lost=$(comm -23 "$dir/not-live" "$dir/kept" | wc -l)
}

# What a dead run may leave: processes, containers, sessions, closed databases.
leftovers() {
  local process environment
  for process in /proc/[0-9]*; do
    # A process that is gone meanwhile cannot be read.
    environment=$({ tr '\0' '\n' <"$process/environ" | grep "^STAGEGATE_RUN=$state#"; } 2>/dev/null || true)
    [ -z "$environment" ] || echo "process $(tr '\0' ' ' <"$process/cmdline")"
  done
  docker ps --all --format '{{.Names}}' | grep "$name" | grep -Ev -- "-(staging|production)-(db|migrate|web)-1$|-writer$" || true
  sql postgres "select 'session ' || application_name || ' in ' || datname from pg_stat_activity
    where application_name like 'stagegate/%' and pid <> pg_backend_pid()" || true
  sql postgres "select 'database ' || datname || ' is closed' from pg_database where not datallowconn and datname <> 'template0'" || true
  sql postgres "select 'database ' || datname from pg_database where datname not in ('app', 'postgres', 'template0', 'template1')
    and datname !~ '^app__(pre|failed|left)_'" || true
}

# Drops what earlier runs kept, and begins to count anew.
fresh_counts() {
  local database
  for database in $(sql postgres "select datname from pg_database where datname like 'app\_\_%'"); do in_db dropdb -U app --force "$database"; done
  docker pause "$name-writer" >/dev/null
  : >"$dir/acks/acked"
  : >"$dir/answers"
  sql app "delete from written where id < (select max(id) from written)"
  docker unpause "$name-writer" >/dev/null
}

take_down() {
  trap - EXIT
  end_product
  docker image rm "$name/web:v1" "$name/web:good" >/dev/null 2>&1 || true
  ! mountpoint --quiet "$dir/state" || umount "$dir/state"
  rm -rf "$dir"
}

# All anew, where a fault left what no later one could be measured on.
start_over() {
  end_product
  rm -rf "$dir/product" "$dir/staging" "$dir/production" "$dir/state"/*
  product
}

end_product() {
  local environment run
  [ -z "${visitor:-}" ] || kill "$visitor" 2>/dev/null || true
  docker rm --force "$name-writer" >/dev/null 2>&1 || true
  for environment in staging production plain; do
    docker compose --project-name "$name-$environment" down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true
  done
  docker image ls --format '{{.Repository}}:{{.Tag}}' stagegate/rollback | while read -r image; do
    run=${image#stagegate/rollback:}
    if compgen -G "$dir/state/*/runs/${run:0:20}" >/dev/null; then docker image rm "$image" >/dev/null 2>&1 || true; fi
  done
}
