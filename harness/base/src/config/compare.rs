//! What two environments are compared by.

use serde::{Deserialize, Serialize};

/// How environments are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compare {
    /// Patterns (`*` for any text) of variables that switch features.
    pub flags: Vec<String>,
}

impl Default for Compare {
    fn default() -> Self {
        Compare { flags: ["FEATURE_*", "FLAG_*", "*_ENABLED"].map(str::to_owned).to_vec() }
    }
}
