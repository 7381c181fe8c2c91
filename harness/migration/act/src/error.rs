//! Why a chain could not be tried.

use crate::scratch::ScratchError;
use stagegate_host::database::DatabaseError;

/// Why a chain could not be tried at all.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The scratch server refused.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The schema cannot be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// What is run before the first migration failed.
    #[error("the statements before the first migration failed: {0}")]
    Before(String),
    /// The tool's commands do not tell its migrations.
    #[error("cannot list the migrations: {0}; {1}")]
    Commands(String, &'static str),
}
