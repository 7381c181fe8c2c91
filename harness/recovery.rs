//! Before a command does its work: finish what a killed run left, in any environment of the configuration.

use std::sync::Arc;

use stagegate_act::{
    engine::Engine,
    gate::{self, Gate, Observer},
    lock::{Lock, LockError},
    paths::StateDir,
};
use stagegate_decide::{config::Config, exit::Exit, promotion::Line};
use tokio::sync::watch;

use crate::{Failure, examine::Suites, progress, say};

/// Makes what runs of the gate work with.
pub(crate) fn gate(config: &Arc<Config>, engine: &Engine, observe: Observer, interrupt: watch::Receiver<bool>) -> Gate {
    let examine = Arc::new(Suites { config: Arc::clone(config), engine: engine.clone() });
    Gate { config: Arc::clone(config), engine: engine.clone(), examine, observe, interrupt }
}

/// Finishes unfinished runs of all environments; a live run and one that is stuck are left to themselves.
pub(crate) async fn finish_all(config: &Arc<Config>) -> Result<(), Failure> {
    for environment in config.environments.values() {
        let state = StateDir::of(config, &environment.project);
        let Some(run) = gate::unfinished(&state)? else { continue };
        if run.stuck {
            say(&format!("run {} of `{}` needs a person: `gate resume --env {0}`", run.run, environment.name));
            continue;
        }
        match Lock::take(&state, &environment.project, &format!("finishing run {}", run.run)) {
            Ok(lock) => {
                // It may have ended between the two looks.
                if let Some(run) = gate::unfinished(&state)?.filter(|run| !run.stuck) {
                    say(&format!("run {} of `{}` was cut short; finishing it first", run.run, environment.name));
                    finish(config, state, lock, &run).await?;
                }
            }
            Err(LockError::Held { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Finishes one run and returns how it ended.
pub(crate) async fn finish(
    config: &Arc<Config>,
    state: StateDir,
    lock: Lock,
    run: &gate::Unfinished,
) -> Result<(Exit, Vec<Line>), Failure> {
    let engine = Engine::connect().await?;
    let (_sender, interrupt) = watch::channel(false);
    let gate = gate(config, &engine, Arc::new(progress::tell), interrupt);
    let reason = format!("by process {}", std::process::id());
    let (_, exit, lines) = gate::finish(gate, state, lock, run, &reason).await?;
    Ok((exit, lines))
}
