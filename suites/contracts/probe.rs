//! Does a service refuse bad requests as it documents: 4xx, never 5xx? Left out in a protected environment.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::{StreamExt, stream};
use stagegate_base::{
    finding::Finding,
    record::{Evidence, Outcome, Severity},
};
use stagegate_contract::{Answer, Operation, Probe, Refused, can_be_probed, code, probes, refused};
use stagegate_host::{
    error::with_causes,
    http::{Http, HttpError},
};

use super::{book::Book, judged, operation, wire::Wire};
use crate::trial::{Effect, Trial};

/// How many probes of one operation are on their way at the same time.
const AT_A_TIME: usize = 4;
/// How many `curl` lines are kept.
const LINES: usize = 5;

/// Lists a trial for each operation that can be probed, those too that are not called otherwise.
pub(super) fn trials(book: &Arc<Book>) -> Vec<Trial> {
    let mut taken = BTreeSet::new();
    let has_token = book.service.token.is_some();
    let meant = (0..book.calls.len()).filter(|index| can_be_probed(&book.calls[*index].operation, has_token));
    let trial = |index: usize| {
        let name = operation::free(&mut taken, format!("probe_{}", operation::name(&book.calls[index].operation)));
        let shared = Arc::clone(book);
        let trial = Trial::new("contracts", &book.service.name, &name, Effect::Writes, move |session| {
            let book = Arc::clone(&shared);
            async move {
                match book.wire(&session).await {
                    Ok(wire) => asked(&book, wire, index).await,
                    Err(reason) => Outcome::Broken(reason),
                }
            }
        });
        // No client that keeps to the document sends such requests.
        trial.weighing(Severity::Warning)
    };
    meant.map(trial).collect()
}

/// What came of one probe.
struct Probed {
    probe: Probe,
    end: Result<Refused, String>,
}

pub(super) async fn asked(book: &Book, wire: &Wire, index: usize) -> Outcome {
    let operation = &book.calls[index].operation;
    let all = probes(&book.document, operation);
    if all.is_empty() {
        return Outcome::Skip("no request is known to be bad by the document".to_owned());
    }
    let http = match Http::shared() {
        Ok(http) => http.body_cap(usize::try_from(book.service.max_body.0).unwrap_or(usize::MAX)),
        Err(error) => return Outcome::Broken(with_causes(&error)),
    };
    let sent = stream::iter(all).map(|probe| sent(book, wire, &http, operation, probe));
    let all: Vec<Probed> = sent.buffered(AT_A_TIME).collect().await;
    wire.masked(judged(book, wire, &all))
}

async fn sent(book: &Book, wire: &Wire, http: &Http, operation: &Operation, probe: Probe) -> Probed {
    let request = wire.dressed(book.service.base(), &probe.request);
    let end = match http.send_first(&wire.addresses, &request).await {
        Ok((_, answer)) => {
            let facts = Answer {
                status: answer.status,
                headers: &answer.headers,
                body: &answer.body,
                truncated: answer.truncated,
            };
            Ok(refused(&book.document, operation, &probe, &facts))
        }
        Err(error @ (HttpError::Request { .. } | HttpError::NoAddress)) => Err(with_causes(&error)),
        Err(error) => Ok(Refused::Badly(vec![no_answer(&probe, with_causes(&error))])),
    };
    Probed { probe, end }
}

/// Tells a service that closes the connection, or hangs, instead of refusing.
fn no_answer(probe: &Probe, found: String) -> stagegate_contract::Difference {
    let (at, expected) = (probe.wrong.to_string(), "4xx".to_owned());
    stagegate_contract::Difference { code: &code::NO_ANSWER, at, expected, found, schema: String::new(), places: 1 }
}

fn judged(book: &Book, wire: &Wire, all: &[Probed]) -> Outcome {
    if let Some(reason) = all.iter().find_map(|probed| probed.end.as_ref().err()) {
        return Outcome::Broken(reason.clone());
    }
    let badly = all.iter().filter_map(|probed| match &probed.end {
        Ok(Refused::Badly(differences)) => Some((&probed.probe, differences)),
        _ => None,
    });
    let badly: Vec<_> = badly.collect();
    if badly.is_empty() {
        return fine(all);
    }
    let lines = wire.addresses.first().into_iter().flat_map(|address| {
        badly.iter().take(LINES).map(|(probe, _)| {
            let line = judged::reproduce(book, address, &probe.request);
            Evidence { name: format!("reproduce {}", probe.wrong), ..line }
        })
    });
    let findings: Vec<Finding> = badly.iter().flat_map(|(_, all)| all.iter()).map(|one| one.finding()).collect();
    Outcome::Fail {
        message: format!("{} of {} bad requests were not refused as {} says", badly.len(), all.len(), book.contract),
        findings,
        evidence: lines.collect(),
        hint: Some("what the codes mean stands in docs/contracts.md".to_owned()),
    }
}

/// Tells probes that were refused; where all were turned away at the door, nothing was seen.
fn fine(all: &[Probed]) -> Outcome {
    let unseen: Vec<u16> = all
        .iter()
        .filter_map(|probed| match probed.end {
            Ok(Refused::Unseen(status)) => Some(status),
            _ => None,
        })
        .collect();
    match unseen.first() {
        Some(status) if unseen.len() == all.len() => Outcome::Broken(format!(
            "all {} bad requests were turned away with {status} before they were read",
            all.len()
        )),
        _ => Outcome::Pass(format!("{} bad requests were refused", all.len() - unseen.len())),
    }
}
