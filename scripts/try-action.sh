#!/usr/bin/env bash
# Runs the steps of the action (.github/action) as a runner of GitHub would, with files of its own in place of the runner's and a
# program in place of `gate` that writes down how it was called. usage: scripts/try-action.sh
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cases=0

# Files of a fresh step.
runner() {
  rm -rf "$work/step"
  mkdir -p "$work/step/temp" "$work/step/bin"
  export RUNNER_TEMP=$work/step/temp GITHUB_PATH=$work/step/path GITHUB_OUTPUT=$work/step/output GITHUB_STEP_SUMMARY=$work/step/summary
  export GITHUB_ACTION=gate GITHUB_ACTION_PATH=$root GITHUB_ACTIONS=true
  : >"$GITHUB_PATH" && : >"$GITHUB_OUTPUT" && : >"$GITHUB_STEP_SUMMARY"
  unset GATE_COMMAND GATE_ENVIRONMENT GATE_FROM GATE_ARGS GATE_VERSION GATE_CHECKSUM GATE_DOWNLOADS
  cat >"$work/step/bin/gate" <<'STANDIN'
#!/usr/bin/env bash
printf '<%s>' "$@" >"$CALL"
while [ $# -gt 0 ]; do
  case $1 in
    --markdown) echo '# report' >"$2" ;;
    --sarif) echo '{}' >"$2" ;;
  esac
  shift
done
echo 'text of gate'
exit "${FAIL:-0}"
STANDIN
  chmod +x "$work/step/bin/gate"
  export CALL=$work/step/call
}

# Runs a step with settings NAME=VALUE, and compares its exit code.
step() {
  local script=$1 want=$2 code=0
  shift 2
  env "$@" PATH="$work/step/bin:$PATH" "$root/.github/action/$script" >"$work/step/log" 2>&1 || code=$?
  [ "$code" = "$want" ] || { cat "$work/step/log" >&2; die "$script $*: exit code $code, expected $want"; }
  cases=$((cases + 1))
}

# Fails where a file does not hold a text.
holds() { grep -qF -- "$2" "$1" || { cat "$1" >&2; die "${1##*/} does not hold \`$2\`"; }; }

runs() {
  local reports
  runner
  reports=$RUNNER_TEMP/stagegate-reports-gate
  step run.sh 0 GATE_COMMAND=test GATE_ENVIRONMENT=staging GATE_ARGS=$'health\n--pg\n15, 17'
  holds "$CALL" "<test><--env><staging><--junit><$reports/junit.xml><--markdown>"
  # One argument a line: a blank divides nothing.
  holds "$CALL" '<health><--pg><15, 17>'
  holds "$GITHUB_OUTPUT" exit-code=0
  holds "$GITHUB_OUTPUT" "sarif=$reports/gate.sarif"
  holds "$GITHUB_STEP_SUMMARY" '# report'

  runner
  # Nothing of an input is code.
  # shellcheck disable=SC2016 # the text itself is meant
  step run.sh 3 FAIL=3 GATE_COMMAND='contract diff' 'GATE_ARGS=$(touch pwned)
--fail-on
warning'
  # shellcheck disable=SC2016 # the text itself is meant
  holds "$CALL" '<$(touch pwned)><--fail-on><warning>'
  holds "$GITHUB_OUTPUT" exit-code=3
  holds "$work/step/log" '::error title=gate contract diff::exit code 3: blocked'

  runner
  step run.sh 5 FAIL=5 GATE_COMMAND=promote GATE_FROM=staging GATE_ENVIRONMENT=production
  holds "$CALL" '<promote><--from><staging><--to><production><--yes>'
  holds "$GITHUB_STEP_SUMMARY" '    text of gate'
  holds "$GITHUB_STEP_SUMMARY" 'rolled back and verified'

  runner
  step run.sh 2 GATE_COMMAND=promote GATE_ENVIRONMENT=production
  holds "$work/step/log" 'promote needs the inputs'
  step run.sh 2 GATE_COMMAND=purge
  holds "$work/step/log" 'is none of: test, lint, contract diff, promote'
  [ ! -e "$CALL" ] || die "gate was called: $(cat "$CALL")"
}

installs() {
  local archive checksum
  runner
  step install.sh 0 GATE_VERSION=path
  rm "$work/step/bin/gate"
  if ! has gate; then
    step install.sh 2 GATE_VERSION=path
    holds "$work/step/log" 'gate is not on the PATH'
  fi

  # An archive in the form of a release.
  runner
  archive=stagegate-9.8.7-$(uname -m)-unknown-linux-gnu
  mkdir -p "$work/downloads/v9.8.7" "$work/$archive"
  cp "$work/step/bin/gate" "$work/$archive/"
  tar -C "$work" -czf "$work/downloads/v9.8.7/$archive.tar.gz" "$archive"
  checksum=$(sha256sum "$work/downloads/v9.8.7/$archive.tar.gz" | cut -d ' ' -f 1)
  step install.sh 0 GATE_VERSION=9.8.7 GATE_CHECKSUM="$checksum" GATE_DOWNLOADS="file://$work/downloads"
  holds "$GITHUB_PATH" "$RUNNER_TEMP/stagegate-9.8.7"
  [ -x "$RUNNER_TEMP/stagegate-9.8.7/gate" ] || die 'the program was not installed'

  runner
  step install.sh 2 GATE_VERSION=9.8.7 GATE_CHECKSUM="${checksum//[0-9]/0}" GATE_DOWNLOADS="file://$work/downloads"
  holds "$work/step/log" 'it was not installed'
  [ ! -s "$GITHUB_PATH" ] || die 'an archive with another checksum was installed'
  step install.sh 2 GATE_VERSION=9.8.7 GATE_DOWNLOADS="file://$work/downloads"
  holds "$work/step/log" 'expected the 64 hexadecimal digits'
  step install.sh 2 GATE_VERSION=../../x GATE_CHECKSUM="$checksum"
  step install.sh 2 GATE_VERSION=9.9.9 GATE_CHECKSUM="$checksum" GATE_DOWNLOADS="file://$work/downloads"
  holds "$work/step/log" 'cannot be downloaded'
}

cd "$work"
runs
installs
[ ! -e "$work/pwned" ] || die 'an input was run as code'
say "the action: $cases steps as expected"
