//! What was done with the backups of an environment, and how it ended: one JSON line each.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use stagegate_host::clock;

use super::BackupError;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A backup.
    Backup,
    /// A restore into the environment.
    Restore,
    /// A restore into a scratch server.
    Drill,
    /// A removal of old backups.
    Prune,
    /// A removal of old copies off this host.
    PruneOffsite,
    /// A copy elsewhere.
    Offsite,
    /// A removal of old logs and records.
    Rotate,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When it ended, in seconds since 1970.
    pub at: i64,
    /// What was done.
    pub event: Event,
    /// The backup.
    #[serde(default)]
    pub id: Option<String>,
    /// Why it failed; `None` where it did not.
    #[serde(default)]
    pub error: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// It was about a copy off this host.
    #[serde(default)]
    pub offsite: bool,
}

fn path(root: &Path) -> PathBuf {
    root.join("journal.jsonl")
}

/// Adds a line to the journal in the store's folder.
///
/// # Errors
/// [`BackupError::File`].
pub fn append(
    root: &Path,
    event: Event,
    id: Option<&str>,
    error: Option<String>,
    seconds: f64,
) -> Result<(), BackupError> {
    let line = Line { at: clock::unix_seconds(), event, id: id.map(str::to_owned), error, seconds, offsite: false };
    add(root, &line)
}

/// Adds a line as it is.
///
/// # Errors
/// [`BackupError::File`].
pub fn add(root: &Path, line: &Line) -> Result<(), BackupError> {
    let path = path(root);
    let failed = BackupError::file("write", &path);
    // A line that a crash cut must not swallow the next one.
    let is_cut = std::fs::read(&path).is_ok_and(|text| text.last().is_some_and(|byte| *byte != b'\n'));
    let text = format!("{}{}\n", if is_cut { "\n" } else { "" }, serde_json::to_string(line)?);
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(&failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// Returns the lines, the oldest first; one that cannot be read is left out.
#[must_use]
pub fn lines(root: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path(root)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Returns when something last succeeded, in seconds since 1970.
#[must_use]
pub fn last_well(lines: &[Line], event: Event) -> Option<i64> {
    lines.iter().rfind(|line| line.event == event && line.error.is_none()).map(|line| line.at)
}

/// Returns the last restore drill that succeeded; with `offsite` only one of a copy off this host counts.
#[must_use]
pub fn last_drill(lines: &[Line], offsite: bool) -> Option<&Line> {
    let counts = |line: &&Line| line.event == Event::Drill && line.error.is_none() && (line.offsite || !offsite);
    lines.iter().rfind(counts)
}

/// Returns the failures of an event that nothing made good since: of each backup its last line, and of what is about none the
/// last line of all.
#[must_use]
pub fn failures(lines: &[Line], event: Event) -> Vec<&Line> {
    let of: Vec<&Line> = lines.iter().filter(|line| line.event == event).collect();
    let is_last = |(at, line): &(usize, &&Line)| {
        of[at + 1..].iter().all(|later| line.id.is_some() && later.id != line.id) && line.error.is_some()
    };
    of.iter().enumerate().filter(is_last).map(|(_, line)| *line).collect()
}

/// Returns the last line of an event, where it tells of a failure.
#[must_use]
pub fn last_failure(lines: &[Line], event: Event) -> Option<&Line> {
    lines.iter().rfind(|line| line.event == event).filter(|line| line.error.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: Event, id: Option<&str>, error: Option<&str>) -> Line {
        let (id, error) = (id.map(str::to_owned), error.map(str::to_owned));
        Line { at: 0, event, id, error, seconds: 0.0, offsite: false }
    }

    #[test]
    fn a_failure_stands_until_the_same_backup_goes_well() {
        let upload = |id, error| line(Event::Offsite, id, error);
        let mut lines = vec![upload(Some("a"), Some("another file")), upload(None, Some("no place"))];
        let found = |lines: &[Line]| -> Vec<String> {
            failures(lines, Event::Offsite).into_iter().filter_map(|line| line.error.clone()).collect()
        };
        assert_eq!(found(&lines), ["another file", "no place"]);
        lines.extend([upload(Some("b"), None), line(Event::Backup, None, Some("no engine"))]);
        assert_eq!(found(&lines), ["another file"]);
        lines.push(upload(Some("a"), None));
        assert!(found(&lines).is_empty());
    }
}
