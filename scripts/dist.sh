#!/usr/bin/env bash
# Builds what a release ships: archives, a Debian package and their checksums, in dist/.
#
# usage: scripts/dist.sh [--target TRIPLE] [--static] [--gate FILE] [--image NAME [--base IMAGE]]
#   --target TRIPLE  what to build for; this machine where it is not given
#   --static         link glibc into the program: an archive TRIPLE-static that needs no library, for where no musl target is installed
#   --gate FILE      pack this program, and build none
#   --image NAME     also build a container image of that name from the Debian package
#   --base IMAGE     the Debian image that it is built from (debian:trixie-slim)
#
# The same program gives the same package: times are those of the commit (SOURCE_DATE_EPOCH), owners are root.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
cd "$root"

# The largest program that is shipped, and how long it may take to print its version.
# 28.2 MB with watching, messages, hosts, rollouts, restic and traces: 19.9 of code, 4.4 of unwinding tables, by which a check that
# panics is a broken check, 2.6 of constants. What grows beyond is looked at before it is shipped.
readonly limit_bytes=$((29 * 1000 * 1000)) limit_ms=10

target='' static='' gate='' image='' base=debian:trixie-slim
while [ $# -gt 0 ]; do
  case $1 in
    --target) target=${2:?--target needs a triple}; shift ;;
    --static) static=-static ;;
    --gate) gate=${2:?--gate needs a file}; shift ;;
    --image) image=${2:?--image needs a name}; shift ;;
    --base) base=${2:?--base needs an image}; shift ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) die "unknown option \`$1\`" "scripts/dist.sh --help" ;;
  esac
  shift
done

target=${target:-$(rustc -vV | sed -n 's/^host: //p')}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
target_dir=${CARGO_TARGET_DIR:-$root/target}
dist=$root/dist
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export LC_ALL=C TZ=UTC
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Builds the program. Its panics and errors name files: `stagegate/..` and `cargo/..` in place of this machine's folders.
build() {
  local s=$'\x1f' link=()
  # Rust brings LLD for this target: functions whose code is the same are stored once.
  case $target in x86_64-*-linux-gnu) link=("-Clink-arg=-Wl,--icf=all") ;; esac
  # Decided at the last link: what was compiled for the other program is used again.
  [ -z "$static" ] || link+=(-Ctarget-feature=+crt-static)
  CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$root=stagegate${s}--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo${s}--remap-path-prefix=$target_dir=target" \
    cargo rustc --profile dist --locked --bin gate --target "$target" -- "${link[@]}"
  gate=$target_dir/$target/dist/gate
}

# Fails where the program is not what a release promises: small, quick to start, without folders of this machine.
verify() {
  local bytes found from to limit=$limit_bytes
  # glibc is inside.
  [ -z "$static" ] || limit=$((limit + 1500 * 1000))
  bytes=$(stat -c %s "$gate")
  [ "$bytes" -le "$limit" ] || die "$gate has $bytes bytes, and $limit are the limit"
  found=$(grep -aoF -e "$root/" -e "${CARGO_HOME:-$HOME/.cargo}/" -e "$target_dir/" "$gate" | sort -u || true)
  [ -z "$found" ] || die "$gate holds paths of the machine that built it" "$found"
  from=$(date +%s%N)
  for _ in 1 2 3 4 5 6 7 8 9 10; do "$gate" version >/dev/null; done
  to=$(date +%s%N)
  say "gate: $bytes bytes, starts in $(((to - from) / 10000)) µs"
  # A busy machine starts nothing quickly: reported, not refused.
  [ $(((to - from) / 10000000)) -lt "$limit_ms" ] || note "it took more than $limit_ms ms to start"
}

# Writes completions and manual pages into a folder, by the program and by a program of the same commands.
documents() {
  local into=$1
  mkdir -p "$into/completions"
  "$gate" completions bash >"$into/completions/gate.bash"
  "$gate" completions zsh >"$into/completions/_gate"
  "$gate" completions fish >"$into/completions/gate.fish"
  # With the whole workspace, so that what tests have built is used again.
  cargo build --quiet --workspace --locked --example man
  "$target_dir/debug/examples/man" "$into/man"
}

# Packs a folder: the same files give the same archive.
pack() {
  local folder=$1 archive=$2
  tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go-w -C "$work" -cf - "$folder" |
    gzip -9n >"$archive"
}

archive() {
  local name=stagegate-$version-$target$static folder=$work/stagegate-$version-$target$static
  mkdir -p "$folder"
  install -m 755 "$gate" "$folder/gate"
  install -m 644 LICENSE-MIT LICENSE-APACHE README.md CHANGELOG.md "$folder/"
  cp -r "$work/documents/completions" "$work/documents/man" "$folder/"
  pack "$name" "$dist/$name.tar.gz"
}

# Prints the packages that the program's libraries come from. A static one needs none.
depends() {
  local glibc
  glibc=$(grep -aoE 'GLIBC_2\.[0-9]+' "$gate" | sed 's/GLIBC_//' | sort -uV | tail -n 1)
  [ -n "$glibc" ] || return 0
  printf 'Depends: libc6 (>= %s)' "$glibc"
  ! grep -aqF libgcc_s.so.1 "$gate" || printf ', libgcc-s1'
  printf '\n'
}

architecture() {
  case $target in
    x86_64-*) echo amd64 ;;
    aarch64-*) echo arm64 ;;
    *) die "$target has no Debian architecture here" ;;
  esac
}

# Fills the tree of the Debian package.
debian_tree() {
  local tree=$1 share=$1/usr/share
  mkdir -p "$tree/DEBIAN" "$tree/usr/bin" "$share/doc/stagegate" "$share/man/man1" \
    "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
  install -m 755 "$gate" "$tree/usr/bin/gate"
  install -m 644 "$work/documents/completions/gate.bash" "$share/bash-completion/completions/gate"
  install -m 644 "$work/documents/completions/_gate" "$share/zsh/vendor-completions/_gate"
  install -m 644 "$work/documents/completions/gate.fish" "$share/fish/vendor_completions.d/gate.fish"
  install -m 644 "$work"/documents/man/*.1 "$share/man/man1/"
  install -m 644 README.md "$share/doc/stagegate/README.md"
  gzip -9nc CHANGELOG.md >"$share/doc/stagegate/changelog.gz"
  gzip -9n "$share"/man/man1/*.1
  {
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: stagegate\n'
    printf 'Source: https://github.com/stagegate/stagegate\n\nFiles: *\nCopyright: the stagegate contributors\nLicense: Expat or Apache-2.0\n\n'
    printf 'License: Expat\n'
    sed 's/^$/./; s/^/ /' LICENSE-MIT
    printf '\nLicense: Apache-2.0\n On Debian systems, the text is in /usr/share/common-licenses/Apache-2.0.\n'
  } >"$share/doc/stagegate/copyright"
  {
    printf 'Package: stagegate\nVersion: %s\nArchitecture: %s\nSection: admin\nPriority: optional\n' "$version" "$(architecture)"
    printf 'Maintainer: The stagegate contributors <stagegate@users.noreply.github.com>\n'
    printf 'Homepage: https://github.com/stagegate/stagegate\nInstalled-Size: %s\n' "$(du -k --apparent-size -s "$tree/usr" | cut -f 1)"
    depends
    # Each list begins with Docker's own package; Debian's have other names.
    printf 'Recommends: docker-ce-cli | docker-cli | docker.io, docker-compose-plugin | docker-compose (>= 2), git\n'
    printf 'Suggests: postgresql, age, rclone\n'
    printf 'Description: promotion gate for Docker Compose and PostgreSQL\n'
    printf ' Checks Docker Compose environments and gates releases between them: a release\n'
    printf ' that breaks the API, loses rows in a migration, or turns unhealthy on\n'
    printf ' production data is blocked, or rolled back with code, configuration and data.\n'
  } >"$tree/DEBIAN/control"
  (cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
  chmod -R u+rwX,go+rX,go-w "$tree"
}

# Builds the package twice from trees of its own: two builds that differ depend on more than the commit.
debian_package() {
  local name file
  has dpkg-deb || { note "dpkg-deb is not installed: no Debian package"; return; }
  # The static program is for where there is no such glibc; it takes the place of no package.
  [[ $target$static == *-gnu ]] || return 0
  name=stagegate_${version}_$(architecture).deb
  for file in first second; do
    debian_tree "$work/$file"
    dpkg-deb --build --root-owner-group "$work/$file" "$work/$file.deb" >/dev/null
  done
  cmp "$work/first.deb" "$work/second.deb" || die "two builds of $name differ"
  mv "$work/first.deb" "$dist/$name"
}

container_image() {
  mkdir -p "$work/image"
  cp "$dist/stagegate_${version}_$(architecture).deb" "$work/image/stagegate.deb"
  # The legacy builder serves every engine since 20.10; BuildKit is not there where buildx is missing.
  DOCKER_BUILDKIT=0 docker build --force-rm --quiet --tag "$image" --build-arg "BASE=$base" --build-arg "VERSION=$version" \
    --file "$root/scripts/image.Dockerfile" "$work/image" >/dev/null
}

if [ -z "$gate" ]; then build; fi
verify
mkdir -p "$dist"
documents "$work/documents"
archive
debian_package
if [ -n "$image" ]; then container_image; fi
(cd "$dist" && shopt -s nullglob && sha256sum -- *.tar.gz *.deb >SHA256SUMS)
say "in dist:"
(cd "$dist" && du -h --apparent-size -- * >&2)
