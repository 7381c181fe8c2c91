//! Are names, volumes, folders, networks and ports those of one environment only?

use std::sync::Arc;

use stagegate_base::{config::Config, finding::Finding, record::Outcome};
use stagegate_policy_decide::isolation::{self, Stack};

use super::{Neighbours, outcome};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// A comparison of two environments.
#[derive(Clone, Copy)]
struct Comparison {
    question: &'static str,
    ask: fn(&Stack, &Stack) -> Vec<Finding>,
    message: &'static str,
    hint: &'static str,
}

/// The comparison that matters only while both run.
const PORTS: &str = "ports";

const COMPARISONS: [Comparison; 5] = [
    Comparison {
        question: "names",
        ask: isolation::names,
        message: "two environments share a name",
        hint: "give each environment its own `project`, and remove `container_name` from the compose file",
    },
    Comparison {
        question: "volumes",
        ask: isolation::volumes,
        message: "two environments share a volume",
        hint: "remove `name:` and `external:` of the volume, or put the environment into its name (`${NAME}-data`)",
    },
    Comparison {
        question: "folders",
        ask: isolation::binds,
        message: "two environments write to one folder",
        hint: "mount a folder below the environment's own `workdir`, or mount it read-only (`:ro`)",
    },
    Comparison {
        question: "networks",
        ask: isolation::networks,
        message: "two environments share a network",
        hint: "give each environment networks of its own; `docker network disconnect` what was attached manually",
    },
    Comparison {
        question: PORTS,
        ask: isolation::ports,
        message: "two environments publish one port",
        hint: "read the host's port from a variable of the env file (`${WEB_PORT}:80`)",
    },
];

pub(super) fn trials(neighbours: &Arc<Neighbours>, other: &str) -> Vec<Trial> {
    let trial = |comparison: Comparison| {
        let (neighbours, name) = (Arc::clone(neighbours), other.to_owned());
        let ask = move |session| check(session, Arc::clone(&neighbours), name.clone(), comparison);
        Trial::new("isolation", other, comparison.question, Effect::Reads, ask)
    };
    COMPARISONS.into_iter().map(trial).collect()
}

async fn check(session: Arc<Session>, neighbours: Arc<Neighbours>, other: String, comparison: Comparison) -> Outcome {
    let stacks = match neighbours.stacks(&session).await {
        Ok(stacks) => stacks,
        Err(reason) => return Outcome::Broken(reason),
    };
    let Some(other) = stacks.others.get(&other) else {
        return Outcome::Broken(format!("environment `{other}` was not inspected"));
    };
    let findings = (comparison.ask)(&stacks.own, other);
    if comparison.question == PORTS && !findings.is_empty() && is_at_rest(&session.project.config, other) {
        return Outcome::Pass(at_rest(&findings, &other.environment));
    }
    outcome(comparison.message, findings, other.examined_text(), comparison.hint)
}

/// Returns whether nothing of it runs here and nothing has to: a port is then taken from nobody. A protected environment is
/// meant to run.
pub(super) fn is_at_rest(config: &Config, other: &Stack) -> bool {
    let is_protected = config.environments.get(&other.environment).is_none_or(|environment| environment.protected);
    !is_protected && other.containers.iter().all(|container| !container.is_running)
}

fn at_rest(findings: &[Finding], other: &str) -> String {
    let each = findings.iter().map(|finding| format!("{}: {}", finding.place.object, finding.found));
    format!(
        "`{other}` does not run here, and cannot while this environment does: {}",
        each.collect::<Vec<_>>().join("; ")
    )
}
