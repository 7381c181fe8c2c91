//! `gate up`, `gate down`, `gate reset`.

use std::{path::Path, sync::Arc, time::Duration};

use stagegate_base::{
    command::compose,
    config::{Config, EPHEMERAL, Environment},
    exit::Exit,
    text,
};
use stagegate_host::{
    deployment::{self, DeploymentError},
    engine::Engine,
    lock::{self, Lock},
    paths::StateDir,
    process::Runner,
    release,
    signal::{self, Again},
};

use crate::{
    ask, cli,
    failure::{Failure, say},
};

const DOWN_WITHIN: Duration = Duration::from_secs(120);

pub(super) async fn up(config: &Arc<Config>, args: cli::Up) -> Result<Exit, Failure> {
    let environment = lasting(super::named(config, args.env.as_ref())?)?;
    let confirm = args.confirm.as_deref();
    ask::confirmed(environment, confirm)?;
    super::report_shell(environment);
    let state = StateDir::of(config, &environment.project);
    let lock = taken(&state, environment, "gate up")?;
    let engine = Engine::connect().await?;
    let runs_already = release::deployed(&state)?.is_some() && !engine.project(&environment.project).await?.is_empty();
    if runs_already && args.release.is_some() {
        let what = "replacing the live release without checks, backup or rollback (`gate promote` has all three)";
        ask::refuse_if_protected(environment, confirm, what)?;
    }
    come_up(config, environment, &engine, args.release.as_deref(), lock).await
}

async fn come_up(
    config: &Arc<Config>,
    environment: &Environment,
    engine: &Engine,
    revision: Option<&str>,
    lock: Lock,
) -> Result<Exit, Failure> {
    let id = format!("{}-up", super::new_run());
    let state = StateDir::of(config, &environment.project);
    let dir = state.run(&id);
    stagegate_host::files::private_dir(&dir).map_err(Failure::writing(&dir))?;
    let log = dir.join("run.log");
    let runner =
        Runner::default().with_mark(&lock::mark(&state, &id)).with_log(&log).map_err(Failure::writing(&log))?;
    let runner = runner.with_progress(|line| say(&format!("  {}", text::clean(line))));
    say(&format!("starting `{}` ({})", environment.name, environment.project));
    let started = std::time::Instant::now();
    let signals = signal::listen(Again::Ends);
    let came = tokio::select! {
        came = deployment::bring_up(&runner, engine, config, environment, revision, &id) => came,
        () = signals.first() => {
            let mark = lock::mark(&state, &id);
            // A half-done `docker compose up` would go on otherwise, and start what is told of as not started.
            let _ = stagegate_host::process::end_marked(|of| of == mark);
            drop(lock);
            return Err(interrupted(environment, engine).await);
        }
    };
    drop(lock);
    let release = came.map_err(|error| not_up(error, &log))?;
    say(&format!(
        "`{}` is up with release {} ({:.1} s)",
        environment.name,
        release.name,
        started.elapsed().as_secs_f64()
    ));
    Ok(Exit::Passed)
}

/// Tells what an interrupted `gate up` left, and how to go on.
async fn interrupted(environment: &Environment, engine: &Engine) -> Failure {
    let containers = engine.project(&environment.project).await.unwrap_or_default();
    let left: Vec<String> =
        containers.iter().map(|c| format!("{} is {}", c.name, format!("{:?}", c.state).to_lowercase())).collect();
    let left = if left.is_empty() { "no container was created".to_owned() } else { left.join(", ") };
    let name = &environment.name;
    let next = format!("`gate up --env {name}` continues, `gate down --env {name}` removes what is there");
    Failure::interrupted(format!("interrupted: {left}; {next}"))
}

/// Tells what did not come up, with the last log lines of each service that failed and the name of the whole log.
fn not_up(error: DeploymentError, log: &Path) -> Failure {
    if let DeploymentError::NotReady(failure) = &error {
        for words in failure.logs.iter().filter(|words| !words.lines.is_empty()) {
            say(&format!("last log lines of {}:", words.container));
            words.lines.iter().for_each(|line| say(&format!("  {}", text::clean(line))));
        }
    }
    say(&format!("log of this run: {}", log.display()));
    error.into()
}

pub(super) async fn down(config: &Arc<Config>, args: cli::Down) -> Result<Exit, Failure> {
    let environment = lasting(super::named(config, args.env.as_ref())?)?;
    ask::refuse_if_protected(environment, args.confirm.as_deref(), "taking it down")?;
    let what =
        if args.volumes { "containers, networks and ALL DATA" } else { "containers and networks (data is kept)" };
    ask::confirm(&format!("Remove {what} of `{}` ({})?", environment.name, environment.project), args.yes)?;
    let state = StateDir::of(config, &environment.project);
    let _lock = taken(&state, environment, "gate down")?;
    take_down(environment, args.volumes).await?;
    Ok(Exit::Passed)
}

pub(super) async fn reset(config: &Arc<Config>, args: cli::Reset) -> Result<Exit, Failure> {
    let environment = lasting(super::named(config, args.env.as_ref())?)?;
    ask::refuse_if_protected(environment, args.confirm.as_deref(), "deleting all its data")?;
    ask::confirm(&format!("Delete ALL DATA of `{}` ({})?", environment.name, environment.project), args.yes)?;
    let state = StateDir::of(config, &environment.project);
    let lock = taken(&state, environment, "gate reset")?;
    let engine = Engine::connect().await?;
    // What is deleted comes back only if the release can be resolved, so that is tried first.
    stagegate_host::project::Project::load(&Runner::default(), config, &environment.name).await?;
    take_down(environment, true).await?;
    come_up(config, environment, &engine, None, lock).await
}

async fn take_down(environment: &Environment, volumes: bool) -> Result<(), Failure> {
    let down = compose::down(&environment.project, volumes);
    Runner::default().run_ok(&down, DOWN_WITHIN).await?;
    say(&format!("`{}` is down{}", environment.name, if volumes { ", its data is deleted" } else { "" }));
    Ok(())
}

fn taken(state: &StateDir, environment: &Environment, what: &str) -> Result<Lock, Failure> {
    // The lock first: the run of a live process has not ended either, and is no case for `gate resume`.
    let lock = Lock::take(state, &environment.project, what)?;
    if let Some(run) = stagegate_gate_act::unfinished(state)? {
        let text = format!("run {} is unfinished; finish it with `gate resume --env {}`", run.run, environment.name);
        return Err(Failure::manual(text));
    }
    Ok(lock)
}

/// Refuses the throw-away environment, which only lives as long as a run of the suites.
fn lasting(environment: &Environment) -> Result<&Environment, Failure> {
    if environment.name == EPHEMERAL {
        return Err(Failure::usage("`ephemeral` exists only while `gate test` runs; name another environment"));
    }
    Ok(environment)
}
