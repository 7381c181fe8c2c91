//! The repository of `restic` that archives of volumes are in: saved, read, removed.
//!
//! An archive is one file of one snapshot, as `tar` wrote it: the repository compresses, encrypts and deduplicates it. What is
//! saved there is noted in the store before, so that whatever a killed process left is removed by the next one.

mod error;
mod unsettled;

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::{
    command::{
        Command,
        restic::{self, Access},
    },
    config::Restic,
    redact::{Mask, Secret},
};
use stagegate_data_decide::backup::{
    Snapshot,
    restic::{Fault, Found, fault, snapshots},
};
use stagegate_host::process::{RunError, Runner};

pub use error::RepositoryError;
pub use unsettled::{Removed, intend, settle, unsettled};

use super::BackupError;
use crate::age::{is_broken_pipe, pipe};

/// How the variables begin that a place may need.
const VARIABLES: [&str; 10] =
    ["AWS_", "AZURE_", "B2_", "GOOGLE_", "OS_", "RCLONE_", "RESTIC_REST_", "ST_", "HTTP_PROXY", "HTTPS_PROXY"];
/// How long a repository may take to be opened.
const OPEN_WITHIN: Duration = Duration::from_secs(60);

/// An open repository.
#[derive(Clone, Debug)]
pub struct Repository {
    location: String,
    password_file: PathBuf,
    variables: Vec<(String, Secret)>,
    runner: Runner,
    within: Duration,
}

impl Repository {
    /// Opens a repository: its password is tried, and the locks of programs that do not run any more are removed. One program may
    /// take `within`.
    ///
    /// # Errors
    /// [`RepositoryError`], also where `restic` is not installed or there is no repository.
    pub async fn open(settings: &Restic, runner: &Runner, within: Duration) -> Result<Self, RepositoryError> {
        let one = Self::named(settings, runner, within)?;
        one.run("open", &restic::unlock(one.access()), OPEN_WITHIN).await?;
        Ok(one)
    }

    /// Tries whether a repository can be opened, and changes nothing.
    ///
    /// # Errors
    /// As [`Repository::open`].
    pub async fn check(settings: &Restic, runner: &Runner) -> Result<(), RepositoryError> {
        let one = Self::named(settings, runner, OPEN_WITHIN)?;
        one.run("open", &restic::open(one.access()), OPEN_WITHIN).await.map(drop)
    }

    fn named(settings: &Restic, runner: &Runner, within: Duration) -> Result<Self, RepositoryError> {
        let path = &settings.password_file;
        let failed = |source| RepositoryError::PasswordFile { path: path.clone(), source };
        let password = std::fs::read_to_string(path).map_err(failed)?;
        let variables = settings.credentials.as_deref().map(variables).transpose()?.unwrap_or_default();
        let secrets = variables.iter().map(|(_, value)| value.clone());
        let mask = Mask::new(secrets.chain([Secret::new(password.trim_end_matches(['\r', '\n']))]));
        Ok(Repository {
            location: settings.repository.clone(),
            password_file: path.clone(),
            variables,
            runner: runner.clone().with_mask(runner.mask().clone().and(mask)),
            within,
        })
    }

    /// Returns where it is, as restic names it.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    fn access(&self) -> Access<'_> {
        Access { repository: &self.location, password_file: &self.password_file, variables: &self.variables }
    }

    async fn run(&self, what: &'static str, command: &Command, within: Duration) -> Result<String, RepositoryError> {
        self.runner.run_ok(command, within).await.map_err(|error| self.failed(what, None, error))
    }

    /// Makes the error of a program that failed; `snapshot` is the one that it was to read.
    fn failed(&self, what: &'static str, snapshot: Option<&Snapshot>, source: RunError) -> RepositoryError {
        let repository = self.location.clone();
        let RunError::Failed { code, reason, .. } = &source else {
            return RepositoryError::Program { what, repository, source };
        };
        let id = snapshot.map(|snapshot| short(&snapshot.id).to_owned());
        match (fault(*code, reason), id) {
            (Some(Fault::Password), _) => {
                RepositoryError::Password { repository, password_file: self.password_file.clone() }
            }
            (Some(Fault::NoRepository), _) => {
                RepositoryError::Missing { repository, password_file: self.password_file.clone() }
            }
            (Some(Fault::Locked), _) => RepositoryError::Locked { repository, reason: reason.clone() },
            (Some(Fault::NoSnapshot), Some(id)) => RepositoryError::NoSnapshot { repository, id },
            (Some(Fault::Damaged), Some(id)) => RepositoryError::Damaged { repository, id, reason: reason.clone() },
            _ => RepositoryError::Program { what, repository, source },
        }
    }

    /// Saves what `produce` writes to the file that it is given as the file `name` of a snapshot with `tag`.
    ///
    /// # Errors
    /// [`BackupError`]; a snapshot of a part may be there then, which [`settle`] removes.
    pub(super) async fn save<T>(
        &self,
        (name, host, tag): (&str, &str, &str),
        produce: impl AsyncFnOnce(File) -> Result<T, BackupError>,
    ) -> Result<(T, Snapshot), BackupError> {
        let (reader, writer) = pipe().map_err(BackupError::pipe)?;
        let command = restic::save(self.access(), name, host, tag);
        let saving = self.runner.run_from_file(&command, self.within, reader);
        let produced = match tokio::join!(saving, produce(writer)) {
            (Err(error), _) => Err(self.failed("write to", None, error).into()),
            (Ok(()), produced) => produced,
        }?;
        let all = self.found([tag]).await?;
        let path = format!("/{name}");
        let found = all.into_iter().find(|found| found.paths == [path.as_str()]);
        let id = found.map(|found| found.id).ok_or_else(|| RepositoryError::NoSnapshot {
            repository: self.location.clone(),
            id: format!("of {tag}"),
        })?;
        Ok((produced, Snapshot { repository: self.location.clone(), id, tag: tag.to_owned() }))
    }

    /// Lets `consume` read the file `name` of a snapshot from the file that it is given.
    ///
    /// # Errors
    /// [`BackupError`].
    pub(super) async fn load<T>(
        &self,
        (snapshot, name): (&Snapshot, &str),
        consume: impl AsyncFnOnce(File) -> Result<T, BackupError>,
    ) -> Result<T, BackupError> {
        if snapshot.repository != self.location {
            let (wanted, known) = (snapshot.repository.clone(), self.location.clone());
            return Err(RepositoryError::Another { wanted, known }.into());
        }
        let (reader, writer) = pipe().map_err(BackupError::pipe)?;
        let command = restic::load(self.access(), &snapshot.id, name);
        let loading = self.runner.run_to_file(&command, self.within, writer);
        match tokio::join!(loading, consume(reader)) {
            (Err(ended), Err(error)) if is_broken_pipe(&ended) => Err(error),
            (Err(error), _) => Err(self.failed("read", Some(snapshot), error).into()),
            (Ok(()), consumed) => consumed,
        }
    }

    async fn found<'a>(&self, tags: impl IntoIterator<Item = &'a str>) -> Result<Vec<Found>, RepositoryError> {
        let text = self.run("list", &restic::find(self.access(), tags), self.within).await?;
        snapshots(&text).map_err(|source| RepositoryError::List { repository: self.location.clone(), source })
    }

    /// Removes the snapshots that have one of `tags`, and returns how many there were.
    async fn forget<'a>(&self, tags: impl IntoIterator<Item = &'a str>) -> Result<usize, RepositoryError> {
        let all = self.found(tags).await?;
        if !all.is_empty() {
            let command = restic::forget(self.access(), all.iter().map(|one| one.id.as_str()));
            self.run("remove snapshots of", &command, self.within).await?;
        }
        Ok(all.len())
    }
}

/// Returns the beginning of a snapshot's id, as restic prints it.
#[must_use]
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// Reads the variables of a file of lines `NAME=value`.
fn variables(path: &Path) -> Result<Vec<(String, Secret)>, RepositoryError> {
    let failed = |source| RepositoryError::Credentials { path: path.to_path_buf(), source };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let mut all = Vec::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let (name, value) = line.trim_start_matches("export ").split_once('=').unwrap_or((line, ""));
        let name = name.trim();
        if !VARIABLES.iter().any(|start| name.starts_with(start)) {
            return Err(RepositoryError::Variable { path: path.to_path_buf(), start: name.chars().take(20).collect() });
        }
        all.push((name.to_owned(), Secret::new(value.trim().trim_matches(['"', '\'']))));
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
