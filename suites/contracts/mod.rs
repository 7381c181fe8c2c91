//! Contracts: does a service answer as its OpenAPI document says?

use crate::trial::{Scope, Suite, Trial};

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "contracts", trials };

fn trials(_scope: Scope<'_>) -> Vec<Trial> {
    Vec::new()
}
