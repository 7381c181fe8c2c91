//! One throw-away stack for all processes of a nextest run.
//!
//! nextest starts a process a trial. The first one to hold the lock brings the stack up for all; its owner is nextest
//! itself, whose end the reaper waits for.

use std::{fs::File, path::Path, sync::Arc};

use serde::{Deserialize, Serialize};
use stagegate_base::{
    compose::Model,
    config::{Config, EPHEMERAL},
};
use stagegate_host::{
    engine::Engine,
    error::with_causes,
    owner::Owner,
    project::{self, Project},
};

use super::{EphemeralError, NAME, home, isolated, print_message, reaper, teardown, up};

/// Variable in which nextest names its run.
// Source: nextest, "Environment variables nextest sets": a UUID, the same for all tests of a run.
const RUN_ID: &str = "NEXTEST_RUN_ID";
const STATE: &str = "state.json";

/// How the first process fared.
#[derive(Serialize, Deserialize)]
enum State {
    Up,
    Failed(String),
}

/// Returns whether this process is one of several of a run, which share a stack.
#[must_use]
pub fn is_shared() -> bool {
    name().is_some()
}

fn name() -> Option<String> {
    let run = std::env::var(RUN_ID).ok()?;
    let digits: String = run.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    (digits.len() == 8).then(|| format!("{NAME}{}", digits.to_ascii_lowercase()))
}

/// Returns the stack of this nextest run as an environment; the first process to ask brings it up.
///
/// Nobody takes it down by hand: its reaper does when nextest has ended.
///
/// # Errors
/// [`EphemeralError`], the same for every process where the first one failed.
pub async fn attach(config: &Arc<Config>, engine: &Engine) -> Result<Project, EphemeralError> {
    let name = name().ok_or_else(|| EphemeralError::Reported(format!("{RUN_ID} is not set")))?;
    let dir = home::make(&name)?;
    let lock = locked(dir.join("lock")).await?;
    let state = std::fs::read_to_string(dir.join(STATE)).ok().and_then(|text| serde_json::from_str(&text).ok());
    let project = match state {
        Some(State::Up) => attached(config, &dir, &name),
        Some(State::Failed(reason)) => Err(EphemeralError::Reported(reason)),
        None => {
            let began = begin(config, engine, &name).await;
            let state = began.as_ref().map_or_else(|error| State::Failed(with_causes(error)), |_| State::Up);
            home::write(&dir.join(STATE), &serde_json::to_string(&state).unwrap_or_default())?;
            began
        }
    };
    drop(lock);
    project
}

async fn locked(path: std::path::PathBuf) -> Result<File, EphemeralError> {
    let wait = move || {
        let file = File::options().create(true).append(true).open(path)?;
        file.lock()?;
        Ok::<_, std::io::Error>(file)
    };
    let waited = tokio::task::spawn_blocking(wait).await;
    Ok(waited.unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()))?)
}

async fn begin(config: &Arc<Config>, engine: &Engine, name: &str) -> Result<Project, EphemeralError> {
    for project in teardown::sweep().await {
        print_message(&format!("removed {project}, left behind by a killed run"));
    }
    let owner = Owner::living(std::os::unix::process::parent_id())?;
    let project = isolated(config, name, &owner).await?;
    // Never waited for: it outlives this process and is nextest's grandchild then.
    drop(reaper::start(name, &owner)?);
    match up(&project, engine).await {
        Ok(failure) => {
            failure.iter().for_each(|reason| print_message(&format!("{name} was not started whole: {reason}")));
            Ok(project)
        }
        Err(error) => {
            teardown::take_down(name).await?;
            Err(error)
        }
    }
}

/// Reads the model that the first process wrote: asking Compose again would cost each trial 0.2 s.
fn attached(config: &Arc<Config>, dir: &Path, name: &str) -> Result<Project, EphemeralError> {
    let environment = config.environment(EPHEMERAL).map_err(project::ProjectError::from)?.clone();
    let text = std::fs::read_to_string(dir.join("compose.json"))?;
    let model = Model::parse(&text).map_err(project::ProjectError::from)?;
    let source = project::source(&environment)?;
    let mut project = Project { config: Arc::clone(config), environment, source, model };
    super::rename(&mut project, name);
    Ok(project)
}
