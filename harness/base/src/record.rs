//! What became of each trial, and what that lets a release do.

use serde::{Deserialize, Serialize};

use crate::finding::Finding;
pub use crate::severity::Severity;

/// Why a check has no result where a signal ended the run.
pub const INTERRUPTED: &str = "not run: interrupted";

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The question was answered with yes.
    Pass,
    /// The question was answered with no.
    Fail,
    /// The question does not arise here; the reason is in the record.
    Skip,
    /// The question could not be asked: no Docker, no file, no response from ourselves.
    Broken,
}

/// What a check gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Sound; the text states what was seen (`200 in 3 ms`).
    Pass(String),
    /// Unsound.
    Fail {
        /// One line: what is wrong.
        message: String,
        /// The differences, first the most telling one.
        findings: Vec<Finding>,
        /// Longer texts that help: log lines, a healthcheck's output, a curl line.
        evidence: Vec<Evidence>,
        /// What to do next.
        hint: Option<String>,
    },
    /// Not asked, with the reason.
    Skip(String),
    /// Could not be asked, with the reason.
    Broken(String),
}

impl Outcome {
    /// Returns a failure that has only a message.
    #[must_use]
    pub fn fail(message: impl Into<String>) -> Self {
        Outcome::Fail { message: message.into(), findings: Vec::new(), evidence: Vec::new(), hint: None }
    }
}

/// A longer text that belongs to a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What the text is, such as `last log lines of api`.
    pub name: String,
    /// The text, redacted.
    pub text: String,
}

/// What became of one trial: one JSON line of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Format version of this line.
    pub v: u32,
    /// The environment's name.
    pub environment: String,
    /// The full name, `suite::thing::question`, of `[a-z0-9_:]`.
    pub trial: String,
    /// What became of it.
    pub status: Status,
    /// How much it weighs here.
    pub severity: Severity,
    /// When it began (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// One line: what was seen, what is wrong, or why it did not run.
    pub message: String,
    /// Differences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Longer texts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Record {
    /// Makes the record of a trial from what its check gave back.
    #[must_use]
    pub fn new(environment: &str, trial: &str, severity: Severity, duration_ms: u64, outcome: Outcome) -> Self {
        let mut record = Record {
            v: 2,
            environment: environment.to_owned(),
            trial: trial.to_owned(),
            status: Status::Pass,
            severity,
            began: None,
            duration_ms,
            message: String::new(),
            findings: Vec::new(),
            evidence: Vec::new(),
            hint: None,
        };
        match outcome {
            Outcome::Pass(message) => record.message = message,
            Outcome::Skip(reason) => (record.status, record.message) = (Status::Skip, reason),
            Outcome::Broken(reason) => (record.status, record.message) = (Status::Broken, reason),
            Outcome::Fail { message, findings, evidence, hint } => {
                record.status = Status::Fail;
                (record.message, record.findings) = (message, findings);
                (record.evidence, record.hint) = (evidence, hint);
            }
        }
        record.findings.iter_mut().for_each(|finding| finding.severity = severity);
        record
    }

    /// Returns whether a signal kept the check from running.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.status == Status::Skip && self.message == INTERRUPTED
    }

    /// Returns the suite's name, the first part of the trial's.
    #[must_use]
    pub fn suite(&self) -> &str {
        self.trial.split("::").next().unwrap_or(&self.trial)
    }
}

/// A trial that should run, and how much it weighs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The trial's full name.
    pub trial: String,
    /// How much it weighs.
    pub severity: Severity,
}
