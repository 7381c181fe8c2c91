//! Health: do the services run, answer and stay so?

mod http;
mod postgres;
mod redis;
mod running;
mod state;
mod steady;
mod tcp;
mod version;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use stagegate_base::{
    config::{Config, Kind, Service},
    container::{Container, Health, State},
    finding::Finding,
    lifetime::time_to_start,
    readiness::Readiness,
    record::{Evidence, Outcome},
    text::counted,
};
use stagegate_host::{error::with_causes, ready::up_for};

use crate::{
    ready,
    session::Session,
    trial::{Scope, Suite, Trial},
};

/// How long a container without a healthcheck is taken to be starting, half of a trial's time.
const START_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

/// The check that reports a stack of which nothing runs.
pub(crate) const RUNNING: &str = "health::stack::running";

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "health", trials };

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    let mut all = vec![running::trial()];
    for service in services(scope.config) {
        all.push(state::trial(&service.name));
        all.extend(questions(scope.config, &service));
    }
    all.push(steady::trial());
    all
}

/// Returns the configured services, and those that only a database names.
fn services(config: &Config) -> Vec<Service> {
    let mut all = config.services.clone();
    for database in config.databases.values() {
        let plain = || Service::plain(&database.service, Kind::Postgres, 5432);
        all.entry(database.service.clone()).or_insert_with(plain);
    }
    all.into_values().collect()
}

fn questions(config: &Config, service: &Service) -> Vec<Trial> {
    let by_kind = match service.kind {
        Kind::Http if service.health.is_some() => http::trial(service),
        Kind::Http | Kind::Tcp => tcp::trial(service),
        Kind::Postgres => postgres::trial(config, service),
        Kind::Redis => redis::trial(service),
    };
    std::iter::once(by_kind).chain(version::trial(service)).collect()
}

/// What is wrong with one container's answer.
struct StateMismatch {
    expected: String,
    found: String,
    hint: Option<String>,
}

impl StateMismatch {
    fn new(expected: &str, found: impl Into<String>) -> Self {
        StateMismatch { expected: expected.to_owned(), found: found.into(), hint: None }
    }
}

/// Asks every container of a service, since one that responds must not hide a replica that doesn't.
///
/// `ask` gives back what it saw. The first wrong answer is reported, with that container's log.
async fn each<F>(session: &Arc<Session>, service: &str, ask: impl Fn(Container) -> F) -> Outcome
where
    F: Future<Output = Result<String, StateMismatch>>,
{
    let ready = match session.ready().await {
        Ok(ready) => ready,
        Err(error) => return Outcome::Broken(with_causes(&error)),
    };
    let containers: Vec<&Container> = ready.of(service).collect();
    let mut seen = Vec::new();
    for container in &containers {
        if container.state != State::Running {
            return Outcome::fail(format!("service `{service}` was not checked: {} does not run", container.name));
        }
        match patiently(session, container, &ask).await {
            Ok(text) => seen.push(text),
            Err(wrong) => {
                // The log of a service that is not ready is shown by its `state` trial.
                let is_ready = matches!(ready.services.get(service), Some(Readiness::Ready(_)));
                let evidence = if is_ready {
                    ready::evidence(&session.engine, session.runner.mask(), container).await
                } else {
                    Vec::new()
                };
                return failed(service, container, wrong, evidence);
            }
        }
    }
    match (seen.into_iter().next_back(), containers.len()) {
        (Some(text), 1) => Outcome::Pass(text),
        (Some(text), n) => Outcome::Pass(format!("{}: {text}", counted(n, "container"))),
        (None, _) => Outcome::fail(format!(
            "service `{service}` of project `{}` has no running container",
            session.project.compose_name()
        )),
    }
}

/// Asks a container, again and again while it is young and has no healthcheck: nothing else reports when it is up.
async fn patiently<F>(
    session: &Session,
    container: &Container,
    ask: impl Fn(Container) -> F,
) -> Result<String, StateMismatch>
where
    F: Future<Output = Result<String, StateMismatch>>,
{
    let may_start = time_to_start(&session.project.environment, &session.project.model).min(START_WITHIN);
    let left =
        if container.health == Health::None { may_start.saturating_sub(up_for(container)) } else { Duration::ZERO };
    let begun = Instant::now();
    loop {
        let response = ask(container.clone()).await;
        if response.is_ok() || begun.elapsed() >= left {
            return response;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn failed(service: &str, container: &Container, wrong: StateMismatch, evidence: Vec<Evidence>) -> Outcome {
    Outcome::Fail {
        message: format!("service `{service}`: {}", wrong.found),
        findings: vec![Finding::differs(container.name.clone(), wrong.expected, wrong.found)],
        evidence,
        hint: wrong.hint,
    }
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
