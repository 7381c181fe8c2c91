//! What a rollback takes: measured before the target is touched, and counted from the decision on.

use std::time::{Duration, Instant};

use stagegate_base::{config, mark::Role};
use stagegate_data_act::{facts, outside};
use stagegate_gate_decide::promotion::{ExpectedRollback, Tier};
use stagegate_host::clock;

use super::{Run, StepError};

/// Moments since the machine was started, its sleep included, and times that were measured, all of this process.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    /// When the deploy began.
    pub(crate) deploy_began: Option<Duration>,
    /// When the last decision was made, or the run was resumed.
    pub(crate) decided: Option<Duration>,
    /// The checks of the source.
    pub(crate) checks_took: Option<Duration>,
    /// Restore and comparison of all dumps.
    pub(crate) restores_took: Duration,
}

/// What the exchange of all databases with copies took in the rehearsal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimedExchange {
    copy: Duration,
    compare: Duration,
    switch: Duration,
}

impl Run {
    /// Exchanges the rehearsal's databases with copies, as a rollback does, and returns what it took; `None` where a rollback
    /// makes no copy, where there is no room for one now, or where it failed: the rehearsal itself has succeeded.
    pub(super) async fn timed_exchange(&self) -> Option<TimedExchange> {
        let needed: u64 = self.plan.databases.iter().map(|database| database.size.0).sum();
        let has_room = self.volumes_free().is_none_or(|free| free >= needed.saturating_mul(6) / 5);
        if self.plan.tier == config::Tier::Restore || !has_room {
            return None;
        }
        let timed = self.exchange_copies().await;
        timed.inspect_err(|error| self.runner.note(&format!("the rollback was not timed: {}", error.reason))).ok()
    }

    async fn exchange_copies(&self) -> Result<TimedExchange, StepError> {
        let mut took = TimedExchange::default();
        for database in &self.plan.databases {
            let server = self.rehearsal_server(database).await?;
            let [copy, failed] = [Role::Copy, Role::Failed].map(|role| self.plan.mark(&database.name, role));
            server.shut(&database.name).await?;
            let copying = Instant::now();
            server.copy(&database.name, &copy).await?;
            took.copy += copying.elapsed();
            let comparing = Instant::now();
            facts::facts(&server, &copy.name, self.plan.integrity).await?;
            outside::contents(&server, &copy.name).await?;
            took.compare += comparing.elapsed();
            let switching = Instant::now();
            server.exchange(&database.name, &copy, &failed, None).await?;
            took.switch += switching.elapsed();
        }
        Ok(took)
    }

    /// Returns what a rollback by `tier` is expected to take; `None` where a part of it was not measured in this process.
    ///
    /// # Errors
    /// Blocks the release where it is more than a rollback may take.
    pub(super) fn expected_rollback(
        &self,
        tier: Tier,
        exchange: Option<TimedExchange>,
    ) -> Result<Option<ExpectedRollback>, StepError> {
        let Some(checks) = self.clocks.checks_took else { return Ok(None) };
        let code = ExpectedRollback {
            checks_seconds: checks.as_secs_f64(),
            soak_seconds: self.plan.soak.0.as_secs_f64(),
            ..ExpectedRollback::default()
        };
        let expected = match (tier, exchange) {
            (Tier::Code, _) => code,
            (Tier::Restore, _) if self.clocks.restores_took.is_zero() => return Ok(None),
            (Tier::Restore, _) => ExpectedRollback { restore_seconds: self.clocks.restores_took.as_secs_f64(), ..code },
            (Tier::Swap, Some(TimedExchange { copy, compare, switch })) => ExpectedRollback {
                copy_seconds: copy.as_secs_f64(),
                compare_seconds: compare.as_secs_f64(),
                switch_seconds: switch.as_secs_f64(),
                ..code
            },
            (Tier::Swap, None) => return Ok(None),
        };
        let (target, within) = (&self.plan.environments.target, self.plan.rollback_within);
        if let Some(refusal) = within.and_then(|within| expected.refusal(target, within)) {
            return Err(StepError::blocked(refusal));
        }
        if let Some(excess) = within.and_then(|within| expected.excess(target, within)) {
            self.runner.note(&format!("{excess}; not blocked, since {target} may have fewer checks than the source"));
        }
        Ok(Some(expected))
    }

    /// Returns what a rollback may take from its decision on.
    pub(super) fn rollback_within(&self) -> Duration {
        self.plan.rollback_within.unwrap_or(self.plan.verify_within).0
    }

    /// Returns how long it is since the rollback was decided, the machine's sleep included.
    fn since_decision(&self) -> Duration {
        self.clocks.decided.map(|decided| clock::since_boot().saturating_sub(decided)).unwrap_or_default()
    }

    /// Returns how long the checks of a rollback may take: what is left, but never less than half of it all, nor than twice
    /// what they took before, each with `soak`: a rollback that took long must be verified too.
    pub(super) fn time_to_check_rollback(&self) -> Duration {
        let within = self.rollback_within();
        let checks = (within / 2).max(self.clocks.checks_took.unwrap_or_default() * 2);
        within.saturating_sub(self.since_decision()).max(checks + self.plan.soak.0)
    }

    /// Returns that the rollback took longer than it may, in words.
    pub(super) fn late_rollback(&self) -> Option<String> {
        let (took, within) = (self.since_decision(), self.rollback_within());
        (took > within).then(|| {
            let (took, within) = (took.as_secs(), within.as_secs());
            format!("it took {took} s from the decision, `rollback_within` of [gate] allows {within} s")
        })
    }
}
