//! May any site read what a signed-in user sees?

use std::sync::Arc;

use stagegate_base::{record::Outcome, text::counted};
use stagegate_policy_decide::security;

use super::{outcome, responses::ServiceResponsesOnce};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "allow credentials for a list of origins only; never reflect the `Origin` header";

pub(super) fn trial(responses: &Arc<ServiceResponsesOnce>) -> Trial {
    let responses = Arc::clone(responses);
    Trial::new("security", "stack", "cors", Effect::Reads, move |session| check(session, Arc::clone(&responses)))
}

async fn check(session: Arc<Session>, replies: Arc<ServiceResponsesOnce>) -> Outcome {
    let answered = match replies.get(&session).await {
        Ok(answered) => answered,
        Err(reason) => return Outcome::Broken(reason),
    };
    let mut findings = Vec::new();
    let mut looked_at = 0;
    for answered in answered {
        looked_at += answered.foreign.len();
        for (origin, seen) in &answered.foreign {
            if let Some(mut finding) = security::cors(seen, origin) {
                finding.place.object = format!("{} {}", answered.service, finding.place.object);
                findings.push(finding);
            }
        }
    }
    outcome(
        "any site can read responses as the logged-in user",
        findings,
        format!("{} with unknown origins", counted(looked_at, "request")),
        HINT,
    )
}
