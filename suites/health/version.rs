//! Does a service tell which version runs?

use std::sync::Arc;

use stagegate_base::{config::Service, record::Outcome};

use super::{StateMismatch, each, http};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// How much of the response is shown, in characters.
const SHOWN: usize = 200;

/// Returns the trial, where the service has a version path.
pub(super) fn trial(service: &Service) -> Option<Trial> {
    let (requested, path) = (service.clone(), service.version.clone()?);
    Some(Trial::new("health", &service.name, "version", Effect::Reads, move |session| {
        check(session, requested.clone(), path.clone())
    }))
}

async fn check(session: Arc<Session>, service: Service, path: String) -> Outcome {
    each(&session, &service.name, async |container| {
        let response = http::get(&container, &service, &path).await?;
        shown(&response.text())
            .ok_or_else(|| StateMismatch::new("a version as text or JSON", format!("GET {path}: not a text")))
    })
    .await
}

/// Returns a response on one line: words single-spaced, at most 200 characters; `None` where it states nothing.
pub(super) fn shown(body: &str) -> Option<String> {
    let line = body.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_text = !line.is_empty() && !line.contains('\u{fffd}') && !line.starts_with("<!");
    is_text.then(|| line.chars().take(SHOWN).collect())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::text("1.4.0\n", Some("1.4.0"))]
    #[case::json("{\n  \"version\": \"1.4.0\"\n}", Some("{ \"version\": \"1.4.0\" }"))]
    #[case::nothing(" \n", None)]
    #[case::page("<!doctype html><p>hello", None)]
    #[case::bytes("\u{fffd}\u{fffd}", None)]
    fn a_version_is_text_on_one_line(#[case] body: &str, #[case] want: Option<&str>) {
        assert_eq!(shown(body).as_deref(), want);
    }
}
