//! The end of a run as a person reads it.

use std::path::Path;

use super::{Decision, End, Entry, Kind, Line, Plan};
use stagegate_base::{
    command::{self, compose::Orphans},
    exit::Exit,
};

/// Returns the end of a run in words.
#[must_use]
pub fn end_text(plan: &Plan, end: End, exit: Exit) -> String {
    let (target, release, previous) = (&plan.environments.target, &plan.release.name, &plan.previous.name);
    match (end, &plan.kind) {
        (End::Promoted, Kind::Promote) => format!("promoted: {release} is live in {target}"),
        (End::Promoted, Kind::Rollback { .. }) => format!("rolled back: {release} is live in {target} again"),
        (End::Blocked, _) if exit == Exit::Inconclusive => format!("inconclusive: {target} was not changed"),
        (End::Blocked, _) => format!("blocked: {target} was not changed"),
        (End::Aborted, _) => format!("interrupted: {target} was not changed"),
        (End::RolledBack, _) => format!("rolled back and verified: {previous} is live in {target} again"),
        (End::NotVerified, _) => format!("rolled back but NOT verified: check {target} now"),
        (End::Stuck, _) => "STUCK: manual action required".to_owned(),
        (End::Abandoned, _) => "abandoned".to_owned(),
    }
}

/// Returns why a run did not go through: what failed first, else why it turned.
#[must_use]
pub fn reason(lines: &[Line]) -> Option<&str> {
    let failed = lines.iter().find_map(|line| match &line.entry {
        Entry::Failed { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    failed.or_else(|| {
        lines.iter().find_map(|line| match &line.entry {
            Entry::Decided { decision: Decision::Rollback, reason } => Some(reason.as_str()),
            _ => None,
        })
    })
}

/// Returns what a person can type where the gate itself can go no further; `dir` is the run's folder.
#[must_use]
pub fn by_hand(plan: &Plan, dir: &Path, end: End) -> Vec<String> {
    let target = &plan.environments.target;
    match end {
        End::NotVerified => vec![
            format!("gate status --env {target}"),
            format!("gate test --env {target}"),
            format!("gate logs --env {target} --tail 100"),
        ],
        End::Stuck => {
            let mut lines = vec![format!("gate status --env {target}"), format!("gate resume --env {target}")];
            lines.push(format!("# or manually; the log is {}", dir.join("run.log").display()));
            for database in &plan.databases {
                let (name, copy, failed) =
                    (&database.name, plan.copy_of(&database.name), plan.failed_of(&database.name));
                lines.push(format!("# database: if `{copy}` exists, it holds the rows from before the migration:"));
                lines.push(format!(
                    "#   begin; alter database \"{name}\" rename to \"{failed}\"; alter database \"{copy}\" rename to \"{name}\"; commit;"
                ));
                lines.push(format!("#   alter database \"{name}\" allow_connections true;"));
                lines.push(format!(
                    "#   comment on database \"{name}\" is null;  -- the gate's mark; or your own comment"
                ));
            }
            lines.push(command::compose::up(&plan.project, &dir.join("old/model.json"), Orphans::Remove).line());
            lines.push(format!("gate unlock --env {target} --run {}", plan.run));
            lines
        }
        _ => Vec::new(),
    }
}
