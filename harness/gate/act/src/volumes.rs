//! Volumes and folders of a run: copied while nothing writes, exchanged as a whole in a rollback.

mod copies;
pub(crate) mod facts;
mod mounts;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use stagegate_base::{command::docker::Folders, mark::Role};
use stagegate_data_act::volume::{self, VolumeError, Worker};
use stagegate_data_decide::volume::{
    Copied, CopyRecord, Job, Outcome, Reply, Request, SwitchRequest, Switched, Tree, differences,
};
use stagegate_gate_decide::promotion::{
    CopiedVolume, Entry, Kind, Plan, PlanVolume, Step, SwitchedVolume, UndoReport, VolumeCopies, VolumeRollback,
};
use stagegate_host::release;

use super::{Run, StepError};

/// What a rollback needs of a volume that it exchanges: the live one before, by which it is found again.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    live: Tree,
}

/// Which tree a switch puts in place, and what becomes of the other one.
struct Exchange<'a> {
    one: &'a PlanVolume,
    /// The folder that takes the live one's place.
    with: Role,
    /// What that holds.
    tree: Tree,
    /// The stamp of the live folder with which nothing has to be switched.
    unchanged: Option<String>,
    /// What the live folder becomes.
    aside: Role,
    /// Whether files are read, and compared by their checksums.
    contents: bool,
}

impl Exchange<'_> {
    fn request(&self, plan: &Plan) -> SwitchRequest {
        SwitchRequest {
            live: self.one.live.clone(),
            with: plan.copy_record(self.one, self.with),
            root: self.tree.root,
            stamp: Some(self.tree.stamp.clone()),
            unchanged: self.unchanged.clone(),
            aside: plan.copy_record(self.one, self.aside),
            contents: self.contents,
        }
    }
}

impl Run {
    /// Copies each volume next to itself; in a rollback notes what is live, since that is exchanged as a whole.
    pub(super) async fn copy_volumes(&mut self) -> Result<VolumeCopies, StepError> {
        let started = Instant::now();
        self.stop_at_mounts().await?;
        let volumes: Vec<&PlanVolume> = self.plan.copied_volumes().collect();
        let mut report = VolumeCopies::default();
        let is_rollback = matches!(self.plan.kind, Kind::Rollback { .. });
        let jobs = volumes.iter().map(|one| match is_rollback {
            true => Request::Read { path: one.live.clone(), contents: false },
            false => Request::Copy { from: one.live.clone(), to: self.plan.copy_record(one, Role::Copy) },
        });
        let responses = self.work(&volumes, jobs.collect()).await?;
        for (one, response) in volumes.iter().zip(responses) {
            match response {
                Reply::Tree(live) => self.save(&before_name(one), &Before { live })?,
                Reply::Copied(copied) => {
                    self.save(&copy_name(one), &copied)?;
                    report.volumes.push(copied_volume(one, &copied));
                }
                _ => return Err(no_response(one)),
            }
        }
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Puts the volumes' earlier content in place where something may have written since; else removes the copies.
    pub(super) async fn undo_copy_volumes(&mut self) -> Result<VolumeRollback, StepError> {
        let is_rollback = matches!(self.plan.kind, Kind::Rollback { .. });
        let may_be_written = self.has_begun(Step::Deploy) || self.has_begun(Step::Migrate);
        let volumes: Vec<&PlanVolume> = self.plan.copied_volumes().collect();
        if !may_be_written {
            let remove = |one: &&PlanVolume| Request::Remove { kept: vec![self.plan.copy_record(one, Role::Copy)] };
            let jobs = volumes.iter().map(remove).collect();
            self.work(&volumes, jobs).await?;
            return Ok(VolumeRollback::default());
        }
        let mut exchanges = Vec::new();
        for one in volumes {
            let exchange = if is_rollback {
                let before: Before = self.load(&before_name(one))?;
                let (with, aside) = (Role::Left, Role::Failed);
                Exchange { one, with, tree: before.live, unchanged: None, aside, contents: false }
            } else {
                let copied: Copied = self.load(&copy_name(one))?;
                let (with, unchanged, aside) = (Role::Copy, Some(copied.source), Role::Failed);
                Exchange { one, with, tree: copied.tree, unchanged, aside, contents: true }
            };
            exchanges.push(exchange);
        }
        self.exchange(exchanges).await
    }

    /// In a rollback with data, while the target is live: copies what the earlier run kept, so that its own copy stays
    /// as it is should this rollback fail.
    pub(super) async fn ready_volumes(&self) -> Result<(), StepError> {
        let Kind::Rollback { run, data: true } = &self.plan.kind else { return Ok(()) };
        let volumes: Vec<&PlanVolume> = self.plan.copied_volumes().collect();
        let copy = |one: &&PlanVolume| {
            let earlier = CopyRecord::of(&one.live, Role::Copy, run, &self.plan.state);
            Request::Copy { from: earlier.path(), to: self.plan.copy_record(one, Role::Restored) }
        };
        let jobs = volumes.iter().map(copy).collect();
        for (one, response) in volumes.iter().zip(self.work(&volumes, jobs).await?) {
            let Reply::Copied(copied) = response else { return Err(no_response(one)) };
            let path = self.state.run(run).join(copy_name(one));
            let text = super::on_file(&path, std::fs::read(&path))?;
            let kept: Copied = serde_json::from_slice(&text)?;
            stop_at_differences(one, &format!("the copy of run {run}"), &kept.tree, &copied.tree)?;
            self.save(&restored_name(one), &copied)?;
        }
        Ok(())
    }

    /// Removes what was made ready and was not needed.
    pub(super) async fn undo_ready_volumes(&self) -> Result<(), StepError> {
        let Kind::Rollback { data: true, .. } = &self.plan.kind else { return Ok(()) };
        let volumes: Vec<&PlanVolume> = self.plan.copied_volumes().collect();
        let remove = |one: &&PlanVolume| Request::Remove { kept: vec![self.plan.copy_record(one, Role::Restored)] };
        let jobs = volumes.iter().map(remove).collect();
        self.work(&volumes, jobs).await.map(drop)
    }

    /// In a rollback: exchanges each volume with what was made ready.
    pub(super) async fn restore_volumes(&self) -> Result<Option<VolumeRollback>, StepError> {
        let mut exchanges = Vec::new();
        for one in self.plan.copied_volumes() {
            let copied: Copied = self.load(&restored_name(one))?;
            let (with, aside) = (Role::Restored, Role::Left);
            exchanges.push(Exchange { one, with, tree: copied.tree, unchanged: None, aside, contents: true });
        }
        let is_none = exchanges.is_empty();
        let report = self.exchange(exchanges).await?;
        Ok((!is_none).then_some(report))
    }

    /// Exchanges the volumes, all in one container, and compares what is live then.
    async fn exchange(&self, exchanges: Vec<Exchange<'_>>) -> Result<VolumeRollback, StepError> {
        if exchanges.is_empty() {
            return Ok(VolumeRollback::default());
        }
        self.stop_at_mounts().await?;
        let volumes: Vec<&PlanVolume> = exchanges.iter().map(|exchange| exchange.one).collect();
        let requests: Vec<Request> =
            exchanges.iter().map(|exchange| Request::Switch(exchange.request(&self.plan))).collect();
        let responses = self.work(&volumes, requests).await?;
        let mut report = VolumeRollback::default();
        for (exchange, response) in exchanges.iter().zip(responses) {
            let Reply::Switched(mut switched) = response else { return Err(no_response(exchange.one)) };
            if switched.outcome == Outcome::Stale {
                switched = self.exchange_read(exchange).await?;
            }
            if switched.outcome == Outcome::Switched {
                stop_at_differences(exchange.one, "it was rolled back, but it", &exchange.tree, &switched.tree)?;
            }
            report.switch_seconds += switched.seconds;
            report.volumes.push(SwitchedVolume {
                id: exchange.one.id.clone(),
                kept_as: switched.kept.then(|| self.plan.copy_path(exchange.one, exchange.aside)),
                entries: exchange.tree.count() as u64,
            });
        }
        Ok(report)
    }

    /// Exchanges a volume whose copy was touched since it was compared: whether it is still the same is only known by
    /// reading it.
    async fn exchange_read(&self, exchange: &Exchange<'_>) -> Result<Switched, StepError> {
        let one = exchange.one;
        let path = self.plan.copy_record(one, exchange.with).path();
        let read = Request::Read { path, contents: exchange.contents };
        let Some(Reply::Tree(found)) = self.work(&[one], vec![read]).await?.into_iter().next() else {
            return Err(no_response(one));
        };
        stop_at_differences(one, "its copy", &exchange.tree, &found)?;
        let request = SwitchRequest { stamp: None, ..exchange.request(&self.plan) };
        match self.work(&[one], vec![Request::Switch(request)]).await?.into_iter().next() {
            Some(Reply::Switched(switched)) => Ok(switched),
            _ => Err(no_response(one)),
        }
    }

    /// Does one request a volume in a container.
    async fn work(&self, volumes: &[&PlanVolume], requests: Vec<Request>) -> Result<Vec<Reply>, StepError> {
        if volumes.is_empty() {
            return Ok(Vec::new());
        }
        let folders: Vec<PathBuf> = volumes.iter().map(|one| one.parent.clone()).collect();
        let jobs: Vec<Job> =
            requests.into_iter().enumerate().map(|(folder, request)| Job { folder, request }).collect();
        let model = release::read_model(&self.dir.join("old/model.json"))?;
        let name = worker_name(&self.plan.run);
        let worker = Worker {
            runner: &self.runner,
            image: &image(&model)?,
            name: &name,
            dir: &self.dir,
            within: self.plan.backup_within.0,
        };
        match volume::run(worker, Folders { written: &folders, read: &[] }, &jobs).await {
            // What is refused stays so, unlike a program or a file that failed.
            Err(VolumeError::Refused(text)) => Err(StepError::blocked(text)),
            answers => Ok(answers?),
        }
    }

    /// Returns the volumes that the rollback of this run compared.
    pub(super) fn compared_volumes(&self) -> Vec<SwitchedVolume> {
        let undone = self.journal.lines().iter().rev().find_map(|line| match &line.entry {
            Entry::Undone { report: UndoReport::CopyVolumes(rollback) } => Some(rollback.volumes.clone()),
            _ => None,
        });
        undone.unwrap_or_default()
    }
}

/// Returns the name of the container in which a run works on volumes.
pub(super) fn worker_name(run: &str) -> String {
    format!("stagegate-volumes-{run}")
}

/// Returns an image that is there for certain: one that a rollback needs.
fn image(model: &stagegate_base::compose::Model) -> Result<String, StepError> {
    let image = model.with_images().into_iter().next().map(|service| model.image(&service).to_owned());
    image.ok_or_else(|| StepError::blocked("no service has an image in which gate could work on the volumes"))
}

fn copy_name(volume: &PlanVolume) -> String {
    format!("volume-{}.json", volume.id)
}

fn restored_name(volume: &PlanVolume) -> String {
    format!("volume-{}-restored.json", volume.id)
}

fn before_name(volume: &PlanVolume) -> String {
    format!("volume-{}-before.json", volume.id)
}

fn copied_volume(one: &PlanVolume, copied: &Copied) -> CopiedVolume {
    CopiedVolume {
        id: one.id.clone(),
        bytes: copied.tree.bytes(),
        entries: copied.tree.count() as u64,
        way: copied.way,
        seconds: copied.seconds,
    }
}

fn no_response(one: &PlanVolume) -> StepError {
    StepError::inconclusive(format!("the container that works on volume `{}` printed no result; try again", one.id))
}

fn stop_at_differences(one: &PlanVolume, what: &str, want: &Tree, found: &Tree) -> Result<(), StepError> {
    let differs = differences(want, found);
    if differs.is_empty() {
        return Ok(());
    }
    Err(StepError::blocked(format!("volume `{}`: {what} differs from what was copied: {}", one.id, differs.join("; "))))
}

/// Returns whether a path is a volume's live folder, in it, or above it.
fn touches(live: &Path, source: &Path) -> bool {
    source.starts_with(live) || live.starts_with(source)
}
