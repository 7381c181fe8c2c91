//! A promotion as a list of steps, its journal, and what to do next.
//!
//! Before an action its intent is written to the journal and synced, after it the end. [`next`] is a pure function
//! of the journal: a run that was killed continues, or rolls back, by calling it again. Until the point of no return is
//! written a run can only roll back; from then on it only goes forward.

mod ahead;
mod announcement;
mod audit;
mod checks;
mod confirmation;
mod end;
pub mod evidence;
mod fit;
mod format1;
mod journal;
mod leftover;
mod line;
mod new_database;
mod next;
mod plan;
mod plan_file;
mod plan_origin;
mod planning;
mod preflight;
mod pruning;
mod report;
mod report_text;
mod rollback_time;
mod rollout;
mod schema_fit;
mod source;
pub mod trace_ids;
mod traffic;
mod volume;
mod waits;

pub use ahead::schema_ahead;
pub use announcement::announcement;
pub use audit::{
    Checkpoint, CheckpointError, Found as AuditFound, Mark as AuditMark, NotAsWritten, verify as verify_journal,
};
pub use checks::Checks;
pub use confirmation::{Confirmation, Confirmed};
pub use end::{end_text, interrupt_text, manual_steps, reason, why_stuck};
pub use fit::{SchemaFit, rehearsal_refusal};
pub use journal::{Chain, Head, JournalError, VERSION, chained, checksum, read};
pub use leftover::Leftover;
pub use line::{Decision, End, Entry, Line};
pub use new_database::{NewDatabase, places_of, taken_over};
pub use next::{INTERRUPTED, Move, coming_end, next};
pub use plan::{
    Environments, Kind, Plan, PlanDatabase, ServiceChange, SourceService, rollback_tag, rollback_tag_of_run,
};
pub use plan_file::{ApprovalFile, Basis, PLAN_FORMAT, PlanFile, PlanFileError, refuses_approval};
pub use plan_origin::{PlanOrigin, Signed};
pub use planning::{PlanFacts, Request, plan, plan_database, stopped_services, uncommitted, unknown_freeze};
pub use preflight::{Facts, VolumeSpace, refusals};
pub use pruning::{Pruning, pruning};
pub use report::{
    Backup, Compatibility, ConfigurationRollback, ContractReport, Copies, CrossVersionReport, DataRollback, Deployment,
    Freeze, Health, Impact, KeptCopies, Migrations, PerformanceReport, Ports, Preparation, Pruned, ReadinessReport,
    Rehearsal, RollbackChecks, StartReport, StepReport, SwitchedDatabase, UndoReport, Validation,
};
pub use rollback_time::ExpectedRollback;
pub use rollout::{PlanCanary, PlanRollout, Recreated, plan_rollout};
pub use schema_fit::schema_fit;
pub use source::{release_differences, source_changes, source_services};
pub use traffic::{MovedTraffic, TrafficBack};
pub use volume::{CopiedVolume, PlanVolume, SwitchedVolume, VolumeCopies, VolumeRollback};
pub use waits::{Unconfirmed, Waits, waits};

pub use stagegate_performance_decide::Cost;

use serde::{Deserialize, Serialize};

/// A step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Look at everything that would make the run fail later; touches nothing.
    Preflight,
    /// Run the suites against the source environment.
    Validate,
    /// Resolve the release: images by id, models, space.
    Prepare,
    /// Dump data, store the configuration, and prove the dump by restoring it.
    BackUp,
    /// Apply the release's migrations to the restored copy and count rows.
    Rehearse,
    /// Stop whatever writes.
    Freeze,
    /// Copy the database on its server, or dump it again where it cannot be copied.
    Clone,
    /// Copy the volumes and folders that the release can write.
    CopyVolumes,
    /// Apply the release's migrations; in a rollback, put the earlier data in place.
    Migrate,
    /// Start the release, its ports still closed.
    Deploy,
    /// Run the suites against the target.
    Verify,
    /// Move the requests from the live containers to the new ones next to them, and watch these.
    MoveTraffic,
    /// Wait until somebody confirms that the release stays; without a confirmation it is rolled back.
    Confirm,
    /// Open the ports. Format 1 of the journal calls it `thaw`.
    #[serde(alias = "thaw")]
    OpenPorts,
    /// In a rollback: start the previous release.
    #[serde(alias = "reopen")]
    StartPrevious,
    /// In a rollback: run the suites against it.
    #[serde(alias = "verify_back")]
    VerifyRollback,
    /// Notify the configured receivers.
    Notify,
    /// Remove what is no longer needed.
    Prune,
}

impl Step {
    /// The steps up to the point of no return, in order.
    pub const FORWARD: [Step; 13] = [
        Step::Preflight,
        Step::Validate,
        Step::Prepare,
        Step::BackUp,
        Step::Rehearse,
        Step::Freeze,
        Step::Clone,
        Step::CopyVolumes,
        Step::Migrate,
        Step::Deploy,
        Step::Verify,
        Step::MoveTraffic,
        Step::Confirm,
    ];
    /// The steps after the point of no return, in order.
    pub const AFTER_COMMIT: [Step; 3] = [Step::OpenPorts, Step::Notify, Step::Prune];

    /// Returns whether the step changes the target environment.
    #[must_use]
    pub fn touches_target(self) -> bool {
        matches!(
            self,
            Step::Freeze | Step::Clone | Step::CopyVolumes | Step::Migrate | Step::Deploy | Step::MoveTraffic
        )
    }

    /// Returns whether the step is left out where the release changes neither schema nor rows.
    #[must_use]
    pub fn is_for_databases(self) -> bool {
        matches!(self, Step::Clone | Step::Migrate)
    }

    /// Returns the step as the operator reads it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Step::Preflight => "preflight",
            Step::Validate => "check the source",
            Step::Prepare => "prepare the release",
            Step::BackUp => "back up and verify",
            Step::Rehearse => "rehearse on a copy",
            Step::Freeze => "freeze writes",
            Step::Clone => "clone the database",
            Step::CopyVolumes => "copy volumes",
            Step::Migrate => "migrate",
            Step::Deploy => "deploy",
            Step::Verify => "verify",
            Step::MoveTraffic => "move traffic",
            Step::Confirm => "wait for confirmation",
            Step::OpenPorts => "turn traffic on",
            Step::StartPrevious => "start the previous release",
            Step::VerifyRollback => "verify the rollback",
            Step::Notify => "notify",
            Step::Prune => "prune",
        }
    }
}

/// The rollback of data, as chosen for one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Code and configuration only: the rehearsal changed neither schema nor rows.
    Code,
    /// A copy on the server and two renames.
    Swap,
    /// A dump made while frozen, restored into a fresh database, and two renames.
    Restore,
}

#[cfg(test)]
mod outputs;
#[cfg(test)]
mod tests;
