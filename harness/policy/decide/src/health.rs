//! Decides whether services are as they should be, from what the Engine says of their containers.
//!
//! In: what the model expects of a service, and its containers. Out: a [`Readiness`], or an [`Outcome`].
//! `docker compose up --wait` is no answer to this: it exits 0 for a crash loop without a healthcheck and 1 for a
//! one-shot service that ended well, and it never looks again.

use std::time::Duration;

use stagegate_base::{
    compose::Model,
    config::Config,
    container::{Container, Health, State},
    finding::Finding,
    record::{Evidence, Outcome},
};

/// A start after which the Engine takes a process for stable and forgets its restart delays.
// Source: moby, restartmanager: a process that ran 10 s resets the delay.
const STABLE_AFTER: Duration = Duration::from_secs(10);
/// So many starts in a row that failed are a loop: a service that only waits for another one has had the time of
/// five starts and 3 s of the Engine's delays between them, and should be given a `depends_on` with a condition.
const RESTARTS_OF_A_LOOP: i64 = 5;

/// What the configuration expects of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The compose service.
    pub service: String,
    /// How many containers it has.
    pub replicas: u64,
    /// It runs once and ends.
    pub oneshot: bool,
    /// It has a healthcheck that is switched on.
    pub healthcheck: bool,
    /// It is started only with a profile, so that it may be absent.
    pub optional: bool,
    /// How long a started container may take to become healthy.
    pub ready_within: Duration,
}

impl Expected {
    /// Returns what `model` expects of `service`; a service that a database names for its migrations runs once.
    #[must_use]
    pub fn of(model: &Model, config: &Config, service: &str, ready_within: Duration) -> Self {
        let migrates = config.databases.values().any(|db| db.migrations.as_deref() == Some(service));
        Expected {
            service: service.to_owned(),
            replicas: model.replicas(service),
            oneshot: migrates || model.is_oneshot(service),
            healthcheck: model.has_healthcheck(service),
            optional: model.has_profile(service),
            ready_within,
        }
    }
}

/// A container and how long its process has run.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// What the Engine says of it.
    pub container: Container,
    /// Time since its process was started; zero where that is not known.
    pub up_for: Duration,
}

/// How far a service has come; the text says what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is as it should be.
    Ready(String),
    /// It may become so.
    NotYet(String),
    /// It won't become so without help.
    Never(String),
}

impl Readiness {
    /// Returns what was seen.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Readiness::Ready(text) | Readiness::NotYet(text) | Readiness::Never(text) => text,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Readiness::Ready(_) => 0,
            Readiness::NotYet(_) => 1,
            Readiness::Never(_) => 2,
        }
    }
}

/// Judges a service by its containers; the worst container speaks for it.
#[must_use]
pub fn readiness(expected: &Expected, seen: &[Seen]) -> Readiness {
    let found = seen.len() as u64;
    if found == 0 && expected.optional {
        return Readiness::Ready("not started: it belongs to a profile".to_owned());
    }
    if found == 0 && expected.oneshot {
        return Readiness::Ready("runs once; its container was removed".to_owned());
    }
    if found < expected.replicas {
        return Readiness::Never(format!("{found} of {} containers are there", expected.replicas));
    }
    if found > expected.replicas && !expected.oneshot {
        return Readiness::Never(format!("{found} containers are there, the compose model has {}", expected.replicas));
    }
    seen.iter()
        .map(|one| of_container(expected, one))
        .max_by_key(Readiness::rank)
        .unwrap_or_else(|| Readiness::Ready("scaled to no container".to_owned()))
}

fn of_container(expected: &Expected, seen: &Seen) -> Readiness {
    let Container { name, state, exit_code, restarts, .. } = &seen.container;
    match state {
        _ if seen.container.oom_killed => Readiness::Never(format!("{name}: {}", out_of_memory(&seen.container))),
        State::Created if *exit_code != 0 => {
            Readiness::Never(format!("{name} could not be started (code {exit_code})"))
        }
        State::Created => Readiness::NotYet(format!("{name} was made but not started")),
        State::Removing => Readiness::NotYet(format!("{name} is being removed")),
        State::Paused => Readiness::Never(format!("{name} is paused")),
        State::Dead => Readiness::Never(format!("{name} is dead: the Engine could not remove it")),
        State::Restarting => restarting(name, *exit_code, *restarts),
        State::Exited if expected.oneshot && *exit_code == 0 => Readiness::Ready(format!("{name} ended with code 0")),
        State::Exited => Readiness::Never(format!("{name} exited with code {exit_code}{}", signal(*exit_code))),
        State::Running if expected.oneshot => Readiness::NotYet(format!("{name} has not ended yet")),
        State::Running => running(expected, seen),
    }
}

fn out_of_memory(container: &Container) -> String {
    match container.state {
        State::Running => "the kernel ended one of its processes for memory; look at its memory limit".to_owned(),
        _ => format!("ended by the kernel for memory (code {}); look at its memory limit", container.exit_code),
    }
}

fn restarting(name: &str, exit_code: i64, restarts: i64) -> Readiness {
    let text = format!("{name} is restarting: exited with code {exit_code}{}, {}", signal(exit_code), times(restarts));
    if restarts >= RESTARTS_OF_A_LOOP { Readiness::Never(text) } else { Readiness::NotYet(text) }
}

fn running(expected: &Expected, seen: &Seen) -> Readiness {
    let Container { name, health, restarts, health_output, .. } = &seen.container;
    let up_for = seen.up_for.as_secs();
    match health {
        Health::Unhealthy => {
            let text = format!("{name} is unhealthy{}", after_colon(health_output));
            // It had its time from its own start on: what is unhealthy since yesterday is not waited for.
            let had_its_time = seen.up_for > expected.ready_within;
            if had_its_time { Readiness::Never(text) } else { Readiness::NotYet(text) }
        }
        Health::Starting => Readiness::NotYet(format!("{name} is starting{}", after_colon(health_output))),
        Health::None if expected.healthcheck => {
            Readiness::Never(format!("{name} has no healthcheck, the compose model has one; it is an older container"))
        }
        _ if *restarts > 0 && seen.up_for < STABLE_AFTER => {
            Readiness::NotYet(format!("{name} runs for {up_for} s only, {}", times(*restarts)))
        }
        Health::Healthy => Readiness::Ready(format!("{name} is running and healthy{}", since(*restarts))),
        Health::None => Readiness::Ready(format!("{name} is running; it has no healthcheck{}", since(*restarts))),
    }
}

fn after_colon(text: &str) -> String {
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(|line| format!(": {line}")).unwrap_or_default()
}

fn times(restarts: i64) -> String {
    match restarts {
        0 => "not restarted before".to_owned(),
        1 => "restarted once".to_owned(),
        n => format!("restarted {n} times"),
    }
}

fn since(restarts: i64) -> String {
    if restarts == 0 { String::new() } else { format!(", {} since it was made", times(restarts)) }
}

/// Names the signal behind an exit code, as the shells count: 128 and the signal's number.
fn signal(exit_code: i64) -> &'static str {
    match exit_code {
        137 => " (SIGKILL)",
        139 => " (SIGSEGV)",
        134 => " (SIGABRT)",
        143 => " (SIGTERM)",
        _ => "",
    }
}

/// Returns the outcome of asking whether `service` is as it should be.
///
/// `project` is the compose project's name, for the hint; `evidence` holds log lines of its containers.
#[must_use]
pub fn state(project: &str, service: &str, readiness: &Readiness, evidence: Vec<Evidence>) -> Outcome {
    let message = match readiness {
        Readiness::Ready(text) => return Outcome::Pass(text.clone()),
        Readiness::NotYet(text) => format!("service `{service}` is not ready: {text}"),
        Readiness::Never(text) => format!("service `{service}` is not sound: {text}"),
    };
    let finding = unready(service, readiness);
    let hint = format!("`docker compose -p {project} ps --all` and `docker compose -p {project} logs {service}`");
    Outcome::Fail { message, findings: vec![finding], evidence, hint: Some(hint) }
}

/// Returns what was expected of a service that is not ready, and what was found.
#[must_use]
pub fn unready(service: &str, readiness: &Readiness) -> Finding {
    let expected = "running and healthy, or ended with code 0".to_owned();
    Finding::new(service.to_owned(), expected, readiness.reason().to_owned())
}

/// Compares two looks at a project and tells whether nothing was restarted, replaced or lost between them.
///
/// Both hold the containers of services; those of `docker compose run` are left out by the caller.
#[must_use]
pub fn steady(before: &[Container], after: &[Container], soak: Duration) -> Outcome {
    let findings: Vec<Finding> = before.iter().filter_map(|old| unrest(old, after)).collect();
    let Some(first) = findings.first() else {
        return Outcome::Pass(format!("{} containers were steady for {:.1} s", before.len(), soak.as_secs_f64()));
    };
    let more = match findings.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    Outcome::Fail {
        message: format!(
            "{} did not stay as it was for {:.1} s: {}{more}",
            first.place.object,
            soak.as_secs_f64(),
            first.found
        ),
        hint: Some("a service that starts again and again is not ready; read its log from the first start".to_owned()),
        evidence: Vec::new(),
        findings,
    }
}

/// Finds what changed about one container, the most telling thing first.
fn unrest(old: &Container, after: &[Container]) -> Option<Finding> {
    let finding = |expected: String, found: String| Some(Finding::new(old.name.clone(), expected, found));
    let Some(new) = after.iter().find(|c| c.id == old.id) else {
        let replaced = after.iter().any(|c| c.name == old.name);
        let found = if replaced { "was replaced by another container" } else { "is gone" };
        return finding("the same container".to_owned(), found.to_owned());
    };
    if new.restarts != old.restarts {
        return finding(format!("{} restarts", old.restarts), format!("{} restarts", new.restarts));
    }
    if new.state != old.state {
        let found = format!("{} (code {})", word(new.state), new.exit_code);
        return finding(word(old.state).to_owned(), found);
    }
    if new.started_at != old.started_at {
        return finding(format!("started at {}", old.started_at), format!("started again at {}", new.started_at));
    }
    if old.health == Health::Healthy && new.health != Health::Healthy {
        return finding("healthy".to_owned(), format!("no longer healthy{}", after_colon(&new.health_output)));
    }
    None
}

fn word(state: State) -> &'static str {
    match state {
        State::Created => "created",
        State::Running => "running",
        State::Paused => "paused",
        State::Restarting => "restarting",
        State::Removing => "removing",
        State::Exited => "exited",
        State::Dead => "dead",
    }
}

#[cfg(test)]
mod tests;
