//! The files of the folder, and trials of those that cannot be used.

use std::path::{Path, PathBuf};

use stagegate_decide::record::Outcome;

use crate::trial::{Effect, Trial};

/// The longest file that is read.
const LONGEST_BYTES: u64 = 1 << 20;

/// A file of the folder.
pub(super) struct File {
    pub(super) path: PathBuf,
    /// Its text, or why it cannot be read.
    pub(super) text: Result<String, String>,
}

/// Returns the files of a folder by name; none where there is no folder.
pub(super) fn all(folder: &Path) -> Vec<File> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.into_iter().map(|path| File { text: text(&path), path }).collect()
}

fn text(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > LONGEST_BYTES {
        return Err(format!("{length} bytes are more than a workflow file may have ({LONGEST_BYTES})"));
    }
    std::fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))
}

/// Makes the trial of a file that cannot be used: it fails, with what is wrong and where.
pub(super) fn broken(name: &str, question: &str, reason: String) -> Trial {
    Trial::new("workflows", name, question, Effect::Reads, move |_| {
        let outcome = Outcome::fail(reason.clone());
        async move { outcome }
    })
}
