//! Where a change is, in which file.

use serde::Serialize;

/// Where something stands in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The file, as the document's references would name it; none where it is the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// JSON pointer.
    pub pointer: String,
    /// Line, from 1.
    pub line: u32,
}

impl Location {
    /// Returns the place as a reference of the document would name it: `#/paths/~1a`, `schemas/pet.yaml#/type`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}#{}", self.file.as_deref().unwrap_or_default(), self.pointer)
    }
}
