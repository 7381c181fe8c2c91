//! A database that the gate leaves alone.

use serde::{Deserialize, Serialize};

/// A database that stays, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Its name.
    #[serde(rename = "database")]
    pub name: String,
    /// Why it stays.
    #[serde(rename = "reason", alias = "why")]
    pub why: String,
}

impl Left {
    /// Returns the statement that drops it by hand.
    #[must_use]
    pub fn command(&self) -> String {
        format!("drop database \"{}\"", self.name.replace('"', "\"\""))
    }
}
