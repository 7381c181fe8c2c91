//! One environment: its host, workdir, env files, what Compose makes of them, and what would refuse a promotion.

use std::path::PathBuf;

use stagegate_base::text::counted;

use super::Entry;

/// An environment, as it was found.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// The kind of machine that it is for, where this machine is of another kind.
    pub elsewhere: Option<String>,
    /// Its workdir.
    pub workdir: Workdir,
    /// Its env files, in the order in which they count.
    pub env_files: Vec<EnvFile>,
    /// What Compose makes of its files; `None` where a file is missing, so that Compose was not run.
    pub files: Option<Files>,
    /// Variables of this shell that the compose files use, and that Compose does not get.
    pub ignored: Vec<String>,
    /// Databases with tables that `[databases]` does not list.
    pub unlisted: Vec<Unlisted>,
    /// What would refuse a promotion into it.
    pub promotion: Promotion,
}

/// A database that is in no backup and no rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// The service of its server.
    pub service: String,
    /// Its name.
    pub database: String,
    /// How many tables it has.
    pub tables: i64,
}

/// The folder that an environment's release is checked out in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workdir {
    /// The folder.
    pub path: PathBuf,
    /// Whether it exists.
    pub exists: bool,
    /// Whether this user may write there.
    pub is_writable: bool,
}

/// An env file.
#[derive(Clone, Debug)]
pub struct EnvFile {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Option<Problem>,
}

/// What is wrong with an env file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It does not exist.
    Missing,
    /// It cannot be read, and why.
    Unreadable(String),
    /// Every user of the machine may read it, and it holds a secret.
    OthersMayRead,
}

/// What Compose makes of an environment's files.
#[derive(Clone, Debug)]
pub enum Files {
    /// It reads them.
    Read {
        /// How many services they have.
        services: usize,
        /// Variables that they use and that no env file sets.
        unset: Vec<String>,
    },
    /// It refuses them, and why, with the way out.
    Refused(String),
}

/// What would refuse a promotion into an environment.
#[derive(Clone, Debug)]
pub enum Promotion {
    /// It was not examined: Docker is not reachable, the files cannot be read, or nothing is promoted there.
    NotExamined,
    /// Nothing runs there, so that a first release has to be started.
    NothingRuns,
    /// The reasons; none where a promotion may begin.
    Refusals(Vec<String>),
    /// The facts cannot be gathered, and why.
    Unknown(String),
}

/// Returns an entry for each thing that commands need of an environment.
#[must_use]
pub fn environment(facts: &Environment) -> Vec<Entry> {
    if let Some(kind) = &facts.elsewhere {
        return vec![Entry::ok("host", format!("for a {kind}, which this machine is not; not examined"))];
    }
    let mut entries = vec![workdir(facts)];
    entries.extend(facts.env_files.iter().map(env_file));
    if let Some(found) = &facts.files {
        entries.extend(files(facts, found));
    }
    if !facts.ignored.is_empty() {
        let found =
            format!("{} of this shell ignored: {}", counted(facts.ignored.len(), "variable"), facts.ignored.join(", "));
        entries.push(Entry::warn("variables", found, format!("write them into {} if they are meant", into(facts))));
    }
    entries.extend(facts.unlisted.iter().map(unlisted));
    entries.extend(promotion(&facts.name, &facts.promotion));
    entries
}

fn unlisted(Unlisted { service, database, tables }: &Unlisted) -> Entry {
    let found = format!("`{database}` of {service} ({}) is in no backup and no rollback", counted(*tables, "table"));
    let fix = format!(
        "add `[databases.NAME]` with `service = \"{service}\"` and `name = \"{database}\"` to stagegate.toml, if it holds data of the product"
    );
    Entry::warn("databases", found, fix)
}

fn workdir(facts: &Environment) -> Entry {
    const SUBJECT: &str = "workdir";
    let path = facts.workdir.path.display();
    match &facts.workdir {
        Workdir { exists: false, .. } => {
            let fix = format!("gate up --env {} --release REV creates it", facts.name);
            Entry::warn(SUBJECT, format!("{path} does not exist"), fix)
        }
        Workdir { is_writable: false, .. } => {
            let fix = format!("sudo chown -R \"$USER\" {path}: gate checks releases out there");
            Entry::fail(SUBJECT, format!("{path}: this user may not write there"), fix)
        }
        Workdir { .. } => Entry::ok(SUBJECT, path.to_string()),
    }
}

fn env_file(file: &EnvFile) -> Entry {
    const SUBJECT: &str = "env file";
    let path = file.path.display();
    match &file.problem {
        None => Entry::ok(SUBJECT, path.to_string()),
        Some(Problem::Missing) => {
            Entry::fail(SUBJECT, format!("{path} does not exist"), "write it, one NAME=value a line")
        }
        Some(Problem::Unreadable(why)) => {
            Entry::fail(SUBJECT, format!("{path}: {why}"), format!("sudo chown \"$USER\" {path}"))
        }
        Some(Problem::OthersMayRead) => Entry::warn(
            SUBJECT,
            format!("{path}: every user of this machine may read its secrets"),
            format!("chmod 600 {path}"),
        ),
    }
}

fn files(facts: &Environment, found: &Files) -> Vec<Entry> {
    const SUBJECT: &str = "compose files";
    match found {
        // The reason ends with the way out that fits it.
        Files::Refused(why) => {
            let (why, fix) = why.rsplit_once("; ").unwrap_or((why, "correct them, or `compose` of stagegate.toml"));
            vec![Entry::fail(SUBJECT, why, fix)]
        }
        Files::Read { services, unset } => {
            let read = Entry::ok(SUBJECT, counted(*services, "service"));
            let empty = || {
                let verb = if unset.len() == 1 { "is" } else { "are" };
                let found = format!("{} {verb} not set, and so empty", unset.join(", "));
                Entry::warn("variables", found, format!("set {} in {}", unset.join(", "), into(facts)))
            };
            std::iter::once(read).chain((!unset.is_empty()).then(empty)).collect()
        }
    }
}

/// Returns the file that a variable belongs into, in words.
fn into(facts: &Environment) -> String {
    match facts.env_files.last() {
        Some(file) => file.path.display().to_string(),
        None => format!("a file that `env_file` of [environments.{}] names", facts.name),
    }
}

fn promotion(name: &str, promotion: &Promotion) -> Vec<Entry> {
    const SUBJECT: &str = "promotion";
    match promotion {
        Promotion::NotExamined => Vec::new(),
        Promotion::NothingRuns => {
            let found =
                format!("nothing runs here; a first release is started with gate up --env {name} --release REV");
            vec![Entry::ok(SUBJECT, found)]
        }
        Promotion::Refusals(reasons) if reasons.is_empty() => {
            vec![Entry::ok(SUBJECT, format!("nothing here would refuse one into {name}"))]
        }
        Promotion::Refusals(reasons) => reasons.iter().map(|reason| refusal(name, reason)).collect(),
        Promotion::Unknown(why) => {
            let fix = format!("gate status --env {name} shows what runs");
            vec![Entry::warn(SUBJECT, format!("cannot be examined: {why}"), fix)]
        }
    }
}

/// Most reasons end with what to do.
fn refusal(name: &str, reason: &str) -> Entry {
    let (why, fix) = match reason.rsplit_once("; ") {
        Some((why, fix)) => (why, fix.to_owned()),
        None => (reason, format!("gate status --env {name}")),
    };
    Entry::warn("promotion", format!("one into {name} would be refused: {why}"), fix)
}
