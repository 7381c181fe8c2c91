//! `gate report`: the history as pages that need no server.

use std::{collections::BTreeMap, fs, path::Path};

use stagegate_base::{config::Config, exit::Exit, text::counted};
use stagegate_gate_act::journal;
use stagegate_gate_decide::promotion::{Entry, Line, StepReport, manual_steps};
use stagegate_host::clock;
use stagegate_watch_decide::{
    RunFacts,
    figures::Figures,
    pages::{self, EnvironmentPage, RunPage},
};

use super::{
    history_run::timeline,
    readings::{self, Read, Reading},
};
use crate::{
    cli,
    failure::{Failure, print_message},
};

pub(super) async fn run(config: &Config, args: &cli::Pages) -> Result<Exit, Failure> {
    let readings = readings::read(config, args.env.as_ref(), args.days).await?;
    let (out, made) = (&args.out, readings::now());
    fs::create_dir_all(out).map_err(Failure::writing(out))?;
    let shown = readings.iter().map(|reading| environment_page(config, reading)).collect::<Result<Vec<_>, _>>()?;
    if args.public {
        let private = out.join("runs");
        if private.exists() {
            return Err(Failure::usage(format!(
                "{} holds pages that are not public; give `--public` a folder of its own",
                private.display()
            )));
        }
        write(&out.join("index.html"), &pages::public(&config.name, &shown, config.status_page, made))?;
        print_message(&format!("wrote {}", out.join("index.html").display()));
        return Ok(Exit::Passed);
    }
    let folder = out.join("runs");
    fs::create_dir_all(&folder).map_err(Failure::writing(&folder))?;
    for read in readings.iter().flat_map(|reading| &reading.runs) {
        if let Some(file) = pages::file_name(&read.facts.run) {
            let Some(page) = of_run(read) else { continue };
            write(&folder.join(file), &page)?;
        }
    }
    for (shown, reading) in shown.iter().zip(&readings) {
        let Some((_, Some(file))) = &shown.suites else { continue };
        let environment = config.environment(&reading.environment)?;
        if let Some((began, records)) = readings::last_records(config, environment) {
            write(&out.join(file), &pages::checks(&reading.environment, &began, &records))?;
        }
    }
    let figures: BTreeMap<&str, &Figures> =
        readings.iter().map(|one| (one.environment.as_str(), &one.figures)).collect();
    write(&out.join("figures.json"), &(serde_json::to_string_pretty(&figures)? + "\n"))?;
    // Last, so that no link leads to a page that is not there yet.
    write(&out.join("index.html"), &pages::index(&config.name, &shown, made))?;
    let runs: usize = readings.iter().map(|reading| reading.runs.len()).sum();
    print_message(&format!("wrote {} with {}", out.join("index.html").display(), counted(runs, "run")));
    Ok(Exit::Passed)
}

/// Returns the page at a path as `gate report` would write it; `None` where it would write none.
pub(super) async fn page_at(config: &Config, path: &str, days: u32) -> Result<Option<String>, Failure> {
    if let Some(file) = path.strip_prefix("runs/") {
        let is_it = |read: &&Read| pages::file_name(&read.facts.run).is_some_and(|name| name == file);
        let readings = readings::facts_of_all(config);
        return Ok(readings.iter().flat_map(|reading| &reading.runs).find(is_it).and_then(of_run));
    }
    if path == "index.html" {
        let readings = readings::read(config, None, days).await?;
        let shown = readings.iter().map(|reading| environment_page(config, reading)).collect::<Result<Vec<_>, _>>()?;
        return Ok(Some(pages::index(&config.name, &shown, readings::now())));
    }
    let named = path.strip_prefix("checks-").and_then(|rest| rest.strip_suffix(".html"));
    let environment = named.and_then(|name| config.environments.get(name));
    let records = environment.and_then(|one| Some((one, readings::last_records(config, one)?)));
    Ok(records.map(|(environment, (began, records))| pages::checks(&environment.name, &began, &records)))
}

fn environment_page(config: &Config, reading: &Reading) -> Result<EnvironmentPage, Failure> {
    let environment = config.environment(&reading.environment)?;
    let suites = readings::last_records(config, environment).map(|(began, records)| {
        (readings::records_text(&began, &records), Some(format!("checks-{}.html", reading.environment)))
    });
    Ok(EnvironmentPage {
        environment: reading.environment.clone(),
        deployed: readings::deployed(config, environment),
        at_work: readings::at_work(config, environment),
        runs: reading.facts(),
        figures: reading.figures.clone(),
        backups: readings::backups(config, environment).map(|backups| backups.text()),
        suites,
        incidents: reading.incidents.clone(),
        unread: reading.unread.clone(),
    })
}

/// Returns the page of a run; `None` where its journal is gone meanwhile.
fn of_run(read: &Read) -> Option<String> {
    let lines = journal::lines(&read.dir).ok()?;
    let facts = RunFacts::of(&lines, clock::unix_of)?;
    Some(pages::run(&facts, &page(&read.dir, &lines)))
}

fn page(dir: &Path, lines: &[Line]) -> RunPage {
    let Some(Entry::Started { plan }) = lines.first().map(|line| &line.entry) else {
        return RunPage { timeline: timeline(lines), ..RunPage::default() };
    };
    let compared = lines.iter().rev().find_map(|line| match &line.entry {
        Entry::Done { report: StepReport::Prepare(prepared) } => Some(prepared.performance.clone()),
        _ => None,
    });
    RunPage {
        plan: plan.text(),
        timeline: timeline(lines),
        next: manual_steps(plan, dir, lines, &stagegate_gate_act::dumps(dir)),
        performance: compared.unwrap_or_default(),
    }
}

/// Writes a page; a reader sees the earlier one or this one.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let draft = path.with_extension("tmp");
    fs::write(&draft, text).map_err(Failure::writing(&draft))?;
    fs::rename(&draft, path).map_err(Failure::writing(path))
}
