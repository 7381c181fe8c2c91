//! Why no plan of a run can be made.

use stagegate_base::config::ConfigError;
use stagegate_host::{
    database::DatabaseError, engine::EngineError, git::GitError, project::ProjectError, release::ReleaseError,
};

use crate::journal::StoreError;

/// Why no plan can be made. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An environment's files.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// What is deployed.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The journal.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state folder.
    #[error("the state folder {} has no id", path.display())]
    State {
        /// The folder.
        path: std::path::PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// Nothing is live in the target.
    #[error(
        "nothing runs in `{environment}` yet; bring the first release up with `gate up --env {environment} --release REV`"
    )]
    NothingDeployed {
        /// The environment.
        environment: String,
    },
    /// The source runs nothing that the gate knows of.
    #[error(
        "what `{environment}` runs is not known; deploy the release there with `gate up --env {environment} --release REV`"
    )]
    SourceUnknown {
        /// The environment.
        environment: String,
    },
}
