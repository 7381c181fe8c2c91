//! The end of a run as a person reads it.

use std::path::{Path, PathBuf};

use super::{Decision, End, Entry, Kind, Line, Plan, PlanVolume, Step, StepReport, Tier};
use stagegate_base::{
    command::{self, compose::Orphans},
    exit::Exit,
    mark::Role,
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

/// Returns what the operator reads at the `nth` signal, by what the run has decided before it.
#[must_use]
pub fn interrupt_text(decided: Option<Decision>, nth: usize) -> &'static str {
    match decided {
        Some(Decision::Commit) => {
            "the point of no return is passed: the release stays; please wait until the run has ended"
        }
        None if nth == 1 => "interrupted: rolling back; please wait until it has finished",
        None | Some(Decision::Rollback) => {
            "still rolling back, which is not interrupted; please wait until it has finished"
        }
    }
}

/// Returns why a run did not go through: what failed first, else why it turned. A receiver that did not take its message is no
/// reason, nor is a clean-up that failed.
#[must_use]
pub fn reason(lines: &[Line]) -> Option<&str> {
    let failed = lines.iter().find_map(|line| match &line.entry {
        Entry::Failed { step: Step::Notify | Step::Prune, .. } => None,
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

/// Returns what keeps failing in a stuck run, and why the run turned back if it did.
#[must_use]
pub fn why_stuck(lines: &[Line]) -> Option<String> {
    let what = lines.iter().rev().find_map(|line| match &line.entry {
        Entry::Failed { step: Step::Notify | Step::Prune, .. } => None,
        Entry::Failed { step, reason, .. } => Some(format!("{} failed: {reason}", step.title())),
        Entry::UndoFailed { step, reason } => Some(format!("undo of {} failed: {reason}", step.title())),
        _ => None,
    })?;
    let turned = lines.iter().find_map(|line| match &line.entry {
        Entry::Decided { decision: Decision::Rollback, reason } => Some(reason),
        _ => None,
    });
    Some(turned.map_or_else(|| what.clone(), |reason| format!("{what}; the run turned back since {reason}")))
}

/// Returns the commands that are left where the gate itself can go no further; `dir` is the run's folder, `dumps` are the
/// dumps in it. Only what the journal states exists is named.
#[must_use]
pub fn manual_steps(plan: &Plan, dir: &Path, lines: &[Line], dumps: &[PathBuf]) -> Vec<String> {
    let Some(Entry::Ended { end, .. }) = lines.last().map(|line| &line.entry) else { return Vec::new() };
    let target = &plan.environments.target;
    let salvage = || {
        let what = "rows that were written since and kept: compares, exports or carries them";
        vec![format!("gate salvage --env {target} {}   # {what}", plan.run)]
    };
    match end {
        End::Promoted if matches!(plan.kind, Kind::Rollback { data: true, .. }) && !plan.databases.is_empty() => {
            salvage()
        }
        End::RolledBack if Progress { lines }.keeps_written_rows() => salvage(),
        End::NotVerified => vec![
            format!("gate status --env {target}"),
            format!("gate test --env {target}"),
            format!("gate logs --env {target} --tail 100"),
        ],
        End::Stuck => {
            let mut text = vec![format!("gate status --env {target}"), format!("gate resume --env {target}")];
            text.push(format!("# or manually; the log is {}", dir.join("run.log").display()));
            let done = Progress { lines };
            if done.is_committed() {
                text.push(format!("# {} stays: start it with its ports", plan.release.name));
                text.push(command::compose::up(&plan.project, &dir.join("new/model.json"), Orphans::Remove).line());
            } else {
                text.extend(plan.databases.iter().flat_map(|database| done.recipe(plan, &database.name)));
                text.extend(done.volume_recipe(plan));
                text.extend(dumps.iter().map(|dump| format!("# dump: {}", dump.display())));
                text.push(format!("# start {} again", plan.previous.name));
                text.push(command::compose::up(&plan.project, &dir.join("old/model.json"), Orphans::Remove).line());
            }
            text.push(format!("gate unlock --env {target} --run {}", plan.run));
            text
        }
        _ => Vec::new(),
    }
}

/// What a run has done and not undone.
struct Progress<'a> {
    lines: &'a [Line],
}

impl Progress<'_> {
    fn has(&self, wanted: impl Fn(&Entry) -> bool) -> bool {
        self.lines.iter().any(|line| wanted(&line.entry))
    }

    fn is_committed(&self) -> bool {
        self.has(|entry| matches!(entry, Entry::Decided { decision: Decision::Commit, .. }))
    }

    /// Returns whether a step has begun and is not undone.
    fn is_open(&self, step: Step) -> bool {
        self.has(|entry| matches!(entry, Entry::Begun { step: begun } if *begun == step))
            && !self.has(|entry| matches!(entry, Entry::Undone { report } if report.step() == step))
    }

    /// Returns whether users wrote into the failed database, which is kept.
    fn keeps_written_rows(&self) -> bool {
        let found =
            |report: &StepReport| matches!(report, StepReport::VerifyRollback(found) if !found.kept_rows.is_empty());
        self.has(|entry| matches!(entry, Entry::Done { report } if found(report)))
    }

    fn has_dump_only(&self) -> bool {
        let by_dump = |report: &StepReport| matches!(report, StepReport::Clone(copies) if copies.tier == Tier::Restore);
        self.has(|entry| matches!(entry, Entry::Done { report } if by_dump(report)))
    }

    /// Returns whether the rehearsal changed no rows, so that only volumes were frozen and copied.
    fn keeps_rows(&self) -> bool {
        let code = |report: &StepReport| matches!(report, StepReport::Rehearse(found) if found.tier == Tier::Code);
        self.has(|entry| matches!(entry, Entry::Done { report } if code(report)))
    }

    /// Returns how the volumes' content from before the release is put in place.
    fn volume_recipe(&self, plan: &Plan) -> Vec<String> {
        let is_written = [Step::Migrate, Step::Deploy]
            .iter()
            .any(|step| self.has(|entry| matches!(entry, Entry::Begun { step: begun } if begun == step)));
        if !self.is_open(Step::CopyVolumes) || !is_written {
            return Vec::new();
        }
        let earlier = if plan.kind == Kind::Promote { Role::Copy } else { Role::Left };
        let quoted = |path: PathBuf| format!("'{}'", path.display().to_string().replace('\'', "'\\''"));
        let one = |volume: &PlanVolume| {
            let [copy, failed] = [earlier, Role::Failed].map(|role| quoted(plan.copy_path(volume, role)));
            let live = quoted(volume.path());
            format!("#   mv {live} {failed} && mv {copy} {live}   # volume {}, if {copy} is there", volume.id)
        };
        plan.copied_volumes().map(one).collect()
    }

    /// Returns how the rows from before the migration are put in place, and the database is opened.
    fn recipe(&self, plan: &Plan, database: &str) -> Vec<String> {
        let [name, copy, failed] =
            [database, &plan.copy_of(database), &plan.failed_of(database)].map(|name| name.replace('"', "\"\""));
        let mut text = Vec::new();
        if self.is_open(Step::Migrate) {
            if self.has_dump_only() {
                text.push(format!("# database: restore the frozen dump into a new database \"{copy}\", then rename:"));
            } else {
                text.push(format!("# database: \"{copy}\" holds the rows from before the migration; rename:"));
            }
            text.push(format!(
                "#   begin; alter database \"{name}\" rename to \"{failed}\"; alter database \"{copy}\" rename to \"{name}\"; commit;"
            ));
            text.push(format!("#   comment on database \"{name}\" is null;  -- the gate's mark; or your own comment"));
        }
        // Where rows stay, the database was never closed to sessions.
        if self.is_open(Step::Freeze) && !self.keeps_rows() {
            text.push(format!("#   alter database \"{name}\" allow_connections true;"));
        }
        text
    }
}
