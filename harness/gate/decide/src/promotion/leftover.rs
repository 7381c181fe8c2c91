//! A database, or a copy of a volume, that the gate leaves alone.

use serde::{Deserialize, Serialize};

/// A database, or the folder of a copy, that stays, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// Its name; of a folder its path.
    #[serde(rename = "database")]
    pub name: String,
    /// Why it stays.
    #[serde(rename = "reason", alias = "why")]
    pub why: String,
}

impl Leftover {
    /// Returns what it is, in a word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.name.starts_with('/') { "folder" } else { "database" }
    }

    /// Returns the statement, or the command, that removes it by hand.
    #[must_use]
    pub fn command(&self) -> String {
        // No database's name begins with a slash that the gate gave one.
        if self.name.starts_with('/') {
            return format!("rm -r -- '{}'", self.name.replace('\'', "'\\''"));
        }
        format!("drop database \"{}\"", self.name.replace('"', "\"\""))
    }
}
