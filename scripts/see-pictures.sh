#!/usr/bin/env bash
# Takes the pictures of docs/see.md and of the README: each page of `gate report` with a history that is made up, in a headless Chromium.
# usage: scripts/see-pictures.sh [--out DIR]     (default: docs/pictures; with another folder all sizes and colours are kept)
# needs chromium (scripts/setup.sh --browser), python3 with venv and PyPI (websocket-client); builds gate if it is not there
set -euo pipefail

out=
while [ $# -gt 0 ]; do
  case $1 in
    --out) mkdir -p "$2" && out=$(realpath "$2") ;;
    *) sed -n '2,4s/^# //p' "$0"; [ "$1" = --help ] && exit 0 || exit 2 ;;
  esac
  shift 2
done
# shellcheck source=scripts/prove-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/prove-lib.sh"
venv=${BROWSER_VENV:-$root/target/browser-venv}
[ -e "$venv/bin/python" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet websocket-client==1.9.2; }

printf 'services:\n  web:\n    image: scratch\n' >compose.yml
printf '[project]\nname = "shop"\n[environments.production]\nproject = "shop-production"\n' >stagegate.toml
# run NTH JOURNAL RELEASE HOURS-AGO
live=2.0.0
run() {
  write_run "$2" "{}-$(printf %04x "$1")" --minutes-ago $(($4 * 60 + $1 * 7)) --release "$3" --previous "$live"
  [ "$2" = rolled-back ] || live=$3
}
for nth in $(seq 14); do
  case $nth in
    4 | 9) run "$nth" rolled-back "2.$nth.0" $(((15 - nth) * 45)) ;;
    *) run "$nth" promoted "2.$nth.0" $(((15 - nth) * 45)) ;;
  esac
done
run 15 rolled-back 2.15.0 3
# What the last promotion that stayed left as deployed.
deployed=$(basename "state/$project"/runs/*-000e)
mkdir "state/$project/runs/$deployed/new"
printf '{"release":{"name":"%s","commit":"%s"},"env_files":[]}' "$live" "$(printf %s "$live" | sha1sum | cut -c1-40)" \
  >"state/$project/runs/$deployed/new/release.json"
printf '{"name":"shop-production","services":{"web":{"image":"shop/web"}}}' >"state/$project/runs/$deployed/new/model.json"
printf 'runs/%s/new' "$deployed" >"state/$project/deployed"
last=$(basename "state/$project"/runs/*-000f)
mkdir "state/$project/tests"
# Records of the suites, as `gate test` leaves them.
python3 - "state/$project/tests" <<'PYTHON'
import json, sys, time
def record(trial, status, message, severity="required", hint=None):
    return {"v": 1, "environment": "production", "trial": trial, "severity": severity, "status": status, "duration_ms": 41,
            "message": message, "findings": [], "evidence": [], "hint": hint}
records = [
    record("health::web::http", "pass", "200 in 3 ms"),
    record("health::db::postgres", "pass", "accepts sessions, PostgreSQL 17.2"),
    record("contracts::api::get_orders", "fail", "response 200 does not match contracts/api.yaml, line 88: $.items[0].total expected number, "
           "got string \"19.90\"", hint="if the change is meant, change the contract and run `gate test` again"),
    record("contracts::api::get_order_by_id", "pass", "200 in 5 ms, 14 fields as documented"),
    record("migrations::main::round_trip", "pass", "0001 to 0014 up, down and up again"),
    record("security::web::headers", "pass", "content-security-policy is set", "warning"),
    record("isolation::staging::identity", "skip", "the environment staging does not run", "warning"),
]
name = time.strftime("%Y%m%d-%H%M%S-1", time.gmtime(time.time() - 600))
with open(f"{sys.argv[1]}/{name}.jsonl", "w") as file:
    file.writelines(json.dumps(one) + "\n" for one in records)
PYTHON
# incident NUMBER MINUTES-AGO ENTRY TEXT: a line of an incident, as `gate incident` writes it.
incident() {
  printf '{"v":1,"incident":%s,"wall":"%s","entry":"%s","text":"%s"}\n' "$1" "$(date -u -d "$2 minutes ago" +%FT%TZ)" "$3" "$4" \
    >>"state/$project/incidents.jsonl"
}
incident 1 2600 opened 'Invoices are sent twice'
incident 1 2490 closed 'Duplicates were removed; 2.14.0 has the fix'
incident 2 25 opened 'Search is slow'
"$gate" report --out pages --env production
"$gate" report --out public --env production --public

shots=${out:-$work/shots}
mkdir -p "$shots"
"$venv/bin/python" "$root/scripts/see_browser.py" pictures "$shots" "see-environments=file://$work/pages/index.html" \
  "see-run=file://$work/pages/runs/$last.html" "see-checks=file://$work/pages/checks-production.html" "see-public=file://$work/public/index.html"
if [ -z "$out" ]; then
  for picture in environments environments-dark run run-dark run-phone checks public public-phone; do
    cp "$shots/see-$picture.png" "$root/docs/pictures/"
  done
fi
