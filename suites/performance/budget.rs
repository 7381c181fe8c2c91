//! Is a probe as quick as its limits say, under its load?

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use stagegate_base::{
    config::{Budget, Probe, Target},
    record::Outcome,
};
use stagegate_host::{error::with_causes, project::Project};
use stagegate_performance_act::load::{self, Extent, Flow, Load, Pace, Subject};
use stagegate_performance_decide::{Arm, budget};
use stagegate_workflow_act as workflow;
use stagegate_workflow_decide::outcome;

use super::resources;
use crate::{
    session::Session,
    trial::{Effect, Scope, Trial},
    workflows::files,
};

/// Requests a second that a protected environment gets at most: it serves others meanwhile.
const PROTECTED_RATE: f64 = 25.0;
/// What connecting and the last responses may take next to.
const BESIDE: Duration = Duration::from_secs(15);

pub(super) fn trial(scope: Scope<'_>, probe: &Probe) -> Trial {
    let requested = probe.clone();
    let trial = Trial::new("performance", &probe.name, "budget", effect(scope, probe), move |session| {
        let probe = requested.clone();
        async move { measure(&session, &probe).await.unwrap_or_else(Outcome::Broken) }
    });
    trial.alone().within(within(probe))
}

/// What may write is not repeated in a protected environment.
fn effect(scope: Scope<'_>, probe: &Probe) -> Effect {
    let is_reading = match &probe.target {
        Target::Http { method, .. } => ["GET", "HEAD", "OPTIONS"].contains(&method.as_str()),
        Target::Sql { sql, .. } => {
            let first = sql.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
            ["select", "show", "values", "table"].contains(&first.as_str())
        }
        Target::Workflow { file } => files::find(scope.config, scope.environment, file)
            .is_ok_and(|workflow| workflow.steps.iter().all(|step| step.safe)),
    };
    if is_reading { Effect::Reads } else { Effect::Writes }
}

fn within(probe: &Probe) -> Duration {
    let measured = match probe.budget {
        Budget::Time(time) => time.0,
        Budget::Samples(count) => {
            probe.timeout.0.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)).min(Duration::from_secs(300))
        }
    };
    probe.warm_up.0 + measured + probe.timeout.0 + BESIDE
}

async fn measure(session: &Arc<Session>, probe: &Probe) -> Result<Outcome, String> {
    let project = &session.project;
    let containers = project.containers(&session.engine).await.map_err(|error| with_causes(&error))?;
    let subject = match &probe.target {
        Target::Workflow { file } => match flow(session, file).await? {
            Ok(flow) => Subject::Workflow(flow),
            Err(outcome) => return Ok(outcome),
        },
        _ => load::subject(&project.config, probe, &containers, &project.model).map_err(|e| with_causes(&e))?,
    };
    let (load, is_capped) = capped(load::load(probe), project.environment.protected && !session.full_load);
    let system = |error: std::io::Error| format!("cannot send load: {error}");
    if !probe.warm_up.0.is_zero() {
        load::run(&subject, Load { extent: Extent::For(probe.warm_up.0), ..load }, 1).await.map_err(system)?;
    }
    let usage_watch = resources::start(session, probe, &containers).await?;
    let begun = Instant::now();
    let measured = load::run(&subject, load, 1).await.map_err(system)?;
    if workflow::over().await > 0 {
        return Err("a workflow run that timed out has not ended: its clean-up hangs".to_owned());
    }
    let mut block = load::block(Arm::Candidate, 0, &measured, load.pace, [begun, begun]);
    block.samples_ns.clear();
    let outcome = with_cap_note(budget(probe, &block), is_capped);
    match usage_watch {
        Some(usage_watch) => usage_watch.outcome(session, probe, block.sent, outcome).await,
        None => Ok(outcome),
    }
}

/// Runs a workflow once, and makes it ready to be timed where it passes; else the outcome is what became of it.
async fn flow(session: &Arc<Session>, file: &Path) -> Result<Result<Flow, Outcome>, String> {
    let Project { config, environment, .. } = &session.project;
    let workflow = files::find(config, environment, file)?;
    let place = session.place().await;
    let result = workflow::run(&place, &workflow).await;
    Ok(match outcome(&result, &environment.name) {
        Outcome::Pass(_) => Ok(Flow::new(&place, &workflow)),
        other => Err(other),
    })
}

fn capped(load: Load, is_protected: bool) -> (Load, bool) {
    let pace = match load.pace {
        Pace::Rate { per_second, connections } => {
            Pace::Rate { per_second: per_second.min(PROTECTED_RATE), connections }
        }
        // As fast as answers come is no rate at all.
        Pace::Concurrency(connections) => Pace::Rate { per_second: PROTECTED_RATE, connections },
    };
    if is_protected && pace != load.pace { (Load { pace, ..load }, true) } else { (load, false) }
}

fn with_cap_note(outcome: Outcome, is_capped: bool) -> Outcome {
    match outcome {
        Outcome::Pass(seen) if is_capped => Outcome::Pass(format!(
            "{seen} (at most {PROTECTED_RATE}/s: the environment is protected; `gate test` with --confirm NAME \
                 sends the full load)"
        )),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn load(pace: Pace) -> Load {
        Load { pace, extent: Extent::Requests(10), timeout: Duration::from_secs(1) }
    }

    fn rate(per_second: f64) -> Pace {
        Pace::Rate { per_second, connections: 4 }
    }

    #[rstest]
    #[case::open(rate(500.0), true, rate(PROTECTED_RATE))]
    #[case::slow(rate(5.0), true, rate(5.0))]
    #[case::closed(Pace::Concurrency(4), true, rate(PROTECTED_RATE))]
    #[case::elsewhere(Pace::Concurrency(4), false, Pace::Concurrency(4))]
    fn a_protected_environment_gets_little_load(#[case] meant: Pace, #[case] is_protected: bool, #[case] want: Pace) {
        let (capped, is_capped) = capped(load(meant), is_protected);
        assert_eq!((capped.pace, is_capped), (want, want != meant));
    }
}
