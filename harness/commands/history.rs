//! `gate history`, `gate resume`, `gate unlock`: readings of the journals.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
    release::Release,
    units::Span,
};
use stagegate_gate_act::{
    journal::{self, StoreError},
    journal_index::SUMMARIES,
    unfinished,
};
use stagegate_gate_decide::{
    history::{began_since, day},
    promotion::{End, Entry, Kind, Plan},
    run_summary::RunSummary,
};
use stagegate_host::{lock::Lock, paths::StateDir};

use super::runs::{chosen, end_of, runs};
use crate::{
    cli,
    failure::{Failure, give_json, print_message, print_result},
    recovery,
};

/// A list is printed in parts of so many bytes.
const CHUNK: usize = 64 << 10;

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
    list(config, &args)
}

/// Prints each run; one whose journal cannot be read hides no other.
fn list(config: &Config, args: &cli::History) -> Result<Exit, Failure> {
    let from = args.since.as_deref().map(since).transpose()?;
    let (mut count, mut damaged, mut text) = (0, None, String::new());
    for environment in chosen(config, args.env.as_ref())? {
        let is_wanted = |dir: &PathBuf| {
            let run = dir.file_name().unwrap_or_default().to_string_lossy();
            from.as_ref().is_none_or(|from| began_since(&run, from))
        };
        SUMMARIES.shared(&StateDir::of(config, &environment.project).runs(), |index| {
            let folders = index.folders();
            for dir in folders.iter().filter(|dir| is_wanted(dir)) {
                let run = match index.run(dir) {
                    Ok(Some(run)) => run,
                    Ok(None) => continue,
                    Err(error) => {
                        count += 1;
                        damaged.get_or_insert(Failure::from(error));
                        continue;
                    }
                };
                count += 1;
                text.push_str(&run_text(&run, dir, args.json));
                text.push('\n');
                print_from(&mut text, CHUNK, args.json);
            }
            index.keep(&folders, 1);
        });
    }
    print_from(&mut text, 1, args.json);
    if count == 0 {
        print_message(if from.is_some() { "no runs in that time" } else { "no runs yet" });
    }
    damaged.map_or(Ok(Exit::Passed), Err)
}

/// Prints a text that has so many bytes, and empties it: a line at a time would take longer than to read them.
fn print_from(text: &mut String, bytes: usize, json: bool) {
    if text.len() >= bytes {
        if json {
            give_json(text)
        } else {
            print_result(text)
        };
        text.clear();
    }
}

fn run_text(run: &RunSummary, dir: &Path, json: bool) -> String {
    if json {
        return run.json().to_string();
    }
    let seconds = stagegate_host::clock::seconds_between(&run.began, &run.last).unwrap_or_default();
    run.lines(seconds, &dir.display().to_string())
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

pub(super) async fn resume(config: &Arc<Config>, args: cli::OneEnvironment) -> Result<Exit, Failure> {
    let environment = super::named(config, args.env.as_ref())?;
    recovery::refuse_renamed(config)?;
    let state = StateDir::of(config, &environment.project);
    let lock = Lock::take(&state, &environment.project, "gate resume")?;
    let Some(run) = unfinished(&state)? else {
        print_message(&format!("nothing to resume in `{}`", environment.name));
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
    print_message(&format!("run {} is abandoned; its files are kept in {}", run.run, run.dir.display()));
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
    print_message(&format!("the journal of run {run} cannot be read; it was moved to {}", aside.display()));
    Ok(Exit::Passed)
}
