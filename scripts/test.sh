#!/usr/bin/env bash
# All setup and all tests: format, lints, unit tests, docs, the suites against an ephemeral copy of the sample stack, and
# the gate on the real sample stack. usage: scripts/test.sh [--keep] [--quick]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

usage() {
  cat <<'TEXT'
usage: scripts/test.sh [--keep] [--quick]
  --keep   keep the stacks of failed tests, for inspection
  --quick  only what needs no Docker: format, lints, unit tests, docs
TEXT
}

keep=no quick=no
for option in "$@"; do
  case $option in
    --keep) keep=yes ;;
    --quick) quick=yes ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

# Builds here are made once: what only the next build, or a debugger, would use is not written (4 GB less on the disk).
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0} CARGO_PROFILE_DEV_DEBUG=${CARGO_PROFILE_DEV_DEBUG:-0}

space_waited=0

# A name that no image has yet.
fresh=stagegate-shop-$$
begun=$SECONDS
work=$(mktemp -d)

# --- steps: a table of them at the end, and the same as JSON in target/test-steps.json

# Runs a step in the foreground; its output is shown as it comes.
step() {
  local title=$1 from=$SECONDS code=0
  shift
  await_space
  printf '==> %s\n' "$title" >&2
  # Not behind "||": there, a command that fails inside would go unseen.
  set +e
  (set -e; "$@")
  code=$?
  set -e
  ended "$title" "$from" "$code" alone
}

# Starts a step in the background, next to those that follow until `join`; its output is kept for `join`.
start() {
  lane_title=$1 lane_from=$SECONDS
  shift
  printf '==> %s (in the background)\n' "$lane_title" >&2
  (set -e; trap - EXIT; "$@"; ) >"$work/lane.log" 2>&1 &
  lane=$!
}

# Waits for the step in the background.
join() {
  local code=0
  wait "$lane" || code=$?
  lane=''
  cat "$work/lane.log" >&2
  ended "$lane_title" "$lane_from" "$code" parallel
}

ended() {
  local title=$1 from=$2 code=$3 how=$4
  printf '%s\t%d\t%d\t%s\t%d\n' "$title" $((SECONDS - from)) "$code" "$how" "$(free_mib)" >>"$work/steps"
  printf '==> %s: %d s (%d s in all, %d MiB of disk free)\n' "$title" $((SECONDS - from)) $((SECONDS - begun)) "$(free_mib)" >&2
  [ "$code" -eq 0 ] || exit "$code"
}

# MiB free where least is: below the checkout, the temporary folder or Docker's data.
free_mib() {
  df --output=avail -B 1048576 . "$work" "$(docker info --format '{{.DockerRootDir}}' 2>/dev/null || echo .)" 2>/dev/null |
    awk 'NR > 1 && (least == "" || $1 < least) { least = $1 } END { print least + 0 }'
}

# Waits, at most ten minutes in all, for space that others on this machine may give back: a build that runs out of it fails
# with an error that names a file of the compiler.
await_space() {
  local least=3072 begun=$SECONDS
  while [ "$(free_mib)" -lt "$least" ] && [ "$space_waited" -lt 600 ]; do
    printf '    %d MiB of disk are free, and %d are needed; waiting for space (docker system df, df -h)\n' "$(free_mib)" "$least" >&2
    sleep 15
    space_waited=$((space_waited + SECONDS - begun)) begun=$SECONDS
  done
}

# Writes the table of the steps and, for programs, target/test-steps.json.
table() {
  [ -s "$work/steps" ] || return 0
  awk -F '\t' -v all=$((SECONDS - begun)) '
    { printf "%6d s  %7d MiB free  %s%s%s\n", $2, $5, $1, ($4 == "parallel" ? "  (next to others)" : ""), ($3 == 0 ? "" : "  FAILED") }
    END { printf "%6d s  in all\n", all }' "$work/steps" >&2
  [ ! -s "$work/unsteady" ] || sed 's/^/UNSTEADY  failed next to others, passed alone: /' "$work/unsteady" >&2
  mkdir -p "${CARGO_TARGET_DIR:-target}"
  awk -F '\t' -v all=$((SECONDS - begun)) '
    BEGIN { printf "{\"steps\":[" }
    { printf "%s{\"step\":\"%s\",\"seconds\":%d,\"exit\":%d,\"parallel\":%s,\"free_mib\":%d}", (NR > 1 ? "," : ""), $1, $2, $3, ($4 == "parallel" ? "true" : "false"), $5 }
    END { printf "],\"unsteady\":%d,\"seconds\":%d}\n", unsteady, all }' unsteady="$(unsteady)" "$work/steps" >"${CARGO_TARGET_DIR:-target}/test-steps.json"
}

# How many proofs failed next to others and passed alone.
unsteady() { if [ -s "$work/unsteady" ]; then wc -l <"$work/unsteady"; else echo 0; fi; }

# --- what the steps do

# Tools first: the builds need a compiler. Images come next to the builds.
tools() { scripts/setup.sh --no-images --sshd --registry --browser; }
images() { scripts/setup.sh --postgres 15,17,18; }

# All that is run later, in one call: parts of the workspace that are built one by one would be built again.
build() {
  cargo build --workspace --locked --quiet
  cargo test --workspace --locked --no-run --quiet
}

lints() {
  cargo fmt --all --check
  cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
}

docs() { RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --quiet; }

# The demo on a machine that has no image and no compiled code of the sample stack yet: whatever lies about here, right
# or wrong, is neither used nor changed.
demo() { DEMO_NAME=demo-test-$$ SHOP_IMAGE=$fresh/api scripts/demo.sh --short; }

# Images of all releases of the sample stack: those of the demo get their usual names; build.sh, which asks each image
# what it is, makes the others.
releases() {
  local image release trees=()
  for image in $(fresh_images); do docker tag "$image" "stagegate-shop/api:${image##*:}"; done
  fixtures/shop/releases/make-repo.sh "$scratch/shop" >&2
  for release in $(git -C "$scratch/shop" tag); do
    mkdir -p "$scratch/trees/$release"
    git -C "$scratch/shop" archive "$release" | tar -C "$scratch/trees/$release" -x
    trees+=("$scratch/trees/$release")
  done
  fixtures/shop/build.sh "${trees[@]}"
  # The images have it by now.
  rm -rf "$SHOP_TARGET_DIR"
}

fresh_images() { docker image ls --format '{{.Repository}}:{{.Tag}}' "$fresh/api"; }

# The command of the README, the same with a filter, and the list: each as a user types it.
suites() {
  cargo test --locked
  cargo test --locked health -- --env ephemeral
  cargo test --locked -- --env staging --list >/dev/null
}

# A sample of the forms and of the soak; the whole of both is run before a release.
products() {
  local gate=${CARGO_TARGET_DIR:-target}/debug/gate
  GATE=$(realpath "$gate") scripts/wild.sh 2-control-database 6-secret-from-a-variable 13-env-file-ignored 19-migrates-at-start 53-folders-that-services-write
  GATE=$(realpath "$gate") scripts/soak-promotions.sh 2
  GATE=$(realpath "$gate") scripts/soak-promotions.sh 1 --product migrated
  GATE=$(realpath "$gate") scripts/soak-promotions.sh 1 --product self
}

# The gate on the real stack: many stacks next to each other on few cores. Of proofs that fail there, at most two are
# repeated alone, with the whole output of both tries kept; one that passes then is listed in the table as unsteady: a
# fault to be found, of the proof or of what it proves. One that fails again fails the step.
proofs() {
  local code=0 failed
  # One more at a time than there are processors: each waits for containers a third of its time.
  cargo proof --locked -- --test-threads "$(($(nproc) + 1))" 2>&1 | tee "$work/proofs.log" || code=$?
  [ "$code" -ne 0 ] || return 0
  mapfile -t failed < <(failed_tests "$work/proofs.log")
  [ "${#failed[@]}" -ge 1 ] && [ "${#failed[@]}" -le 2 ] || return "$code"
  printf '==> repeated alone: %s\n' "${failed[*]}" >&2
  cargo proof --locked -- --exact --test-threads 1 "${failed[@]}" 2>&1 | tee "$work/repeated.log"
  # A repetition that ran nothing proves nothing.
  grep -q "^test result: ok. ${#failed[@]} passed" "$work/repeated.log"
  printf '%s\n' "${failed[@]}" >"$work/unsteady"
}

# Names of the tests that the last list in a log calls failed.
failed_tests() {
  awk '/^failures:$/ { list++; delete name; n = 0; next } list && /^    [a-z_0-9]+(::[a-z_0-9]+)*$/ { name[++n] = $1 }
    END { for (i = 1; i <= n; i++) print name[i] }' "$1"
}

# Takes away what a test that failed or was killed left; a test's stacks are named after its process.
tidy() {
  local code=$?
  [ -z "$lane" ] || { kill "$lane" 2>/dev/null; wait "$lane" 2>/dev/null; cat "$work/lane.log" >&2; } || true
  table
  fresh_images | xargs --no-run-if-empty docker image rm >/dev/null || true
  rm -rf "$work"
  [ "$keep" = no ] || exit "$code"
  local project
  for project in $(docker ps --all --quiet --filter label=com.docker.compose.project 2>/dev/null |
    xargs --no-run-if-empty docker inspect --format '{{index .Config.Labels "com.docker.compose.project"}}' |
    grep -E '^proof-[a-z0-9-]+-[0-9]+-(staging|production)$' | sort -u); do
    [ -e "/proc/$(sed -E 's/^proof-[a-z0-9-]+-([0-9]+)-.*/\1/' <<<"$project")" ] ||
      docker compose --project-name "$project" down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true
  done
  exit "$code"
}

instructions() {
  if command -v valgrind >/dev/null 2>&1; then
    scripts/instructions.sh
  else
    printf '    no valgrind here: instructions are not counted; scripts/setup.sh installs it\n' >&2
  fi
}

lane=''
trap tidy EXIT
if [ "$quick" = no ]; then
  scratch=$work/shop
  mkdir -p "$scratch"
  # Compiled code of the sample stack, of this run alone.
  export SHOP_TARGET_DIR=$scratch/target
  step 'tools' tools
  # The schema's proofs run on the oldest and the newest major, too.
  start 'images' images
  step 'build' build
  join
  # By itself: what it promotes is timed, and builds next to it would be measured with it.
  step 'the demo, short, without any image or compiled code of the sample stack' demo
fi
step 'unit tests' cargo unit --locked --quiet
step 'format and lints' lints
step 'docs' docs
step 'instructions of the hot paths' instructions
if [ "$quick" = no ]; then
  step 'images of the sample releases' releases
  step 'suites against the ephemeral environment' suites
  step 'products in the forms of other people, a sample' products
  step 'the first hour, as its page has it' env GATE="$root/target/debug/gate" scripts/try-docs.sh
  step 'the gate on the real stack' proofs
  step 'the gate under load, alone' cargo proof --locked -- --ignored --test-threads 1 alone_
fi
printf '==> all passed in %d s\n' $((SECONDS - begun)) >&2
