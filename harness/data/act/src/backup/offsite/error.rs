//! Why a copy was not written, read or removed.

use std::{io, path::Path};

use stagegate_data_decide::backup::ManifestError;

use super::access::AccessError;

/// How much of what a service reports is shown.
pub(super) const REASON: usize = 400;

/// Why a copy was not written, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum OffsiteError {
    /// The access key.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The service, or the mounted folder.
    #[error("cannot {what} {at}: {reason}")]
    Store {
        /// What was tried.
        what: &'static str,
        /// The object.
        at: String,
        /// What the service reported, masked.
        reason: String,
    },
    /// A file of this host.
    #[error("cannot {what} {path}")]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// What was read back, or was there before, is something else.
    #[error(
        "{at} does not hold what was written: expected {expected}, found {found}; nothing is overwritten, remove it there"
    )]
    Differs {
        /// The object.
        at: String,
        /// Bytes and the beginning of the checksum.
        expected: String,
        /// The same of what is there.
        found: String,
    },
    /// The manifest.
    #[error("the manifest {at} cannot be used")]
    Manifest {
        /// The object.
        at: String,
        /// What is wrong.
        #[source]
        source: ManifestError,
    },
    /// It is not there, or not as requested.
    #[error("{0}")]
    Refused(String),
}

pub(super) fn file_error(what: &'static str, path: &Path, source: io::Error) -> OffsiteError {
    OffsiteError::File { what, path: path.display().to_string(), source }
}
