//! Is a probe as quick as its limits say, under its load?

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use stagegate_act::{
    error::with_causes,
    load::{self, Extent, Load, Pace},
};
use stagegate_decide::{
    config::{Budget, Probe, Target},
    performance::{Arm, budget},
    record::Outcome,
};

use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// Requests a second that a protected environment gets at most: it serves others meanwhile.
const PROTECTED_RATE: f64 = 25.0;
/// What connecting and the last answers may take beside.
const BESIDE: Duration = Duration::from_secs(15);

pub(super) fn trial(probe: &Probe) -> Trial {
    let asked = probe.clone();
    let trial = Trial::new("performance", &probe.name, "budget", effect(probe), move |session| {
        let probe = asked.clone();
        async move { measured(&session, &probe).await.unwrap_or_else(Outcome::Broken) }
    });
    trial.alone().within(within(probe))
}

/// A request or statement that may write is not repeated in a protected environment.
fn effect(probe: &Probe) -> Effect {
    let is_reading = match &probe.target {
        Target::Http { method, .. } => ["GET", "HEAD", "OPTIONS"].contains(&method.as_str()),
        Target::Sql { sql, .. } => {
            let first = sql.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
            ["select", "show", "values", "table"].contains(&first.as_str())
        }
        Target::Workflow { .. } => false,
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

async fn measured(session: &Arc<Session>, probe: &Probe) -> Result<Outcome, String> {
    let project = &session.project;
    let containers = project.containers(&session.engine).await.map_err(|error| with_causes(&error))?;
    let subject = load::subject(&project.config, probe, &containers, &project.model).map_err(|e| with_causes(&e))?;
    let (load, is_capped) = capped(load::load(probe), project.environment.protected);
    let system = |error: std::io::Error| format!("no load could be sent: {error}");
    if !probe.warm_up.0.is_zero() {
        load::run(&subject, Load { extent: Extent::For(probe.warm_up.0), ..load }, 1).await.map_err(system)?;
    }
    let begun = Instant::now();
    let measured = load::run(&subject, load, 1).await.map_err(system)?;
    let mut block = load::block(Arm::Candidate, 0, &measured, load.pace, [begun, begun]);
    block.samples_ns.clear();
    Ok(told(budget(probe, &block), is_capped))
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

fn told(outcome: Outcome, is_capped: bool) -> Outcome {
    match outcome {
        Outcome::Pass(seen) if is_capped => {
            Outcome::Pass(format!("{seen} (at most {PROTECTED_RATE}/s: the environment is protected)"))
        }
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
