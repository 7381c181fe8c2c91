//! Finishes what a killed run left: forward after its point of no return, back before it.

use std::path::PathBuf;

use stagegate_base::exit::Exit;
use stagegate_gate_decide::promotion::{End, Entry, Line};

use super::{Gate, Run};
use crate::journal::{self, StoreError};
use stagegate_host::{lock::Lock, paths::StateDir};

/// A run that has not ended.
#[derive(Clone, Debug)]
pub struct Unfinished {
    /// Its folder.
    pub dir: PathBuf,
    /// Its id.
    pub run: String,
    /// Manual action is required.
    pub stuck: bool,
}

/// Finds the run that has not ended, the newest one.
///
/// # Errors
/// [`StoreError`] where a journal is damaged or of another version: nothing is done by a guess then.
pub fn unfinished(state: &StateDir) -> Result<Option<Unfinished>, StoreError> {
    for dir in journal::runs(&state.runs()).into_iter().rev() {
        let lines = journal::lines(&dir)?;
        let run = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match lines.last().map(|line| &line.entry) {
            // Not even the plan lasted, so nothing was begun.
            None => {}
            Some(Entry::Ended { end, .. }) if end.is_final() => {}
            Some(Entry::Ended { .. }) => return Ok(Some(Unfinished { dir, run, stuck: true })),
            Some(_) => return Ok(Some(Unfinished { dir, run, stuck: false })),
        }
    }
    Ok(None)
}

/// Finishes a run that has not ended.
///
/// # Errors
/// [`StoreError`] where its journal cannot be read or written.
pub async fn finish(
    gate: Gate,
    state: StateDir,
    lock: Lock,
    run: &Unfinished,
    reason: &str,
) -> Result<(End, Exit, Vec<Line>), StoreError> {
    let mut run = Run::resume(gate, state, lock, run.dir.clone(), reason)?;
    let (end, exit) = run.complete().await?;
    Ok((end, exit, run.lines().to_vec()))
}
