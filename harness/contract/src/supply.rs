//! Which earlier responses can give the values that a call needs.

use super::property::Step;

/// A parameter and who can give its value, the best one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supply {
    /// The parameter.
    pub parameter: String,
    /// Who can give it.
    pub producers: Vec<Producer>,
}

/// A response that can give a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Which of the document's calls.
    pub call: usize,
    pub(super) by: ValueSource,
}

/// How a value is found in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ValueSource {
    /// A runtime expression of a link.
    Link(String),
    /// A property at this path.
    Property(Vec<Step>),
    /// The `Location` header, read by the path's template.
    Location,
}
