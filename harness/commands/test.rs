//! `gate test`: the suites, shown as they end, judged at the end.

use std::{sync::Arc, time::Instant};

use stagegate_base::{
    config::{Config, EPHEMERAL, Environment},
    exit::Exit,
    record::Record,
    report::wrapped,
};
use stagegate_gate_act::schema_ahead;
use stagegate_gate_decide::{
    report::{
        self,
        terminal::{Detail, Live},
    },
    verdict::{interrupted, verdict},
};
use stagegate_host::{
    paths::StateDir,
    release,
    signal::{self, Again},
};
use stagegate_suites::{
    Scope, Trial, run,
    suite_run::{RunEnd, RunOptions, SuiteRun, Target, planned},
};

use super::output::{self, colour};
use crate::{
    cli, confirm_option,
    failure::{Failure, give_document, print_message, print_result},
    progress, screen,
};

pub(super) async fn run(config: &Arc<Config>, args: cli::Test) -> Result<Exit, Failure> {
    let with_majors = on_majors(config, &args.pg);
    let config = with_majors.as_ref().unwrap_or(config);
    let name = args.env.clone().or_else(|| std::env::var("STAGEGATE_ENV").ok()).filter(|name| !name.is_empty());
    let environment = config.environment(name.as_deref().unwrap_or(EPHEMERAL))?;
    let full_load = confirm_option::confirmed(environment, args.confirm.as_deref())?;
    let trials = stagegate_suites::trials(Scope { config, environment });
    let listed: Vec<&str> = trials.iter().map(|trial| trial.name.as_str()).collect();
    for prefix in config.idle_severities(&listed) {
        print_message(&format!("warning: [severity] lists `{prefix}`, but no check's name begins with it"));
    }
    let trials = run::select(trials, environment, &args.filters);
    if args.list {
        let names: Vec<&str> = trials.iter().map(|trial| trial.name.as_str()).collect();
        if !names.is_empty() {
            print_result(&names.join("\n"));
        }
        return Ok(Exit::Passed);
    }
    output::writable(&args.output)?;
    if trials.is_empty() && !args.filters.is_empty() {
        let (name, filters) = (&environment.name, args.filters.join("` or `"));
        print_message(&format!(
            "no check of `{name}` has `{filters}` in its name; `gate test --env {name} --list` lists all names"
        ));
    }
    // A file that the configuration names and that is not there is a mistake in it, and nothing that a check found.
    stagegate_host::project::env_files(environment)?;
    let started = stagegate_host::clock::now();
    let planned = planned(config, &trials);
    let detail = match &args {
        cli::Test { verbose: true, .. } => Detail::Everything,
        cli::Test { quiet: true, .. } => Detail::Blocking,
        _ => Detail::Findings,
    };
    let live = (!args.output.takes_stdout()).then(|| Live::new(&planned, detail));
    let (records, left) = checked(config, environment, &trials, full_load, live).await;
    let run = report::Run {
        environment: environment.name.clone(),
        release: release::deployed(&StateDir::of(config, &environment.project))?.map(|deployed| deployed.release.name),
        started,
        verdict: match left.is_interrupted {
            true => interrupted(&records, &planned, &config.readiness),
            false => verdict(&records, &planned, &config.readiness),
        },
        records,
    };
    written(&run, &args.output, detail)?;
    Ok(if left.is_interrupted { Exit::Interrupted } else { run.verdict.exit() })
}

/// Returns the configuration with other majors for the migrations, where some were asked for.
fn on_majors(config: &Arc<Config>, majors: &[u32]) -> Option<Arc<Config>> {
    let mut changed = Config::clone(config);
    changed.migrations.values_mut().for_each(|migrations| majors.clone_into(&mut migrations.pg));
    (!majors.is_empty()).then(|| Arc::new(changed))
}

/// Runs the checks, and shows them as they end where `live` has their lines; what ran until a signal came is kept.
async fn checked(
    config: &Arc<Config>,
    environment: &Environment,
    trials: &[Trial],
    full_load: bool,
    mut live: Option<Live>,
) -> (Vec<Record>, RunEnd) {
    super::report_shell(environment);
    let signals = Some(signal::listen(Again::Ends));
    let schema_ahead = schema_ahead(&StateDir::of(config, &environment.project));
    let options =
        RunOptions { soak: None, full_load, schema_ahead, keeps_records: true, signals, notice: print_message };
    let run = SuiteRun::new(Arc::clone(config), Target::Environment(Box::new(environment.clone())), options);
    let (mut ended, began) = (0, Instant::now());
    let progress = |ended: usize| {
        progress::while_it_lasts(&format!("{ended} of {} checks", trials.len()), began, None);
    };
    progress(ended);
    let on_record = |record: &Record| {
        ended += 1;
        if let Some(live) = &mut live {
            show(&live.record(record, began.elapsed(), colour()));
        }
        progress(ended);
    };
    let records = run.all(trials.to_vec(), on_record).await;
    progress::clear();
    show(&live.map(|live| live.rest(colour())).unwrap_or_default());
    (records, run.finish().await)
}

/// Prints lines for a person; on a terminal as wide as it is.
fn show(text: &str) {
    if !text.is_empty() {
        print_result(&screen::columns().map_or_else(|| text.to_owned(), |columns| wrapped(text, columns)));
    }
}

fn written(run: &report::Run, args: &cli::Output, detail: Detail) -> Result<(), Failure> {
    if args.json {
        give_document(&report::json::text(run)?);
    } else if !args.takes_stdout() {
        show(&report::terminal::end(run, detail, colour()));
        let next = report::terminal::next_command(run, detail);
        if !next.is_empty() {
            print_result(&next);
        }
    }
    output::to(args.junit.as_deref(), &report::junit::text(run))?;
    output::to(args.markdown.as_deref(), &report::markdown::text(run))?;
    output::to(args.html.as_deref(), &report::html::text(run, &[]))?;
    output::to(args.sarif.as_deref(), &report::findings(run).sarif(env!("CARGO_PKG_VERSION")))?;
    output::annotate(&report::github::text(run));
    Ok(())
}
