//! What one probe's pairs of copies have shown so far.

use std::time::Duration;

use stagegate_base::config::Probe;
use stagegate_performance_decide::{Allowance, Comparison, Cost, grown_over_copies, over_copies};

use super::Measurement;

/// A probe, and what each pair of copies showed.
pub(super) struct Pairs<'a> {
    pub(super) probe: &'a Probe,
    comparisons: Vec<Comparison>,
    /// What the comparisons came to; further copies are started for what a request costs.
    decided: Option<Comparison>,
    costs: Vec<[Cost; 2]>,
    whole: Option<Measurement>,
}

impl<'a> Pairs<'a> {
    pub(super) fn of(probe: &'a Probe) -> Self {
        Pairs { probe, comparisons: Vec::new(), decided: None, costs: Vec::new(), whole: None }
    }

    /// Returns whether it is still open which one is slower.
    pub(super) fn wants_blocks(&self) -> bool {
        self.decided.is_none()
    }

    /// Returns how long the next pair may be measured.
    pub(super) fn allowance(&self) -> Allowance {
        let used = self.whole.as_ref().map_or(0.0, |whole| whole.compared.seconds);
        Allowance::of_next(self.probe.compare_within.0, Duration::from_secs_f64(used), self.comparisons.len())
    }

    /// Returns whether both answered so that they can be compared.
    pub(super) fn is_fit(&self) -> bool {
        self.whole.as_ref().is_some_and(|whole| whole.compared.unfit.is_none())
    }

    /// Adds what the same load cost both sides of the new pair.
    pub(super) fn cost(&mut self, costs: [Cost; 2]) {
        self.costs.push(costs);
    }

    /// Adds what a new pair showed; its blocks follow those of the pairs before.
    pub(super) fn add(&mut self, measured: Measurement) {
        self.comparisons.extend(measured.compared.comparison.clone());
        let Some(whole) = &mut self.whole else {
            self.whole = Some(measured);
            return;
        };
        let behind = whole.blocks.iter().map(|block| block.rotation + 1).max().unwrap_or_default();
        let after_us = whole.blocks.iter().map(|block| block.started_us + block.took_us).max().unwrap_or_default();
        let blocks = measured.blocks.into_iter();
        whole.blocks.extend(blocks.map(|mut block| {
            block.rotation += behind;
            block.started_us += after_us;
            block.intended_us += after_us;
            block
        }));
        let seconds = whole.compared.seconds + measured.compared.seconds;
        whole.compared = measured.compared;
        whole.compared.seconds = seconds;
    }

    /// Returns what it came to; `None` where another pair of copies has to be started.
    pub(super) fn ended(&mut self) -> Option<Measurement> {
        let is_unfit = self.whole.as_ref().is_some_and(|whole| whole.compared.comparison.is_none());
        if is_unfit {
            return self.whole.take();
        }
        if self.decided.is_none() {
            self.decided = over_copies(&self.comparisons);
        }
        let grown = grown_over_copies(&self.costs, &self.probe.grow);
        let (comparison, grown) = (self.decided.clone()?, grown?);
        let mut whole = self.whole.take()?;
        whole.compared.comparison = Some(comparison);
        whole.compared.costs = self.costs.pop();
        whole.compared.grown = grown;
        Some(whole)
    }
}
