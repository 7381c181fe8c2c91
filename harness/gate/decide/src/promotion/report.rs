//! What a step leaves in the journal: one typed report a kind of step, and one a kind of undo.
//!
//! The field names are the journal's format: a field that is added has a default, and one that changes its meaning
//! makes a new [`VERSION`](super::VERSION) with a reader of the earlier one.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    Checks, Confirmed, ExpectedRollback, Leftover, MovedTraffic, Step, SwitchedVolume, Tier, TrafficBack, VolumeCopies,
    VolumeRollback,
};
use crate::readiness::Band;
use stagegate_performance_decide::Cost;

/// What a step left that succeeded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", content = "report", rename_all = "snake_case")]
pub enum StepReport {
    /// Nothing refuses the run.
    Preflight,
    /// The source passed its checks, and its release is ready.
    Validate(Validation),
    /// The release is resolved.
    Prepare(Preparation),
    /// The backup is made and proven.
    BackUp(Backup),
    /// The migrations were applied to copies.
    Rehearse(Rehearsal),
    /// Nothing writes any more.
    Freeze(Freeze),
    /// The frozen data is copied.
    Clone(Copies),
    /// The volumes are copied.
    CopyVolumes(VolumeCopies),
    /// The migrations were applied.
    Migrate(Migrations),
    /// The release is started.
    Deploy(Deployment),
    /// The target passed its checks.
    Verify(Checks),
    /// The new containers have the requests.
    MoveTraffic(MovedTraffic),
    /// Somebody confirmed that the release stays.
    Confirm(Confirmed),
    /// Users reach the release.
    OpenPorts,
    /// The previous release is started.
    StartPrevious,
    /// It passed its checks.
    VerifyRollback(RollbackChecks),
    /// The configured receivers have the message.
    Notify,
    /// What is no longer needed was removed.
    Prune(Pruned),
}

impl StepReport {
    /// Returns the step that left it.
    #[must_use]
    pub fn step(&self) -> Step {
        match self {
            StepReport::Preflight => Step::Preflight,
            StepReport::Validate(_) => Step::Validate,
            StepReport::Prepare(_) => Step::Prepare,
            StepReport::BackUp(_) => Step::BackUp,
            StepReport::Rehearse(_) => Step::Rehearse,
            StepReport::Freeze(_) => Step::Freeze,
            StepReport::Clone(_) => Step::Clone,
            StepReport::CopyVolumes(_) => Step::CopyVolumes,
            StepReport::Migrate(_) => Step::Migrate,
            StepReport::Deploy(_) => Step::Deploy,
            StepReport::Verify(_) => Step::Verify,
            StepReport::MoveTraffic(_) => Step::MoveTraffic,
            StepReport::Confirm(_) => Step::Confirm,
            StepReport::OpenPorts => Step::OpenPorts,
            StepReport::StartPrevious => Step::StartPrevious,
            StepReport::VerifyRollback(_) => Step::VerifyRollback,
            StepReport::Notify => Step::Notify,
            StepReport::Prune(_) => Step::Prune,
        }
    }

    /// Returns the databases that stay although they are no longer needed.
    #[must_use]
    pub fn leftovers(&self) -> &[Leftover] {
        match self {
            StepReport::Prune(pruned) => &pruned.left,
            _ => &[],
        }
    }
}

/// What an undo left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", content = "report", rename_all = "snake_case")]
pub enum UndoReport {
    /// Nothing had to be undone.
    Preflight,
    /// Nothing had to be undone.
    Validate,
    /// Copies, checkout and names are removed.
    Prepare,
    /// Partial files and the tag are removed.
    BackUp,
    /// The rehearsal's server is removed.
    Rehearse,
    /// Sessions may connect again.
    Freeze,
    /// Copies that were not needed are dropped.
    Clone(KeptCopies),
    /// The volumes have their earlier content again, or copies that were not needed are removed.
    CopyVolumes(VolumeRollback),
    /// The data from before the migrations is in place.
    Migrate(DataRollback),
    /// Files and variables are restored.
    Deploy(ConfigurationRollback),
    /// Nothing had to be undone.
    Verify,
    /// The earlier containers have the requests again.
    MoveTraffic(TrafficBack),
    /// Nothing had to be undone.
    Confirm,
}

impl UndoReport {
    /// Returns the step that was undone.
    #[must_use]
    pub fn step(&self) -> Step {
        match self {
            UndoReport::Preflight => Step::Preflight,
            UndoReport::Validate => Step::Validate,
            UndoReport::Prepare => Step::Prepare,
            UndoReport::BackUp => Step::BackUp,
            UndoReport::Rehearse => Step::Rehearse,
            UndoReport::Freeze => Step::Freeze,
            UndoReport::Clone(_) => Step::Clone,
            UndoReport::CopyVolumes(_) => Step::CopyVolumes,
            UndoReport::Migrate(_) => Step::Migrate,
            UndoReport::Deploy(_) => Step::Deploy,
            UndoReport::Verify => Step::Verify,
            UndoReport::MoveTraffic(_) => Step::MoveTraffic,
            UndoReport::Confirm => Step::Confirm,
        }
    }

    /// Returns the databases that stay although they are no longer needed.
    #[must_use]
    pub fn left(&self) -> &[Leftover] {
        match self {
            UndoReport::Clone(copies) => &copies.left,
            UndoReport::CopyVolumes(rollback) => &rollback.left,
            _ => &[],
        }
    }
}

/// What the validation of the source found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validation {
    /// The checks.
    pub checks: Checks,
    /// By service: its contract against the live one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contracts: BTreeMap<String, ContractReport>,
    /// The score; `None` where none was asked for.
    #[serde(default)]
    pub readiness: Option<ReadinessReport>,
}

/// How ready the release is for the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadinessReport {
    /// 0 to 100; `None` where too little ran.
    pub score: Option<u8>,
    /// What the score allows.
    pub band: Option<Band>,
}

/// A service's contract against the live one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContractReport {
    /// How many changes there are.
    Compared {
        /// Changes that break callers.
        breaking: usize,
        /// Changes that may break some.
        warnings: usize,
        /// Changes that break nobody.
        compatible: usize,
        /// The gravest ones, a line each.
        first: Vec<String>,
    },
    /// There was nothing to compare.
    NotCompared {
        /// Why.
        reason: String,
    },
}

/// What was prepared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// The release's services.
    pub services: Vec<String>,
    /// One a probe that compared both releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub performance: Vec<PerformanceReport>,
}

/// How a probe compares both releases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerformanceReport {
    /// The probe.
    pub probe: String,
    /// The result in one line.
    pub result: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What the same load cost with the candidate and with the live release; `None` where it was not measured.
    #[serde(default)]
    pub costs: Option<[Cost; 2]>,
}

/// What the backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Rows of all databases.
    pub rows: u64,
    /// Bytes of all dumps; 0 where there is no database.
    pub bytes: u64,
    /// The git tag of the rollback point.
    pub tag: String,
}

/// What the rehearsal found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// How the run can roll back.
    pub tier: Tier,
    /// How long the migrations took, in seconds.
    pub migration_seconds: f64,
    /// One a database that was migrated.
    #[serde(default)]
    pub impacts: Vec<Impact>,
    /// Each release on the other one's schema; `None` where the schema did not change or it is switched off.
    #[serde(default)]
    pub cross_versions: Option<CrossVersionReport>,
    /// What the candidate's start did to the copies of databases without a migrations service; `None` without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartReport>,
    /// In a rollback of code alone: the earlier release on a copy of the current data; `None` where it was not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Compatibility>,
    /// What the migrations changed of the server, roles and settings, in words: a rollback does not undo it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server_wide: Vec<String>,
    /// What a rollback is expected to take; `None` where it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectedRollback>,
}

/// What the candidate's start did to a copy of the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartReport {
    /// Schema and rows are as before.
    Unchanged,
    /// Schema or rows changed: the product migrates itself.
    Changed,
    /// The candidate did not become healthy on the copy, so what it changes is not known.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// What requests met while a database was migrated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impact {
    /// The user's name for the database.
    pub database: String,
    /// The result in one line.
    pub summary: String,
    /// The longest stall in milliseconds; `None` where it could not be measured.
    #[serde(default)]
    pub longest_stall_ms: Option<u64>,
}

/// Each release on the other one's schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrossVersionReport {
    /// The live release on the migrated copy.
    pub live_on_new: Compatibility,
    /// The candidate on a copy from before its migrations.
    pub candidate_on_old: Compatibility,
}

/// How a release gets on with a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compatibility {
    /// Whether it does.
    pub health: Health,
    /// Whether nothing but ports was tested: a page that cannot read its tables any more is not seen by that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_ports: bool,
    /// Why.
    pub reasons: Vec<String>,
}

impl Compatibility {
    /// Returns whether the release is known to work there.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.health == Health::Healthy && !self.only_ports
    }
}

/// What the suites found of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// All required checks passed.
    Healthy,
    /// A required check failed.
    Unhealthy,
    /// A required check did not run.
    Unknown,
}

/// What was stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// The services.
    pub stopped: Vec<String>,
    /// The watchdog that was started before, in words; `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<String>,
}

/// How the frozen data was copied.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copies {
    /// By a copy on the server, or by a dump.
    pub tier: Tier,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// How the migrations went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Migrations {
    /// How long they took, in seconds.
    pub seconds: f64,
    /// In a rollback: the volumes that have their earlier content again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<VolumeRollback>,
}

/// How the release was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Whether users reach it before it is verified.
    pub ports: Ports,
    /// Services that are reached from outside all the same, with the network by which they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reachable: Vec<String>,
    /// The watchdog that was started before the cut-over, in words; `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<String>,
}

/// Whether the ports of the target are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ports {
    /// Users are kept out.
    Closed,
    /// Users get in.
    Open,
}

/// How the verification of a rollback ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackChecks {
    /// The checks.
    pub checks: Checks,
    /// A line a table whose rows differ in the failed database, which is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_rows: Vec<String>,
    /// The volumes that were compared with their copies before the previous release was started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<SwitchedVolume>,
    /// What of the server is not as before the run, roles and settings, in words with the statement that undoes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server_wide: Vec<String>,
    /// That the rollback took longer than it may, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<String>,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Runs whose backup was removed.
    pub rollback_points: Vec<String>,
    /// Databases that stay although they are no longer needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Leftover>,
}

/// Copies that stay although they are no longer needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCopies {
    /// The databases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Leftover>,
}

/// How the data was rolled back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRollback {
    /// The databases.
    pub databases: Vec<SwitchedDatabase>,
    /// How long the switch took, in seconds.
    pub switch_seconds: f64,
}

/// A database that an earlier state took the place of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchedDatabase {
    /// Its name.
    pub database: String,
    /// The name under which the failed state is kept.
    pub kept_as: String,
    /// Unlogged tables that are empty since the server crashed, with the rows that they had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emptied: Vec<String>,
    /// Sequences, large objects and materialized views that differ from the frozen state, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
}

/// How files and variables were rolled back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationRollback {
    /// Env files that had another content.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_files: Vec<PathBuf>,
}
