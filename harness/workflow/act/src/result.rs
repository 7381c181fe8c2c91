//! What a question gave: a response, or why there is none.

use stagegate_base::{finding::Finding, record::Evidence};
use stagegate_workflow_decide::Observed;

/// A response, with what is wrong with it before any assertion is asked.
pub(crate) struct StepResult {
    pub(crate) observed: Observed,
    pub(crate) findings: Vec<Finding>,
    pub(crate) evidence: Vec<Evidence>,
}

impl From<Observed> for StepResult {
    fn from(observed: Observed) -> Self {
        StepResult { observed, findings: Vec::new(), evidence: Vec::new() }
    }
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StepError {
    /// What was asked did not answer, or refused.
    Failed(String),
    /// It could not be asked.
    Broken(String),
    /// This machine lacks what it would be asked with, and may.
    Lacking(String),
}
