//! Have answers the shapes that were accepted for this environment? Said, and never held against a release by default.
//!
//! What was seen is kept in the state folder, so that `gate accept` keeps what somebody looked at.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use stagegate_base::{
    config::Config,
    finding::{Finding, Place},
    record::{Outcome, Severity},
    text::counted,
};
use stagegate_contract::{Shape, code, shape_path};
use stagegate_host::{paths::StateDir, shapes};

use super::{operation, service_calls::ServiceCalls, wire::Wire};
use crate::trial::{Effect, Trial};

/// How many differences are reported one by one.
const TOLD: usize = 20;

pub(super) fn trial(calls: &Arc<ServiceCalls>) -> Trial {
    let shared = Arc::clone(calls);
    let trial = Trial::new("contracts", &calls.service.name, "shapes", Effect::Reads, move |session| {
        let calls = Arc::clone(&shared);
        async move {
            match calls.wire(&session).await {
                Ok(wire) => run(&calls, wire, &session.project.config).await,
                Err(reason) => Outcome::Broken(reason),
            }
        }
    });
    trial.with_severity(Severity::Info)
}

pub(super) async fn run(calls: &ServiceCalls, wire: &Wire, config: &Config) -> Outcome {
    let mut seen = BTreeMap::new();
    for (index, name) in operation::names(calls) {
        if let Some(shape) = &calls.call(wire, index).await.shape {
            seen.insert(name, (calls.title(index), shape));
        }
    }
    if let Some(environment) = config.environments.get(&calls.environment) {
        let state = StateDir::of(config, &environment.project);
        for (name, (title, shape)) in &seen {
            let text = shape.snapshot(&format!("contracts::{}::{name}", calls.service.name), title);
            if let Err(error) = shapes::keep(&state, &calls.service.name, name, &text) {
                return Outcome::Broken(format!(
                    "cannot store the shapes of this run in {}: {error}",
                    state.root().display()
                ));
            }
        }
    }
    comparison(calls, config.snapshots(), &seen)
}

fn comparison(calls: &ServiceCalls, root: &Path, seen: &BTreeMap<String, (String, &Shape)>) -> Outcome {
    let (mut findings, mut alike, mut without) = (Vec::new(), 0, 0);
    for (name, (title, shape)) in seen {
        let path = shape_path(root, &calls.environment, &calls.service.name, name);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                without += 1;
                continue;
            }
            Err(error) => return Outcome::Broken(format!("cannot read {}: {error}", path.display())),
        };
        let accepted = match Shape::parse(&text) {
            Ok(accepted) => accepted,
            Err(error) => return Outcome::Broken(format!("{}: {error}", path.display())),
        };
        let found = accepted.differences(shape);
        alike += usize::from(found.is_empty());
        let named = |f: Finding| Finding {
            place: Place::of(format!("{} {title} {}", code::SHAPE_CHANGED.id, f.place.object)),
            ..f
        };
        findings.extend(found.into_iter().map(named));
    }
    outcome(calls, findings, alike, without)
}

fn outcome(calls: &ServiceCalls, mut findings: Vec<Finding>, alike: usize, without: usize) -> Outcome {
    let accept = format!("`gate accept contracts::{} --env {}`", calls.service.name, calls.environment);
    if !findings.is_empty() {
        let places = counted(findings.len(), "difference");
        findings.truncate(TOLD);
        return Outcome::Fail {
            message: format!("{places} from the accepted shapes"),
            findings,
            evidence: Vec::new(),
            hint: Some(format!("if they are intended, accept them with {accept}")),
        };
    }
    let fine = format!("{} as accepted", counted(alike, "response"));
    let has = if without == 1 { "has" } else { "have" };
    let open = format!("{} {has} no accepted shape yet", counted(without, "response"));
    match (alike, without) {
        (0, 0) => Outcome::Skip("no successful response was seen".to_owned()),
        (0, _) => Outcome::Skip(format!("{open}; keep them with {accept}")),
        (_, 0) => Outcome::Pass(fine),
        _ => Outcome::Pass(format!("{fine}, {open} ({accept})")),
    }
}
