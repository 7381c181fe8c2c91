//! Which backups were begun or removed whose snapshots may have to go: a file of the store, written before the act.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use stagegate_data_decide::backup::restic::{Unsettled, settled};
use stagegate_host::files;

use super::{BackupError, Repository, RepositoryError};

/// Next to the backups, so that none of them is ever written again.
const FILE: &str = "snapshots.json";

/// Returns the backups whose snapshots may have to be removed, by their ids.
///
/// # Errors
/// [`BackupError::File`].
pub fn unsettled(root: &Path) -> Result<BTreeMap<String, Unsettled>, BackupError> {
    let path = root.join(FILE);
    match fs::read(&path) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(BackupError::file("read", &path)(error)),
    }
}

/// Notes that a backup is about to be made or removed.
///
/// # Errors
/// [`BackupError::File`].
pub fn intend(root: &Path, id: &str, one: Unsettled) -> Result<(), BackupError> {
    let mut all = unsettled(root)?;
    all.insert(id.to_owned(), one);
    write(root, &all)
}

fn write(root: &Path, all: &BTreeMap<String, Unsettled>) -> Result<(), BackupError> {
    let path = root.join(FILE);
    files::write_whole(&path, &serde_json::to_vec_pretty(all)?).map_err(BackupError::file("write", &path))
}

/// What became of backups that were begun or removed.
#[derive(Debug, Default)]
pub struct Removed {
    /// How many snapshots went.
    pub snapshots: usize,
    /// Backups whose snapshots are in another repository than the one that was opened: they are given up.
    pub given_up: Vec<Unsettled>,
}

/// Removes the snapshots of backups that are not listed any more, neither in the store at `root`, whose lock is needed, nor in
/// `copies`, the ids of those off this host; `None` where nobody looked. `open` opens the repository if there is anything to remove.
///
/// # Errors
/// [`BackupError`]; what is left is removed by the next call.
pub async fn settle(
    root: &Path,
    copies: Option<&BTreeSet<String>>,
    open: impl AsyncFnOnce() -> Result<Option<Repository>, RepositoryError>,
) -> Result<Removed, BackupError> {
    let all = unsettled(root)?;
    if all.is_empty() {
        return Ok(Removed::default());
    }
    let here = all.keys().filter(|id| root.join(id).is_dir()).cloned().collect();
    let settled = settled(all, &here, copies);
    let mut removed = Removed::default();
    if !settled.gone.is_empty() {
        let repository = open().await?;
        let is_reached = |one: &Unsettled| repository.as_ref().is_some_and(|there| there.location() == one.repository);
        let (gone, given_up): (Vec<Unsettled>, _) = settled.gone.into_values().partition(is_reached);
        if let Some(repository) = repository.as_ref().filter(|_| !gone.is_empty()) {
            removed.snapshots = repository.forget(gone.iter().map(|one| one.tag.as_str())).await?;
        }
        removed.given_up = given_up;
    }
    write(root, &settled.open)?;
    Ok(removed)
}
