#!/usr/bin/env bash
# All set-up and all tests: format, lints, unit tests, docs, the suites against a throw-away copy of the sample
# stack, and the gate on the real thing. usage: scripts/test.sh [--keep] [--quick]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

usage() {
  cat <<'TEXT'
usage: scripts/test.sh [--keep] [--quick]
  --keep   leave what a failed test brought up, to look at
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

# A name that no image has yet.
fresh=stagegate-shop-$$
begun=$SECONDS
step() {
  local title=$1 from=$SECONDS
  shift
  printf '==> %s\n' "$title" >&2
  "$@"
  printf '==> %s: %d s (%d s in all)\n' "$title" $((SECONDS - from)) $((SECONDS - begun)) >&2
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
}

fresh_images() { docker image ls --format '{{.Repository}}:{{.Tag}}' "$fresh/api"; }

# The command of the README, the same with a filter, and the list: each as a user types it.
suites() {
  cargo test --locked
  cargo test --locked health -- --env ephemeral
  cargo test --locked -- --env staging --list >/dev/null
}

# Takes away what a test that failed or was killed left; a test's stacks are named after its process.
tidy() {
  fresh_images | xargs --no-run-if-empty docker image rm >/dev/null
  rm -rf "$scratch"
  [ "$keep" = no ] || return 0
  local project
  for project in $(docker ps --all --quiet --filter label=com.docker.compose.project |
    xargs --no-run-if-empty docker inspect --format '{{index .Config.Labels "com.docker.compose.project"}}' |
    grep -E '^proof-[a-z-]+-[0-9]+-(staging|production)$' | sort -u); do
    [ -e "/proc/$(sed -E 's/^proof-[a-z-]+-([0-9]+)-.*/\1/' <<<"$project")" ] ||
      docker compose --project-name "$project" down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true
  done
}

if [ "$quick" = no ]; then
  scratch=$(mktemp -d)
  trap tidy EXIT
  # Compiled code of the sample stack, of this run alone.
  export SHOP_TARGET_DIR=$scratch/target
  # The schema's proofs run on the oldest and the newest major, too.
  step 'set-up' scripts/setup.sh --postgres 15,17,18
fi
step 'format and lints' lints
step 'unit tests' cargo unit --locked --quiet
step 'docs' docs
if command -v valgrind >/dev/null 2>&1; then
  step 'instructions of the hot paths' scripts/instructions.sh
else
  printf '==> no valgrind here: instructions are not counted; scripts/setup.sh installs it\n' >&2
fi
if [ "$quick" = no ]; then
  step 'build' cargo build --workspace --locked --quiet
  step 'the demo, short, without any image or compiled code of the sample stack' demo
  step 'images of the sample releases' releases
  step 'suites against a throw-away copy' suites
  step 'the gate on the real stack' cargo proof --locked
  step 'the gate under load, alone' cargo proof --locked -- --ignored --test-threads 1 alone_
fi
printf '==> all passed in %d s\n' $((SECONDS - begun)) >&2
