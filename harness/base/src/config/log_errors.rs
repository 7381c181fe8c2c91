//! Which lines of containers' logs are errors, and what new ones do to a promotion.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::units::Span;

const DAY: u64 = 24 * 3_600;

/// What errors in logs, that the release before did not log, do to a promotion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NewErrors {
    /// Logs are not read.
    Off,
    /// They are reported.
    #[default]
    Warning,
    /// The release is rolled back.
    Required,
}

/// How errors in logs are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogErrors {
    /// What new ones do.
    pub severity: NewErrors,
    /// Texts of which a line has one is an error, whatever its level.
    pub find: Vec<String>,
    /// Texts of which a line has one is none.
    pub ignore: Vec<String>,
    /// How far back the log of the release before is read.
    pub within: Span,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLogErrors {
    severity: Option<NewErrors>,
    #[serde(rename = "match", default)]
    find: Vec<String>,
    #[serde(default)]
    ignore: Vec<String>,
    within: Option<Span>,
}

impl RawLogErrors {
    /// Fills the defaults in. An empty text would be in every line, and is left out.
    pub(super) fn read(self) -> LogErrors {
        let texts = |all: Vec<String>| all.into_iter().filter(|text| !text.trim().is_empty()).collect();
        LogErrors {
            severity: self.severity.unwrap_or_default(),
            find: texts(self.find),
            ignore: texts(self.ignore),
            within: self.within.unwrap_or(Span(Duration::from_secs(7 * DAY))),
        }
    }
}
