# shellcheck shell=bash
# What the scripts for operators share: help, DEBUG=true, names of environments, dated logs. Sourced, never run.
#
# They work on any product: run them in its folder (the one with stagegate.toml, or below). `gate` is found on PATH, or GATE
# names it. LAPTOP_ENV, STAGING_ENV and PRODUCTION_ENV name environments that are called otherwise in stagegate.toml.

GATE=${GATE:-gate}
# shellcheck disable=SC2034 # read by the scripts
laptop=${LAPTOP_ENV:-laptop} staging=${STAGING_ENV:-staging} production=${PRODUCTION_ENV:-production}
[ "${DEBUG:-}" != true ] || set -x

# Prints the comment at the top of the script that was called.
help_text() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; }

usage() {
  help_text >&2
  exit 2
}

help_if_wanted() {
  case ${1:-} in
    -h | --help)
      help_text
      exit 0
      ;;
  esac
}

# Ends the script with a message and the exit code for usage and configuration.
refuse() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}

# Ends the script where an option that needs a value has none.
value_of() { [ -n "${2:-}" ] || refuse "$1 needs a value; $(basename "$0") --help shows how it is called"; }

# Prints the folder of the product: the one with stagegate.toml, here or above, as gate finds it.
product() {
  local dir=$PWD
  until [ -f "$dir/stagegate.toml" ]; do
    [ -n "$dir" ] || refuse "no stagegate.toml in $PWD or a folder above; run this script in the folder of your product"
    dir=${dir%/*}
  done
  printf '%s\n' "${dir:-/}"
}

# Ends the script where the program of a command is missing.
present() { command -v "$1" >/dev/null || refuse "$1 is not installed; install it (README.md) or set GATE to its path"; }

# Runs a command without a log.
shown() { present "$1" && "$@"; }

# Prints the log of a task and an environment for today, and makes it where there is none. Its first line marks it as one
# that `gate schedule run` may remove by the rules of [logs]. Its folder ignores itself, since git must stay clean; `logs` may be the product's own.
log_of() {
  local folder=$1 environment=$2 task=$3 log
  log=$folder/$environment/$task-$(date +%Y%m%d).log
  umask 077
  mkdir -p "$folder/$environment" || return
  [ -e "$folder/$environment/.gitignore" ] || printf '*\n' >"$folder/$environment/.gitignore" || return
  [ -s "$log" ] || printf '# stagegate log: %s of %s\n' "$task" "$environment" >>"$log" || return
  printf '%s\n' "$log"
}

noted() { printf '%s %s\n' "$(date +%Y-%m-%dT%H:%M:%S%z)" "$*"; }

# Runs a command with its output on the terminal and in logs/ENV/TASK-YYYYMMDD.log; returns the command's exit code.
# A log that cannot be written (a full disk) stops nothing: a rollback must work then, too.
logged() {
  local environment=$1 task=$2 root log code=0
  shift 2
  present "$1"
  case $environment in '' | *[!a-zA-Z0-9_-]*) refuse "\`$environment\` is no name of an environment" ;; esac
  root=$(product) || exit $?
  log=$(log_of "${LOG_DIR:-$root/logs}" "$environment" "$task") || {
    printf 'note: there is no log of this; LOG_DIR names another folder for logs than %s\n' "${LOG_DIR:-$root/logs}" >&2
    log=/dev/null
  }
  noted "$*" >>"$log" || true
  # Ctrl-C and a closed terminal are for gate, which rolls back and reports that; its output is read until its end.
  "$@" 2>&1 | (trap '' INT TERM HUP && exec tee -a "$log") || code=${PIPESTATUS[0]}
  noted "exit code $code" >>"$log" || true
  return "$code"
}
