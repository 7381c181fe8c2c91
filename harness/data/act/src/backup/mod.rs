//! Makes a backup: dumps with the facts of their snapshot, each restored into a scratch server and compared.
//!
//! Only what was proven is ever listed: until then a backup is a draft under a name that no list shows.

pub mod details;
mod error;
pub mod journal;
pub mod offsite;
pub mod repository;
pub mod restore;
pub mod store;
pub mod volume;

#[cfg(test)]
mod tests;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use stagegate_base::{
    config::{Database, Integrity},
    release::Release,
};
use stagegate_data_decide::{
    DataFacts,
    backup::{
        ConfigFile, DatabaseDump, ENCRYPTED, ENCRYPTED_FORMAT, FORMAT, Manifest, SNAPSHOT_FORMAT, VolumeArchive,
        file_name, restic::Unsettled,
    },
    differences,
};
use stagegate_host::{clock, database::Server, engine::Engine, files, process::Runner, project::Project};
use stagegate_migration_act::scratch::{Scratch, ScratchMethod, ServerSpec};

pub use self::{
    error::BackupError,
    repository::{Repository, RepositoryError},
};
use crate::{
    age::{Encryption, Input, Output},
    facts,
};

/// The database that a dump is restored into on a scratch server.
const COPY: &str = "stagegate_restored";
/// Up to here a scratch server's data is kept in memory.
const IN_MEMORY: u64 = 256 << 20;

/// What a backup is made of, and with.
pub struct Job<'a> {
    /// The environment.
    pub project: &'a Project,
    /// Docker.
    pub engine: &'a Engine,
    /// Runs the programs.
    pub runner: &'a Runner,
    /// The databases.
    pub databases: Vec<&'a Database>,
    /// Volumes and folders: each with its id, and its name or path on this host.
    pub volumes: Vec<(String, String)>,
    /// The release that is live.
    pub release: Option<Release>,
    /// How rows are verified.
    pub integrity: Integrity,
    /// How long one dump, and one restore, may take.
    pub within: Duration,
    /// To whom the files are encrypted; plain where `None`.
    pub encryption: Option<Encryption>,
    /// The repository that volumes are kept in; files of the backup where `None`.
    pub repository: Option<Repository>,
}

impl Job<'_> {
    fn output<'a>(&'a self, path: &'a Path) -> Output<'a> {
        Output { path, encryption: self.encryption.as_ref(), within: self.within }
    }

    /// Returns a file of this backup, to be read back.
    fn input<'a>(&'a self, path: &'a Path) -> Input<'a> {
        Input { path, identity: self.encryption.as_ref().map(Encryption::proof), within: self.within }
    }

    /// Returns the name of a file, which shows that it is encrypted.
    fn name(&self, plain: String) -> String {
        if self.encryption.is_some() { plain + ENCRYPTED } else { plain }
    }
}

/// Returns the name that sessions of a backup or restore carry.
#[must_use]
pub fn application(id: &str) -> String {
    format!("stagegate/backup-{id}")
}

/// Makes the backup `id` in the empty folder `draft` and returns its manifest, which is not written yet.
///
/// `scratch` starts the server that each dump is restored into.
///
/// # Errors
/// [`BackupError`]; the draft holds a part then.
pub async fn back_up<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    job: &Job<'_>,
    id: &str,
    draft: &Path,
    scratch: impl AsyncFn(&ServerSpec) -> Result<Scratch, E>,
) -> Result<Manifest, BackupError> {
    let encrypted_to = job.encryption.as_ref().map_or_else(Vec::new, |one| one.recipients().to_vec());
    let mut manifest = Manifest {
        v: format(job),
        id: id.to_owned(),
        environment: job.project.environment.name.clone(),
        project: job.project.compose_name().to_owned(),
        release: job.release.clone(),
        taken: clock::now(),
        taken_unix: clock::unix_seconds(),
        files: configuration(job, draft).await?,
        encrypted_to,
        ..Manifest::default()
    };
    for (number, database) in job.databases.iter().enumerate() {
        let path = draft.join(job.name(file_name(&database.id, number, "dump")));
        manifest.objects.push(proven_dump(job, id, database, &path, &scratch).await?);
    }
    manifest.volumes = archives(job, id, draft).await?;
    match &job.encryption {
        Some(_) => details::write(job, manifest, draft).await,
        None => Ok(manifest),
    }
}

fn format(job: &Job<'_>) -> u32 {
    match (&job.repository, &job.encryption) {
        (Some(_), _) if !job.volumes.is_empty() => SNAPSHOT_FORMAT,
        (_, Some(_)) => ENCRYPTED_FORMAT,
        _ => FORMAT,
    }
}

/// Archives the volumes, each proven: into files of the draft, or into snapshots, which are noted before the first is made.
async fn archives(job: &Job<'_>, id: &str, draft: &Path) -> Result<Vec<VolumeArchive>, BackupError> {
    let mut all = Vec::new();
    if job.volumes.is_empty() {
        return Ok(all);
    }
    let image = volume::image_of_any(job.project, job.engine).await?;
    let helper = volume::Helper { runner: job.runner, image: &image, within: job.within };
    let (store, tag) = (draft.parent().unwrap_or(draft), format!("stagegate-{id}-{:016x}", volume::unique()));
    if let Some(repository) = &job.repository {
        let repository = repository.location().to_owned();
        repository::intend(store, id, Unsettled { tag: tag.clone(), repository, is_draft: true })?;
    }
    for (number, (volume, mount)) in job.volumes.iter().enumerate() {
        let of = (volume.as_str(), mount.as_str());
        all.push(match &job.repository {
            Some(repository) => {
                let name = file_name(volume, number, "tar");
                let names = (name.as_str(), job.project.environment.name.as_str(), tag.as_str());
                volume::archive_into(helper, of, repository, names, store).await?
            }
            None => {
                let path = draft.join(job.name(file_name(volume, number, "tar.zst")));
                volume::archive(helper, of, job.output(&path), job.input(&path)).await?
            }
        });
        job.runner.report(&format!("{volume}: archived, unpacked and compared"));
    }
    Ok(all)
}

/// Dumps a database to `path`, restores the file into a scratch server, and compares.
async fn proven_dump<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    job: &Job<'_>,
    id: &str,
    database: &Database,
    path: &Path,
    scratch: &impl AsyncFn(&ServerSpec) -> Result<Scratch, E>,
) -> Result<DatabaseDump, BackupError> {
    let live = Server::of(job.project, job.engine, database, &application(id)).await?;
    let names = (database.id.as_str(), database.name.as_str());
    let mut dump = dump_one(&live, job.runner, names, job.output(path), job.integrity).await?;
    job.runner.report(&format!("{}: dumped", database.id));
    let begun = Instant::now();
    let server = scratch(&server_spec(&dump, &image(job, database).await?)).await;
    let server = server.map_err(|error| BackupError::Scratch(error.into()))?;
    let proven = drill(job.engine, job.runner, &server, (&dump, job.input(path))).await;
    server.end().await;
    dump.restored_bytes = proven?;
    dump.proof_seconds = begun.elapsed().as_secs_f64();
    job.runner.report(&format!("{}: restored and compared", database.id));
    Ok(dump)
}

/// Dumps a database (`id`, name) to `output` and returns what the dump holds; that it restores is still to be proven.
///
/// # Errors
/// [`BackupError`]; the file is incomplete then.
pub async fn dump_one(
    live: &Server,
    runner: &Runner,
    (id, name): (&str, &str),
    output: Output<'_>,
    integrity: Integrity,
) -> Result<DatabaseDump, BackupError> {
    let (begun, path) = (Instant::now(), output.path);
    let (major, preload) = live.version().await?;
    let (restored_bytes, _) = live.sizes(name).await?;
    let (locale, roles, superusers) = (live.locale(name).await?, live.roles().await?, live.superusers().await?);
    let facts = facts::dump(live, runner, name, output, integrity).await?;
    let (sha256, bytes) = files::hash_file(path).map_err(BackupError::file("read", path))?;
    Ok(DatabaseDump {
        database: id.to_owned(),
        name: name.to_owned(),
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        sha256,
        bytes,
        major,
        restored_bytes,
        dump_seconds: begun.elapsed().as_secs_f64(),
        proof_seconds: 0.0,
        locale: Some(locale),
        roles,
        superusers,
        preload,
        facts,
    })
}

/// Returns the image that the database's server runs.
async fn image(job: &Job<'_>, database: &Database) -> Result<String, BackupError> {
    let containers = job.project.containers(job.engine).await?;
    let container = containers.into_iter().find(|c| c.service == database.service && !c.one_off);
    Ok(container.map(|container| container.image).unwrap_or_default())
}

/// Returns the scratch server that a dump is to be restored into: of the image of the server that it was made on.
#[must_use]
pub fn server_spec(dump: &DatabaseDump, image: &str) -> ServerSpec {
    let preload = (!dump.preload.is_empty()).then(|| format!("shared_preload_libraries={}", dump.preload));
    ServerSpec {
        images: vec![image.to_owned()],
        arguments: preload.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect(),
        major: (dump.major > 0).then_some(dump.major),
        way: Some(ScratchMethod::Docker),
        on_disk: dump.restored_bytes > IN_MEMORY,
        ..ServerSpec::default()
    }
}

/// Restores a dump into a scratch server and compares; returns the restored database's bytes.
///
/// # Errors
/// [`BackupError::Differs`] where it holds something else than its manifest states.
pub async fn drill(
    engine: &Engine,
    runner: &Runner,
    scratch: &Scratch,
    (dump, input): (&DatabaseDump, Input<'_>),
) -> Result<u64, BackupError> {
    let server = scratch.in_container(engine, "stagegate/drill").await?;
    let server = server.ok_or_else(|| BackupError::Refused("the scratch server's container is gone".to_owned()))?;
    server.make_roles(&dump.roles, &dump.superusers).await?;
    match &dump.locale {
        Some(locale) => server.create_fresh(COPY, locale).await?,
        None => return Err(BackupError::Refused("the backup does not say how its database sorts".to_owned())),
    }
    compare_restored(&server, runner, (COPY, input), &dump.facts).await.map_err(|error| match error {
        // The name on the scratch server tells a person nothing.
        BackupError::Differs { differences, .. } => {
            BackupError::Differs { database: dump.database.clone(), differences }
        }
        error => error,
    })?;
    Ok(server.sizes(COPY).await?.0)
}

/// Restores a dump into the empty database `copy` of a server and compares what is there with what was dumped.
///
/// # Errors
/// [`BackupError::Differs`] with the differences.
pub async fn compare_restored(
    server: &Server,
    runner: &Runner,
    (copy, dump): (&str, Input<'_>),
    expected: &DataFacts,
) -> Result<(), BackupError> {
    let what = format!("restore {} into database `{copy}`", dump.path.display());
    let restore = async |file| server.restore_from(runner, copy, (&what, file), dump.within).await;
    let restored = dump.feed(runner, restore).await;
    restored.map_err(BackupError::stream("decrypt", dump.path, BackupError::from))?;
    let found = facts::facts(server, copy, integrity_of(expected)).await?;
    let differences = differences(expected, &found);
    match differences.is_empty() {
        true => Ok(()),
        false => Err(BackupError::Differs { database: copy.to_owned(), differences }),
    }
}

/// Returns how rows were verified when `facts` were read.
fn integrity_of(facts: &DataFacts) -> Integrity {
    let counted_only = facts.tables.values().any(|table| table.checksum.is_none());
    if counted_only { Integrity::Counts } else { Integrity::Checksums }
}

/// Copies the configuration into a draft: the env files, stagegate.toml, and what Compose resolved its files to.
async fn configuration(job: &Job<'_>, draft: &Path) -> Result<Vec<ConfigFile>, BackupError> {
    let project = job.project;
    let mut all = vec![config_file(job, draft, ("config-compose.json", None), project.model.to_json().into()).await?];
    let paths = std::iter::once(&project.config.path).chain(&project.environment.env_files);
    for (number, path) in paths.enumerate() {
        let bytes = std::fs::read(path).map_err(BackupError::file("read", path))?;
        all.push(config_file(job, draft, (&format!("config-{number}"), Some(path)), bytes).await?);
    }
    Ok(all)
}

/// Writes one file of a draft.
async fn config_file(
    job: &Job<'_>,
    draft: &Path,
    (name, path): (&str, Option<&Path>),
    bytes: Vec<u8>,
) -> Result<ConfigFile, BackupError> {
    let file = job.name(name.to_owned());
    let copy = draft.join(&file);
    let written = job.output(&copy).write(job.runner, bytes).await;
    written.map_err(BackupError::stream("write", &copy, BackupError::file("write", &copy)))?;
    let (sha256, bytes) = files::hash_file(&copy).map_err(BackupError::file("read", &copy))?;
    let path = path.map(|path| path.to_string_lossy().into_owned());
    Ok(ConfigFile { file, path, sha256, bytes })
}
