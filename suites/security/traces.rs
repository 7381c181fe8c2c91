//! Does an error show a stack trace, or what a database reported?

use std::sync::Arc;

use stagegate_base::{record::Outcome, text::counted};
use stagegate_policy_decide::security;

use super::{outcome, responses::ServiceResponsesOnce};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "log the cause and return a short message; switch the framework's debug mode off";

pub(super) fn trial(responses: &Arc<ServiceResponsesOnce>) -> Trial {
    let responses = Arc::clone(responses);
    Trial::new("security", "stack", "traces", Effect::Reads, move |session| check(session, Arc::clone(&responses)))
}

async fn check(session: Arc<Session>, responses: Arc<ServiceResponsesOnce>) -> Outcome {
    let answered = match responses.get(&session).await {
        Ok(answered) => answered,
        Err(reason) => return Outcome::Broken(reason),
    };
    let mut findings = Vec::new();
    let mut provoked = 0;
    for answered in answered {
        provoked += answered.provoked.len();
        for seen in answered.provoked.iter().chain(&answered.usual) {
            if let Some(mut finding) = security::traces(seen) {
                finding.place.object = format!("{} {}", answered.service, finding.place.object);
                findings.push(finding);
            }
        }
    }
    outcome("an error response reveals internals", findings, format!("{} provoked", counted(provoked, "error")), HINT)
}
