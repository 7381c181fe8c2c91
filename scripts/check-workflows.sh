#!/usr/bin/env bash
# Checks the workflows and the action of .github: schemas, security, pinned actions, and the shell parts with stand-ins.
# usage: scripts/check-workflows.sh [--strict]
#
# Runs check-jsonschema, zizmor, actionlint and shellcheck where they are installed (pip install check-jsonschema zizmor; others:
# their own pages); --strict fails where one is missing. What needs none of them is always checked.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
cd "$root"

strict=no
case ${1:-} in
  '') ;;
  --strict) strict=yes ;;
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
  *) die "unknown option \`$1\`" "scripts/check-workflows.sh --help" ;;
esac

# Runs a checker where it is installed.
with() {
  if has "$1"; then
    say "$*"
    "$@"
  elif [ "$strict" = yes ]; then
    die "$1 is not installed" "pip install check-jsonschema zizmor; https://github.com/rhysd/actionlint; apt-get install shellcheck"
  else
    note "$1 is not installed: left out"
  fi
}

# Every action of somebody else is pinned by its full commit, with the version in a comment for readers and for Dependabot.
pinned() {
  local loose
  loose=$(grep -rnE '^ *-? *uses: ' action.yml .github/workflows | grep -vE 'uses: \./|uses: [A-Za-z0-9./_-]+@[0-9a-f]{40} # v[0-9]' || true)
  [ -z "$loose" ] || die "actions that are not pinned by commit and version" "$loose"
  say "$(grep -rhoE 'uses: [^.][^ ]*@[0-9a-f]{40}' action.yml .github/workflows | sort -u | wc -l) actions, each pinned by commit"
}

pinned
scripts/try-action.sh
with check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
with check-jsonschema --builtin-schema vendor.github-actions action.yml
with check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
with zizmor --offline --quiet .
with actionlint
with shellcheck --external-sources .github/action/*.sh scripts/try-action.sh scripts/check-workflows.sh
