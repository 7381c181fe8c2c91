//! Schema: is the database made as it was agreed on, and as its migrations make it?

mod drift;
mod findings;
mod snapshot;

pub use drift::{Drift, DriftError, of as drift};

use crate::trial::{Scope, Suite, Trial};

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "schema", trials };

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    let of_one = |database| {
        [snapshot::trial(scope.config, database), drift::trial(scope.config, database)].into_iter().flatten()
    };
    scope.config.databases.values().flat_map(of_one).collect()
}
