//! Does a Redis server answer PING?

use std::{sync::Arc, time::Instant};

use stagegate_base::{config::Service, record::Outcome};
use stagegate_host::{
    error::with_causes,
    probe::redis::{self, Answer},
};

use super::{Wrong, each};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// Variable of the compose service that holds the server's password.
const PASSWORD_VARIABLE: &str = "REDIS_PASSWORD";

pub(super) fn trial(service: &Service) -> Trial {
    let asked = service.clone();
    Trial::new("health", &service.name, "redis", Effect::Reads, move |session| ask(session, asked.clone()))
}

async fn ask(session: Arc<Session>, service: Service) -> Outcome {
    let password = stagegate_host::secret::variable(&session.project.model, &service.name, PASSWORD_VARIABLE);
    each(&session, &service.name, async |container| {
        let begun = Instant::now();
        let answer = redis::ping(&container.reach(service.port), password.as_ref()).await;
        match answer.map_err(|error| Wrong::new("+PONG to PING", with_causes(&error)))? {
            Answer::Pong => Ok(format!("PONG, {} ms", begun.elapsed().as_millis())),
            Answer::Secured => Ok(format!(
                "alive, but it requires a password (NOAUTH) and the service has no {PASSWORD_VARIABLE}: no PONG"
            )),
        }
    })
    .await
}
