//! Does a service refuse bad requests as it documents: 4xx, never 5xx? Left out in a protected environment.

use stagegate_base::text::{counted, cut};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::{StreamExt, stream};
use stagegate_base::{
    finding::Finding,
    record::{Evidence, Outcome, Severity},
};
use stagegate_contract::{
    self as contract, CompletedCall, Difference, Method, Operation, Probe, ProbeFault, Refused, ServiceResponse,
    Values, can_be_probed, changing, code, created, probes, refused,
};

use super::{
    operation, outcome,
    sending::{CallError, facts},
    service_calls::{ProbeResult, ServiceCalls},
    wire::Wire,
};
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

/// Makes a trial of what the documents leave out about refusals, where any operation can be probed.
pub(super) fn refusals(calls: &Arc<ServiceCalls>) -> Option<Trial> {
    let has_token = calls.service.token.is_some();
    let is_any = calls.calls.iter().any(|call| can_be_probed(&call.operation, has_token));
    let shared = Arc::clone(calls);
    let trial = Trial::new("contracts", &calls.service.name, "refusals", Effect::Writes, move |session| {
        let calls = Arc::clone(&shared);
        async move {
            match calls.wire(&session).await {
                Ok(wire) => run_refusals(&calls, wire).await,
                Err(reason) => Outcome::Broken(reason),
            }
        }
    });
    is_any.then(|| trial.with_severity(Severity::Warning))
}

/// How many operations a habit names.
const NAMED: usize = 5;

/// Reports the statuses of refusals that operations do not document: one finding for each status, whatever their number.
pub(super) async fn run_refusals(calls: &ServiceCalls, wire: &Wire) -> Outcome {
    let has_token = calls.service.token.is_some();
    let meant = (0..calls.calls.len()).filter(|index| can_be_probed(&calls.calls[*index].operation, has_token));
    let requested = stream::iter(meant).map(|index| async move { (index, calls.probed(wire, index).await) });
    let mut by_status: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut requested = requested.buffered(AT_A_TIME);
    while let Some((index, probed)) = requested.next().await {
        let ends = probed.into_iter().flatten().filter_map(|probed| probed.end.as_ref().ok());
        let statuses = ends.flat_map(differences).filter(|d| is_habit(d)).map(|d| d.found.clone());
        for status in statuses.collect::<BTreeSet<_>>() {
            by_status.entry(status).or_default().push(calls.title(index));
        }
    }
    if by_status.is_empty() {
        return Outcome::Pass("every refusal has a documented status".to_owned());
    }
    let findings = by_status.iter().map(|(status, operations)| {
        let more = operations.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named = operations.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let place = format!("{} status of {}", code::STATUS.id, counted(operations.len(), "operation"));
        Finding::differs(place, "a documented status", format!("{status} ({named}{more})"))
    });
    let statuses: Vec<&str> = by_status.keys().map(String::as_str).collect();
    Outcome::Fail {
        message: format!("{} does not document refusals with {}", calls.contract, statuses.join(", ")),
        findings: findings.collect(),
        evidence: Vec::new(),
        hint: Some(
            "document the status once as a component, and name it in each operation; or use `default`".to_owned(),
        ),
    }
}

fn differences(end: &Refused) -> &[Difference] {
    if let Refused::Badly(differences) = end { differences } else { &[] }
}

/// Reports a refusal with a status that is not documented: a habit of a whole service, seldom the fault of one operation.
fn is_habit(difference: &Difference) -> bool {
    difference.code == &code::STATUS && difference.found.parse::<u16>().is_ok_and(|status| (400..500).contains(&status))
}

impl ServiceCalls {
    /// Sends an operation the requests that are invalid by its document, or returns what came of them before.
    pub(super) async fn probed(&self, wire: &Wire, index: usize) -> Result<&Vec<ProbeResult>, String> {
        let send = || async {
            let all = meant(self, index);
            let sent = stream::iter(all).map(|probe| send(self, wire, index, probe));
            Ok(sent.buffered(AT_A_TIME).collect().await)
        };
        self.probed[index].get_or_init(send).await.as_ref().map_err(Clone::clone)
    }
}

/// Lists the invalid requests to an operation. What might create something that nobody can delete is left out, unless
/// the environment itself is removed after the run.
fn meant(calls: &ServiceCalls, index: usize) -> Vec<Probe> {
    let operation = &calls.calls[index].operation;
    let all = probes(&calls.document, operation);
    if operation.method != Method::Post || calls.is_temporary() || deletion(calls, index).is_some() {
        return all;
    }
    // Nothing can be made of a body that is no JSON.
    all.into_iter().filter(|probe| probe.request.body.is_none() || probe.wrong == ProbeFault::Malformed).collect()
}

/// Returns the operation that deletes what a POST creates.
fn deletion(calls: &ServiceCalls, index: usize) -> Option<&Operation> {
    let change = calls.changes.iter().find(|change| change.create == index)?;
    Some(&calls.calls[change.delete?].operation)
}

pub(super) async fn run(calls: &ServiceCalls, wire: &Wire, index: usize) -> Outcome {
    match calls.probed(wire, index).await {
        Err(reason) => Outcome::Broken(reason),
        Ok(all) if all.is_empty() => Outcome::Skip("the document defines no request as invalid".to_owned()),
        Ok(all) => wire.masked(outcome(calls, wire, all)),
    }
}

async fn send(calls: &ServiceCalls, wire: &Wire, index: usize, probe: Probe) -> ProbeResult {
    let operation = &calls.calls[index].operation;
    let mut left = None;
    let end = match calls.sent(wire, &probe.request).await {
        Ok((_, answer)) => {
            let facts = facts(&answer);
            if contract::is_done(&facts) {
                left = clean_up(calls, wire, index, &probe, &facts).await;
            }
            Ok(refused(&calls.document, operation, &probe, &facts))
        }
        Err(CallError::Unsent(reason)) => Err(reason),
        Err(CallError::NoResponse(reason)) => Ok(Refused::Badly(vec![no_response(&probe, reason)])),
    };
    ProbeResult { probe, end, left }
}

/// Deletes what a service made of an invalid request that it accepted; returns its address where it is still there.
async fn clean_up(
    calls: &ServiceCalls,
    wire: &Wire,
    index: usize,
    probe: &Probe,
    answer: &ServiceResponse<'_>,
) -> Option<String> {
    let operation = &calls.calls[index].operation;
    let values = Values::new();
    let given = CompletedCall { operation, request: &probe.request, values: &values, answer };
    let delete = deletion(calls, index).filter(|_| operation.method == Method::Post)?;
    let known = created(&calls.document, delete, &given, &values, calls.service.base());
    let request = known.and_then(|known| changing(delete, &known, None))?;
    // Some return what is there already by that name; only 201 states that something was created.
    if !calls.is_temporary() && !matches!(answer.status, 201 | 202) {
        return Some(format!("{}, which may be older than this run", request.target));
    }
    (!calls.deleted(wire, &request).await).then_some(request.target)
}

/// Names what is still there that the requests made.
fn not_run_text(all: &[ProbeResult]) -> String {
    let names: Vec<String> =
        all.iter().filter_map(|probed| probed.left.as_deref()).map(|name| cut(name, 100)).collect();
    if names.is_empty() { String::new() } else { format!("; not deleted: {}", names.join(", ")) }
}

/// Reports a service that closes the connection, or hangs, instead of refusing.
fn no_response(probe: &Probe, found: String) -> Difference {
    let (at, expected) = (probe.wrong.to_string(), "4xx".to_owned());
    Difference { code: &code::NO_ANSWER, at, expected, found, schema: String::new(), places: 1 }
}

fn outcome(calls: &ServiceCalls, wire: &Wire, all: &[ProbeResult]) -> Outcome {
    if let Some(reason) = all.iter().find_map(|probed| probed.end.as_ref().err()) {
        return Outcome::Broken(reason.clone());
    }
    let badly = all.iter().filter_map(|probed| {
        let own: Vec<&Difference> =
            differences(probed.end.as_ref().ok()?).iter().filter(|difference| !is_habit(difference)).collect();
        (!own.is_empty()).then_some((&probed.probe, own))
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
            "{} of {} not refused as {} documents{}",
            badly.len(),
            counted(all.len(), "invalid request"),
            calls.contract,
            not_run_text(all)
        ),
        findings,
        evidence: lines.collect(),
        hint: Some("docs/contracts.md explains the codes".to_owned()),
    }
}

/// Reports probes that were refused; where all were turned away at the door, nothing was seen.
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
        _ => Outcome::Pass(format!(
            "{} refused{}",
            counted(all.len() - unseen.len(), "invalid request"),
            not_run_text(all)
        )),
    }
}
