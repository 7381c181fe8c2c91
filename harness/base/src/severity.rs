//! How grave something is: one scale for checks and findings.

use serde::{Deserialize, Serialize};

/// How grave a failed check or a finding is; the gravest comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Vetoes: a failure blocks the release, and so does not having run.
    #[default]
    Required,
    /// Counts half.
    Warning,
    /// Is only reported.
    Info,
}

impl Severity {
    /// All of them, the gravest first.
    pub const ALL: [Severity; 3] = [Severity::Required, Severity::Warning, Severity::Info];

    /// Returns the word in configuration, options and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Severity::Required => "required",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }

    /// Returns the word at the head of a finding or a failed check.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Severity::Required => "FAIL",
            Severity::Warning => "WARN",
            Severity::Info => "NOTE",
        }
    }
}
