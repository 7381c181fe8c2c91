#!/usr/bin/env bash
# Measures the readings of many runs (gate history, gate history RUN, gate report, gate metrics, gate dashboard) on generated journals,
# and gate watch over real containers.
# usage: scripts/bench-see.sh [--runs 10000] [--report 1000] [--services 50] [--seconds 180] [--gate PROGRAM]
# Prints tables in Markdown. Without --gate a release build is made. With --services 0 no container is started; else it needs Docker
# and the image stagegate/nginx:1 (scripts/setup.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

runs=10000 report=1000 services=50 seconds=180 gate=
while [ $# -gt 0 ]; do
  case $1 in
    --runs) runs=$2 ;;
    --report) report=$2 ;;
    --services) services=$2 ;;
    --seconds) seconds=$2 ;;
    --gate) gate=$(realpath "$2") ;;
    *) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
if [ -z "$gate" ]; then
  cargo build --release --quiet --locked --bin gate
  gate=$PWD/target/release/gate
fi
dir=$(mktemp -d)
project=bench-see-$$
processes=()
end() {
  for process in ${processes[@]+"${processes[@]}"}; do kill "$process" 2>/dev/null || true; done
  [ ! -e "$dir/watch/compose.yml" ] || docker compose --project-name "$project" down --timeout 0 >/dev/null 2>&1 || true
  rm -rf "$dir"
}
trap end EXIT

# Writes N runs: journals of fixtures with ids and days of their own, each chained like one that the gate wrote.
generate() { # FOLDER RUNS
  mkdir -p "$1"
  printf 'services:\n  web:\n    image: scratch\n' >"$1/compose.yml"
  printf '[project]\nname = "shop"\n[environments.production]\nproject = "shop-production"\n' >"$1/stagegate.toml"
  python3 - "$1/state/shop-production/runs" "$2" <<'PYTHON'
import datetime, hashlib, json, os, sys
folder, count = sys.argv[1], int(sys.argv[2])
texts = [open(f"fixtures/journals/format-1/{name}.jsonl").read() for name in ("promoted", "promoted", "promoted", "rolled-back")]
end = datetime.datetime(2026, 11, 28)
for nth in range(count):
    day = end - datetime.timedelta(hours=count - nth)
    run, text = day.strftime("%Y%m%d-%H%M%S-") + f"{nth % 65536:04x}", texts[nth % len(texts)]
    was = json.loads(text.split("\n", 1)[0])
    text = text.replace(was["run"], run).replace(was["wall"][:13], day.strftime("%Y-%m-%dT%H"))
    prev, lines = "", []
    for line in text.splitlines():
        value = json.loads(line)
        value["prev"] = prev
        line = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        prev = hashlib.sha256(line.encode()).hexdigest()
        lines.append(line)
    os.makedirs(f"{folder}/{run}")
    with open(f"{folder}/{run}/journal.jsonl", "w") as file:
        file.write("\n".join(lines) + "\n")
    with open(f"{folder}/{run}/journal.head", "w") as file:
        file.write(f"{len(lines)} {prev}\n")
PYTHON
}

# Prints the shortest of three times in seconds, and the peak memory of that run in MiB.
timed() { # FOLDER ARGS..
  local folder=$1
  shift
  STAGEGATE_STATE_DIR=$folder/state python3 - "$folder" "$gate" "$@" <<'PYTHON'
import os, subprocess, sys, time
folder, *command = sys.argv[1:]
found = []
for _ in range(3):
    began = time.monotonic()
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with {status}")
    found.append((time.monotonic() - began, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime))
seconds, memory, cpu = min(found)
print(f"{seconds:.2f} s | {cpu:.2f} s | {memory:.0f} MiB")
PYTHON
}

generate "$dir/all" "$runs"
generate "$dir/report" "$report"
count=$(cd "$dir/all" && STAGEGATE_STATE_DIR=$dir/all/state "$gate" history --env production --json | wc -l)
[ "$count" -eq "$runs" ] || { echo "error: $count of $runs runs were listed" >&2; exit 1; }
folders=("$dir"/all/state/shop-production/runs/*)
newest=$(basename "${folders[-1]}")

echo "$(date -u +%F), $(nproc) cores, load average $(cut -d' ' -f1-3 /proc/loadavg), $("$gate" --version)"
echo
echo "| reading | runs | shortest of 3 | CPU | memory |"
echo "|---|---|---|---|---|"
row() { # FOLDER RUNS TITLE ARGS..
  printf '| `gate %s` | %s | %s |\n' "$3" "$2" "$(timed "$1" "${@:4}")"
}
index=$dir/all/state/shop-production/runs.index
rm -f "$index"
first() { # without the index
  rm -f "$index"
  STAGEGATE_STATE_DIR=$dir/all/state "$gate" history >/dev/null
}
began=$(date +%s%N)
(cd "$dir/all" && first)
printf '| `gate history`, without its index | %s | %s.%02d s (once) | | |\n' "$runs" $((($(date +%s%N) - began) / 1000000000)) $((($(date +%s%N) - began) / 10000000 % 100))
row "$dir/all" "$runs" "history" history
row "$dir/all" "$runs" "history --since 7d" history --since 7d
row "$dir/all" "$runs" "history RUN" history "$newest"
row "$dir/all" "$runs" "metrics" metrics
row "$dir/report" "$report" "report --out DIR" report --out "$dir/pages" 2>/dev/null
echo
echo "report of $report runs: $(du -sk --apparent-size "$dir/pages" | cut -f1) KiB in $(find "$dir/pages" -type f | wc -l) files"

# The dashboard: from a new journal to the event, and a page next to ten open streams.
(cd "$dir/report" && exec env STAGEGATE_STATE_DIR="$dir/report/state" "$gate" dashboard --listen 127.0.0.1:0) 2>"$dir/dashboard.log" &
processes+=($!)
for _ in $(seq 100); do grep -q 'http://' "$dir/dashboard.log" && break || sleep 0.1; done
python3 - "$dir/report/state/shop-production/runs" "$(sed -n 's|.*http://\([0-9.:]*\)/.*|\1|p' "$dir/dashboard.log")" <<'PYTHON'
import os, shutil, socket, sys, time, urllib.request
runs, address = sys.argv[1:]
host, port = address.split(":")
def page():
    began = time.monotonic()
    urllib.request.urlopen(f"http://{address}/", timeout=60).read()
    return time.monotonic() - began
page()
streams = []
for _ in range(10):
    one = socket.create_connection((host, int(port)))
    one.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    one.recv(4096)
    streams.append(one)
streams[0].settimeout(10)
newest, times = sorted(os.listdir(runs))[-1], []
for nth in range(5):
    time.sleep(0.5)
    journal = f"{runs}/{newest}/journal.jsonl"
    began = time.monotonic()
    os.utime(journal)
    while b"changed" not in streams[0].recv(4096):
        pass
    times.append(time.monotonic() - began)
print(f"dashboard: a journal that changed is reported after {max(times):.2f} s at most (5 times); the first page of {len(os.listdir(runs))} "
      f"runs next to 10 streams: {min(page() for _ in range(3)) * 1000:.0f} ms")
PYTHON

if [ "$services" -eq 0 ]; then exit 0; fi
mkdir "$dir/watch"
cd "$dir/watch"
export STAGEGATE_STATE_DIR="$dir/watch/state"
cat >receiver.py <<'PYTHON'
import http.server, json, time
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with open("messages", "a") as file:
            file.write(f"{time.time():.3f} {body['title']}\n")
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
open("port", "w").write(str(server.server_port))
server.serve_forever()
PYTHON
python3 receiver.py &
processes+=($!)
for _ in $(seq 50); do [ -s port ] && break || sleep 0.1; done
{
  printf '[project]\nname = "bench"\n[environments.production]\nproject = "%s"\n' "$project"
  printf '[[notify]]\nkind = "webhook"\nurl = "http://127.0.0.1:%s/"\n' "$(cat port)"
  for nth in $(seq "$services"); do printf '[services.s%s]\nport = 80\nhealth = "/"\n' "$nth"; done
} >stagegate.toml
{
  printf 'services:\n'
  for nth in $(seq "$services"); do printf '  s%s: { image: "stagegate/nginx:1", restart: "no" }\n' "$nth"; done
} >compose.yml
docker compose --project-name "$project" up --detach >up.log 2>&1
touch messages
"$gate" watch --env production >watch.log 2>&1 &
watch=$!
processes+=("$watch")
# used: seconds of processor time, and the peak of its memory in KiB.
used() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hz }' "/proc/$watch/stat"; awk '/VmHWM/ { print $2 }' "/proc/$watch/status"; }
sleep 5
before=$(used | sed -n 1p)
sleep "$seconds"
mapfile -t after < <(used)
silent=$(wc -l <messages)
# reported NAME COMMAND..: seconds from the end of a command to the message about a service.
reported() {
  local name=$1 began
  shift
  began=$(date +%s.%N)
  "$@" >/dev/null
  for _ in $(seq 900); do grep -q "service $name is DOWN" messages && break || sleep 0.1; done
  awk -v began="$began" -v name="service $name is DOWN" 'index($0, name) { printf "%.1f s\n", $1 - began; found = 1; exit } END { if (!found) print "not reported" }' messages
}
echo
echo "watch of $services services for $seconds s, load average $(cut -d' ' -f1-3 /proc/loadavg):"
echo
echo '| figure | value |'
echo '|---|---|'
awk -v a="$before" -v b="${after[0]}" -v s="$seconds" 'BEGIN { printf "| processor time | %.2f %% of a core |\n", (b - a) / s * 100 }'
printf '| peak of its memory | %s MiB |\n' $((after[1] / 1024))
printf '| a round | %s ms |\n' "$("$gate" watch status --env production | sed -n 's/.*ago, \([0-9]*\) ms/\1/p')"
printf '| messages while nothing fails | %s |\n' "$silent"
printf '| a container that is killed is reported after | %s |\n' "$(reported s1 docker kill "$project-s1-1")"
printf '| a health path that fails is reported after | %s |\n' "$(reported s2 docker exec "$project-s2-1" sh -c 'rm -rf /usr/share/nginx/html/* /var/www/html/*')"
# What needs no machine: a day of rounds, and each kind of receiver at the limit of its service and one byte above.
simulated() { # TEST
  local out
  out=$(cd "$root" && cargo test --quiet --locked -p stagegate-watch-decide --lib -- --exact "$1" 2>&1) && grep -q '1 passed' <<<"$out"
}
echo
simulated watch::tests::a_day_without_a_fault_is_silent && echo '24 simulated hours without a fault: 0 alerts'
simulated notify::tests::at_its_limit_and_one_above_each_kind_gets_a_message_with_the_result_and_the_next_command &&
  echo 'each kind of receiver at its limit and one character above: 0 messages lost'
