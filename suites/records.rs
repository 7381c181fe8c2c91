//! The records of a run as a file: JSON Lines, each line written as its trial ends.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Mutex,
};

use stagegate_decide::record::Record;

/// An open file of records.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    file: Mutex<File>,
}

impl Records {
    /// Opens `<dir>/<name>.jsonl` for appending; folder and file are their owner's alone.
    ///
    /// # Errors
    /// The system's, where the folder or the file cannot be made.
    pub fn open(dir: &Path, name: &str) -> std::io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let path = dir.join(format!("{name}.jsonl"));
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        Ok(Records { path, file: Mutex::new(file) })
    }

    /// Returns a name for the records of a run that begins now: `<UTC time>-<process id>`.
    #[must_use]
    pub fn name_of_now() -> String {
        format!("{}-{}", jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S"), std::process::id())
    }

    /// Appends a record, in one write: other processes of the same run may append to the file too.
    ///
    /// # Errors
    /// The system's, where the line cannot be written.
    pub fn append(&self, record: &Record) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write_all(&line)
    }

    /// Returns the file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
