//! `gate restore`: a backup into a new database, verified, then switched.

mod config_files;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use stagegate_base::{
    command::Command,
    config::{Config, Database, Environment},
    exit::Exit,
    text::counted,
    units::Size,
};
use stagegate_data_act::{
    age::{Identity, Input},
    backup::{
        BackupError, application, details,
        journal::{self, Event},
        restore::{self, Restore, Restored},
        store::{Store, Stored},
        volume,
    },
};
use stagegate_data_decide::backup::{DatabaseDump, Manifest};
use stagegate_host::{
    database::Server,
    engine::Engine,
    error::with_causes,
    lock::{self, Lock},
    paths::StateDir,
    process::Runner,
    project::Project,
    signal::{self, Again},
};

use super::backup::{archive_source, repository_of};
use crate::{
    cli, confirm_option,
    failure::{Failure, outcome_first, print_message, print_result},
};

pub(super) async fn run(config: &Arc<Config>, args: cli::Restore) -> Result<Exit, Failure> {
    let environment = super::named(config, args.env.as_ref())?;
    let from = args.from.as_ref().map(|name| config.environment(name)).transpose()?.unwrap_or(environment);
    let store = Store::of(config, &from.project);
    let has = |manifest: &Manifest| match &args.volume {
        Some(id) => manifest.volumes.iter().any(|volume| volume.volume == *id),
        None if args.config_files => true,
        None if args.database.is_empty() => !manifest.objects.is_empty(),
        None => args.database.iter().all(|id| manifest.database(id).is_some()),
    };
    let mut stored = store.find_with(&args.backup, has)?;
    let problems = store.check(&stored)?;
    if !problems.is_empty() {
        return Err(BackupError::Damaged { id: stored.manifest.id.clone(), problems }.into());
    }
    let identity = match stored.manifest.is_encrypted() {
        true => super::backup::identity(config, args.identity.as_deref())?,
        false => None,
    };
    let within = config.gate.backup_within.0;
    stored.manifest = details::whole(&Runner::default(), &stored, identity.as_ref(), within).await?;
    let source = Source { stored: &stored, identity: identity.as_ref(), within };
    if args.into.is_none() && args.volume.is_none() {
        confirm_option::refuse_if_protected(environment, args.confirm.as_deref(), "replacing its data")?;
    }
    if args.config_files {
        return config_files::restore(config, environment, source, args.yes).await;
    }
    if let Some(id) = &args.volume {
        return volume_side_by_side(config, environment, (&store, source), (id, args.into.as_deref())).await;
    }
    let chosen = chosen(config, &stored, &args.database)?;
    if args.into.is_some() && chosen.len() != 1 {
        return Err(Failure::usage("--into names one database; choose which one with --database"));
    }
    confirm_option::confirm(&question(environment, &stored, &chosen, args.into.as_deref()), args.yes)?;
    let state = StateDir::of(config, &environment.project);
    let _lock = Lock::take(&state, &environment.project, "gate restore")?;
    // Nothing is removed from the store meanwhile.
    let _kept = store.lock(&from.project, "gate restore")?;
    let work = Work { config, environment, state, source };
    let begun = Instant::now();
    let done = work.all(&chosen, args.into.as_deref()).await;
    let error = done.as_ref().err().map(|failure| failure.text().replace('\n', " "));
    let seconds = begun.elapsed().as_secs_f64();
    let written = journal::append(store.root(), Event::Restore, Some(&stored.manifest.id), error, seconds);
    outcome_first(done.map(|()| Exit::Passed), written)
}

fn question(environment: &Environment, stored: &Stored, chosen: &[Chosen<'_>], into: Option<&str>) -> String {
    let names: Vec<&str> = chosen.iter().map(|(database, _)| database.name.as_str()).collect();
    let (names, name, id) = (names.join(", "), &environment.name, &stored.manifest.id);
    match into {
        Some(into) => format!("Restore {names} of {id} into the new database `{into}` of `{name}`?"),
        None => format!(
            "Replace {names} of `{name}` by backup {id} of {} (taken {})? Sessions are ended; the replaced databases are kept.",
            stored.manifest.environment, stored.manifest.taken
        ),
    }
}

/// The backup that is restored, and what decrypts it.
#[derive(Clone, Copy)]
struct Source<'a> {
    stored: &'a Stored,
    identity: Option<&'a Identity>,
    within: Duration,
}

impl<'a> Source<'a> {
    fn path(&self, file: &str) -> PathBuf {
        self.stored.dir.join(file)
    }

    fn input(&self, path: &'a Path) -> Input<'a> {
        Input { path, identity: self.identity, within: self.within }
    }
}

type Chosen<'a> = (&'a Database, &'a DatabaseDump);

/// Returns the databases to restore: those that were named, or all of the backup that the configuration knows.
fn chosen<'a>(config: &'a Config, stored: &'a Stored, ids: &[String]) -> Result<Vec<Chosen<'a>>, Failure> {
    let manifest = &stored.manifest;
    let has: Vec<&str> = manifest.objects.iter().map(|object| object.database.as_str()).collect();
    let ids: Vec<&str> = if ids.is_empty() { has.clone() } else { ids.iter().map(String::as_str).collect() };
    if ids.is_empty() {
        return Err(Failure::usage(format!("backup {} holds no database", manifest.id)));
    }
    let one = |id: &&str| {
        let dump = manifest.database(id).ok_or_else(|| {
            Failure::usage(format!("backup {} has no database `{id}` (it has {})", manifest.id, has.join(", ")))
        })?;
        let database = config.databases.get(*id).ok_or_else(|| {
            Failure::usage(format!(
                "database `{id}` of the backup is not in {}; add [databases.{id}]",
                config.path.display()
            ))
        })?;
        Ok((database, dump))
    };
    ids.iter().map(one).collect()
}

struct Work<'a> {
    config: &'a Arc<Config>,
    environment: &'a Environment,
    state: StateDir,
    source: Source<'a>,
}

impl Work<'_> {
    async fn all(&self, chosen: &[Chosen<'_>], into: Option<&str>) -> Result<(), Failure> {
        let engine = Engine::connect().await?;
        let project = Project::load(&Runner::default(), self.config, &self.environment.name).await?;
        let run = super::new_run();
        let runner = Runner::default().with_mask(project.mask()).with_mark(&lock::mark(&self.state, &run));
        for (database, dump) in chosen {
            let begun = Instant::now();
            let server = Server::of(&project, &engine, database, &application(&run)).await?;
            let restored = self.one((&server, &runner), (database, dump), &run, into).await?;
            let role = server.inside().role.as_str();
            self.print_restored((database, dump), &restored, (role, begun.elapsed().as_secs_f64()));
        }
        Ok(())
    }

    async fn one(
        &self,
        (server, runner): (&Server, &Runner),
        (database, dump): Chosen<'_>,
        run: &str,
        into: Option<&str>,
    ) -> Result<Restored, Failure> {
        let id = self.state.id().map_err(Failure::writing(self.state.root()))?;
        let live: Vec<String> = self.config.databases.values().map(|database| database.name.clone()).collect();
        let path = self.source.path(&dump.file);
        let work = Restore {
            server,
            runner,
            dump: (dump, self.source.input(&path)),
            database: &database.name,
            run: (run, &id),
            live: &live,
        };
        let intent = work.intent(&database.id, into);
        restore::begin(self.state.root(), &intent)?;
        let signals = signal::listen(Again::Ends);
        let restoring = async {
            match into {
                Some(into) => work.restore_side_by_side(into).await,
                None => work.in_place().await,
            }
        };
        let done = tokio::select! {
            done = restoring => done.map_err(Failure::from),
            () = signals.first() => {
                restore::finish(server, (self.state.root(), &id), &intent, &live).await?;
                return Err(Failure::interrupted(format!("interrupted; database `{}` is as before", database.name)));
            }
        };
        restore::end(self.state.root())?;
        done
    }

    fn print_restored(&self, (database, dump): Chosen<'_>, restored: &Restored, (role, seconds): (&str, f64)) {
        print_result(&format!(
            "restored {} from {}: {} in {} ({}), compared, in {seconds:.1} s",
            restored.database,
            self.source.stored.manifest.id,
            counted(dump.facts.rows(), "row"),
            counted(dump.facts.tables.len(), "table"),
            Size(dump.restored_bytes)
        ));
        let Some(kept) = &restored.kept_as else { return };
        let compose = Command::new("docker").args(["compose", "--project-name", &self.environment.project, "exec"]);
        let drop = compose.args([database.service.as_str(), "dropdb", "--username", role, "--", kept]);
        print_message(&format!("the replaced database is kept as {kept}; drop it with:\n  {}", drop.line()));
    }
}

/// Restores a volume or folder into a new volume, compares it, and states how to switch to it.
async fn volume_side_by_side(
    config: &Arc<Config>,
    environment: &Environment,
    (store, source): (&Store, Source<'_>),
    (id, into): (&str, Option<&str>),
) -> Result<Exit, Failure> {
    let stored = source.stored;
    let has: Vec<&str> = stored.manifest.volumes.iter().map(|volume| volume.volume.as_str()).collect();
    let archive = stored.manifest.volumes.iter().find(|volume| volume.volume == id).ok_or_else(|| {
        Failure::usage(format!("backup {} has no volume `{id}` (it has {})", stored.manifest.id, has.join(", ")))
    })?;
    let run = super::new_run();
    let volume = into.map_or_else(|| format!("{}_{id}__restored_{run}", environment.project), str::to_owned);
    let _kept = store.lock(&environment.project, "gate restore")?;
    let engine = Engine::connect().await?;
    if engine.has_volume(&volume).await? {
        let text = format!("volume `{volume}` exists; name another one by --into, nothing is restored over it");
        return Err(Failure::usage(text));
    }
    let repository = repository_of(config, store, &stored.manifest).await?;
    let project = Project::load(&Runner::default(), config, &environment.name).await?;
    let image = volume::image_of_any(&project, &engine).await?;
    let mark = lock::mark(&StateDir::at(store.root()), &run);
    let runner = Runner::default().with_mark(&mark);
    let helper = volume::Helper { runner: &runner, image: &image, within: source.within };
    let (begun, path) = (Instant::now(), source.path(&archive.file));
    let archived = archive_source(archive, repository.as_ref(), source.input(&path));
    let signals = signal::listen(Again::Ends);
    let done = tokio::select! {
        done = volume::restore(helper, archive, archived, &volume) => done,
        () = signals.first() => {
            let left = match volume::discard(helper, &mark, &volume).await {
                Ok(()) => "the new volume was removed".to_owned(),
                Err(_) => format!("the new volume is incomplete; remove it with: docker volume rm {volume}"),
            };
            return Err(Failure::interrupted(format!("interrupted; {left}")));
        }
    };
    let error = done.as_ref().err().map(|error| with_causes(error));
    let seconds = begun.elapsed().as_secs_f64();
    let written = journal::append(store.root(), Event::Restore, Some(&stored.manifest.id), error, seconds);
    outcome_first(done.map_err(Failure::from), written)?;
    print_result(&format!(
        "restored {id} of {} into the new volume {volume}, compared, in {:.1} s",
        stored.manifest.id,
        begun.elapsed().as_secs_f64()
    ));
    print_message(&format!(
        "the live volume is as it was; to switch, set `name: {volume}` and `external: true` for it in the compose file and \
         run `gate up --env {}`",
        environment.name
    ));
    Ok(Exit::Passed)
}
