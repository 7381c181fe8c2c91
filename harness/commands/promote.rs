//! `gate promote` and `gate rollback`.

use std::{sync::Arc, time::Duration};

use stagegate_act::{
    engine::Engine,
    gate::{Observer, Request, Run, prepare_plan, unfinished},
    lock::{Lock, LockError},
    paths::StateDir,
};
use stagegate_decide::{
    config::Config,
    exit::Exit,
    promotion::{End, Entry, Kind, Line, refusals},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::history::{Point, points};
use crate::{Failure, ask, cli, give, progress, recovery, say};

/// How a run is shown and confirmed.
struct Manner {
    plan_only: bool,
    yes: bool,
    json: bool,
}

pub(super) async fn promote(config: &Arc<Config>, args: cli::Promote) -> Result<Exit, Failure> {
    if args.from == args.to {
        return Err(Failure::usage(format!("--from and --to are both `{}`", args.to)));
    }
    let request = Request { kind: Kind::Promote, from: args.from, to: args.to, release: args.release };
    conduct(config, request, &Manner { plan_only: args.plan, yes: args.yes, json: args.json }).await
}

pub(super) async fn rollback(config: &Arc<Config>, args: cli::Rollback) -> Result<Exit, Failure> {
    let environment = config.environment(&args.env)?;
    let points = points(config, environment)?;
    if args.list {
        list(&points);
        return Ok(Exit::Passed);
    }
    let chosen = match &args.to {
        Some(tag) => points.iter().find(|point| point.tag == *tag),
        None => points.last(),
    };
    let Some(point) = chosen else {
        let known: Vec<&str> = points.iter().map(|point| point.tag.as_str()).collect();
        return Err(Failure::usage(format!("no such rollback point (known: {})", known.join(", "))));
    };
    let kind = Kind::Rollback { run: point.run.clone(), data: args.with_data };
    let release = Some(point.previous.commit.clone());
    let request = Request { kind, from: args.env.clone(), to: args.env, release };
    conduct(config, request, &Manner { plan_only: false, yes: args.yes, json: args.json }).await
}

fn list(points: &[Point]) {
    if points.is_empty() {
        say("no rollback points yet: the first promotion makes one");
    }
    for point in points {
        give(&format!(
            "{}  back to {}  (before {}, run {})",
            point.tag, point.previous.name, point.release.name, point.run
        ));
    }
}

async fn conduct(config: &Arc<Config>, request: Request, manner: &Manner) -> Result<Exit, Failure> {
    let target = config.environment(&request.to)?;
    config.environment(&request.from)?;
    let state = StateDir::of(config, &target.project);
    let lock = locked(&state, &target.project, &request)?;
    if let Some(run) = unfinished(&state)? {
        let text = format!("run {} of `{}` has not ended; `gate resume --env {1}`", run.run, target.name);
        return Err(Failure::new(Exit::PersonNeeded, text));
    }
    let engine = Engine::connect().await?;
    let (plan, facts, old) = prepare_plan(config, &engine, &request, &super::new_run()).await?;
    let refused = refusals(&plan.kind, &facts);
    if manner.plan_only {
        shown(&plan, &refused, manner.json)?;
        return Ok(if refused.is_empty() { Exit::Passed } else { Exit::Held });
    }
    say(&plan.text());
    if refused.is_empty() {
        ask::confirm("Go on?", manner.yes)?;
    }
    let (sender, interrupt) = watch::channel(false);
    let listening = tokio::spawn(listen(sender));
    let observe: Observer = if manner.json { Arc::new(both) } else { Arc::new(progress::tell) };
    let gate = recovery::gate(config, &engine, observe, interrupt);
    let mut run = Run::begin(gate, (state, lock), plan, facts, &old)?;
    let (end, exit) = run.complete().await?;
    listening.abort();
    summary(run.lines(), end);
    Ok(exit)
}

fn locked(state: &StateDir, project: &str, request: &Request) -> Result<Lock, Failure> {
    let what = format!("gate {} to {}", if request.kind == Kind::Promote { "promote" } else { "rollback" }, request.to);
    Lock::take(state, project, &what).map_err(|error| match error {
        LockError::Held { .. } => Failure::new(Exit::Locked, error.to_string()),
        error => error.into(),
    })
}

fn shown(plan: &stagegate_decide::promotion::Plan, refused: &[String], json: bool) -> Result<(), Failure> {
    if json {
        give(&serde_json::json!({ "plan": serde_json::to_value(plan)?, "refusals": refused }).to_string());
        return Ok(());
    }
    give(&plan.text());
    for reason in refused {
        give(&format!("  refused   {reason}"));
    }
    Ok(())
}

fn both(line: &Line, took: Duration) {
    progress::tell(line, took);
    if let Ok(text) = serde_json::to_string(line) {
        give(&text);
    }
}

/// Waits for Ctrl-C, SIGTERM or SIGHUP. The run is taken back then, in order; asking again changes nothing.
async fn listen(sender: watch::Sender<bool>) {
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        say("asked to stop: taking back what was begun; this goes on to its end");
        let _ = sender.send(true);
    }
}

/// Says how long the way back took, and what is to be done by a person.
fn summary(lines: &[Line], end: End) {
    let at =
        |wanted: &dyn Fn(&Entry) -> bool| lines.iter().find(|line| wanted(&line.entry)).map(|line| line.wall.clone());
    let decided = at(&|entry| matches!(entry, Entry::Decided { .. }));
    let last = lines.last().map(|line| line.wall.clone());
    if end == End::RolledBack
        && let (Some(decided), Some(last)) = (decided, last)
        && let Some(seconds) = stagegate_act::clock::seconds_between(&decided, &last)
    {
        let exchange: f64 = lines
            .iter()
            .filter_map(|line| match &line.entry {
                Entry::Undone { data, .. } => data["exchange_s"].as_f64(),
                _ => None,
            })
            .sum();
        say(&format!("back {seconds:.1} s after the decision, the database exchanged in {exchange:.2} s of them"));
    }
    if let Some(Entry::Started { plan }) = lines.first().map(|line| &line.entry) {
        let Some(reason) = lines.iter().find_map(|line| match &line.entry {
            Entry::Failed { reason, .. } => Some(reason),
            _ => None,
        }) else {
            return;
        };
        if end != End::Promoted {
            let (to, release, previous) = (&plan.environments.target, &plan.release.name, &plan.previous.name);
            say(&format!("{release} was not promoted to {to}, {previous} still serves: {reason}"));
        }
        if matches!(end, End::Stuck | End::BackNotVerified) {
            say(&format!(
                "hint: look with `gate status --env {to}`, then `gate resume --env {to}`",
                to = plan.environments.target
            ));
        }
    }
}
