//! The environment `ephemeral`: a throw-away copy of the stack that a run brings up and takes down.
//!
//! It has a random project name, no host ports, own networks and volumes, and copies of the folders that it may write, or the
//! folders read-only, so that it never meets another stack. (A service with `network_mode: host` still would.)
//! testcontainers' compose support brings it up. Whether it is ready is asked elsewhere, since `--wait` is no answer.
//! It does not stay: the run takes it down, also on Ctrl-C; a reaper does where the run was killed; and where even
//! that was ended, the next run does.

mod home;
pub(crate) mod reaper;
mod shared;
mod teardown;

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    process::Child,
    sync::Arc,
    time::{Duration, Instant},
};

use stagegate_base::{
    command::compose,
    compose::{Model, RUN_LABEL},
    config::{Config, EPHEMERAL},
};
use stagegate_host::{
    engine::{Engine, EngineError},
    image::{ImageError, Images},
    owner::{Claim, Owner},
    process::{self, MARK, RunError, Runner},
    project::{Project, ProjectError},
    ready,
    stand_in::{self, StandInError},
};
use testcontainers::compose::DockerCompose;

pub use reaper::{REAP, reap_if_requested};
pub use shared::{attach, is_shared};

/// How the projects' names begin.
const NAME: &str = "stagegate-eph-";
/// How long Compose may take: images may be pulled or built.
const UP_WITHIN: Duration = Duration::from_secs(600);

/// Why there is no throw-away stack.
#[derive(Debug, thiserror::Error)]
pub enum EphemeralError {
    /// The environment cannot be resolved.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The Engine does not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An image is not here and could not be pulled.
    #[error("the ephemeral stack lacks an image{way_out}")]
    NoImage {
        /// What else helps, behind a semicolon.
        way_out: &'static str,
        /// Which one, and why.
        #[source]
        source: Box<ImageError>,
    },
    /// Compose did not bring up anything.
    #[error("the ephemeral stack did not start: {reason}")]
    Up {
        /// Its last words, masked.
        reason: String,
    },
    /// A folder of the host could not be copied.
    #[error("cannot copy what the ephemeral stack mounts")]
    Folder(#[from] StandInError),
    /// A program failed.
    #[error("cannot build or remove the ephemeral stack")]
    Run(#[from] RunError),
    /// A file or process that it needs cannot be made.
    #[error("cannot create the folder or process of the ephemeral stack")]
    System(#[from] std::io::Error),
    /// A signal came first; nothing is left.
    #[error("interrupted before the temporary stack was up; it was removed")]
    Interrupted,
    /// Another process of the same run tried and failed.
    #[error("{0}")]
    Reported(String),
}

/// A throw-away stack that this process brought up.
pub struct Stack {
    project: Project,
    up_in: Duration,
    failure: Option<String>,
    reaper: Child,
}

impl Stack {
    /// Brings up a copy of the environment `ephemeral`, after what killed runs left was taken away.
    ///
    /// Returns when Compose has started it, not when it is ready. Where a service failed at its start the stack is
    /// returned all the same: the health suite states what is wrong. Where `stop` ends first
    /// nothing is left.
    ///
    /// # Errors
    /// [`EphemeralError`] where nothing came up; nothing is left then.
    pub async fn bring_up(
        config: &Arc<Config>,
        engine: &Engine,
        stop: impl Future<Output = ()>,
    ) -> Result<Self, EphemeralError> {
        let begun = Instant::now();
        let mut stop = std::pin::pin!(stop);
        let owner = Owner::living(std::process::id())?;
        let name = format!("{NAME}{}", random_digits()?);
        let project = tokio::select! {
            biased;
            () = &mut stop => Err(EphemeralError::Interrupted),
            project = swept(config, &name, &owner) => project,
        }?;
        let reaper = reaper::start(&name, &owner)?;
        let mut stack = Stack { project, up_in: Duration::ZERO, failure: None, reaper };
        let came = tokio::select! {
            biased;
            () = &mut stop => Err(EphemeralError::Interrupted),
            came = up(&stack.project, engine) => came,
        };
        match came {
            Ok(failure) => stack.failure = failure,
            Err(error) => {
                let _ = stack.take_down().await;
                return Err(error);
            }
        }
        stack.up_in = begun.elapsed();
        Ok(stack)
    }

    /// Returns the copy as an environment: that of the configuration, under the random project name.
    #[must_use]
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Returns how long it took to come up.
    #[must_use]
    pub fn up_in(&self) -> Duration {
        self.up_in
    }

    /// Returns why a part of it did not start, masked; nothing where all of it did.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Takes the stack down with its volumes, and returns how long that took.
    ///
    /// # Errors
    /// What Compose reported; the reaper tries again when this process ends.
    pub async fn take_down(mut self) -> Result<Duration, EphemeralError> {
        let begun = Instant::now();
        let name = self.project.compose_name();
        teardown::take_down(name).await?;
        let _ = home::remove(name);
        let _ = self.reaper.kill();
        let _ = self.reaper.wait();
        Ok(begun.elapsed())
    }
}

/// Takes down what killed runs left, and resolves the copy.
async fn swept(config: &Arc<Config>, name: &str, owner: &Owner) -> Result<Project, EphemeralError> {
    for project in teardown::sweep().await {
        print_message(&format!("removed {project}, left behind by a killed run"));
    }
    isolated(config, name, owner).await
}

/// Resolves the environment `ephemeral` and makes its model a copy that belongs to `owner`.
async fn isolated(config: &Arc<Config>, name: &str, owner: &Owner) -> Result<Project, EphemeralError> {
    let runner = Runner::default().with_progress(print_message);
    let mut project = Project::load(&runner, config, EPHEMERAL).await?;
    let runner = runner.with_mask(project.mask());
    let built = build(&runner, &project).await?;
    let label = Claim::from_now(owner.clone()).label();
    let apart = stand_in::apart(&runner, &built, &stand_in::stores(config)).await;
    project.model = apart.isolated(name).labelled(RUN_LABEL, &label);
    rename(&mut project, name);
    Ok(project)
}

fn rename(project: &mut Project, name: &str) {
    name.clone_into(&mut project.environment.project);
    name.clone_into(&mut project.source.project);
}

/// Builds what the model builds, under the images' usual names: under a random project's each run would build anew.
async fn build(runner: &Runner, project: &Project) -> Result<Model, EphemeralError> {
    let model = &project.model;
    let name_of = |service: &String| match model.image(service) {
        "" => format!("{}-{service}", project.source.project),
        image => image.to_owned(),
    };
    let images: BTreeMap<String, String> =
        model.with_images().iter().filter(|s| model.is_built(s)).map(|s| (s.clone(), name_of(s))).collect();
    if images.is_empty() {
        return Ok(model.clone());
    }
    runner.run_aloud(&compose::build(&project.source, &images.keys().cloned().collect::<Vec<_>>()), UP_WITHIN).await?;
    Ok(model.pinned(EPHEMERAL, &images, &BTreeMap::new()))
}

/// Starts the services, and returns why not all of them started. That is an error only where nothing is left to look at.
async fn up(project: &Project, engine: &Engine) -> Result<Option<String>, EphemeralError> {
    let name = project.compose_name();
    let path = home::make(name)?.join("compose.json");
    home::write(&path, &project.model.to_json())?;
    pull_missing(project, engine).await?;
    stand_in::fill(engine, &project.model).await?;
    let Err(reason) = compose_up(project, engine, &path).await else { return Ok(None) };
    let reason = project.mask().apply(&reason);
    if engine.project(name).await?.is_empty() {
        return Err(EphemeralError::Up { reason });
    }
    Ok(Some(reason))
}

/// Lets Compose start the services, until it has or one of them has failed for good: it would wait for that one.
async fn compose_up(project: &Project, engine: &Engine, path: &Path) -> Result<(), String> {
    let (name, since) = (project.compose_name(), jiff::Timestamp::now());
    let mut stack = DockerCompose::with_local_client(&[path])
        .with_project_name(name)
        .with_wait(false)
        // The model names its services itself; a profile of the shell must not add one.
        .with_env("COMPOSE_PROFILES", "")
        .with_env(MARK, teardown::mark(name));
    let waited_for = ready::Stack::of(project);
    let ended = tokio::select! {
        ended = tokio::time::timeout(UP_WITHIN, stack.up()) => ended,
        Ok(lost) = ready::until_lost(engine, &waited_for, since) => {
            std::mem::forget(stack);
            let mark = teardown::mark(name);
            let _ = process::end_marked(|of| of == mark);
            let names: Vec<String> = lost.into_iter().map(|c| format!("{} exited with code {}", c.name, c.exit_code)).collect();
            return Err(names.join(", "));
        }
    };
    // Its drop would take the stack down now, and slowly: it grants each service its time to stop.
    std::mem::forget(stack);
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(last_words(&error.to_string())),
        Err(_) => Err(format!("docker compose timed out after {} s", UP_WITHIN.as_secs())),
    }
}

fn last_words(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join(" | ")
}

/// Pulls the images that this host lacks: Compose's own words for a failed pull have neither cause nor next command.
async fn pull_missing(project: &Project, engine: &Engine) -> Result<(), EphemeralError> {
    let model = &project.model;
    let runner = Runner::default().with_progress(print_message).with_mask(project.mask());
    let mut images = Images::new(&runner, engine, project.config.gate.pull_within.0);
    for service in model.services().iter().filter(|service| !model.has_profile(service)) {
        let pulled = match engine.image(&model.image_name(service)).await? {
            Some(_) => continue,
            None => images.id(model, service).await,
        };
        pulled.map_err(|source| EphemeralError::NoImage {
            way_out: way_out(&project.config),
            source: Box::new(source),
        })?;
    }
    Ok(())
}

/// Returns the script that provides the images of a product, where it has the usual one.
fn way_out(config: &Config) -> &'static str {
    if config.root().join("scripts/setup.sh").is_file() {
        "; scripts/setup.sh provides those of this product"
    } else {
        ""
    }
}

fn random_digits() -> std::io::Result<String> {
    use std::io::Read;
    let mut bytes = [0_u8; 4];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:08x}", u32::from_ne_bytes(bytes)))
}

/// Says something on standard error; where that is closed there is nobody to tell.
fn print_message(text: &str) {
    let _ = writeln!(std::io::stderr(), "stagegate: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_random_names_differ() {
        assert_ne!(random_digits().unwrap(), random_digits().unwrap());
    }
}
