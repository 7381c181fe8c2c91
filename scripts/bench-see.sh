#!/usr/bin/env bash
# Measures the readings of many runs: gate history, gate history RUN, gate report, gate metrics, on generated journals.
# usage: scripts/bench-see.sh [--runs 10000] [--report 1000] [--gate PROGRAM]
# Prints one table in Markdown. Without --gate a release build is made.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

runs=10000 report=1000 gate=
while [ $# -gt 0 ]; do
  case $1 in
    --runs) runs=$2 ;;
    --report) report=$2 ;;
    --gate) gate=$(realpath "$2") ;;
    *) echo "usage: scripts/bench-see.sh [--runs N] [--report N] [--gate PROGRAM]" >&2; exit 2 ;;
  esac
  shift 2
done
if [ -z "$gate" ]; then
  cargo build --release --quiet --locked --bin gate
  gate=$PWD/target/release/gate
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

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
row "$dir/all" "$runs" "history" history
row "$dir/all" "$runs" "history --since 7d" history --since 7d
row "$dir/all" "$runs" "history RUN" history "$newest"
row "$dir/all" "$runs" "metrics" metrics
row "$dir/report" "$report" "report --out DIR" report --out "$dir/pages" 2>/dev/null
echo
echo "report of $report runs: $(du -sk --apparent-size "$dir/pages" | cut -f1) KiB in $(find "$dir/pages" -type f | wc -l) files"
