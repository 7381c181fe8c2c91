//! The copy of this program on a host: whether it can run there, and the script that receives it.

use crate::{
    FOLDER,
    facts::{Facts, version_of},
};

/// What this program needs of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The machine as `uname -m` names it.
    pub machine: String,
    /// The oldest glibc that it runs with; `None` where it needs none.
    pub libc: Option<(u32, u32)>,
}

impl Fit {
    /// Returns why this program cannot run on a host, and what to do; `None` where it can.
    #[must_use]
    pub fn refuses(&self, facts: &Facts) -> Option<(String, String)> {
        let (system, machine) = (facts.get("system").unwrap_or("unknown"), facts.get("machine").unwrap_or("unknown"));
        let other = |machine: &str| {
            format!("build or download gate for {machine} and install it there: `cargo install --path .`")
        };
        if system != "Linux" {
            return Some((format!("gate runs on Linux, and this is {system}"), "choose a host with Linux".to_owned()));
        }
        if machine != self.machine {
            return Some((format!("this program is for {}", self.machine), other(machine)));
        }
        if facts.get("bits") == Some("32") {
            return Some((
                "its programs are 32-bit, and this one is 64-bit".to_owned(),
                "install a 64-bit system there".to_owned(),
            ));
        }
        let (major, minor) = self.libc?;
        let libc = facts.get("libc").unwrap_or_default();
        let is_glibc = libc.starts_with("glibc") || libc.contains("GLIBC") || libc.contains("GNU libc");
        // `ldd (Debian GLIBC 2.36-9) 2.36`: the last word is the version.
        let found = libc.split(' ').next_back().and_then(version_of).filter(|_| is_glibc);
        if found.is_some_and(|found| found >= (major, minor)) {
            return None;
        }
        let reason = format!("this program needs glibc {major}.{minor} or newer");
        Some((reason, "upgrade the system there, or build gate on a system as old as it".to_owned()))
    }
}

/// Returns the machine that a program of the target `arch` runs on, as `uname -m` names it. `arch` is that of
/// `std::env::consts::ARCH`.
#[must_use]
pub fn machine_of(arch: &str) -> &str {
    match arch {
        "x86" => "i686",
        "arm" => "armv7l",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// Returns the newest version of glibc's symbols that a part of a program names; parts have to overlap by 32 bytes.
#[must_use]
pub fn libc_needed(part: &[u8]) -> Option<(u32, u32)> {
    let mut newest = None;
    let mut rest = part;
    while let Some(at) = symbol(rest) {
        rest = &rest[at + SYMBOL.len()..];
        let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.').unwrap_or(rest.len());
        let text = std::str::from_utf8(&rest[..end.min(16)]).unwrap_or_default();
        // A name that the part's end cut has no zero byte behind it, and is whole in the next part.
        if rest.get(end) == Some(&0) && text.contains('.') {
            newest = newest.max(version_of(text));
        }
    }
    newest
}

const SYMBOL: &[u8; 6] = b"GLIBC_";

/// Finds the first such name. It looks at each sixth byte only: programs are large, and builds for tests are slow.
fn symbol(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(last) = bytes.get(at + 5) {
        at += match last {
            b'_' if bytes[at..at + 6] == *SYMBOL => return Some(at),
            b'C' => 1,
            b'B' => 2,
            b'I' => 3,
            b'L' => 4,
            b'G' => 5,
            _ => 6,
        };
    }
    None
}

/// Returns the script that receives the program on standard input: under a temporary name, hashed, run once, and only then
/// at its place. Earlier ones stay: a run may be using them.
///
/// `hash` is the SHA-256 in hexadecimal digits, `unpack` the program that unpacks (`zstd -dc`, `gzip -dc`, `cat`).
/// It prints `status=` with 0, and else the reason before it.
#[must_use]
pub fn receive_binary(hash: &str, unpack: &str) -> String {
    RECEIVE.replace("FOLDER", FOLDER).replace("HASH", hash).replace("UNPACK", unpack)
}

const RECEIVE: &str = r#"(
set -e
umask 077
d="$HOME/FOLDER/bin"
mkdir -p "$d/HASH"
t="$d/HASH/.gate.$$"
trap 'rm -f "$t" "$d/.current.$$"' EXIT
UNPACK >"$t"
got=$(sha256sum <"$t" | cut -d' ' -f1)
if [ "$got" != HASH ]; then echo "the copy is damaged: SHA-256 $got"; exit 1; fi
chmod 700 "$t"
sync "$t" 2>/dev/null || sync
"$t" version --json </dev/null >/dev/null
mv -f "$t" "$d/HASH/gate"
printf '%s' HASH >"$d/.current.$$"
mv -f "$d/.current.$$" "$d/current"
sync "$d" 2>/dev/null || sync
) 2>&1
printf '\nstatus=%s\n' "$?"
cat >/dev/null"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_symbol_decides_and_a_cut_one_is_left_to_the_next_part() {
        let bytes = b"\0GLIBC_2.17\0memcpy\0GLIBC_2.34\0GLIBC_PRIVATE\0GLIBC_2.4\0";
        assert_eq!(libc_needed(bytes), Some((2, 34)));
        assert_eq!(libc_needed(b"x\0GLIBC_2.3"), None);
        assert_eq!(libc_needed(b"static"), None);
    }

    #[test]
    fn a_program_that_needs_no_glibc_runs_with_musl() {
        let facts = crate::facts("system=Linux\nmachine=x86_64\nbits=64\nlibc=musl libc (x86_64)\n");
        let fit = |libc| Fit { machine: "x86_64".to_owned(), libc };
        assert_eq!(fit(None).refuses(&facts), None);
        assert!(fit(Some((2, 17))).refuses(&facts).is_some());
        let old = crate::facts("system=Linux\nmachine=x86_64\nlibc=ldd (Ubuntu GLIBC 2.31-0ubuntu9) 2.31\n");
        assert!(fit(Some((2, 34))).refuses(&old).is_some() && fit(Some((2, 31))).refuses(&old).is_none());
    }
}
