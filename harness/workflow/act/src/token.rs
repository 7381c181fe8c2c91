//! Tokens of logins, for what calls the environment and is no workflow.

use std::sync::Arc;

use serde_json::Value;
use stagegate_base::redact::Secret;

use super::{Place, step_runner};

/// Returns one text that a login captures: a token that others call the environment with.
///
/// The login is done once a run, for workflows and others alike.
///
/// # Errors
/// A text that says why there is none: no such login or capture, a step that failed, an environment that is
/// protected and a login that may write.
pub async fn token(place: &Arc<Place>, login: &str, capture: &str) -> Result<Secret, String> {
    let known = place.logins().get(login).ok_or_else(|| {
        let names: Vec<&str> = place.logins().keys().map(String::as_str).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        format!("login `{login}` is in no workflow file that can be read (known: {known})")
    })?;
    if place.project.environment.protected && !known.steps.iter().all(|step| step.safe) {
        let environment = &place.project.environment.name;
        return Err(format!(
            "login `{login}` ({}) has steps that are not marked safe, and `{environment}` is protected",
            known.file.display()
        ));
    }
    let captured = step_runner::login(place, login).await.map_err(|reason| place.mask().apply(&reason))?;
    match captured.get(&format!("login.{login}.{capture}")) {
        Some(Value::String(text)) if !text.is_empty() => Ok(Secret::new(text.as_str())),
        Some(_) => Err(format!("login `{login}` captures a `{capture}` that is not a string")),
        None => Err(format!("login `{login}` ({}) captures no `{capture}`", known.file.display())),
    }
}
