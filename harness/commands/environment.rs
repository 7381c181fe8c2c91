//! `gate up`, `gate down`, `gate reset`.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use stagegate_base::{
    command::compose::{self, Orphans},
    compose::is_anonymous,
    config::{Config, EPHEMERAL, Environment},
    exit::Exit,
    text::{self, counted},
};
use stagegate_host::{
    deployment::{self, DeploymentError, Started},
    engine::Engine,
    lock::{self, Lock},
    paths::StateDir,
    process::Runner,
    release,
    signal::{self, Again},
    storage,
};

use crate::{
    cli, confirm_option,
    failure::{Failure, print_message},
};

const DOWN_WITHIN: Duration = Duration::from_secs(120);

pub(super) async fn up(config: &Arc<Config>, args: cli::Up) -> Result<Exit, Failure> {
    let environment = lasting(super::named(config, args.env.as_ref())?)?;
    let confirm = args.confirm.as_deref();
    confirm_option::confirmed(environment, confirm)?;
    // The first start makes the workdir, with the files that tell which variables are used.
    let is_there = environment.workdir.is_dir();
    if is_there {
        super::report_shell(environment);
    }
    let state = StateDir::of(config, &environment.project);
    let lock = taken(&state, environment, "gate up")?;
    let engine = Engine::connect().await?;
    let runs_already = release::deployed(&state)?.is_some() && !engine.project(&environment.project).await?.is_empty();
    if runs_already && args.release.is_some() {
        let what = "replacing the live release without checks, backup or rollback (`gate promote` has all three)";
        confirm_option::refuse_if_protected(environment, confirm, what)?;
    }
    let orphans = if args.remove_orphans { Orphans::Remove } else { Orphans::Leave };
    let ended = come_up(config, environment, &engine, (args.release.as_deref(), orphans), lock).await;
    if !is_there {
        super::report_shell(environment);
    }
    ended
}

async fn come_up(
    config: &Arc<Config>,
    environment: &Environment,
    engine: &Engine,
    (revision, orphans): (Option<&str>, Orphans),
    lock: Lock,
) -> Result<Exit, Failure> {
    let id = format!("{}-up", super::new_run());
    let state = StateDir::of(config, &environment.project);
    let dir = state.run(&id);
    stagegate_host::files::private_dir(&dir).map_err(Failure::writing(&dir))?;
    let log = dir.join("run.log");
    let runner =
        Runner::default().with_mark(&lock::mark(&state, &id)).with_log(&log).map_err(Failure::writing(&log))?;
    let runner = runner.with_progress(|line| print_message(&format!("  {}", text::clean(line))));
    print_message(&format!("starting `{}` ({})", environment.name, environment.project));
    let started = std::time::Instant::now();
    let signals = signal::listen(Again::Ends);
    let came = tokio::select! {
        came = deployment::bring_up(&runner, engine, config, environment, revision, (&id, orphans)) => came,
        () = signals.first() => {
            let mark = lock::mark(&state, &id);
            // A half-done `docker compose up` would go on otherwise, and start what is reported of as not started.
            let _ = stagegate_host::process::end_marked(|of| of == mark);
            drop(lock);
            return Err(interrupted(environment, engine).await);
        }
    };
    drop(lock);
    let Started { release, unknown } = came.map_err(|error| not_up(error, &log))?;
    print_message(&format!(
        "`{}` is up with release {} ({:.1} s)",
        environment.name,
        release.name,
        started.elapsed().as_secs_f64()
    ));
    if !unknown.is_empty() {
        print_message(&format!(
            "note: not in the compose files, and left running: {}. `gate up --env {} --remove-orphans` removes them; a \
             promotion is refused while they are there",
            unknown.join(", "),
            environment.name
        ));
    }
    Ok(Exit::Passed)
}

/// Reports what an interrupted `gate up` left, and how to go on.
async fn interrupted(environment: &Environment, engine: &Engine) -> Failure {
    let containers = engine.project(&environment.project).await.unwrap_or_default();
    let left: Vec<String> =
        containers.iter().map(|c| format!("{} is {}", c.name, format!("{:?}", c.state).to_lowercase())).collect();
    let left = if left.is_empty() { "no container was created".to_owned() } else { left.join(", ") };
    let name = &environment.name;
    let next = format!("`gate up --env {name}` continues, `gate down --env {name}` removes what is there");
    Failure::interrupted(format!("interrupted: {left}; {next}"))
}

/// Reports what did not come up, with the last log lines of each service that failed and the name of the whole log.
fn not_up(error: DeploymentError, log: &Path) -> Failure {
    if let DeploymentError::NotReady(failure) = &error {
        for words in failure.logs.iter().filter(|words| !words.lines.is_empty()) {
            print_message(&format!("last log lines of {}:", words.container));
            words.lines.iter().for_each(|line| print_message(&format!("  {}", text::clean(line))));
        }
    }
    print_message(&format!("log of this run: {}", log.display()));
    error.into()
}

pub(super) async fn down(config: &Arc<Config>, args: cli::Down) -> Result<Exit, Failure> {
    let environment = lasting(super::named(config, args.env.as_ref())?)?;
    confirm_option::refuse_if_protected(environment, args.confirm.as_deref(), "taking it down")?;
    let what =
        if args.volumes { "containers, networks and ALL DATA" } else { "containers and networks (data is kept)" };
    let engine = Engine::connect().await?;
    let stays = if args.volumes { stays(&engine, environment).await? } else { String::new() };
    confirm_option::confirm(
        &format!("Remove {what} of `{}` ({})?{stays}", environment.name, environment.project),
        args.yes,
    )?;
    let state = StateDir::of(config, &environment.project);
    let _lock = taken(&state, environment, "gate down")?;
    take_down(config, environment, &engine, args.volumes).await?;
    Ok(Exit::Passed)
}

pub(super) async fn reset(config: &Arc<Config>, args: cli::Reset) -> Result<Exit, Failure> {
    let environment = lasting(super::named(config, args.env.as_ref())?)?;
    confirm_option::refuse_if_protected(environment, args.confirm.as_deref(), "deleting all its data")?;
    let engine = Engine::connect().await?;
    let stays = stays(&engine, environment).await?;
    confirm_option::confirm(
        &format!("Delete ALL DATA of `{}` ({})?{stays}", environment.name, environment.project),
        args.yes,
    )?;
    let state = StateDir::of(config, &environment.project);
    let lock = taken(&state, environment, "gate reset")?;
    // What is deleted comes back only if the release can be resolved, so that is tried first.
    stagegate_host::project::Project::load(&Runner::default(), config, &environment.name).await?;
    take_down(config, environment, &engine, true).await?;
    come_up(config, environment, &engine, (None, Orphans::Leave), lock).await
}

async fn take_down(config: &Config, environment: &Environment, engine: &Engine, volumes: bool) -> Result<(), Failure> {
    let storage = storage::of_project(engine, &environment.project).await?;
    let down = compose::down(&environment.project, volumes);
    // Services that may take long to stop, as the release states, get that time; what cannot be read keeps nothing from going.
    let deployed = release::deployed(&StateDir::of(config, &environment.project)).ok().flatten();
    let stops = deployed.as_ref().map_or(Duration::ZERO, |snapshot| snapshot.model.stop_grace());
    Runner::default().run_ok(&down, DOWN_WITHIN.saturating_add(stops)).await?;
    print_message(&format!("`{}` is down", environment.name));
    if !volumes {
        return Ok(());
    }
    // Compose hands an anonymous volume on to the container's successor, and leaves it then.
    let is_declared = |name: &String| {
        let model = deployed.as_ref().map(|snapshot| &snapshot.model);
        model.is_some_and(|model| model.volume_keys().iter().any(|key| model.volume_name(key) == Some(name)))
    };
    for name in storage.volumes.iter().filter(|name| is_anonymous(name) && !is_declared(name)) {
        engine.remove_unused_volume(name).await?;
    }
    let (gone, left) = storage::removed_and_remaining(engine, &storage).await?;
    if !gone.is_empty() {
        print_message(&format!("deleted: {} ({})", counted(gone.len(), "volume"), gone.join(", ")));
    }
    let left = left.into_iter().map(|name| match is_anonymous(&name) {
        true => format!("volume {name}, which another container mounts"),
        false => format!("volume {name}, which is not of this project"),
    });
    let left: Vec<String> = left.chain(storage.paths.iter().map(of_host)).collect();
    if !left.is_empty() {
        print_message(&format!("not deleted: {}", left.join("; ")));
    }
    Ok(())
}

fn of_host((path, service): &(String, String)) -> String {
    format!("{path}, mounted by `{service}`")
}

/// Returns a sentence on data that lies outside of the project's volumes; empty where there is none.
async fn stays(engine: &Engine, environment: &Environment) -> Result<String, Failure> {
    let storage = storage::of_project(engine, &environment.project).await?;
    let own: BTreeSet<String> = engine.volumes_of(&environment.project).await?.into_iter().collect();
    let mut left: Vec<String> = Vec::new();
    for name in storage.volumes.difference(&own) {
        // An anonymous volume has no label; it goes with its container.
        if !is_anonymous(name) {
            left.push(format!("volume {name}"));
        }
    }
    left.extend(storage.paths.iter().map(of_host));
    Ok(if left.is_empty() { String::new() } else { format!(" It does not delete {}.", left.join("; ")) })
}

pub(super) fn taken(state: &StateDir, environment: &Environment, what: &str) -> Result<Lock, Failure> {
    // The lock first: the run of a live process has not ended either, and is no case for `gate resume`.
    let lock = Lock::take(state, &environment.project, what)?;
    if let Some(run) = stagegate_gate_act::unfinished(state)? {
        let text = format!("run {} is unfinished; finish it with `gate resume --env {}`", run.run, environment.name);
        return Err(Failure::manual(text));
    }
    Ok(lock)
}

/// Refuses the throw-away environment, which only lives as long as a run of the suites.
pub(super) fn lasting(environment: &Environment) -> Result<&Environment, Failure> {
    if environment.name == EPHEMERAL {
        return Err(Failure::usage("`ephemeral` exists only while `gate test` runs; name another environment"));
    }
    Ok(environment)
}
