//! Are the rows that were there before still there, with the same values?
//!
//! [`Content`] is what a database holds at one moment, as numbers: for each table the rows, and sums of hashes of
//! them that do not depend on their order. [`compare()`] tells how two moments differ, over the columns that both
//! have; [`stages`] makes findings of a migration's four moments: before, after up, after down, after the second up.
//! [`query`] is the SQL that counts and sums.
//!
//! Sums, never exclusive or: two equal rows would cancel each other. Two seeds: one row's hash that meets another's by
//! chance does not do so twice. No clock, no I/O, and no value of the user's but for keys that are numbers or UUIDs.

mod compare;
mod content;
mod hashing;
mod moved;
pub mod query;
pub mod stages;
#[cfg(test)]
mod tests;

pub use compare::{ColumnChange, Difference, Renames, compare};
pub use content::{Column, ColumnContent, ConstraintOrIndex, Content, Row, Sequence, Shape, TableContent};
pub use hashing::{Exact, exact};
