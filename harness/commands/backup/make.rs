//! Makes a backup of an environment.

use std::{path::Path, sync::Arc, time::Instant};

use stagegate_base::{
    config::{Config, Database, Environment, VolumePlace},
    exit::Exit,
    text::counted,
    units::Size,
};
use stagegate_data_act::{
    age::Encryption,
    backup::{
        Job, application, back_up,
        journal::{self, Event},
        repository::short,
        store::Store,
        volume,
    },
    volume::place::database_server,
};
use stagegate_data_decide::backup::{Manifest, unlisted};
use stagegate_host::{
    database::{self, Server},
    engine::Engine,
    error::with_causes,
    lock::{self, Lock},
    paths::StateDir,
    process::Runner,
    project::Project,
    release,
    signal::{self, Again},
};
use stagegate_suites::scratch;

use crate::{
    cli,
    failure::{Failure, give_json, outcome_first, print_message, print_result},
};

/// What a backup is to hold.
pub(in crate::commands) struct Wanted<'a> {
    pub(in crate::commands) environment: &'a Environment,
    /// Ids of databases and of volumes; all where both are empty.
    pub(in crate::commands) databases: &'a [String],
    pub(in crate::commands) volumes: &'a [String],
}

pub(super) async fn run(config: &Arc<Config>, args: cli::MakeBackup) -> Result<Exit, Failure> {
    let environment = super::super::named(config, args.env.as_ref())?;
    let manifest = make(config, &Wanted { environment, databases: &args.database, volumes: &args.volume }).await?;
    if args.json {
        give_json(&serde_json::to_string_pretty(&super::print::summary(&manifest))?);
    } else {
        print_result(&backup_text(&manifest, &super::store_of(config, environment)));
        if args.database.is_empty() && args.volume.is_empty() {
            let project = Project::load(&Runner::default(), config, &environment.name).await?;
            for note in unlisted_databases(config, &project).await {
                print_message(&format!("note: {note}"));
            }
            for (volume, services) in unlisted(&project.model, config) {
                print_message(&format!(
                    "note: volume `{volume}` of {} is in no backup: [volumes] does not list it",
                    services.join(", ")
                ));
            }
        }
    }
    if config.backup.offsite.is_some() {
        let id = manifest.id.as_str();
        let failed = |failure: Failure| {
            let name = &environment.name;
            failure.context(format!(
                "backup {id} is on this host alone; copy it once the cause is removed: gate backup upload --env {name}"
            ))
        };
        super::offsite::upload_now(config, environment, Some(id)).await.map_err(failed)?;
    }
    Ok(Exit::Passed)
}

/// Returns in words which databases of the same servers no backup has; nothing where they cannot be listed.
async fn unlisted_databases(config: &Config, project: &Project) -> Vec<String> {
    let Ok(engine) = Engine::connect().await else { return Vec::new() };
    let mut notes = Vec::new();
    for (id, found) in database::unlisted_databases(config, project, &engine, "stagegate/backup").await {
        let refusal = found.refusal(&id, &config.databases[&id].name);
        notes.extend(refusal.map_or_else(|| found.notes(), |refusal| vec![refusal]));
    }
    notes.dedup();
    notes
}

/// Makes a backup and notes in the store's journal how that ended.
pub(in crate::commands) async fn make(config: &Arc<Config>, wanted: &Wanted<'_>) -> Result<Manifest, Failure> {
    let environment = wanted.environment;
    let state = StateDir::of(config, &environment.project);
    let (databases, mut volumes) = chosen(config, wanted)?;
    if !volumes.is_empty() {
        without_servers(config, wanted, &mut volumes).await?;
    }
    // The environment is only read; the store is changed.
    let _shared = Lock::share(&state, &environment.project, "gate backup")?;
    let store = super::store_of(config, environment);
    let _lock = store.lock(&environment.project, "gate backup")?;
    let begun = Instant::now();
    let id = super::super::new_run();
    let made = draft(config, environment, &store, (&id, databases, volumes)).await;
    // What a draft left in a repository goes; where that fails, with the next backup or prune.
    if let Err(failure) = super::snapshots::settle_now(config, environment, None).await {
        print_message(&format!("snapshots of unfinished backups could not be removed: {}", failure.text()));
    }
    let error = made.as_ref().err().map(|failure| failure.text().replace('\n', " "));
    let written = journal::append(store.root(), Event::Backup, Some(&id), error, begun.elapsed().as_secs_f64());
    outcome_first(made, written)
}

async fn draft(
    config: &Arc<Config>,
    environment: &Environment,
    store: &Store,
    (id, databases, volumes): (&str, Vec<&Database>, Vec<&String>),
) -> Result<Manifest, Failure> {
    let engine = Engine::connect().await?;
    let project = Project::load(&Runner::default(), config, &environment.name).await?;
    let mark = lock::mark(&StateDir::at(store.root()), id);
    let runner = Runner::default().with_mask(project.mask()).with_mark(&mark);
    let release = release::deployed(&StateDir::of(config, &environment.project))?.map(|snapshot| snapshot.release);
    let (integrity, within) = (config.gate.integrity, config.gate.backup_within.0);
    let volumes = mounts(&project, &volumes)?;
    volume::sweep(&runner, store.root()).await;
    let encryption = match config.backup.encrypt_to.as_slice() {
        [] => None,
        recipients => Some(Encryption::to(&runner, recipients).await?),
    };
    let repository = if volumes.is_empty() { None } else { super::snapshots::open(config, store).await? };
    let (project, engine, runner) = (&project, &engine, &runner);
    let job = Job { volumes, project, engine, runner, databases, release, integrity, within, encryption, repository };
    end_earlier(&job).await?;
    let draft = store.draft(id)?;
    let signals = signal::listen(Again::Ends);
    let made = tokio::select! {
        made = back_up(&job, id, &draft, async |spec| scratch::start(spec).await) => made.map_err(Failure::from),
        () = signals.first() => Err(Failure::interrupted("interrupted; no backup was made")),
    };
    let published = match made {
        Ok(manifest) => store.publish(&draft, &manifest).map(|_| manifest).map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    if published.is_err() {
        store.discard(&draft);
        // A dump that is under way ends with its session.
        let _ = end_sessions(&job, &application(id)).await;
    }
    published
}

/// Ends the sessions of backups that were killed: their dumps go on in the server.
async fn end_earlier(job: &Job<'_>) -> Result<(), Failure> {
    if let Err(error) = end_sessions(job, &application("")).await {
        print_message(&format!("sessions of an earlier backup could not be ended: {}", with_causes(&error)));
    }
    Ok(())
}

async fn end_sessions(job: &Job<'_>, name: &str) -> Result<(), stagegate_host::database::DatabaseError> {
    for database in &job.databases {
        Server::of(job.project, job.engine, database, "stagegate/clean-up").await?.end_sessions(name).await?;
    }
    Ok(())
}

/// Returns what is backed up: what was named, or everything.
fn chosen<'a>(config: &'a Config, wanted: &Wanted<'_>) -> Result<(Vec<&'a Database>, Vec<&'a String>), Failure> {
    if wanted.databases.is_empty() && wanted.volumes.is_empty() {
        return Ok((config.databases.values().collect(), config.volumes.keys().collect()));
    }
    let unknown = |kind: &str, id: &str, known: Vec<&str>| {
        let path = config.path.display();
        Failure::usage(format!("no {kind} `{id}` in {path} (known: {})", known.join(", ")))
    };
    let database = |id: &String| {
        let known = || config.databases.keys().map(String::as_str).collect();
        config.databases.get(id).ok_or_else(|| unknown("database", id, known()))
    };
    let volume = |id: &String| {
        let known = || config.volumes.keys().map(String::as_str).collect();
        config.volumes.get_key_value(id).map(|(id, _)| id).ok_or_else(|| unknown("volume", id, known()))
    };
    let databases: Result<_, _> = wanted.databases.iter().map(database).collect();
    let volumes: Result<_, _> = wanted.volumes.iter().map(volume).collect();
    Ok((databases?, volumes?))
}

/// Takes those volumes out that are the data of a database's server: files that it writes meanwhile are no backup of it.
async fn without_servers(config: &Arc<Config>, wanted: &Wanted<'_>, volumes: &mut Vec<&String>) -> Result<(), Failure> {
    let project = Project::load(&Runner::default(), config, &wanted.environment.name).await?;
    let of_server = |id: &&String| {
        let server = config.volumes.get(*id).and_then(|volume| database_server(&project, &volume.place));
        server
            .map(|server| format!("volume `{id}` is the data of {server}, whose databases are backed up by themselves"))
    };
    let reasons: Vec<String> = volumes.iter().filter_map(of_server).collect();
    if let Some(reason) = reasons.first().filter(|_| !wanted.volumes.is_empty()) {
        return Err(Failure::usage(format!("{reason}; leave it out")));
    }
    reasons.iter().for_each(|reason| print_message(&format!("note: {reason}; it is left out")));
    volumes.retain(|id| of_server(id).is_none());
    Ok(())
}

/// Returns the volumes with their names or paths on this host.
fn mounts(project: &Project, ids: &[&String]) -> Result<Vec<(String, String)>, Failure> {
    let model: serde_json::Value = serde_json::from_str(&project.model.to_json())?;
    let one = |id: &&String| {
        let mount = match project.config.volumes.get(*id).map(|volume| &volume.place) {
            Some(VolumePlace::Named(key)) => match model["volumes"][key]["name"].as_str() {
                Some(name) => name.to_owned(),
                None => {
                    let text = format!("[volumes.{id}]: the compose files have no volume `{key}`");
                    return Err(Failure::configuration(text));
                }
            },
            Some(VolumePlace::Folder(path)) => folder(id, &project.environment.workdir.join(path))?,
            None => String::new(),
        };
        Ok(((*id).clone(), mount))
    };
    ids.iter().map(one).collect()
}

fn folder(id: &str, path: &Path) -> Result<String, Failure> {
    match path.is_dir() {
        true => Ok(path.to_string_lossy().into_owned()),
        // Docker would create it.
        false => Err(Failure::configuration(format!("[volumes.{id}]: {} is not a folder", path.display()))),
    }
}

fn backup_text(manifest: &Manifest, store: &Store) -> String {
    let mut lines = vec![format!("backup {} of {}", manifest.id, manifest.environment)];
    for dump in &manifest.objects {
        lines.push(format!(
            "  {:<12} {} dump of {} in {} ({}, PostgreSQL {}); restored and compared in {:.1} s",
            dump.database,
            Size(dump.bytes),
            counted(dump.facts.rows(), "row"),
            counted(dump.facts.tables.len(), "table"),
            Size(dump.restored_bytes),
            dump.major,
            dump.proof_seconds
        ));
    }
    for volume in &manifest.volumes {
        let place = volume.snapshot.as_ref().map_or_else(String::new, |snapshot| {
            format!(" in snapshot {} of {}", short(&snapshot.id), snapshot.repository)
        });
        lines.push(format!(
            "  {:<12} {} archive of {}{place}; unpacked and compared in {:.1} s",
            volume.volume,
            Size(volume.bytes),
            counted(volume.entries.len(), "file or folder").replace("file or folders", "files and folders"),
            volume.seconds
        ));
    }
    lines.push(format!("  {:<12} {}", "config", counted(manifest.files.len(), "file")));
    if manifest.is_encrypted() {
        lines.push(format!("  {:<12} to {}", "encrypted", manifest.encrypted_to.join(", ")));
    }
    lines.push(format!("stored in {}", store.root().join(&manifest.id).display()));
    lines.push(format!("restore it: gate restore --env {} {}", manifest.environment, manifest.id));
    lines.join("\n")
}
