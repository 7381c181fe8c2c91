//! Why there is no backup, or why it cannot be used.

use std::path::{Path, PathBuf};

use stagegate_data_decide::backup::ManifestError;
use stagegate_host::{database::DatabaseError, engine::EngineError, process::RunError};

use super::repository::RepositoryError;
use crate::age::{IdentityError, StreamError};

/// What `age` prints for an identity that is none of the recipients'.
// Source: age, cmd/age/age.go.
const NO_MATCH: &str = "no identity matched";

/// Why there is no backup, or why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The server.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The manifest.
    #[error("backup {id} cannot be used")]
    Manifest {
        /// The backup.
        id: String,
        /// What is wrong.
        #[source]
        source: ManifestError,
    },
    /// A value without JSON form.
    #[error("the manifest cannot be written")]
    Json(#[from] serde_json::Error),
    /// No scratch server.
    #[error("no scratch server to restore the dump into; without that proof nothing is listed as a backup")]
    Scratch(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The dump does not restore to what was dumped.
    #[error("the dump of database `{database}` does not restore to what was dumped: {}", differences.join("; "))]
    Differs {
        /// The database.
        database: String,
        /// How.
        differences: Vec<String>,
    },
    /// An archive does not restore to what was archived.
    #[error("archive {archive} does not hold what was archived: {}", differences.join("; "))]
    ArchiveDiffers {
        /// The archive.
        archive: String,
        /// How.
        differences: Vec<String>,
    },
    /// A program.
    #[error("cannot {what}")]
    Program {
        /// What was tried.
        what: &'static str,
        /// What it reported.
        #[source]
        source: RunError,
    },
    /// Files changed since the backup was made.
    #[error("backup {id} is damaged: {}; restore another one (`gate backup list`)", problems.join("; "))]
    Damaged {
        /// The backup.
        id: String,
        /// What is wrong.
        problems: Vec<String>,
    },
    /// An identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It is encrypted, and no identity was named.
    #[error("backup {id} is encrypted; name the file of its identity by --identity, or by `identity` of [backup]")]
    Encrypted {
        /// The backup.
        id: String,
    },
    /// The identity is another one.
    #[error(
        "the identity does not decrypt {}; name the file of one of the identities that it is encrypted to by --identity \
         (`encrypted_to` of the backup's manifest.json lists their recipients)", path.display()
    )]
    WrongIdentity {
        /// The encrypted file.
        path: PathBuf,
    },
    /// `age`.
    #[error("cannot {what} {}", path.display())]
    Age {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the program reported.
        #[source]
        source: RunError,
    },
    /// A repository of `restic`.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// It is not there, or not as requested.
    #[error("{0}")]
    Refused(String),
}

impl BackupError {
    pub(crate) fn file(what: &'static str, path: &Path) -> impl Fn(std::io::Error) -> BackupError {
        let path = path.to_path_buf();
        move |source| BackupError::File { what, path: path.clone(), source }
    }

    /// Makes the error of what was to flow between two programs.
    pub(super) fn pipe(source: std::io::Error) -> BackupError {
        BackupError::File { what: "read or write", path: "an archive on its way".into(), source }
    }

    /// Makes the error of a file that was not written or read; `other` is what produced or consumed it.
    pub(super) fn stream<E>(
        what: &'static str,
        path: &Path,
        other: impl FnOnce(E) -> BackupError,
    ) -> impl FnOnce(StreamError<E>) -> BackupError {
        let path = path.to_path_buf();
        move |error| match error {
            StreamError::File(source) => BackupError::File { what, path, source },
            StreamError::Age(RunError::Failed { reason, .. }) if reason.contains(NO_MATCH) => {
                BackupError::WrongIdentity { path }
            }
            StreamError::Age(source) => BackupError::Age { what, path, source },
            StreamError::Other(error) => other(error),
        }
    }
}
