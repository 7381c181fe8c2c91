//! What a database's schema is made of, how two of them differ, and what that means for the application.
//!
//! A [`Fact`] is one addressable thing: a table, a column, a default, a comment, a privilege. [`Facts`] are all of
//! one database, as a tree with a hash rolled up from each thing's parts; [`diff`] goes down only where the hashes
//! differ. No clock, no I/O.

mod casts;
mod change;
mod compatibility;
mod cosmetic;
mod diff;
mod drift;
mod dumped;
mod fact;
mod facts;
mod finding;
mod kind;
mod options;
mod partition;
mod rename;
mod render;
mod scan;
#[cfg(test)]
mod tests;
mod text;

pub use change::{Attribute, Change, Severity};
pub use compatibility::{Compatibility, CompatibilityDirection, Effect, Rule, rules};
pub use cosmetic::{icu_locale, single_relation_view};
pub use diff::{Difference, diff};
pub use drift::{Drifted, drift, drift_terminal};
pub use dumped::dumped;
pub use fact::{Fact, Id};
pub use facts::Facts;
pub use finding::{finding, report};
pub use kind::Kind;
pub use render::{Sides, json, not_compared, summary, terminal};
pub use text::{SnapshotError, line_of, parse, snapshot_path, write};
