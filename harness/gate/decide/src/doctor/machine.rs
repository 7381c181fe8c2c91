//! The machine: Docker, programs, disks, rights, the clock.

use std::path::PathBuf;

use stagegate_base::units::Size;

use super::Entry;

/// The oldest Engine and Compose that the README names.
const OLDEST_ENGINE: (u64, u64) = (20, 10);
const OLDEST_COMPOSE: (u64, u64) = (2, 0);
/// Free bytes below which images, dumps and copies fail, and below which they soon may.
const FULL: u64 = 512 << 20;
const NEARLY_FULL: u64 = 4 << 30;
/// Seconds by which two clocks of one machine may differ: a request's time, rounded.
const CLOCKS_APART: i64 = 5;

/// The machine, as it was found.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The configuration file.
    pub configured: Configured,
    /// Docker Engine; else why it is not reachable.
    pub engine: Result<Engine, String>,
    /// The address at which it was looked for.
    pub address: String,
    /// Compose's version; else why it cannot be run.
    pub compose: Result<String, String>,
    /// Git's version; else why it cannot be run.
    pub git: Result<String, String>,
    /// The folder that holds the state of all environments.
    pub state: Folder,
    /// What only this configuration needs.
    pub programs: Vec<Program>,
    /// The repository of `restic` that backups keep volumes in.
    pub repository: Option<Repository>,
    /// The folder of PostgreSQL's server programs, with their major version.
    pub postgres: Option<String>,
    /// The clock.
    pub clock: Clock,
}

/// The configuration file.
#[derive(Clone, Debug)]
pub enum Configured {
    /// None was found in the current folder or above.
    Nowhere,
    /// It was read.
    Read(PathBuf),
    /// It cannot be used, and why.
    Broken(String),
}

/// Docker Engine.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Its version.
    pub version: String,
    /// The folder that it keeps images and volumes in.
    pub root: String,
    /// Free bytes there; `None` where it cannot be seen from here.
    pub free: Option<u64>,
}

/// A folder that is written to.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// Whether this user may write there, or make it where it does not exist.
    pub is_writable: bool,
    /// Whether users who are neither the owner nor of its group may write there.
    pub others_may_write: bool,
    /// Free bytes; `None` where it cannot be seen.
    pub free: Option<u64>,
}

/// A program that the configuration makes necessary.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub name: String,
    /// The key that makes it necessary.
    pub needed_by: String,
    /// Whether it is on the PATH.
    pub is_there: bool,
}

/// A repository of `restic`.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Where it is.
    pub place: String,
    /// Why it cannot be opened; `None` where it can.
    pub refused: Option<String>,
}

/// The clock, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// What it shows.
    pub now: i64,
    /// The commit that this program was built from; `None` where it is not known.
    pub built: Option<i64>,
    /// What the Engine's clock shows.
    pub engine: Option<i64>,
    /// Whether the system keeps it synchronised; `None` where it cannot be found out.
    pub is_synchronised: Option<bool>,
}

/// Returns an entry for each thing that every command needs of the machine.
#[must_use]
pub fn machine(facts: &Machine) -> Vec<Entry> {
    let mut entries = vec![configured(&facts.configured), engine(facts)];
    entries.push(versioned("compose", &facts.compose, OLDEST_COMPOSE, "install Docker Compose 2 or later"));
    entries.push(versioned("git", &facts.git, (0, 0), "install git: a release is a git commit"));
    if let Ok(engine) = &facts.engine {
        entries.push(disk("docker disk", &engine.root, engine.free, "docker system df; docker system prune"));
    }
    entries.push(state(&facts.state));
    let path = facts.state.path.display().to_string();
    entries.push(disk(
        "state disk",
        &path,
        facts.state.free,
        "gate purge, gate backup prune, or `state_dir` in [project]",
    ));
    entries.extend(facts.programs.iter().map(program));
    entries.extend(facts.repository.as_ref().map(repository));
    entries.push(postgres(facts));
    entries.push(clock(facts.clock));
    entries
}

fn configured(configured: &Configured) -> Entry {
    const SUBJECT: &str = "configuration";
    match configured {
        Configured::Read(path) => Entry::ok(SUBJECT, path.display().to_string()),
        Configured::Nowhere => {
            let found = "no stagegate.toml in this folder or above; only the machine is examined";
            Entry::warn(SUBJECT, found, "gate init")
        }
        Configured::Broken(why) => Entry::fail(SUBJECT, why, "correct it; gate config shows what it means"),
    }
}

fn engine(facts: &Machine) -> Entry {
    const SUBJECT: &str = "engine";
    let address = &facts.address;
    match &facts.engine {
        Ok(engine) if number(&engine.version).is_some_and(|found| found < OLDEST_ENGINE) => {
            Entry::fail(SUBJECT, format!("{} at {address}", engine.version), "install Docker Engine 20.10 or later")
        }
        Ok(engine) => Entry::ok(SUBJECT, format!("{} at {address}", engine.version)),
        Err(why) => Entry::fail(SUBJECT, format!("not reachable at {address}: {why}"), engine_fix(why, address)),
    }
}

fn engine_fix(why: &str, address: &str) -> &'static str {
    let why = why.to_lowercase();
    if why.contains("permission denied") {
        "sudo usermod -aG docker \"$USER\", then log in again"
    } else if !address.starts_with("unix:") {
        "correct or unset DOCKER_HOST"
    } else if why.contains("no such file") || why.contains("not found") {
        "install Docker Engine, or start it: sudo systemctl start docker"
    } else {
        "sudo systemctl start docker; docker version shows whether it runs"
    }
}

fn versioned(subject: &str, found: &Result<String, String>, oldest: (u64, u64), fix: &str) -> Entry {
    match found {
        Err(why) => Entry::fail(subject, why, fix),
        Ok(version) if number(version).is_some_and(|number| number < oldest) => Entry::fail(subject, version, fix),
        Ok(version) => Entry::ok(subject, version),
    }
}

/// Returns the first two numbers of a version such as `v2.29.1-desktop.1` or `git version 2.39.5`; `None` where it has none.
fn number(version: &str) -> Option<(u64, u64)> {
    let start = version.find(|c: char| c.is_ascii_digit())?;
    let mut parts = version[start..].split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next().and_then(|part| part.parse().ok()).unwrap_or_default()))
}

fn disk(subject: &str, path: &str, free: Option<u64>, fix: &str) -> Entry {
    match free {
        None => Entry::ok(subject, format!("{path}: not visible from here")),
        Some(free) if free < FULL => Entry::fail(subject, format!("{path}: {} free", Size(free)), fix),
        Some(free) if free < NEARLY_FULL => Entry::warn(subject, format!("{path}: {} free", Size(free)), fix),
        Some(free) => Entry::ok(subject, format!("{path}: {} free", Size(free))),
    }
}

fn state(folder: &Folder) -> Entry {
    const SUBJECT: &str = "state folder";
    let path = folder.path.display();
    if !folder.is_writable {
        let fix = format!("sudo install -d -m 700 -o \"$USER\" {path}, or set STAGEGATE_STATE_DIR");
        return Entry::fail(SUBJECT, format!("{path}: this user may not write there"), fix);
    }
    if folder.others_may_write {
        return Entry::warn(SUBJECT, format!("{path}: every user may write there"), format!("chmod o-w {path}"));
    }
    Entry::ok(SUBJECT, path.to_string())
}

fn program(program: &Program) -> Entry {
    let (name, by) = (&program.name, &program.needed_by);
    match program.is_there {
        true => Entry::ok(name, format!("installed, for {by}")),
        false => Entry::fail(name, format!("not on the PATH, and {by} needs it"), format!("install {name}")),
    }
}

fn repository(repository: &Repository) -> Entry {
    const SUBJECT: &str = "restic repository";
    match &repository.refused {
        None => Entry::ok(SUBJECT, format!("{} opens, for [backup.restic]", repository.place)),
        // Each reason names what to do.
        Some(why) => Entry::fail(SUBJECT, why, "correct [backup.restic]; `gate doctor` tries it again"),
    }
}

/// PostgreSQL's programs on the machine are needed only where no container can have a scratch server.
fn postgres(facts: &Machine) -> Entry {
    const SUBJECT: &str = "postgresql";
    match (&facts.postgres, &facts.engine) {
        (Some(found), _) => Entry::ok(SUBJECT, format!("{found}, for gate migrations check --scratch programs")),
        (None, Ok(_)) => Entry::ok(SUBJECT, "no programs on this machine; scratch servers run in containers"),
        (None, Err(_)) => {
            let found = "no programs on this machine, and no Docker for a scratch server";
            Entry::warn(SUBJECT, found, "install the package postgresql to run gate migrations check without Docker")
        }
    }
}

fn clock(clock: Clock) -> Entry {
    const SUBJECT: &str = "clock";
    const FIX: &str = "sudo timedatectl set-ntp true; certificates, backups and waivers depend on the time";
    if clock.built.is_some_and(|built| clock.now < built) {
        return Entry::fail(SUBJECT, "earlier than the commit that this gate was built from", FIX);
    }
    if let Some(apart) = clock.engine.map(|engine| (engine - clock.now).abs()).filter(|apart| *apart > CLOCKS_APART) {
        return Entry::warn(SUBJECT, format!("{apart} s apart from the clock of Docker's machine"), FIX);
    }
    match clock.is_synchronised {
        Some(true) => Entry::ok(SUBJECT, "synchronised"),
        Some(false) => Entry::warn(SUBJECT, "not synchronised", FIX),
        None => Entry::ok(SUBJECT, "plausible; whether it is synchronised is not known here"),
    }
}
