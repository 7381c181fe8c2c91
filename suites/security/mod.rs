//! Security: what does a stack show to whoever asks it?
//!
//! Services are asked as a stranger would, and as somebody with a forged token. What the compose files alone tell
//! (privileges, published databases, plain and well-known secrets) is the suite policy's.

mod authorization;
mod banners;
mod certificate;
mod cookies;
mod cors;
mod headers;
mod image_secrets;
mod log_secrets;
mod material;
mod responses;
mod strict_transport;
mod token;
mod traces;

use std::sync::Arc;

use stagegate_base::{config::Kind, finding::Finding, record::Outcome};

use crate::trial::{Scope, Suite, Trial};

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "security", trials };

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    let mut all = Vec::new();
    if scope.config.services.values().any(|service| service.kind == Kind::Http) {
        let replies = Arc::new(responses::ServiceResponsesOnce::new(scope));
        all.extend([headers::trial(&replies), cookies::trial(&replies), cors::trial(&replies)]);
        all.extend([traces::trial(&replies), banners::trial(&replies)]);
    }
    all.extend([image_secrets::trial(), log_secrets::trial()]);
    for (service, document) in crate::contracts::documents(scope) {
        all.extend(authorization::trials(&service, &document));
        all.extend(token::trials(scope.config, &service, &document));
    }
    for (service, tls) in &scope.config.security.tls {
        all.extend([
            certificate::trial(service, tls),
            certificate::expiry(service, tls),
            strict_transport::trial(service, tls),
        ]);
    }
    all
}

/// Makes a failure of findings, or a pass that states what was looked at.
fn outcome(message: &str, findings: Vec<Finding>, passed: String, hint: &str) -> Outcome {
    match findings.first() {
        None => Outcome::Pass(passed),
        Some(first) => {
            let more = if findings.len() > 1 { format!(" and {} more", findings.len() - 1) } else { String::new() };
            let message = format!("{message}: {}: {}{more}", first.place.object, first.found);
            Outcome::Fail { message, findings, evidence: Vec::new(), hint: Some(hint.to_owned()) }
        }
    }
}

#[cfg(test)]
mod tests;
