//! Decides what becomes of each column's values on their way into another environment, and replaces them.
//!
//! Replacements are keyed and deterministic: the same value under the same rule gives the same replacement in every table,
//! so that what met before still meets, and nobody without the key can tell from which value it came. No clock, no I/O.

mod array;
mod assign;
mod json_schema;
mod key;
mod mask;
mod paths;
mod rule;
mod search;
mod stream;
mod suggest;

pub use assign::{Assigned, assign};
pub use json_schema::json_schema;
pub use key::Key;
pub use mask::{Mask, Wire};
pub use paths::{Path, PathError, leaves};
pub use rule::{Rule, Rules, RulesError, Unknown};
pub use search::{Found, SourceValue, encodings, is_distinctive, is_word};
pub use stream::{Rewriter, StreamError};
pub use suggest::{Suggestion, by_name, by_samples, file_text};

/// The usual name of the file of rules.
pub const FILE_NAME: &str = "stagegate-sanitize.toml";

#[cfg(test)]
mod tests;
