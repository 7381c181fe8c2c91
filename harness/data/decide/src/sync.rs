//! Decides how a database is copied into another environment: what refuses it, what is read and written, in which order.
//!
//! In: facts of both servers as their catalogs report them. Out: refusals, statements, schedules, a report. No clock, no I/O.

pub mod files;
pub mod incremental;
mod pace;
mod post;
mod range;
mod report;
mod schedule;
mod stopped;
pub mod subset;
mod table;
mod types;

pub use pace::Pace;
pub use post::{Post, PostStatement};
pub use range::Range;
pub use report::{Check, Copied, Incremental, Phase, SequenceFound, Share, SyncReport};
pub use schedule::{Job, jobs, subset_jobs};
pub use stopped::hint;
pub use table::{Column, Format, Table, quoted};
pub use types::{TypeFacts, Types};

/// What is compared before anything is copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The environment that is read.
    pub source: End,
    /// The environment that gets the copy.
    pub target: End,
}

/// One side of a sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The environment.
    pub environment: String,
    /// The database.
    pub database: String,
    /// The identifier of the server's cluster, which a copy of its files shares.
    pub cluster: String,
    /// When its server was started.
    pub started: String,
    /// The server's version as a number, such as 170005.
    pub version: i32,
    /// Its extensions: of the source those of the database, of the target those that can be created, with version.
    pub extensions: Vec<(String, String)>,
    /// Its roles: of the source those that objects name, of the target all.
    pub roles: Vec<String>,
    /// Tables whose row security would hide rows from the role that reads them; of the source alone.
    pub hidden: Vec<String>,
    /// How many large objects there are; of the source alone.
    pub large_objects: i64,
    /// Tablespaces: of the source those that objects use, of the target all.
    pub tablespaces: Vec<String>,
}

/// PostgreSQL below this version reads no ranges of rows and has no hash of a row.
const OLDEST: i32 = 140_000;

impl Ends {
    /// Returns why the databases must not be synchronised, each with the way out; empty where they may.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        let (from, to) = (&self.source, &self.target);
        let mut found = Vec::new();
        if from.cluster == to.cluster && from.started == to.started && from.database == to.database {
            found.push(format!(
                "`{}` and `{}` are one database: `{}` of server {}; nothing can be copied onto itself",
                from.environment, to.environment, from.database, from.cluster
            ));
        }
        if from.version < OLDEST {
            found.push(format!(
                "PostgreSQL {} of `{}` is too old: sync needs 14 or newer",
                major(from),
                from.environment
            ));
        }
        if from.version / 10_000 > to.version / 10_000 {
            found.push(format!(
                "`{}` runs PostgreSQL {} and `{}` only {}: an older version cannot restore the schema of a newer one",
                from.environment,
                major(from),
                to.environment,
                major(to)
            ));
        }
        found.extend(self.missing_extensions());
        found.extend(missing("role", "create role", &from.roles, &to.roles, &to.environment));
        found.extend(missing("tablespace", "create tablespace", &from.tablespaces, &to.tablespaces, &to.environment));
        if !from.hidden.is_empty() {
            found.push(format!(
                "row security would hide rows of {} from the role that reads `{}`: give it BYPASSRLS, or name a superuser as \
                 `role` in [databases]",
                from.hidden.join(", "),
                from.environment
            ));
        }
        found
    }

    fn missing_extensions(&self) -> Vec<String> {
        let missing = |(name, version): &(String, String)| {
            let there: Vec<&str> =
                self.target.extensions.iter().filter(|(other, _)| other == name).map(|(_, v)| v.as_str()).collect();
            match there[..] {
                [] => Some(format!(
                    "extension `{name}` {version} is not installed on the server of `{}`; use an image that has it",
                    self.target.environment
                )),
                _ => None,
            }
        };
        self.source.extensions.iter().filter_map(missing).collect()
    }
}

fn major(end: &End) -> i32 {
    end.version / 10_000
}

fn missing(what: &str, create: &str, wanted: &[String], there: &[String], environment: &str) -> Option<String> {
    let missing: Vec<String> = wanted.iter().filter(|name| !there.contains(name)).map(|name| quoted(name)).collect();
    let statements: Vec<String> = missing.iter().map(|name| format!("{create} {name}")).collect();
    let plural = if missing.len() == 1 { "" } else { "s" };
    (!missing.is_empty()).then(|| {
        format!(
            "{what}{plural} {} of the schema {} missing on the server of `{environment}`; run there: {}",
            missing.join(", "),
            if missing.len() == 1 { "is" } else { "are" },
            statements.join("; ")
        )
    })
}

#[cfg(test)]
mod tests;
