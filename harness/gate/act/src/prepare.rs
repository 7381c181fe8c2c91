//! Prepare and back up: everything that can be done while the target is live.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use stagegate_base::{
    command::docker,
    compose::{Model, short},
    config::Environment,
    mark::Role,
};
use stagegate_data_act::{
    age::{Input, Output},
    backup::{BackupError, compare_restored, dump_one, store::seal},
};
use stagegate_data_decide::backup::{FORMAT, Manifest};
use stagegate_gate_decide::promotion::{Backup, Kind, Preparation, Step};

use super::{Run, StepError, on_file};
use stagegate_host::{
    clock, files,
    image::Images,
    paths::StateDir,
    release::{self, Resolver, Snapshot},
};

const TAG_WITHIN: Duration = Duration::from_secs(30);

impl Run {
    /// Checks the release out separately, resolves its model, pins its images, and keeps what a rollback needs.
    pub(super) async fn prepare(&mut self) -> Result<Preparation, StepError> {
        let old = self.snapshot("old")?;
        self.keep_images(&old.model).await?;
        self.save("volumes-root.json", &self.gate.engine.about().await?.0)?;
        if let Kind::Rollback { run, .. } = &self.plan.kind {
            let before = Snapshot::read(&self.state.run(run).join("old"))?;
            self.keep_images(&before.model).await?;
            let model = self.rolled_out(&before.model.with_resting(&self.plan.resting()), &old.model);
            let before = Snapshot { model, ..before };
            let new = before.copy_to(&self.dir.join("new"))?;
            if self.plan.rehearses_rollback {
                self.keep_live_facts().await?;
            }
            return self.write_closed(&new.model);
        }
        let tree = self.tree();
        let git = self.git().await?;
        git.remove_worktree(&tree).await?;
        git.check_out(&tree, &self.plan.release.commit).await?;
        let environment = self.target()?;
        self.stop_at_changed_source("since it was validated").await?;
        let before = read_all(&self.plan.env_files)?;
        let resolver = Resolver {
            runner: &self.runner,
            engine: &self.gate.engine,
            environment: &environment,
            tree: &tree,
            subfolder: &self.plan.subfolder,
            release: &self.plan.release,
            // The very images that were tested: the plan's, not those that run there by now.
            images: self.tested_images().await?,
            jobs: self.plan.databases.iter().filter_map(|database| database.migrations.clone()).collect(),
            old: Some(&old.model),
            proxy: &self.state.proxy(),
            pull_within: self.gate.config.gate.pull_within.0,
        };
        let resolved = resolver.resolve().await?;
        let file = self.dir.join("in-tree.json");
        on_file(&file, files::write_whole(&file, resolved.in_tree.to_json().as_bytes()))?;
        let env_files: Vec<PathBuf> = self.plan.env_files.iter().chain(&resolved.side_files).cloned().collect();
        let model = self.rolled_out(&resolved.model, &old.model);
        let new = Snapshot::write(&self.dir.join("new"), &self.plan.release, &model, &env_files)?;
        if read_all(&self.plan.env_files)? != before {
            return Err(StepError::blocked("an env file of the target was changed while it was read; promote again"));
        }
        // A clean-up of unnamed images must not take what was tested before it is deployed.
        self.keep_images(&new.model).await?;
        let prepared = self.write_closed(&new.model)?;
        self.keep_live_facts().await?;
        Ok(Preparation { performance: self.compare_performance().await?, ..prepared })
    }

    /// Returns the image ids of the plan that this host has; the source's running ones can't be missing. One that was removed
    /// and came from a registry is pulled again, by its digest: its tag may name another one by now.
    async fn tested_images(&self) -> Result<BTreeMap<String, String>, StepError> {
        let source = self.gate.config.environment(&self.plan.environments.source)?;
        let source =
            release::deployed(&StateDir::of(&self.gate.config, &source.project))?.map(|deployed| deployed.model);
        let mut images = BTreeMap::new();
        for (service, tested) in &self.plan.source {
            let origin = source.as_ref().filter(|model| model.origin(&tested.image).is_some());
            if let Some(model) = origin {
                self.images().restore_one(service, &tested.image, model).await?;
            }
            if self.gate.engine.image(&tested.image).await?.is_some() {
                images.insert(service.clone(), tested.image.clone());
            } else if tested.config.is_some() {
                let image = &tested.image;
                return Err(StepError::blocked(format!(
                    "image {image} of service `{service}` was removed from this host"
                )));
            }
        }
        Ok(images)
    }

    fn write_closed(&self, model: &Model) -> Result<Preparation, StepError> {
        let closed = model.closed(&self.plan.public.iter().cloned().collect());
        let file = self.dir.join("closed.json");
        on_file(&file, files::write_whole(&file, closed.to_json().as_bytes()))?;
        Ok(Preparation { services: model.services(), performance: Vec::new() })
    }

    /// Gets images, each pull within the time that the configuration grants.
    pub(super) fn images(&self) -> Images<'_> {
        Images::new(&self.runner, &self.gate.engine, self.gate.config.gate.pull_within.0)
    }

    /// Names the images that a rollback needs, so that no clean-up of unnamed images takes them meanwhile; what one has
    /// taken already comes from its registry.
    async fn keep_images(&self, model: &Model) -> Result<(), StepError> {
        self.images().restore(model).await?;
        for service in model.with_images() {
            let name = rollback_name(&self.plan.run, &service, model.image(&service));
            self.runner.run_ok(&docker::tag(model.image(&service), &name), TAG_WITHIN).await?;
        }
        Ok(())
    }

    /// Returns the product's folder in the separate checkout.
    pub(super) fn tree(&self) -> PathBuf {
        self.plan.subfolder.within(&self.dir.join("tree"))
    }

    fn target(&self) -> Result<Environment, StepError> {
        let environment = self.gate.config.environment(&self.plan.environments.target)?;
        Ok(Environment {
            project: self.plan.project.clone(),
            workdir: self.plan.workdir.clone(),
            env_files: self.plan.env_files.clone(),
            ..environment.clone()
        })
    }

    pub(super) async fn undo_prepare(&mut self) -> Result<(), StepError> {
        self.end_comparison().await?;
        self.git().await?.remove_worktree(&self.tree()).await?;
        // Once the target was touched, such a name may be the last one that an image has that a rollback needs.
        if !Step::FORWARD.into_iter().any(|step| step.touches_target() && self.has_begun(step)) {
            self.drop_rollback_names(&self.dir, &self.plan.run).await;
        }
        Ok(())
    }

    /// Removes the names by which the run in `dir` kept images; those in use stay by their other names.
    pub(super) async fn drop_rollback_names(&self, dir: &Path, run: &str) {
        for snapshot in ["old", "new"].iter().filter_map(|name| Snapshot::read(&dir.join(name)).ok()) {
            for service in snapshot.model.with_images() {
                let name = rollback_name(run, &service, snapshot.model.image(&service));
                // That it has no such name any more is fine.
                let _ = self.runner.run(&docker::untag(&name), TAG_WITHIN).await;
            }
        }
    }

    /// Dumps every database, then proves each dump: restored into a fresh server, it holds the same.
    pub(super) async fn back_up(&mut self) -> Result<Backup, StepError> {
        let partial = self.dir.join("backup.partial");
        let _ = std::fs::remove_dir_all(&partial);
        on_file(&partial, files::private_dir(&partial))?;
        let mut manifest = Manifest {
            v: FORMAT,
            id: self.plan.run.clone(),
            environment: self.plan.environments.target.clone(),
            project: self.plan.project.clone(),
            release: Some(self.plan.previous.clone()),
            taken: clock::now(),
            taken_unix: clock::unix_seconds(),
            ..Manifest::default()
        };
        for database in &self.plan.databases {
            self.keep_server_wide(database).await?;
            let path = partial.join(format!("{}.dump", database.id));
            let names = (database.id.as_str(), database.name.as_str());
            // Not encrypted, whatever `[backup]` states: a rollback needs it, and has no identity.
            let output = Output { path: &path, encryption: None, within: self.plan.backup_within.0 };
            let server = self.server(database).await?;
            let dump = dump_one(&server, &self.runner, names, output, self.plan.integrity).await?;
            manifest.objects.push(dump);
        }
        if !manifest.objects.is_empty() {
            self.prove(&partial, &mut manifest).await?;
        }
        self.ready_volumes().await?;
        seal(&partial, &manifest)?;
        on_file(&partial, std::fs::rename(&partial, self.dir.join("backup")))?;
        on_file(&self.dir, files::sync_dir(&self.dir))?;
        self.git().await?.tag(&self.plan.tag, &self.plan.previous.commit, &self.plan.tag_message()).await?;
        let rows = manifest.objects.iter().map(|dump| u64::try_from(dump.facts.rows()).unwrap_or_default()).sum();
        Ok(Backup { rows, bytes: manifest.bytes(), tag: self.plan.tag.clone() })
    }

    async fn prove(&mut self, backup: &Path, manifest: &mut Manifest) -> Result<(), StepError> {
        self.start_rehearsal().await?;
        for database in &self.plan.databases {
            let Some(dump) = manifest.objects.iter_mut().find(|dump| dump.database == database.id) else { continue };
            let begun = Instant::now();
            let server = self.rehearsal_server(database).await?;
            self.wait_for_rehearsal(database, &server).await?;
            self.make_roles(database, &server).await?;
            let copy = &database.name;
            let live = self.server(database).await?;
            // The names are the same on both.
            if server.identity().await? == live.identity().await? {
                return Err(StepError::blocked(format!(
                    "the rehearsal's server of `{}` is the live one; nothing was done in it",
                    database.service
                )));
            }
            // The image makes it. It is not dropped: nothing is, by its name.
            if server.has(copy).await? {
                server.set_aside(copy, &self.plan.mark(copy, Role::Left).name).await?;
            }
            server.create_fresh(copy, &live.locale(copy).await?).await?;
            // Its owner may do in the schema `public` what the migrations rely on.
            server.give(copy, &live.owner(copy).await?).await?;
            let path = backup.join(&dump.file);
            let input = Input { path: &path, identity: None, within: self.plan.backup_within.0 };
            let restoring = Instant::now();
            compare_restored(&server, &self.runner, (copy, input), &dump.facts).await.map_err(refused)?;
            self.clocks.restores_took += restoring.elapsed();
            dump.restored_bytes = server.sizes(copy).await?.0;
            dump.proof_seconds = begun.elapsed().as_secs_f64();
        }
        Ok(())
    }

    pub(super) async fn undo_back_up(&mut self) -> Result<(), StepError> {
        let _ = std::fs::remove_dir_all(self.dir.join("backup.partial"));
        self.end_rehearsal().await?;
        self.undo_ready_volumes().await?;
        Ok(self.git().await?.untag(&self.plan.tag, &self.plan.tag_message()).await?)
    }
}

/// Returns the name by which a run keeps an image. The id is part of it: old and new release have the same services.
fn rollback_name(run: &str, service: &str, image: &str) -> String {
    format!("{}:{run}-{service}-{}", crate::purge::KEPT_IMAGES, short(image))
}

/// A dump that does not restore blocks the release; what could not be tried is a fault of a server or a file.
fn refused(error: BackupError) -> StepError {
    match error {
        BackupError::Differs { .. } => StepError::blocked(error.to_string()),
        BackupError::Database(error) => error.into(),
        error => error.into(),
    }
}

fn read_all(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, StepError> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|error| StepError::blocked(format!("cannot read {}: {error}", path.display())))
    };
    files.iter().map(read).collect()
}
