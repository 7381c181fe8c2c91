//! The live release and the candidate, measured side by side: does it become slower?

use std::time::Duration;

use stagegate_base::{exit::Exit, record::Severity};
use stagegate_gate_decide::promotion::{Kind, PerformanceReport};
use stagegate_performance_decide::Compared;

use super::{Run, StepError};
use stagegate_host::{error::with_causes, release::read_model};
use stagegate_performance_act::bench::{Bench, MeasurementLock, Side, measurable};

/// How long the end of another measurement is waited for.
const WAIT: Duration = Duration::from_secs(1_800);

impl Run {
    /// Compares both releases on copies of their own. A rollback is never blocked by its speed.
    pub(super) async fn compare_performance(&self) -> Result<Vec<PerformanceReport>, StepError> {
        if self.plan.kind != Kind::Promote || measurable(&self.gate.config).next().is_none() {
            return Ok(Vec::new());
        }
        let candidate =
            Side { name: self.plan.release.name.clone(), model: read_model(&self.dir.join("in-tree.json"))? };
        let control = Side { name: self.plan.previous.name.clone(), model: self.snapshot("old")?.model };
        let noted = |who: &str| self.runner.note(&format!("{who} measures on this machine; waiting for its end"));
        let alone = MeasurementLock::wait(&format!("run {}", self.plan.run), WAIT, noted).await;
        let _alone = alone.map_err(|error| StepError::inconclusive(with_causes(&error)))?;
        let measured = self.bench().compare(&candidate, &control, |_| {}).await?;
        let compared: Vec<Compared> = measured.into_iter().map(|measurement| measurement.compared).collect();
        self.stop_at_slower(&compared)?;
        Ok(compared.into_iter().map(report).collect())
    }

    /// Blocks the release for each required probe that is slower, or is undecided.
    fn stop_at_slower(&self, compared: &[Compared]) -> Result<(), StepError> {
        let trial = |c: &Compared| format!("performance::{}::comparison", c.probe.replace('-', "_"));
        let severity = |c: &Compared| self.gate.config.severity_of(&trial(c), Severity::Required);
        let open: Vec<&Compared> =
            compared.iter().filter(|c| c.exit() != Exit::Passed && severity(c) == Severity::Required).collect();
        if open.is_empty() {
            return Ok(());
        }
        let reasons: Vec<String> = open
            .iter()
            .map(|c| format!("{} of {} against {}: {}", c.probe, self.plan.release.name, c.control, c.words()))
            .collect();
        let exit = if open.iter().any(|c| c.exit() == Exit::Held) { Exit::Held } else { Exit::Inconclusive };
        Err(StepError { exit, ..StepError::blocked(reasons.join("; ")) })
    }

    fn bench(&self) -> Bench<'_> {
        Bench {
            engine: &self.gate.engine,
            runner: &self.runner,
            config: &self.gate.config,
            dir: self.dir.join("bench"),
            project: format!("stagegate-bench-{}", self.plan.run),
            label: self.plan.run.clone(),
            ready_within: self.plan.ready_within.0,
            live: &*self.gate.measuring,
        }
    }

    /// Removes what an interrupted comparison left.
    pub(super) async fn end_comparison(&self) -> Result<(), StepError> {
        if self.dir.join("bench").exists() {
            self.bench().end().await?;
        }
        Ok(())
    }
}

fn report(compared: Compared) -> PerformanceReport {
    let result = compared.words();
    let Compared { probe, seconds, costs, .. } = compared;
    PerformanceReport { probe, result, seconds, costs }
}
