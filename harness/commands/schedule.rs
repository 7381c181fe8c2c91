//! `gate schedule`: a timer starts it every 15 minutes, and it decides from its own journal what is due.

mod alerts;
pub(super) mod install;

use std::{path::PathBuf, sync::Arc, time::Instant};

use stagegate_base::{
    config::{Config, EPHEMERAL, Environment},
    exit::Exit,
    text::counted,
    units::Size,
};
use stagegate_data_act::{
    backup::{
        journal::{self, Event, Line},
        store::Store,
    },
    rotation,
};
use stagegate_data_decide::{
    backup::{
        retention::minute,
        schedule::{Pace, Task, drill_waits_for, due, length},
    },
    rotation::Removal,
};
use stagegate_host::{clock, error::with_causes, files};

use super::backup::{self, Wanted, offsite, rotations};
use crate::{
    cli,
    failure::{Failure, give_json, outcome_first, print_message, print_result},
};

const DAY: i64 = 24 * 3_600;

pub(super) async fn run(config: &Arc<Config>, args: cli::Schedule) -> Result<Exit, Failure> {
    match args {
        cli::Schedule::Install(args) => install::install(config, &args).await,
        cli::Schedule::Uninstall(args) => install::uninstall(config, &args).await,
        cli::Schedule::Run(args) => work(config, &args).await,
        cli::Schedule::Status(args) => status(config, &args).await,
    }
}

/// An environment, and whether the schedule backs it up; its logs are removed in any case.
struct Scheduled<'a> {
    environment: &'a Environment,
    backed_up: bool,
}

fn scheduled<'a>(config: &'a Config, option: Option<&String>) -> Result<Vec<Scheduled<'a>>, Failure> {
    if option.is_some() {
        return Ok(vec![Scheduled { environment: super::named(config, option)?, backed_up: true }]);
    }
    let backed_up = |one: &Environment| config.backup.covers(one) && one.name != EPHEMERAL;
    let all = config.environments.values().map(|one| Scheduled { environment: one, backed_up: backed_up(one) });
    let all: Vec<Scheduled<'_>> = all.collect();
    if !all.iter().any(|one| one.backed_up) && backup::seconds(config.backup.every) > 0 {
        let text = "no environment is backed up by the schedule: name them in `environments` of [backup], or write \
                    `every = \"0s\"` there if none is to be backed up";
        return Err(Failure::usage(text));
    }
    Ok(all)
}

fn paces(config: &Config, one: &Scheduled<'_>) -> Vec<Pace> {
    let project = &one.environment.project;
    let lines = journal::lines(Store::of(config, project).root());
    let pace = |task, event, every| Pace { task, last: journal::last_well(&lines, event), every };
    let is_offsite = config.backup.offsite.is_some();
    let drilled = journal::last_drill(&lines, is_offsite).map(|line| line.at);
    let rotations = journal::lines(&rotations(config, one.environment));
    let mut paces = Vec::new();
    if one.backed_up {
        paces.push(pace(Task::Backup, Event::Backup, backup::seconds(config.backup.every)));
        paces.push(Pace { task: Task::Drill, last: drilled, every: backup::seconds(config.backup.drill) });
        // Also where no backup is made any more: what is damaged goes, and the journal shows that somebody looked.
        paces.push(pace(Task::Prune, Event::Prune, DAY));
        paces.extend(is_offsite.then(|| pace(Task::PruneOffsite, Event::PruneOffsite, DAY)));
    }
    paces.push(Pace { task: Task::Rotate, last: journal::last_well(&rotations, Event::Rotate), every: DAY });
    paces
}

async fn work(config: &Arc<Config>, args: &cli::RunSchedule) -> Result<Exit, Failure> {
    let mut worst = Exit::Passed;
    for scheduled in scheduled(config, args.env.as_ref())? {
        let environment = scheduled.environment;
        let tasks = tasks(config, &scheduled)?;
        if args.dry_run {
            let names: Vec<&str> = tasks.iter().map(|task| word(*task)).collect();
            let what =
                if names.is_empty() { "nothing is due".to_owned() } else { format!("due: {}", names.join(", ")) };
            print_result(&format!("{}: {what}", environment.name));
            if tasks.contains(&Task::Rotate) {
                rotation::due(config, environment)?.iter().for_each(|one| print_result(&removed("would remove", one)));
            }
            continue;
        }
        worst = or_worse(worst, run_all(config, &scheduled, tasks).await?);
        if worst == Exit::Interrupted {
            break;
        }
    }
    Ok(worst)
}

/// Does what is due in an environment, each whatever became of those before; returns how that ended, and alerts.
async fn run_all(config: &Arc<Config>, scheduled: &Scheduled<'_>, tasks: Vec<Task>) -> Result<Exit, Failure> {
    let (environment, mut worst, mut failed) = (scheduled.environment, Exit::Passed, Vec::new());
    for task in tasks {
        let waits_for = drill_waits_for(&failed, config.backup.offsite.is_some()).filter(|_| task == Task::Drill);
        if let Some(cause) = waits_for {
            let (name, drill, cause) = (&environment.name, word(task), word(cause));
            print_message(&format!(
                "{name}: {drill} not run: it needs what the {cause} failed of; tried again at the next tick"
            ));
            continue;
        }
        let known = lines_of(config, environment, task).len();
        let Err(failure) = one(config, environment, task).await else { continue };
        if failure.exit() == Exit::Interrupted {
            print_message(&format!("{}: interrupted in {}", environment.name, word(task)));
            return Ok(Exit::Interrupted);
        }
        print_message(&format!("{}: {} failed: {}", environment.name, word(task), failure.text()));
        note(config, environment, (task, known), &failure)?;
        // One that another run holds is done at the next tick.
        worst = or_worse(worst, failure.exit());
        failed.push((task, failure.cause()));
    }
    let problems = match scheduled.backed_up {
        true => backup::state_of(config, environment)?,
        false => backup::rotation_state(config, environment).into_iter().collect(),
    };
    problems.iter().for_each(|problem| print_message(&format!("{}: {}", environment.name, problem.text)));
    alerts::send(config, environment, &problems).await;
    Ok(if problems.is_empty() { worst } else { or_worse(worst, Exit::Held) })
}

/// Returns the exit code of the first thing that went wrong.
fn or_worse(worst: Exit, exit: Exit) -> Exit {
    if worst == Exit::Passed { exit } else { worst }
}

fn journal_of(config: &Config, environment: &Environment, task: Task) -> (PathBuf, Event) {
    let store = || Store::of(config, &environment.project).root().to_path_buf();
    match task {
        Task::Backup => (store(), Event::Backup),
        Task::Upload => (store(), Event::Offsite),
        Task::Drill => (store(), Event::Drill),
        Task::Prune => (store(), Event::Prune),
        Task::PruneOffsite => (store(), Event::PruneOffsite),
        Task::Rotate => (rotations(config, environment), Event::Rotate),
    }
}

/// Returns the failures of a task that its journal knows.
fn lines_of(config: &Config, environment: &Environment, task: Task) -> Vec<Line> {
    let (root, event) = journal_of(config, environment, task);
    let lines = journal::lines(&root).into_iter();
    lines.filter(|line| line.event == event && line.error.is_some()).collect()
}

/// Notes that a task failed, where it ended before it could do so itself (no key, a folder that is not mounted).
fn note(
    config: &Config,
    environment: &Environment,
    (task, known): (Task, usize),
    failure: &Failure,
) -> Result<(), Failure> {
    let is_noted = lines_of(config, environment, task).len() > known;
    if is_noted || failure.exit() == Exit::Locked {
        return Ok(());
    }
    let (root, event) = journal_of(config, environment, task);
    files::private_dir(&root).map_err(Failure::writing(&root))?;
    Ok(journal::append(&root, event, None, Some(failure.text().replace('\n', " ")), 0.0)?)
}

/// Returns what is due, in its order.
fn tasks(config: &Config, one: &Scheduled<'_>) -> Result<Vec<Task>, Failure> {
    let mut tasks = due(&paces(config, one), clock::unix_seconds());
    let is_new = tasks.contains(&Task::Backup);
    for task in [Task::Prune, Task::PruneOffsite] {
        let applies = task == Task::Prune || config.backup.offsite.is_some();
        if is_new && applies && !tasks.contains(&task) {
            tasks.push(task);
        }
    }
    if one.backed_up && config.backup.offsite.is_some() && (is_new || offsite::is_behind(config, one.environment)?) {
        tasks.push(Task::Upload);
    }
    tasks.sort();
    Ok(tasks)
}

async fn one(config: &Arc<Config>, environment: &Environment, task: Task) -> Result<(), Failure> {
    match task {
        Task::Backup => {
            let manifest = backup::make(config, &Wanted { environment, databases: &[], volumes: &[] }).await?;
            print_message(&format!("{}: backup {}", environment.name, manifest.id));
        }
        Task::Upload => offsite::upload_now(config, environment, None).await?,
        Task::Drill if config.backup.offsite.is_some() => {
            let identity = backup::identity(config, None)?;
            offsite::drill(config, environment, "latest", (identity.as_ref(), true)).await?;
        }
        Task::Drill => {
            let identity = backup::identity(config, None)?;
            let has = |manifest: &_| backup::has_databases(config, manifest);
            let stored = Store::of(config, &environment.project).find_with("latest", has)?;
            backup::drill(config, environment, &stored, identity.as_ref()).await?;
        }
        Task::Prune => {
            let gone = backup::prune_now(config, environment).await?;
            gone.iter().for_each(|one| print_message(&format!("removed backup {}  {}", one.id, one.reason)));
            print_message(&format!("{}: removed {}", environment.name, counted(gone.len(), "old backup")));
        }
        Task::PruneOffsite => drop(offsite::prune_now(config, environment).await?),
        Task::Rotate => rotate(config, environment)?,
    }
    Ok(())
}

fn rotate(config: &Config, environment: &Environment) -> Result<(), Failure> {
    let (begun, folder) = (Instant::now(), rotations(config, environment));
    files::private_dir(&folder).map_err(Failure::writing(&folder))?;
    let done = rotation::due(config, environment).and_then(|gone| {
        rotation::remove(&gone)?;
        Ok(gone)
    });
    let error = done.as_ref().err().map(|error| with_causes(error).replace('\n', " "));
    let written = journal::append(&folder, Event::Rotate, None, error, begun.elapsed().as_secs_f64());
    let gone = outcome_first(done.map_err(Failure::from), written)?;
    gone.iter().for_each(|one| print_message(&removed("removed", one)));
    let size = Size(gone.iter().map(|one| one.bytes).sum());
    if !gone.is_empty() {
        print_message(&format!("{}: removed {} ({size})", environment.name, counted(gone.len(), "old log")));
    }
    Ok(())
}

fn removed(verb: &str, one: &Removal) -> String {
    format!("{verb} {}  {}", one.name, one.reason)
}

fn word(task: Task) -> &'static str {
    match task {
        Task::Backup => "backup",
        Task::Upload => "upload",
        Task::Drill => "restore drill",
        Task::Prune => "prune",
        Task::PruneOffsite => "off-site prune",
        Task::Rotate => "log rotation",
    }
}

async fn status(config: &Config, args: &cli::ListBackups) -> Result<Exit, Failure> {
    let (now, mut values) = (clock::unix_seconds(), Vec::new());
    for scheduled in scheduled(config, args.env.as_ref())? {
        let environment = scheduled.environment;
        let paces = paces(config, &scheduled);
        let due = due(&paces, now);
        for pace in paces {
            let last = pace.last.map_or_else(|| "never".to_owned(), minute);
            let next = match (pace.every, due.contains(&pace.task)) {
                (0, _) => "off".to_owned(),
                (_, true) => "due now".to_owned(),
                (every, false) => format!("due in {}", length((pace.last.unwrap_or(now) + every - now).max(0))),
            };
            if !args.json {
                print_result(&format!("{:<12} {:<13} last {last}  {next}", environment.name, word(pace.task)));
            }
            values.push(serde_json::json!({
                "environment": environment.name, "task": word(pace.task), "last": pace.last,
                "every_seconds": pace.every, "due": due.contains(&pace.task),
            }));
        }
    }
    let (timer, json) = install::state(config).await;
    if args.json {
        give_json(&serde_json::to_string_pretty(&serde_json::json!({ "v": 1, "tasks": values, "timer": json }))?);
    } else {
        print_result(&format!("timer        {timer}"));
    }
    Ok(Exit::Passed)
}

impl crate::failure::Classify for rotation::RotationError {
    fn class(&self) -> stagegate_base::exit::Cause {
        stagegate_base::exit::Cause::File
    }
}
