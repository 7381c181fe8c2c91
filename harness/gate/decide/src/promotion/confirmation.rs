//! What was decided about a release that waits for a confirmation.
//!
//! The decision is one file in the run's folder, made by whoever comes first: the one who confirms, or the run when its time is
//! over. So a release is never confirmed and rolled back.

use serde::{Deserialize, Serialize};

/// What was decided, as the file in the run's folder has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Confirmation {
    /// The release stays.
    Confirmed {
        /// Who confirmed; `None` where nothing names anybody.
        #[serde(default)]
        by: Option<String>,
    },
    /// Nobody confirmed in time.
    Expired,
}

/// That the release was confirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// By whom; `None` where nothing names anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// How long the run waited, in milliseconds.
    #[serde(default)]
    pub waited_ms: u64,
}

impl Confirmed {
    /// Returns who confirmed, in a few words.
    pub(super) fn text(&self) -> String {
        self.by.as_ref().map_or_else(String::new, |name| format!("by {}", stagegate_base::text::one_line(name)))
    }
}
