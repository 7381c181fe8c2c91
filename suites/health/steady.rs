//! Do the services stay as they are? A crash loop without a healthcheck, or a late unhealthy one, shows only here.

use std::sync::Arc;

use stagegate_decide::{health, record::Outcome};

use crate::{
    ready::look,
    session::Session,
    trial::{Effect, Trial},
};

pub(super) fn trial() -> Trial {
    Trial::new("health", "stack", "steady", Effect::Reads, ask)
}

async fn ask(session: Arc<Session>) -> Outcome {
    let ready = match session.ready().await {
        Ok(ready) => ready,
        Err(reason) => return Outcome::Broken(reason),
    };
    let missing: Vec<&str> = ready.missing().iter().map(|(service, _)| *service).collect();
    if !missing.is_empty() {
        return Outcome::fail(format!("not watched, since services are not ready: {}", missing.join(", ")));
    }
    tokio::time::sleep(session.soak).await;
    match look(&session.project, &session.engine).await {
        Ok(later) => health::steady(&ready.containers, &later.containers, session.soak),
        Err(reason) => Outcome::Broken(reason),
    }
}
