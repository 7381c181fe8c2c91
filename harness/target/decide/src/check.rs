//! Whether a host can run the gate: one script, its facts, and what follows from them.

use stagegate_base::units::Size;

use crate::{
    FOLDER, PROTOCOL,
    binary::Fit,
    facts::{Facts, version_of},
};

/// The oldest Engine that the gate works with.
const ENGINE: (u32, u32) = (20, 10);
/// What a copy of the program, and releases, need in the home.
const HOME_FREE: u64 = 1 << 30;
/// Images and copies of databases are kept there.
const DOCKER_FREE: u64 = 5 << 30;
/// Times in journals and reports are the host's.
const SKEW_SECONDS: f64 = 2.0;

/// Whether something about a host is as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is.
    Ok,
    /// It should be otherwise, and runs are possible.
    Warning,
    /// No run is possible.
    Blocked,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HostFinding {
    /// What.
    pub check: &'static str,
    /// Whether it is as it must be.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do; empty where nothing is.
    pub fix: String,
}

/// Returns the script: POSIX sh, without a program that a small host has not. It changes nothing but for a file that it
/// makes and removes, to see whether the home can be written and executed.
#[must_use]
pub fn check_script() -> String {
    SCRIPT.replace("FOLDER", FOLDER)
}

const SCRIPT: &str = r#"LC_ALL=C; export LC_ALL
v() { printf '%s=%s\n' "$1" "$(printf '%s' "$2" | tr '\n\r' '  ')"; }
t() { if command -v timeout >/dev/null 2>&1; then timeout 10 "$@" </dev/null; else "$@" </dev/null; fi; }
v now "$(date +%s.%N)"
v user "$(id -un)"
v uid "$(id -u)"
v home "$HOME"
v system "$(uname -s)"
v machine "$(uname -m)"
v bits "$(getconf LONG_BIT 2>/dev/null)"
v libc "$(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | head -n 1)"
p=
for c in docker git sha256sum zstd gzip timeout; do command -v "$c" >/dev/null 2>&1 && p="$p $c"; done
v programs "${p# }"
if o=$(t docker version --format '{{.Server.Version}}' 2>&1); then v docker "$o"; else v docker_error "$o"; fi
if o=$(t docker compose version --short 2>&1); then v compose "$o"; else v compose_error "$o"; fi
v git "$(t git --version 2>&1)"
v home_free_kib "$(df -Pk "$HOME" 2>/dev/null | awk 'NR==2 {print $4}')"
r=$(t docker info --format '{{.DockerRootDir}}' 2>/dev/null)
[ -n "$r" ] && v docker_free_kib "$(df -Pk "$r" 2>/dev/null | awk 'NR==2 {print $4}')"
d="$HOME/FOLDER/bin"
w="$d"; [ -d "$w" ] || w="$HOME"
f="$w/.stagegate-probe.$$"
if (umask 077; printf '#!/bin/sh\nexit 0\n' >"$f") 2>/dev/null; then
  v writable yes
  chmod 700 "$f" && "$f" 2>/dev/null </dev/null && v executable yes
  rm -f "$f"
fi
[ -d /run/systemd/system ] && v systemd yes
v kills_sessions "$(t busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager KillUserProcesses 2>/dev/null)"
h=$(cat "$d/current" 2>/dev/null)
if [ -n "$h" ]; then
  v gate_hash "$h"
  if o=$(t "$d/$h/gate" version --json 2>&1); then v gate "$o"; else v gate_error "$o"; fi
fi"#;

/// What this machine has, to be compared with the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Here {
    /// What the copy of this program needs.
    pub fit: Fit,
    /// The SHA-256 of this program.
    pub hash: String,
    /// Seconds since 1970 in the middle of the exchange.
    pub now: f64,
    /// How long the exchange took, in seconds.
    pub took: f64,
    /// The environment, for the commands that are named.
    pub environment: String,
}

/// Returns what was found, the things that stop a run among them.
#[must_use]
pub fn findings(facts: &Facts, here: &Here) -> Vec<HostFinding> {
    vec![
        machine(facts, here),
        docker(facts),
        compose(facts),
        git(facts),
        home(facts),
        disk(facts),
        clock(facts, here),
        sessions(facts),
        gate(facts, here),
    ]
}

fn finding(check: &'static str, state: State, found: impl Into<String>, fix: impl Into<String>) -> HostFinding {
    HostFinding { check, state, found: found.into(), fix: fix.into() }
}

fn machine(facts: &Facts, here: &Here) -> HostFinding {
    let found = format!(
        "{} {}, {}",
        facts.get("system").unwrap_or("unknown system"),
        facts.get("machine").unwrap_or("unknown machine"),
        facts.get("libc").unwrap_or("unknown libc")
    );
    match here.fit.refuses(facts) {
        None => finding("machine", State::Ok, found, ""),
        Some((reason, fix)) => finding("machine", State::Blocked, format!("{found}: {reason}"), fix),
    }
}

fn docker(facts: &Facts) -> HostFinding {
    let check = "docker";
    if let Some(version) = facts.get("docker") {
        return if version_of(version).is_some_and(|found| found < ENGINE) {
            let text = format!("Engine {version}, 20.10 or newer is needed");
            finding(check, State::Blocked, text, "upgrade Docker Engine there")
        } else {
            finding(check, State::Ok, format!("Engine {version}"), "")
        };
    }
    let user = facts.get("user").unwrap_or("the user");
    if !facts.has("docker") {
        return finding(
            check,
            State::Blocked,
            "docker is not on the PATH of a login over SSH",
            "install Docker Engine there",
        );
    }
    let error = facts.get("docker_error").unwrap_or("no message");
    let lower = error.to_lowercase();
    let fix = if lower.contains("permission denied") {
        format!(
            "`sudo usermod -aG docker {user}` there (this group has root's rights), or set up rootless Docker for {user}"
        )
    } else if lower.contains("cannot connect") || lower.contains("no such file") {
        "start Docker there: `sudo systemctl start docker`; for rootless Docker set DOCKER_HOST in the user's environment".to_owned()
    } else {
        "`docker version` must work there".to_owned()
    };
    finding(check, State::Blocked, format!("{user} cannot use Docker: {error}"), fix)
}

fn compose(facts: &Facts) -> HostFinding {
    let fix = "install Compose v2 there: the package docker-compose-v2 or docker-compose-plugin";
    match facts.get("compose") {
        Some(version) if version_of(version).is_some_and(|(major, _)| major >= 2) => {
            finding("compose", State::Ok, version, "")
        }
        Some(version) => finding("compose", State::Blocked, format!("version {version}, 2 or newer is needed"), fix),
        None => {
            let error = facts.get("compose_error").unwrap_or("no message");
            finding("compose", State::Blocked, format!("`docker compose version` fails: {error}"), fix)
        }
    }
}

fn git(facts: &Facts) -> HostFinding {
    match facts.get("git").filter(|text| text.starts_with("git version")) {
        Some(text) => finding("git", State::Ok, text, ""),
        None => finding("git", State::Blocked, "git is not there; releases are git commits", "install git there"),
    }
}

fn home(facts: &Facts) -> HostFinding {
    let home = facts.get("home").unwrap_or("the home");
    if facts.get("writable").is_none() {
        return finding("home", State::Blocked, format!("{home} cannot be written"), "give the user a writable home");
    }
    if facts.get("executable").is_none() {
        let fix = "mount the home without `noexec`, or log in as a user whose home is not";
        return finding("home", State::Blocked, format!("programs in {home} cannot be executed"), fix);
    }
    finding("home", State::Ok, format!("{home} can be written and executed"), "")
}

fn disk(facts: &Facts) -> HostFinding {
    let free = |name| facts.get(name).and_then(|text| text.parse::<u64>().ok()).map(|kib| kib << 10);
    let (home, docker) = (free("home_free_kib"), free("docker_free_kib"));
    let shown = |size: Option<u64>| size.map_or("unknown".to_owned(), |size| Size(size).to_string());
    let found = format!("{} free in the home, {} for Docker", shown(home), shown(docker));
    let fix = "free space there: `docker system df` and `docker image prune` show and remove what no container uses";
    let state = match (home, docker) {
        (Some(home), _) if home < HOME_FREE / 4 => State::Blocked,
        (Some(home), _) if home < HOME_FREE => State::Warning,
        (_, Some(docker)) if docker < DOCKER_FREE => State::Warning,
        _ => State::Ok,
    };
    finding("disk", state, found, if state == State::Ok { "" } else { fix })
}

/// The host read its clock at some moment of the exchange: half of its time is not known.
fn clock(facts: &Facts, here: &Here) -> HostFinding {
    let seconds = |text: &str| text.trim_end_matches(['N', '%', '.']).parse::<f64>().ok();
    let Some(there) = facts.get("now").and_then(seconds) else {
        return finding("clock", State::Warning, "the host's clock could not be read", "`date +%s` must work there");
    };
    let skew = there - here.now;
    if skew.abs() <= SKEW_SECONDS + here.took / 2.0 {
        return finding("clock", State::Ok, "not more than 2 s from this machine's", "");
    }
    let word = if skew > 0.0 { "ahead of" } else { "behind" };
    let found = format!("{:.0} s {word} this machine's: times in its journals are off, and TLS may fail", skew.abs());
    finding("clock", State::Warning, found, "synchronize it there: `timedatectl set-ntp true`")
}

/// Tells how a run outlives its login.
fn sessions(facts: &Facts) -> HostFinding {
    let is_root = facts.get("uid") == Some("0");
    match (facts.get("systemd"), is_root) {
        (Some(_), true) => finding("runs", State::Ok, "as transient units of systemd", ""),
        (Some(_), false) if facts.get("kills_sessions") == Some("b true") => {
            let fix = "`loginctl enable-linger` alone does not help; set KillUserProcesses=no in /etc/systemd/logind.conf there";
            finding("runs", State::Blocked, "systemd-logind kills a user's processes at the end of the login", fix)
        }
        (Some(_), false) => finding("runs", State::Ok, "in sessions of their own, under systemd", ""),
        (None, _) => finding("runs", State::Ok, "in sessions of their own; systemd does not run there", ""),
    }
}

fn gate(facts: &Facts, here: &Here) -> HostFinding {
    let (check, name) = ("gate", &here.environment);
    let Some(hash) = facts.get("gate_hash") else {
        return finding(check, State::Warning, "not there yet", format!("`gate host add {name}` copies this program"));
    };
    let upgrade = format!("`gate host upgrade {name}` copies this program");
    if let Some(error) = facts.get("gate_error") {
        return finding(check, State::Blocked, format!("the copy does not run: {error}"), upgrade);
    }
    let value: serde_json::Value =
        facts.get("gate").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let version = value["version"].as_str().unwrap_or("unknown");
    let protocol = value["host_protocol"].as_u64().unwrap_or_default();
    let own = u64::from(PROTOCOL);
    if protocol > own {
        let text = format!("{version} speaks protocol {protocol} and this program {own}: this one is older");
        return finding(check, State::Blocked, text, "install the newer gate on this machine");
    }
    if protocol < own {
        return finding(
            check,
            State::Blocked,
            format!("{version} speaks protocol {protocol}, {own} is needed"),
            upgrade,
        );
    }
    if hash == here.hash {
        return finding(check, State::Ok, format!("{version}, the same program as here (protocol {protocol})"), "");
    }
    let text = format!("{version}, another build than here (protocol {protocol})");
    finding(check, State::Ok, text, upgrade)
}

#[cfg(test)]
mod tests;
