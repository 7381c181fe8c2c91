//! Isolation: does an environment share anything with another one?
//!
//! One trial for each other environment and each thing that could be shared. Files are always compared; containers,
//! servers and networks where they run on this machine. What was looked at stands in each response.

mod canary;
mod neighbours;
mod pair;
mod reach;
mod secrets;
mod stores;

use std::sync::Arc;

use stagegate_base::{config::EPHEMERAL, finding::Finding, record::Outcome};

use crate::trial::{Scope, Suite, Trial};
use neighbours::Neighbours;

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "isolation", trials };

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    let own = &scope.environment.name;
    let others: Vec<&String> =
        scope.config.environments.keys().filter(|name| *name != own && *name != EPHEMERAL).collect();
    let neighbours = Arc::new(Neighbours::default());
    let has_stores = !neighbours::stores(scope.config).is_empty();
    let has_shell = neighbours::shell(scope.config).is_some();
    let mut all = Vec::new();
    for other in others {
        all.extend(pair::trials(&neighbours, other));
        all.push(secrets::trial(other));
        if has_stores {
            all.extend([stores::trial(&neighbours, other), canary::trial(&neighbours, other)]);
        }
        if has_stores && has_shell {
            all.push(reach::trial(&neighbours, other));
        }
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
