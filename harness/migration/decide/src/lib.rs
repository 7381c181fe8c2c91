//! Migrations as their tools read them: which scripts there are, in which order, and what their texts tell.
//!
//! In: the files of a folder as bytes ([`File`]). Out: a [`Chain`] of [`Migration`]s in the tool's own order, each with
//! its [`Script`]s, and [`Finding`]s. What is observed on a server is reported with the same [`Finding`]s; every code
//! stands in [`codes`]. No file is read here and no server asked.

pub mod applied;
mod code;
pub mod codes;
mod commands;
mod comparand;
mod finding;
mod history_table;
pub mod integrity;
mod lint;
pub mod locks;
mod read;
pub mod report;
pub mod round_trip;
pub mod schema;
mod script;
pub mod seed;
mod session_habits;
mod split;
mod stand_in;
mod statement;
mod step;
mod token;
mod touched;
mod waiver;

use serde::Serialize;
use stagegate_base::{config::Tool, record::Severity};

pub use code::Code;
pub use commands::{ListError, Listed, listed, of_steps, version_of};
pub use comparand::{Comparand, comparand_rows, comparands};
pub(crate) use finding::{AtStatement, shortened};
pub use history_table::history_table;
pub use lint::lint;
pub use read::{File, ReadError, chain};
pub use script::{Route, Script, Transaction};
pub use session_habits::{Commits, Lasts, Records, SessionHabits};
pub use split::statements;
pub use stagegate_base::finding::Finding;
pub use stand_in::stand_in;
pub use statement::{Statement, Trait};
pub use step::{Direction, Step};
pub use touched::{Tables, Touched, touched};
pub use waiver::{Extent, apply as apply_waivers};

/// All migrations of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// The tool whose rules were followed.
    pub tool: Tool,
    /// The migrations, in the order in which the tool applies them.
    pub migrations: Vec<Migration>,
    /// What the files themselves tell, in the order of the migrations.
    pub findings: Vec<Finding>,
}

impl Chain {
    /// Returns whether it only goes up, as its tool does: it runs no down migrations, and the folder has none for another program.
    #[must_use]
    pub fn is_up_only(&self) -> bool {
        !self.tool.has_downs() && self.migrations.iter().all(|migration| migration.down.is_none())
    }

    /// Returns whether the project writes no down migrations, though its tool could run them: that is one finding of the
    /// folder, which does not block. Where one migration has a down migration, each other one needs it.
    #[must_use]
    pub fn is_without_downs(&self) -> bool {
        writes_no_downs(self.tool, &self.migrations)
    }

    /// Returns a migration by its version.
    #[must_use]
    pub fn migration(&self, version: &str) -> Option<&Migration> {
        self.migrations.iter().find(|migration| migration.version == version)
    }
}

// dbmate is left out: it ends with an error on a file without its mark for the down migration.
fn writes_no_downs(tool: Tool, migrations: &[Migration]) -> bool {
    let mut versioned = migrations.iter().filter(|migration| migration.kind == Kind::Versioned);
    tool != Tool::Dbmate && tool.has_downs() && !migrations.is_empty() && versioned.all(|found| found.down.is_none())
}

/// Returns the one finding of such a project, with the reason (`: refinery has none`, or nothing). It does not block:
/// the down migration is the gate's, by data.
fn without_downs(count: usize, why: &str) -> Finding {
    let none = if count == 1 { "the migration has no".to_owned() } else { format!("none of {count} migrations has a") };
    let message = format!("{none} down migration{why}; a rollback past one needs `gate rollback --with-data`");
    Finding::new(&codes::DOWN_MISSING, message).with_severity(Severity::Warning)
}

/// Whether a migration runs once, or whenever its text changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Once.
    #[default]
    Versioned,
    /// Whenever its text changes, after the others (Flyway).
    Repeatable,
}

/// One migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// The version as the tool compares it; the name where it has none.
    pub version: String,
    /// What it is called, as its file states.
    pub name: String,
    /// Whether it runs once.
    pub kind: Kind,
    /// The up migration.
    pub up: Script,
    /// The down migration, where a file or a section for it is there, empty or not.
    pub down: Option<Script>,
    /// The checksum that the tool itself keeps, as text, where it keeps one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// What the tool's history table has in the place of the version, where that is another text.
    #[serde(skip)]
    pub recorded: Option<String>,
}

impl Migration {
    /// Returns the down migration, where it does anything.
    #[must_use]
    pub fn usable_down(&self) -> Option<&Script> {
        self.down.as_ref().filter(|down| down.does_something())
    }

    /// Returns whether it does nothing in both directions: a place that is kept, whose down migration leads back.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        !self.up.does_something() && self.down.as_ref().is_some_and(|down| !down.does_something())
    }

    /// Returns `20240131_add_orders`, as people name it.
    #[must_use]
    pub fn label(&self) -> String {
        match (self.version.is_empty(), self.name.is_empty() || self.name == self.version) {
            (true, _) => self.name.clone(),
            (_, true) => self.version.clone(),
            _ => format!("{}_{}", self.version, self.name),
        }
    }
}
