//! One run at a time for a compose project on a machine.
//!
//! The kernel holds the lock and drops it when its holder dies, so it cannot stick. What a dead holder left running
//! is ended by the next one, before it does anything else.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{files, paths::StateDir, process};

/// Who holds a lock: for people to read. Only the kernel knows whether the holder lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Process id.
    pub pid: u32,
    /// What it does.
    pub what: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// A lock that was not got.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("`{project}` is locked by {}; wait for it, or look at it with `gate status`", owner_text(owner.as_ref()))]
    Held {
        /// The compose project.
        project: String,
        /// Who holds it, as far as it said so.
        owner: Option<Owner>,
    },
    /// The file.
    #[error("cannot lock {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

fn owner_text(owner: Option<&Owner>) -> String {
    owner.map_or_else(
        || "another process".to_owned(),
        |owner| format!("process {} ({}, since {})", owner.pid, owner.what, owner.since),
    )
}

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of a project at once, or says who holds it; then ends what a dead holder left running.
    ///
    /// # Errors
    /// [`LockError::Held`] where another process holds it.
    pub fn take(state: &StateDir, project: &str, what: &str) -> Result<Self, LockError> {
        let path = state.root().join("lock");
        let error = |source| LockError::Io { path: path.clone(), source };
        files::private_dir(state.root()).map_err(error)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { project: project.to_owned(), owner: owner(state) });
            }
            Err(TryLockError::Error(source)) => return Err(error(source)),
        }
        let since = format!("{:.0}", jiff::Timestamp::now());
        let owner = Owner { pid: std::process::id(), what: what.to_owned(), since };
        let text = serde_json::to_vec(&owner).map_err(|e| error(e.into()))?;
        files::write_whole(&owner_path(state), &text).map_err(error)?;
        end_leftovers(state.root());
        Ok(Lock { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Returns who said last that it holds the lock.
#[must_use]
pub fn owner(state: &StateDir) -> Option<Owner> {
    serde_json::from_slice(&std::fs::read(owner_path(state)).ok()?).ok()
}

/// Returns the mark of a run's children.
#[must_use]
pub fn mark(state: &StateDir, run: &str) -> String {
    format!("{}#{run}", state.root().display())
}

fn owner_path(state: &StateDir) -> PathBuf {
    state.root().join("lock-owner.json")
}

/// Ends the marked processes of earlier runs and waits, at most 5 s, until none is left.
fn end_leftovers(root: &Path) {
    let beginning = format!("{}#", root.display());
    let deadline = Instant::now() + Duration::from_secs(5);
    while process::end_marked(|mark| mark.starts_with(&beginning)) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_the_lock_and_the_third_gets_it() {
        let dir = std::env::temp_dir().join(format!("stagegate-lock-{}", std::process::id()));
        let state = StateDir::at(&dir);
        let first = Lock::take(&state, "shop", "gate promote").unwrap();
        let error = Lock::take(&state, "shop", "gate up").unwrap_err().to_string();
        assert!(error.contains("gate promote") && error.contains(&std::process::id().to_string()), "{error}");
        drop(first);
        drop(Lock::take(&state, "shop", "gate up").unwrap());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
