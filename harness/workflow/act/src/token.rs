//! Tokens of logins, for what calls the environment and is no workflow.

use std::{path::PathBuf, sync::Arc};

use serde_json::Value;
use stagegate_base::redact::Secret;

use super::{WorkflowContext, step_runner};

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No workflow file has the login.
    #[error("login `{login}` is in no workflow file that can be read (known: {known})")]
    Unknown {
        /// The login.
        login: String,
        /// The ones that are there.
        known: String,
    },
    /// It may write, and the environment is protected.
    #[error("login `{login}` ({}) has steps that are not marked safe, and `{environment}` is protected", file.display())]
    Protected {
        /// The login.
        login: String,
        /// Its file.
        file: PathBuf,
        /// The environment.
        environment: String,
    },
    /// A step failed; the reason is masked.
    #[error("{0}")]
    Login(String),
    /// What it captures is no text.
    #[error("login `{login}` captures a `{capture}` that is not a string")]
    NotText {
        /// The login.
        login: String,
        /// The capture.
        capture: String,
    },
    /// It captures no such thing.
    #[error("login `{login}` ({}) captures no `{capture}`", file.display())]
    NoCapture {
        /// The login.
        login: String,
        /// Its file.
        file: PathBuf,
        /// The capture.
        capture: String,
    },
}

/// Returns one text that a login captures: a token that others call the environment with.
///
/// The login is done once a run, for workflows and others alike.
///
/// # Errors
/// [`TokenError`]: no such login or capture, a step that failed, an environment that is protected and a login that may
/// write.
pub async fn token(place: &Arc<WorkflowContext>, login: &str, capture: &str) -> Result<Secret, TokenError> {
    let known = place.logins().get(login).ok_or_else(|| {
        let names: Vec<&str> = place.logins().keys().map(String::as_str).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        TokenError::Unknown { login: login.to_owned(), known }
    })?;
    if place.project.environment.protected && !known.steps.iter().all(|step| step.safe) {
        let environment = place.project.environment.name.clone();
        return Err(TokenError::Protected { login: login.to_owned(), file: known.file.clone(), environment });
    }
    let captured =
        step_runner::login(place, login).await.map_err(|reason| TokenError::Login(place.mask().apply(&reason)))?;
    match captured.get(&format!("login.{login}.{capture}")) {
        Some(Value::String(text)) if !text.is_empty() => Ok(Secret::new(text.as_str())),
        Some(_) => Err(TokenError::NotText { login: login.to_owned(), capture: capture.to_owned() }),
        None => Err(TokenError::NoCapture {
            login: login.to_owned(),
            file: known.file.clone(),
            capture: capture.to_owned(),
        }),
    }
}
