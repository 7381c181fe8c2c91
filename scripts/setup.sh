#!/usr/bin/env bash
# Prepares this machine to build the project and to run the sample stack. Safe to rerun at any time.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"

readonly min_engine=20.10 min_cargo=1.89
readonly compose_suite=trixie compose_package=docker-compose

usage() {
  cat <<'TEXT'
usage: scripts/setup.sh [--postgres LIST] [--no-images] [--sshd] [--registry] [--browser]

Checks Docker Engine, Compose v2 and the Rust toolchain, installs what is missing if possible (apt, and root or sudo without a password), provides
the images of the sample stack and writes their names to .stagegate/images.env.

  --postgres LIST   PostgreSQL major versions to provide in addition to 17, for example 15,17,18
  --no-images       check the tools only: no image is pulled or built, .stagegate/images.env stays as it is
  --sshd            also install openssh-server, for the proofs of hosts over SSH; its service is not started now, but after a reboot
  --registry        also install docker-registry, for the proofs of images that only a registry has; likewise
  --browser         also install Chromium, Fish, Elvish, python3 and curl, for the proofs of pages, completions and messages
  --help            print this text

Images come from a registry if one is reachable, else they are built from Debian packages (fixtures/images).
TEXT
}

main() {
  local majors=17 images=yes sshd=no registry=no browser=no
  while [ $# -gt 0 ]; do
    case $1 in
      --postgres) majors=${2:?--postgres needs a list such as 15,17,18}; shift ;;
      --postgres=*) majors=${1#*=} ;;
      --no-images) images=no ;;
      --sshd) sshd=yes ;;
      --registry) registry=yes ;;
      --browser) browser=yes ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; die "unknown option \`$1\`" ;;
    esac
    shift
  done
  check_engine
  check_compose
  check_toolchain
  [ "$sshd" = no ] || [ -x /usr/sbin/sshd ] || install_stopped openssh-server openssh-client || die "openssh-server could not be installed"
  [ "$registry" = no ] || [ -x /usr/bin/docker-registry ] || install_stopped docker-registry || die "docker-registry could not be installed"
  [ "$browser" = no ] || provide_browser
  [ "$images" = no ] || provide_images "$majors"
  say "ready"
}

# Installs packages without starting their services: the proofs start their own, on high ports of this machine.
# Source: Debian's invoke-rc.d(8): a policy that exits with 101 forbids it.
install_stopped() {
  local policy=/usr/sbin/policy-rc.d made=no code=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy"
    made=yes
  fi
  apt_install "$@" || code=$?
  [ "$made" = no ] || as_root rm -f "$policy"
  return "$code"
}

# A browser, whatever package it is of, and shells that the proofs of completions run.
provide_browser() {
  has chromium || has chromium-browser || has google-chrome || apt_install chromium || die "chromium could not be installed"
  has fish || apt_install fish || die "fish could not be installed"
  has elvish || apt_install elvish || die "elvish could not be installed"
  # Receivers of messages, and what requests pages: scripts/kill-see.sh.
  has python3 || apt_install python3 || die "python3 could not be installed"
  has curl || apt_install curl || die "curl could not be installed"
}

# --- Docker Engine

check_engine() {
  if ! has docker; then
    can_apt || die "docker is not installed" "Debian, Ubuntu: sudo apt-get install docker.io" "others: https://docs.docker.com/engine/install/"
    say "docker is not installed: installing docker.io"
    apt_install docker.io || die "docker.io could not be installed" "see https://docs.docker.com/engine/install/"
    as_root service docker start >/dev/null 2>&1 || true
    timeout 20 sh -c 'until docker version >/dev/null 2>&1; do sleep 0.5; done' || true
  fi
  local version
  version=$(docker version --format '{{.Server.Version}}' 2>&1) || die_unreachable "$version"
  at_least "$version" "$min_engine" || die "Docker Engine $version is too old: $min_engine or newer is needed"
  say "Docker Engine $version"
}

die_unreachable() {
  case $1 in
    *"permission denied"*)
      die "user $(id -un) may not talk to the Docker daemon" \
        "sudo usermod -aG docker $(id -un)   # then log in again; this group has root's rights" ;;
    *"Cannot connect"* | *"Is the docker daemon running"* | *"no such file"*)
      die "the Docker daemon is not running" \
        "with systemd: sudo systemctl start docker" "without:      sudo service docker start   # or: sudo dockerd &" ;;
    *) die "the Docker daemon is unreachable" "$1" ;;
  esac
}

# --- Docker Compose v2

check_compose() {
  local version
  if ! version=$(compose_version); then
    explain_compose_v1
    install_compose || die_no_compose
    version=$(compose_version) || die_no_compose
  fi
  at_least "$version" 2 || die_no_compose
  say "Docker Compose $version"
}

compose_version() {
  local version
  version=$(docker compose version --short 2>/dev/null) && [ -n "$version" ] && printf '%s\n' "${version#v}"
}

explain_compose_v1() {
  has docker-compose || return 0
  note "docker-compose on PATH is not used: v1 has no \`config --format json\` and renames containers while it recreates them"
}

die_no_compose() {
  die "Docker Compose v2 is missing (\`docker compose version\`)" \
    "Ubuntu:        sudo apt-get install docker-compose-v2" \
    "Docker's repo: sudo apt-get install docker-compose-plugin" \
    "others:        https://docs.docker.com/compose/install/linux/"
}

install_compose() {
  local package
  if can_apt; then
    # A fresh container has no package lists: nothing would have a candidate.
    compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null || as_root apt-get -qq update >&2 || true
    for package in docker-compose-v2 docker-compose-plugin; do
      has_candidate "$package" || continue
      apt_install "$package" && return 0
    done
  fi
  has dpkg-deb && has apt-get && compose_from_debian
}

has_candidate() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'; }

# Takes the plugin out of a newer Debian's package. The system's own apt sources and packages stay as they are.
compose_from_debian() {
  local mirror plugins work
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || return 1
  plugins=$HOME/.docker/cli-plugins
  if is_root; then plugins=/usr/local/lib/docker/cli-plugins; fi
  say "Docker Compose v2 is missing: taking it from Debian $compose_suite's package into $plugins"
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the value of now is meant
  trap "rm -rf '$work'" EXIT
  apt_of_suite "$work" "$mirror" || return 1
  dpkg-deb -x "$work"/"$compose_package"_*.deb "$work/tree"
  local binary=$work/tree/usr/libexec/docker/cli-plugins/docker-compose
  "$binary" version >/dev/null 2>&1 || { note "Debian $compose_suite's binary does not run here (it needs glibc 2.34 or newer)"; return 1; }
  install -D -m 0755 "$binary" "$plugins/docker-compose"
}

# Downloads the package with an apt that has its own directories and one signed source.
apt_of_suite() {
  local work=$1 mirror=$2 keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -e "$keyring" ] || { note "$keyring is missing: sudo apt-get install debian-archive-keyring"; return 1; }
  mkdir -p "$work"/{lists/partial,cache/archives/partial,parts}
  chmod -R a+rX "$work"
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$compose_suite" >"$work/sources.list"
  # Proxies and time limits are the machine's own; hooks are not taken over, some of them need root.
  apt-config dump | grep -E '^Acquire::(http|https|Retries|ForceIPv)' >"$work/apt.conf" || true
  cat >>"$work/apt.conf" <<CONF
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "$work/parts";
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "$work/parts";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "$work/parts";
Dir::State::Lists "$work/lists";
Dir::Cache "$work/cache";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
APT::Sandbox::User "";
CONF
  (
    export APT_CONFIG=$work/apt.conf
    cd "$work"
    apt-get -qq update >&2 && apt-get -qq download "$compose_package" >&2
  )
}

# --- Rust and what its build calls

check_toolchain() {
  if ! has git; then provide_package git git; fi
  if ! has cc; then provide_package cc gcc libc6-dev; fi
  # Tests of encrypted backups and of volumes in a repository run the real programs.
  if ! has age; then provide_package age age; fi
  if ! has restic; then provide_package restic restic; fi
  if ! has ssh-keygen; then provide_package ssh-keygen openssh-client; fi
  # Certificates and passwords of the stacks that scripts/seeded-faults.sh breaks.
  if ! has openssl; then offer_package openssl 'scripts/seeded-faults.sh needs it'; fi
  # Counts the instructions of the hot paths: scripts/instructions.sh.
  if ! has valgrind; then offer_package valgrind 'scripts/instructions.sh needs it, scripts/test.sh leaves that out'; fi
  has cargo || die "cargo is not installed" "https://rustup.rs, or: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
  local version
  version=$(cd "$root" && cargo --version | cut -d ' ' -f 2)
  at_least "$version" "$min_cargo" || die "cargo $version is too old: $min_cargo or newer is needed" "rustup update stable"
  say "cargo $version"
}

# Installs the packages that bring command $1.
provide_package() {
  local command=$1
  shift
  can_apt || die "\`$command\` is not installed" "Debian, Ubuntu: sudo apt-get install $*"
  say "$command is not installed: installing $*"
  apt_install "$@" || die "$* could not be installed"
}

# Installs a package that the sample stack does not need, where that can be done.
offer_package() {
  if can_apt && say "$1 is not installed: installing it" && apt_install "$1"; then return; fi
  note "$1 is not installed, and not needed for the sample stack: $2"
}

# --- images

provide_images() {
  "$root/fixtures/images/provide.sh" --postgres "$1"
  if [ -x "$root/fixtures/shop/build.sh" ]; then "$root/fixtures/shop/build.sh"; fi
}

main "$@"
