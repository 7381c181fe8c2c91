//! Is the release ready for the target? The suites on the source, weighed together with how the two sides differ.

use serde_json::{Value, json};
use stagegate_base::exit::Exit;
use stagegate_gate_decide::{
    compare::{Rules, Side, compare},
    readiness::Band,
    verdict::{Verdict, verdict},
};

use super::{Examination, Run, Stop};
use crate::compare::side;
use stagegate_host::clock;

impl Run {
    /// Scores what the suites found on the source, and stops below "ready" unless the plan accepts caution.
    ///
    /// Contracts are left out: they are compared by commit, see `contracts`.
    pub(super) async fn ready(&self, source: &Examination) -> Result<Value, Stop> {
        let (engine, config) = (&self.gate.engine, &self.gate.config);
        let environments = &self.plan.environments;
        let a = Side { contracts: Default::default(), ..side(engine, config, &environments.source).await? };
        let b = Side { contracts: Default::default(), ..side(engine, config, &environments.target).await? };
        let compared = compare(&a, &b, Rules { config, waivers: &[], today: &clock::today() });
        let records: Vec<_> = source.records.iter().chain(&compared.records).cloned().collect();
        let verdict = verdict(&records, &source.planned, &config.readiness);
        self.judged(&verdict)
    }

    fn judged(&self, verdict: &Verdict) -> Result<Value, Stop> {
        let found = json!({ "score": verdict.score, "band": verdict.band });
        let policy = &self.gate.config.readiness;
        let why = verdict.reasons.join("; ");
        let score = verdict.score.map(|score| format!("readiness {score} of 100")).unwrap_or_default();
        match verdict.band {
            Some(Band::Ready) => Ok(found),
            Some(Band::Caution) if self.plan.accept_caution => Ok(found),
            Some(Band::Caution) => Err(Stop::held(format!(
                "{score} is caution ({} is ready): {why}; mend it, or go on with --accept-caution",
                policy.ready
            ))),
            Some(Band::NotReady) => {
                Err(Stop::held(format!("{score} is not ready ({} is the least): {why}", policy.caution)))
            }
            None => Err(Stop {
                reason: format!("too little was asked for a readiness score: {why}"),
                exit: Exit::Inconclusive,
            }),
        }
    }
}
