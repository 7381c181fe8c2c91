//! Which rows a subset holds: those that its file names, and all that they need.
//!
//! In: the file, the tables with their foreign keys. Out: the steps that find the rows, and what refuses them. No clock, no I/O.
//! Invariant: where a row is part of the subset, so are the rows that its foreign keys reference.

mod closure;
mod graph;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use closure::{Closure, Direction, Explosion, Selected, Step};
pub use graph::{Edge, ForeignKey, Relation, Slice};

/// Returns the JSON Schema of the file of a subset, for editors; `reference` is the text of the annotated example.
///
/// # Errors
/// [`toml::de::Error`] where the reference is no TOML.
pub fn json_schema(reference: &str) -> Result<serde_json::Value, toml::de::Error> {
    stagegate_base::json_schema::json_schema::<SubsetFile>("a subset of stagegate", reference)
}

/// The file of a subset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubsetFile {
    /// For each table that the subset begins with: which of its rows, in SQL.
    pub roots: BTreeMap<String, String>,
    /// Which rows come with these.
    #[serde(default)]
    pub follow: Follow,
    /// Tables that are copied whole.
    #[serde(default)]
    pub always: Vec<String>,
    /// What becomes of tables that no foreign key connects with the roots.
    #[serde(default)]
    pub others: Others,
    /// How many rows may be found by foreign keys.
    pub max_rows: Option<u64>,
    /// Foreign keys that the schema does not declare.
    #[serde(default)]
    pub keys: Vec<LogicalKey>,
}

/// Which references are followed from a row to the rows that reference it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    /// Tables whose rows come with every row that they reference, also where that one is only needed by others.
    #[serde(default)]
    pub down: Vec<String>,
    /// Tables, and columns as `table.column`, whose rows never come with the rows that they reference.
    #[serde(default)]
    pub never: Vec<String>,
}

/// What becomes of tables without a path to the roots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Others {
    /// They are copied whole.
    #[default]
    Whole,
    /// They stay empty.
    Empty,
}

/// A foreign key that the schema does not declare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogicalKey {
    /// The table that references.
    pub child: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The table that is referenced.
    pub parent: String,
    /// The columns there.
    pub to: Vec<String>,
    /// Which rows of the child reference this table, in SQL; all where `None`.
    pub when: Option<String>,
}

impl SubsetFile {
    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong, with line and column.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

/// A row of a table in one snapshot: its block and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowPlace {
    /// The block.
    pub block: u32,
    /// The place in the block.
    pub item: u16,
}

impl std::fmt::Display for RowPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({},{})", self.block, self.item)
    }
}

#[cfg(test)]
mod tests;
