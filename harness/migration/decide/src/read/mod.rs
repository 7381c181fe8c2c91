//! Reads a folder of migrations as its tool does: names, order, marks, transactions.

mod bytes;
mod check;
mod dbmate;
mod detect;
mod diesel;
mod drizzle;
pub(super) mod flyway;
mod goose;
mod marks;
mod name;
mod pairs;
pub(super) mod prisma;
mod refinery;
mod sqitch;

use std::{borrow::Cow, collections::BTreeSet};

use super::{Chain, Code, Finding, Migration, Script, Tool, codes};
use marks::Form;

/// A file of the folder, as it stands on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path below the folder, with `/`.
    pub path: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl File {
    /// Returns the last part of the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the folder that holds it, below the folder of migrations; empty for that one itself.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// Returns the text; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    fn is_at_top(&self) -> bool {
        !self.path.contains('/')
    }

    fn is_sql(&self) -> bool {
        self.name().to_ascii_lowercase().ends_with(".sql")
    }
}

/// A folder that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No tool's files are there.
    #[error(
        "the folder has no migrations ({found}); set `source` to their folder, or `tool` if their names are unusual"
    )]
    Unknown {
        /// What is there instead.
        found: String,
    },
    /// Files of a tool that only the tool itself can run.
    #[error(
        "the files are {name}'s, which cannot be read here; set `up`, `down` and `status` of [migrations.<database>] to its commands, \
         or `tool = \"plain\"` to run each file as one up migration"
    )]
    OnlyByTool {
        /// The tool.
        name: &'static str,
    },
}

/// Reads the migrations of a folder in the order of `tool`, or of the tool that their names and marks tell.
///
/// `files` are all files of the folder and of those below it, in any order.
///
/// # Errors
/// [`ReadError`] where no tool was named and none can be reported, or one that cannot be read.
pub fn chain(files: &[File], tool: Option<Tool>) -> Result<Chain, ReadError> {
    let mut seen: Vec<&File> = files.iter().filter(|file| !is_hidden(&file.path)).collect();
    seen.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(name) = marks::unreadable(&seen).filter(|_| tool.is_none()) {
        return Err(ReadError::OnlyByTool { name });
    }
    let tool = match tool.or_else(|| detect::configured_tool(&seen)) {
        Some(tool) => tool,
        None => return Err(ReadError::Unknown { found: detect::shown(&seen) }),
    };
    let form = Form::of_folder(&seen).filter(|_| tool == Tool::Plain);
    let mut reading = Reading { tool, form, files: seen, used: BTreeSet::new(), findings: Vec::new() };
    let mut migrations = match tool {
        Tool::Sqlx | Tool::GolangMigrate | Tool::Plain => pairs::read(&mut reading),
        Tool::Dbmate => dbmate::read(&mut reading),
        Tool::Goose => goose::read(&mut reading),
        Tool::Diesel => diesel::read(&mut reading),
        Tool::Refinery => refinery::read(&mut reading),
        Tool::Flyway => flyway::read(&mut reading),
        Tool::Sqitch => sqitch::read(&mut reading),
        Tool::Prisma => prisma::read(&mut reading),
        Tool::Drizzle => drizzle::read(&mut reading),
        Tool::Alembic | Tool::Django | Tool::Yoyo | Tool::Rails | Tool::Command => Vec::new(),
    };
    bytes::keep(&reading, &mut migrations);
    check::files(&mut reading);
    check::chain(&mut reading, &migrations);
    let findings = reading.findings;
    Ok(Chain { tool, migrations, findings })
}

fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

/// What is known while a folder is read.
struct Reading<'a> {
    tool: Tool,
    /// The marks of a plain folder.
    form: Option<Form>,
    files: Vec<&'a File>,
    /// The files that the tool reads.
    used: BTreeSet<&'a str>,
    findings: Vec<Finding>,
}

impl<'a> Reading<'a> {
    /// Returns what the tool is called.
    fn tool_name(&self) -> &'static str {
        self.form.map_or(self.tool.name(), Form::name)
    }

    fn report(&mut self, code: &Code, file: &File, line: usize, message: impl Into<String>) {
        self.findings.push(Finding::new(code, message).at(&file.path, line));
    }

    fn uses(&mut self, file: &'a File) {
        self.used.insert(&file.path);
    }

    /// Reports that the tool refuses a file's name.
    fn refuses(&mut self, file: &'a File, expected: &str) {
        self.uses(file);
        let message = format!("{} rejects the name; expected {expected}", self.tool);
        self.report(&codes::BAD_NAME, file, 0, message);
    }
}

/// Makes a migration without a checksum of the tool.
fn migration(version: &str, name: &str, up: Script, down: Option<Script>) -> Migration {
    Migration {
        version: version.to_owned(),
        name: name.to_owned(),
        kind: super::Kind::Versioned,
        up,
        down,
        checksum: None,
        recorded: None,
    }
}

#[cfg(test)]
mod tests;
