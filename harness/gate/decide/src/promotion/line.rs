//! What one line of a journal holds.

use serde::{Deserialize, Serialize};
use stagegate_base::exit::Exit;

use super::{Plan, Step, StepReport, UndoReport};

/// Where a run turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The release stays. From here on only forward.
    Commit,
    /// All that was begun is undone.
    Rollback,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The release is live.
    Promoted,
    /// The release was blocked; the target was not changed. Format 1 calls it `held`.
    #[serde(alias = "held")]
    Blocked,
    /// The run was interrupted; the target was not changed.
    Aborted,
    /// The target was changed, rolled back and verified.
    RolledBack,
    /// The target was rolled back, but the suites do not pass on it.
    #[serde(alias = "back_not_verified")]
    NotVerified,
    /// A rollback, or a step after the point of no return, keeps failing.
    Stuck,
    /// The operator abandoned an unfinished run.
    Abandoned,
}

impl End {
    /// Returns whether nothing is left to do.
    #[must_use]
    pub fn is_final(self) -> bool {
        self != End::Stuck
    }
}

/// What a line states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The run begins; this is its frozen plan.
    Started {
        /// The plan.
        plan: Box<Plan>,
    },
    /// A step is about to act.
    Begun {
        /// The step.
        step: Step,
    },
    /// It succeeded.
    Done {
        /// What later steps and the report need of it.
        #[serde(flatten)]
        report: StepReport,
    },
    /// It ended badly.
    Failed {
        /// The step.
        step: Step,
        /// Why, in one text.
        reason: String,
        /// What the run exits with where nothing was touched.
        exit: Exit,
    },
    /// A step is about to be undone.
    UndoBegun {
        /// The step.
        step: Step,
    },
    /// It was undone.
    Undone {
        /// What the report needs of it.
        #[serde(flatten)]
        report: UndoReport,
    },
    /// Undoing it failed.
    UndoFailed {
        /// The step.
        step: Step,
        /// Why.
        reason: String,
    },
    /// The run turns.
    Decided {
        /// Where to.
        decision: Decision,
        /// Why.
        reason: String,
    },
    /// Another process goes on with the run.
    Resumed {
        /// Why.
        reason: String,
    },
    /// The run is over.
    Ended {
        /// How.
        end: End,
        /// What `gate` exits with.
        exit: Exit,
    },
}

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Format version.
    pub v: u32,
    /// Number of the line, from 0.
    pub seq: u64,
    /// The run's id.
    pub run: String,
    /// The kernel's boot id: across a reboot no process id means anything.
    pub boot: String,
    /// Wall clock, RFC 3339.
    pub wall: String,
    /// What it states.
    #[serde(flatten)]
    pub entry: Entry,
    /// SHA-256 of the line before, hex; empty in the first.
    pub prev: String,
}
