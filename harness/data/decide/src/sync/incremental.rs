//! What of a database changed since its last sync, found by hashes of its rows that were kept then.
//!
//! In: kept hashes, and the source's rows as their keys and hashes. Out: the rows that are gone, those that are new, and why
//! a sync has to copy everything instead. No clock, no I/O.
//! Invariant: as soon as it is in doubt whether the kept hashes describe the kept copy, everything is copied.

mod changes;
mod hashing;
mod state;

pub use changes::{Changes, HashedRow, HashedRows, Settled, kept_rows};
pub use hashing::{range_checksum, ranges};
pub use state::{COMPARED_EVERY, RangeState, State, TableState, Terms};

#[cfg(test)]
mod tests;
