//! What `notify_command` and `notify_webhook` get at the end of a run.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Decision, End, Entry, Line, Plan, coming_end, end_text, manual_steps, why_stuck};

/// Returns the message of a run whose step to notify has begun; `lines` are its journal so far, `dir` is its folder, `dumps` are the
/// dumps in it.
#[must_use]
pub fn announcement(plan: &Plan, lines: &[Line], (dir, dumps): (&Path, &[PathBuf])) -> Value {
    let ending = coming_end(plan, lines);
    let decided = lines.iter().rev().find_map(|line| match &line.entry {
        Entry::Decided { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    let is_committed = lines.iter().any(|line| matches!(line.entry, Entry::Decided { decision: Decision::Commit, .. }));
    let reason = match ending {
        Some((End::Stuck, _)) => why_stuck(lines).or(decided),
        _ => decided,
    };
    let ended = ending
        .zip(lines.last())
        .map(|((end, exit), last)| [lines, &[Line { entry: Entry::Ended { end, exit }, ..last.clone() }]].concat());
    json!({
        "run": plan.run,
        "environment": plan.environments.target,
        "release": plan.release,
        "previous": plan.previous,
        "promoted": is_committed && !matches!(ending, Some((End::Stuck, _))),
        "end": ending.map(|(end, _)| end),
        "exit": ending.map(|(_, exit)| exit.code()),
        "title": ending.map(|(end, exit)| end_text(plan, end, exit)),
        "urgent": matches!(ending, Some((End::Stuck | End::NotVerified, _))),
        "reason": reason,
        "next": ended.map(|lines| manual_steps(plan, dir, &lines, dumps)).unwrap_or_default(),
    })
}
