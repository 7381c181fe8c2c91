#!/usr/bin/env bash
# Counts the instructions of the hot paths by callgrind, and compares them with the counts of benches/instructions.txt.
# A count does not depend on the load of the machine: an increase of 2 % is added work (10 % for the startup, which grows
# with each option), and exits with 1. If compiler, valgrind, libc or processor differ from the baseline's, the counts
# are only shown.
# usage: scripts/instructions.sh [--write]   (--write makes the current counts the baseline)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
baseline=benches/instructions.txt
# Two runs of one program differ by less than 0.1 %: by what the kernel puts where. 2 % is far beyond that, and below
# what anybody would feel.
margin=2
# The start makes the whole command line: it grows with each command and option that is added.
margin_of_start=10

write=no
case ${1:-} in
  '') ;;
  --write) write=yes ;;
  -h | --help) sed -n '2,7s/^# //p' "${BASH_SOURCE[0]}"; exit 0 ;;
  *) sed -n '7s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
has valgrind || die 'valgrind is not installed' 'scripts/setup.sh installs it; or: apt-get install valgrind'

# The build that the tests have anyway. Work that is added shows in it as in an optimised one.
program=$(cargo build --locked --quiet --bench instructions --message-format=json |
  sed -n 's/.*"executable":"\([^"]*\/instructions-[^"]*\)".*/\1/p')
cargo build --locked --quiet --bin gate
gate=${CARGO_TARGET_DIR:-target}/debug/gate

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# count NAME [OPTION FOR CALLGRIND ...] -- PROGRAM [ARGUMENT ...]: adds a line to the counts of now.
count() {
  local name=$1 options=()
  shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  # Variables are on the stack, where they move what follows: the same few each time.
  env -i PATH=/usr/bin:/bin valgrind --tool=callgrind --callgrind-out-file="$scratch/out" "${options[@]}" "$@" \
    >/dev/null 2>"$scratch/said" || { tail -n 5 "$scratch/said" >&2; die "callgrind could not run $name"; }
  local found
  found=$(sed -n 's/^\(summary\|totals\): //p' "$scratch/out" | head -n 1)
  [ "${found:-0}" -gt 0 ] || die "callgrind counted nothing for $name" "does benches/instructions.rs still have a function \`measured\`?"
  printf '%s %s\n' "$name" "$found" >>"$scratch/now"
}

names=$("$program" --list)
for name in $names; do
  count "$name" '--toggle-collect=instructions::measured*' -- "$program" "$name"
done
# From `main` on: what the dynamic linker does before depends on how the program was linked, not on what it does.
count gate_help --toggle-collect=main -- "$gate" --help
count gate_version --toggle-collect=main -- "$gate" --version

tools="$(rustc --version), $(valgrind --version), libc $(getconf GNU_LIBC_VERSION 2>/dev/null || echo another), \
$(uname -m)$(grep -qw avx2 /proc/cpuinfo && echo ' with avx2'), dev"
if [ "$write" = yes ]; then
  { printf '# Instructions of the hot paths, counted by callgrind: scripts/instructions.sh --write\n# tools: %s\n' "$tools"; cat "$scratch/now"; } >"$baseline"
  note "written to $baseline"
fi
[ -r "$baseline" ] || die "$baseline is missing" 'scripts/instructions.sh --write creates it'
then_tools=$(sed -n 's/^# tools: //p' "$baseline")

worse=0
awk -v margin="$margin" -v start="$margin_of_start" '
  NR == FNR { if ($1 !~ /^#/) was[$1] = $2; next }
  {
    if (!($1 in was)) { printf "%-32s %12d  no baseline\n", $1, $2; next }
    change = 100 * ($2 - was[$1]) / was[$1]
    most = $1 ~ /^gate_/ ? start : margin
    word = change > most ? "  REGRESSION" : (change < -most ? "  less: --write keeps it" : "")
    printf "%-32s %12d %12d  %+6.2f %%%s\n", $1, was[$1], $2, change, word
    worse += change > most
    seen[$1] = 1
  }
  END { for (name in was) if (!(name in seen)) { printf "%-32s %12d  is no longer counted\n", name, was[name] }; exit worse > 0 }
' "$baseline" "$scratch/now" || worse=1

if [ "$then_tools" != "$tools" ]; then
  note "only shown, since the baseline is of other tools: $then_tools; here: $tools"
elif [ "$worse" = 1 ]; then
  die "instructions grew by more than $margin % (the startup: $margin_of_start %)" 'if that is intended: scripts/instructions.sh --write, with the reason in the commit'
fi
