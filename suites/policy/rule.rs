//! Does a rule fire on some service of the stack? All trials read one audit, made by the first that asks.

use std::sync::Arc;

use stagegate_base::{
    compose::PROXY_SERVICE,
    lifetime::one_shots,
    record::{Evidence, Outcome},
};
use stagegate_host::{error::with_causes, waivers};
use stagegate_policy_act::audit;
use stagegate_policy_decide::rules::{self as policy, Finding, Rule};
use tokio::sync::OnceCell;

use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// What the proxy lacks that the gate starts, and nobody can configure.
const OF_THE_PROXY: [&str; 4] =
    ["healthcheck-missing", "memory-limit-missing", "cpu-limit-missing", "pids-limit-missing"];

/// The audit of a run: its findings, or why there are none.
pub(super) type Audit = OnceCell<Result<Vec<Finding>, String>>;

pub(super) fn trial(rule: &'static Rule, audit: &Arc<Audit>) -> Trial {
    let audit = Arc::clone(audit);
    let ask = move |session| check(session, rule, Arc::clone(&audit));
    Trial::new("policy", "stack", rule.id, Effect::Reads, ask).with_severity(rule.severity)
}

async fn check(session: Arc<Session>, rule: &'static Rule, audit: Arc<Audit>) -> Outcome {
    match audit.get_or_init(|| audited(&session)).await {
        Ok(findings) => outcome(rule, findings),
        Err(reason) => Outcome::Broken(reason.clone()),
    }
}

async fn audited(session: &Session) -> Result<Vec<Finding>, String> {
    let Session { project, engine, .. } = session;
    let waivers = waivers::read(project.config.root(), &crate::codes()).map_err(|error| with_causes(&error))?;
    let mut facts = audit::of_model(&project.model, &project.source).map_err(|error| with_causes(&error))?;
    facts.one_shots = one_shots(&project.config, &project.model);
    audit::read_images(&mut facts, engine).await.map_err(|error| with_causes(&error))?;
    let looked = audit::read_containers(&mut facts, engine, project.compose_name()).await;
    looked.map_err(|error| with_causes(&error))?;
    let mut findings = policy::audit(&facts, &waivers, &stagegate_host::clock::today());
    findings.retain(|finding| {
        policy::service_of(finding) != PROXY_SERVICE || !OF_THE_PROXY.contains(&finding.code.as_ref())
    });
    Ok(findings)
}

fn outcome(rule: &Rule, findings: &[Finding]) -> Outcome {
    let own: Vec<&Finding> = findings.iter().filter(|finding| finding.code == rule.id).collect();
    let (waived, open): (Vec<&Finding>, Vec<&Finding>) = own.into_iter().partition(|f| f.waived.is_some());
    if open.is_empty() {
        return Outcome::Pass(match waived.len() {
            0 => "no service".to_owned(),
            n => format!("no service, {n} waived"),
        });
    }
    let mut services: Vec<&str> = open
        .iter()
        .map(|finding| policy::service_of(finding))
        .map(|name| if name.is_empty() { "stack" } else { name })
        .collect();
    services.dedup();
    Outcome::Fail {
        message: format!("{}: {}", rule.title, services.join(", ")),
        findings: open.into_iter().cloned().collect(),
        evidence: vec![Evidence { name: "why".to_owned(), text: rule.why.to_owned() }],
        hint: Some(format!("{} (`gate lint --explain {}`)", rule.fix, rule.id)),
    }
}
