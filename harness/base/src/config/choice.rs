//! Words that the user chooses between.

use serde::{Deserialize, Serialize};

/// The kind of machine an environment lives on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostKind {
    /// Any machine.
    #[default]
    Any,
    /// A developer's machine.
    Laptop,
    /// A machine that serves users.
    Server,
}

/// The way back for data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Chosen from facts, and shown in the plan.
    #[default]
    Auto,
    /// A copy made on the server while data is frozen; the way back is a rename.
    Swap,
    /// A dump made while data is frozen, restored into a fresh database; then a rename.
    Restore,
}

/// What proves that rows are whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Integrity {
    /// Rows counted and contents summed, per table.
    #[default]
    Checksums,
    /// Rows counted, per table.
    Counts,
}

/// Whether users get in before the commit line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    /// No: what they wrote could be lost by a rollback.
    #[default]
    Closed,
    /// Yes; what they wrote is counted before a rollback, and kept in the failed database.
    Open,
}

/// What is made of each release's run on the other one's schema, in the rehearsal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrossVersions {
    /// It is told, and stands in the journal.
    #[default]
    Tell,
    /// Where the release that serves is proven on the new schema, the way back is its code alone.
    Decide,
    /// It is not run.
    Off,
}

/// What becomes of a release whose contract breaks the callers of the one that serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BreakingChanges {
    /// It is held.
    #[default]
    Hold,
    /// It goes on; the changes stand in the journal.
    Warn,
    /// The contracts are not compared.
    Ignore,
}
