//! Finishes what a killed run left: forward after its point of no return, back before it.

use std::path::PathBuf;

use stagegate_base::{config::Config, exit::Exit};
use stagegate_gate_decide::promotion::{End, Entry, Line, Plan};

use super::{Gate, Run};
use crate::{
    journal::{self, StoreError},
    journal_index::SUMMARIES,
};
use stagegate_host::{lock::Lock, paths::StateDir};

/// A look that read so many journals keeps what it read for the next one.
const MANY: usize = 64;

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
    SUMMARIES.shared(&state.runs(), |index| {
        let folders = index.folders();
        for dir in folders.iter().rev() {
            let run = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match index.run(dir)? {
                // Not even the plan lasted, so nothing was begun.
                None => {}
                Some(found) if found.is_over() => {}
                Some(found) => return Ok(Some(Unfinished { dir: dir.clone(), run, stuck: found.end.is_some() })),
            }
        }
        index.keep(&folders, MANY);
        Ok(None)
    })
}

/// A run that has not ended, and whose environment the configuration does not have any more.
#[derive(Clone, Debug)]
pub struct Renamed {
    /// Its plan, which holds the names as they were.
    pub plan: Box<Plan>,
    /// Its state folder.
    pub state: PathBuf,
}

/// Finds runs that have not ended and that deploy into a worktree of `config`, though it has no such environment: its
/// name or its project was changed meanwhile. A journal that cannot be read is one of somebody else, or told by
/// [`unfinished`].
#[must_use]
pub fn renamed(config: &Config) -> Vec<Renamed> {
    let canonical = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
    let workdirs: Vec<PathBuf> = config.environments.values().map(|one| canonical(&one.workdir)).collect();
    let open = StateDir::all(config).into_iter().filter_map(|state| {
        let run = unfinished(&state).ok()??;
        match journal::lines(&run.dir).ok()?.into_iter().next()?.entry {
            Entry::Started { plan } => Some(Renamed { plan, state: state.root().to_path_buf() }),
            _ => None,
        }
    });
    let is_renamed = |plan: &Plan| {
        let known = config.environments.get(&plan.environments.target);
        known.is_none_or(|environment| environment.project != plan.project)
    };
    open.filter(|run| is_renamed(&run.plan) && workdirs.contains(&canonical(&run.plan.workdir))).collect()
}

/// Finishes a run that has not ended, and returns how, with its lines and what could not be done afterwards.
///
/// # Errors
/// [`StoreError`] where its journal cannot be read or written.
pub async fn finish(
    gate: Gate,
    state: StateDir,
    lock: Lock,
    run: &Unfinished,
    reason: &str,
) -> Result<(End, Exit, Vec<Line>, Vec<String>), StoreError> {
    let mut run = Run::resume(gate, state, lock, run.dir.clone(), reason)?;
    let (end, exit) = run.complete().await?;
    Ok((end, exit, run.lines().to_vec(), run.warnings().to_vec()))
}
