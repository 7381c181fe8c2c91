//! Does a secured operation refuse who has no credentials, or invalid ones?
//!
//! Only methods that change nothing, so that it is checked in every environment.

use std::sync::Arc;

use stagegate_base::{record::Outcome, text::counted};
use stagegate_contract::{self as contract, Security, code};

use super::{
    sending::{CallError, Findings, difference},
    service_calls::ServiceCalls,
    wire::Wire,
};
use crate::trial::{Effect, Trial};

/// Makes a trial, if an operation is secured that changes nothing.
pub(super) fn trial(calls: &Arc<ServiceCalls>) -> Option<Trial> {
    let shared = Arc::clone(calls);
    secured(calls).next().map(|_| {
        Trial::new("contracts", &calls.service.name, "authorization", Effect::Reads, move |session| {
            let calls = Arc::clone(&shared);
            async move {
                match calls.wire(&session).await {
                    Ok(wire) => run(&calls, wire).await,
                    Err(reason) => Outcome::Broken(reason),
                }
            }
        })
    })
}

fn secured(calls: &ServiceCalls) -> impl Iterator<Item = usize> {
    (0..calls.calls.len()).filter(|index| {
        let operation = &calls.calls[*index].operation;
        operation.method.is_safe() && matches!(operation.security, Security::Needs(_))
    })
}

pub(super) async fn run(calls: &ServiceCalls, wire: &Wire) -> Outcome {
    let (mut findings, mut count) = (Findings::default(), 0);
    for index in secured(calls) {
        let operation = &calls.calls[index].operation;
        // An id that exists leads past a check that comes before that of the credentials.
        let known = match calls.calls[index].is_possible() {
            true => calls.call(wire, index).await.values.clone(),
            false => contract::Values::new(),
        };
        count += 1;
        for (how, request) in contract::unauthorized(&calls.document, operation, &known) {
            let what = format!("{} {how}", calls.title(index));
            let (address, status) = match calls.sent(wire, &request).await {
                Ok((address, answer)) => (Some(address), answer.status),
                Err(CallError::Unsent(reason)) => return wire.masked(Outcome::Broken(reason)),
                Err(CallError::NoResponse(reason)) => {
                    findings.silent(calls, (&request, &what), wire, reason);
                    continue;
                }
            };
            let differences = match status {
                200..300 => vec![difference(&code::UNPROTECTED, "status", "401 or 403", status.to_string())],
                500.. => vec![difference(&code::PROBE_CRASHED, "status", "401 or 403", status.to_string())],
                _ => Vec::new(),
            };
            let is_open = !differences.is_empty();
            findings.add(calls, (&request, &what), address, differences);
            if is_open {
                break;
            }
        }
    }
    let passed = format!("{} refused without valid credentials", counted(count, "secured operation"));
    wire.masked(findings.outcome("secured operations respond without valid credentials", Outcome::Pass(passed)))
}
