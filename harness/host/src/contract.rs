//! Contracts as texts: from files, and from commits.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::command::git as command;

use crate::process::{RunError, Runner};

/// How long git may take to print a file.
const WITHIN: Duration = Duration::from_secs(30);

/// Why a contract cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContractSourceError {
    /// The file.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// What is no `git:REV:PATH`.
    #[error("`{text}` does not name a file of a commit; write git:REV:PATH, as in git:v1.2:contracts/api.yaml")]
    NoPlace {
        /// What was given.
        text: String,
    },
    /// The commit has no such file, or there is no such commit.
    #[error("`{place}` is not in the git repository {}; check with `git show {place}`", repository.display())]
    NotThere {
        /// `REV:PATH`.
        place: String,
        /// Where.
        repository: PathBuf,
    },
    /// Git cannot be run.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Reads a contract from a file, or from a commit of this folder's repository (`git:REV:PATH`).
///
/// # Errors
/// [`ContractSourceError`] where it is not there.
pub async fn read(runner: &Runner, place: &str) -> Result<String, ContractSourceError> {
    let Some(rest) = place.strip_prefix("git:") else {
        let path = PathBuf::from(place);
        return std::fs::read_to_string(&path).map_err(|source| ContractSourceError::File { path, source });
    };
    let Some((revision, path)) = rest.split_once(':').filter(|(rev, path)| !rev.is_empty() && !path.is_empty()) else {
        return Err(ContractSourceError::NoPlace { text: place.to_owned() });
    };
    read_at(runner, Path::new("."), revision, Path::new(path)).await
}

/// Reads a file as a commit has it; the path is meant from the repository's top.
///
/// # Errors
/// [`ContractSourceError::NotThere`] where the commit lacks it.
pub async fn read_at(
    runner: &Runner,
    repository: &Path,
    revision: &str,
    path: &Path,
) -> Result<String, ContractSourceError> {
    let output = runner.run(&command::file_of(repository, revision, path), WITHIN).await?;
    if output.code != 0 {
        let place = format!("{revision}:{}", path.display());
        return Err(ContractSourceError::NotThere { place, repository: repository.to_path_buf() });
    }
    Ok(output.stdout)
}
