#!/usr/bin/env bash
# Runs a command with a newer Docker Engine and Compose than this machine's: those of a Debian suite, in private.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/try-engine.sh [--store classic|containerd] [--suite SUITE] COMMAND [ARG ..]

Unpacks Docker Engine, Compose and buildx of a Debian suite [default: forky] into a temporary folder, starts the Engine in a
network namespace of its own with the images of scripts/setup.sh and of the sample stack, runs COMMAND there, and takes all
of it away. Exits with the code of COMMAND. As root; runc is this machine's.

  --store   where the Engine keeps images: `containerd` is the default of new installations since Engine 29 [default: classic]

  scripts/try-engine.sh scripts/wild.sh
  scripts/try-engine.sh --store containerd cargo proof --locked -- registries
TEXT
}

store=false suite=forky
while [ $# -gt 0 ]; do
  case $1 in
    --store)
      case ${2:-} in classic) store=false ;; containerd) store=true ;; *) usage >&2; die "no image store \`${2:-}\`" ;; esac
      shift ;;
    --suite) suite=${2:?--suite needs a name}; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; die "unknown option \`$1\`" ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || { usage >&2; exit 2; }
[ "$(id -u)" = 0 ] || die "a network namespace and an Engine need root" "sudo scripts/try-engine.sh $*"
docker image inspect "stagegate/debian:$suite" >/dev/null 2>&1 || die "the image stagegate/debian:$suite is missing" "scripts/setup.sh --postgres 15,17,18"

# Not below /tmp, which may be in memory; an Engine cannot keep layers in another one's.
folder=$(mktemp -d -p /var/tmp stagegate-engine.XXXXXX)
space=sg-$$ daemon='' number=$(($$ % 250))
# What this machine's own Engine is reached by, before the variables below name the other one.
own=$(command -v docker)

clean_up() {
  [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null; wait "$daemon" 2>/dev/null; } || true
  ip netns delete "$space" 2>/dev/null || true
  # Mounts of containers that were killed with the Engine.
  awk -v below="$folder/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r | xargs --no-run-if-empty umount --lazy || true
  rm -rf "$folder"
}
trap clean_up EXIT

note "Docker of Debian $suite"
mkdir -p "$folder/packages" "$folder/root" "$folder/config/cli-plugins"
docker run --rm --volume "$folder/packages:/packages" "stagegate/debian:$suite" sh -c \
  'apt-get update -qq && cd /packages && apt-get download -qq docker.io docker-cli docker-compose docker-buildx containerd tini 2>/dev/null'
for package in "$folder/packages"/*.deb; do dpkg -x "$package" "$folder/root"; done
rm -f "$folder/root/usr/bin/runc"
ln -s "$folder/root/usr/libexec/docker/cli-plugins"/* "$folder/config/cli-plugins/"

ip netns add "$space"
ip -netns "$space" link set lo up
printf '{"features": {"containerd-snapshotter": %s}}\n' "$store" >"$folder/daemon.json"
PATH=$folder/root/usr/sbin:$folder/root/usr/bin:$PATH nsenter --net="/run/netns/$space" dockerd --config-file "$folder/daemon.json" \
  --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" --host "unix://$folder/docker.sock" \
  --default-address-pool "base=10.$number.0.0/16,size=24" >"$folder/log" 2>&1 &
daemon=$!
for _ in $(seq 60); do
  DOCKER_HOST=unix://$folder/docker.sock docker version >/dev/null 2>&1 && break
  kill -0 "$daemon" 2>/dev/null || { tail -n 5 "$folder/log" >&2; die "the Engine ended"; }
  sleep 0.5
done
for image in $(docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -E '^stagegate(-shop)?/' | grep -v '^stagegate/rollback'); do
  "$own" save "$image" | DOCKER_HOST=unix://$folder/docker.sock "$own" load --quiet >/dev/null
done

export PATH=$folder/root/usr/sbin:$folder/root/usr/bin:$PATH DOCKER_HOST=unix://$folder/docker.sock DOCKER_CONFIG=$folder/config
docker version --format "    Engine {{.Server.Version}}, API {{.Server.APIVersion}}, $(docker compose version)" >&2
code=0
nsenter --net="/run/netns/$space" "$@" || code=$?
exit "$code"
