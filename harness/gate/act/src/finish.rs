//! What comes last: notifications, and the removal of what is no longer needed.

use std::{path::PathBuf, time::Duration};

use serde_json::Value;
use stagegate_base::{command::docker, compose::default_image_name};
use stagegate_gate_decide::promotion::{End, Entry, Line, Pruned, announcement};

use super::{Run, StepError, dumps, on_file};
use crate::journal;
use stagegate_host::{error::with_causes, notify};

const TAG_WITHIN: Duration = Duration::from_secs(30);
/// How many files with records of tests stay.
const KEPT_RECORDS: usize = 200;

impl Run {
    /// Hands the run's end to the configured program and URL. Their failure never fails the run.
    pub(super) async fn notify(&mut self) -> Result<(), StepError> {
        let config = &self.gate.config;
        if !notify::has_receiver(&config.gate) {
            return Ok(());
        }
        let file = self.dir.join("notification.json");
        let failures = notify::notify(&self.runner, config, &self.message(), (&file, Some(&self.span()))).await;
        let failures: Vec<String> = failures.iter().map(|error| with_causes(error)).collect();
        if failures.is_empty() { Ok(()) } else { Err(StepError::blocked(failures.join("; "))) }
    }

    fn message(&self) -> Value {
        announcement(&self.plan, self.lines(), (&self.dir, &dumps(&self.dir)))
    }

    /// Removes what neither this rollback point nor a kept earlier one needs.
    pub(super) async fn prune(&mut self) -> Result<Pruned, StepError> {
        self.name_built_images().await?;
        self.end_rehearsal().await?;
        self.git().await?.remove_worktree(&self.tree()).await?;
        let mut rollback_points = Vec::new();
        for dir in self.points_to_prune() {
            self.prune_point(&dir).await?;
            rollback_points.push(dir.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
        self.prune_leftovers()?;
        let mut left = self.drop_old_databases().await?;
        left.extend(self.remove_old_copies().await);
        Ok(Pruned { rollback_points, left })
    }

    /// Gives the names under which Compose looks for what it has built to the images that are live now: `docker compose up` would
    /// start the earlier release on the data of this one. Only a name of the earlier release's image moves, which keeps the name of its
    /// rollback point; what somebody has built since stays as it is.
    async fn name_built_images(&self) -> Result<(), StepError> {
        let (live, earlier) = (self.snapshot("new")?.model, self.snapshot("old")?.model);
        for service in live.with_images() {
            let name = default_image_name(&self.plan.project, &service);
            let named = self.gate.engine.image(&name).await?;
            if named.is_some_and(|id| id == earlier.image(&service) && id != live.image(&service)) {
                self.runner.run_ok(&docker::tag(live.image(&service), &name), TAG_WITHIN).await?;
            }
        }
        Ok(())
    }

    /// Returns the runs whose backups are too many: the oldest rollback points, and all but the newest backup of
    /// runs that promoted nothing. This run's own stays; so does that of a run that has not ended.
    fn points_to_prune(&self) -> Vec<PathBuf> {
        let runs = journal::runs(&self.state.runs()).into_iter();
        let with_backup = runs.filter(|dir| *dir != self.dir && dir.join("backup").is_dir());
        let ended = with_backup.filter_map(|dir| Some((end_of(&journal::lines(&dir).ok()?)?, dir)));
        let (points, others): (Vec<_>, Vec<_>) = ended.partition(|(end, _)| *end == End::Promoted);
        let oldest = |mut runs: Vec<(End, PathBuf)>, keep: usize| {
            runs.truncate(runs.len().saturating_sub(keep));
            runs.into_iter().map(|(_, dir)| dir)
        };
        oldest(points, self.plan.keep.saturating_sub(1)).chain(oldest(others, 1)).collect()
    }

    async fn prune_point(&self, dir: &std::path::Path) -> Result<(), StepError> {
        let lines = journal::lines(dir)?;
        if let Some(Entry::Started { plan }) = lines.first().map(|line| &line.entry) {
            self.git().await?.untag(&plan.tag, &plan.tag_message()).await?;
            self.drop_rollback_names(dir, &plan.run).await;
        }
        // The journal stays: it is the history. The folder by which the run is found goes last.
        let backup = dir.join("backup");
        let dumps = on_file(dir, std::fs::read_dir(dir))?.flatten().map(|entry| entry.path());
        for dump in dumps.filter(|path| path.extension().is_some_and(|ending| ending == "dump")) {
            on_file(&dump, std::fs::remove_file(&dump))?;
        }
        on_file(&backup, std::fs::remove_dir_all(&backup))?;
        Ok(())
    }

    /// Removes what ended runs kept of models and env files, where it is no rollback point and not what is deployed.
    /// Journals and logs stay. Records of tests stay for a while.
    fn prune_leftovers(&self) -> Result<(), StepError> {
        let deployed = stagegate_host::release::deployed(&self.state)?.map(|snapshot| snapshot.dir);
        let runs = self.state.runs();
        for dir in on_file(&runs, std::fs::read_dir(&runs))?.flatten().map(|entry| entry.path()) {
            let is_needed =
                dir == self.dir || dir.join("backup").is_dir() || deployed.as_deref() == Some(&dir.join("new"));
            let is_open = journal::is_run(&dir) && journal::lines(&dir).map_or(true, |lines| end_of(&lines).is_none());
            if is_needed || is_open {
                continue;
            }
            for name in ["old", "new", "adopted", "tree", "plan-tree"] {
                let _ = std::fs::remove_dir_all(dir.join(name));
            }
            for name in [
                "around.json",
                "closed.json",
                "opened.json",
                "in-tree.json",
                "rehearsal.json",
                "old-on-new.json",
                "new-on-old.json",
                "earlier-on-current.json",
                "start.json",
            ] {
                let _ = std::fs::remove_file(dir.join(name));
            }
        }
        keep_newest(&self.state.tests(), KEPT_RECORDS);
        Ok(())
    }
}

/// Removes all but the newest files of a folder; their names begin with their time.
fn keep_newest(dir: &std::path::Path, keep: usize) {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    files.sort();
    files.truncate(files.len().saturating_sub(keep));
    for old in files {
        let _ = std::fs::remove_file(old);
    }
}

/// Returns how a run ended; `None` where it has not, or manual action is required.
fn end_of(lines: &[Line]) -> Option<End> {
    match lines.last().map(|line| &line.entry) {
        Some(Entry::Ended { end, .. }) if end.is_final() => Some(*end),
        _ => None,
    }
}
