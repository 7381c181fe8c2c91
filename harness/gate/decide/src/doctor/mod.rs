//! Decides what is wrong with a machine and its environments before anything runs there, each with its fix.
//!
//! In: facts, as `act` gathered them. Out: one [`Entry`] for each thing that was looked at. No clock, no I/O.

mod environment;
mod machine;
mod names;
mod text;

use serde::Serialize;
use stagegate_base::exit::Exit;

pub use environment::{EnvFile, Environment, Files, Problem, Promotion, Unlisted, Workdir, environment};
pub use machine::{Clock, Configured, Engine, Folder, Machine, Program, Repository, machine};
pub use names::{Known, names};
pub use text::text;

/// How bad an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Commands work, but something may surprise.
    Warn,
    /// Commands fail until it is fixed.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// How bad it is.
    pub level: Level,
    /// What was looked at, one word: `engine`, `state folder`.
    pub subject: String,
    /// What was found there.
    pub found: String,
    /// What to do; `None` where it is as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// The entries of the machine or of one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// `machine`, or the environment's name.
    pub title: String,
    /// What was looked at, in the order in which commands need it.
    pub entries: Vec<Entry>,
}

impl Entry {
    fn ok(subject: &str, found: impl Into<String>) -> Self {
        Entry { level: Level::Ok, subject: subject.to_owned(), found: found.into(), fix: None }
    }

    fn warn(subject: &str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Entry { level: Level::Warn, subject: subject.to_owned(), found: found.into(), fix: Some(fix.into()) }
    }

    fn fail(subject: &str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Entry { level: Level::Fail, subject: subject.to_owned(), found: found.into(), fix: Some(fix.into()) }
    }
}

/// Returns how many entries have a level.
#[must_use]
pub fn count(sections: &[Section], level: Level) -> usize {
    sections.iter().flat_map(|section| &section.entries).filter(|entry| entry.level == level).count()
}

/// Returns the exit code: blocked where something fails, whatever it is; warnings change nothing.
#[must_use]
pub fn exit(sections: &[Section]) -> Exit {
    if count(sections, Level::Fail) > 0 { Exit::Held } else { Exit::Passed }
}

#[cfg(test)]
mod tests;
