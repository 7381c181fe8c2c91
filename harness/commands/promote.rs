//! `gate promote` and `gate rollback`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use stagegate_base::{config::Config, exit::Exit};
use stagegate_gate_act::{Observer, Run, evidence::Signer, prepare_plan, unfinished};
use stagegate_gate_decide::promotion::{Decision, Entry, Kind, Line, Request, interrupt_text, refusals};
use stagegate_host::{
    engine::Engine,
    lock::Lock,
    paths::StateDir,
    signal::{self, Again, Signals},
};
use tokio::sync::watch;

use super::{
    history::{Point, points},
    plan_file::{self, Applied, refuse_unapproved},
};
use crate::{
    cli, confirm_option,
    failure::{Failure, give_json, print_message, print_result},
    progress::{self, KnownTimes},
    recovery,
};

/// How a run is printed and confirmed.
#[derive(Default)]
struct RunOptions {
    plan_only: bool,
    /// With `plan_only`: where the plan is written to.
    out: Option<PathBuf>,
    /// The plan file that the run applies.
    applied: Option<Applied>,
    yes: bool,
    json: bool,
    /// After a rollback with data: insert the rows that were written since.
    carry_writes: bool,
}

pub(super) async fn promote(config: &Arc<Config>, args: cli::Promote) -> Result<Exit, Failure> {
    let options =
        RunOptions { plan_only: args.plan, out: args.out, yes: args.yes, json: args.json, ..RunOptions::default() };
    if let Some(path) = &args.apply {
        let applied = Applied::read(config, path, args.approval.as_deref())?;
        let request = applied.request();
        return conduct(config, request, &RunOptions { applied: Some(applied), ..options }).await;
    }
    let (from, to) = (args.from.unwrap_or_default(), args.to.unwrap_or_default());
    if from == to {
        return Err(Failure::usage(format!("--from and --to are both `{to}`")));
    }
    let request = Request {
        kind: Kind::Promote,
        from,
        to,
        release: args.release,
        accept_caution: args.accept_caution,
        accept_newer_schema: false,
    };
    if !args.plan {
        refuse_unapproved(config.environment(&request.to)?, &request.from)?;
    }
    conduct(config, request, &options).await
}

pub(super) async fn rollback(config: &Arc<Config>, args: cli::Rollback) -> Result<Exit, Failure> {
    let environment = config.environment(&args.env)?;
    let points = points(config, environment)?;
    if args.list {
        list(&args.env, &points);
        return Ok(Exit::Passed);
    }
    let chosen = match &args.to {
        Some(tag) => points.iter().find(|point| point.tag == *tag),
        None => points.last(),
    };
    let Some(point) = chosen else {
        return Err(Failure::usage(no_point(&args.env, args.to.as_deref(), &points)));
    };
    let kind = Kind::Rollback { run: point.run.clone(), data: args.with_data };
    let release = Some(point.previous.commit.clone());
    let request = Request {
        kind,
        from: args.env.clone(),
        to: args.env,
        release,
        accept_caution: false,
        accept_newer_schema: args.accept_newer_schema,
    };
    let options = RunOptions {
        plan_only: args.plan,
        yes: args.yes,
        json: args.json,
        carry_writes: args.carry_writes,
        ..RunOptions::default()
    };
    conduct(config, request, &options).await
}

/// Returns that the named rollback point does not exist, or that there is none at all.
fn no_point(environment: &str, wanted: Option<&str>, points: &[Point]) -> String {
    let known: Vec<&str> = points.iter().map(|point| point.tag.as_str()).collect();
    match wanted {
        Some(tag) if !known.is_empty() => {
            format!("{environment} has no rollback point `{tag}` (it has {})", known.join(", "))
        }
        _ => format!("{environment} has no rollback point yet; a promotion that is not rolled back makes one"),
    }
}

fn list(environment: &str, points: &[Point]) {
    if points.is_empty() {
        print_message(&no_point(environment, None, points));
    }
    for point in points {
        print_result(&format!(
            "{}  restores {}  (promoted: {}, run {})",
            point.tag, point.previous.name, point.release.name, point.run
        ));
    }
}

async fn conduct(config: &Arc<Config>, request: Request, options: &RunOptions) -> Result<Exit, Failure> {
    let target = config.environment(&request.to)?;
    let source = config.environment(&request.from)?;
    super::report_shell(target);
    if request.kind == Kind::Promote {
        super::report_shell(source);
    }
    let state = StateDir::of(config, &target.project);
    let engine = Engine::connect().await?;
    if options.plan_only {
        return plan_only(config, &engine, &request, options).await;
    }
    // A key that cannot be used is noticed before anything is done.
    Signer::of(config)?;
    let locks = locked(config, &state, &target.project, &request)?;
    let open = unfinished(&state).map_err(|error| {
        let text =
            format!("a run of `{0}` cannot be read; `gate unlock --env {0} --run RUN` moves it aside", target.name);
        Failure::manual(error).context(text)
    })?;
    if let Some(run) = open {
        let text =
            format!("run {} of `{}` is unfinished; finish it with `gate resume --env {1}`", run.run, target.name);
        return Err(Failure::manual(text));
    }
    let (mut plan, facts, old) = prepare_plan(config, &engine, &request, &super::new_run()).await?;
    if let Some(applied) = &options.applied {
        plan = applied.same(config, &engine, plan, &old).await?;
    }
    let refused = refusals(&plan.kind, &facts);
    print_message(&plan.text());
    if refused.is_empty() {
        confirm_option::confirm("Continue?", options.yes)?;
    }
    let (sender, interrupt) = watch::channel(false);
    let (decide, decided) = watch::channel(None);
    let listening = tokio::spawn(interrupt_on(signal::listen(Again::Waits), sender, decided));
    let known = KnownTimes::of_state(&state);
    let is_json = options.json;
    let observe: Observer = Arc::new(move |line: &Line, took: Duration| {
        if let Entry::Decided { decision, .. } = &line.entry {
            decide.send_replace(Some(*decision));
        }
        progress::print_line(line, took, &known);
        if is_json && let Ok(text) = serde_json::to_string(line) {
            give_json(&text);
        }
    });
    let gate = recovery::gate(config, &engine, observe, interrupt);
    let dir = state.run(&plan.run);
    let mut run = Run::begin(gate, (state, locks), plan, facts, &old)?;
    let completed = run.complete().await;
    listening.abort();
    let (_, exit) = completed
        .map_err(|error| Failure::manual(error).context("the run cannot go on; the next `gate` command resumes it"))?;
    progress::print_end(run.plan(), run.lines(), &dir);
    run.warnings().iter().for_each(|warning| print_message(warning));
    if options.carry_writes && exit == Exit::Passed {
        let id = run.plan().run.clone();
        // Carrying takes the target's lock itself.
        drop(run);
        return super::salvage::carry(config, &target.name, id).await;
    }
    Ok(exit)
}

/// Prints what would be done and what would refuse it. It takes no lock: a live run is no obstacle.
async fn plan_only(
    config: &Arc<Config>,
    engine: &Engine,
    request: &Request,
    options: &RunOptions,
) -> Result<Exit, Failure> {
    let (plan, facts, old) = prepare_plan(config, engine, request, &super::new_run()).await?;
    let refused = refusals(&plan.kind, &facts);
    print_plan(&plan, &refused, options.json)?;
    match &options.out {
        Some(path) if refused.is_empty() => plan_file::write(config, engine, plan, &old, path).await?,
        Some(path) => print_message(&format!("{} was not written: the plan is blocked", path.display())),
        None => {}
    }
    Ok(if refused.is_empty() { Exit::Passed } else { Exit::Held })
}

/// Takes the target's lock, and shares that of the source: it must not become another one while it is tested and read.
fn locked(config: &Config, state: &StateDir, project: &str, request: &Request) -> Result<Vec<Lock>, Failure> {
    let verb = if request.kind == Kind::Promote { "promote" } else { "rollback" };
    let what = format!("gate {verb} to {}", request.to);
    let mut locks = vec![Lock::take(state, project, &what)?];
    let source = config.environment(&request.from)?;
    if source.project != project {
        let what = format!("gate promote from {} to {}", request.from, request.to);
        locks.push(Lock::share(&StateDir::of(config, &source.project), &source.project, &what)?);
    }
    Ok(locks)
}

fn print_plan(plan: &stagegate_gate_decide::promotion::Plan, refused: &[String], json: bool) -> Result<(), Failure> {
    if json {
        give_json(&serde_json::json!({ "plan": serde_json::to_value(plan)?, "refusals": refused }).to_string());
        return Ok(());
    }
    print_result(&plan.text());
    for reason in refused {
        print_result(&format!("  blocked   {reason}"));
    }
    Ok(())
}

/// Interrupts the run after a signal: it is rolled back, in order. A second signal changes nothing, and none does once the
/// run has decided.
async fn interrupt_on(signals: Signals, sender: watch::Sender<bool>, decided: watch::Receiver<Option<Decision>>) {
    for nth in 1.. {
        signals.nth(nth).await;
        let _ = sender.send(true);
        print_message(interrupt_text(*decided.borrow(), nth));
    }
}
