#!/usr/bin/env bash
# Kills (SIGKILL) the sender of messages, `gate watch` and `gate dashboard` at random moments, each many times, and prints a table:
# no message may be lost, each kill may repeat one message with the same id and no more, and no file may be torn.
# usage: scripts/kill-see.sh [--points 50] [--only outbox|watch|dashboard] [--seed N]
# needs Docker with the image stagegate/debian:bookworm (scripts/setup.sh); builds gate if it is not there
set -euo pipefail

points=50 only='' seed=$RANDOM
while [ $# -gt 0 ]; do
  case $1 in
    --points) points=$2 ;;
    --only) only=$2 ;;
    --seed) seed=$2 ;;
    *) sed -n '2,5s/^# //p' "$0"; [ "$1" = --help ] && exit 0 || exit 2 ;;
  esac
  shift 2
done
# shellcheck source=scripts/prove-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/prove-lib.sh"
project=kill-see-$$
clean_up() { docker compose --project-name "$project" down --timeout 0 >/dev/null 2>&1 || true; }

# A receiver that notes the id of each message once it has all of it; it takes some time, and dies at some (closes without a response).
cat >receiver.py <<'PYTHON'
import http.server, json, random, sys, time
random.seed(int(sys.argv[1]))
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with open("messages", "a") as file:
            file.write(f"{body['id']}\n")
        time.sleep(random.random() * 0.05)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
open("port.new", "w").write(str(server.server_port))
__import__("os").rename("port.new", "port")
server.serve_forever()
PYTHON
python3 receiver.py "$seed" 2>receiver.log &
processes+=($!)
for _ in $(seq 50); do [ -e port ] && break || sleep 0.1; done
{
  printf '[project]\nname = "shop"\n[environments.production]\nproject = "%s"\n' "$project"
  printf '[[notify]]\nkind = "webhook"\nurl = "http://127.0.0.1:%s/"\n' "$(cat port)"
} >stagegate.toml
{
  printf 'services:\n'
  for nth in $(seq "$points"); do
    printf '  s%s: { image: "stagegate/debian:bookworm", command: ["sleep", "infinity"], init: true, network_mode: none, restart: "no" }\n' "$nth"
  done
} >compose.yml

RANDOM=$seed
# moment MILLISECONDS: waits for a random part of them.
moment() { sleep "$(printf '%d.%03d' $((RANDOM % $1 / 1000)) $((RANDOM % $1 % 1000)))"; }
# killed COMMAND..: begins a command, and kills it at a random moment within so many milliseconds.
killed() { # MILLISECONDS COMMAND..
  local within=$1
  shift
  "$@" >>killed.log 2>&1 &
  local process=$!
  moment "$within"
  if kill -9 "$process" 2>/dev/null; then kills=$((kills + 1)); fi
  wait "$process" 2>/dev/null || true
}
# counted PATTERN: how many ids came, how many of them twice, how many more often, and how many messages in all.
counted() {
  { grep -E -e "$1" messages || true; } | sort | uniq -c |
    awk '{ n++; all += $1; if ($1 == 2) twice++; if ($1 > 2) more++ } END { print n + 0, twice + 0, more + 0, all + 0 }'
}
row() { # NAME KILLS EXPECTED CAME TWICE MORE OTHER ALL
  local lost=$(($3 - $4)) verdict=ok
  # A message that comes three times was met by two kills.
  if [ "$lost" -ne 0 ] || [ "$8" -gt $(($4 + $2)) ] || [ "$7" != 0 ]; then verdict=FAILED failed=1; fi
  printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "$3" "$lost" "$5" "$6" "$7" "$verdict"
}
# ended NTH: a run that ends now.
ended() { write_run promoted "{}-$(printf %04x "$1")" --now; }
# torn: files of the state folder that are no whole JSON.
torn() { find state -name '*.json' ! -name '.*' -exec sh -c 'for f; do python3 -m json.tool "$f" >/dev/null 2>&1 || echo "$f"; done' _ {} + | wc -l; }

echo "$(date -u +%F), $(nproc) cores, load average $(cut -d' ' -f1-3 /proc/loadavg), $("$gate" --version), seed $seed"
echo
echo '| killed | kills | messages | lost | twice, same id | more often | torn files | |'
echo '|---|---|---|---|---|---|---|---|'
touch messages
if [ -z "$only" ] || [ "$only" = outbox ]; then
  kills=0
  ended 0
  "$gate" notify send >>killed.log 2>&1
  # A sender that ended before its moment was not killed.
  runs=0
  while [ "$kills" -lt "$points" ] && [ "$runs" -lt $((points * 20)) ]; do
    runs=$((runs + 1))
    ended "$runs"
    killed 150 "$gate" notify send
  done
  for _ in 1 2 3; do "$gate" notify send >>killed.log 2>&1 || true; done
  read -r came twice more all < <(counted '-end-[0-9]+$')
  row 'sender of messages' "$kills" $((runs + 1)) "$came" "$twice" "$more" "$(torn)" "$all"
fi
if [ -z "$only" ] || [ "$only" = watch ]; then
  kills=0
  docker compose --project-name "$project" up --detach --quiet-pull >up.log 2>&1
  "$gate" watch --env production --once >>killed.log 2>&1 || true
  for nth in $(seq "$points"); do
    "$gate" watch --env production >>killed.log 2>&1 &
    process=$!
    moment 1200
    docker kill "$project-s$nth-1" >/dev/null
    moment 600
    if kill -9 "$process" 2>/dev/null; then kills=$((kills + 1)); fi
    wait "$process" 2>/dev/null || true
  done
  # What no killed watch has seen is seen in rounds.
  for _ in 1 2 3; do "$gate" watch --env production --once >>killed.log 2>&1 || true; done
  "$gate" notify send >>killed.log 2>&1 || true
  read -r came twice more all < <(counted '^watch-production-service_s[0-9]+-[0-9]+-down$')
  row '`gate watch`' "$kills" "$points" "$came" "$twice" "$more" "$(torn)" "$all"
fi
if [ -z "$only" ] || [ "$only" = dashboard ]; then
  kills=0
  [ -d state/"$project"/runs ] || ended 0
  hash_of() { find state -type f ! -name '*.index' ! -name '*.lock' -exec sha256sum {} + | sort | sha256sum; }
  before=$(hash_of) torn_pages=0
  for nth in $(seq "$points"); do
    port=$((20000 + RANDOM % 20000))
    "$gate" dashboard --listen "127.0.0.1:$port" >>killed.log 2>&1 &
    process=$!
    for _ in $(seq 50); do curl --silent --fail --output page "http://127.0.0.1:$port/" && break || sleep 0.1; done
    grep -q '</html>' page || torn_pages=$((torn_pages + 1))
    (curl --silent --no-buffer --max-time 2 "http://127.0.0.1:$port/events" >/dev/null 2>&1 || true) &
    moment 200
    if kill -9 "$process" 2>/dev/null; then kills=$((kills + 1)); fi
    wait "$process" 2>/dev/null || true
  done
  [ "$(hash_of)" = "$before" ] || torn_pages=$((torn_pages + 1))
  row '`gate dashboard`' "$kills" 0 0 0 0 "$torn_pages" 0
fi
exit "$failed"
