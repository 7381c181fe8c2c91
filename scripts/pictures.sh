#!/usr/bin/env bash
# Draws the pictures of the README and of docs/first-hour.md from what the commands of that page print in a real run.
#
# usage: scripts/pictures.sh [--log FILE [--report FILE]] [--out DIR]
#   --log FILE  draw what `scripts/try-docs.sh --log FILE` wrote, and run nothing
#   --report FILE  the HTML report that `scripts/try-docs.sh --report FILE` kept
#   --out DIR   folder of the pictures [default: docs/pictures]
#
# The pictures of the report, light and dark, are taken by Chromium.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

log='' report='' out=$root/docs/pictures
while [ $# -gt 0 ]; do
  case $1 in
    --log) log=${2:?--log needs a file}; shift ;;
    --report) report=${2:?--report needs a file}; shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) die "unknown option \`$1\`" "scripts/pictures.sh --help" ;;
  esac
  shift
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$log" ]; then
  log=$work/log
  report=$work/report.html
  "$root/scripts/try-docs.sh" --log "$log" --report "$report"
fi

# Prints a command, and what it printed up to the next command; of a promotion without its plan.
part() {
  awk -v command="$1" '
    $0 == command { on = 1; plan = /^gate promote/; sub(/ \|\| .*/, ""); print "$ " $0; next }
    on && /^(gate|docker|git|sed|echo|cd|for|printf|mkdir) / { exit }
    on && /^run [0-9]/ { plan = 0 }
    on && !plan' "$log" | sed -e 's/[[:space:]]*$//' -e '/^$/N;/^\n$/D'
}

# Draws a part as a picture; fails where the run did not print what the picture is to show.
draw() {
  local name=$1 title=$2 shows=$3 command=$4
  part "$command" >"$work/$name"
  grep -q -- "$shows" "$work/$name" || die "$name: \`$shows\` was not printed by \`$command\`"
  "$root/scripts/picture.sh" --title "$title" --width 110 "$work/$name" >"$out/$name.svg"
  note "$out/$name.svg: $(wc -l <"$work/$name") lines"
}

mkdir -p "$out"
draw test 'the checks of an environment' '^PASSED' 'gate test --env staging health migrations'
draw promoted 'a good release' '^promoted' 'gate promote --from staging --to production --yes'
# shellcheck disable=SC2016 # the line of the page, as it is
draw rolled-back 'a bad release' '^rolled back and verified' 'gate promote --from staging --to production --yes || echo "exit code $?"'

# Takes a picture of the report with a window's colours.
shoot() {
  local name=$1 browser
  shift
  browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || die "no Chromium is installed" "apt-get install chromium"
  # A sandbox inside of a container, or for root, is refused by the kernel or by the browser; the page is this program's own.
  "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/browser" --window-size=900,640 "$@" \
    --screenshot="$out/$name.png" "file://$(realpath "$report")" >/dev/null 2>&1
  note "$out/$name.png: $(wc -c <"$out/$name.png") bytes"
}

if [ -n "$report" ]; then
  shoot report-light
  shoot report-dark --blink-settings=preferredColorScheme=0
fi
