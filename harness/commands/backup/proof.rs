//! Proves that a backup, wherever its files are, is what it was: checksums, decryption, a restore into scratch servers.

use std::{sync::Arc, time::Instant};

use stagegate_base::{
    config::{Config, Environment},
    text::counted,
};
use stagegate_data_act::{
    age::{Identity, Input},
    backup::{BackupError, details, server_spec, store::Stored, volume},
};
use stagegate_data_decide::backup::DatabaseDump;
use stagegate_host::{engine::Engine, process::Runner, project::Project};
use stagegate_migration_act::scratch::images;
use stagegate_suites::scratch;

use super::{snapshots, store_of};
use crate::failure::{Failure, print_message, print_result};

/// Verifies the files of a backup, wherever they are, and with `restore` restores them into scratch servers.
pub(super) async fn proven(
    config: &Arc<Config>,
    environment: &Environment,
    stored: &Stored,
    (identity, restore): (Option<&Identity>, bool),
) -> Result<(), Failure> {
    if restore {
        return restored(config, environment, stored, identity).await;
    }
    let (id, problems) = (&stored.manifest.id, store_of(config, environment).check(stored)?);
    if !problems.is_empty() {
        return Err(BackupError::Damaged { id: id.clone(), problems }.into());
    }
    print_result(&format!("{id}: checksums of {} match", counted(stored.manifest.checksums().count(), "file")));
    decrypted(config, stored, identity).await?;
    snapshots::compared(config, &store_of(config, environment), stored).await
}

/// Decrypts every file of an encrypted backup, which also shows whether it was changed; states so where it cannot.
pub(super) async fn decrypted(config: &Config, stored: &Stored, identity: Option<&Identity>) -> Result<(), Failure> {
    let (id, runner, within) = (&stored.manifest.id, Runner::default(), config.gate.backup_within.0);
    if !stored.manifest.is_encrypted() {
        return Ok(());
    }
    let Some(identity) = identity else {
        print_message(&format!(
            "{id} is encrypted: without its identity it is not proven that its files can be decrypted and restored; \
             name the identity's file by --identity"
        ));
        return Ok(());
    };
    let manifest = details::whole(&runner, stored, Some(identity), within).await?;
    for (file, ..) in manifest.checksums() {
        let path = stored.dir.join(file);
        details::readable(&runner, Input { path: &path, identity: Some(identity), within }).await?;
    }
    print_result(&format!("{id}: {} decrypted", counted(manifest.checksums().count(), "file")));
    Ok(())
}

/// Restores a backup into scratch servers and volumes, and compares.
pub(super) async fn restored(
    config: &Arc<Config>,
    environment: &Environment,
    stored: &Stored,
    identity: Option<&Identity>,
) -> Result<(), Failure> {
    let store = store_of(config, environment);
    let problems = store.check(stored)?;
    if !problems.is_empty() {
        return Err(BackupError::Damaged { id: stored.manifest.id.clone(), problems }.into());
    }
    let engine = Engine::connect().await?;
    let (runner, within) = (Runner::default(), config.gate.backup_within.0);
    let manifest = details::whole(&runner, stored, identity, within).await?;
    let identity = identity.filter(|_| manifest.is_encrypted());
    let id = &manifest.id;
    for dump in &manifest.objects {
        let begun = Instant::now();
        let path = stored.dir.join(&dump.file);
        let on = drill_dump(config, environment, &engine, (dump, Input { path: &path, identity, within })).await?;
        let (database, took) = (&dump.database, begun.elapsed().as_secs_f64());
        print_result(&format!("{id}: {database} restored and compared on {on} in {took:.1} s"));
    }
    let repository = snapshots::repository_of(config, &store, &manifest).await?;
    for archive in &manifest.volumes {
        let begun = Instant::now();
        let project = Project::load(&runner, config, &environment.name).await?;
        let image = volume::image_of_any(&project, &engine).await?;
        let helper = volume::Helper { runner: &runner, image: &image, within };
        let path = stored.dir.join(&archive.file);
        let source = snapshots::archive_source(archive, repository.as_ref(), Input { path: &path, identity, within });
        volume::prove(helper, &archive.entries, source, snapshots::root_of(&stored.dir)).await?;
        let volume = &archive.volume;
        print_result(&format!("{id}: {volume} unpacked and compared in {:.1} s", begun.elapsed().as_secs_f64()));
    }
    Ok(())
}

/// Restores one dump into a scratch server and compares; returns which server that was.
async fn drill_dump(
    config: &Arc<Config>,
    environment: &Environment,
    engine: &Engine,
    (dump, input): (&DatabaseDump, Input<'_>),
) -> Result<String, Failure> {
    // The image that runs; where nothing runs, one of the dump's major version.
    let containers = engine.project(&environment.project).await.unwrap_or_default();
    let service = config.databases.get(&dump.database).map(|database| database.service.as_str());
    let running = containers.iter().find(|c| Some(c.service.as_str()) == service && !c.one_off);
    let mut spec = server_spec(dump, running.map(|container| container.image.as_str()).unwrap_or_default());
    if running.is_none() {
        spec.images = images(config.root(), Some(dump.major));
    }
    let server = scratch::start(&spec).await?;
    let done = stagegate_data_act::backup::drill(engine, &Runner::default(), &server, (dump, input)).await;
    let reported = server.description();
    server.end().await;
    done?;
    Ok(reported)
}
