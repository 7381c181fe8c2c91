#!/usr/bin/env bash
# Runs the static program of dist/ in a container that holds nothing but it: no library, no shell, no files of the system.
#
# usage: scripts/try-static.sh [--gate FILE]
#   --gate FILE  the program [default: the newest archive -static or -musl of dist/]
#
# `gate version` and `gate config` run there alone; a name is resolved by Docker's server; `gate test` against the mounted socket gets
# the two programs that it calls, `docker` and its plugin `docker compose`, with the libraries that those need, from this machine.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

gate=''
while [ $# -gt 0 ]; do
  case $1 in
    --gate) gate=${2:?--gate needs a file}; shift ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) die "unknown option \`$1\`" "scripts/try-static.sh --help" ;;
  esac
  shift
done

work=$(mktemp -d)
name=stagegate-static-$$
clean() {
  docker rm --force "$name-web" >/dev/null 2>&1 || true
  docker network rm "$name" >/dev/null 2>&1 || true
  docker image rm "$name" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap clean EXIT

if [ -z "$gate" ]; then
  archive=$(find "$root/dist" -name 'stagegate-*-static.tar.gz' -o -name 'stagegate-*-musl.tar.gz' 2>/dev/null | sort -V | tail -n 1)
  [ -n "$archive" ] || die "there is no static program in dist" "scripts/dist.sh --static"
  tar -xzf "$archive" -C "$work" --strip-components 1
  gate=$work/gate
fi
# shellcheck source=/dev/null
. "$root/.stagegate/images.env"

mkdir -p "$work/image/tmp" "$work/product"
cp "$gate" "$work/image/gate"
tar -C "$work/image" -cf - . | docker import - "$name" >/dev/null

cd "$work/product"
printf 'services:\n  web:\n    image: %s\n    container_name: %s\n' "${NGINX_IMAGE:?}" "$name-web" >compose.yaml
cat >stagegate.toml <<END
[project]
name = "static"
state_dir = "/tmp/state"
[environments.local]
project = "$name"
[services.web]
port = 80
health = "/"
[[notify]]
name = "hook"
kind = "webhook"
url = "http://$name-web/there-is-no-such-page"
END

# Runs the program; further options of `docker run` come before `--`.
inside() {
  local options=()
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  docker run --rm --volume "$work/product:$work/product" --workdir "$work/product" "${options[@]}" "$name" /gate "$@"
}

say "$(inside -- version | head -n 1), $(stat -c %s "$gate") bytes, in a container that holds nothing else"
inside -- config >"$work/config"
grep -q '"static"' "$work/config" || die "gate config printed something else" "$(head -n 5 "$work/config")"

docker network create "$name" >/dev/null
docker run --detach --name "$name-web" --network "$name" "$NGINX_IMAGE" >/dev/null
# The response shows that the name was resolved: nobody else knows it.
inside --network "$name" -- notify test hook >"$work/hook" 2>&1 || true
grep -q 'status 404' "$work/hook" || die "the name of a container was not resolved" "$(cat "$work/hook")"
docker rm --force "$name-web" >/dev/null

docker compose --project-name "$name" up --detach --quiet-pull >/dev/null 2>&1
lent=(--network host --env PATH=/usr/local/bin:/usr/bin --volume /var/run/docker.sock:/var/run/docker.sock)
for path in "$(command -v docker)" /usr/local/lib/docker /usr/libexec/docker /usr/lib/docker /lib64 "/lib/$(uname -m)-linux-gnu"; do
  [ ! -e "$path" ] || lent+=(--volume "$path:$path:ro")
done
code=0
inside "${lent[@]}" -- test --env local >"$work/test" 2>&1 || code=$?
docker compose --project-name "$name" down --timeout 1 >/dev/null 2>&1
cat "$work/test" >&2
[ "$code" = 0 ] || die "gate test ended with $code, expected 0"
