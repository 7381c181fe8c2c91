//! Volumes that backups keep in a repository: opened where a backup needs it, and snapshots of backups that are gone removed.

use std::{collections::BTreeSet, path::Path};

use stagegate_base::{
    config::{Config, Environment},
    text::counted,
};
use stagegate_data_act::{
    age::Input,
    backup::{
        BackupError, Repository, RepositoryError,
        repository::{settle, short, unsettled},
        store::{Store, Stored},
        volume::{self, Source},
    },
};
use stagegate_data_decide::backup::{Manifest, VolumeArchive, restic::Unsettled};
use stagegate_host::{lock, paths::StateDir, process::Runner};

use super::store_of;
use crate::failure::{Failure, print_message, print_result};

/// Returns the repository that the volumes of a backup are in; `None` where they are files of it.
pub(in crate::commands) async fn repository_of(
    config: &Config,
    store: &Store,
    manifest: &Manifest,
) -> Result<Option<Repository>, Failure> {
    let Some((archive, snapshot)) = manifest.snapshots().next() else { return Ok(None) };
    if config.backup.restic.is_none() {
        let (volume, repository) = (archive.volume.clone(), snapshot.repository.clone());
        return Err(RepositoryError::NotConfigured { volume, repository }.into());
    }
    Ok(open(config, store).await?)
}

/// Opens the configured repository, if there is one.
pub(super) async fn open(config: &Config, store: &Store) -> Result<Option<Repository>, RepositoryError> {
    let Some(settings) = &config.backup.restic else { return Ok(None) };
    // The next holder of the store's lock ends what a killed command left.
    let mark = lock::mark(&StateDir::at(store.root()), "restic");
    let runner = Runner::default().with_mark(&mark);
    Repository::open(settings, &runner, config.gate.backup_within.0).await.map(Some)
}

/// Returns where an archive of a backup is: in its file at `path`, or in the repository.
pub(in crate::commands) fn archive_source<'a>(
    archive: &'a VolumeArchive,
    repository: Option<&'a Repository>,
    input: Input<'a>,
) -> Source<'a> {
    match (&archive.snapshot, repository) {
        (Some(snapshot), Some(repository)) => Source::Snapshot(repository, snapshot, &archive.file),
        _ => Source::File(input),
    }
}

/// Reads the snapshots of a backup and compares their checksums.
pub(super) async fn compared(config: &Config, store: &Store, stored: &Stored) -> Result<(), Failure> {
    let Some(repository) = repository_of(config, store, &stored.manifest).await? else { return Ok(()) };
    let (id, runner) = (&stored.manifest.id, Runner::default());
    for (archive, snapshot) in stored.manifest.snapshots() {
        let source = Source::Snapshot(&repository, snapshot, &archive.file);
        volume::compare_checksum(&runner, archive, source).await.map_err(Failure::from)?;
        print_result(&format!(
            "{id}: {} matches its checksum, read from snapshot {} in {}",
            archive.volume,
            short(&snapshot.id),
            repository.location()
        ));
    }
    Ok(())
}

/// Returns whether snapshots may have to be removed.
pub(super) fn is_open(store: &Store) -> Result<bool, BackupError> {
    Ok(!unsettled(store.root())?.is_empty())
}

/// Removes the snapshots of backups that are listed neither here nor in `copies`, the ids of those off this host, which nobody looked
/// at where `None`. The store's lock is needed.
pub(super) async fn settle_now(
    config: &Config,
    environment: &Environment,
    copies: Option<&BTreeSet<String>>,
) -> Result<(), Failure> {
    let store = store_of(config, environment);
    if !is_open(&store)? {
        return Ok(());
    }
    let none = BTreeSet::new();
    let copies = copies.or_else(|| config.backup.offsite.is_none().then_some(&none));
    let removed = settle(store.root(), copies, async || open(config, &store).await).await?;
    let (name, place) = (&environment.name, config.backup.restic.as_ref().map_or("", |one| one.repository.as_str()));
    if removed.snapshots > 0 {
        print_message(&format!("{name}: removed {} from {place}", counted(removed.snapshots, "snapshot")));
    }
    for Unsettled { tag, repository, .. } in removed.given_up {
        print_message(&format!(
            "{name}: snapshots of a removed backup stay in {repository}, which [backup.restic] does not name; list them, to remove \
             them by `restic forget`: restic --repo {repository} snapshots --tag {tag}"
        ));
    }
    Ok(())
}

/// Returns the folder of the backups that the folder of one is in.
pub(super) fn root_of(dir: &Path) -> &Path {
    dir.parent().unwrap_or(dir)
}
