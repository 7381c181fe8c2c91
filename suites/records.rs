//! The records of a run as a file: JSON Lines, each line written as its trial ends.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Mutex,
};

use stagegate_base::record::Record;

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

    /// Returns the name of this run's file: `<UTC time>-<process id>`, or one name for all processes of a nextest run.
    #[must_use]
    pub fn name_of_run() -> String {
        // Source: nextest, "Environment variables nextest sets": a UUID.
        let nextest = std::env::var("NEXTEST_RUN_ID").ok();
        nextest.filter(|id| is_plain(id)).map_or_else(of_now, |id| format!("nextest-{id}"))
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

fn of_now() -> String {
    format!("{}-{}", jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S"), std::process::id())
}

/// Returns whether a text is a file name and not a path.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use stagegate_base::record::{Outcome, Severity};

    use super::*;

    #[test]
    fn two_writers_of_one_file_keep_each_others_lines() {
        let dir = std::env::temp_dir().join(format!("stagegate-records-{}", std::process::id()));
        let record = |trial: &str| Record::new("staging", trial, Severity::Required, 1, Outcome::Pass("ok".into()));
        let (one, two) = (Records::open(&dir, "run").unwrap(), Records::open(&dir, "run").unwrap());
        one.append(&record("a::b::c")).unwrap();
        two.append(&record("a::b::d")).unwrap();
        one.append(&record("a::b::e")).unwrap();
        let text = std::fs::read_to_string(one.path()).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        let read: Vec<Record> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, ["a::b::c", "a::b::d", "a::b::e"].map(record));
    }
}
