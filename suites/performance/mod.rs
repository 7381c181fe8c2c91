//! Performance: does each probe keep its absolute limits?
//!
//! One trial a probe that has any. It runs next to no other trial, since both would measure the other one's load.

mod budget;
mod resources;

use stagegate_base::config::ResourceLimits;

use crate::trial::{Scope, Suite, Trial};

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "performance", trials };

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    let measured =
        scope.config.performance.iter().filter(|p| !p.limits.is_empty() || p.resources != ResourceLimits::default());
    measured.map(|probe| budget::trial(scope, probe)).collect()
}
