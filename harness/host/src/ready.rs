//! Waits for the services of a compose project to become ready: the one wait, for `gate up`, the suites, a promotion
//! and a rollback.
//!
//! It looks at the containers and asks their ports; what that means is decided in `stagegate_base::readiness`.

mod port;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use stagegate_base::{
    compose::Model,
    config::Config,
    container::{Container, Health, State},
    lifetime::{Lifetime, time_to_start},
    readiness::{EXITS_OF_A_LOOP, Expected, Port, Readiness, STABLE_AFTER, Seen, readiness},
    text::counted,
};

use crate::{
    engine::{Engine, EngineError},
    process::Listed,
    project::Project,
};
use port::Ports;

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a service must look lost before the wait ends: between a container and its successor there is none for a
/// moment, and one that is unhealthy since long may be about to recover.
const LOST_FOR: Duration = Duration::from_secs(2);
/// How long a container that cannot be asked is taken for one that others still wait for.
const SETTLED_AFTER: Duration = Duration::from_secs(15);
/// How long everything else must be ready before a container that nobody starts is given up.
const UNSTARTED_FOR: Duration = Duration::from_secs(10);
/// While other services start, one that exits may only be waiting for them: it has so many tries.
const EXITS_WHILE_STARTING: i64 = 8;

/// A compose project whose services are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Stack<'a> {
    /// What answers where, and which services run once.
    pub config: &'a Config,
    /// The compose project's name.
    pub project: &'a str,
    /// What it should be.
    pub model: &'a Model,
    /// How long its services may take.
    pub within: Duration,
}

impl<'a> Stack<'a> {
    /// Returns what is waited for of a resolved environment.
    #[must_use]
    pub fn of(project: &'a Project) -> Self {
        let (config, model) = (project.config.as_ref(), &project.model);
        Stack { config, project: project.compose_name(), model, within: time_to_start(&project.environment, model) }
    }
}

/// What the wait found.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Every service of the compose model.
    pub services: BTreeMap<String, Readiness>,
    /// The containers at the last look, those of `docker compose run` left out.
    pub containers: Vec<Container>,
    /// How long was waited.
    pub waited: Duration,
}

impl Ready {
    /// Returns the services that are not ready, with the reason.
    #[must_use]
    pub fn missing(&self) -> Vec<(&str, &Readiness)> {
        let missing = self.services.iter().filter(|(_, readiness)| !readiness.is_ready());
        missing.map(|(service, readiness)| (service.as_str(), readiness)).collect()
    }

    /// Returns the containers of one service.
    pub fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Container> {
        self.containers.iter().filter(move |c| c.service == service)
    }

    /// Returns whether nothing of the stack runs.
    #[must_use]
    pub fn is_down(&self) -> bool {
        let is_there = |c: &Container| matches!(c.state, State::Running | State::Restarting | State::Paused);
        !self.containers.iter().any(is_there)
    }

    fn is_lost(&self) -> bool {
        self.services.values().any(|readiness| matches!(readiness, Readiness::Never(_)))
    }
}

/// Looks at a stack until all services are ready, one never will be, or its time is over.
///
/// # Errors
/// [`EngineError`] where the Engine does not answer.
pub async fn until_ready(engine: &Engine, stack: &Stack<'_>) -> Result<Ready, EngineError> {
    let begun = Instant::now();
    // From the end of the first look that finds it: one slow response may take longer than a service may be lost.
    let mut lost_since: Option<Instant> = None;
    let mut watch = Watch::new();
    let listed = Listed::wait("waiting for services".to_owned());
    loop {
        let mut found = watch.look(engine, stack).await?;
        listed.rename(waited_for(&found));
        found.waited = begun.elapsed();
        // Between two exits a crash loop runs for a moment, which is no recovery.
        let is_sound = !watch.is_loop(&found.containers) && !watch.is_left_out(&found.containers);
        if !found.is_lost() && is_sound {
            lost_since = None;
        } else {
            lost_since.get_or_insert_with(Instant::now);
        }
        let is_lost = lost_since.is_some_and(|since| since.elapsed() > LOST_FOR);
        let is_over = found.waited + PAUSE > stack.within;
        if found.missing().is_empty() || is_lost || is_over {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Returns what is waited for: `waiting for db (1 of 3 services not ready)`.
fn waited_for(found: &Ready) -> String {
    let missing: Vec<&str> = found.missing().iter().map(|(service, _)| *service).collect();
    let all = counted(found.services.len(), "service");
    format!("waiting for {} ({} of {all} not ready)", missing.join(", "), missing.len())
}

/// Returns the containers of a project, those of `docker compose run` left out.
///
/// # Errors
/// [`EngineError`] where the Engine does not answer.
pub async fn containers(engine: &Engine, project: &str) -> Result<Vec<Container>, EngineError> {
    let mut containers = engine.project(project).await?;
    containers.retain(|c| !c.one_off);
    Ok(containers)
}

/// Returns how long a container's process has run; zero where that is not known.
#[must_use]
pub fn up_for(container: &Container) -> Duration {
    let since = started(container).map(|at| Timestamp::now().duration_since(at));
    since.and_then(|since| Duration::try_from(since).ok()).unwrap_or_default()
}

fn started(container: &Container) -> Option<Timestamp> {
    container.started_at.parse().ok()
}

/// What is remembered from look to look.
struct Watch {
    ports: Ports,
    /// Since when all services are ready but those that exit again and again.
    rest_ready_at: Option<Timestamp>,
}

impl Watch {
    fn new() -> Self {
        Watch { ports: Ports::default(), rest_ready_at: None }
    }

    /// Returns whether a container exits again although everything else is ready.
    fn is_loop(&self, containers: &[Container]) -> bool {
        let Some(rest) = self.rest_ready_at else { return false };
        let is_new = |c: &Container| started(c).is_some_and(|own| own > rest);
        containers.iter().any(|c| is_exiting(c) && c.restarts >= EXITS_OF_A_LOOP && is_new(c))
    }

    /// Returns whether a container that was created is not started, although all that it may wait for is ready since long.
    fn is_left_out(&self, containers: &[Container]) -> bool {
        let Some(rest) = self.rest_ready_at else { return false };
        let since = Duration::try_from(Timestamp::now().duration_since(rest)).unwrap_or_default();
        since > UNSTARTED_FOR && containers.iter().any(|container| container.state == State::Created)
    }

    async fn look(&mut self, engine: &Engine, stack: &Stack<'_>) -> Result<Ready, EngineError> {
        let containers = containers(engine, stack.project).await?;
        let responses = self.ports.probe(stack, &containers).await;
        let seen = |container: &Container| Seen {
            up_for: up_for(container),
            port: responses.get(&container.id).cloned().unwrap_or(Port::Unasked),
            started_last: self.rest_ready_at.zip(started(container)).is_some_and(|(rest, own)| own > rest),
            container: container.clone(),
        };
        let of_service = |service: String| {
            let expected = Expected::of(stack.model, stack.config, &service, stack.within);
            let seen: Vec<Seen> = containers.iter().filter(|c| c.service == service).map(seen).collect();
            let readiness = readiness(&expected, &seen);
            (service, readiness)
        };
        let services: BTreeMap<String, Readiness> = stack.model.services().into_iter().map(of_service).collect();
        let is_settled = |container: &Container| {
            let responses = responses.get(&container.id) == Some(&Port::Answers);
            container.state != State::Running
                || container.health == Health::Healthy
                || responses
                || up_for(container) > SETTLED_AFTER
        };
        let rest_is_ready = services.iter().all(|(service, readiness)| {
            let own = || containers.iter().filter(|c| c.service == *service);
            // What was not started waits for others, and nobody for it.
            let is_unstarted = own().next().is_some() && own().all(|c| c.state == State::Created);
            is_unstarted || own().any(is_exiting) || (readiness.is_ready() && own().all(is_settled))
        });
        self.rest_ready_at = rest_is_ready.then(|| self.rest_ready_at.unwrap_or_else(Timestamp::now));
        Ok(Ready { services, containers, waited: Duration::ZERO })
    }
}

/// Returns whether a container exits again and again, or did so until a moment ago.
fn is_exiting(container: &Container) -> bool {
    let is_young = container.state == State::Running && up_for(container) < STABLE_AFTER;
    container.restarts > 0 && (container.state == State::Restarting || is_young)
}

/// Watches a stack that Compose is starting, and returns what failed for good once something did.
///
/// Only containers that were started after `since` count: others belong to what is being replaced.
///
/// # Errors
/// [`EngineError`] where the Engine does not answer.
pub async fn until_lost(engine: &Engine, stack: &Stack<'_>, since: Timestamp) -> Result<Vec<Container>, EngineError> {
    let mut lost_at: Option<Instant> = None;
    loop {
        tokio::time::sleep(PAUSE).await;
        let lost = lost_since(engine, stack, since).await?;
        lost_at = (!lost.is_empty()).then(|| lost_at.unwrap_or_else(Instant::now));
        if lost_at.is_some_and(|at| at.elapsed() > LOST_FOR) {
            return Ok(lost);
        }
    }
}

/// Returns the containers that were started after `since` and failed for good.
///
/// # Errors
/// [`EngineError`] where the Engine does not answer.
pub async fn lost_since(engine: &Engine, stack: &Stack<'_>, since: Timestamp) -> Result<Vec<Container>, EngineError> {
    let all = containers(engine, stack.project).await?;
    Ok(all.iter().filter(|c| is_lost(stack, c, &all, since)).cloned().collect())
}

fn is_lost(stack: &Stack<'_>, container: &Container, all: &[Container], since: Timestamp) -> bool {
    let lifetime = Lifetime::of(stack.config, stack.model, &container.service);
    if started(container).is_none_or(|at| at <= since) {
        return false;
    }
    if container.state == State::Exited {
        return !lifetime.is_over(container);
    }
    // Compose waits for what is starting, and so may this one: `until_ready` judges it once the rest is there.
    let is_starting = |c: &Container| c.health == Health::Starting && up_for(c) < stack.within;
    if all.iter().any(|c| c.id != container.id && c.state == State::Running && is_starting(c)) {
        return false;
    }
    // What it may wait for: all that runs, and is not known to be ready.
    let waits = all.iter().any(|c| c.id != container.id && c.state == State::Running && c.health != Health::Healthy);
    is_exiting(container) && container.restarts >= if waits { EXITS_WHILE_STARTING } else { EXITS_OF_A_LOOP }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_rest_is_ready_since_long(State::Created, Some(20), true)]
    #[case::the_rest_became_ready_just_now(State::Created, Some(2), false)]
    #[case::the_rest_starts(State::Created, None, false)]
    #[case::it_runs(State::Running, Some(20), false)]
    fn a_container_that_nobody_starts_is_not_waited_for(
        #[case] state: State,
        #[case] rest_ready_for_s: Option<i64>,
        #[case] want: bool,
    ) {
        let since = |seconds| Timestamp::now() - jiff::SignedDuration::from_secs(seconds);
        let watch = Watch { rest_ready_at: rest_ready_for_s.map(since), ..Watch::new() };
        let container: Container = serde_json::from_value(serde_json::json!({
            "id": "a", "name": "shop-web-1", "service": "web", "one_off": false, "image": "sha256:0", "state": state,
            "exit_code": 0, "oom_killed": false, "restarts": 0, "started_at": "", "health": "none",
            "health_output": "", "labels": {}, "addresses": [], "published": {},
        }))
        .unwrap();
        assert_eq!(watch.is_left_out(&[container]), want);
    }
}
