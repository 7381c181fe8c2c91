//! Does a service that speaks TLS tell browsers to come back over TLS only?

use std::sync::Arc;

use stagegate_base::{
    config::Tls,
    record::{Outcome, Severity},
};
use stagegate_policy_decide::security;

use super::{certificate::presented_certificate, outcome};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "send `Strict-Transport-Security: max-age=31536000`";

pub(super) fn trial(service: &str, tls: &Tls) -> Trial {
    let (name, tls) = (service.to_owned(), tls.clone());
    let ask = move |session| check(session, name.clone(), tls.clone());
    Trial::new("security", service, "strict_transport", Effect::Reads, ask).with_severity(Severity::Warning)
}

async fn check(session: Arc<Session>, service: String, tls: Tls) -> Outcome {
    let (_, shown, _) = match presented_certificate(&session, &service, &tls).await {
        Ok(shown) => shown,
        Err(outcome) => return outcome,
    };
    let Some(response) = shown.answer else {
        return Outcome::fail(format!("service `{service}` uses TLS at port {}, but no HTTP over it", tls.port));
    };
    let mut findings = security::headers(&response, &[]);
    findings.iter_mut().for_each(|finding| finding.place.object = format!("{service} {}", finding.place.object));
    outcome("browsers may return over plain HTTP", findings, "strict-transport-security".to_owned(), HINT)
}
