//! Decides what is reported of services that are not as they should be, or did not stay so.
//!
//! In: the [`Readiness`] of a service, or two looks at its containers. Out: an [`Outcome`].

use std::time::Duration;

use stagegate_base::{
    container::{Container, Health, State},
    finding::Finding,
    lifetime::Lifetime,
    readiness::{Readiness, after_colon},
    record::{Evidence, Outcome},
    text::counted,
};

/// Returns the outcome of asking whether `service` is as it should be.
///
/// `project` is the compose project's name, for the hint; `evidence` holds log lines of its containers.
#[must_use]
pub fn state(project: &str, service: &str, readiness: &Readiness, evidence: Vec<Evidence>) -> Outcome {
    let message = match readiness {
        Readiness::Ready(text) => return Outcome::Pass(text.clone()),
        Readiness::NotYet(text) => format!("service `{service}` is not ready: {text}"),
        Readiness::Never(text) => format!("service `{service}` is not healthy: {text}"),
    };
    let finding = unready(service, readiness);
    let hint = format!("`docker compose -p {project} ps --all` and `docker compose -p {project} logs {service}`");
    Outcome::Fail { message, findings: vec![finding], evidence, hint: Some(hint) }
}

/// Returns what was expected of a service that is not ready, and what was found.
#[must_use]
pub fn unready(service: &str, readiness: &Readiness) -> Finding {
    let expected = "running and healthy, or exited with code 0".to_owned();
    Finding::differs(service.to_owned(), expected, readiness.reason().to_owned())
}

/// Compares two looks at a project and returns whether nothing was restarted, replaced or lost between them.
///
/// Both hold the containers of services; those of `docker compose run` are left out by the caller. One whose service
/// may end (`lifetime`) and did so with code 0 is as it should be.
#[must_use]
pub fn steady(
    before: &[Container],
    after: &[Container],
    lifetime: impl Fn(&str) -> Lifetime,
    soak: Duration,
) -> Outcome {
    let is_over = |old: &Container| after.iter().any(|c| c.id == old.id && lifetime(&c.service).is_over(c));
    let findings: Vec<Finding> =
        before.iter().filter(|old| !is_over(old)).filter_map(|old| unrest(old, after)).collect();
    let Some(first) = findings.first() else {
        return Outcome::Pass(format!("{} steady for {:.1} s", counted(before.len(), "container"), soak.as_secs_f64()));
    };
    let more = match findings.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    Outcome::Fail {
        message: format!(
            "{} did not stay unchanged for {:.1} s: {}{more}",
            first.place.object,
            soak.as_secs_f64(),
            first.found
        ),
        hint: Some("a service that keeps restarting is not ready; read its log from the first start".to_owned()),
        evidence: Vec::new(),
        findings,
    }
}

/// Finds what changed about one container, the most telling thing first.
fn unrest(old: &Container, after: &[Container]) -> Option<Finding> {
    let finding = |expected: String, found: String| Some(Finding::differs(old.name.clone(), expected, found));
    let Some(new) = after.iter().find(|c| c.id == old.id) else {
        let replaced = after.iter().any(|c| c.name == old.name);
        let found = if replaced { "was replaced by another container" } else { "was removed" };
        return finding("the same container".to_owned(), found.to_owned());
    };
    if new.restarts != old.restarts {
        return finding(counted(old.restarts, "restart"), counted(new.restarts, "restart"));
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
