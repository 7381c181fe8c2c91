//! One of the two environments of a run: its containers, what the gate deployed there, its database servers.

use stagegate_base::{
    compose::Model,
    config::Environment,
    container::{Container, State},
    redact::Secret,
};
use stagegate_gate_decide::promotion::PlanDatabase;
use stagegate_host::{database::Server, release::Snapshot, secret};

/// An environment as it is.
pub(super) struct Side {
    pub(super) environment: Environment,
    pub(super) containers: Vec<Container>,
    pub(super) deployed: Option<Snapshot>,
}

/// Returns the server of a database of an environment, where it runs.
pub(super) fn server(target: &Side, database: &PlanDatabase, model: &Model) -> Option<Server> {
    server_among(&target.containers, database, model)
}

/// Returns the server of a database among containers, where it runs.
pub(super) fn server_among(containers: &[Container], database: &PlanDatabase, model: &Model) -> Option<Server> {
    let container = containers.iter().find(|c| c.service == database.service && c.state == State::Running)?;
    let password = secret::variable(model, &database.service, &database.password_variable);
    let password = password.unwrap_or_else(|| Secret::new(""));
    let server = Server::new(container, &database.role, password, "stagegate/preflight");
    Some(server.verified_by(database.ca.as_deref()))
}
