//! The encrypted part of an encrypted backup's manifest: schemas, row counts, names of files.
//!
//! `manifest.json` has what lists, verifications and retention need, in plain text. What the databases and volumes hold is in a
//! file of its own, encrypted as the dumps are, since a copy elsewhere would show it to whoever reads the bucket.

use std::{path::Path, time::Duration};

use stagegate_data_decide::backup::{DETAILS, Manifest};
use stagegate_host::process::Runner;

use super::{BackupError, Job, config_file, store::Stored};
use crate::age::{Identity, Input};

/// Writes the details of `manifest` and reads them back; returns the manifest with them named.
pub(super) async fn write(job: &Job<'_>, manifest: Manifest, draft: &Path) -> Result<Manifest, BackupError> {
    let details = config_file(job, draft, (DETAILS, None), manifest.text()?).await?;
    let path = draft.join(&details.file);
    let read = read(job.runner, &manifest.id, job.input(&path)).await?;
    match read == manifest {
        true => Ok(Manifest { details: Some(details), ..manifest }),
        false => Err(damaged(&manifest.id, &details.file)),
    }
}

/// Returns all that a backup states of what it holds; `identity` decrypts it where it is encrypted.
///
/// # Errors
/// [`BackupError::Encrypted`] where no identity was named, [`BackupError::WrongIdentity`] where it is another one, and
/// [`BackupError::Damaged`] where the two parts of the manifest do not belong together.
pub async fn whole(
    runner: &Runner,
    stored: &Stored,
    identity: Option<&Identity>,
    within: Duration,
) -> Result<Manifest, BackupError> {
    let outline = &stored.manifest;
    let Some(details) = &outline.details else { return Ok(outline.clone()) };
    let Some(identity) = identity else { return Err(BackupError::Encrypted { id: outline.id.clone() }) };
    let path = stored.dir.join(&details.file);
    let manifest = read(runner, &outline.id, Input { path: &path, identity: Some(identity), within }).await?;
    let manifest = Manifest { details: outline.details.clone(), ..manifest };
    match manifest.outline() == *outline {
        true => Ok(manifest),
        false => Err(damaged(&outline.id, &details.file)),
    }
}

/// Decrypts a file and keeps nothing: `age` tells whether it was changed.
///
/// # Errors
/// [`BackupError`].
pub async fn readable(runner: &Runner, input: Input<'_>) -> Result<(), BackupError> {
    let read = input.drain(runner).await;
    read.map(drop).map_err(BackupError::stream("decrypt", input.path, BackupError::file("read", input.path)))
}

/// Returns the contents of a small file of a backup.
///
/// # Errors
/// [`BackupError`].
pub async fn contents(runner: &Runner, input: Input<'_>) -> Result<Vec<u8>, BackupError> {
    let read = input.read(runner).await;
    read.map_err(BackupError::stream("decrypt", input.path, BackupError::file("read", input.path)))
}

async fn read(runner: &Runner, id: &str, input: Input<'_>) -> Result<Manifest, BackupError> {
    let text = contents(runner, input).await?;
    Manifest::parse(&text).map_err(|source| BackupError::Manifest { id: id.to_owned(), source })
}

fn damaged(id: &str, file: &str) -> BackupError {
    BackupError::Damaged { id: id.to_owned(), problems: vec![format!("{file} does not belong to its manifest")] }
}
