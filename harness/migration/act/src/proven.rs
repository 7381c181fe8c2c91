//! What a chain showed.

use std::collections::BTreeMap;

use stagegate_base::waiver::Waivers;
use stagegate_migration_decide::{
    Chain, Extent, Finding, apply_waivers,
    locks::{self, Sizes, Thresholds, Watched},
    round_trip::{RoundTrip, Whole, of_chain, of_files, of_trips, once_for_chain},
    schema::{Facts, Id},
};

/// What a chain showed.
#[derive(Debug, Default)]
pub struct Proven {
    /// Each migration, in the chain's order.
    pub trips: Vec<RoundTrip>,
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

/// What was found on one server, by what it is about.
#[derive(Debug, Default)]
pub struct ServerFindings {
    /// Of the files; what is wrong with the waivers is among them.
    pub files: Vec<Finding>,
    /// Of each migration up, down and up again.
    pub trips: Vec<Finding>,
    /// Of the whole chain down and up.
    pub chain: Vec<Finding>,
    /// Of rows and their values.
    pub integrity: Vec<Finding>,
    /// Tables without generated rows.
    pub seeds: Vec<Finding>,
    /// Of locks and rewrites.
    pub locks: Vec<Finding>,
}

impl ServerFindings {
    /// Returns all findings, in the order of the fields.
    #[must_use]
    pub fn all(self) -> Vec<Finding> {
        [self.files, self.trips, self.chain, self.integrity, self.seeds, self.locks].concat()
    }
}

impl Proven {
    /// Returns what was found, with what is accepted on `today` (`YYYY-MM-DD`) marked. `locks` are the rows of the
    /// target's tables and the limits; without them locks are not judged.
    #[must_use]
    pub fn findings(
        &self,
        chain: &Chain,
        (waivers, today): (&Waivers, &str),
        locks: Option<(&Sizes, &Thresholds)>,
    ) -> ServerFindings {
        let parts = [
            of_files(chain),
            of_trips(chain, &self.trips),
            of_chain(&self.whole),
            self.rows.integrity.clone(),
            self.rows.seeds.clone(),
            locks.map(|(sizes, limits)| locks::of_chain(chain, &self.rows.locks, sizes, limits)).unwrap_or_default(),
        ];
        let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
        let mut all: Vec<Finding> = parts.into_iter().flatten().collect();
        apply_waivers(waivers, &mut all, today, Extent::Run);
        let mut rest = all.into_iter();
        let mut part = |nth: usize| -> Vec<Finding> { rest.by_ref().take(sizes[nth]).collect() };
        let (mut files, mut trips, chain_found) = (part(0), part(1), part(2));
        let (integrity, seeds, locks) = (part(3), part(4), part(5));
        files.extend(rest);
        once_for_chain(chain, &mut trips);
        ServerFindings { files, trips, chain: chain_found, integrity, seeds, locks }
    }
}
