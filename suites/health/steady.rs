//! Do the services stay as they are? A crash loop without a healthcheck, or a late unhealthy one, shows only here.

use std::{sync::Arc, time::Duration};

use stagegate_base::record::Outcome;
use stagegate_host::error::with_causes;
use stagegate_policy_decide::health;
use tokio::time::Instant;

use crate::{
    ready::{containers, lifetime},
    session::Session,
    trial::{Effect, Trial},
};

/// How often the containers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) fn trial() -> Trial {
    Trial::new("health", "stack", "steady", Effect::Reads, check)
}

async fn check(session: Arc<Session>) -> Outcome {
    let ready = match session.ready().await {
        Ok(ready) => ready,
        Err(error) => return Outcome::Broken(with_causes(&error)),
    };
    let missing: Vec<&str> = ready.missing().iter().map(|(service, _)| *service).collect();
    if !missing.is_empty() {
        // `health::stack::running` reports them, with their logs: one cause is one failure.
        return Outcome::Skip(format!("not watched, because services are not ready: {}", missing.join(", ")));
    }
    let end = Instant::now() + session.soak;
    loop {
        tokio::time::sleep_until(end.min(Instant::now() + LOOK_EVERY)).await;
        let outcome = match containers(&session.project, &session.engine).await {
            Ok(later) => {
                let lifetime = |service: &str| lifetime(&session.project, service);
                health::steady(&ready.containers, &later, lifetime, session.soak)
            }
            Err(error) => return Outcome::Broken(with_causes(&error)),
        };
        // The first change is the response: a door may be closed meanwhile.
        if Instant::now() >= end || !matches!(outcome, Outcome::Pass(_)) {
            return outcome;
        }
    }
}
