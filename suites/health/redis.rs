//! Does a Redis server answer PING?

use std::{sync::Arc, time::Instant};

use stagegate_base::{config::Service, record::Outcome};
use stagegate_host::{
    error::with_causes,
    probe::redis::{self, PingReply},
};

use super::{StateMismatch, each};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// Variable of the compose service that holds the server's password.
const PASSWORD_VARIABLE: &str = "REDIS_PASSWORD";

pub(super) fn trial(service: &Service) -> Trial {
    let requested = service.clone();
    Trial::new("health", &service.name, "redis", Effect::Reads, move |session| check(session, requested.clone()))
}

async fn check(session: Arc<Session>, service: Service) -> Outcome {
    let password = stagegate_host::secret::variable(&session.project.model, &service.name, PASSWORD_VARIABLE);
    each(&session, &service.name, async |container| {
        let begun = Instant::now();
        let response = redis::ping(&container.reach(service.port), password.as_ref()).await;
        match response.map_err(|error| StateMismatch::new("+PONG to PING", with_causes(&error)))? {
            PingReply::Pong => Ok(format!("PONG, {} ms", begun.elapsed().as_millis())),
            PingReply::Secured => Ok(format!(
                "alive, but it requires a password (NOAUTH) and the service has no {PASSWORD_VARIABLE}: no PONG"
            )),
        }
    })
    .await
}
