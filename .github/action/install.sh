#!/usr/bin/env bash
# Puts `gate` on the PATH of the steps that follow: a released version with its checksum, a build of the action's commit, or
# the one that is there. In: GATE_VERSION, GATE_CHECKSUM; GITHUB_PATH, GITHUB_ACTION_PATH, RUNNER_TEMP of the runner.
set -euo pipefail

version=${GATE_VERSION:-path}
downloads=${GATE_DOWNLOADS:-https://github.com/stagegate/stagegate/releases/download}

# Ends the step with an annotation and the exit code for usage and configuration.
refuse() {
  printf '::error title=stagegate::%s\n' "$1"
  exit 2
}

build() {
  command -v cargo >/dev/null || refuse 'version: checkout needs cargo on the runner; set a version and its checksum'
  cargo build --release --locked --bin gate --manifest-path "$GITHUB_ACTION_PATH/Cargo.toml"
  echo "${CARGO_TARGET_DIR:-$GITHUB_ACTION_PATH/target}/release" >>"$GITHUB_PATH"
}

download() {
  local target archive folder=$RUNNER_TEMP/stagegate-$version found
  [[ $version =~ ^[0-9]+(\.[0-9]+){2}[0-9A-Za-z.-]*$ ]] || refuse "version \`$version\` is none; expected one such as 0.1.0, \`checkout\` or \`path\`"
  [[ ${GATE_CHECKSUM:-} =~ ^[0-9a-f]{64}$ ]] || refuse "checksum: expected the 64 hexadecimal digits that SHA256SUMS of release v$version has"
  target=$(uname -m)-unknown-linux-gnu
  archive=stagegate-$version-$target.tar.gz
  mkdir -p "$folder"
  curl --fail --silent --show-error --location --proto '=https,file' --retry 3 --output "$folder/$archive" "$downloads/v$version/$archive" ||
    refuse "$archive cannot be downloaded from $downloads/v$version"
  found=$(sha256sum "$folder/$archive" | cut -d ' ' -f 1)
  # Nothing of it is unpacked before it is known to be what was meant.
  if [ "$found" != "$GATE_CHECKSUM" ]; then
    rm -f "$folder/$archive"
    refuse "$archive has the checksum $found, expected $GATE_CHECKSUM; it was not installed"
  fi
  tar -xzf "$folder/$archive" -C "$folder" --strip-components 1 --no-same-owner
  echo "$folder" >>"$GITHUB_PATH"
  "$folder/gate" version
}

case $version in
  path) command -v gate >/dev/null || refuse 'gate is not on the PATH of this runner; set version and checksum, or version: checkout' ;;
  checkout) build ;;
  *) download ;;
esac
