//! One migration's up migration, back, and there again.

use std::time::Duration;

use serde::Serialize;

use super::Failure;
use crate::{
    Route,
    schema::{Difference, Facts, Id, Kind, Severity},
};

/// What came of the down migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Down {
    /// There is none that does anything; the differences are what it would leave.
    NotUsable {
        /// Whether a file or a section for it is there.
        is_there: bool,
        /// What stays behind.
        left: Vec<Difference>,
    },
    /// It ended with an error.
    Failed(Failure),
    /// It succeeded; the differences are what is not as it was before.
    Ran(Vec<Difference>),
    /// It was not tried.
    NotTried(String),
}

/// What was observed of one migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundTrip {
    /// The migration's version.
    pub version: String,
    /// How people name it.
    pub label: String,
    /// Which way it was tried, and why.
    pub route: Route,
    /// What stopped the up migration.
    pub up: Option<Failure>,
    /// What came of the down migration.
    pub down: Down,
    /// Scripts that ended inside of a transaction that they began.
    pub left_open: Vec<String>,
    /// What stopped the second up migration.
    pub second_up: Option<Failure>,
    /// What is otherwise after the second up migration than after the first.
    pub second_differs: Vec<Difference>,
    /// The longest time that a probe's request was held up by the up migration; none where there were no probes.
    pub longest_stall: Option<Duration>,
    /// How long all of it took.
    pub took: Duration,
}

/// What is to be thought of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The down migration leads back.
    Exact,
    /// It does, but for the order of columns.
    OrderOnly,
    /// It succeeds and leaves another schema.
    AnotherSchema,
    /// It ends with an error.
    SqlError,
    /// There is none that does anything.
    NoUsableDown,
    /// The up migration ends with an error.
    UpFails,
    /// It could not be tried.
    NotRun,
}

impl Verdict {
    /// All of them, the best one first.
    pub const ALL: [Verdict; 7] = [
        Verdict::Exact,
        Verdict::OrderOnly,
        Verdict::AnotherSchema,
        Verdict::SqlError,
        Verdict::NoUsableDown,
        Verdict::UpFails,
        Verdict::NotRun,
    ];

    /// Returns the words for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Exact => "exact",
            Verdict::OrderOnly => "order only",
            Verdict::AnotherSchema => "another schema",
            Verdict::SqlError => "SQL error",
            Verdict::NoUsableDown => "no usable down",
            Verdict::UpFails => "up fails",
            Verdict::NotRun => "not run",
        }
    }
}

impl RoundTrip {
    /// Judges.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match (&self.up, &self.down) {
            (Some(failure), _) if failure.is_ours() => Verdict::NotRun,
            (Some(_), _) => Verdict::UpFails,
            (None, Down::NotUsable { .. }) => Verdict::NoUsableDown,
            (None, Down::NotTried(_)) => Verdict::NotRun,
            (None, Down::Failed(failure)) if failure.is_ours() => Verdict::NotRun,
            (None, Down::Failed(_)) => Verdict::SqlError,
            (None, Down::Ran(differences)) if differences.is_empty() => Verdict::Exact,
            (None, Down::Ran(differences)) if is_order_only(differences) => Verdict::OrderOnly,
            (None, Down::Ran(_)) => Verdict::AnotherSchema,
        }
    }
}

impl Failure {
    /// Returns whether the migration is not to blame, so that nothing is known of it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        !matches!(self.why, super::FailureCause::Refused | super::FailureCause::TimedOut)
    }
}

/// What was observed of the whole chain: all the way down, and all the way up again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// The migration that stopped the way down, and why.
    pub down: Option<(String, Failure)>,
    /// What is otherwise at the bottom than it was at the beginning.
    pub bottom: Vec<Difference>,
    /// The migration that stopped the second way up, and why.
    pub up: Option<(String, Failure)>,
    /// What is otherwise at the top than it was the first time.
    pub top: Vec<Difference>,
    /// Migrations without a usable down migration, which were left out of the way down and up.
    pub left_out: Vec<String>,
    /// Why it was not tried, where it was not.
    pub not_tried: Option<String>,
    /// How long all of it took.
    pub took: Duration,
}

/// Returns whether nothing but the order of columns differs.
pub(super) fn is_order_only(differences: &[Difference]) -> bool {
    differences.iter().all(|difference| difference.severity == Severity::Order)
}

/// Returns whether an outermost thing is a table in which the tool records what it applied, or the table's sequence.
#[must_use]
pub fn is_bookkeeping(object: &Id, tables: &[&str]) -> bool {
    let name = object.name.rsplit('.').next().unwrap_or_default().trim_matches('"');
    tables.iter().any(|table| match (table.strip_suffix(".*"), object.kind) {
        (Some(schema), Kind::Schema) => object.name == schema,
        (Some(schema), _) => object.name.strip_prefix(schema).is_some_and(|rest| rest.starts_with('.')),
        (None, Kind::Table) => name == *table,
        (None, Kind::Sequence) => name.strip_prefix(table).is_some_and(|rest| rest.starts_with('_')),
        (None, _) => false,
    })
}

/// Returns the facts without the tables in which the tool records what it applied.
#[must_use]
pub fn without_bookkeeping(facts: Facts, tables: &[&str]) -> Facts {
    let is_history_table = |id: &Id| is_bookkeeping(&facts.object(id), tables);
    if !facts.iter().any(|fact| is_history_table(&fact.id)) {
        return facts;
    }
    let kept = facts.iter().filter(|fact| !is_history_table(&fact.id)).cloned().collect();
    Facts::new(kept, facts.unmodelled().clone())
}
