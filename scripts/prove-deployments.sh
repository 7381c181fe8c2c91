#!/usr/bin/env bash
# Proves deployments to counterparts: releases to Bugsink, a server that takes errors as Sentry does; deployments and commit
# statuses to servers that check each request against GitHub's description of its API, and GitLab's documentation. Prints a table.
# usage: scripts/prove-deployments.sh
# needs python3 with venv and PyPI (bugsink, githubkit-schemas); builds gate if it is not there
set -euo pipefail

case ${1:-} in -h | --help) sed -n '2,5s/^# //p' "$0" && exit 0 ;; esac
# shellcheck source=scripts/prove-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/prove-lib.sh"
venv=${DEPLOYMENTS_VENV:-$root/target/deployments-venv}
if [ ! -e "$venv/done" ]; then
  python3 -m venv "$venv/bugsink"
  "$venv/bugsink/bin/pip" install --quiet bugsink==2.6.2
  python3 -m venv "$venv/github"
  "$venv/github/bin/pip" install --quiet githubkit==0.16.1 githubkit-schemas-2022-11-28==26.10.21 'hishel<2'
  touch "$venv/done"
fi

"$venv/github/bin/python" "$root/scripts/deployment_servers.py" "$work" 2>github.log &
processes+=($!)
# Bugsink: its own database, a project, a token.
bugsink_port=$(free_tcp_port)
mkdir bugsink
cd bugsink
"$venv/bugsink/bin/bugsink-create-conf" --template=singleserver --host=127.0.0.1 --port="$bugsink_port" --base-dir="$work/bugsink" >conf.log 2>&1
"$venv/bugsink/bin/bugsink-manage" migrate >migrate.log 2>&1
"$venv/bugsink/bin/bugsink-manage" shell >token 2>shell.log <<'PYTHON'
from projects.models import Project
from bsmain.models import AuthToken
for name in ("shop", "worker"):
    Project.objects.create(name=name)
print("token", AuthToken.objects.create(releases_read=True, releases_create=True).token)
PYTHON
token=$(sed -n 's/.*token \([0-9a-f]\{40\}\).*/\1/p' token)
[ -n "$token" ] || { echo 'error: Bugsink made no token:' >&2; cat token shell.log >&2; exit 1; }
"$venv/bugsink/bin/gunicorn" --bind "127.0.0.1:$bugsink_port" --workers 1 bugsink.wsgi >gunicorn.log 2>&1 &
processes+=($!)
cd ..
for _ in $(seq 300); do
  [ -e port ] && curl --silent --output /dev/null "http://127.0.0.1:$bugsink_port/health/ready" && break
  sleep 0.2
done
github_port=$(cat port)
gitlab_port=$(cat gitlab-port)

printf '%s\n' canary-github-77aa >github-token
printf '%s\n' canary-gitlab-88bb >gitlab-token
printf '%s\n' "$token" >bugsink-token
printf '%s\n' wrong-canary-token >wrong-token
cat >stagegate.toml <<TOML
[project]
name = "shop"
[environments.production]
project = "shop-production"
[pages]
url = "https://pages.example.org/"
[[notify]]
kind = "github"
url = "http://127.0.0.1:$github_port"
repository = "acme/shop"
token_file = "github-token"
log_url = "https://gate.example.org/runs/{run}.html"
[[notify]]
kind = "gitlab"
url = "http://127.0.0.1:$gitlab_port"
repository = "acme/web/shop"
token_file = "gitlab-token"
[[notify]]
kind = "sentry"
name = "bugsink"
url = "http://127.0.0.1:$bugsink_port"
projects = ["1", "2"]
token_file = "bugsink-token"
[[notify]]
kind = "github"
name = "denied"
url = "http://127.0.0.1:$github_port"
repository = "acme/shop"
token_file = "wrong-token"
environments = []
on = ["approval"]
TOML
printf 'services:\n  web:\n    image: scratch\n' >compose.yml

# run NAME JOURNAL RELEASE: a run that ends now.
run() { write_run "$2" "$1" --release "$3" --now; }

secrets="canary-github-77aa\\|canary-gitlab-88bb\\|wrong-canary-token\\|$token"
# github EXPRESSION: a value of what the server keeps.
github() {
  curl --silent --header 'authorization: Bearer canary-github-77aa' --header 'accept: application/vnd.github+json' \
    --header 'x-github-api-version: 2022-11-28' "http://127.0.0.1:$github_port/repos/acme/shop/summary" |
    python3 -c "import json, sys; it = json.load(sys.stdin); print($1)"
}
# gitlab EXPRESSION: a value of the requests that GitLab got (\`done\`: those that it took).
gitlab() {
  python3 -c "
import json
done = [one for one in map(json.loads, open('gitlab.jsonl')) if one['method'] != 'GET']
print($1)"
}
# released PROJECT: the versions that Bugsink has.
released() {
  curl --silent --header "authorization: Bearer $token" "http://127.0.0.1:$bugsink_port/api/canonical/0/releases/?project=$1" |
    python3 -c 'import json, sys; print(" ".join(sorted(one["version"] for one in json.load(sys.stdin)["results"])))'
}

check 'a test reaches GitHub and makes nothing' 0 'github: sent' "$gate" notify test github
check 'a test reaches Bugsink and makes nothing' 0 'bugsink: sent' "$gate" notify test bugsink
check 'a token that is none is named with the status' 4 'denied: NOT sent: .*401' "$gate" notify test denied
check 'a test reaches GitLab and makes nothing' 0 'gitlab: sent' "$gate" notify test gitlab
check 'nothing was made' 0 '^0$' gitlab 'len(done)'
check 'nothing was made' 0 '^0 0$' github "len(it['deployments']), len(it['commits'])"
run "$(date -u +%Y%m%d-%H%M%S)-0001" promoted 'v1.0 rc@1#é'
check 'GitHub dies after it has made the deployment' 4 'status 502' "$gate" notify send
check 'the second try gets through' 0 '2 messages sent' "$gate" notify send
check 'GitLab died after it had made the deployment, which is found again' 0 "^\\['POST 502', 'POST 201'\\]$" \
  gitlab "[one['method'] + ' ' + str(one['status']) for one in done]"
check 'its deployment is a success of the tag' 0 '^success v1.0 rc@1#é True$' \
  gitlab "done[0]['body']['status'], done[0]['body']['ref'], done[0]['body']['tag']"
check 'its commit has a status with the page' 0 '^stagegate/production success https://pages.example.org/runs/.*-0001.html$' \
  gitlab "done[1]['body']['name'], done[1]['body']['state'], done[1]['body']['target_url']"
check 'it found its deployment again' 0 '^1$' github "len(it['deployments'])"
check 'the deployment is a success with a log' 0 "success.*https://gate.example.org/runs/.*-0001.html" \
  github "it['statuses']['1000'][-1]['state'], it['statuses']['1000'][-1]['log_url']"
check 'the commit has a status' 0 '^stagegate/production success$' github "it['commits'][-1]['context'], it['commits'][-1]['state']"
check 'Bugsink has the release in both projects' 0 'v1.0 rc@1#é' sh -c "$(declare -f released); token=$token bugsink_port=$bugsink_port; released 1; released 2"
sleep 1
run "$(date -u +%Y%m%d-%H%M%S)-0002" promoted v2
check 'the next release' 0 '3 messages sent' "$gate" notify send
check 'the earlier deployment is inactive' 0 '^inactive success$' \
  github "it['statuses']['1000'][-1]['state'], it['statuses']['1001'][-1]['state']"
sleep 1
run "$(date -u +%Y%m%d-%H%M%S)-0003" rolled-back v3
check 'a release that is rolled back' 0 '2 messages sent' "$gate" notify send
check 'at GitLab the last success is the live one' 0 "^\\['v1.0 rc@1#é success', 'v2 success', 'v3 failed'\\]$" \
  gitlab "[one['body']['ref'] + ' ' + one['body']['status'] for one in done if 'sha' in one['body']]"
check 'its deployment failed, and the live one stays active' 0 '^success failure failure$' \
  github "it['statuses']['1001'][-1]['state'], it['statuses']['1002'][-1]['state'], it['commits'][-1]['state']"
check 'Bugsink has no release that is not live' 0 '^v1.0 rc@1#é v2$' released 1
rm state/shop-production/runs/*-0003/notified
check 'a message that is sent twice' 0 'sent' "$gate" notify send
check 'makes no second deployment' 0 '^3$' gitlab "len([one for one in done if 'sha' in one['body']])"
check 'makes no second deployment' 0 '^3$' github "len(it['deployments'])"
check 'GitHub refused nothing for its form' 0 '^0$' sh -c "grep -c '\"status\": 4[02][02]' github.jsonl || true"
check 'the configuration is shown without secrets' 0 'github-token' "$gate" config
check 'no secret is in the state folder' 1 '' grep -rl "$secrets" state
finish
