//! Starting a frozen model, and bringing an environment up without a promotion.

mod failure;
mod side_by_side;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use stagegate_base::{
    command::{
        Command,
        compose::{self, Orphans},
    },
    compose::{Model, drift},
    config::{Config, Environment},
    container::Container,
    lifetime::time_to_start,
    release::Release,
};

use crate::{
    engine::{Engine, EngineError},
    error::with_causes,
    git::{self, Git, GitError},
    moved::Search,
    paths::StateDir,
    process::{RunError, Runner},
    proxy::{self, ProxyError},
    reach,
    ready::{self, Stack},
    release::{self, ReleaseError, Resolver, Snapshot},
    taken,
};

pub use failure::{LastLogLines, NotReady};
pub use side_by_side::{up_named, up_side_by_side, wait_for_healthy};

const UP_WITHIN: Duration = Duration::from_secs(600);
const STOP_WITHIN: Duration = Duration::from_secs(120);

/// A stack that did not come up.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// The release.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Compose.
    #[error("docker compose could not start the services")]
    Up(#[from] RunError),
    /// The Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Services failed, or were not ready in time.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// The proxy's folder cannot be made.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// Services would start without the data that they have. Nothing was started or stopped.
    #[error("{}", .0.join("\n"))]
    MovedData(Vec<String>),
    /// Other servers run on its data. Nothing was started or stopped.
    #[error("{}", .0.join("\n"))]
    SharedData(Vec<String>),
    /// Other projects publish its ports. Nothing was started or stopped.
    #[error("{}", .0.join("\n"))]
    Taken(Vec<String>),
    /// The workdir cannot be changed.
    #[error("workdir {} is your own working copy; give `{environment}` its own `workdir` to deploy a --release there", workdir.display())]
    WorkingCopy {
        /// The environment.
        environment: String,
        /// Its workdir.
        workdir: PathBuf,
    },
    /// The workdir is a folder of something else.
    #[error("workdir {} holds files and is not a worktree of this repository; move them away, or give `{environment}` another \
             `workdir`", workdir.display())]
    OtherFolder {
        /// The environment.
        environment: String,
        /// Its workdir.
        workdir: PathBuf,
    },
}

/// An environment that is up.
#[derive(Clone, Debug)]
pub struct Started {
    /// What it runs.
    pub release: Release,
    /// Containers of the project that belong to no service of the release, and were left alone.
    pub unknown: Vec<String>,
}

/// Starts the services of a frozen model and takes away those that it does not have.
///
/// It ends as soon as a service has failed for good: Compose would wait for it until its time is over.
///
/// # Errors
/// [`DeploymentError`] with what Compose reported, or with the last words of the service that failed.
pub async fn up(
    runner: &Runner,
    engine: &Engine,
    stack: &Stack<'_>,
    model: &Path,
    within: Duration,
) -> Result<(), DeploymentError> {
    start(runner, engine, stack, &compose::up(stack.project, model, Orphans::Remove), within).await
}

/// Starts some services of a frozen model: the containers of the others stay as they are.
///
/// # Errors
/// As [`up`].
pub async fn up_part(
    runner: &Runner,
    engine: &Engine,
    stack: &Stack<'_>,
    (model, services): (&Path, &[String]),
    within: Duration,
) -> Result<(), DeploymentError> {
    start(runner, engine, stack, &compose::up_alone(stack.project, model, services), within).await
}

async fn start(
    runner: &Runner,
    engine: &Engine,
    stack: &Stack<'_>,
    up: &Command,
    within: Duration,
) -> Result<(), DeploymentError> {
    proxy_folder(stack)?;
    sweep_renamed(runner, engine, stack.project).await?;
    let (since, began) = (jiff::Timestamp::now(), Instant::now());
    let mut lost = Vec::new();
    let stop = async {
        match ready::until_lost(engine, stack, since).await {
            Ok(found) => lost = found,
            // Compose meets the same Engine, and states what is wrong with it.
            Err(_) => std::future::pending().await,
        }
    };
    let ended = runner.run_unless(up, within, stop).await;
    let Err(error) = ended else { return Ok(()) };
    if lost.is_empty() {
        lost = ready::lost_since(engine, stack, since).await.unwrap_or_default();
    }
    if lost.is_empty() {
        return Err(error.into());
    }
    Err(NotReady::of_containers(runner, engine, stack, &lost, began.elapsed()).await.into())
}

/// Makes the folder of the proxy's socket, or removes it with the proxy: it shows whether the environment has one.
fn proxy_folder(stack: &Stack<'_>) -> Result<(), ProxyError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        |source| ProxyError { path, source }
    };
    if let Some(folder) = stack.model.proxy_folder() {
        return proxy::make_folder(folder).map_err(failed(folder));
    }
    let folder = StateDir::of(stack.config, stack.project).proxy();
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(&folder)(error)),
        _ => Ok(()),
    }
}

/// Removes the containers that a killed `up` left half way between two names: `<hex>_<name>`.
///
/// They make the next `up` fail, or keep the wrong name. Volumes are left alone.
async fn sweep_renamed(runner: &Runner, engine: &Engine, project: &str) -> Result<(), EngineError> {
    for container in engine.project(project).await? {
        if is_renamed(&container.name) {
            runner.note(&format!("removing half-created container {}", container.name));
            engine.remove(&container.id).await?;
        }
    }
    Ok(())
}

/// Waits until every service is ready and the containers are those of the model.
///
/// # Errors
/// [`DeploymentError::NotReady`] with each service that is not and its last words: once the time is over, or as soon as
/// one has failed for good.
pub async fn wait_until_ready(runner: &Runner, engine: &Engine, stack: &Stack<'_>) -> Result<(), DeploymentError> {
    let began = Instant::now();
    loop {
        let left = stack.within.saturating_sub(began.elapsed());
        let found = ready::until_ready(engine, &Stack { within: left, ..*stack }).await?;
        if !found.missing().is_empty() {
            return Err(NotReady::of(runner, engine, stack, &found, began.elapsed()).await.into());
        }
        // Containers of no service are for the caller to judge: waiting does not change them.
        let known: Vec<Container> =
            found.containers.into_iter().filter(|container| stack.model.has(&container.service)).collect();
        let differs = drift(stack.model, &known);
        if differs.is_empty() {
            return Ok(());
        }
        if began.elapsed() >= stack.within {
            return Err(NotReady::because(differs, began.elapsed()).into());
        }
        // Between a container and its successor there are two, or none.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

// Source: Compose 2.26 makes the new container as `<first 12 digits of the old id>_<name>` and renames it at the end.
fn is_renamed(name: &str) -> bool {
    name.split_once('_').is_some_and(|(id, rest)| {
        id.len() == 12 && !rest.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    })
}

/// Brings an environment up from its workdir, or from a release that is checked out there first, and records it.
///
/// The caller holds the environment's lock. `id` names the snapshot that is kept of it. Services that the release before
/// had are removed; containers that no release had are left, unless `orphans` states otherwise.
///
/// # Errors
/// [`DeploymentError`] with what did not come up; what runs then is left for looking at.
pub async fn bring_up(
    runner: &Runner,
    engine: &Engine,
    config: &Arc<Config>,
    environment: &Environment,
    revision: Option<&str>,
    (id, orphans): (&str, Orphans),
) -> Result<Started, DeploymentError> {
    let git = Git::open(runner, config.root()).await?;
    let release = release_for(runner, &git, environment, revision).await?;
    let state = StateDir::of(config, &environment.project);
    let old = release::deployed(&state)?;
    let resolver = Resolver {
        runner,
        engine,
        environment,
        tree: &environment.workdir,
        subfolder: git.subfolder(),
        release: &release,
        images: std::collections::BTreeMap::new(),
        jobs: config.databases.values().filter_map(|database| database.migrations.clone()).collect(),
        old: old.as_ref().map(|snapshot| &snapshot.model),
        proxy: &state.proxy(),
        pull_within: config.gate.pull_within.0,
    };
    let resolved = async {
        let model = resolver.resolve().await?.model;
        stop_at_data(engine, config, environment, (old.as_ref(), orphans), &model).await?;
        let taken = taken::ports(engine, (&environment.name, &environment.project), &model).await?;
        if !taken.is_empty() {
            return Err(DeploymentError::Taken(taken));
        }
        Ok::<_, DeploymentError>(model)
    };
    let model = match resolved.await {
        Ok(model) => model,
        Err(error) => {
            if let (Some(_), Some(old)) = (revision, &old) {
                check_out_again(runner, config, environment, old).await;
            }
            return Err(error);
        }
    };
    let dir = state.run(id).join("new");
    let snapshot = Snapshot::write(&dir, &release, &model, &environment.env_files)?;
    let runner = runner.clone().with_mask(crate::secret::mask(&model));
    let within = time_to_start(environment, &model);
    let stack = Stack { config, project: &environment.project, model: &model, within };
    if let Some(old) = &old {
        remove_dropped(&runner, engine, &stack, old).await?;
    }
    let up = compose::up(&environment.project, &snapshot.model_file(), orphans);
    let stops = old.as_ref().map_or(Duration::ZERO, |old| old.model.stop_grace()).max(model.stop_grace());
    start(&runner, engine, &stack, &up, UP_WITHIN.max(within).saturating_add(stops)).await?;
    migrate(&runner, config, environment, &snapshot).await?;
    wait_until_ready(&runner, engine, &stack).await?;
    release::record_deployed(&state, &dir)?;
    release::prune_deployments(&state)?;
    let containers = engine.project(&environment.project).await?;
    let unknown = containers.into_iter().filter(|c| !c.one_off && !model.has(&c.service)).map(|c| c.name).collect();
    Ok(Started { release, unknown })
}

/// Removes the containers of services that the release before had and this one does not; what else runs in the project
/// is not the gate's.
async fn remove_dropped(
    runner: &Runner,
    engine: &Engine,
    stack: &Stack<'_>,
    old: &Snapshot,
) -> Result<(), DeploymentError> {
    let is_dropped = |service: &String| old.model.has(service) && !stack.model.has(service);
    let mut containers = engine.project(stack.project).await?;
    containers.retain(|container| !container.one_off && is_dropped(&container.service));
    if containers.is_empty() {
        return Ok(());
    }
    let services: BTreeSet<String> = containers.iter().map(|container| container.service.clone()).collect();
    let stop = compose::stop(stack.project, &old.model_file(), &services.into_iter().collect::<Vec<_>>());
    runner.run_ok(&stop, STOP_WITHIN.saturating_add(old.model.stop_grace())).await?;
    for container in &containers {
        engine.remove(&container.id).await?;
    }
    Ok(())
}

/// Stops at services that would start without the data that they have, or on data of another server that runs.
async fn stop_at_data(
    engine: &Engine,
    config: &Config,
    environment: &Environment,
    (old, orphans): (Option<&Snapshot>, Orphans),
    model: &Model,
) -> Result<(), DeploymentError> {
    let search = Search {
        engine,
        config,
        project: &environment.project,
        workdir: &environment.workdir,
        tree: &environment.workdir,
        before: old.map(|snapshot| &snapshot.model),
    };
    let moved = search.refusals(model).await?;
    if !moved.is_empty() {
        return Err(DeploymentError::MovedData(moved));
    }
    let is_left = |service: &str| !model.has(service) && old.is_none_or(|old| !old.model.has(service));
    let shared = search.shared(model, |service| orphans == Orphans::Leave && is_left(service)).await?;
    if shared.is_empty() { Ok(()) } else { Err(DeploymentError::SharedData(shared)) }
}

/// Checks the files of the live release out again, since the one that was to take its place cannot be started: containers
/// mount them.
async fn check_out_again(runner: &Runner, config: &Config, environment: &Environment, live: &Snapshot) {
    let restored =
        async { Git::open(runner, config.root()).await?.check_out(&environment.workdir, &live.release.commit).await };
    let (workdir, release) = (environment.workdir.display(), &live.release.name);
    match restored.await {
        Ok(()) => runner.report(&format!("{workdir} has the files of {release} again")),
        Err(error) => runner.report(&format!("{workdir}: cannot check {release} out again: {}", with_causes(&error))),
    }
}

async fn release_for(
    runner: &Runner,
    git: &Git,
    environment: &Environment,
    revision: Option<&str>,
) -> Result<Release, DeploymentError> {
    let Some(revision) = revision else {
        let mut release = git.release_of(&environment.workdir).await?;
        if !reach::changes(runner, git, environment, &environment.workdir).await?.is_empty() {
            // What is not committed has no name, so it can never be promoted.
            release.commit.push_str("-changed");
            release.name.push_str("-changed");
        }
        return Ok(release);
    };
    let release = git.release(revision).await?;
    let workdir = &environment.workdir;
    if !git::is_free(&git.top_of(workdir)?) && !git.is_own_worktree(workdir).await? {
        let (environment, workdir) = (environment.name.clone(), workdir.clone());
        return Err(match git.is_working_copy(&workdir) {
            true => DeploymentError::WorkingCopy { environment, workdir },
            false => DeploymentError::OtherFolder { environment, workdir },
        });
    }
    git.check_out(workdir, &release.commit).await?;
    Ok(release)
}

/// Runs migrations whose service a plain `up` leaves out, since it has a profile.
async fn migrate(
    runner: &Runner,
    config: &Config,
    environment: &Environment,
    snapshot: &Snapshot,
) -> Result<(), RunError> {
    for service in config.databases.values().filter_map(|database| database.migrations.as_ref()) {
        if snapshot.model.has_profile(service) {
            let name = format!("{}-{service}-once", environment.project);
            let run = compose::run_once(&environment.project, &snapshot.model_file(), service, &name, &[]);
            runner.run_ok(&run, config.gate.migrate_within.0).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_renamed;

    #[test]
    fn only_a_name_that_begins_with_an_id_is_half_made() {
        assert!(is_renamed("0123456789ab_shop-api-1"));
        assert!(!is_renamed("shop_api_1"));
        assert!(!is_renamed("0123456789ab_"));
        assert!(!is_renamed("0123456789AB_shop"));
    }
}
