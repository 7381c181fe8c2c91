//! Confirm or roll back: whether a run waits for somebody who confirms that the release stays.

use super::{Decision, Entry, Line, Plan, Step};

/// How far a run is from its confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// It waits now.
    Now,
    /// The release stays already.
    Committed,
    /// It was confirmed, and goes on.
    Confirmed,
}

/// Why a run cannot be confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unconfirmed {
    /// Its environment wants no confirmation.
    #[error("run {run} waits for no confirmation: `confirm_within` of its environment is not set")]
    NotRequired {
        /// The run.
        run: String,
    },
    /// It has not come so far.
    #[error("run {run} does not wait yet: its step is `{step}`; confirm once it prints that it waits")]
    NotYet {
        /// The run.
        run: String,
        /// The title of its step.
        step: &'static str,
    },
    /// It is rolled back, or was.
    #[error(
        "run {run} was not confirmed in time or failed, and is rolled back ({reason}); `gate history {run}` has its steps"
    )]
    RolledBack {
        /// The run.
        run: String,
        /// Why.
        reason: String,
    },
}

/// Returns whether a run waits for a confirmation.
///
/// # Errors
/// [`Unconfirmed`] where it cannot be confirmed.
pub fn waits(plan: &Plan, lines: &[Line]) -> Result<Waits, Unconfirmed> {
    let run = plan.run.clone();
    let entries = || lines.iter().rev().map(|line| &line.entry);
    let decided = entries().find_map(|entry| match entry {
        Entry::Decided { decision, reason } => Some((*decision, reason)),
        _ => None,
    });
    match decided {
        Some((Decision::Commit, _)) => return Ok(Waits::Committed),
        Some((Decision::Rollback, reason)) => return Err(Unconfirmed::RolledBack { run, reason: reason.clone() }),
        None => {}
    }
    if plan.confirm_within.is_none() {
        return Err(Unconfirmed::NotRequired { run });
    }
    match entries().next() {
        Some(Entry::Begun { step: Step::Confirm }) => Ok(Waits::Now),
        Some(Entry::Done { report }) if report.step() == Step::Confirm => Ok(Waits::Confirmed),
        // What the step left is not a way to pass it.
        Some(Entry::Failed { reason, .. }) => Err(Unconfirmed::RolledBack { run, reason: reason.clone() }),
        Some(Entry::Resumed { reason }) => Err(Unconfirmed::RolledBack { run, reason: reason.clone() }),
        Some(Entry::Begun { step }) => Err(Unconfirmed::NotYet { run, step: step.title() }),
        Some(Entry::Done { report }) => Err(Unconfirmed::NotYet { run, step: report.step().title() }),
        _ => Err(Unconfirmed::NotYet { run, step: Step::Preflight.title() }),
    }
}
