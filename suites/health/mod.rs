//! Health: do the services run, answer and stay so?

use crate::trial::{Scope, Suite, Trial};

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "health", trials };

fn trials(_scope: Scope<'_>) -> Vec<Trial> {
    Vec::new()
}
