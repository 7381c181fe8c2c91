//! Decides what becomes of each column's values on their way into another environment, and replaces them.
//!
//! Replacements are keyed and deterministic: the same value under the same rule gives the same replacement in every table,
//! so that what met before still meets, and nobody without the key can tell from which value it came. No clock, no I/O.

mod array;
mod assign;
mod dates;
mod json_schema;
mod key;
mod limits;
mod mask;
mod network;
mod number;
mod paths;
mod personal;
mod rule;
mod search;
mod stream;
mod suggest;
mod words;

pub use assign::{Assigned, assign};
pub use json_schema::json_schema;
pub use key::Key;
pub use limits::Limits;
pub use mask::{Mask, Wire};
pub use paths::{Path, PathError, leaves};
pub use personal::{Personal, are_cards, personal};
pub use rule::{Rule, Rules, RulesError, Unknown};
pub use search::{Found, SourceValue, encodings, is_distinctive, is_number, is_whole_number, is_word};
pub use stream::{Rewriter, StreamError};
pub use suggest::{Suggestion, by_name, by_samples, by_type, file_text};

/// The usual name of the file of rules.
pub const FILE_NAME: &str = "stagegate-sanitize.toml";

#[cfg(test)]
mod personal_tests;
#[cfg(test)]
mod tests;
