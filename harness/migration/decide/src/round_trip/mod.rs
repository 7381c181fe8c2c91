//! Does a migration's down migration lead back? What a server showed of up, down and up again, and what that means.
//!
//! In: a [`RoundTrip`] for each migration, with the schemas' differences and the server's refusals as they were observed.
//! Out: a [`Verdict`], [`Finding`](crate::Finding)s that name file, line and statement, and [`Counts`].
//! No clock, no I/O.

mod excerpt;
mod failure;
mod findings;
mod majors;
mod observed;
mod render;
mod rows;
mod summary;
#[cfg(test)]
mod tests;
mod together;

pub use failure::{Failure, FailureCause};
pub use findings::{findings, of_chain, of_files, of_round_trip, of_trips};
pub use majors::least;
pub use observed::{Down, RoundTrip, Verdict, Whole, is_bookkeeping, without_bookkeeping};
pub use render::{line, merged, whole_line};
pub use rows::{RowStates, Step, of_rows};
pub use summary::{Counts, OnRows, Report, Tried, summary};
pub use together::once_for_chain;
