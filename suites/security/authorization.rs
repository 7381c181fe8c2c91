//! Does an operation that the contract marks as secured refuse who has no token?

use std::sync::Arc;

use stagegate_base::{config::Service, finding::Finding, record::Outcome, text::counted};
use stagegate_contract::Document;
use stagegate_host::{
    error::with_causes,
    http::{Http, Request},
};
use stagegate_policy_decide::security::{self, Secured};

use super::outcome;
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str =
    "check the token before anything else; if the operation is public, remove `security` from the contract";

/// Lists a trial for the operations that change nothing, and one that writes for the others.
pub(super) fn trials(service: &Service, document: &Document) -> Vec<Trial> {
    let (safe, unsafe_ones): (Vec<Secured>, Vec<Secured>) =
        security::secured(document).into_iter().partition(|secured| secured.method.is_safe());
    let trial = |question: &str, effect: Effect, operations: Vec<Secured>| {
        let (name, service, operations) = (service.name.clone(), service.clone(), Arc::new(operations));
        let ask = move |session| check(session, service.clone(), Arc::clone(&operations));
        Trial::new("security", &name, question, effect, ask)
    };
    let mut all = Vec::new();
    if !safe.is_empty() {
        all.push(trial("authorization", Effect::Reads, safe));
    }
    if !unsafe_ones.is_empty() {
        all.push(trial("authorization_of_changes", Effect::Writes, unsafe_ones));
    }
    all
}

async fn check(session: Arc<Session>, service: Service, operations: Arc<Vec<Secured>>) -> Outcome {
    let mut findings = Vec::new();
    for operation in operations.iter() {
        match status(&session, &service, operation, None).await {
            Ok(status) if security::refused(status) => {}
            Ok(status) => findings.push(Finding::differs(
                format!("{} {} {}", service.name, operation.method, operation.path),
                "401 or 403 without a token",
                format!("{status}"),
            )),
            Err(reason) => return Outcome::Broken(reason),
        }
    }
    let passed = format!("{} refused without a token", counted(operations.len(), "operation"));
    outcome("a secured operation responds without a token", findings, passed, HINT)
}

/// Asks an operation, with a bearer token where there is one, and returns the status.
pub(super) async fn status(
    session: &Session,
    service: &Service,
    operation: &Secured,
    token: Option<&str>,
) -> Result<u16, String> {
    let http = Http::shared().map_err(|error| with_causes(&error))?;
    let mut request = Request::new(operation.method.name(), &format!("{}{}", service.base(), operation.target));
    request.headers = service.headers();
    if !operation.method.is_safe() {
        request = request.header("content-type", "application/json").body("{}");
    }
    if let Some(token) = token {
        request = request.header("authorization", &format!("Bearer {token}"));
    }
    let addresses = session.addresses(service).await.map_err(|error| with_causes(&error))?;
    let (_, response) = http.send_first(&addresses, &request).await.map_err(|error| with_causes(&error))?;
    Ok(response.status)
}
