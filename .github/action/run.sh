#!/usr/bin/env bash
# Runs a command of `gate`: reports in a folder, the job's summary, annotations, and the exit code as an output.
# In: GATE_COMMAND, GATE_ENVIRONMENT, GATE_FROM, GATE_ARGS (one argument a line); GITHUB_OUTPUT, GITHUB_STEP_SUMMARY, RUNNER_TEMP.
set -euo pipefail

command=${GATE_COMMAND:-test} environment=${GATE_ENVIRONMENT:-} from=${GATE_FROM:-}
reports=$RUNNER_TEMP/stagegate-reports-${GITHUB_ACTION:-run}
more=()
while IFS= read -r line; do [ -z "$line" ] || more+=("$line"); done <<<"${GATE_ARGS:-}"

# Ends the step with an annotation and the exit code for usage and configuration.
refuse() {
  printf '::error title=stagegate::%s\n' "$1"
  echo 'exit-code=2' >>"$GITHUB_OUTPUT"
  exit 2
}

# What each exit code means; docs/github-actions.md has the same.
meaning() {
  case $1 in
    0) echo 'passed' ;;
    1) echo 'a bug in gate: the log lists what to report' ;;
    2) echo 'usage or configuration; nothing was touched' ;;
    3) echo 'blocked by a failed check; the target was not touched' ;;
    4) echo 'inconclusive: a required check could not run, or what the command needs did not work' ;;
    5) echo 'rolled back and verified' ;;
    6) echo 'manual action required, see docs/recovery.md' ;;
    7) echo 'another run holds the lock' ;;
    130) echo 'interrupted' ;;
    *) echo 'ended by a signal, or not started' ;;
  esac
}

# Commands that report findings: each format in a file.
with_reports() {
  mkdir -p "$reports"
  call+=(--junit "$reports/junit.xml" --markdown "$reports/summary.md" --sarif "$reports/gate.sarif" --html "$reports/report.html")
}

case $command in
  test | lint)
    call=(gate "$command")
    [ -z "$environment" ] || call+=(--env "$environment")
    with_reports
    ;;
  'contract diff')
    call=(gate contract diff)
    with_reports
    ;;
  promote)
    if [ -z "$from" ] || [ -z "$environment" ]; then refuse 'promote needs the inputs "from" and "environment"'; fi
    call=(gate promote --from "$from" --to "$environment" --yes)
    ;;
  *) refuse "command \`$command\` is none of: test, lint, contract diff, promote" ;;
esac

code=0
log=$RUNNER_TEMP/stagegate-output-${GITHUB_ACTION:-run}.txt
"${call[@]}" "${more[@]}" 2>&1 | tee "$log" || code=${PIPESTATUS[0]}

{
  printf '### gate %s: %s\n\nExit code %s: %s\n\n' "$command" "$([ "$code" = 0 ] && echo passed || echo failed)" "$code" "$(meaning "$code")"
  if [ -s "$reports/summary.md" ]; then
    cat "$reports/summary.md"
  else
    # Indented, not fenced: no line of a text can end the block.
    tail -n 200 "$log" | sed 's/^/    /'
  fi
} >>"$GITHUB_STEP_SUMMARY"
{
  echo "exit-code=$code"
  [ ! -d "$reports" ] || echo "reports=$reports"
  [ ! -s "$reports/gate.sarif" ] || echo "sarif=$reports/gate.sarif"
} >>"$GITHUB_OUTPUT"
[ "$code" = 0 ] || printf '::error title=gate %s::exit code %s: %s\n' "$command" "$code" "$(meaning "$code")"
exit "$code"
