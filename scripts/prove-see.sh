#!/usr/bin/env bash
# Proves pages and metrics to real counterparts: promtool and node_exporter (hostile names, a reader at each moment), a headless
# Chromium (screenshots, what pages load, ten tabs), nginx in front of the stream, and a state folder that nobody may write.
# Prints a table. usage: scripts/prove-see.sh [--pictures DIR]
# needs chromium, python3 with venv and PyPI (websocket-client), and Debian's packages (unpacked, not installed); builds gate if it is
# not there
set -euo pipefail

pictures=
while [ $# -gt 0 ]; do
  case $1 in
    --pictures) mkdir -p "$2" && pictures=$(realpath "$2") ;;
    *) sed -n '2,6s/^# //p' "$0"; [ "$1" = --help ] && exit 0 || exit 2 ;;
  esac
  shift 2
done
# shellcheck source=scripts/prove-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/prove-lib.sh"
tools=${SEE_TOOLS:-$root/target/see-tools}
if [ ! -e "$tools/done" ]; then
  mkdir -p "$tools"
  (cd "$tools" && apt-get download -qq prometheus prometheus-node-exporter nginx && for deb in *.deb; do dpkg -x "$deb" debian; done)
  python3 -m venv "$tools/venv"
  "$tools/venv/bin/pip" install --quiet websocket-client==1.9.2
  touch "$tools/done"
fi

canary='canary-see-90f1'
secrets=$canary
hostile='"><script>alert(1)</script>'
printf 'services:\n  web:\n    image: scratch\n    environment: { PASSWORD: "%s" }\n' "$canary" >compose.yml
printf '[project]\nname = "shop"\n[environments.production]\nproject = "shop-production"\n' >stagegate.toml
printf '[environments.staging]\nproject = "shop-staging"\n' >>stagegate.toml
# run NTH JOURNAL RELEASE: a run of some minutes ago, with a release and reasons of that name.
run() {
  write_run "$2" "{}-$(printf %04x "$1")" --minutes-ago $((100 - $1)) --release "$3" --reason $' \x1b[31m'"$3"
}
for nth in $(seq 12); do run "$nth" promoted "v$nth"; done
run 13 rolled-back "$hostile"
run 14 promoted v14

promtool=$tools/debian/usr/bin/promtool
check 'promtool finds nothing in the metrics' 0 '' sh -c "'$gate' metrics | '$promtool' check metrics"
check 'nor in the alert rules' 0 'SUCCESS' "$promtool" check rules "$root/docs/monitoring/alerts.yml"
check 'the dashboard for Grafana is JSON' 0 '"panels"' python3 -m json.tool "$root/docs/monitoring/grafana.json"

mkdir textfile
exporter_port=$(free_tcp_port)
"$tools/debian/usr/bin/prometheus-node-exporter" --collector.disable-defaults --collector.textfile \
  --collector.textfile.directory="$work/textfile" --web.listen-address="127.0.0.1:$exporter_port" 2>exporter.log &
processes+=($!)
"$gate" metrics --textfile textfile
# read_while_written: what node_exporter gives while the file is written again and again.
read_while_written() {
  (for _ in $(seq 40); do "$gate" metrics --textfile textfile; done) &
  local writer=$! reads=0 bad=0
  while kill -0 "$writer" 2>/dev/null; do
    curl --silent "http://127.0.0.1:$exporter_port/metrics" >seen || continue
    reads=$((reads + 1))
    grep -q '^node_textfile_scrape_error 0' seen && grep -q '^stagegate_promotions_total{.*end="promoted"' seen || bad=$((bad + 1))
  done
  echo "$reads reads, $bad bad"
}
check 'node_exporter reads them while they are written' 0 '[1-9][0-9]* reads, 0 bad' read_while_written

check 'an incident with a hostile text' 0 'is open' "$gate" incident open --env production "$hostile"
check 'a report' 0 'with 14 runs' "$gate" report --out "$work/report"
check 'hostile texts are text on every page' 1 '' grep -rlE '<script|<img' report
hostile_run=$(basename state/shop-production/runs/*-000d)
check 'the trace of a run has no secret' 0 '"traceId"' "$gate" history "$hostile_run" --trace
check 'nor has its history' 0 'rolled back' "$gate" history "$hostile_run"
check 'a page that is public' 0 '' "$gate" report --out "$work/public" --public
check 'it names no release' 1 '' grep -rE 'v14|v13|health::' public
rolled_back=$(basename report/runs/*-000d.html)
shots=${pictures:-$work/shots}
mkdir -p "$shots"
check 'pages open from a folder, load nothing, and fit a phone' 0 '' "$tools/venv/bin/python" "$root/scripts/see_browser.py" pictures "$shots" \
  "report=file://$work/report/index.html" "run=file://$work/report/runs/$rolled_back" "public=file://$work/public/index.html"
cp out loaded
check '9 pictures, none with another request' 0 '^9$' grep -c ': 0 other requests, 0 pixels' loaded

chmod -R a-w state
dashboard_port=$(free_tcp_port)
"$gate" dashboard --listen "127.0.0.1:$dashboard_port" 2>dashboard.log &
dashboard=$!
processes+=("$dashboard")
for _ in $(seq 100); do curl --silent --output /dev/null "http://127.0.0.1:$dashboard_port/" && break || sleep 0.1; done
nginx_port=$(free_tcp_port)
cat >nginx.conf <<NGINX
daemon off; pid $work/nginx.pid; error_log $work/nginx.log;
events {}
http {
  access_log off; client_body_temp_path $work/n1; proxy_temp_path $work/n2; fastcgi_temp_path $work/n3; uwsgi_temp_path $work/n4; scgi_temp_path $work/n5;
  server { listen 127.0.0.1:$nginx_port; location / { proxy_pass http://127.0.0.1:$dashboard_port; proxy_set_header Host 127.0.0.1; proxy_http_version 1.1; } }
}
NGINX
"$tools/debian/usr/sbin/nginx" -c "$work/nginx.conf" 2>>nginx.log &
processes+=($!)
sleep 1
chmod -R u+w state
# through_nginx: seconds from a new journal to the event behind nginx, which buffers what it may.
through_nginx() {
  curl --silent --no-buffer --max-time 8 "http://127.0.0.1:$nginx_port/events" >stream &
  local reader=$! began
  sleep 1
  run 15 promoted v15
  began=$(date +%s%N)
  for _ in $(seq 60); do grep -q 'data: changed' stream && break || sleep 0.05; done
  echo "the event came after $((($(date +%s%N) - began) / 1000000)) ms"
  kill "$reader" 2>/dev/null || true
  grep -q 'data: changed' stream
}
check 'an event gets through nginx within a second' 0 'after [0-9]\{1,3\} ms' through_nginx
tail -n 1 out | sed 's/^/      /'
export -f run write_run
export root work project
printf '#!/bin/bash\nrun 16 promoted v16-new\n' >append
chmod +x append
check 'ten tabs of a browser show a new run, and one more request is not delayed' 0 'on all 10' \
  "$tools/venv/bin/python" "$root/scripts/see_browser.py" tabs "http://127.0.0.1:$dashboard_port/" 10 "$work/append" v16-new
sed 's/^/      /' out
# many_streams: 200 clients of the stream, and the dashboard's memory before and after.
many_streams() {
  local before
  before=$(awk '/VmRSS/ { print $2 }' "/proc/$dashboard/status")
  python3 - "$dashboard_port" <<'PYTHON'
import socket, sys
port, found = int(sys.argv[1]), {}
open_streams = []
for _ in range(200):
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    status = one.recv(64).split()[1].decode()
    found[status] = found.get(status, 0) + 1
    open_streams.append(one)
print("statuses", found)
PYTHON
  curl --silent --fail --output /dev/null "http://127.0.0.1:$dashboard_port/"
  echo "memory grew by $(($(awk '/VmRSS/ { print $2 }' "/proc/$dashboard/status") - before)) KiB"
}
check '200 clients of the stream: 64 are served, the pages go on' 0 'memory grew by -\?[0-9]\{1,4\} KiB' many_streams
grep -q "'503': 1[0-9][0-9]" out || { echo '      no 503'; failed=1; }
sed 's/^/      /' out
check 'no secret in pages and metrics' 1 '' grep -rl "$canary" report public textfile state
finish
