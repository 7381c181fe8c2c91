//! What changed between two contracts, and whom it hurts.
//!
//! In: two documents, 3.0 or 3.1 in any mixture, and today's date. Out: changes, each with its rule, its place for a
//! caller and its places in both files. Rules know the direction: to narrow what may be sent breaks, and to widen what
//! may come. Descriptions, examples and where a schema is written are no changes. What was not compared is reported.

mod block;
mod bodies;
mod bundle;
mod choice;
mod complete;
mod conditions;
mod constants;
mod differ;
mod format;
mod json;
mod keywords;
mod lifecycle;
mod limits;
mod location;
mod malformed;
mod null;
mod object;
mod operations;
#[cfg(test)]
mod pairs;
mod parameters;
mod parse;
mod responses;
mod rule;
mod scalar;
mod schema;
mod security;
mod servers;
mod shape;
mod source;
mod step;
#[cfg(test)]
mod tests;
mod tree;
mod types;
mod waiver;
mod webhooks;
mod written;
mod yaml;

pub use differ::Change;
pub use location::Location;
pub use rule::{Level, Rule, all as rules};
pub use source::Contract;
pub use waiver::{catalogue, judge};

pub(super) use parse::references;

/// Compares two contracts.
///
/// `today` is a date, `YYYY-MM-DD`: an operation may go once the day is past that it promised. Changes of a
/// component are reported at every operation that names it; of a component inside of another one, at the first.
#[must_use]
pub fn compare<'a>(old: &'a Contract<'a>, new: &'a Contract<'a>, today: &'a str) -> Vec<Change> {
    let mut differ = differ::Differ::new(old.view(), new.view(), today);
    differ.servers();
    differ.documents();
    differ.webhooks();
    differ.security_schemes();
    differ.changes()
}

#[cfg(test)]
mod properties;
