//! What was found when copies off this host were last read: kept here, since what is there is never written again.

use std::{collections::BTreeMap, fs, path::Path};

use serde::{Deserialize, Serialize};
use stagegate_host::{clock, files};

use crate::backup::BackupError;

const FILE: &str = "offsite.json";

/// What was found when a copy was last read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// When that was, RFC 3339.
    pub at: String,
    /// What was wrong with it.
    #[serde(default)]
    pub damaged: Option<String>,
}

/// The copies by their ids.
pub type Notes = BTreeMap<String, Read>;

/// Returns what is noted in the store's folder.
///
/// # Errors
/// [`BackupError::File`].
pub fn of(root: &Path) -> Result<Notes, BackupError> {
    let path = root.join(FILE);
    match fs::read(&path) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Notes::new()),
        Err(error) => Err(BackupError::file("read", &path)(error)),
    }
}

/// Notes what was found when a copy was read just now.
///
/// # Errors
/// [`BackupError::File`].
pub fn note(root: &Path, id: &str, damaged: Option<String>) -> Result<(), BackupError> {
    let mut notes = of(root)?;
    notes.insert(id.to_owned(), Read { at: clock::now(), damaged });
    write(root, &notes)
}

/// Forgets a copy that was removed.
///
/// # Errors
/// [`BackupError::File`].
pub fn forget(root: &Path, id: &str) -> Result<(), BackupError> {
    let mut notes = of(root)?;
    match notes.remove(id) {
        Some(_) => write(root, &notes),
        None => Ok(()),
    }
}

fn write(root: &Path, notes: &Notes) -> Result<(), BackupError> {
    let path = root.join(FILE);
    files::write_whole(&path, &serde_json::to_vec_pretty(notes)?).map_err(BackupError::file("write", &path))
}
