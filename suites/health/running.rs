//! Are all services of the compose model as they should be, those included that no check is configured for?

use std::sync::Arc;

use stagegate_base::{config::EPHEMERAL, container::State, record::Outcome, text::counted};
use stagegate_host::error::with_causes;
use stagegate_policy_decide::health;

use crate::{
    ready::{self, Ready},
    session::Session,
    trial::{Effect, Trial},
};

pub(super) fn trial() -> Trial {
    Trial::new("health", "stack", "running", Effect::Reads, check)
}

async fn check(session: Arc<Session>) -> Outcome {
    let ready = match session.ready().await {
        Ok(ready) => ready,
        Err(error) => return Outcome::Broken(with_causes(&error)),
    };
    let missing = ready.missing();
    if missing.is_empty() {
        return Outcome::Pass(format!(
            "{} ready after {:.1} s",
            counted(ready.services.len(), "service"),
            seconds(ready)
        ));
    }
    let project = session.project.compose_name();
    let mut evidence = Vec::new();
    // Services with a trial of their own show their log there, unless nothing runs: those trials are skipped then.
    let is_shown = |service: &str| ready.is_down() || !session.project.config.services.contains_key(service);
    for (service, _) in missing.iter().filter(|(service, _)| is_shown(service)) {
        // What was never started has no log.
        for container in ready.of(service).filter(|container| container.state != State::Created) {
            evidence.extend(ready::evidence(&session.engine, session.runner.mask(), container).await);
        }
    }
    let names: Vec<&str> = missing.iter().map(|(service, _)| *service).collect();
    Outcome::Fail {
        message: message(project, ready, &names),
        findings: missing.iter().map(|(service, readiness)| health::unready(service, readiness)).collect(),
        evidence,
        hint: Some(hint(&session.project.environment.name, project, ready)),
    }
}

fn seconds(ready: &Ready) -> f64 {
    ready.waited.as_secs_f64()
}

fn message(project: &str, ready: &Ready, names: &[&str]) -> String {
    if ready.containers.is_empty() {
        return format!("compose project `{project}` has no containers on this host");
    }
    let (missing, all) = (names.len(), ready.services.len());
    format!("{missing} of {} not ready after {:.1} s: {}", counted(all, "service"), seconds(ready), names.join(", "))
}

fn hint(environment: &str, project: &str, ready: &Ready) -> String {
    if ready.is_down() && environment != EPHEMERAL {
        return format!("start it with `gate up --env {environment}`, or pass another --env");
    }
    format!("`docker compose -p {project} ps --all` shows the containers")
}
