//! The runs of environments, read from their journals.

use std::path::PathBuf;

use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
};
use stagegate_gate_act::journal;
use stagegate_gate_decide::promotion::{End, Entry, Line, Plan, reason};
use stagegate_host::paths::StateDir;

use crate::failure::Failure;

/// Returns the runs of an environment, the oldest first: folder, plan and lines.
pub(super) fn runs(config: &Config, environment: &Environment) -> Result<Vec<(PathBuf, Plan, Vec<Line>)>, Failure> {
    let mut runs = Vec::new();
    for dir in journal::runs(&StateDir::of(config, &environment.project).runs()) {
        let lines = journal::lines(&dir)?;
        if let Some(Entry::Started { plan }) = lines.first().map(|line| line.entry.clone()) {
            runs.push((dir, *plan, lines));
        }
    }
    Ok(runs)
}

/// Returns the environments that a reading of the history is about.
pub(super) fn chosen<'a>(config: &'a Config, env: Option<&String>) -> Result<Vec<&'a Environment>, Failure> {
    Ok(match env {
        Some(name) => vec![config.environment(name)?],
        None => config.environments.values().collect(),
    })
}

/// Returns how a run ended; `None` where it has not.
pub(super) fn end_of(lines: &[Line]) -> Option<(End, Exit)> {
    match lines.last().map(|line| &line.entry) {
        Some(Entry::Ended { end, exit }) => Some((*end, *exit)),
        _ => None,
    }
}

/// Returns a run as one line of JSON.
pub(super) fn as_json(plan: &Plan, lines: &[Line]) -> Result<String, Failure> {
    let (end, exit) = end_of(lines).unzip();
    let value = serde_json::json!({
        "run": plan.run,
        "from": plan.environments.source,
        "to": plan.environments.target,
        "release": plan.release,
        "previous": plan.previous,
        "began": lines.first().map(|line| &line.wall),
        "ended": end.and(lines.last().map(|line| &line.wall)),
        "end": end,
        "exit": exit.map(Exit::code),
        "reason": reason(lines),
        "tag": plan.tag,
        "plan_file": plan.file,
    });
    Ok(serde_json::to_string(&value)?)
}
