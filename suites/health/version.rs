//! Does a service tell which version runs?

use std::sync::Arc;

use stagegate_base::{config::Service, record::Outcome};

use super::{Wrong, each, http};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// How much of the answer is shown, in characters.
const SHOWN: usize = 200;

/// Returns the trial, where the service has a version path.
pub(super) fn trial(service: &Service) -> Option<Trial> {
    let (asked, path) = (service.clone(), service.version.clone()?);
    Some(Trial::new("health", &service.name, "version", Effect::Reads, move |session| {
        ask(session, asked.clone(), path.clone())
    }))
}

async fn ask(session: Arc<Session>, service: Service, path: String) -> Outcome {
    each(&session, &service.name, async |container| {
        let answer = http::get(&container, &service, &path).await?;
        shown(&answer.text()).ok_or_else(|| Wrong::new("a version as text or JSON", format!("GET {path}: not a text")))
    })
    .await
}

/// Returns an answer on one line: words single-spaced, at most 200 characters; `None` where it says nothing.
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
