//! Reads the logs of the target's containers before a deploy and after it, and compares the errors in them.
//!
//! Nothing here fails a run but what the configuration requires: a log that cannot be read is left out.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use stagegate_base::{
    config::{LogErrors, NewErrors},
    container::Container,
    redact::Mask,
};
use stagegate_gate_decide::{
    log_errors::{ServiceErrors, findings, shape},
    promotion::{Checks, Kind},
};
use stagegate_host::{clock, error::with_causes, files, secret};

use super::{Run, StepError};
use crate::journal;

/// In a run's folder: the errors that the live release had logged before the deploy.
const FILE_NAME: &str = "log-errors.json";
/// How long all logs may take.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// So many of the last lines of a container's log are read.
const LINES: u32 = 50_000;
/// So many seconds from its start on a container's log is that of a start, which states nothing of later.
const START: i64 = 120;
/// Earlier runs whose counts are read.
const EARLIER: usize = 20;

/// What the live release had logged.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    /// When it was read, in seconds since 1970.
    at: i64,
    services: BTreeMap<String, ServiceErrors>,
}

impl Run {
    /// Counts the errors that the live release has logged, as long as its containers are there.
    pub(super) async fn note_log_errors(&self) {
        let path = self.dir.join(FILE_NAME);
        if self.plan.kind != Kind::Promote || self.log_rules().severity == NewErrors::Off || path.exists() {
            return;
        }
        match tokio::time::timeout(READ_WITHIN, self.logged_before()).await {
            Ok(Some(before)) => {
                let text = serde_json::to_vec(&before).unwrap_or_default();
                if let Err(error) = files::write_whole(&path, &text) {
                    self.runner.note(&format!("errors in logs are not compared: {}: {error}", path.display()));
                }
            }
            Ok(None) => {}
            Err(_) => self.runner.note("errors in logs are not compared: the logs take too long to read"),
        }
    }

    fn log_rules(&self) -> &LogErrors {
        &self.gate.config.errors
    }

    async fn logged_before(&self) -> Option<Before> {
        let at = clock::unix_seconds();
        let within = i64::try_from(self.log_rules().within.0.as_secs()).unwrap_or(i64::MAX);
        let mask = secret::mask(&self.snapshot("old").ok()?.model);
        let mut services: BTreeMap<String, ServiceErrors> = BTreeMap::new();
        for container in self.containers_with_logs().await? {
            let started = clock::unix_seconds_of(&container.started_at).unwrap_or(at).min(at);
            let from = at.saturating_sub(within).max(started);
            let steady = if at - from > 2 * START { from.max(started + START) } else { from };
            let Some(mut errors) = self.errors_of(&container, (steady, at), &mask).await else { continue };
            if let Some(start) = self.errors_of(&container, (started, started + START), &mask).await {
                errors.know(&start);
            }
            match services.get_mut(&container.service) {
                Some(known) => known.add(&errors),
                None => drop(services.insert(container.service, errors)),
            }
        }
        for earlier in self.earlier_counts(at.saturating_sub(within)) {
            for (service, errors) in &earlier.services {
                services.get_mut(service).into_iter().for_each(|known| known.know(errors));
            }
        }
        Some(Before { at, services })
    }

    async fn containers_with_logs(&self) -> Option<Vec<Container>> {
        match self.gate.engine.project(&self.plan.project).await {
            Ok(all) => Some(all.into_iter().filter(|one| !one.one_off).collect()),
            Err(error) => {
                self.runner.note(&format!("errors in logs are not compared: {}", with_causes(&error)));
                None
            }
        }
    }

    /// Counts the errors of one container; `None` where its log cannot be read, as with some log drivers.
    async fn errors_of(&self, container: &Container, (from, to): (i64, i64), mask: &Mask) -> Option<ServiceErrors> {
        let mut errors = ServiceErrors::of(from, to);
        let rules = self.log_rules();
        let note = |at: i64, line: &str| {
            // Masking costs more than the look.
            if at >= from && shape(rules, line).is_some() {
                errors.note(rules, at, &mask.apply(line));
            }
        };
        match self.gate.engine.each_log_line(&container.id, (from, to), LINES, note).await {
            Ok(()) => Some(errors),
            Err(error) => {
                self.runner.note(&format!("errors of {} are not compared: {}", container.name, with_causes(&error)));
                None
            }
        }
    }

    /// Returns what earlier runs counted since `from`: a release that was just deployed has not met everything yet.
    fn earlier_counts(&self, from: i64) -> Vec<Before> {
        let runs = journal::runs(&self.state.runs()).into_iter().rev().filter(|dir| *dir != self.dir).take(EARLIER);
        runs.filter_map(|dir| read(&dir)).filter(|before| before.at >= from).collect()
    }

    /// Adds what the release logs of errors that the one before did not.
    ///
    /// # Errors
    /// [`StepError`] where it does and the configuration requires that it does not.
    pub(super) async fn with_log_errors(&self, mut checks: Checks) -> Result<Checks, StepError> {
        let within = READ_WITHIN.min(self.time_left());
        let found = tokio::time::timeout(within, self.new_log_errors()).await.unwrap_or_default();
        if self.log_rules().severity == NewErrors::Required && !found.is_empty() {
            return Err(StepError::blocked(found.join("; ")));
        }
        checks.log_errors = found;
        Ok(checks)
    }

    async fn new_log_errors(&self) -> Vec<String> {
        let Some(before) = read(&self.dir).filter(|_| self.log_rules().severity != NewErrors::Off) else {
            return Vec::new();
        };
        let (Ok(new), Some(all)) = (self.snapshot("new"), self.containers_with_logs().await) else { return Vec::new() };
        let (mask, to) = (secret::mask(&new.model), clock::unix_seconds());
        // What stayed logs of the freeze that its clients could not connect.
        let stayed = self.clocks.deploy_began.map_or(before.at, |began| {
            to - i64::try_from(clock::since_boot().saturating_sub(began).as_secs()).unwrap_or_default()
        });
        let started = |one: &Container| clock::unix_seconds_of(&one.started_at).unwrap_or(before.at);
        let mut services: BTreeMap<&str, ServiceErrors> = BTreeMap::new();
        for container in &all {
            // Next to a new container an earlier one may run on for a while.
            let is_replaced = all.iter().any(|one| one.service == container.service && started(one) >= before.at);
            let from = if started(container) >= before.at { started(container) } else { stayed.max(before.at) };
            if is_replaced && started(container) < before.at {
                continue;
            }
            let Some(errors) = self.errors_of(container, (from, to), &mask).await else { continue };
            match services.get_mut(container.service.as_str()) {
                Some(known) => known.add(&errors),
                None => drop(services.insert(&container.service, errors)),
            }
        }
        services.iter().flat_map(|(service, now)| findings(service, before.services.get(*service), now)).collect()
    }
}

fn read(dir: &Path) -> Option<Before> {
    serde_json::from_slice(&std::fs::read(dir.join(FILE_NAME)).ok()?).ok()
}
