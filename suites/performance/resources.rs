//! What services and databases used while a probe was measured, and whether it is too much.

use std::{sync::Arc, time::Instant};

use stagegate_base::{
    config::{Probe, ResourceLimits, Target},
    container::Container,
    record::Outcome,
};
use stagegate_host::{database::Server, error::with_causes};
use stagegate_performance_act::{resources::Watch, statistics};
use stagegate_performance_decide::{Figures, LockWaits, database_use, resources};

use crate::session::Session;

/// A look at what is used, for as long as the load lasts.
pub(super) struct UsageWatch {
    watch: Watch,
    before: Vec<Figures>,
}

/// Begins to look, where the probe limits anything of it.
pub(super) async fn start(
    session: &Arc<Session>,
    probe: &Probe,
    containers: &[Container],
) -> Result<Option<UsageWatch>, String> {
    if probe.resources == ResourceLimits::default() {
        return Ok(None);
    }
    let before = figures(session, probe).await?;
    let watch = Watch::start(&session.engine, containers).await.map_err(|error| with_causes(&error))?;
    Ok(Some(UsageWatch { watch, before }))
}

impl UsageWatch {
    /// Ends looking and makes `outcome` one that is broken by what could not be checked, and failed by what was too much.
    pub(super) async fn outcome(
        self,
        session: &Arc<Session>,
        probe: &Probe,
        sent: u64,
        outcome: Outcome,
    ) -> Result<Outcome, String> {
        let used = resources::usage(&self.watch.stop().await.map_err(|error| with_causes(&error))?);
        let usage = used.iter().find(|usage| Some(&usage.service) == service(session, probe).as_ref());
        if probe.resources.queries_per_request.is_some() {
            statistics::settle(Instant::now()).await;
        }
        let after = figures(session, probe).await?;
        let cost = |(before, after): (&Figures, &Figures)| {
            database_use(before, after, sent, LockWaits::default()).queries_per_request
        };
        // One database without the extension leaves the sum unknown, and so does having no database.
        let queries: Option<f64> = self.before.iter().zip(&after).map(cost).sum();
        let queries = queries.filter(|_| !after.is_empty());
        let beyond = usage.map(|usage| resources::beyond(usage, queries, &probe.resources)).unwrap_or_default();
        let unchecked = resources::unchecked(usage, queries, &probe.resources);
        Ok(joined(outcome, beyond, unchecked))
    }
}

/// Puts what was found of resources to what was found of latencies: a failure first, then what could not be asked.
fn joined(outcome: Outcome, beyond: Vec<stagegate_base::finding::Finding>, unchecked: Vec<String>) -> Outcome {
    match outcome {
        Outcome::Fail { message, mut findings, evidence, hint } => {
            findings.extend(beyond);
            Outcome::Fail { message, findings, evidence, hint }
        }
        _ if !beyond.is_empty() => Outcome::Fail {
            message: format!("{} is {}, {} is allowed", beyond[0].place.object, beyond[0].found, beyond[0].expected),
            findings: beyond,
            evidence: Vec::new(),
            hint: None,
        },
        Outcome::Pass(_) if !unchecked.is_empty() => Outcome::Broken(unchecked.join("; ")),
        other => other,
    }
}

/// Returns the service that is asked.
fn service(session: &Session, probe: &Probe) -> Option<String> {
    match &probe.target {
        Target::Http { service, .. } => Some(service.clone()),
        Target::Sql { database, .. } => {
            session.project.config.databases.get(database).map(|database| database.service.clone())
        }
        Target::Workflow { .. } => None,
    }
}

/// Reads the counters of all databases, where statements are limited; none else.
async fn figures(session: &Session, probe: &Probe) -> Result<Vec<Figures>, String> {
    let mut all = Vec::new();
    if probe.resources.queries_per_request.is_none() {
        return Ok(all);
    }
    for database in session.project.config.databases.values() {
        let server = Server::of(&session.project, &session.engine, database, "stagegate/performance").await;
        let client =
            server.map_err(|e| with_causes(&e))?.connect_to_read(&database.name).await.map_err(|e| with_causes(&e))?;
        all.push(statistics::figures(&client).await.map_err(|e| with_causes(&e))?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use stagegate_base::finding::Finding;

    use super::*;

    fn beyond() -> Vec<Finding> {
        let [at, expected, found] = ["api: memory", "at most 1.0 MiB", "2.0 MiB"].map(str::to_owned);
        vec![Finding::differs(at, expected, found)]
    }

    #[test]
    fn too_much_memory_fails_a_probe_that_is_quick_enough() {
        let Outcome::Fail { message, .. } = joined(Outcome::Pass("quick".into()), beyond(), Vec::new()) else {
            panic!("it passed");
        };
        assert_eq!(message, "api: memory is 2.0 MiB, at most 1.0 MiB is allowed");
    }

    #[test]
    fn a_limit_that_could_not_be_checked_is_no_pass_and_hides_no_failure() {
        let unchecked = || vec!["no pg_stat_statements".to_owned()];
        assert!(matches!(joined(Outcome::Pass("quick".into()), Vec::new(), unchecked()), Outcome::Broken(_)));
        assert!(matches!(joined(Outcome::fail("slow"), Vec::new(), unchecked()), Outcome::Fail { .. }));
        assert!(matches!(joined(Outcome::Pass("quick".into()), beyond(), unchecked()), Outcome::Fail { .. }));
    }
}
