//! `cargo test -- --env staging`: the suites behind libtest's own flags.
//!
//! libtest-mimic is the face that cargo, nextest and editors know; the records are ours, one JSON line a trial. A
//! trial that could not be asked fails: no Docker, no stack, no answer from ourselves is never a pass.

use std::{
    io::Write,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clap::Parser;
use libtest_mimic::{Arguments, Completion, Conclusion, Failed};
use stagegate_base::{
    config::{Config, EPHEMERAL, Environment},
    record::{Record, Severity, Status},
};
use stagegate_gate_decide::report::terminal::{self, Colour};
use stagegate_host::{
    engine::Engine,
    error::with_causes,
    paths::StateDir,
    process::Runner,
    project::{Project, read_config},
};
use stagegate_suites::{
    Scope, Trial,
    ephemeral::{self, Stack},
    records::Records,
    run,
    session::Session,
};
use tokio::{runtime::Runtime, sync::OnceCell};

/// What `cargo test` says for a failed test.
const FAILED: u8 = 101;
/// The environment that is asked where neither `--env` nor this variable says another one.
const ENV_VARIABLE: &str = "STAGEGATE_ENV";

#[derive(Parser)]
#[command(about = "Asks whether an environment is sound", after_help = "Records are kept as JSON lines.")]
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
    if ephemeral::reap_if_asked() {
        return ExitCode::SUCCESS;
    }
    match tested(Cli::parse()) {
        Ok(conclusion) => conclusion.exit_code(),
        Err(reason) => {
            tell(&reason);
            ExitCode::from(FAILED)
        }
    }
}

fn tested(cli: Cli) -> Result<Conclusion, String> {
    let config = Arc::new(read_config(cli.config.as_deref()).map_err(|error| with_causes(&error))?);
    for notice in &config.notices {
        tell(&format!("notice: {}: {notice}", config.path.display()));
    }
    let name = cli.env.or_else(|| std::env::var(ENV_VARIABLE).ok()).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| EPHEMERAL.to_owned());
    let environment = config.environment(&name).map_err(|error| error.to_string())?.clone();
    let scope = Scope { config: &config, environment: &environment };
    let trials = run::select(stagegate_suites::trials(scope), &environment, &[]);
    let mut arguments = cli.libtest;
    // Trials wait for answers more than they work, so that their number does not follow the processor's.
    arguments.test_threads = arguments.test_threads.or(Some(run::AT_A_TIME));
    let runtime = Runtime::new().map_err(|error| format!("no runtime: {error}"))?;
    let target = Arc::new(Target::new(config, environment, runtime));
    let tests = trials.into_iter().map(|trial| test(Arc::clone(&target), trial)).collect();
    let conclusion = libtest_mimic::run(&arguments, tests);
    target.leave();
    Ok(conclusion)
}

fn test(target: Arc<Target>, trial: Trial) -> libtest_mimic::Trial {
    libtest_mimic::Trial::ignorable_test(trial.name.clone(), move || {
        let record = target.runtime.block_on(target.ask(&trial));
        target.keep(&record);
        ended(&record)
    })
}

/// Translates a record to what libtest knows. A failure that holds no release fails no test either: it is told, as
/// ignored. What could not be asked fails whatever it weighs: a run without Docker must not end well.
fn ended(record: &Record) -> Result<Completion, Failed> {
    let text = terminal::record(record, Colour::Plain);
    match (record.status, record.severity) {
        (Status::Pass, _) => Ok(Completion::Completed),
        (Status::Skip, _) => Ok(Completion::ignored_with(&record.message)),
        (Status::Broken, _) | (Status::Fail, Severity::Required) => Err(Failed::from(text.trim_end())),
        (Status::Fail, Severity::Warning | Severity::Info) => {
            tell(text.trim_end());
            Ok(Completion::ignored_with(&record.message))
        }
    }
}

/// The environment that this run asks, reached when the first trial asks.
struct Target {
    config: Arc<Config>,
    environment: Environment,
    runtime: Runtime,
    session: OnceCell<Result<Arc<Session>, String>>,
    stack: Mutex<Option<Stack>>,
    records: OnceCell<Option<Records>>,
}

impl Target {
    fn new(config: Arc<Config>, environment: Environment, runtime: Runtime) -> Self {
        let (session, records) = (OnceCell::new(), OnceCell::new());
        Target { config, environment, runtime, session, stack: Mutex::new(None), records }
    }

    async fn ask(&self, trial: &Trial) -> Record {
        let record = match self.session.get_or_init(|| self.reach()).await {
            Ok(session) => run::one(session, trial).await,
            Err(reason) => run::broken(&self.config, &self.environment.name, trial, reason),
        };
        if self.stack().as_ref().is_some_and(Stack::is_ending) {
            // The answer is about our own taking down; the signal's task ends this process.
            std::future::pending::<()>().await;
        }
        record
    }

    fn stack(&self) -> MutexGuard<'_, Option<Stack>> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn reach(&self) -> Result<Arc<Session>, String> {
        let engine = Engine::connect().await.map_err(|error| with_causes(&error))?;
        let project = match self.environment.name.as_str() {
            EPHEMERAL => self.throw_away(&engine).await.map_err(|error| with_causes(&error))?,
            name => {
                // A throw-away copy handles signals itself; here the environment stays, and what was made in it goes.
                self.runtime.spawn(stagegate_workflow_act::settle_on_signal());
                let loaded = Project::load(&Runner::default(), &self.config, name).await;
                loaded.map_err(|error| with_causes(&error))?
            }
        };
        Ok(Session::new(project, engine, Runner::default()))
    }

    async fn throw_away(&self, engine: &Engine) -> Result<Project, ephemeral::EphemeralError> {
        if ephemeral::is_shared() {
            return ephemeral::attach(&self.config, engine).await;
        }
        let stack = Stack::bring_up(&self.config, engine).await?;
        let project = stack.project().clone();
        tell(&format!("{} came up in {:.1} s", project.compose_name(), stack.up_in().as_secs_f64()));
        *self.stack() = Some(stack);
        Ok(project)
    }

    /// Writes a record to the run's file. Where that cannot be written it is said once, and the run goes on.
    fn keep(&self, record: &Record) {
        let file = self.runtime.block_on(self.records.get_or_init(async || self.open()));
        if let Some(file) = file
            && let Err(error) = file.append(record)
        {
            tell(&format!("cannot write {}: {error}", file.path().display()));
        }
    }

    fn open(&self) -> Option<Records> {
        let dir = StateDir::of(&self.config, &self.environment.project).tests();
        let opened = Records::open(&dir, &Records::name_of_run());
        opened.map_err(|error| tell(&format!("records are not kept: {}: {error}", dir.display()))).ok()
    }

    /// Takes a throw-away stack down and says where the records are.
    fn leave(&self) {
        let stack = self.stack().take();
        if let Some(stack) = stack {
            match self.runtime.block_on(stack.take_down()) {
                Ok(took) => tell(&format!("taken down in {:.1} s", took.as_secs_f64())),
                Err(error) => tell(&with_causes(&error)),
            }
        }
        if let Some(Some(file)) = self.records.get() {
            tell(&format!("records: {}", file.path().display()));
        }
    }
}

/// Says something on standard error, which keeps standard output to libtest's format.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "stagegate: {text}");
}
