//! Before a command does its work: finish what a killed run left, in any environment of the configuration.

use std::{convert::Infallible, sync::Arc};

use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
};
use stagegate_data_act::{
    backup::restore::{self, Intent},
    sync::files,
};
use stagegate_data_decide::sync::files::FilesIntent;
use stagegate_gate_act::{self as gate, Gate, Observer};
use stagegate_gate_decide::promotion::Entry;
use stagegate_host::{
    database::Server,
    engine::Engine,
    error::with_causes,
    lock::{Lock, LockError},
    paths::StateDir,
    process::Runner,
    project::Project,
    signal::{self, Shield},
};
use tokio::sync::watch;

use crate::{
    examine::Suites,
    failure::{Failure, print_message},
    notices,
    progress::{self, KnownTimes},
};

/// Makes what runs of the gate work with.
pub(crate) fn gate(config: &Arc<Config>, engine: &Engine, observe: Observer, interrupt: watch::Receiver<bool>) -> Gate {
    let examine = Arc::new(Suites { config: Arc::clone(config) });
    let measuring = Arc::new(progress::measuring);
    let observe = notices::observing(config, observe);
    Gate { config: Arc::clone(config), engine: engine.clone(), examine, observe, measuring, interrupt }
}

/// What became of the runs that were unfinished.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished {
    /// All that were finished succeeded.
    pub(crate) well: bool,
    /// None was left that is stuck, or whose journal cannot be read.
    pub(crate) all: bool,
}

/// Finishes unfinished runs of all environments; a live run and one that is stuck are left to themselves, and so is
/// one whose journal cannot be read. Returns what they came to.
pub(crate) async fn finish_all(config: &Arc<Config>) -> Result<Finished, Failure> {
    refuse_renamed(config)?;
    let shield = signal::shield();
    let mut finished = Finished { well: true, all: true };
    finish_restores(config).await;
    finish_files(config).await;
    for environment in config.environments.values() {
        let state = StateDir::of(config, &environment.project);
        let open = gate::unfinished(&state).unwrap_or_else(|error| {
            print_message(&format!("`{}`: {}", environment.name, with_causes(&error)));
            finished.all = false;
            None
        });
        let Some(run) = open else { continue };
        if run.stuck {
            print_message(&format!(
                "run {} of `{}`: manual action required: `gate resume --env {1}`",
                run.run, environment.name
            ));
            finished.all = false;
            continue;
        }
        match Lock::take(&state, &environment.project, &format!("finishing run {}", run.run)) {
            Ok(lock) => {
                // It may have ended between the two looks.
                if let Some(run) = gate::unfinished(&state)?.filter(|run| !run.stuck) {
                    print_message(&format!(
                        "run {} of `{}` was interrupted; finishing it first",
                        run.run, environment.name
                    ));
                    finished.well &= finish(config, state, lock, &run, &by_this_process()).await? != Exit::PersonNeeded;
                }
            }
            Err(LockError::Held { .. } | LockError::Elsewhere { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if shield.has_met_one() {
        return Err(Failure::interrupted("interrupted; nothing was done after the earlier runs had been finished"));
    }
    Ok(finished)
}

/// Refuses where a run is open whose environment the configuration calls otherwise now: under the new name nothing would
/// seem to run, and the next command would begin next to it.
pub(crate) fn refuse_renamed(config: &Config) -> Result<(), Failure> {
    let Some(gate::Renamed { plan, state }) = gate::renamed(config).into_iter().next() else { return Ok(()) };
    let (target, project) = (&plan.environments.target, &plan.project);
    Err(Failure::manual(format!(
        "run {} of `{target}` (compose project `{project}`) has not ended, and {} has no such environment now; nothing was \
         done. Write [environments.{target}] with project = \"{project}\" as it was, call `gate resume --env {target}`, \
         and rename it then. Its state is in {}",
        plan.run,
        config.path.display(),
        state.display()
    )))
}

/// Returns who takes a run over, as its journal has it.
pub(crate) fn by_this_process() -> String {
    format!("by process {}", std::process::id())
}

/// Finishes one run and returns how it ended; `reason` is the line of the journal that states so.
pub(crate) async fn finish(
    config: &Arc<Config>,
    state: StateDir,
    lock: Lock,
    run: &gate::Unfinished,
    reason: &str,
) -> Result<Exit, Failure> {
    let engine = Engine::connect().await?;
    let (_sender, interrupt) = watch::channel(false);
    let known = KnownTimes::of_state(&state);
    let gate = gate(config, &engine, Arc::new(move |line, took| progress::print_line(line, took, &known)), interrupt);
    // A rollback is not left half done, whoever does it.
    let shield = signal::shield();
    let finished = tokio::select! {
        finished = gate::finish(gate, state, lock, run, reason) => finished,
        never = request_patience(&shield, &run.run) => match never {},
    };
    let (_, exit, lines, warnings) = finished.map_err(Failure::manual)?;
    if let Some(Entry::Started { plan }) = lines.first().map(|line| &line.entry) {
        progress::print_end(plan, &lines, &run.dir);
    }
    warnings.iter().for_each(|warning| print_message(warning));
    Ok(exit)
}

/// Reports for each signal that the run goes on.
async fn request_patience(shield: &Shield, run: &str) -> Infallible {
    let mut nth = 1;
    loop {
        shield.nth(nth).await;
        print_message(&format!(
            "run {run} is being finished, which is not interrupted; please wait until it has ended"
        ));
        nth += 1;
    }
}

/// Finishes restores that were killed, in any environment: their databases go, the live ones are open.
async fn finish_restores(config: &Arc<Config>) {
    for environment in config.environments.values() {
        let state = StateDir::of(config, &environment.project);
        let Some(intent) = restore::interrupted(state.root()) else { continue };
        match Lock::take(&state, &environment.project, "finishing a restore") {
            Ok(_lock) => match finish_restore(config, environment, &state, &intent).await {
                Ok(()) => print_message(&format!(
                    "a restore into `{}` was interrupted; database `{}` is as before, or restored as a whole",
                    environment.name, intent.database
                )),
                Err(failure) => print_message(&format!(
                    "a restore into `{}` was interrupted, and its database `{}` could not be removed yet: {}",
                    environment.name,
                    intent.restored,
                    failure.text()
                )),
            },
            Err(LockError::Held { .. } | LockError::Elsewhere { .. }) => {}
            Err(error) => print_message(&with_causes(&error)),
        }
    }
}

/// Finishes syncs of files that were killed, in any environment: no part of a copy stays, and what was stopped is started.
async fn finish_files(config: &Config) {
    for environment in config.environments.values() {
        let state = StateDir::of(config, &environment.project);
        let Some(intent) = files::interrupted(state.root()) else { continue };
        match Lock::take(&state, &environment.project, "finishing a sync of files") {
            Ok(_lock) => finish_sync_of_files(config, environment, &state, &intent).await,
            Err(LockError::Held { .. } | LockError::Elsewhere { .. }) => {}
            Err(error) => print_message(&with_causes(&error)),
        }
    }
}

/// Finishes a killed sync of files; the environment's lock is held.
pub(crate) async fn finish_sync_of_files(
    config: &Config,
    environment: &Environment,
    state: &StateDir,
    intent: &FilesIntent,
) {
    match files::settle(&Runner::default(), state.root(), intent, config.sync.within.0).await {
        Ok(()) => print_message(&format!(
            "a sync of files into `{}` was interrupted; each volume is as before, or complete",
            environment.name
        )),
        Err(error) => print_message(&format!(
            "a sync of files into `{}` was interrupted, and what it left could not be removed yet: {}",
            environment.name,
            with_causes(&error)
        )),
    }
}

async fn finish_restore(
    config: &Arc<Config>,
    environment: &Environment,
    state: &StateDir,
    intent: &Intent,
) -> Result<(), Failure> {
    let Some(database) = config.databases.get(&intent.id) else { return Ok(restore::end(state.root())?) };
    let engine = Engine::connect().await?;
    let project = Project::load(&Runner::default(), config, &environment.name).await?;
    let server = Server::of(&project, &engine, database, "stagegate/clean-up").await?;
    let id = state.id().map_err(Failure::writing(state.root()))?;
    let live: Vec<String> = config.databases.values().map(|database| database.name.clone()).collect();
    Ok(restore::finish(&server, (state.root(), &id), intent, &live).await?)
}
