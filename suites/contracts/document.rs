//! Is the document there, can it be read, and can anything of it be called?

use stagegate_base::text::counted;
use std::collections::BTreeMap;

use stagegate_base::{finding::Finding, record::Outcome};
use stagegate_contract::{Call, Method, code};

use super::{
    service_calls::ServiceCalls,
    source::{Source, Unusable},
};
use crate::trial::{Effect, Trial};

pub(super) fn trial(source: &Source) -> Trial {
    let outcome = outcome(source);
    Trial::new("contracts", &source.service.name, "document", Effect::Reads, move |_| {
        std::future::ready(outcome.clone())
    })
}

pub(super) fn outcome(source: &Source) -> Outcome {
    match &source.calls {
        Ok(calls) => coverage(calls),
        Err(Unusable::Wrong(error)) => unusable(&source.name, &error.to_string()),
        Err(error) => Outcome::Broken(error.to_string()),
    }
}

/// Reports a document that cannot be used.
pub(super) fn unusable(name: &str, error: &str) -> Outcome {
    let at = format!("{} {name}", code::UNUSABLE.id);
    let finding = Finding::differs(at, "an OpenAPI document", error.to_owned());
    let message = format!("{name}: {error}");
    Outcome::Fail { message, findings: vec![finding], evidence: Vec::new(), hint: Some(code::UNUSABLE.fix.to_owned()) }
}

fn coverage(calls: &ServiceCalls) -> Outcome {
    let (name, all) = (&calls.contract, &calls.calls);
    if all.is_empty() {
        return Outcome::Broken(format!("{name} has no operations: nothing could be called"));
    }
    let called = calls.possible().count();
    let left_out = reasons(all);
    if called == 0 {
        return Outcome::Broken(format!("{}: nothing of {name} could be called: {left_out}", code::HOLLOW.id));
    }
    let rest = if left_out.is_empty() { String::new() } else { format!("; not called: {left_out}") };
    Outcome::Pass(format!("{called} of {} called{rest}", counted(all.len(), "operation")))
}

/// Reports why operations are not called, each reason with its operations.
fn reasons(calls: &[Call]) -> String {
    let mut by_reason: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for call in calls.iter().filter(|call| !call.is_possible()) {
        if let Err(reason) = &call.request {
            let (method, path): (Method, &str) = (call.operation.method, &call.operation.path);
            by_reason.entry(reason.to_string()).or_default().push(format!("{method} {path}"));
        }
    }
    let reported = by_reason.into_iter().map(|(reason, operations)| format!("{} ({reason})", operations.join(", ")));
    reported.collect::<Vec<_>>().join("; ")
}
