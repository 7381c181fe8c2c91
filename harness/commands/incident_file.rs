//! The incidents of an environment: a line each in a file of its state folder.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

use stagegate_base::{
    config::{Config, Environment},
    text::counted,
};
use stagegate_host::{clock, files, paths::StateDir};
use stagegate_watch_decide::incident::{Incident, IncidentEntry, IncidentLine, VERSION, incidents};

use crate::failure::Failure;

/// The file's name in an environment's state folder.
const FILE_NAME: &str = "incidents.jsonl";

/// Returns the file of an environment's incidents.
fn path(config: &Config, environment: &Environment) -> PathBuf {
    StateDir::of(config, &environment.project).root().join(FILE_NAME)
}

/// Reads the incidents of an environment, with a line for what of the file cannot be read.
pub(super) fn known(config: &Config, environment: &Environment) -> (Vec<Incident>, Option<String>) {
    let path = path(config, environment);
    match fs::read(&path) {
        Ok(bytes) => {
            let (found, unread) = incidents(&String::from_utf8_lossy(&bytes), clock::unix_of);
            (found, (unread > 0).then(|| format!("{}: {} cannot be read", path.display(), counted(unread, "line"))))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => (Vec::new(), None),
        Err(error) => (Vec::new(), Some(format!("{}: {error}", path.display()))),
    }
}

/// Appends a line that is made of the incidents so far; one process at a time, and on the disk before it returns.
pub(super) fn append(
    config: &Config,
    environment: &Environment,
    entry: impl FnOnce(&[Incident]) -> Result<(u64, IncidentEntry), Failure>,
) -> Result<(), Failure> {
    let path = path(config, environment);
    let folder = path.parent().unwrap_or(&path);
    files::private_dir(folder).map_err(Failure::writing(folder))?;
    let opened = File::options().read(true).append(true).create(true).open(&path);
    let mut file = opened.map_err(Failure::writing(&path))?;
    file.lock().map_err(Failure::writing(&path))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(Failure::reading(&path))?;
    let (found, _) = incidents(&String::from_utf8_lossy(&bytes), clock::unix_of);
    let (incident, entry) = entry(&found)?;
    let line = IncidentLine { v: VERSION, incident, wall: clock::now(), entry };
    // A line that was torn stays a line of its own.
    let begin = if bytes.last().is_none_or(|last| *last == b'\n') { "" } else { "\n" };
    let line = format!("{begin}{}\n", serde_json::to_string(&line)?);
    let written =
        file.seek(SeekFrom::End(0)).and_then(|_| file.write_all(line.as_bytes())).and_then(|()| file.sync_all());
    written.map_err(Failure::writing(&path))
}
