//! Does a service have its containers, and are they running and healthy?

use std::sync::Arc;

use stagegate_base::{readiness::Readiness, record::Outcome};
use stagegate_host::error::with_causes;
use stagegate_policy_decide::health;

use crate::{
    ready,
    session::Session,
    trial::{Effect, Trial},
};

pub(super) fn trial(service: &str) -> Trial {
    let name = service.to_owned();
    Trial::new("health", service, "state", Effect::Reads, move |session| check(session, name.clone()))
}

async fn check(session: Arc<Session>, service: String) -> Outcome {
    let ready = match session.ready().await {
        Ok(ready) => ready,
        Err(error) => return Outcome::Broken(with_causes(&error)),
    };
    let Some(readiness) = ready.services.get(&service) else {
        let known = session.project.model.services().join(", ");
        return Outcome::fail(format!("the compose model has no service `{service}` (it has {known})"));
    };
    let mut evidence = Vec::new();
    if !matches!(readiness, Readiness::Ready(_)) {
        for container in ready.of(&service) {
            evidence.extend(ready::evidence(&session.engine, session.runner.mask(), container).await);
        }
    }
    health::state(session.project.compose_name(), &service, readiness, evidence)
}
