# shellcheck shell=bash
# What prove-see.sh, prove-deployments.sh, prove-notify.sh and kill-see.sh share: a work folder, programs that end with the script,
# journals of runs, and a table of checks. Sourced, never run.
#
# Sets root, gate, work and failed; changes into the work folder.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
gate=${GATE:-$root/target/debug/gate}
[ -x "$gate" ] || (cd "$root" && cargo build --workspace --locked --quiet)
gate=$(realpath "$gate")
work=$(mktemp -d)
# What is killed as the script ends.
processes=()
# Commands that run before the work folder goes; a script may define its own.
clean_up() { :; }
end() {
  for process in ${processes[@]+"${processes[@]}"}; do kill "$process" 2>/dev/null || true; done
  clean_up
  rm -rf "$work"
}
trap end EXIT
cd "$work" || exit 1
export STAGEGATE_STATE_DIR="$work/state"

# free_tcp_port: prints a port that nobody listens on.
free_tcp_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# wait_for TENTHS COMMAND..: waits until a command succeeds, for so many tenths of a second at most.
wait_for() {
  local tenths=$1
  shift
  for _ in $(seq "$tenths"); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  return 1
}

# write_run JOURNAL RUN [OPTION..]: writes a run, as write_run.py describes it, into the state folder of `project`.
write_run() { python3 "$root/scripts/write_run.py" "$root/fixtures/journals/format-1/$1.jsonl" "$work/state/$project/runs" "${@:2}"; }

# The compose project of the runs; a script may name its own.
project=shop-production

failed=0
# check NAME EXPECTED-CODE PATTERN COMMAND..: runs a command, compares its exit code, searches its output; none of the secrets of the
# pattern `secrets` may be in it.
check() {
  local name=$1 want=$2 pattern=$3 code=0 result=ok
  shift 3
  "$@" >out 2>&1 || code=$?
  if [ "$code" != "$want" ] || { [ -n "$pattern" ] && ! grep -q -- "$pattern" out; }; then result=FAILED failed=1; fi
  ! grep -q -- "${secrets:?}" out || { result='FAILED (secret shown)' failed=1; }
  printf '  %-66s %s\n' "$name" "$result"
  [ "$result" = ok ] || sed 's/^/      /' out | head -20
}

# finish: ends the script with 1 where a check failed.
finish() {
  [ "$failed" = 0 ] || { echo "$(basename "$0"): see above" >&2; exit 1; }
}
