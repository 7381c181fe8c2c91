# shellcheck shell=bash
# What the shell scripts of this repository share: messages on stderr, checks, apt. Sourced, never run.

say() { printf '==> %s\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }

# Ends the script with a message; further arguments are lines with the next action.
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" -eq 0 ]; }
# Root, or an ordinary user whose sudo asks for no password, as on hosted runners.
can_be_root() { is_root || { has sudo && sudo -n true 2>/dev/null; }; }
as_root() { if is_root; then "$@"; else sudo -n "$@"; fi; }
can_apt() { has apt-get && can_be_root; }

# True where version $1 is at least version $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# Installs Debian or Ubuntu packages; the package lists are refreshed only where the first try fails.
apt_install() {
  local log
  log=$(mktemp)
  note "apt-get install $*"
  if apt_install_quietly "$log" "$@" || { as_root apt-get update >>"$log" 2>&1 && apt_install_quietly "$log" "$@"; }; then
    rm -f "$log"
    return 0
  fi
  tail -n 5 "$log" >&2
  rm -f "$log"
  return 1
}

apt_install_quietly() {
  local log=$1
  shift
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1
}

# Prints the address of the Debian mirror that this machine's own apt uses; nothing where it uses none.
debian_mirror() {
  has apt-get || return 0
  # The security archive ends in another name, Ubuntu's mirrors in /ubuntu: neither holds Debian's suites.
  # shellcheck disable=SC2016 # $(..) is apt's own format syntax
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sed -n '\#/debian/*$#{s#/*$##p;q}'
}

# Sets `port` to a port of this host that nobody listens on and that no earlier call of this script gave. All lie below
# 32768: from there on the kernel gives ports to connections, and one that is free now may be taken before a container
# publishes it. FIRST_PORT says where the search begins.
next_port=${FIRST_PORT:-$((20000 + $$ % 100 * 100))}
free_port() {
  for port in $(seq "$next_port" $((next_port + 199))); do
    next_port=$((port + 1))
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
  done
  die "no port up to $port is free on 127.0.0.1" "FIRST_PORT=24000 begins the search elsewhere"
}

# backup_product IMAGE: the files of a product with one database, in the current folder, for the scripts that try backups.
backup_product() {
  printf 'DB_PASSWORD=only-for-this-test\nPG_IMAGE=%s\n' "$1" >env
  cat >docker-compose.yml <<'END'
services:
  db:
    image: ${PG_IMAGE:?}
    environment: { POSTGRES_USER: app, POSTGRES_PASSWORD: "${DB_PASSWORD:?}", POSTGRES_DB: shop }
    tmpfs: [/var/lib/postgresql]
    healthcheck: { test: ["CMD-SHELL", "pg_isready -q -h 127.0.0.1 -U app"], interval: 1s, retries: 60 }
END
}

# backup_config PROJECT: the configuration of that product; standard input is what stands in [backup] and below.
backup_config() {
  printf '%s\n' '[project]' "name = \"$1\"" 'state_dir = "state"' '[environments.e]' 'env_file = "env"' '[services.db]' \
    'kind = "postgres"' '[databases.main]' 'service = "db"' 'name = "shop"' '[backup]' >stagegate.toml
  cat >>stagegate.toml
}

# responds URL: waits until a server that was just started responds.
responds() {
  local _
  for _ in $(seq 200); do curl -s -o /dev/null "$1" && return; sleep 0.1; done
  die "$1 does not respond"
}
