//! Steps, one after the other: fills templates in, asks, compares, captures, asks again until it holds.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use stagegate_base::{config::Service, finding::Finding, record::Evidence, redact::Mask};
use stagegate_host::error::with_causes;
use stagegate_workflow_decide::{ExecutedStep, Login, State, Step, StepRequest, Until, Vars, waited};
use tokio_postgres::Client;

use super::{
    WorkflowContext, exec, http, redis,
    result::{StepError, StepResult},
    sql,
};
use crate::browser::{self, PageContext};

/// How much of a response is shown, in characters.
const SHOWN: usize = 600;

/// How long the last question of an `until` may take: it begins when the time is over.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// Why a step does not hold, at its last question.
#[derive(Clone, Default)]
struct Mismatch {
    message: String,
    findings: Vec<Finding>,
    evidence: Vec<Evidence>,
}

/// A step that is being taken.
struct Current {
    step: Step,
    begun: Instant,
    attempts: u32,
    wrong: Option<Mismatch>,
    screenshot: Option<String>,
}

/// A way through steps.
pub(super) struct StepRunner {
    place: Arc<WorkflowContext>,
    vars: Vars,
    captured: Vars,
    clients: BTreeMap<String, Client>,
    steps: Vec<ExecutedStep>,
    current: Option<Current>,
}

impl StepRunner {
    /// Begins; `secrets` are those of the file, `nth` tells this run from others in the same place.
    ///
    /// # Errors
    /// A text that names the secret which is nowhere.
    pub(super) fn new(
        place: &Arc<WorkflowContext>,
        secrets: &BTreeMap<String, String>,
        nth: u64,
    ) -> Result<Self, String> {
        let mut vars = place.vars(nth);
        vars.extend(place.read_secrets(secrets)?);
        let (captured, clients) = (Vars::new(), BTreeMap::new());
        Ok(StepRunner { place: Arc::clone(place), vars, captured, clients, steps: Vec::new(), current: None })
    }

    /// Takes steps until one does not pass.
    pub(super) async fn take(&mut self, steps: &[Step]) {
        for step in steps {
            let state = self.step(step).await;
            let is_passed = state == State::Passed;
            self.ended(state);
            if !is_passed {
                return;
            }
        }
    }

    /// Takes clean-up steps, each whatever became of the others, within `within` for all.
    pub(super) async fn clean_up(&mut self, steps: &[Step], within: Duration) {
        let ends = tokio::time::Instant::now() + within;
        for step in steps {
            if let Some(name) = self.unset(step) {
                self.begin(step);
                self.ended(State::Skipped(format!("nothing to clean up: `{name}` was never captured")));
                continue;
            }
            match tokio::time::timeout_at(ends, self.step(step)).await {
                Ok(state) => self.ended(state),
                Err(_) => self.cut(&format!("clean-up timed out after {} s", within.as_secs())),
            }
        }
    }

    /// Returns a name that a step needs and nobody captured.
    fn unset(&self, step: &Step) -> Option<String> {
        let missing = |name: &&str| !name.starts_with("login.") && !self.vars.contains_key(*name);
        step.needs().into_iter().find(missing).map(str::to_owned)
    }

    /// Ends the step that is being taken as failed.
    pub(super) fn cut(&mut self, reason: &str) {
        let Some(current) = self.current.take() else { return };
        let Mismatch { message, findings, evidence } = current.wrong.clone().unwrap_or_default();
        let last = if message.is_empty() { String::new() } else { format!("; last result: {message}") };
        let message = format!("{reason}, {:.1} s into this step{last}", current.begun.elapsed().as_secs_f64());
        self.keep(&current, State::Failed { message, findings, evidence });
    }

    /// Returns what was captured.
    pub(super) fn captured(&self) -> &Vars {
        &self.captured
    }

    /// Returns why the last step did not pass, where it did not.
    pub(super) fn failure(&self) -> Option<String> {
        let last = self.steps.last()?;
        match &last.state {
            State::Passed => None,
            State::Failed { message, findings, .. } => {
                let found =
                    findings.first().map(|f| format!(": {} is {}, not {}", f.place.object, f.found, f.expected));
                Some(format!("step `{}`: {message}{}", last.name, found.unwrap_or_default()))
            }
            State::Broken(reason) | State::Skipped(reason) => Some(format!("step `{}`: {reason}", last.name)),
        }
    }

    /// Returns what became of the steps, secrets masked.
    pub(super) fn into_steps(self) -> Vec<ExecutedStep> {
        let mask = self.place.mask();
        self.steps.into_iter().map(|step| ExecutedStep { state: masked(step.state, &mask), ..step }).collect()
    }

    fn begin(&mut self, step: &Step) {
        self.current =
            Some(Current { step: step.clone(), begun: Instant::now(), attempts: 0, wrong: None, screenshot: None });
    }

    fn ended(&mut self, state: State) {
        if let Some(current) = self.current.take() {
            self.keep(&current, state);
        }
    }

    fn keep(&mut self, current: &Current, state: State) {
        let Current { step, begun, attempts, screenshot, .. } = current;
        self.steps.push(ExecutedStep {
            name: step.name.clone(),
            line: step.line,
            cleanup: step.cleanup,
            attempts: *attempts,
            took: begun.elapsed(),
            state,
            screenshot: screenshot.clone(),
        });
    }

    async fn step(&mut self, step: &Step) -> State {
        self.begin(step);
        if let Err(reason) = self.log_in(step).await {
            return State::Failed { message: reason, findings: Vec::new(), evidence: Vec::new() };
        }
        let begun = Instant::now();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let requested = match step.until {
                None => self.attempt(step).await,
                Some(until) => {
                    self.attempt_within(step, until.within.saturating_sub(begun.elapsed()).max(LAST_ANSWER)).await
                }
            };
            let wrong = match requested {
                Ok(None) => return State::Passed,
                Ok(Some(wrong)) => wrong,
                Err(StepError::Failed(message)) => Mismatch { message, ..Mismatch::default() },
                Err(StepError::Broken(reason)) => return State::Broken(reason),
                Err(StepError::Lacking(reason)) => return State::Skipped(reason),
            };
            if let Some(current) = &mut self.current {
                (current.attempts, current.wrong) = (attempts, Some(wrong.clone()));
            }
            match next_pause(step.until, attempts, begun.elapsed()) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return failed(wrong, step.until.map(|_| waited(begun.elapsed(), attempts))),
            }
        }
    }

    async fn log_in(&mut self, step: &Step) -> Result<(), String> {
        for name in step.needs() {
            let login = name.strip_prefix("login.").and_then(|rest| rest.split('.').next());
            if let Some(login) = login
                && !self.vars.contains_key(name)
            {
                self.vars.extend(self::login(&self.place, login).await?);
            }
        }
        Ok(())
    }

    /// Asks once, with the last response's fault where the time is over meanwhile.
    async fn attempt_within(&mut self, step: &Step, within: Duration) -> Result<Option<Mismatch>, StepError> {
        let last = self.current.as_ref().and_then(|current| current.wrong.clone());
        match tokio::time::timeout(within, self.attempt(step)).await {
            Ok(requested) => requested,
            Err(_) => {
                let message = format!("no response within {:.1} s", within.as_secs_f64());
                Ok(Some(last.unwrap_or(Mismatch { message, ..Mismatch::default() })))
            }
        }
    }

    /// Asks once: nothing where everything holds, and what was to be captured is.
    async fn attempt(&mut self, step: &Step) -> Result<Option<Mismatch>, StepError> {
        let unset = |unset: stagegate_workflow_decide::Unset| StepError::Broken(unset.to_string());
        let ask = step.action.request(&self.vars, step.safe).map_err(unset)?;
        let response = self.run(&ask).await?;
        if let Some(current) = &mut self.current {
            let picture = response.evidence.iter().find(|evidence| evidence.name == browser::SCREENSHOT);
            current.screenshot = picture.map(|evidence| evidence.text.clone());
        }
        let mut findings = response.findings;
        if let Some(status) = response.observed.status.filter(|status| !step.action.is_expected(*status)) {
            let (expected, found) = (step.action.expected(), format!("integer {status}"));
            findings.push(Finding::differs("status", expected, found));
        }
        for assertion in &step.assertions {
            findings.extend(assertion.differences(&response.observed, &self.vars).map_err(unset)?);
        }
        let mut captured = Vars::new();
        for (name, source) in &step.capture {
            let found = match source.of(&response.observed) {
                Ok(Some(value)) => {
                    captured.insert(name.clone(), value);
                    continue;
                }
                Ok(None) => "missing".to_owned(),
                Err(reason) => reason.to_string(),
            };
            let expected = format!("a value to capture as `{name}`");
            findings.push(Finding::differs(source.to_string(), expected, found));
        }
        // What was made has to be cleaned up, also where the rest of the response is wrong.
        self.captured.extend(captured.clone());
        self.vars.extend(captured);
        if findings.is_empty() {
            return Ok(None);
        }
        let mut evidence = response.evidence;
        evidence.extend(display(&ask, &response.observed));
        let message = format!("{} did not return the expected result", ask.line());
        Ok(Some(Mismatch { message, findings, evidence }))
    }

    async fn run(&mut self, ask: &StepRequest) -> Result<StepResult, StepError> {
        match ask {
            StepRequest::Http { service, .. } => {
                let known = self.place.project.config.services.get(service);
                let own = known.map(Service::headers).unwrap_or_default();
                http::run(&self.addresses(service).await?, own, ask).await
            }
            StepRequest::Sql { database, .. } => {
                let client = match self.clients.remove(database) {
                    Some(client) if !client.is_closed() => client,
                    _ => sql::connect(&self.place.project, &self.place.engine, database).await?,
                };
                let response = sql::run(&client, ask).await?;
                self.clients.insert(database.clone(), client);
                Ok(response)
            }
            StepRequest::Redis { service, .. } => {
                let addresses = self.addresses(service).await?;
                redis::run(&addresses, redis::password(&self.place.project.model, service), ask).await
            }
            StepRequest::Exec { .. } => exec::run(&self.place, ask).await,
            StepRequest::Browser { service, .. } => {
                let program = browser::program()?;
                let (addresses, evidence) = (self.addresses(service).await?, self.place.evidence());
                let context = PageContext { runner: &self.place.runner, program, addresses, evidence };
                browser::run(&context, ask).await
            }
        }
    }

    async fn addresses(&self, service: &str) -> Result<Vec<SocketAddr>, StepError> {
        self.place.addresses(service).await.map_err(|error| StepError::Failed(with_causes(&error)))
    }
}

/// Returns what a login captures, as `login.<name>.<capture>`; its steps are taken once a run.
pub(super) async fn login(place: &Arc<WorkflowContext>, name: &str) -> Result<Vars, String> {
    let known = place.known_login(name);
    let (login, cell) = known.ok_or_else(|| format!("login `{name}` is in no workflow file"))?;
    // Boxed, since a login's steps are taken by what asks for logins.
    let taken = || Box::pin(log_in(Arc::clone(place), login));
    cell.get_or_init(taken).await.clone()
}

async fn log_in(place: Arc<WorkflowContext>, login: &Login) -> Result<Vars, String> {
    let mut runner = StepRunner::new(&place, &login.secrets, 0)?;
    runner.take(&login.steps).await;
    let captured = runner.captured().clone();
    if let Some(reason) = runner.failure() {
        return Err(format!("login `{}` ({}): {reason}", login.name, login.file.display()));
    }
    let named = captured.into_iter().map(|(name, value)| {
        if let Some(text) = value.as_str() {
            place.keep_secret(text);
        }
        (format!("login.{}.{name}", login.name), value)
    });
    Ok(named.collect())
}

fn next_pause(until: Option<Until>, attempts: u32, elapsed: Duration) -> Option<Duration> {
    let left = until?.within.checked_sub(elapsed).filter(|left| !left.is_zero())?;
    // Not longer than what is left: what came in time is seen by the last question.
    Some(until?.pause(attempts).min(left))
}

fn failed(wrong: Mismatch, waited: Option<String>) -> State {
    let message = match waited {
        Some(waited) => format!("{waited}: {}", wrong.message),
        None => wrong.message,
    };
    State::Failed { message, findings: wrong.findings, evidence: wrong.evidence }
}

fn display(ask: &StepRequest, observed: &stagegate_workflow_decide::Observed) -> [Evidence; 2] {
    let status = observed.status.map(|status| format!("{status}, ")).unwrap_or_default();
    let body: String = observed.text.chars().take(SHOWN).collect();
    let text = format!("{status}{} ms\n{body}", observed.took.as_millis());
    [Evidence { name: "request".to_owned(), text: ask.line() }, Evidence { name: "last result".to_owned(), text }]
}

fn masked(state: State, mask: &Mask) -> State {
    let finding =
        |f: Finding| Finding::differs(mask.apply(&f.place.object), mask.apply(&f.expected), mask.apply(&f.found));
    match state {
        State::Passed => State::Passed,
        State::Broken(reason) => State::Broken(mask.apply(&reason)),
        State::Skipped(reason) => State::Skipped(mask.apply(&reason)),
        State::Failed { message, findings, evidence } => State::Failed {
            message: mask.apply(&message),
            findings: findings.into_iter().map(finding).collect(),
            evidence: evidence.into_iter().map(|e| Evidence { text: mask.apply(&e.text), ..e }).collect(),
        },
    }
}
