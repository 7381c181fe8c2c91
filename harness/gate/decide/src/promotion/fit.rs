//! What is known of an earlier release on the schema that it would meet after a rollback of code alone.

use serde::{Deserialize, Serialize};
use stagegate_base::text::one_line;

/// What is known of a release on the schema that it would meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fit", rename_all = "snake_case")]
pub enum SchemaFit {
    /// No migration since has changed schema or rows.
    Unchanged,
    /// It passed its checks there.
    Healthy,
    /// It failed a required check there.
    Unhealthy {
        /// Which one, and why.
        reason: String,
    },
    /// No rehearsal has tried it, or one could not tell.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl SchemaFit {
    /// Returns what it means for a rollback to `release`, in one line.
    #[must_use]
    pub fn text(&self, release: &str) -> String {
        match self {
            SchemaFit::Unchanged => "no migration has changed schema or rows since".to_owned(),
            SchemaFit::Healthy => format!("{release} was healthy on the current schema in the rehearsal"),
            SchemaFit::Unhealthy { reason } => {
                format!("{release} was not healthy on the current schema in the rehearsal: {reason}")
            }
            SchemaFit::Unknown { reason } => {
                format!("whether {release} works on the current schema is unknown: {reason}")
            }
        }
    }

    /// Returns why a rollback of code alone to `release` is refused; `None` where nothing speaks against it, or where the
    /// rollback's own rehearsal is going to show it.
    #[must_use]
    pub fn refusal(&self, release: &str) -> Option<String> {
        matches!(self, SchemaFit::Unhealthy { .. }).then(|| format!("{}. {OTHER_WAYS}", self.text(release)))
    }
}

/// How to continue where the earlier release does not work on the current schema.
const OTHER_WAYS: &str = "Roll the data back too: --with-data. Continue anyway: --accept-newer-schema";

/// Returns why a rollback of code alone to `release` ends with its rehearsal; `reasons` are what it found.
#[must_use]
pub fn rehearsal_refusal(release: &str, reasons: &[String]) -> String {
    let reasons = match reasons {
        [] => "no reason was reported".to_owned(),
        found => found.iter().map(|reason| one_line(reason)).collect::<Vec<_>>().join("; "),
    };
    format!("{release} is not healthy on a copy of the current data: {reasons}. Nothing was changed. {OTHER_WAYS}")
}
