//! What a step reports of the suites.

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// How the suites ended that let a run continue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// The counts: `21/21 required checks passed, 10 warnings`.
    pub summary: String,
    /// One line a check of severity `warning` that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Errors that the release logs and the one before did not, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_errors: Vec<String>,
}

impl From<&Verdict> for Checks {
    fn from(verdict: &Verdict) -> Self {
        // The first reason of a run that passed counts the required checks.
        Checks {
            summary: verdict.tally.sentence(),
            warnings: verdict.reasons.iter().skip(1).cloned().collect(),
            log_errors: Vec::new(),
        }
    }
}
