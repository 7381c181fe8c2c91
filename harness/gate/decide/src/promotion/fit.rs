//! What is known of an earlier release on the schema that it would meet after a rollback of code alone.

use serde::{Deserialize, Serialize};

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

    /// Returns why a rollback of code alone to `release` is refused; `None` where nothing speaks against it.
    #[must_use]
    pub fn refusal(&self, release: &str) -> Option<String> {
        matches!(self, SchemaFit::Unhealthy { .. } | SchemaFit::Unknown { .. }).then(|| {
            format!(
                "{}. Roll the data back too: --with-data. Continue anyway: --accept-newer-schema",
                self.text(release)
            )
        })
    }
}
