//! Does an operation respond to every valid request: at the limits of its parameters, and on further pages?
//!
//! Only methods that change nothing, so that it is checked in every environment.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::{StreamExt, stream};
use stagegate_base::{record::Outcome, text::counted};
use stagegate_contract::{self as contract, Limit, Next, Operation, Request};

use super::{
    operation,
    sending::{CallError, Findings, facts},
    service_calls::ServiceCalls,
    wire::Wire,
};
use crate::trial::{Effect, Trial};

/// How many requests of one operation are on their way at the same time.
const AT_A_TIME: usize = 4;
/// How many pages are followed after the first one.
const PAGES: usize = 2;

/// Lists a trial for each operation that can be called and has parameters to vary.
pub(super) fn trials(calls: &Arc<ServiceCalls>) -> Vec<Trial> {
    let mut taken = BTreeSet::new();
    let meant = calls.possible().filter(|index| {
        let operation = &calls.calls[*index].operation;
        contract::has_pages(operation) || !contract::limits(&calls.document, operation).is_empty()
    });
    let trial = |index: usize| {
        let name = operation::free(&mut taken, format!("limits_{}", operation::name(&calls.calls[index].operation)));
        let shared = Arc::clone(calls);
        Trial::new("contracts", &calls.service.name, &name, Effect::Reads, move |session| {
            let calls = Arc::clone(&shared);
            async move {
                match calls.wire(&session).await {
                    Ok(wire) => run(&calls, wire, index).await,
                    Err(reason) => Outcome::Broken(reason),
                }
            }
        })
    };
    meant.map(trial).collect()
}

pub(super) async fn run(calls: &ServiceCalls, wire: &Wire, index: usize) -> Outcome {
    let first = calls.call(wire, index).await;
    if !first.status.is_some_and(|status| (200..300).contains(&status)) {
        return Outcome::Skip("the operation gave no successful response to begin with".to_owned());
    }
    let operation = &calls.calls[index].operation;
    let all =
        contract::limits(&calls.document, operation).into_iter().chain(contract::pages(&calls.document, operation));
    let requests = all.filter_map(|limit| Some((limit.request(operation, &first.values)?, limit.what)));
    let sent = stream::iter(requests).map(|(request, what)| async move {
        let response = calls.sent(wire, &request).await;
        (request, what, response)
    });
    let mut sent = sent.buffered(AT_A_TIME);
    let (mut findings, mut count) = (Findings::without(&first.outcome), 0);
    while let Some((request, what, response)) = sent.next().await {
        count += 1;
        match response {
            Ok((address, answer)) => {
                findings.judge(calls, (operation, &request, &what), (address, &answer));
            }
            Err(CallError::Unsent(reason)) => return wire.masked(Outcome::Broken(reason)),
            Err(CallError::NoResponse(reason)) => findings.silent(calls, (&request, &what), wire, reason),
        }
    }
    count += follow(calls, wire, index, &mut findings).await;
    let message = format!("valid requests are not responded to as {} documents", calls.contract);
    wire.masked(
        findings
            .outcome(&message, Outcome::Pass(format!("{} at limits and on pages", counted(count, "valid request")))),
    )
}

/// Follows a list from page to page, as its responses say it goes on; returns how many requests that took.
async fn follow(calls: &ServiceCalls, wire: &Wire, index: usize, findings: &mut Findings) -> usize {
    let operation = &calls.calls[index].operation;
    let known = &calls.call(wire, index).await.values;
    let Some(mut request) = Limit::of(contract::first_page(&calls.document, operation)).request(operation, known)
    else {
        return 0;
    };
    let mut count = 0;
    for page in 1..=PAGES + 1 {
        let Ok((address, answer)) = calls.sent(wire, &request).await else { break };
        count += 1;
        let what = format!("page {page}");
        let is_done = findings.judge(calls, (operation, &request, &what), (address, &answer));
        let next = contract::next_page(operation, &facts(&answer), calls.service.base());
        let Some(next) = next.filter(|_| is_done).and_then(|next| onwards(operation, &request, known, next)) else {
            break;
        };
        if next.target == request.target {
            break;
        }
        request = next;
    }
    count
}

fn onwards(operation: &Operation, request: &Request, known: &contract::Values, next: Next) -> Option<Request> {
    match next {
        Next::Target(target) => Some(Request { target, ..request.clone() }),
        Next::Values(values) => Limit::of(values).request(operation, known),
    }
}
