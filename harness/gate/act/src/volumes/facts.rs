//! What is known of the volumes before a run: where they are, who mounts them, how big they are, how they can be copied.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use stagegate_base::{
    command::docker::Folders,
    compose::{Model, Mounting},
    config::{self, Config, Environment, VolumePlace},
    mark::Role,
    units::{Size, Span},
};
use stagegate_data_act::volume::{
    self, VolumeError, Worker,
    place::{absolute, folder_of},
};
use stagegate_data_decide::volume::{CopyMethod, CopyRecord, Job, Probe, Reply, Request};
use stagegate_gate_decide::promotion::{Facts, Kind, Plan, PlanVolume, VolumeSpace};
use stagegate_host::{engine::Engine, error::with_causes, paths::StateDir, process::Runner};

use super::{mounts::other_writer, worker_name};
use crate::PlanError;

const PROBE_WITHIN: Duration = Duration::from_secs(300);
/// The part of a copy's time that reading it again to compare takes, next to writing it.
const COMPARING: u64 = 2;

/// What volumes are looked up with.
pub(crate) struct Lookup<'a> {
    pub(crate) config: &'a Config,
    pub(crate) engine: &'a Engine,
    pub(crate) target: &'a Environment,
    pub(crate) state: &'a StateDir,
    pub(crate) live: &'a Model,
    pub(crate) candidate: &'a Model,
}

/// Adds the volumes of `[volumes]` to a plan: what becomes of each, and the services that have to be stopped for it.
pub(crate) async fn add(lookup: &Lookup<'_>, plan: &mut Plan, facts: &mut Facts) -> Result<(), PlanError> {
    let listed = lookup.config.volumes.iter().filter(|(_, volume)| volume.rollback);
    let listed: Vec<_> = listed.collect();
    if listed.is_empty() {
        return Ok(());
    }
    let mounts = lookup.engine.running_mounts().await?;
    for (id, volume) in listed {
        match lookup.one(id, &volume.place, plan).await? {
            Ok((one, space)) => {
                if let Some(other) = other_writer(&one, &plan.project, &mounts).filter(|_| one.stays.is_none()) {
                    let text =
                        format!("container {other} of another project can write to volume `{}`; stop it", one.id);
                    facts.others.push(text);
                }
                add_space(&mut facts.volume_space, &one, space);
                plan.volumes.push(one);
            }
            Err(refusal) => facts.others.push(refusal),
        }
    }
    let stopped = plan.copied_volumes().flat_map(|one| one.services.clone()).collect::<Vec<_>>();
    for service in stopped.into_iter().filter(|service| lookup.live.has(service)) {
        if !plan.freeze.contains(&service) {
            plan.freeze.push(service);
        }
    }
    Ok(())
}

/// The file system that a copy would be on, by its device, and what is free there.
type Space = Option<(u64, u64)>;

fn add_space(all: &mut Vec<VolumeSpace>, one: &PlanVolume, space: Space) {
    let Some((_, free)) = space.filter(|_| one.stays.is_none()) else { return };
    let needed = if one.way == CopyMethod::Reflink { 0 } else { one.size.0 };
    let has_databases = !one.volume.is_empty();
    // Free bytes of one file system are the same wherever they are read; a few blocks may come and go meanwhile.
    match all.iter_mut().find(|other| other.free.abs_diff(free) < 64 << 20) {
        Some(other) => {
            other.needed += needed;
            other.free = other.free.min(free);
            other.has_databases |= has_databases;
            other.volumes.push(one.id.clone());
        }
        None => all.push(VolumeSpace { volumes: vec![one.id.clone()], needed, free, has_databases }),
    }
}

impl Lookup<'_> {
    /// Describes one volume; the error is what refuses the run.
    async fn one(
        &self,
        id: &str,
        place: &VolumePlace,
        plan: &Plan,
    ) -> Result<Result<(PlanVolume, Space), String>, PlanError> {
        let mounting = match self.mounting(id, place) {
            Ok(mounting) => mounting,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let services: Vec<String> = mounting.iter().map(|one| one.service.clone()).collect();
        let mut one = PlanVolume {
            id: id.to_owned(),
            volume: String::new(),
            parent: PathBuf::new(),
            live: String::new(),
            redis: services.iter().filter(|service| self.is(service, config::Kind::Redis)).cloned().collect(),
            services,
            size: Size(0),
            entries: 0,
            way: CopyMethod::Plain,
            expected: Span(Duration::ZERO),
            stays: self.reason_to_stay(&mounting, plan),
        };
        let folder = match self.folder(place, &mut one).await? {
            Ok(folder) => folder,
            Err(refusal) => return Ok(Err(format!("volume `{id}` {refusal}"))),
        };
        let Some(folder) = folder.filter(|folder| folder.parent().is_some()) else {
            one.stays.get_or_insert_with(|| "it does not exist yet".to_owned());
            return Ok(Ok((one, None)));
        };
        one.parent = folder.parent().unwrap_or(&folder).to_path_buf();
        one.live = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if one.stays.is_some() {
            return Ok(Ok((one, None)));
        }
        let probe = match self.probe(&one, plan).await {
            Ok(probe) => probe,
            Err(error) => return Ok(Err(format!("volume `{id}` cannot be copied: {}", with_causes(&error)))),
        };
        one.stays = missing_copy(&one, plan, &probe.kept);
        one.size = Size(probe.bytes);
        one.entries = probe.entries;
        one.way = probe.way;
        one.expected = expected(&probe);
        Ok(Ok((one, Some((probe.device, probe.free)))))
    }

    /// Returns the services of both releases that mount a volume.
    fn mounting(&self, id: &str, place: &VolumePlace) -> Result<Vec<Mounting>, String> {
        let of = |model: &Model| match place {
            VolumePlace::Named(key) => model.mounting_volume(key),
            VolumePlace::Folder(path) => model.mounting_folder(&absolute(&self.target.workdir, path)),
        };
        if let VolumePlace::Named(key) = place
            && [self.live, self.candidate].iter().all(|model| model.volume_name(key).is_none())
        {
            return Err(format!("[volumes.{id}]: the compose files have no volume `{key}`"));
        }
        let mut all: BTreeMap<String, bool> = BTreeMap::new();
        for one in of(self.live).into_iter().chain(of(self.candidate)) {
            *all.entry(one.service).or_default() |= one.writes;
        }
        Ok(all.into_iter().map(|(service, writes)| Mounting { service, writes }).collect())
    }

    fn is(&self, service: &str, kind: config::Kind) -> bool {
        self.config.services.get(service).is_some_and(|found| found.kind == kind)
    }

    fn reason_to_stay(&self, mounting: &[Mounting], plan: &Plan) -> Option<String> {
        if let Kind::Rollback { data: false, .. } = plan.kind {
            return Some("a rollback of code alone leaves data as it is (--with-data restores it)".to_owned());
        }
        let is_server = |one: &&Mounting| {
            let named = self.config.databases.values().any(|database| database.service == one.service);
            named || self.is(&one.service, config::Kind::Postgres)
        };
        if let Some(server) = mounting.iter().find(is_server) {
            return Some(format!(
                "it is the data of {}, whose databases are rolled back by themselves",
                server.service
            ));
        }
        let writes = mounting.iter().any(|one| one.writes);
        (!writes).then(|| "no service of either release can write it".to_owned())
    }

    /// Returns the folder of this host in which a volume's files are; `None` where it does not exist.
    async fn folder(
        &self,
        place: &VolumePlace,
        one: &mut PlanVolume,
    ) -> Result<Result<Option<PathBuf>, String>, PlanError> {
        let key = match place {
            VolumePlace::Folder(path) => {
                let folder = absolute(&self.target.workdir, path);
                if self.target.workdir.starts_with(&folder) {
                    return Ok(Err(
                        "is the workdir, which git checks releases out into; list the folder in it".to_owned()
                    ));
                }
                return Ok(Ok(folder.is_dir().then(|| folder.canonicalize().unwrap_or(folder))));
            }
            VolumePlace::Named(key) => key,
        };
        let name = self.live.volume_name(key).or_else(|| self.candidate.volume_name(key)).unwrap_or_default();
        one.volume = name.to_owned();
        Ok(match self.engine.volume(name).await? {
            None => Ok(None),
            Some(facts) => folder_of(&facts)
                .map(Some)
                .map_err(|why| format!("{why}, so no copy could take its place; set `rollback = false` for it")),
        })
    }

    async fn probe(&self, one: &PlanVolume, plan: &Plan) -> Result<Probe, VolumeError> {
        let no_image = || VolumeError::Refused("no service has an image in which gate could work on it".to_owned());
        let image = super::image(self.live).map_err(|_| no_image())?;
        let (runner, name) = (Runner::default(), worker_name(&plan.run));
        let worker =
            Worker { runner: &runner, image: &image, name: &name, dir: self.state.root(), within: PROBE_WITHIN };
        let folders = Folders { written: std::slice::from_ref(&one.parent), read: &[] };
        let job = Job { folder: 0, request: Request::Probe { live: one.live.clone() } };
        match volume::run(worker, folders, &[job]).await?.into_iter().next() {
            Some(Reply::Probe(probe)) => Ok(probe),
            _ => Err(VolumeError::Refused("the container printed no result".to_owned())),
        }
    }
}

/// Returns why a rollback cannot restore a volume: the earlier run kept no copy, or it is gone.
fn missing_copy(one: &PlanVolume, plan: &Plan, kept: &[CopyRecord]) -> Option<String> {
    let Kind::Rollback { run, data: true } = &plan.kind else { return None };
    let wanted = CopyRecord::of(&one.live, Role::Copy, run, &plan.state);
    (!kept.contains(&wanted)).then(|| format!("it stays as it is, since run {run} keeps no copy of it"))
}

fn expected(probe: &Probe) -> Span {
    // A reflink writes nothing; both are read to be compared.
    let bytes = if probe.way == CopyMethod::Reflink { probe.bytes / COMPARING } else { probe.bytes * COMPARING };
    Span(Duration::from_secs(1 + bytes / probe.rate.max(1)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use stagegate_host::engine::RunningMount;

    use super::*;

    fn mount(project: &str, volume: &str, source: &str, writes: bool) -> RunningMount {
        let (container, service) = ("c".to_owned(), "s".to_owned());
        let (project, volume, source) = (project.into(), volume.into(), source.into());
        RunningMount { container, project, service, volume, source, target: "/data".into(), writes }
    }

    #[rstest]
    #[case::writer(mount("other", "shop_uploads", "/v/shop_uploads/_data", true), true)]
    #[case::reader(mount("other", "shop_uploads", "/v/shop_uploads/_data", false), false)]
    #[case::whole_host(mount("other", "", "/", true), false)]
    #[case::own(mount("shop", "shop_uploads", "/v/shop_uploads/_data", true), false)]
    fn a_container_of_another_project_that_writes_is_in_the_way(#[case] found: RunningMount, #[case] want: bool) {
        let one = PlanVolume {
            id: "uploads".into(),
            volume: "shop_uploads".into(),
            parent: "/v/shop_uploads".into(),
            live: "_data".into(),
            services: vec![],
            redis: vec![],
            size: Size(0),
            entries: 0,
            way: CopyMethod::Plain,
            expected: Span(Duration::ZERO),
            stays: None,
        };
        assert_eq!(other_writer(&one, "shop", &[found]).is_some(), want);
    }
}
