# shellcheck shell=bash
# The server on which scripts/real-tools.sh and scripts/real-projects.sh let tools run; sourced by both, after lib.sh.

# Starts PostgreSQL in a container NAME of image IMAGE [stagegate/postgres:17], for `sql` and, by REAL_TOOLS_SERVER, for gate.
start_server() {
  free_port
  # Bound to this host, and gone with the script: the server needs no password.
  docker run -d --rm --name "$1" -e POSTGRES_HOST_AUTH_METHOD=trust -p "127.0.0.1:$port:5432" \
    "${IMAGE:-stagegate/postgres:17}" -c fsync=off -c full_page_writes=off >/dev/null
  export REAL_TOOLS_SERVER=postgres://postgres@127.0.0.1:$port/postgres?sslmode=disable
  local tries=0
  # The first start of the image ends once; the server that stays takes sessions over TCP.
  until sql postgres 'select 1' >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 240 ] || die "the server did not start" "docker logs $1"
    sleep 0.25
  done
}

# sql DATABASE STATEMENT
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U postgres -d "$1" -c "$2"; }
