//! Is the release ready for the target? The suites on the source, scored together with how the two sides differ.

use stagegate_gate_decide::{
    compare::{Rules, Side, compare},
    promotion::ReadinessReport,
    readiness::Band,
    verdict::{Verdict, VerdictKind, verdict},
};

use super::{Examination, Run, StepError};
use crate::compare::side;
use stagegate_host::clock;

impl Run {
    /// Scores what the suites found on the source, and stops below "ready" unless the plan accepts caution.
    ///
    /// Contracts are left out: they are compared by commit, see `contracts`.
    pub(super) async fn ready(&self, source: &Examination) -> Result<ReadinessReport, StepError> {
        let (engine, config) = (&self.gate.engine, &self.gate.config);
        let environments = &self.plan.environments;
        let a = Side { contracts: Default::default(), ..side(engine, config, &environments.source).await? };
        let b = Side { contracts: Default::default(), ..side(engine, config, &environments.target).await? };
        let compared = compare(
            &a,
            &b,
            Rules { config, waivers: &stagegate_base::waiver::Waivers::default(), today: &clock::today() },
        );
        let records: Vec<_> = source.records.iter().chain(&compared.records).cloned().collect();
        let verdict = verdict(&records, &source.planned, &config.readiness);
        self.within_bounds(&verdict)
    }

    fn within_bounds(&self, verdict: &Verdict) -> Result<ReadinessReport, StepError> {
        let found = ReadinessReport { score: verdict.score, band: verdict.band };
        let policy = &self.gate.config.readiness;
        let score =
            verdict.score.map(|score| format!("readiness {score}, {} needed", policy.ready)).unwrap_or_default();
        let checks = format!("{score}. {}", verdict.tally.sentence());
        let list = format!("gate test --env {} lists them", self.plan.environments.source);
        match verdict.band {
            Some(Band::Ready) => Ok(found),
            Some(Band::Caution) if self.plan.accept_caution => Ok(found),
            Some(Band::Caution) => {
                Err(StepError::blocked(format!("{checks} ({list}). Continue anyway: --accept-caution")))
            }
            // What failed and is required blocks by itself; its score explains nothing.
            Some(Band::NotReady) if verdict.kind == VerdictKind::Hold => {
                Err(StepError::blocked(verdict.reason(&self.plan.environments.source)))
            }
            Some(Band::NotReady) => Err(StepError::blocked(format!(
                "{checks} ({list}). A score below {} cannot be accepted",
                policy.caution
            ))),
            None => Err(StepError::inconclusive(format!(
                "too few checks ran for a readiness score: {}",
                verdict.reason(&self.plan.environments.source)
            ))),
        }
    }
}
