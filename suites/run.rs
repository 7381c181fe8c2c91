//! Runs trials: several at a time, each with its own time, each with a record whatever happens.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use stagegate_base::{
    config::{Config, Environment},
    finding::Finding,
    record::{Evidence, Outcome, Record},
    redact::Mask,
};

use stagegate_host::error::with_causes;

use crate::{
    ready::Ready,
    session::Session,
    trial::{Effect, Trial},
};

/// How many trials ask at the same time.
pub const AT_A_TIME: usize = 8;
/// How long a trial may take, the wait for ready services not counted.
const TRIAL_WITHIN: Duration = Duration::from_secs(60);
/// What a trial that watches may take longer than its watch.
const BESIDE_SOAK: Duration = Duration::from_secs(15);

/// Chooses the trials that run: those that one of `filters` means (all, where there is none), without those that write where
/// the environment is protected.
///
/// A filter means a suite if one has its name; else names that contain its whole segments; else names that contain it.
#[must_use]
pub fn select(trials: Vec<Trial>, environment: &Environment, filters: &[String]) -> Vec<Trial> {
    let matchers: Vec<Matcher> = filters.iter().map(|filter| matcher(&trials, filter)).collect();
    let meant: Vec<bool> = trials
        .iter()
        .map(|trial| filters.is_empty() || filters.iter().zip(&matchers).any(|(filter, is)| is(&trial.name, filter)))
        .collect();
    let may_run = |trial: &Trial| !environment.protected || trial.effect == Effect::Reads;
    trials
        .into_iter()
        .zip(meant)
        .filter(|(trial, is_meant)| *is_meant && may_run(trial))
        .map(|(trial, _)| trial)
        .collect()
}

/// Whether a filter means the check of a name.
type Matcher = fn(name: &str, filter: &str) -> bool;

/// Returns the narrowest sense in which a filter means one of the trials.
fn matcher(trials: &[Trial], filter: &str) -> Matcher {
    let is_suite: Matcher = |name, filter| name.split("::").next() == Some(filter);
    let has_segments: Matcher = |name, filter| format!("::{name}::").contains(&format!("::{filter}::"));
    let has_part: Matcher = |name, filter| name.contains(filter);
    let finds = |is: &Matcher| trials.iter().any(|trial| is(&trial.name, filter));
    [is_suite, has_segments].into_iter().find(finds).unwrap_or(has_part)
}

/// Runs one trial: waits for ready services (once a session), then asks.
///
/// A panic, a deadline and an Engine that is gone make a broken record, never none.
pub async fn one(session: &Arc<Session>, trial: &Trial) -> Record {
    let ready = session.ready().await.map(Ready::is_down).map_err(|error| with_causes(&error));
    let turn = session.turn(trial.alone).await;
    let (begun, began) = (Instant::now(), jiff::Timestamp::now());
    let within = TRIAL_WITHIN.max(session.soak + BESIDE_SOAK).max(trial.within);
    let outcome = match ready {
        Ok(is_down) => in_its_place(
            &session.project.environment.name,
            &trial.name,
            is_down,
            run_check(session, trial, within).await,
        ),
        Err(reason) => Outcome::Broken(reason),
    };
    drop(turn);
    let environment = &session.project.environment;
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let severity = session.project.config.severity_of(&trial.name, trial.severity);
    let record = Record::new(&environment.name, &trial.name, severity, millis, outcome);
    masked(Record { began: Some(format!("{began:.3}")), ..record }, session.runner.mask())
}

/// Leaves out what failed because nothing runs: one check reports that, once for all.
fn in_its_place(environment: &str, trial: &str, is_down: bool, outcome: Outcome) -> Outcome {
    let asks_files = ["policy::", "migrations::"].iter().any(|suite| trial.starts_with(suite));
    let is_effect = is_down && trial != crate::health::RUNNING && !asks_files;
    match outcome {
        Outcome::Fail { .. } | Outcome::Broken(_) if is_effect => {
            Outcome::Skip(format!("`{environment}` is down ({})", crate::health::RUNNING))
        }
        outcome => outcome,
    }
}

/// Makes the record of a trial that could not be asked, where there is not even a session.
#[must_use]
pub fn broken(config: &Config, environment: &str, trial: &Trial, reason: &str) -> Record {
    let severity = config.severity_of(&trial.name, trial.severity);
    Record::new(environment, &trial.name, severity, 0, Outcome::Broken(reason.to_owned()))
}

async fn run_check(session: &Arc<Session>, trial: &Trial, within: Duration) -> Outcome {
    // The future is made inside the guard too: a check may panic before its first await.
    let ask = AssertUnwindSafe(async { (trial.run)(Arc::clone(session)).await }).catch_unwind();
    match tokio::time::timeout(within, ask).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Outcome::Broken(format!("the check itself failed: {}", panic_text(panic.as_ref()))),
        Err(_) => Outcome::Broken(format!("the check did not end within {} s", within.as_secs())),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked without a text")
}

fn masked(record: Record, mask: &Mask) -> Record {
    let finding =
        |f: Finding| Finding::differs(mask.apply(&f.place.object), mask.apply(&f.expected), mask.apply(&f.found));
    Record {
        message: mask.apply(&record.message),
        findings: record.findings.into_iter().map(finding).collect(),
        evidence: record.evidence.into_iter().map(|e| Evidence { text: mask.apply(&e.text), ..e }).collect(),
        hint: record.hint.map(|hint| mask.apply(&hint)),
        ..record
    }
}

#[cfg(test)]
mod tests;
