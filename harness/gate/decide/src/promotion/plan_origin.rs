//! Where the plan of a run comes from: who made it and who approved it, as its journal keeps them.

use serde::{Deserialize, Serialize};

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The user's name on the host.
    pub by: String,
    /// The user's id.
    pub uid: u32,
    /// When, RFC 3339.
    pub at: String,
}

/// The plan file that a run applies, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanOrigin {
    /// The plan file's hash.
    pub hash: String,
    /// Who made it.
    pub made: Signed,
    /// Who approved it; `None` where nobody had to.
    pub approved: Option<Signed>,
}

impl PlanOrigin {
    /// Returns it as one line of the plan.
    #[must_use]
    pub fn text(&self) -> String {
        let approved = self.approved.as_ref().map_or_else(String::new, |approved| {
            format!(", approved by {} (uid {}) at {}", approved.by, approved.uid, approved.at)
        });
        format!(
            "file {} made by {} (uid {}) at {}{approved}",
            short(&self.hash),
            self.made.by,
            self.made.uid,
            self.made.at
        )
    }
}

/// Returns the first digits of a hash, and any other text as it is.
pub(super) fn short(text: &str) -> &str {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hash = hex.len() >= 40 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { &hex[..12] } else { text }
}
