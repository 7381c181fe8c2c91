//! Does a service refuse bad requests as it documents: 4xx, never 5xx? Left out in a protected environment.

use stagegate_base::text::counted;
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

use super::{operation, outcome, service_calls::ServiceCalls, wire::Wire};
use crate::trial::{Effect, Trial};

/// How many probes of one operation are on their way at the same time.
const AT_A_TIME: usize = 4;
/// How many `curl` lines are kept.
const LINES: usize = 5;

/// Lists a trial for each operation that can be probed, those too that are not called otherwise.
pub(super) fn trials(calls: &Arc<ServiceCalls>) -> Vec<Trial> {
    let mut taken = BTreeSet::new();
    let has_token = calls.service.token.is_some();
    let meant = (0..calls.calls.len()).filter(|index| can_be_probed(&calls.calls[*index].operation, has_token));
    let trial = |index: usize| {
        let name = operation::free(&mut taken, format!("probe_{}", operation::name(&calls.calls[index].operation)));
        let shared = Arc::clone(calls);
        let trial = Trial::new("contracts", &calls.service.name, &name, Effect::Writes, move |session| {
            let calls = Arc::clone(&shared);
            async move {
                match calls.wire(&session).await {
                    Ok(wire) => run(&calls, wire, index).await,
                    Err(reason) => Outcome::Broken(reason),
                }
            }
        });
        // No client that keeps to the document sends such requests.
        trial.with_severity(Severity::Warning)
    };
    meant.map(trial).collect()
}

/// What came of one probe.
struct ProbeResult {
    probe: Probe,
    end: Result<Refused, String>,
}

pub(super) async fn run(calls: &ServiceCalls, wire: &Wire, index: usize) -> Outcome {
    let operation = &calls.calls[index].operation;
    let all = probes(&calls.document, operation);
    if all.is_empty() {
        return Outcome::Skip("the document defines no request as invalid".to_owned());
    }
    let http = match Http::shared() {
        Ok(http) => http.body_cap(usize::try_from(calls.service.max_body.0).unwrap_or(usize::MAX)),
        Err(error) => return Outcome::Broken(with_causes(&error)),
    };
    let sent = stream::iter(all).map(|probe| send(calls, wire, &http, operation, probe));
    let all: Vec<ProbeResult> = sent.buffered(AT_A_TIME).collect().await;
    wire.masked(outcome(calls, wire, &all))
}

async fn send(calls: &ServiceCalls, wire: &Wire, http: &Http, operation: &Operation, probe: Probe) -> ProbeResult {
    let request = wire.request(calls.service.base(), &probe.request);
    let end = match http.send_first(&wire.addresses, &request).await {
        Ok((_, answer)) => {
            let facts = Answer {
                status: answer.status,
                headers: &answer.headers,
                body: &answer.body,
                truncated: answer.truncated,
            };
            Ok(refused(&calls.document, operation, &probe, &facts))
        }
        Err(error @ (HttpError::Request { .. } | HttpError::NoAddress)) => Err(with_causes(&error)),
        Err(error) => Ok(Refused::Badly(vec![no_answer(&probe, with_causes(&error))])),
    };
    ProbeResult { probe, end }
}

/// Tells a service that closes the connection, or hangs, instead of refusing.
fn no_answer(probe: &Probe, found: String) -> stagegate_contract::Difference {
    let (at, expected) = (probe.wrong.to_string(), "4xx".to_owned());
    stagegate_contract::Difference { code: &code::NO_ANSWER, at, expected, found, schema: String::new(), places: 1 }
}

fn outcome(calls: &ServiceCalls, wire: &Wire, all: &[ProbeResult]) -> Outcome {
    if let Some(reason) = all.iter().find_map(|probed| probed.end.as_ref().err()) {
        return Outcome::Broken(reason.clone());
    }
    let badly = all.iter().filter_map(|probed| match &probed.end {
        Ok(Refused::Badly(differences)) => Some((&probed.probe, differences)),
        _ => None,
    });
    let badly: Vec<_> = badly.collect();
    if badly.is_empty() {
        return passed(all);
    }
    let lines = wire.addresses.first().into_iter().flat_map(|address| {
        badly.iter().take(LINES).map(|(probe, _)| {
            let line = outcome::reproduce(calls, address, &probe.request);
            Evidence { name: format!("reproduce {}", probe.wrong), ..line }
        })
    });
    let findings: Vec<Finding> = badly.iter().flat_map(|(_, all)| all.iter()).map(|one| one.finding()).collect();
    Outcome::Fail {
        message: format!(
            "{} of {} not refused as {} documents",
            badly.len(),
            counted(all.len(), "invalid request"),
            calls.contract
        ),
        findings,
        evidence: lines.collect(),
        hint: Some("docs/contracts.md explains the codes".to_owned()),
    }
}

/// Tells probes that were refused; where all were turned away at the door, nothing was seen.
fn passed(all: &[ProbeResult]) -> Outcome {
    let unseen: Vec<u16> = all
        .iter()
        .filter_map(|probed| match probed.end {
            Ok(Refused::Unseen(status)) => Some(status),
            _ => None,
        })
        .collect();
    match unseen.first() {
        Some(status) if unseen.len() == all.len() => Outcome::Broken(format!(
            "{} rejected with {status} before being read: nothing is known of how it checks its input",
            counted(all.len(), "invalid request")
        )),
        _ => Outcome::Pass(format!("{} refused", counted(all.len() - unseen.len(), "invalid request"))),
    }
}
