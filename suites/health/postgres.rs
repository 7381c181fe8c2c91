//! Does a PostgreSQL server let us into its databases?

use std::{sync::Arc, time::Instant};

use stagegate_base::{
    compose::Model,
    config::{Config, Database, Service},
    container::Container,
    record::Outcome,
};
use stagegate_host::{
    error::with_causes,
    probe::{
        ProbeError,
        postgres::{self, Login},
    },
};

use super::{StateMismatch, each};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

pub(super) fn trial(config: &Config, service: &Service) -> Trial {
    let requested = service.clone();
    let databases: Arc<[Database]> =
        config.databases.values().filter(|db| db.service == service.name).cloned().collect();
    Trial::new("health", &service.name, "postgres", Effect::Reads, move |session| {
        check(session, requested.clone(), Arc::clone(&databases))
    })
}

async fn check(session: Arc<Session>, service: Service, databases: Arc<[Database]>) -> Outcome {
    let logins = logins(&session.project.model, &service, &databases);
    each(&session, &service.name, async |container| into_all(&container, service.port, &logins).await).await
}

fn logins(model: &Model, service: &Service, databases: &[Database]) -> Vec<Login> {
    match databases {
        [] => vec![Login::of_service(model, &service.name)],
        databases => databases.iter().map(|database| Login::of(model, database)).collect(),
    }
}

async fn into_all(container: &Container, port: u16, logins: &[Login]) -> Result<String, StateMismatch> {
    let begun = Instant::now();
    let mut seen = String::new();
    for login in logins {
        let version = postgres::version(&container.reach(port), login).await;
        let version = version.map_err(|error| wrong(&error, login))?;
        seen = format!("PostgreSQL {version} accepts {} in database {}", login.user, login.database);
    }
    Ok(format!("{seen}, {} ms", begun.elapsed().as_millis()))
}

fn wrong(error: &ProbeError, login: &Login) -> StateMismatch {
    let expected = format!("`select 1` as {} in database {}", login.user, login.database);
    StateMismatch { expected, found: with_causes(error), hint: hint(error, login) }
}

/// Names the setting behind the refusals that a wrong configuration makes.
// Source: PostgreSQL manual, appendix A: SQLSTATE 28P01, 28000, 3D000.
fn hint(error: &ProbeError, login: &Login) -> Option<String> {
    match error {
        ProbeError::Server { code, .. } if code == "28P01" || code == "28000" => Some(
            "check `role` and `password_variable` of [databases]; a password in the env file does not change one that \
             the data directory already holds"
                .to_owned(),
        ),
        ProbeError::Server { code, .. } if code == "3D000" => {
            Some(format!("check `name` of [databases]: the server has no database {}", login.database))
        }
        ProbeError::Protocol { .. } if login.password.is_none() => Some(
            "no password is known: set `password_variable` of [databases] to the compose service's variable; a file that \
             <variable>_FILE names is read where it is a secret, a config or a mount of this host"
                .to_owned(),
        ),
        _ => None,
    }
}
