//! The shapes of responses that runs saw, kept until somebody accepts them.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
};

use crate::paths::StateDir;

/// A shape that a run saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The service.
    pub service: String,
    /// The operation's part of the trial's name, such as `get_orders`.
    pub operation: String,
    /// The snapshot's text.
    pub text: String,
}

impl Seen {
    /// Returns the name of the trial that saw it.
    #[must_use]
    pub fn trial(&self) -> String {
        format!("contracts::{}::{}", self.service, self.operation)
    }
}

fn folder(state: &StateDir) -> PathBuf {
    state.root().join("shapes")
}

/// Keeps a shape that was seen, in the place of the one before.
///
/// # Errors
/// The system's, where it cannot be written.
pub fn keep(state: &StateDir, service: &str, operation: &str, text: &str) -> io::Result<()> {
    let folder = folder(state).join(service);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    fs::write(folder.join(format!("{operation}.snap")), text)
}

/// Lists the shapes that were seen, by trial.
///
/// # Errors
/// The system's, where one cannot be read; where nothing was seen the list is empty.
pub fn seen(state: &StateDir) -> io::Result<Vec<Seen>> {
    let mut all = Vec::new();
    let services = match fs::read_dir(folder(state)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
        services => services?,
    };
    for service in services {
        let service = service?;
        for file in fs::read_dir(service.path())? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            if let Some(operation) = name.strip_suffix(".snap") {
                let service = service.file_name().to_string_lossy().into_owned();
                all.push(Seen { service, operation: operation.to_owned(), text: fs::read_to_string(file.path())? });
            }
        }
    }
    all.sort_by_key(Seen::trial);
    Ok(all)
}
