//! Does a migration's way back lead back? What a server showed of up, down and up again, and what that means.
//!
//! In: a [`Trip`] for each migration, with the schemas' differences and the server's refusals as they were observed.
//! Out: a [`Verdict`], [`Finding`](crate::Finding)s that name file, line and statement, and [`Counts`].
//! No clock, no I/O.

mod failure;
mod findings;
mod majors;
mod rows;
mod shown;
mod summary;
#[cfg(test)]
mod tests;
mod together;
mod trip;

pub use failure::{Failure, Why};
pub use findings::{findings, of_chain, of_files, of_trip, of_trips};
pub use majors::least;
pub use rows::{RowStates, Step, of_rows};
pub use shown::{line, merged, whole_line};
pub use summary::{Counts, OnRows, Report, Tried, summary};
pub use together::once_for_chain;
pub use trip::{Down, Trip, Verdict, Whole, is_bookkeeping, without_bookkeeping};
