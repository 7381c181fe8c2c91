//! Before a command does its work: finish what a killed run left, in any environment of the configuration.

use std::sync::Arc;

use stagegate_base::{config::Config, exit::Exit};
use stagegate_gate_act::{self as gate, Gate, Observer};
use stagegate_gate_decide::promotion::Entry;
use stagegate_host::{
    engine::Engine,
    error::with_causes,
    lock::{Lock, LockError},
    paths::StateDir,
};
use tokio::sync::watch;

use crate::{
    examine::Suites,
    failure::{Failure, say},
    progress,
};

/// Makes what runs of the gate work with.
pub(crate) fn gate(config: &Arc<Config>, engine: &Engine, observe: Observer, interrupt: watch::Receiver<bool>) -> Gate {
    let examine = Arc::new(Suites { config: Arc::clone(config) });
    let measuring = Arc::new(progress::measuring);
    Gate { config: Arc::clone(config), engine: engine.clone(), examine, observe, measuring, interrupt }
}

/// Finishes unfinished runs of all environments; a live run and one that is stuck are left to themselves, and so is
/// one whose journal cannot be read. Returns whether all that was finished ended well.
pub(crate) async fn finish_all(config: &Arc<Config>) -> Result<bool, Failure> {
    let mut well = true;
    for environment in config.environments.values() {
        let state = StateDir::of(config, &environment.project);
        let open = gate::unfinished(&state).unwrap_or_else(|error| {
            say(&format!("`{}`: {}", environment.name, with_causes(&error)));
            None
        });
        let Some(run) = open else { continue };
        if run.stuck {
            say(&format!("run {} of `{}`: manual action required: `gate resume --env {1}`", run.run, environment.name));
            continue;
        }
        match Lock::take(&state, &environment.project, &format!("finishing run {}", run.run)) {
            Ok(lock) => {
                // It may have ended between the two looks.
                if let Some(run) = gate::unfinished(&state)?.filter(|run| !run.stuck) {
                    say(&format!("run {} of `{}` was interrupted; finishing it first", run.run, environment.name));
                    well &= finish(config, state, lock, &run).await? != Exit::PersonNeeded;
                }
            }
            Err(LockError::Held { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(well)
}

/// Finishes one run and returns how it ended.
pub(crate) async fn finish(
    config: &Arc<Config>,
    state: StateDir,
    lock: Lock,
    run: &gate::Unfinished,
) -> Result<Exit, Failure> {
    let engine = Engine::connect().await?;
    let (_sender, interrupt) = watch::channel(false);
    let gate = gate(config, &engine, Arc::new(progress::tell), interrupt);
    let reason = format!("by process {}", std::process::id());
    let finished = gate::finish(gate, state, lock, run, &reason).await;
    let (_, exit, lines) = finished.map_err(Failure::manual)?;
    if let Some(Entry::Started { plan }) = lines.first().map(|line| &line.entry) {
        progress::tell_end(plan, &lines, &run.dir);
    }
    Ok(exit)
}
