//! Does a service's port accept a connection?

use std::{sync::Arc, time::Instant};

use stagegate_base::{config::Service, record::Outcome};
use stagegate_host::{error::with_causes, probe::tcp};

use super::{StateMismatch, each};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

pub(super) fn trial(service: &Service) -> Trial {
    let requested = service.clone();
    Trial::new("health", &service.name, "tcp", Effect::Reads, move |session| check(session, requested.clone()))
}

async fn check(session: Arc<Session>, service: Service) -> Outcome {
    each(&session, &service.name, async |container| {
        let begun = Instant::now();
        match tcp::connect(&container.reach(service.port)).await {
            Ok(address) => Ok(format!("{address} accepts connections, {} ms", begun.elapsed().as_millis())),
            Err(error) => Err(StateMismatch::new("an accepted connection", with_causes(&error))),
        }
    })
    .await
}
