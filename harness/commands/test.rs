//! `gate test`: the suites, told as they end, judged at the end.

use std::sync::Arc;

use stagegate_base::{
    config::{Config, EPHEMERAL, Environment},
    exit::Exit,
    record::Record,
};
use stagegate_gate_decide::{report, verdict::verdict};
use stagegate_host::{engine::Engine, error::with_causes, paths::StateDir, process::Runner, project::Project, release};
use stagegate_suites::{Scope, Trial, ephemeral::Stack, records::Records, run, session::Session};
use stagegate_workflow_act::settle;
use tokio::signal::unix::{SignalKind, signal};

use super::output::{self, colour};
use crate::{
    ask, cli,
    examine::planned,
    failure::{Failure, give, say},
};

pub(super) async fn run(config: &Arc<Config>, args: cli::Test) -> Result<Exit, Failure> {
    let with_majors = on_majors(config, &args.pg);
    let config = with_majors.as_ref().unwrap_or(config);
    let name = args.env.clone().or_else(|| std::env::var("STAGEGATE_ENV").ok()).filter(|name| !name.is_empty());
    let environment = config.environment(name.as_deref().unwrap_or(EPHEMERAL))?;
    let full_load = ask::confirmed(environment, args.confirm.as_deref())?;
    let trials = stagegate_suites::trials(Scope { config, environment });
    for prefix in config.severity.keys().filter(|prefix| !trials.iter().any(|t| t.name.starts_with(prefix.as_str()))) {
        say(&format!("warning: [severity] lists `{prefix}`, but no check's name begins with it"));
    }
    let trials = run::select(trials, environment, &args.filters);
    if args.list {
        let names: Vec<&str> = trials.iter().map(|trial| trial.name.as_str()).collect();
        if !names.is_empty() {
            give(&names.join("\n"));
        }
        return Ok(Exit::Passed);
    }
    let started = stagegate_host::clock::now();
    let records = asked(config, environment, &trials, (full_load, !args.output.takes_stdout())).await;
    let run = report::Run {
        environment: environment.name.clone(),
        release: release::deployed(&StateDir::of(config, &environment.project))?.map(|deployed| deployed.release.name),
        started,
        verdict: verdict(&records, &planned(config, &trials), &config.readiness),
        records,
    };
    written(&run, &args.output)?;
    Ok(run.verdict.exit())
}

/// Returns the configuration with other majors for the migrations, where some were asked for.
fn on_majors(config: &Arc<Config>, majors: &[u32]) -> Option<Arc<Config>> {
    let mut changed = Config::clone(config);
    changed.migrations.values_mut().for_each(|migrations| majors.clone_into(&mut migrations.pg));
    (!majors.is_empty()).then(|| Arc::new(changed))
}

/// Asks every trial; where the environment cannot be reached at all, each gets a record that says so.
async fn asked(
    config: &Arc<Config>,
    environment: &Environment,
    trials: &[Trial],
    (full_load, tell): (bool, bool),
) -> Vec<Record> {
    let reached = tokio::select! {
        reached = reach(config, environment, full_load) => reached,
        () = interrupted() => Err("interrupted".to_owned()),
    };
    let (session, stack) = match reached {
        Ok(reached) => reached,
        Err(reason) => {
            let broken = |trial: &Trial| run::broken(config, &environment.name, trial, &reason);
            return trials.iter().map(broken).collect();
        }
    };
    let file = Records::open(&StateDir::of(config, &environment.project).tests(), &Records::name_of_run()).ok();
    let keep = |record: &Record| {
        // The records on disk are for later; this run judges those in memory.
        if let Some(file) = &file {
            let _ = file.append(record);
        }
        if tell {
            give(&report::terminal::record(record, colour()));
        }
    };
    let records = tokio::select! {
        records = run::run(&session, trials.to_vec(), &[], keep) => records,
        () = interrupted() => {
            // What workflows made is cleaned up first: this environment stays.
            settle().await;
            Vec::new()
        }
    };
    if let Some(stack) = stack
        && let Err(error) = stack.take_down().await
    {
        say(&with_causes(&error));
    }
    records
}

async fn reach(
    config: &Arc<Config>,
    environment: &Environment,
    full_load: bool,
) -> Result<(Arc<Session>, Option<Stack>), String> {
    super::report_shell(environment);
    let engine = Engine::connect().await.map_err(|error| with_causes(&error))?;
    if environment.name == EPHEMERAL {
        say("starting a temporary copy of the stack");
        let stack = Stack::bring_up(config, &engine).await.map_err(|error| with_causes(&error))?;
        let project = stack.project().clone();
        return Ok((Session::new(project, engine, Runner::default()), Some(stack)));
    }
    let project =
        Project::load(&Runner::default(), config, &environment.name).await.map_err(|error| with_causes(&error))?;
    Ok((Session::with_load(project, engine, Runner::default(), full_load), None))
}

pub(super) async fn interrupted() {
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        _ => std::future::pending().await,
    }
}

fn written(run: &report::Run, args: &cli::Output) -> Result<(), Failure> {
    if args.json {
        give(&report::json::text(run)?);
    } else if !args.takes_stdout() {
        give(&report::terminal::summary(run, colour()));
    }
    output::to(args.junit.as_deref(), &report::junit::text(run))?;
    output::to(args.markdown.as_deref(), &report::markdown::text(run))?;
    output::to(args.html.as_deref(), &report::html::text(run, &[]))?;
    output::to(args.sarif.as_deref(), &report::findings(run).sarif(env!("CARGO_PKG_VERSION")))?;
    output::annotate(&report::github::text(run));
    Ok(())
}
