//! Are cookies kept from scripts, from plain HTTP and from other sites?

use stagegate_base::text::counted;
use std::sync::Arc;

use stagegate_base::record::{Outcome, Severity};
use stagegate_policy_decide::security;

use super::{outcome, responses::ServiceResponsesOnce};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "set `Secure; HttpOnly; SameSite=Lax` where the service creates the cookie";

pub(super) fn trial(responses: &Arc<ServiceResponsesOnce>) -> Trial {
    let responses = Arc::clone(responses);
    let ask = move |session| check(session, Arc::clone(&responses));
    Trial::new("security", "stack", "cookies", Effect::Reads, ask).with_severity(Severity::Warning)
}

async fn check(session: Arc<Session>, responses: Arc<ServiceResponsesOnce>) -> Outcome {
    let answered = match responses.get(&session).await {
        Ok(answered) => answered,
        Err(reason) => return Outcome::Broken(reason),
    };
    let mut findings = Vec::new();
    let mut looked_at = 0;
    for answered in answered {
        for seen in answered.usual.iter().chain(&answered.provoked) {
            looked_at += 1;
            for mut finding in security::cookies(seen) {
                finding.place.object = format!("{} {}", answered.service, finding.place.object);
                findings.push(finding);
            }
        }
    }
    outcome("a cookie lacks a flag", findings, counted(looked_at, "response"), HINT)
}
