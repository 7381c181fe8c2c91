//! `gate sync --files`: the files of volumes.

use serde_json::json;
use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
    text::{self, counted},
    units::Size,
};
use stagegate_data_act::{
    backup::volume::image_of_any,
    sync::files::{self as act, CopiedFiles, FilesSync},
};
use stagegate_data_decide::{
    sync::files::{self as decide, FileVolume},
    volume::Tree,
};
use stagegate_host::{engine::Engine, files, paths::StateDir, process::Runner, project::Project};

use super::Sync;
use crate::{
    cli,
    failure::{Failure, give_json, print_message, print_result},
    recovery,
};

/// Returns the volumes whose files are copied; none without `--files`.
pub(super) fn chosen(config: &Config, target: &Environment, args: &cli::Sync) -> Result<Vec<String>, Failure> {
    if !args.files {
        return Ok(Vec::new());
    }
    let volumes: Vec<&str> = config.volumes.keys().map(String::as_str).collect();
    let is_sanitised = !config.sync.real_data.contains(&target.name);
    decide::chosen(&volumes, config.sync.files.as_deref(), is_sanitised)
        .map_err(|why| Failure::usage(why.to_string()).context("--files"))
}

/// Finishes what a killed sync of files left in the target, whose lock is held.
pub(super) async fn finish(config: &Config, target: &Environment, state: &StateDir) -> Result<(), Failure> {
    if let Some(intent) = act::interrupted(state.root()) {
        recovery::finish_sync_of_files(config, target, state, &intent).await;
    }
    Ok(())
}

/// The files of a sync: where they are, and what works on them.
pub(super) struct Files {
    engine: Engine,
    image: String,
    volumes: Vec<FileVolume>,
}

impl Sync<'_> {
    /// Finds the volumes on both sides, before anything is copied.
    pub(super) async fn files(&self, ids: &[String]) -> Result<Option<Files>, Failure> {
        if ids.is_empty() {
            return Ok(None);
        }
        let load = async |name: &str| Project::load(&Runner::default(), self.config, name).await;
        let (source, target) = (load(&self.source.name).await?, load(&self.target.name).await?);
        let engine = Engine::connect().await?;
        let volumes = act::find(&engine, (&source, &target), ids).await?;
        let image = image_of_any(&target, &engine).await?;
        Ok(Some(Files { engine, image, volumes }))
    }

    /// Copies and switches the files; in a dry run shows what there is.
    pub(super) async fn copy_files(&self, files: &Files, args: &cli::Sync) -> Result<Exit, Failure> {
        let dir = self.state.run(&self.run);
        files::private_dir(&dir).map_err(Failure::writing(&dir))?;
        let runner = self.runner(&dir)?;
        let id = self.state.id().map_err(Failure::writing(self.state.root()))?;
        let sync = FilesSync {
            engine: &files.engine,
            runner: &runner,
            project: &self.target.project,
            image: &files.image,
            run: &self.run,
            state: (self.state.root(), &id),
            within: self.config.sync.within.0,
        };
        if args.dry_run {
            for one in &files.volumes {
                print_result(&plan_line(&one.id, (&self.source.name, &self.target.name), &sync.read(one).await?));
            }
            return Ok(Exit::Passed);
        }
        let ids: Vec<&str> = files.volumes.iter().map(|one| one.id.as_str()).collect();
        print_message(&format!(
            "copying the files of {} from `{}` to `{}`",
            ids.join(", "),
            self.source.name,
            self.target.name
        ));
        match sync.sync(&files.volumes).await {
            Ok(done) => {
                show(&done, args.json)?;
                Ok(Exit::Passed)
            }
            Err(error) => {
                finish(self.config, self.target, &self.state).await?;
                Err(error.into())
            }
        }
    }
}

fn plan_line(id: &str, (source, target): (&str, &str), tree: &Tree) -> String {
    let entries = tree.entries.values().filter(|entry| entry.entry.kind == "file").count();
    format!("files of {}: {source} -> {target}, {}, {}", text::clean(id), counted(entries, "file"), Size(tree.bytes()))
}

fn show(done: &[CopiedFiles], is_json: bool) -> Result<(), Failure> {
    if is_json {
        let one = |one: &CopiedFiles| {
            let (copied, tree) = (&one.copied, &one.copied.tree);
            json!({ "volume": one.id, "entries": tree.count(), "bytes": tree.bytes(), "method": copied.way,
                "seconds": copied.seconds, "former": one.former })
        };
        let all: Vec<_> = done.iter().map(one).collect();
        give_json(&serde_json::to_string_pretty(&json!({ "files": all }))?);
        return Ok(());
    }
    for one in done {
        let (copied, tree) = (&one.copied, &one.copied.tree);
        print_result(&format!(
            "files of {}: {} entries, {}, copied and compared in {:.1} s ({})",
            one.id,
            tree.count(),
            Size(tree.bytes()),
            copied.seconds,
            copied.way.text()
        ));
        print_message(&format!("  the former content is in {}", one.former.display()));
    }
    Ok(())
}
