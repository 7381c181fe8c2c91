#!/usr/bin/env bash
# Kills `gate backup upload`, `gate backup import` and `gate backup prune` at random moments while they work on a bucket, and
# looks at what is left: nothing half listed here or there, every listed copy intact, the newest one never lost, and the same
# command run again completes. On two S3 servers, since each forgives what the other refuses: moto and s3s-fs. Brings a
# PostgreSQL of its own up for one backup and takes it away. Prints a table.
# usage: scripts/kill-offsite.sh [KILLS [SEED]]     (102 kills by default)
# needs moto_server (PyPI: moto[server]) and s3s-fs (cargo install s3s-fs --features binary)
set -euo pipefail

kills=${1:-102} RANDOM=${2:-14}
case $kills in -h | --help) sed -n '2,7s/^# //p' "$0" && exit 0 ;; esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
gate=${GATE:-$root/target/debug/gate}
image=${POSTGRES_IMAGE:-$(sed -n 's/^POSTGRES_IMAGE=//p' "$root/.stagegate/images.env")}
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
for program in moto_server s3s-fs curl; do
  has "$program" || { echo "kill-offsite.sh: $program is not installed" >&2; exit 2; }
done
work=$(mktemp -d)
project=kill-offsite-$$
servers=()
cd "$work"
end() {
  docker compose --project-name "$project-e" --env-file env down --volumes >"$work/down.log" 2>&1 || true
  for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap end EXIT

backup_product "$image"
# config ENDPOINT: the configuration with a bucket at ENDPOINT.
config() {
  backup_config "$project" <<END
keep_last = 2
hourly = 0
daily = 0
min_keep = 2
[backup.offsite]
url = "s3://backups/of/shop"
endpoint = "$1"
END
}

export AWS_ACCESS_KEY_ID=AKIAPROOF AWS_SECRET_ACCESS_KEY=proof-secret-$$-0123456789
free_port && moto=$port
free_port && strict=$port
mkdir -p s3/backups
moto_server -H 127.0.0.1 -p "$moto" >moto.log 2>&1 & servers+=($!)
s3s-fs --host 127.0.0.1 --port "$strict" --access-key "$AWS_ACCESS_KEY_ID" --secret-key "$AWS_SECRET_ACCESS_KEY" s3 >s3s.log 2>&1 & servers+=($!)
responds "http://127.0.0.1:$moto/"
responds "http://127.0.0.1:$strict/"
curl -s -X PUT "http://127.0.0.1:$moto/backups" >/dev/null

# One real backup, of which the others are copies under other ids: its dump takes several parts.
config "http://127.0.0.1:$moto"
docker compose --project-name "$project-e" --env-file env up --detach --wait >up.log 2>&1 || { cat up.log >&2; exit 1; }
docker compose --project-name "$project-e" --env-file env exec -T db psql -qU app shop \
  -c 'create table later as select generate_series(1, 300000) n, md5(random()::text) t' >sql.log 2>&1
"$gate" backup --env e >first.log 2>&1 || { cat first.log >&2; exit 1; }
docker compose --project-name "$project-e" --env-file env down --volumes >down.log 2>&1
store=state/$project-e/backups
first=$(find "$store" -mindepth 1 -maxdepth 1 -name '2*' -printf '%f\n' | sort | tail -n 1)
cp -r "$store/$first" first

made=0
# another: lists one more backup here, older than the real one; sets `id`.
another() {
  made=$((made + 1))
  id=20250101-000000-$(printf '%04x' "$made")
  cp -r first "$store/.draft-$id"
  (cd "$store/.draft-$id" && sed -i "s/$first/$id/; s/\"taken_unix\": [0-9]*/\"taken_unix\": $((1735689600 + made))/" manifest.json \
    && sha256sum -- $(ls | grep -v SHA256SUMS) >SHA256SUMS)
  mv "$store/.draft-$id" "$store/$id"
}

# objects: the names of all objects of the place, as the server itself has them.
objects() {
  case $server in
    moto) curl -s "http://127.0.0.1:$moto/backups?list-type=2&prefix=of/shop/" | grep -o '<Key>[^<]*' | sed 's/<Key>//' ;;
    *) (cd s3/backups && find of/shop -type f -not -name '.*' | sort) ;;
  esac
}

declare -A tried killed wrong longest
fail() {
  wrong[$key]=$((wrong[$key] + 1))
  printf 'kill %d (%s after %d ms): %s\n' "$number" "$key" "$wait" "$1" >&2
}
# ids FILE: the ids of a list.
ids() { sed -n 's/^ *"id": "\(.*\)",$/\1/p' "$1"; }

# run COMMAND..: runs a command and kills it at a random moment of the longest time that one took so far.
run() {
  local begun code=0
  tried[$key]=$((tried[$key] + 1))
  wait=$((RANDOM % ${longest[$key]}))
  begun=$(date +%s%3N)
  "$@" >run.log 2>&1 &
  local pid=$!
  sleep "$(printf '%d.%03d' $((wait / 1000)) $((wait % 1000)))"
  kill -9 "$pid" 2>kill.log || true
  { wait "$pid" || code=$?; } 2>/dev/null
  # 137 is 128 and SIGKILL; the others had ended before.
  if [ "$code" = 137 ]; then
    killed[$key]=$((killed[$key] + 1))
  elif [ "$code" != 0 ]; then
    fail "$(tail -n 1 run.log)"
  else
    longest[$key]=$(($(date +%s%3N) - begun))
  fi
}

# again COMMAND..: the same command has to complete now.
again() {
  local begun
  begun=$(date +%s%3N)
  "$@" >again.log 2>&1 || fail "again: $(tail -n 1 again.log)"
  local took=$(($(date +%s%3N) - begun))
  [ "$took" -le "${longest[$key]}" ] || longest[$key]=$took
}

# look: what is listed there has to be whole, and the newest one has to be there; `there` has the ids.
look() {
  "$gate" backup list --env e --offsite --json >there.json 2>there.log || fail "list: $(cat there.log)"
  [ ! -s there.log ] || fail "list: $(cat there.log)"
  ! grep -q '"problems": [^n]' there.json || fail "a copy is not whole: $(grep '"problems": [^n]' there.json)"
  there=$(ids there.json)
  grep -q "^$first\$" <<<"$there" || fail "the newest one is lost"
  for one in $there; do
    [ "$1" = all ] || [ "$1" = "$one" ] || continue
    "$gate" backup verify --env e --offsite "$one" >verify.log 2>&1 || fail "$one: $(tail -n 1 verify.log)"
  done
}

step() {
  local id=''
  case $task in
    upload)
      another
      run "$gate" backup upload --env e "$id"
      look "$id"
      again "$gate" backup upload --env e "$id"
      look "$id"
      grep -q "^$id\$" <<<"$there" || fail "$id was not copied"
      ;;
    import)
      another
      "$gate" backup upload --env e "$id" >up.log 2>&1 || fail "upload: $(tail -n 1 up.log)"
      rm -rf "${store:?}/$id"
      run "$gate" backup import --env e "$id"
      "$gate" backup list --env e --json >here.json 2>here.log || fail "list: $(cat here.log)"
      for one in $(ids here.json); do
        (cd "$store/$one" && sha256sum --check --quiet SHA256SUMS) >sums.log 2>&1 || fail "$one is listed here and not whole"
      done
      again "$gate" backup import --env e "$id"
      (cd "$store/$id" && sha256sum --check --quiet SHA256SUMS) >sums.log 2>&1 || fail "$id was not brought here"
      ;;
    prune)
      another && another && another
      "$gate" backup upload --env e >up.log 2>&1 || fail "upload: $(tail -n 1 up.log)"
      run "$gate" backup prune --env e --yes
      look all
      again "$gate" backup prune --env e --yes
      look none
      [ "$(wc -w <<<"$there")" = 2 ] || fail "expected 2 copies, found $(echo $there)"
      objects | sed "s#^of/shop/$project-e/##; s#/.*##" | sort -u >left
      [ "$(sort <<<"$there")" = "$(cat left)" ] || fail "objects of removed copies are left: $(tr '\n' ' ' <left)"
      ;;
  esac
}

number=0 wait=0
for server in moto s3s-fs; do
  [ "$server" = moto ] || { config "http://127.0.0.1:$strict" && sed -i 's/"offsite": "[^"]*"/"offsite": null/' "$store/notes.json"; }
  for task in upload import prune; do key="$server $task" tried[$key]=0 killed[$key]=0 wrong[$key]=0 longest[$key]=1500; done
  key="$server upload"
  "$gate" backup upload --env e >up.log 2>&1 || fail "upload: $(tail -n 1 up.log)"
  for _ in $(seq $((kills / 6))); do
    for task in upload import prune; do
      key="$server $task" number=$((number + 1))
      step
    done
  done
done
[ -z "$(find "$store" -maxdepth 1 -name '.draft-*' -o -name '.removed-*')" ] || { key='moto import' && fail "a draft is left"; }
bad=0
printf '| server | command | tried | killed | wrong |\n|---|---|---|---|---|\n'
for server in moto s3s-fs; do
  for task in upload import prune; do
    key="$server $task"
    printf '| %s | gate backup %s | %d | %d | %d |\n' "$server" "$task" "${tried[$key]}" "${killed[$key]}" "${wrong[$key]}"
    bad=$((bad + wrong[$key]))
  done
done
[ "$bad" = 0 ]
