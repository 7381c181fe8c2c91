//! The token that a service's secured operations are called with.

use stagegate_base::{
    config::{Service, TokenSource},
    redact::Secret,
};
use stagegate_workflow_act as workflow;

use crate::session::Session;

/// Returns a service's token: of a variable, or of a login of the workflow files, which is done once a session.
///
/// # Errors
/// A text that states what is missing, or why nobody could log in.
pub(crate) async fn of(session: &Session, service: &Service, source: &TokenSource) -> Result<Secret, String> {
    match source {
        TokenSource::Variable(variable) => of_variable(session, service, variable),
        TokenSource::Login { name, capture } => workflow::token(&session.place().await, name, capture)
            .await
            .map_err(|reason| format!("no token: {reason}; see `token_login` of [services.{}]", service.name)),
    }
}

fn of_variable(session: &Session, service: &Service, variable: &str) -> Result<Secret, String> {
    let own = std::env::var(variable).ok().filter(|value| !value.is_empty()).map(Secret::new);
    own.or_else(|| session.project.model.variable(&service.name, variable)).ok_or_else(|| {
        format!(
            "no token: variable `{variable}` is set neither in this process nor for compose service `{name}`; set it, or \
             remove `token_variable` from [services.{name}]",
            name = service.name
        )
    })
}
