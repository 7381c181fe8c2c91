//! `gate history RUN` and `gate history --diff RUN RUN`: one journal as a timeline, and two side by side.

use std::{path::PathBuf, time::Duration};

use stagegate_base::{config::Config, exit::Exit};
use stagegate_gate_decide::{
    history::{Compared, differences, model_differences},
    promotion::{Entry, Line, Plan, end_text},
    run_summary::RunSummary,
};
use stagegate_host::{
    clock::{seconds_between, unix_of},
    paths::StateDir,
    release::read_model,
};
use stagegate_watch_decide::trace;

use crate::{
    failure::{Failure, give_json, print_message, print_result},
    progress,
    run_records::of_run,
};

/// A run with its folder.
struct Found {
    dir: PathBuf,
    plan: Plan,
    lines: Vec<Line>,
}

/// Finds a run by its id, or by how it begins, in the environments that were asked for.
fn find(config: &Config, env: Option<&String>, run: &str) -> Result<Found, Failure> {
    let mut found = Vec::new();
    for environment in super::runs::chosen(config, env)? {
        let runs = super::runs::runs_named(config, environment, |name| name.starts_with(run))?;
        found.extend(runs.into_iter().map(|(dir, plan, lines)| Found { dir, plan, lines }));
    }
    match found.len() {
        1 => found.pop().ok_or_else(|| Failure::usage("no run")),
        0 => Err(Failure::usage(format!("no run begins with `{run}`; `gate history` lists them"))),
        several => {
            let ids: Vec<String> = found.into_iter().map(|found| found.plan.run).collect();
            Err(Failure::usage(format!("{several} runs begin with `{run}`: {}", ids.join(", "))))
        }
    }
}

pub(super) fn show(config: &Config, env: Option<&String>, run: &str, json: bool) -> Result<Exit, Failure> {
    let found = find(config, env, run)?;
    if json {
        let summary = RunSummary::of(&found.lines).map(|summary| summary.json()).unwrap_or_default();
        give_json(&serde_json::to_string(&summary)?);
        return Ok(Exit::Passed);
    }
    print_result(&found.plan.text());
    timeline(&found.lines).iter().for_each(|line| print_result(line));
    match found.lines.last().map(|line| &line.entry) {
        Some(Entry::Ended { end, exit }) => {
            print_result(&end_text(&found.plan, *end, *exit));
            progress::after_the_end(&found.plan, *end, &found.lines, &found.dir)
                .iter()
                .for_each(|line| print_result(line));
        }
        _ => {
            print_result(&format!("unfinished; finish it with `gate resume --env {}`", found.plan.environments.target))
        }
    }
    print_result(&format!("log: {}", found.dir.join("run.log").display()));
    Ok(Exit::Passed)
}

/// Prints a run as a trace.
pub(super) fn trace(config: &Config, env: Option<&String>, run: &str) -> Result<Exit, Failure> {
    let found = find(config, env, run)?;
    let document = trace::document(&config.name, &found.lines, &of_run(config, &found.lines), unix_of);
    give_json(&serde_json::to_string_pretty(&document)?);
    Ok(Exit::Passed)
}

/// Returns each line that tells something, with its time of day (UTC) in front.
pub(super) fn timeline(lines: &[Line]) -> Vec<String> {
    let plain = |_: u8, text: &str| text.to_owned();
    let mut began = "";
    let mut text = Vec::new();
    for line in lines {
        let took = seconds_between(began, &line.wall).unwrap_or_default().max(0.0);
        if matches!(line.entry, Entry::Begun { .. } | Entry::UndoBegun { .. }) {
            began = &line.wall;
        }
        if matches!(line.entry, Entry::Started { .. }) {
            continue;
        }
        let Some(reported) = progress::line_text(line, Duration::from_secs_f64(took), plain) else { continue };
        let time = line.wall.get(11..19).unwrap_or_default();
        text.push(format!("{time}  {}", reported.replace('\n', "\n          ")));
    }
    text
}

pub(super) fn diff(config: &Config, env: Option<&String>, runs: &[String]) -> Result<Exit, Failure> {
    let [first, second] = runs else { return Err(Failure::usage("--diff compares two runs")) };
    let (first, second) = (find(config, env, first)?, find(config, env, second)?);
    let reported = differences(
        Compared { plan: &first.plan, lines: &first.lines },
        Compared { plan: &second.plan, lines: &second.lines },
        seconds_between,
    );
    let reported = [reported, of_models(config, &first, &second)].concat();
    let (a, b) = (&first.plan.run, &second.plan.run);
    if reported.is_empty() {
        print_message(&format!("{a} and {b} do not differ"));
    } else {
        print_result(&format!("{:<22} {a} -> {b}", "run"));
        reported.iter().for_each(|line| print_result(line));
    }
    Ok(Exit::Passed)
}

/// Returns how the models of the releases differ that two runs deployed; nothing where one of them is not kept any more, or there is no
/// key that hides values.
fn of_models(config: &Config, first: &Found, second: &Found) -> Vec<String> {
    let model = |found: &Found| read_model(&found.dir.join("new/model.json")).ok();
    let Some((before, after)) = model(first).zip(model(second)) else { return Vec::new() };
    let Ok(environment) = config.environment(&second.plan.environments.target) else { return Vec::new() };
    let key = StateDir::of(config, &environment.project).key();
    key.map(|key| model_differences(&before, &after, &key)).unwrap_or_default()
}
