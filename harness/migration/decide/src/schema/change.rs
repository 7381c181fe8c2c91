//! What became of one thing between two schemas.

use serde::Serialize;

use super::Id;

/// How much a difference matters by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The schemas mean something else.
    Semantic,
    /// A constraint, an index or the like has another name and nothing else.
    NameOnly,
    /// Comments, and white space in bodies.
    Cosmetic,
    /// Columns stand in another order.
    Order,
    /// A partition more, whose definition follows from its parent.
    Partition,
}

/// One attribute on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attribute {
    /// Its name, such as `type`.
    pub name: String,
    /// What it was.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
}

/// What became of a thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// It is new, with its parts.
    Added {
        /// How many parts it has.
        parts: usize,
    },
    /// It is gone, with its parts.
    Removed {
        /// How many parts it had.
        parts: usize,
    },
    /// One is gone and one of the same content is new: renamed, or dropped and made again.
    Renamed {
        /// The new one.
        to: Id,
    },
    /// It states something else.
    Changed {
        /// What differs.
        attributes: Vec<Attribute>,
    },
}
