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

/// The rollback tier for data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Chosen from facts, and shown in the plan.
    #[default]
    Auto,
    /// A copy made on the server while data is frozen; the rollback is a rename.
    Swap,
    /// A dump made while data is frozen, restored into a fresh database; then a rename.
    Restore,
}

/// Whether a promotion into an environment needs an approved plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Approval {
    /// No.
    #[default]
    None,
    /// Yes, by another user of the host than the one who made the plan.
    Required,
    /// Yes, and the plan's maker may give it.
    #[serde(rename = "self")]
    OwnAllowed,
}

/// What proves that rows are whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Integrity {
    /// Row counts and checksums, per table.
    #[default]
    Checksums,
    /// Rows counted, per table.
    Counts,
}

/// Whether users get in before the point of no return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortsMode {
    /// No: what they wrote could be lost by a rollback.
    #[default]
    Closed,
    /// Yes; what they wrote is counted before a rollback, and kept in the failed database.
    Open,
}

/// What each release's run on the other one's schema decides, in the rehearsal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrossVersions {
    /// Nothing: it is reported and recorded in the journal.
    #[default]
    #[serde(rename = "report", alias = "tell")]
    Tell,
    /// Where the live release is proven on the new schema, the rollback is its code alone.
    Decide,
    /// It is not run.
    Off,
}

/// What becomes of a release whose contract breaks the callers of the live one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BreakingChanges {
    /// It is blocked.
    #[default]
    #[serde(rename = "block", alias = "hold")]
    Hold,
    /// It continues; the changes are in the journal.
    Warn,
    /// The contracts are not compared.
    Ignore,
}
