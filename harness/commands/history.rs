//! `gate history`, `gate resume`, `gate unlock`: readings of the journals.

use std::sync::Arc;

use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
    release::Release,
    text::one_line,
    units::Span,
};
use stagegate_gate_act::{
    journal::{self, StoreError},
    unfinished,
};
use stagegate_gate_decide::history::{began_since, day};
use stagegate_gate_decide::promotion::{End, Entry, Kind, Line, Plan, end_text, reason};
use stagegate_host::{lock::Lock, paths::StateDir};

use super::runs::{as_json, chosen, end_of, runs, runs_read};
use crate::{
    cli,
    failure::{Failure, give, give_json, say},
    recovery,
};

/// A promotion that can be rolled back.
pub(super) struct Point {
    pub(super) tag: String,
    pub(super) run: String,
    pub(super) release: Release,
    pub(super) previous: Release,
}

/// Lists the rollback points of an environment, the newest last: promotions that are not rolled back, in their
/// order, whose backup is there.
pub(super) fn points(config: &Config, environment: &Environment) -> Result<Vec<Point>, Failure> {
    let mut points: Vec<Point> = Vec::new();
    for (dir, plan, lines) in runs(config, environment)? {
        if !matches!(end_of(&lines), Some((End::Promoted, _))) {
            continue;
        }
        match plan.kind {
            Kind::Rollback { run, .. } => points.retain(|point| point.run < run),
            Kind::Promote if dir.join("backup").is_dir() => {
                let Plan { tag, run, release, previous, .. } = plan;
                points.push(Point { tag, run, release, previous });
            }
            Kind::Promote => {}
        }
    }
    Ok(points)
}

pub(super) fn show(config: &Config, args: cli::History) -> Result<Exit, Failure> {
    if let Some(run) = &args.run {
        if args.trace {
            return super::history_run::trace(config, args.env.as_ref(), run);
        }
        return super::history_run::show(config, args.env.as_ref(), run, args.json);
    }
    if let Some(runs) = &args.diff {
        return super::history_run::diff(config, args.env.as_ref(), runs);
    }
    let from = args.since.as_deref().map(since).transpose()?;
    let (mut count, mut damaged) = (0, None);
    for environment in chosen(config, args.env.as_ref())? {
        let is_wanted = |run: &str| from.as_ref().is_none_or(|from| began_since(run, from));
        for run in runs_read(config, environment, is_wanted) {
            count += 1;
            let (dir, plan, lines) = match run {
                Ok(read) => read,
                // The others are printed all the same.
                Err(failure) => {
                    damaged.get_or_insert(failure);
                    continue;
                }
            };
            if args.json {
                give_json(&as_json(&plan, &lines)?);
            } else {
                give(&as_text(&dir, &plan, &lines));
            }
        }
    }
    if count == 0 {
        say(if from.is_some() { "no runs in that time" } else { "no runs yet" });
    }
    damaged.map_or(Ok(Exit::Passed), Err)
}

/// Returns the moment that `--since` names, as a run's id begins.
fn since(text: &str) -> Result<String, Failure> {
    if let Some(day) = day(text) {
        return Ok(day);
    }
    let Span(back) = text.parse().map_err(|_| {
        Failure::usage(format!("--since `{text}` is neither a time such as 7d or 12h nor a day such as 2026-01-31"))
    })?;
    Ok(stagegate_host::clock::stamp_before(back))
}

fn as_text(dir: &std::path::Path, plan: &Plan, lines: &[Line]) -> String {
    let end = match end_of(lines) {
        Some((end, exit)) => end_text(plan, end, exit),
        None => "unfinished".to_owned(),
    };
    let began = lines.first().map(|line| line.wall.as_str()).unwrap_or_default();
    let took =
        lines.last().and_then(|last| stagegate_host::clock::seconds_between(began, &last.wall)).unwrap_or_default();
    let (from, to) = (&plan.environments.source, &plan.environments.target);
    let mut text = format!(
        "{}  {from} -> {to}  {} -> {}  {end}  {took:.1} s  {}",
        plan.run,
        plan.previous.name,
        plan.release.name,
        dir.display()
    );
    if let Some(reason) = reason(lines).filter(|_| !matches!(end_of(lines), Some((End::Promoted, _)))) {
        text.push_str(&format!("\n    {}", one_line(reason)));
    }
    text
}

pub(super) async fn resume(config: &Arc<Config>, args: cli::OneEnvironment) -> Result<Exit, Failure> {
    let environment = super::named(config, args.env.as_ref())?;
    recovery::refuse_renamed(config)?;
    let state = StateDir::of(config, &environment.project);
    let lock = Lock::take(&state, &environment.project, "gate resume")?;
    let Some(run) = unfinished(&state)? else {
        say(&format!("nothing to resume in `{}`", environment.name));
        return Ok(Exit::Passed);
    };
    recovery::finish(config, state, lock, &run, &recovery::by_this_process()).await
}

pub(super) fn unlock(config: &Config, args: cli::Unlock) -> Result<Exit, Failure> {
    let environment = config.environment(&args.env)?;
    let state = StateDir::of(config, &environment.project);
    let _lock = Lock::take(&state, &environment.project, "gate unlock")?;
    let run = match unfinished(&state) {
        Ok(run) => run.filter(|run| run.run == args.run),
        Err(error @ StoreError::Text { .. }) => return put_aside(&state, &args.run, &error),
        Err(error) => return Err(error.into()),
    };
    let Some(run) = run else {
        return Err(Failure::usage(format!("run {} of `{}` is not open; see `gate history`", args.run, args.env)));
    };
    let mut open = journal::Journal::open(&run.dir)?;
    open.append(Entry::Ended { end: End::Abandoned, exit: Exit::PersonNeeded })?;
    say(&format!("run {} is abandoned; its files are kept in {}", run.run, run.dir.display()));
    Ok(Exit::Passed)
}

/// Moves a journal that cannot be read out of the way; it is kept next to its place, for an analysis.
fn put_aside(state: &StateDir, run: &str, error: &StoreError) -> Result<Exit, Failure> {
    let journal = state.run(run).join(journal::FILE_NAME);
    let is_it = matches!(error, StoreError::Text { path, .. } if *path == journal);
    if !is_it {
        return Err(Failure::manual(stagegate_host::error::chain(error)));
    }
    let aside = journal.with_extension("jsonl.damaged");
    let head = state.run(run).join(journal::HEAD_NAME);
    for (from, to) in [(&journal, &aside), (&head, &head.with_extension("head.damaged"))] {
        if from.exists() {
            std::fs::rename(from, to).map_err(Failure::writing(to))?;
        }
    }
    say(&format!("the journal of run {run} cannot be read; it was moved to {}", aside.display()));
    Ok(Exit::Passed)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use stagegate_gate_decide::promotion::read;

    use super::*;

    const PROMOTED: &[u8] = include_bytes!("../../fixtures/journals/format-1/promoted.jsonl");
    const ROLLED_BACK: &[u8] = include_bytes!("../../fixtures/journals/format-1/rolled-back.jsonl");
    const KILLED: &[u8] = include_bytes!("../../fixtures/journals/format-1/killed.jsonl");

    #[test]
    fn a_run_of_an_earlier_version_is_in_the_history() {
        for (text, want, has_reason) in [
            (PROMOTED, "v1 -> v2  promoted: v2 is live in production", false),
            (ROLLED_BACK, "v2 -> v3  rolled back and verified: v2 is live in production again", true),
            (KILLED, "v1 -> v2  unfinished", false),
        ] {
            let lines = read(text).unwrap().lines;
            let Entry::Started { plan } = &lines[0].entry else { panic!("no plan") };
            let shown = as_text(Path::new("/runs/r"), plan, &lines);
            assert!(shown.contains(want), "{shown}");
            assert_eq!(shown.contains("\n    health::web::http failed"), has_reason, "{shown}");
            let json: serde_json::Value = serde_json::from_str(&as_json(plan, &lines).unwrap()).unwrap();
            assert_eq!(json["end"].is_null(), want.contains("unfinished"));
        }
    }
}
