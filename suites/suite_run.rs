//! One run of the suites: reaches the environment, runs checks, keeps their records, and removes what it started.
//!
//! `gate test`, a promotion and `cargo test` all run suites by this, so that they have one rule for what cannot be reached,
//! for a record that cannot be written and for a signal. After a signal no check begins and none goes on: each of them gets
//! a record that states so, workflows clean up, and an ephemeral stack is removed.

use std::{
    error::Error,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use stagegate_base::{
    config::{Config, EPHEMERAL, Environment},
    record::{INTERRUPTED, Outcome, Planned, Record},
};
use stagegate_host::{
    engine::Engine, error::with_causes, paths::StateDir, process::Runner, project::Project, signal::Signals,
};
use tokio::sync::OnceCell;

use crate::{
    ephemeral::{self, EphemeralError, Stack},
    records::Records,
    run::{self, AT_A_TIME},
    session::{Session, SessionOptions},
    trial::Trial,
};

/// What the suites run against.
pub enum Target {
    /// An environment of the configuration; `ephemeral` is started, and removed at the end.
    Environment(Box<Environment>),
    /// A resolved project, which need not be an environment.
    Project(Box<Project>),
}

/// How a run of the suites differs from another.
pub struct RunOptions {
    /// How long it is watched that nothing restarts; a second at most where `None`.
    pub soak: Option<Duration>,
    /// Whether a protected environment gets the whole load.
    pub full_load: bool,
    /// Whose schema the databases have, for a person, where it is a newer release's than the live one: after a rollback of
    /// the code alone what differs from the live release's migrations is no fault.
    pub schema_ahead: Option<String>,
    /// Whether records are written to the environment's folder.
    pub keeps_records: bool,
    /// The signals that end it; `None` where the caller decides on them.
    pub signals: Option<Signals>,
    /// Prints what the person should know meanwhile.
    pub notice: fn(&str),
}

/// What is left of a run.
#[derive(Debug)]
pub struct RunEnd {
    /// The file of records, where one was written.
    pub records: Option<PathBuf>,
    /// Whether a signal ended it.
    pub is_interrupted: bool,
}

/// A run of the suites.
pub struct SuiteRun {
    config: Arc<Config>,
    target: Target,
    options: RunOptions,
    session: OnceCell<Result<Arc<Session>, String>>,
    stack: Mutex<Option<Stack>>,
    records: OnceCell<Option<Records>>,
}

impl SuiteRun {
    /// Makes a run; the environment is reached by the first check. Needs a multi-thread runtime.
    #[must_use]
    pub fn new(config: Arc<Config>, target: Target, options: RunOptions) -> Self {
        if let Some(signals) = options.signals.clone() {
            let notice = options.notice;
            tokio::spawn(async move {
                signals.first().await;
                notice("interrupted: writing the results and removing what was started; a second Ctrl-C ends at once");
            });
        }
        let (session, records) = (OnceCell::new(), OnceCell::new());
        SuiteRun { config, target, options, session, stack: Mutex::new(None), records }
    }

    /// Runs the checks, several at a time, and returns their records in the checks' order.
    ///
    /// `on_record` gets the record of each check that ran, as it ends.
    pub async fn all(&self, trials: Vec<Trial>, mut on_record: impl FnMut(&Record) + Send) -> Vec<Record> {
        let mut records = Vec::with_capacity(trials.len());
        let checks =
            trials.into_iter().enumerate().map(|(place, trial)| async move { (place, self.check(&trial).await) });
        let mut ended = stream::iter(checks).buffer_unordered(AT_A_TIME);
        while let Some((place, record)) = ended.next().await {
            if !record.is_interrupted() {
                on_record(&record);
            }
            records.push((place, record));
        }
        records.sort_by_key(|(place, _)| *place);
        records.into_iter().map(|(_, record)| record).collect()
    }

    /// Runs one check and keeps its record.
    ///
    /// An environment that cannot be reached, a panic and a time limit make a broken record, a signal one of a check that
    /// was not run; never none.
    pub async fn check(&self, trial: &Trial) -> Record {
        let record = match self.session.get_or_init(|| self.reach()).await {
            _ if self.have_signals_come() => self.not_run(trial),
            Err(reason) => run::broken(&self.config, &self.environment().name, trial, reason),
            Ok(session) => {
                tokio::select! {
                    biased;
                    () = self.signal() => self.not_run(trial),
                    record = run::one(session, trial) => record,
                }
            }
        };
        self.keep(&record).await;
        record
    }

    /// Ends the run: after a signal workflows clean up, and an ephemeral stack is removed.
    pub async fn finish(&self) -> RunEnd {
        let is_interrupted = self.have_signals_come();
        if is_interrupted {
            stagegate_workflow_act::settle().await;
        }
        let stack = self.stack.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stack) = stack {
            match stack.take_down().await {
                Ok(took) => (self.options.notice)(&format!("taken down in {:.1} s", took.as_secs_f64())),
                Err(error) => (self.options.notice)(&with_causes(&error)),
            }
        }
        let records = self.records.get().and_then(Option::as_ref).map(|file| file.path().to_path_buf());
        RunEnd { records, is_interrupted }
    }

    fn environment(&self) -> &Environment {
        match &self.target {
            Target::Environment(environment) => environment,
            Target::Project(project) => &project.environment,
        }
    }

    async fn signal(&self) {
        match &self.options.signals {
            Some(signals) => signals.first().await,
            None => std::future::pending().await,
        }
    }

    fn have_signals_come(&self) -> bool {
        self.options.signals.as_ref().is_some_and(Signals::have_come)
    }

    fn not_run(&self, trial: &Trial) -> Record {
        let severity = self.config.severity_of(&trial.name, trial.severity);
        Record::new(&self.environment().name, &trial.name, severity, 0, Outcome::Skip(INTERRUPTED.to_owned()))
    }

    async fn reach(&self) -> Result<Arc<Session>, String> {
        let engine = self.unless_interrupted(Engine::connect()).await?;
        let project = match &self.target {
            Target::Project(project) => Project::clone(project),
            // A stack that is coming up ends by itself after a signal, and leaves nothing.
            Target::Environment(_) if self.is_ephemeral() => {
                self.temporary(&engine).await.map_err(|error| with_causes(&error))?
            }
            Target::Environment(environment) => {
                let runner = Runner::default().with_progress(self.options.notice);
                self.unless_interrupted(Project::load(&runner, &self.config, &environment.name)).await?
            }
        };
        let RunOptions { soak, full_load, ref schema_ahead, .. } = self.options;
        let options = SessionOptions { soak, full_load, schema_ahead: schema_ahead.clone() };
        Ok(Session::with(project, engine, Runner::default(), options))
    }

    async fn unless_interrupted<T, E: Error + 'static>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, String> {
        tokio::select! {
            biased;
            () = self.signal() => Err(INTERRUPTED.to_owned()),
            done = work => done.map_err(|error| with_causes(&error)),
        }
    }

    fn is_ephemeral(&self) -> bool {
        matches!(&self.target, Target::Environment(environment) if environment.name == EPHEMERAL)
    }

    async fn temporary(&self, engine: &Engine) -> Result<Project, EphemeralError> {
        if ephemeral::is_shared() {
            return ephemeral::attach(&self.config, engine).await;
        }
        (self.options.notice)("starting a temporary copy of the stack");
        let stack = Stack::bring_up(&self.config, engine, self.signal()).await?;
        let project = stack.project().clone();
        (self.options.notice)(&came_up(project.compose_name(), stack.up_in(), stack.failure()));
        *self.stack.lock().unwrap_or_else(PoisonError::into_inner) = Some(stack);
        Ok(project)
    }

    /// Writes a record to the run's file. A file that cannot be written is reported once, and the run goes on.
    async fn keep(&self, record: &Record) {
        if !self.options.keeps_records {
            return;
        }
        if let Some(file) = self.records.get_or_init(async || self.open()).await
            && let Err(error) = file.append(record)
        {
            (self.options.notice)(&format!("cannot write {}: {error}", file.path().display()));
        }
    }

    fn open(&self) -> Option<Records> {
        let dir = StateDir::of(&self.config, &self.environment().project).tests();
        let failed = |error| (self.options.notice)(&format!("records are not kept: {}: {error}", dir.display()));
        Records::open(&dir, &Records::name_of_run()).map_err(failed).ok()
    }
}

/// States how a temporary copy was started: whether it is ready is what the checks report.
fn came_up(name: &str, took: Duration, failure: Option<&str>) -> String {
    let seconds = took.as_secs_f64();
    match failure {
        None => format!("{name} was started in {seconds:.1} s"),
        Some(reason) => format!("{name} was not started whole within {seconds:.1} s: {reason}"),
    }
}

/// Returns which checks have to leave a record, and their severity.
#[must_use]
pub fn planned(config: &Config, trials: &[Trial]) -> Vec<Planned> {
    let plan = |trial: &Trial| Planned {
        trial: trial.name.clone(),
        severity: config.severity_of(&trial.name, trial.severity),
    };
    trials.iter().map(plan).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_which_a_service_ended_did_not_come_up() {
        let took = Duration::from_millis(1250);
        assert_eq!(came_up("eph-1", took, None), "eph-1 was started in 1.2 s");
        let ended = came_up("eph-1", took, Some("eph-1-db-1 exited with code 1"));
        assert_eq!(ended, "eph-1 was not started whole within 1.2 s: eph-1-db-1 exited with code 1");
    }
}
