//! Waits for somebody who confirms that the release stays, and takes the confirmation.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_gate_decide::promotion::{Confirmation, Confirmed, Entry, Unconfirmed, Waits, waits};
use stagegate_host::{clock, files, host::waiting_file};

use super::{Run, StepError, caller, on_file};
use crate::journal::{self, StoreError};

/// In the run's folder: what was decided. Whoever makes it first decides.
const FILE_NAME: &str = "confirmation.json";
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a run may take to go on once it is confirmed: it compares what runs with its plan before.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);

/// Why a run was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// It cannot be.
    #[error(transparent)]
    Unconfirmed(#[from] Unconfirmed),
    /// Its journal.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its folder cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// It does not go on.
    #[error(
        "run {run} was confirmed and did not go on within {} s: its process is gone or hangs; `gate resume --env {environment}` \
         rolls back what it left",
        within.as_secs()
    )]
    NotTaken {
        /// The run.
        run: String,
        /// Its environment.
        environment: String,
        /// How long it was waited for.
        within: Duration,
    },
}

impl Run {
    /// Waits until somebody confirms that the release stays; sleep of the machine counts.
    pub(super) async fn confirmed(&mut self) -> Result<Confirmed, StepError> {
        let within = self.plan.confirm_within.unwrap_or_default();
        let file = self.dir.join(FILE_NAME);
        announce(&self.plan.run)?;
        let began = clock::since_boot();
        let decided = loop {
            if let Some(decided) = on_file(&file, read(&file))? {
                break decided;
            }
            if clock::since_boot().saturating_sub(began) >= within.0 {
                break on_file(&file, decide(&file, &Confirmation::Expired))?;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        let Confirmation::Confirmed { by } = decided else {
            let target = &self.plan.environments.target;
            return Err(StepError::blocked(format!(
                "nobody confirmed the release within {within} (`confirm_within` of [environments.{target}]); `gate confirm` does"
            )));
        };
        let waited = clock::since_boot().saturating_sub(began);
        // What was verified is what stays.
        let new = self.snapshot("new")?.model;
        self.stop_at_drift(&new).await?;
        self.stop_at_another_release(&new).await?;
        Ok(Confirmed { by, waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX) })
    }
}

/// Lets the gate on another machine, which follows this run, find that it waits.
fn announce(run: &str) -> Result<(), StepError> {
    let Some(path) = waiting_file() else { return Ok(()) };
    // Programs inherit variables: only the folder of this very run is written to.
    let is_own = path.parent().and_then(Path::file_name).is_some_and(|name| name == run);
    if is_own { on_file(&path, files::write_whole(&path, run.as_bytes())) } else { Ok(()) }
}

/// Confirms the run in `dir` and waits until its release stays. Returns whether it did so already.
///
/// # Errors
/// [`ConfirmError`] where the run does not wait, is rolled back, or does not go on.
pub async fn confirm(dir: &Path) -> Result<Waits, ConfirmError> {
    let lines = journal::lines(dir)?;
    let Some(Entry::Started { plan }) = lines.first().map(|line| line.entry.clone()) else {
        let source = stagegate_gate_decide::promotion::JournalError::NoPlan;
        return Err(StoreError::Text { path: dir.to_path_buf(), source }.into());
    };
    let found = waits(&plan, &lines)?;
    if found == Waits::Committed {
        return Ok(found);
    }
    let path = dir.join(FILE_NAME);
    let confirmation = Confirmation::Confirmed { by: caller::name() };
    decide(&path, &confirmation).map_err(|source| ConfirmError::File { path: path.clone(), source })?;
    let deadline = clock::since_boot() + TAKEN_WITHIN;
    while clock::since_boot() < deadline {
        // What counts is what the run does: it may have decided otherwise just before.
        if waits(&plan, &journal::lines(dir)?)? == Waits::Committed {
            return Ok(Waits::Confirmed);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(ConfirmError::NotTaken {
        run: plan.run.clone(),
        environment: plan.environments.target.clone(),
        within: TAKEN_WITHIN,
    })
}

/// Makes the file, unless somebody else did, and returns what it holds.
fn decide(path: &Path, confirmation: &Confirmation) -> io::Result<Confirmation> {
    files::write_once(path, || serde_json::to_vec(confirmation).map_err(io::Error::other))?;
    read(path)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

fn read(path: &Path) -> io::Result<Option<Confirmation>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_decides_first_decides() {
        let dir = std::env::temp_dir().join(format!("stagegate-confirmation-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        for round in 0..50 {
            let path = dir.join(round.to_string()).join(FILE_NAME);
            let confirmed = Confirmation::Confirmed { by: Some("deploy".to_owned()) };
            files::private_dir(path.parent().unwrap()).unwrap();
            let first = if round % 2 == 0 { confirmed.clone() } else { Confirmation::Expired };
            let second = if round % 2 == 0 { Confirmation::Expired } else { confirmed };
            assert_eq!(decide(&path, &first).unwrap(), first);
            assert_eq!(decide(&path, &second).unwrap(), first, "the later one gets what was decided");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
