//! What a watch knows, on the disk, and `gate watch status`.

use std::{
    fs::{self, File, TryLockError},
    path::PathBuf,
};

use serde_json::json;
use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
    text::one_line,
};
use stagegate_data_decide::backup::schedule::length;
use stagegate_host::{clock, files, paths::StateDir};
use stagegate_watch_decide::watch::{State, Status};

use crate::{
    cli,
    failure::{Failure, give_json, print_result},
};

/// After so many seconds without a round nobody watches.
const SILENT_AFTER: i64 = 120;

/// The state of a watch, and the lock of the one that writes it.
pub(super) struct Store {
    pub(super) state: State,
    path: PathBuf,
    _lock: File,
}

impl Store {
    /// Opens the state of an environment's watch, which only one process may.
    pub(super) fn open(state: &StateDir) -> Result<Self, Failure> {
        let dir = state.root().join("watch");
        files::private_dir(&dir).map_err(Failure::writing(&dir))?;
        let lock_path = dir.join("lock");
        let lock = File::options().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(Failure::writing(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = "another process watches this environment; nothing was done. `gate watch status` shows what it sees";
                return Err(Failure::not_run(text));
            }
            Err(TryLockError::Error(error)) => return Err(Failure::writing(&lock_path)(error)),
        }
        let path = path(state);
        // One that cannot be read is as none: rather an alert too many.
        let read = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Ok(Store { state: read.unwrap_or_default(), path, _lock: lock })
    }

    pub(super) fn write(&self) -> Result<(), Failure> {
        files::write_whole(&self.path, &serde_json::to_vec(&self.state)?).map_err(Failure::writing(&self.path))
    }
}

fn path(state: &StateDir) -> PathBuf {
    state.root().join("watch").join("state.json")
}

/// Returns what the watch of an environment knows; `None` where there was none, or it cannot be read.
pub(crate) fn known(config: &Config, environment: &Environment) -> Option<State> {
    serde_json::from_slice(&fs::read(path(&StateDir::of(config, &environment.project))).ok()?).ok()
}

pub(super) fn status(config: &Config, args: &cli::WatchStatus) -> Result<Exit, Failure> {
    let environment = crate::commands::named(config, args.env.as_ref())?;
    let path = path(&StateDir::of(config, &environment.project));
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let name = &environment.name;
            let text = format!("nobody watches {name}; start it with `gate watch install --env {name}`");
            return Err(Failure::not_run(text));
        }
        Err(error) => return Err(Failure::writing(&path)(error)),
    };
    let state: State = serde_json::from_slice(&text)?;
    let age = clock::unix_seconds() - state.round_at;
    let is_silent = age > SILENT_AFTER;
    if args.json {
        let mut value = serde_json::to_value(&state)?;
        (value["environment"], value["silent"]) = (json!(environment.name), json!(is_silent));
        give_json(&serde_json::to_string_pretty(&value)?);
    } else {
        state_lines(&state, age).iter().for_each(|line| print_result(line));
    }
    Ok(match (is_silent, state.checks.are_well()) {
        (true, _) => Exit::Inconclusive,
        (false, false) => Exit::Held,
        (false, true) => Exit::Passed,
    })
}

fn state_lines(state: &State, age: i64) -> Vec<String> {
    let now = clock::unix_seconds();
    let mut lines = Vec::new();
    for (check, known) in &state.checks.0 {
        let since = length((now - known.since).max(0));
        let problem = known.problem.as_ref().filter(|_| known.status != Status::Up);
        let problem = problem.map(|problem| format!("  {}", one_line(problem))).unwrap_or_default();
        lines.push(format!("{check:<28} {:<9} for {since}{problem}", known.status.text()));
    }
    lines.push(match (&state.paused, age > SILENT_AFTER) {
        (_, true) => format!("NOBODY WATCHES: the last round was {} ago", length(age)),
        (Some(paused), _) => format!("paused: {paused}"),
        (None, _) => format!("last round {} ago, {} ms", length(age.max(0)), state.round_ms),
    });
    lines
}
