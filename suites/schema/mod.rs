//! Schema: is the database made as it was agreed on?

mod snapshot;

use crate::trial::{Scope, Suite, Trial};

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "schema", trials };

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    scope.config.databases.values().filter_map(|database| snapshot::trial(scope.config, database)).collect()
}
