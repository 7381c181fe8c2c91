//! Makes rows for tables that have none: the same rows for the same seed.
//!
//! In: what the catalog tells of tables and types ([`Schema`]). Out: the order of the tables ([`order()`]) and, row by
//! row, values ([`row()`]) as SQL ([`insert()`]). Values keep foreign keys, NOT NULL, unique and check constraints as far
//! as their texts can be read; what cannot be read is tried: the server's refusal ([`Refusal`]) makes the next
//! [`Attempt`] another one. No clock, no chance, no I/O.

mod attempt;
mod edge;
mod expression;
mod limits;
mod order;
mod row;
mod schema;
#[cfg(test)]
mod tests;
mod value;

pub use attempt::{Attempt, Refusal};
pub use edge::{EDGES, edges, free_columns};
pub use order::{CycleBreak, Ordered, order};
pub use row::{Known, NoRow, Values, insert, late, literal, row};
pub use schema::{Check, Column, Foreign, Name, Schema, Table, Type, Unique};
