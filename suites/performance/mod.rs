//! Performance: does each probe keep its absolute limits?
//!
//! One trial a probe that has any. It runs beside no other trial, since both would measure the other one's load.

mod budget;

use stagegate_decide::config::Target;

use crate::trial::{Scope, Suite, Trial};

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "performance", trials };

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    let measured = scope.config.performance.iter().filter(|probe| !probe.limits.is_empty());
    measured.filter(|probe| !matches!(probe.target, Target::Workflow { .. })).map(budget::trial).collect()
}
