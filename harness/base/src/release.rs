//! What is promoted: a commit of the product.

use serde::{Deserialize, Serialize};

/// A git commit, and how a person calls it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Full commit id.
    pub commit: String,
    /// Tag or short id.
    pub name: String,
}
