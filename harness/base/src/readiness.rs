//! Decides how far a service has come, from what the Engine states of its containers and what its port responds.
//!
//! In: what the model expects of a service, and its containers. Out: a [`Readiness`]. This is the one definition: the
//! suites, `gate up`, a promotion and a rollback wait by it. `docker compose up --wait` is no answer to this: it exits
//! 0 for a crash loop without a healthcheck and 1 for a one-shot service that succeeded, and it never looks again.

use crate::text::counted;
use std::time::Duration;

use crate::{
    compose::Model,
    config::Config,
    container::{Container, Health, State},
    lifetime::Lifetime,
};

/// A start after which the Engine takes a process for stable and forgets its restart delays.
// Source: moby, restartmanager: a process that ran 10 s resets the delay.
pub const STABLE_AFTER: Duration = Duration::from_secs(10);
/// The exit at which a service that everything else is ready for is in a crash loop.
pub const EXITS_OF_A_LOOP: i64 = 2;
/// How long a port that is published, and that no check is configured for, is waited for: it may be one that nobody
/// listens at, such as a debugger's.
const UNCONFIGURED_WITHIN: Duration = Duration::from_secs(30);

/// What the configuration expects of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The compose service.
    pub service: String,
    /// How many containers it has.
    pub replicas: u64,
    /// Whether it ends.
    pub lifetime: Lifetime,
    /// It has a healthcheck that is switched on.
    pub healthcheck: bool,
    /// It is started only with a profile, so that it may be absent.
    pub optional: bool,
    /// A check is configured for its port, so that it has to answer.
    pub configured: bool,
    /// How long a started container may take to become healthy.
    pub ready_within: Duration,
}

impl Expected {
    /// Returns what `model` and `config` expect of `service`.
    #[must_use]
    pub fn of(model: &Model, config: &Config, service: &str, ready_within: Duration) -> Self {
        Expected {
            service: service.to_owned(),
            replicas: model.replicas(service),
            lifetime: Lifetime::of(config, model, service),
            healthcheck: model.has_healthcheck(service),
            optional: model.has_profile(service),
            configured: config.services.contains_key(service)
                || config.databases.values().any(|database| database.service == service),
            ready_within,
        }
    }
}

/// What a container's port responded in its own protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    /// There is none to ask at, or nobody asked.
    Unasked,
    /// It answered, often enough in a row.
    Answers,
    /// It answered the last time, and has to once more.
    Once,
    /// It did not; the text states what came.
    Silent(String),
}

/// A container and what was seen of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// What the Engine states of it.
    pub container: Container,
    /// Time since its process was started; zero where that is not known.
    pub up_for: Duration,
    /// What its port responded.
    pub port: Port,
    /// Its last start came after everything else was ready, so that it waits for nothing any more.
    pub started_last: bool,
}

/// How far a service has come; the text states what was seen.
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

    /// Returns whether the service is as it should be.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self, Readiness::Ready(_))
    }

    fn rank(&self) -> u8 {
        match self {
            Readiness::Ready(_) => 0,
            Readiness::NotYet(_) => 1,
            Readiness::Never(_) => 2,
        }
    }
}

/// Returns the readiness of a service; its worst container speaks for it.
#[must_use]
pub fn readiness(expected: &Expected, seen: &[Seen]) -> Readiness {
    let found = seen.len() as u64;
    let is_one_shot = expected.lifetime == Lifetime::OneShot;
    if found == 0 && expected.optional {
        return Readiness::Ready("not started: it belongs to an inactive profile".to_owned());
    }
    if found == 0 && is_one_shot {
        return Readiness::Ready("runs once; its container was removed".to_owned());
    }
    if found < expected.replicas {
        return Readiness::Never(format!("{found} of {} found", counted(expected.replicas, "container")));
    }
    if found > expected.replicas && !is_one_shot {
        return Readiness::Never(format!(
            "{} found, the compose model has {}",
            counted(found, "container"),
            expected.replicas
        ));
    }
    seen.iter()
        .map(|one| of_container(expected, one))
        .max_by_key(Readiness::rank)
        .unwrap_or_else(|| Readiness::Ready("scaled to zero".to_owned()))
}

fn of_container(expected: &Expected, seen: &Seen) -> Readiness {
    let Container { name, state, exit_code, .. } = &seen.container;
    match state {
        _ if seen.container.oom_killed => Readiness::Never(format!("{name}: {}", out_of_memory(&seen.container))),
        State::Created if *exit_code != 0 => {
            Readiness::Never(format!("{name} could not be started (code {exit_code})"))
        }
        State::Created => Readiness::NotYet(format!("{name} was created but not started")),
        State::Removing => Readiness::NotYet(format!("{name} is being removed")),
        State::Paused => Readiness::Never(format!("{name} is paused")),
        State::Dead => Readiness::Never(format!("{name} is dead: Docker Engine could not remove it")),
        State::Restarting => restarting(seen),
        State::Exited if expected.lifetime.is_over(&seen.container) => {
            Readiness::Ready(format!("{name} exited with code 0"))
        }
        State::Exited => Readiness::Never(exited(expected, &seen.container)),
        State::Running if expected.lifetime == Lifetime::OneShot => {
            Readiness::NotYet(format!("{name} is still running"))
        }
        State::Running => running(expected, seen),
    }
}

/// Returns how a container ended whose service is not one-shot, with the key that states that it is where that may be meant.
#[must_use]
pub fn exited(expected: &Expected, container: &Container) -> String {
    let Container { name, exit_code, .. } = container;
    let may_be_meant = *exit_code == 0 && expected.lifetime == Lifetime::LongRunning;
    let hint = match may_be_meant {
        true => format!("; if it is a one-shot job, set `one_shot = true` in [services.{}]", expected.service),
        false => String::new(),
    };
    format!("{name} exited with code {exit_code}{}{hint}", signal(*exit_code))
}

fn out_of_memory(container: &Container) -> String {
    match container.state {
        State::Running => "the kernel killed one of its processes (out of memory); raise its memory limit".to_owned(),
        _ => format!("killed by the kernel, out of memory (code {}); raise its memory limit", container.exit_code),
    }
}

/// A service that only waits for another one may exit again and again until that is ready; then it has one more try.
fn restarting(seen: &Seen) -> Readiness {
    let Container { name, exit_code, restarts, .. } = &seen.container;
    let text =
        format!("{name} is restarting: exited with code {exit_code}{}, {}", signal(*exit_code), times(*restarts));
    match seen.started_last && *restarts >= EXITS_OF_A_LOOP {
        true => Readiness::Never(text),
        false => Readiness::NotYet(text),
    }
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
            Readiness::NotYet(format!("{name} has been up for {up_for} s only, {}", times(*restarts)))
        }
        Health::Healthy => answering(expected, seen, "is running and healthy"),
        Health::None => answering(expected, seen, "is running; it has no healthcheck"),
    }
}

/// Weighs what the port of a running container responded.
fn answering(expected: &Expected, seen: &Seen, what: &str) -> Readiness {
    let Container { name, restarts, health, .. } = &seen.container;
    let since = since(*restarts);
    match &seen.port {
        Port::Unasked | Port::Answers => Readiness::Ready(format!("{name} {what}{since}")),
        // Whatever its age: nobody may have looked before.
        Port::Once if expected.configured || *health != Health::Healthy => {
            Readiness::NotYet(format!("{name} is running, and its port responded once so far"))
        }
        Port::Once => Readiness::Ready(format!("{name} {what}{since}")),
        Port::Silent(reason) if expected.configured => {
            let text = format!("{name} is running, but {reason}");
            if seen.up_for > expected.ready_within { Readiness::Never(text) } else { Readiness::NotYet(text) }
        }
        // What its authors take for healthy is enough where nobody configured a check.
        Port::Silent(_) if *health == Health::Healthy => Readiness::Ready(format!("{name} {what}{since}")),
        Port::Silent(reason) if seen.up_for > UNCONFIGURED_WITHIN.min(expected.ready_within) => {
            Readiness::Ready(format!("{name} {what}{since}, and {reason}"))
        }
        Port::Silent(reason) => Readiness::NotYet(format!("{name} is running, but {reason}")),
    }
}

/// Returns the last line of a text behind a colon; nothing where there is none.
#[must_use]
pub fn after_colon(text: &str) -> String {
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
    if restarts == 0 { String::new() } else { format!(", {} since it was created", times(restarts)) }
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

#[cfg(test)]
mod tests;
