//! `cargo test -- --env staging`: the suites behind libtest's own flags.
//!
//! libtest-mimic is the face that cargo, nextest and editors know; the records are ours, one JSON line a trial. A
//! trial that could not be asked fails: no Docker, no stack, no response from ourselves is never a pass.

use std::{error::Error, io::Write, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Parser;
use libtest_mimic::{Arguments, Completion, Failed};
use stagegate_base::{
    config::EPHEMERAL,
    exit::Exit,
    record::{Record, Severity, Status},
};
use stagegate_gate_decide::report::terminal::{self, Colour};
use stagegate_host::{
    error::chain,
    paths::StateDir,
    project::{ProjectError, read_config},
    signal::{self, Again},
};
use stagegate_suites::{
    Scope, Trial, ephemeral, run,
    suite_run::{RunOptions, SuiteRun, Target},
};
use tokio::runtime::Runtime;

/// What `cargo test` states for a failed test.
const FAILED: u8 = 101;
/// The environment that is asked where neither `--env` nor this variable states another one.
const ENV_VARIABLE: &str = "STAGEGATE_ENV";

#[derive(Parser)]
#[command(about = "Checks whether an environment is healthy", after_help = "Records are kept as JSON lines.")]
struct Cli {
    /// Environment of stagegate.toml [default: $STAGEGATE_ENV, else `ephemeral`, a throw-away copy]
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Configuration file [default: stagegate.toml in this folder or above]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    libtest: Arguments,
}

fn main() -> ExitCode {
    if ephemeral::reap_if_requested() {
        return ExitCode::SUCCESS;
    }
    match tested(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            print_message(&chain(error.as_ref()));
            ExitCode::from(FAILED)
        }
    }
}

fn tested(cli: Cli) -> Result<ExitCode, Box<dyn Error>> {
    let config = Arc::new(read_config(cli.config.as_deref()).map_err(|error| match error {
        ProjectError::Config(error) => error.rendered().into(),
        other => Box::<dyn Error>::from(other),
    })?);
    let name = cli.env.or_else(|| std::env::var(ENV_VARIABLE).ok()).filter(|name| !name.is_empty());
    let environment = config.environment(name.as_deref().unwrap_or(EPHEMERAL))?.clone();
    let scope = Scope { config: &config, environment: &environment };
    let trials = run::select(stagegate_suites::trials(scope), &environment, &[]);
    let mut arguments = cli.libtest;
    // Checks wait for responses more than they work, so that their number does not follow the processor's.
    arguments.test_threads = arguments.test_threads.or(Some(run::AT_A_TIME));
    let runtime = Arc::new(Runtime::new()?);
    let entered = runtime.enter();
    let signals = Some(signal::listen(Again::Ends));
    let schema_ahead = stagegate_gate_act::schema_ahead(&StateDir::of(&config, &environment.project));
    let options =
        RunOptions { soak: None, full_load: false, schema_ahead, keeps_records: true, signals, notice: print_message };
    let run = Arc::new(SuiteRun::new(config, Target::Environment(Box::new(environment)), options));
    let tests = trials.into_iter().map(|trial| test(Arc::clone(&runtime), Arc::clone(&run), trial)).collect();
    let conclusion = libtest_mimic::run(&arguments, tests);
    drop(entered);
    let left = runtime.block_on(run.finish());
    if let Some(records) = left.records {
        print_message(&format!("records, with all that each check found: {}", records.display()));
    }
    let interrupted = || ExitCode::from(Exit::Interrupted.code());
    Ok(if left.is_interrupted { interrupted() } else { conclusion.exit_code() })
}

fn test(runtime: Arc<Runtime>, run: Arc<SuiteRun>, trial: Trial) -> libtest_mimic::Trial {
    libtest_mimic::Trial::ignorable_test(trial.name.clone(), move || ended(&runtime.block_on(run.check(&trial))))
}

/// Translates a record to what libtest knows. A failure that blocks no release fails no test either: libtest prints it as
/// ignored, with what is wrong. What could not be run fails whatever its severity: a run without Docker must not succeed.
fn ended(record: &Record) -> Result<Completion, Failed> {
    let failed = || Err(Failed::from(terminal::record(record, Colour::Plain).trim_end()));
    match (record.status, record.severity) {
        (Status::Pass, _) => Ok(Completion::Completed),
        (Status::Skip, _) => Ok(Completion::ignored_with(&record.message)),
        (Status::Broken, _) | (Status::Fail, Severity::Required) => failed(),
        (Status::Fail, severity @ (Severity::Warning | Severity::Info)) => {
            Ok(Completion::ignored_with(format!("{}: {}", severity.label(), record.message)))
        }
    }
}

/// States something on standard error, which keeps standard output to libtest's format.
fn print_message(text: &str) {
    let _ = writeln!(std::io::stderr(), "stagegate: {text}");
}
