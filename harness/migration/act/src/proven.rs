//! What a chain showed.

use std::collections::BTreeMap;

use stagegate_migration_decide::{
    Finding,
    locks::Watched,
    round_trip::{Trip, Whole},
    schema::{Facts, Id},
};

/// What a chain showed.
#[derive(Debug, Default)]
pub struct Proven {
    /// Each migration, in the chain's order.
    pub trips: Vec<Trip>,
    /// The whole chain down and up.
    pub whole: Whole,
    /// The schema after the last way up.
    pub top: Facts,
    /// The migration that last changed a thing, by its label.
    pub touched: BTreeMap<Id, String>,
    /// What rows showed; nothing where they were not asked for.
    pub rows: OnRows,
}

/// What a chain showed on tables with rows.
#[derive(Debug, Default)]
pub struct OnRows {
    /// Migrations that were tried on rows.
    pub tried: usize,
    /// Of these, the newest ones: with rows in all tables, and with their locks watched.
    pub whole: usize,
    /// Migrations that can change no table that was there before them.
    pub untouched: usize,
    /// What became of the rows.
    pub integrity: Vec<Finding>,
    /// Where no rows could be made.
    pub seeds: Vec<Finding>,
    /// What the ways up locked and rewrote, with the rows that tables had; by version.
    pub locks: Vec<Watched>,
}
