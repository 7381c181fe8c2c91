//! Do pages that reach browsers carry the headers that protect their users?

use std::{collections::BTreeSet, sync::Arc};

use stagegate_base::record::{Outcome, Severity};
use stagegate_policy_decide::security;

use super::{outcome, responses::ServiceResponsesOnce};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "add the header to every response, errors included (nginx: `add_header .. always`)";

pub(super) fn trial(responses: &Arc<ServiceResponsesOnce>) -> Trial {
    let responses = Arc::clone(responses);
    let ask = move |session| check(session, Arc::clone(&responses));
    Trial::new("security", "stack", "headers", Effect::Reads, ask).with_severity(Severity::Warning)
}

async fn check(session: Arc<Session>, responses: Arc<ServiceResponsesOnce>) -> Outcome {
    let answered = match responses.get(&session).await {
        Ok(answered) => answered,
        Err(reason) => return Outcome::Broken(reason),
    };
    let front: Vec<_> = answered.iter().filter(|answered| answered.is_front).collect();
    if front.is_empty() {
        return Outcome::Skip(
            "no HTTP service publishes a port; name those that reach browsers in `front` of [security]".to_owned(),
        );
    }
    let expected = &session.project.config.security.headers;
    let mut findings = Vec::new();
    for answered in &front {
        // One answer that lacks a header is enough to find where all of them are made.
        let mut reported = BTreeSet::new();
        for mut finding in answered.usual.iter().flat_map(|seen| security::headers(seen, expected)) {
            let header = finding.place.object.rsplit(' ').next().unwrap_or_default().to_owned();
            if reported.insert(header) {
                finding.place.object = format!("{} {}", answered.service, finding.place.object);
                findings.push(finding);
            }
        }
    }
    let names: Vec<&str> = front.iter().map(|answered| answered.service.as_str()).collect();
    outcome("security headers are missing", findings, format!("{} of {}", expected.join(", "), names.join(", ")), HINT)
}
