//! The cause of each error that a command can end with. What to print and which exit code follow from it.

use stagegate_base::{compose::ModelError, config::ConfigError, exit::Cause, units::UnitError};
use stagegate_contract::{ContractError, ShapeError};
use stagegate_data_act::{
    salvage::SalvageError,
    sync::{SyncError, files::FilesError},
};
use stagegate_gate_act::{
    PlanError, compare::CompareError, confirmation::ConfirmError, evidence::KeyError, journal::StoreError,
    plan_file::UseError, purge::PurgeError, watchdog::WatchError,
};
use stagegate_gate_decide::promotion::Unconfirmed;
use stagegate_host::waivers::WaiversError;
use stagegate_host::{
    contract::ContractSourceError, database::DatabaseError, deployment::DeploymentError, engine::EngineError,
    git::GitError, guarded::GuardError, image::ImageError, lock::LockError, process::RunError, project::ProjectError,
    release::ReleaseError, stand_in::StandInError, tree::TreeError,
};
use stagegate_migration_act::{ProveError, SourceError};
use stagegate_performance_act::{
    bench::{BenchError, MeasurementLockError, StoredError},
    load::{AimError, NoSubject},
};
use stagegate_suites::{migrations::PipelineError, schema::DriftError, scratch::StartError};
use stagegate_target_act::HostError;

use crate::failure::Classify;

/// Gives all errors of a type one cause.
macro_rules! always {
    ($($error:ty => $cause:ident),* $(,)?) => {
        $(impl Classify for $error {
            fn class(&self) -> Cause {
                Cause::$cause
            }
        })*
    };
}

always! {
    ModelError => Configuration,
    UnitError => Usage,
    ContractError => Usage,
    KeyError => Configuration,
    EngineError => Docker,
    RunError => Program,
    AimError => NotRun,
    // What a run of the suites recorded.
    ShapeError => File,
    // The gate's own values always have a JSON form.
    serde_json::Error => Unexpected,
    tokio::task::JoinError => Unexpected,
}

impl Classify for StandInError {
    fn class(&self) -> Cause {
        match self {
            StandInError::Engine(error) => error.class(),
            StandInError::Folder { .. } => Cause::File,
        }
    }
}

/// Returns the cause of a file that somebody named and that cannot be read: one that does not exist was misspelt, and what is
/// no text, or a folder, is another file than was meant.
fn of_named(error: &std::io::Error, is_wrong: Cause) -> Cause {
    use std::io::ErrorKind::{InvalidData, IsADirectory, NotFound};
    if matches!(error.kind(), NotFound | InvalidData | IsADirectory) { is_wrong } else { Cause::File }
}

impl Classify for ConfigError {
    fn class(&self) -> Cause {
        Cause::Configuration
    }

    fn config(&self) -> Option<&ConfigError> {
        Some(self)
    }
}

impl Classify for HostError {
    fn class(&self) -> Cause {
        match self {
            HostError::Unfit { .. } => Cause::Blocked,
            HostError::Refused { .. } | HostError::Shallow | HostError::InSubfolder { .. } => Cause::Usage,
            HostError::Git(error) => error.class(),
            HostError::File { .. } => Cause::File,
            _ => Cause::NotRun,
        }
    }
}

impl Classify for ConfirmError {
    fn class(&self) -> Cause {
        match self {
            ConfirmError::Unconfirmed(Unconfirmed::RolledBack { .. }) => Cause::Blocked,
            ConfirmError::Unconfirmed(_) => Cause::Usage,
            ConfirmError::Store(error) => error.class(),
            ConfirmError::File { .. } => Cause::File,
            ConfirmError::NotTaken { .. } => Cause::NotRun,
        }
    }
}

impl Classify for PurgeError {
    fn class(&self) -> Cause {
        match self {
            PurgeError::Engine(error) => error.class(),
            PurgeError::Git(error) => error.class(),
            PurgeError::Run(error) => error.class(),
            PurgeError::Runs { .. } => Cause::Usage,
            PurgeError::File { .. } => Cause::File,
        }
    }
}

impl Classify for WatchError {
    fn class(&self) -> Cause {
        match self {
            WatchError::Store(error) => error.class(),
            WatchError::Lock(error) => error.class(),
            WatchError::Armed { .. } => Cause::File,
        }
    }
}

impl Classify for UseError {
    fn class(&self) -> Cause {
        match self {
            UseError::File(GuardError::Io { source, .. }) => of_named(source, Cause::Usage),
            UseError::File(_) | UseError::Text { .. } => Cause::Usage,
            UseError::Refused { .. } | UseError::Unapproved { .. } => Cause::Blocked,
            UseError::Config(error) => error.class(),
        }
    }
}

impl Classify for ProjectError {
    fn class(&self) -> Cause {
        match self {
            ProjectError::Config(error) => error.class(),
            ProjectError::Unreadable { source, .. } => of_named(source, Cause::Configuration),
            ProjectError::NoConfig { .. } | ProjectError::Missing { .. } | ProjectError::NoValue { .. } => {
                Cause::Configuration
            }
            ProjectError::Temporary { .. } => Cause::File,
            ProjectError::Refused { .. } | ProjectError::Rollout(_) => Cause::Configuration,
            ProjectError::Resolve { source, .. } => source.class(),
            ProjectError::Model(error) => error.class(),
            ProjectError::Engine(error) => error.class(),
        }
    }

    fn config(&self) -> Option<&ConfigError> {
        if let ProjectError::Config(error) = self { Some(error) } else { None }
    }
}

impl Classify for ReleaseError {
    fn class(&self) -> Cause {
        match self {
            ReleaseError::Project(error) => error.class(),
            ReleaseError::Tree(error) => error.class(),
            ReleaseError::Engine(error) => error.class(),
            ReleaseError::Image(error) => error.class(),
            ReleaseError::Build(_) => Cause::Program,
            ReleaseError::Rollout(_) => Cause::Configuration,
            ReleaseError::File { .. } | ReleaseError::Record { .. } => Cause::File,
        }
    }
}

impl Classify for ImageError {
    fn class(&self) -> Cause {
        match self {
            ImageError::Engine(error) => error.class(),
            ImageError::NotPulled { .. } => Cause::Configuration,
            ImageError::Pull { .. } | ImageError::Gone { .. } | ImageError::Other { .. } => Cause::Program,
        }
    }
}

impl Classify for TreeError {
    fn class(&self) -> Cause {
        match self {
            TreeError::Project(error) => error.class(),
            TreeError::NoFile { .. } | TreeError::External { .. } => Cause::Configuration,
            TreeError::File { .. } => Cause::File,
        }
    }
}

impl Classify for DeploymentError {
    fn class(&self) -> Cause {
        match self {
            DeploymentError::Release(error) => error.class(),
            DeploymentError::Git(error) => error.class(),
            DeploymentError::Engine(error) => error.class(),
            DeploymentError::Up(_) | DeploymentError::NotReady(_) => Cause::Blocked,
            DeploymentError::WorkingCopy { .. }
            | DeploymentError::OtherFolder { .. }
            | DeploymentError::MovedData(_)
            | DeploymentError::SharedData(_)
            | DeploymentError::Taken(_) => Cause::Configuration,
            DeploymentError::Proxy(_) => Cause::File,
        }
    }
}

impl Classify for GitError {
    fn class(&self) -> Cause {
        match self {
            GitError::UnknownRevision { .. } => Cause::Usage,
            GitError::NoRepository { .. }
            | GitError::Refused { .. }
            | GitError::OutsideSubfolder { .. }
            | GitError::OtherProduct { .. } => Cause::Configuration,
            GitError::NotInCommit { .. } | GitError::NoSubmodule { .. } | GitError::NoContent { .. } => Cause::Usage,
            GitError::File { .. } => Cause::File,
            GitError::Run(error) => error.class(),
        }
    }
}

impl Classify for LockError {
    fn class(&self) -> Cause {
        match self {
            LockError::Held { .. } | LockError::Elsewhere { .. } => Cause::Locked,
            LockError::Io { .. } | LockError::Machine { .. } => Cause::File,
        }
    }
}

impl Classify for DatabaseError {
    fn class(&self) -> Cause {
        match self {
            DatabaseError::Connect { .. }
            | DatabaseError::Silent { .. }
            | DatabaseError::Statement { .. }
            | DatabaseError::Locked { .. }
            | DatabaseError::Unexpected(_) => Cause::Database,
            DatabaseError::Program { source, .. } | DatabaseError::NotFound { source, .. } => source.class(),
            DatabaseError::File { .. } => Cause::File,
        }
    }
}

impl Classify for FilesError {
    fn class(&self) -> Cause {
        match self {
            FilesError::Refused(_) => Cause::Blocked,
            FilesError::Volume { .. } | FilesError::Different { .. } => Cause::NotRun,
            FilesError::Containers { source, .. } => source.class(),
            FilesError::Engine(error) => error.class(),
            FilesError::File { .. } => Cause::File,
        }
    }
}

impl Classify for SyncError {
    fn class(&self) -> Cause {
        match self {
            SyncError::Refused { .. } | SyncError::Different { .. } | SyncError::Leak { .. } => Cause::Blocked,
            SyncError::Database(error) | SyncError::Stopped { error, .. } => error.class(),
        }
    }
}

impl Classify for SalvageError {
    fn class(&self) -> Cause {
        match self {
            SalvageError::NoTable(_) => Cause::Usage,
            SalvageError::Database(error) => error.class(),
            SalvageError::File { .. } => Cause::File,
        }
    }
}

impl Classify for StoreError {
    fn class(&self) -> Cause {
        match self {
            StoreError::Io { .. } => Cause::File,
            StoreError::Text { .. } => Cause::ManualAction,
        }
    }
}

impl Classify for PlanError {
    fn class(&self) -> Cause {
        match self {
            PlanError::Config(error) => error.class(),
            PlanError::Project(error) => error.class(),
            PlanError::Git(error) => error.class(),
            PlanError::Engine(error) => error.class(),
            PlanError::Database(error) => error.class(),
            PlanError::Release(error) => error.class(),
            PlanError::Store(error) => error.class(),
            PlanError::State { .. } => Cause::File,
            PlanError::NothingDeployed { .. } | PlanError::SourceUnknown { .. } => Cause::Usage,
        }
    }

    fn config(&self) -> Option<&ConfigError> {
        match self {
            PlanError::Config(error) => Some(error),
            PlanError::Project(error) => error.config(),
            _ => None,
        }
    }
}

impl Classify for CompareError {
    fn class(&self) -> Cause {
        match self {
            CompareError::Project(error) => error.class(),
            CompareError::Engine(error) => error.class(),
            CompareError::Release(error) => error.class(),
            CompareError::File { .. } => Cause::File,
            CompareError::Waivers(error) => error.class(),
        }
    }
}

impl Classify for ContractSourceError {
    fn class(&self) -> Cause {
        match self {
            ContractSourceError::File { source, .. } => of_named(source, Cause::Usage),
            ContractSourceError::NoPlace { .. }
            | ContractSourceError::NotThere { .. }
            | ContractSourceError::Unreadable { .. } => Cause::Usage,
            ContractSourceError::Run(error) => error.class(),
        }
    }
}

impl Classify for SourceError {
    fn class(&self) -> Cause {
        match self {
            SourceError::Unreadable { source, .. } => of_named(source, Cause::Usage),
            SourceError::TooLarge { .. } | SourceError::Chain { .. } => Cause::Usage,
        }
    }
}

impl Classify for StartError {
    fn class(&self) -> Cause {
        match self {
            StartError::Process(_) | StartError::Reaper(_) => Cause::File,
            StartError::Scratch(_) => Cause::Database,
        }
    }
}

impl Classify for PipelineError {
    fn class(&self) -> Cause {
        match self {
            PipelineError::Start(error) => error.class(),
            PipelineError::Prove(error) => error.class(),
            PipelineError::Interrupted => Cause::Interrupted,
        }
    }
}

impl Classify for DriftError {
    fn class(&self) -> Cause {
        match self {
            DriftError::Proof(_) | DriftError::NotAllRan(_) => Cause::NotRun,
            DriftError::Database(error) => error.class(),
        }
    }
}

impl Classify for ProveError {
    fn class(&self) -> Cause {
        match self {
            ProveError::Scratch(_) | ProveError::Database(_) => Cause::Database,
            ProveError::Before(_) | ProveError::Commands(..) => Cause::NotRun,
        }
    }
}

impl Classify for WaiversError {
    fn class(&self) -> Cause {
        match self {
            WaiversError::Unreadable { source, .. } => of_named(source, Cause::Usage),
            WaiversError::Wrong(error) => error.class(),
        }
    }

    fn config(&self) -> Option<&ConfigError> {
        if let WaiversError::Wrong(error) = self { Some(error) } else { None }
    }
}

impl Classify for NoSubject {
    fn class(&self) -> Cause {
        match self {
            NoSubject::Aim(error) => error.class(),
            NoSubject::Unknown { .. } | NoSubject::Workflow { .. } => Cause::Configuration,
        }
    }
}

impl Classify for MeasurementLockError {
    fn class(&self) -> Cause {
        match self {
            MeasurementLockError::Busy { .. } => Cause::NotRun,
            MeasurementLockError::Io { .. } => Cause::File,
        }
    }
}

impl Classify for StoredError {
    fn class(&self) -> Cause {
        match self {
            StoredError::None { .. } | StoredError::Name(_) => Cause::Usage,
            StoredError::File { .. } => Cause::File,
        }
    }
}

impl Classify for BenchError {
    fn class(&self) -> Cause {
        match self {
            BenchError::Up { source, .. } => source.class(),
            BenchError::Engine(error) => error.class(),
            BenchError::Folder(error) => error.class(),
            BenchError::Run(error) => error.class(),
            BenchError::Subject(error) => error.class(),
            BenchError::System(_) => Cause::File,
        }
    }
}
