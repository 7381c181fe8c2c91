#!/usr/bin/env bash
# Proves copies of backups off this host: against two S3 servers, since each forgives what the other refuses, moto (accepts any
# key) and s3s-fs (verifies signatures); a remote of rclone; programs. And volumes in a repository of restic: a folder, moto, the
# REST server of rclone. Brings a PostgreSQL of its own up and takes it away.
# Prints a table. usage: scripts/prove-offsite.sh [s3|programs|restic]     (all by default)
# needs for s3 moto_server (PyPI: moto[server]) and s3s-fs (cargo install s3s-fs --features binary), for programs rclone (Debian),
# for restic moto_server, rclone and restic (Debian)
set -euo pipefail

case ${1:-all} in
  -h | --help) sed -n '2,7s/^# //p' "$0" && exit 0 ;;
  s3) needed=(moto_server s3s-fs) ;;
  programs) needed=(rclone) ;;
  restic) needed=(moto_server rclone restic) ;;
  *) needed=(moto_server s3s-fs rclone restic) ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
gate=${GATE:-$root/target/debug/gate}
image=${POSTGRES_IMAGE:-$(sed -n 's/^POSTGRES_IMAGE=//p' "$root/.stagegate/images.env")}
for program in "${needed[@]}" curl age-keygen; do
  command -v "$program" >/dev/null || { echo "prove-offsite.sh: $program is not installed" >&2; exit 2; }
done
work=$(mktemp -d)
project=prove-offsite-$$
servers=()
cd "$work"
end() {
  docker compose --project-name "$project-e" --env-file env down --volumes >"$work/down.log" 2>&1 || true
  for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap end EXIT

backup_product "$image"
age-keygen -o identity 2>/dev/null

# config PLACE EXTRA: the configuration with the lines PLACE in [backup.offsite].
config() {
  backup_config "$project" <<END
min_keep = 1
keep_last = 1
hourly = 0
daily = 0
$2
[backup.offsite]
$1
END
}

failed=0
# check NAME EXPECTED-CODE PATTERN COMMAND..: runs a command, compares its exit code and searches its output.
check() {
  local name=$1 want=$2 pattern=$3 code=0 result=ok
  shift 3
  "$@" >out 2>&1 || code=$?
  [ "$code" = "$want" ] && grep -q -- "$pattern" out || { result=FAILED failed=1; }
  ! grep -q -F -e "$AWS_SECRET_ACCESS_KEY" out || { result='FAILED (secret shown)' failed=1; }
  printf '  %-58s %s\n' "$name" "$result"
  [ "$result" = ok ] || sed 's/^/      /' out
}

# scenario NAME PLACE EXTRA [CODE-OF-WRONG-KEY]
scenario() {
  echo "$1"
  rm -rf state
  config "$2" "$3"
  check 'a backup is written there and read back' 0 'read back in' "$gate" backup --env e
  check 'a second upload changes nothing' 0 'read back in' "$gate" backup upload --env e latest
  docker compose --project-name "$project-e" --env-file env exec -T db psql -qU app shop -c 'drop table if exists later' -c 'create table later as select generate_series(1, 300000) n, md5(random()::text) t' >out 2>&1
  check 'one of several parts' 0 'read back in' "$gate" backup --env e
  check 'the bucket is listed' 0 'database main' "$gate" backup list --env e --offsite
  check 'the newest copy is restored as a drill' 0 'restored and compared' "$gate" backup verify --env e --offsite --restore --identity identity
  check 'status shows RPO and RTO' 0 'RTO if this host is lost' "$gate" backup status --env e
  rm -rf state
  check 'without the state folder the bucket says what there is' 0 'database main' "$gate" backup list --env e --offsite
  check 'a backup comes back' 0 'checksums match' "$gate" backup import --env e
  check 'and is restored' 0 'compared' "$gate" restore --env e latest --yes --identity identity
  check 'the older one is removed, the newest is not' 0 'removed 1 backup from' "$gate" backup prune --env e --yes
  check 'one is left' 0 'off-site' "$gate" backup prune --env e --dry-run
  [ -n "${4:-}" ] || return 0
  AWS_SECRET_ACCESS_KEY=another-secret-key check "a wrong key (expected exit code $4)" "$4" '' "$gate" backup list --env e --offsite
  AWS_ACCESS_KEY_ID='' check 'no key' 2 'no access key' "$gate" backup list --env e --offsite
}

export AWS_ACCESS_KEY_ID=AKIAPROOF AWS_SECRET_ACCESS_KEY=proof-secret-$$-0123456789
docker compose --project-name "$project-e" --env-file env up --detach --wait >up.log 2>&1 || { cat up.log >&2; exit 1; }
# bucket PORT: the lines of a bucket of a server here.
bucket() { printf 'url = "s3://backups/of/shop"\nendpoint = "http://127.0.0.1:%s"' "$1"; }

s3() {
  free_port && moto=$port
  free_port && strict=$port
  moto_server -H 127.0.0.1 -p "$moto" >moto.log 2>&1 & servers+=($!)
  mkdir -p s3/backups
  s3s-fs --host 127.0.0.1 --port "$strict" --access-key "$AWS_ACCESS_KEY_ID" --secret-key "$AWS_SECRET_ACCESS_KEY" s3 >s3s.log 2>&1 & servers+=($!)
  responds "http://127.0.0.1:$moto/" && responds "http://127.0.0.1:$strict/"
  curl -s -X PUT "http://127.0.0.1:$moto/backups" >/dev/null
  scenario 'moto, plain' "$(bucket "$moto")" '' 0
  curl -s -X POST "http://127.0.0.1:$moto/moto-api/reset" >/dev/null && curl -s -X PUT "http://127.0.0.1:$moto/backups" >/dev/null
  scenario 'moto, encrypted' "$(bucket "$moto")" "encrypt_to = [\"$(age-keygen -y identity)\"]" 0
  scenario 's3s-fs, plain' "$(bucket "$strict")" '' 4
}

programs() {
  printf '[nas]\ntype = local\n' >rclone.conf
  scenario 'rclone' "url = \"rclone:nas:$work/by-rclone\"
credentials = \"rclone.conf\"" ''
  mkdir -p "by-programs/$project-e"
  scenario 'programs' "[backup.offsite.command]
put = ['sh', '-c', 'mkdir -p \"\$(dirname \"\$1\")\" && cat >\"\$1\"', 'sh', 'by-programs/{name}']
get = ['cat', 'by-programs/{name}']
list = ['sh', '-c', 'cd by-programs && find {prefix} -type f -printf \"%s %T@ %p\\n\"']
delete = ['rm', 'by-programs/{name}']" ''
}

# in_repository NAME REPOSITORY: volumes in a repository of restic.
in_repository() {
  local volume="$project-restored" by_hand=(restic --quiet --repo "$2" --password-file password)
  echo "restic, $1"
  rm -rf state uploads && mkdir uploads
  head -c 3000000 /dev/urandom >uploads/first
  echo "password-of-$project" >password
  printf 'AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >restic.env
  backup_config "$project" <<END
min_keep = 1
keep_last = 1
hourly = 0
daily = 0
[backup.restic]
repository = "$2"
password_file = "password"
credentials = "restic.env"
[volumes.uploads]
path = "uploads"
END
  check 'without a repository nothing is listed' 2 'there is no restic repository at' "$gate" backup --env e
  check 'and gate doctor names it' 3 'there is no restic repository at' "$gate" doctor
  "${by_hand[@]}" init
  check 'a backup is written there, read back and compared' 0 'in snapshot' "$gate" backup --env e
  echo second >uploads/second
  check 'a second one' 0 'in snapshot' "$gate" backup --env e
  check 'its checksum is compared' 0 'uploads matches its checksum' "$gate" backup verify --env e
  check 'a drill unpacks it' 0 'uploads unpacked and compared' "$gate" backup verify --env e --restore
  check 'it is restored into a new volume' 0 'compared' "$gate" restore --env e latest --volume uploads --into "$volume"
  docker volume rm "$volume" >/dev/null
  check 'the snapshot of an older one goes with it' 0 'removed 1 snapshot from' "$gate" backup prune --env e --yes
  check 'the other one is whole' 0 'no errors were found' restic --repo "$2" --password-file password check --read-data
  echo another >password
  check 'another password' 2 'does not open repository' "$gate" backup verify --env e
  echo "password-of-$project" >password
  local at_work open
  rm -f pipe && mkfifo pipe
  sleep 600 >pipe & open=$!
  "${by_hand[@]}" backup --stdin <pipe >at-work.log 2>&1 & at_work=$!
  until [ -n "$("${by_hand[@]}" list --no-lock locks 2>/dev/null)" ]; do sleep 0.1; done
  check 'another program at work is no obstacle to a backup' 0 'in snapshot' "$gate" backup --env e
  check 'but one to a removal, which says whose lock it is' 4 'is locked' "$gate" backup prune --env e --yes
  kill -9 "$at_work" && kill "$open"
  wait "$at_work" "$open" 2>/dev/null || true
  check 'once it is gone the removal goes on' 0 'removed 1 snapshot from' "$gate" backup prune --env e --yes
}

repositories() {
  free_port && local moto=$port
  free_port && local rest=$port
  moto_server -H 127.0.0.1 -p "$moto" >moto-restic.log 2>&1 & servers+=($!)
  rclone serve restic --addr "127.0.0.1:$rest" "$work/by-rest" >rest.log 2>&1 & servers+=($!)
  responds "http://127.0.0.1:$moto/" && responds "http://127.0.0.1:$rest/"
  in_repository 'a folder' "$work/repository"
  in_repository 'moto' "s3:http://127.0.0.1:$moto/volumes"
  in_repository 'REST server of rclone' "rest:http://127.0.0.1:$rest/"
}

case ${1:-all} in s3 | all) s3 ;; esac
case ${1:-all} in programs | all) programs ;; esac
case ${1:-all} in restic | all) repositories ;; esac
exit "$failed"
