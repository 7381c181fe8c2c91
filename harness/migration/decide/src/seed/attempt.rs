//! What is made otherwise after the server refused a row.

use std::collections::BTreeMap;

use super::{Schema, Table};

/// Attempts for one row before it is given up.
const MOST: usize = 96;

/// What a server reported against a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// SQLSTATE.
    pub code: String,
    /// The constraint that was not kept, where one is named.
    pub constraint: Option<String>,
    /// The column, where one is named.
    pub column: Option<String>,
    /// Code and message.
    pub message: String,
}

/// How a row is made: the first attempt is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Number of refusals so far.
    pub(super) tries: usize,
    /// Which branch of alternatives.
    pub(super) turn: usize,
    /// By column: which form, and whether it is null.
    pub(super) columns: BTreeMap<String, (usize, Option<bool>)>,
    /// By column: what is added to the row's number.
    pub(super) shifts: BTreeMap<String, i64>,
    /// Texts no longer than this.
    pub(super) is_short: bool,
}

impl Attempt {
    /// Returns the next attempt; `None` where nothing is left to be tried.
    // Source: PostgreSQL manual, appendix A: classes 22 (data) and 23 (integrity).
    #[must_use]
    pub fn after(&self, refusal: &Refusal, schema: &Schema, table: &Table) -> Option<Self> {
        let mut next = self.clone();
        next.tries += 1;
        if next.tries > MOST {
            return None;
        }
        let constraint = refusal.constraint.as_deref().unwrap_or_default();
        match refusal.code.as_str() {
            "23505" | "23P01" | "23503" => {
                let unique = table.uniques.iter().find(|unique| unique.name == constraint);
                let foreign = table.foreign.iter().find(|foreign| foreign.name == constraint);
                let named = unique.map(|unique| &unique.columns).or_else(|| foreign.map(|foreign| &foreign.columns));
                // A partition's index has a name of its own.
                let all: Vec<String> = table.uniques.iter().flat_map(|unique| unique.columns.clone()).collect();
                let columns = named.unwrap_or(&all);
                for column in columns {
                    let by = if columns.len() == 1 { 1_000 } else { 1 + i64::try_from(next.tries).unwrap_or(1) };
                    *next.shifts.entry(column.clone()).or_default() += by;
                    // Of several columns one moves faster, so that all pairs are met.
                    if columns.len() > 1 && next.tries.is_multiple_of(2) {
                        break;
                    }
                }
            }
            "23502" => {
                let column = refusal.column.clone()?;
                next.columns.entry(column).or_default().1 = Some(false);
            }
            "22001" | "22003" => next.is_short = true,
            "23514" | "22P02" | "22007" | "22008" | "P0001" | "22023" => {
                next.varied(&concerned(schema, table, constraint))
            }
            _ => return None,
        }
        Some(next)
    }

    /// Returns what served, for the next row, with its tries uncounted.
    #[must_use]
    pub fn rested(mut self) -> Self {
        self.tries = 0;
        self
    }

    /// Goes on to the next combination of null and form of some columns, like an odometer.
    fn varied(&mut self, columns: &[String]) {
        self.turn += 1;
        let mut rest = self.tries;
        if columns.len() > 1 {
            for column in columns {
                let digit = rest % 3;
                rest /= 3;
                let null = match digit {
                    0 => Some(false),
                    1 => Some(true),
                    _ => None,
                };
                self.columns.insert(column.clone(), (if digit == 2 { rest + 1 } else { 0 }, null));
            }
        } else if let Some(column) = columns.first() {
            self.columns.insert(column.clone(), (rest, Some(false)));
        }
    }
}

/// Returns the columns that a constraint is about: a check's, a domain's, or those of the partitions.
fn concerned(schema: &Schema, table: &Table, constraint: &str) -> Vec<String> {
    if let Some(check) = table.checks.iter().find(|check| check.name == constraint) {
        return check.columns.clone();
    }
    let has = |name: &&super::Column| {
        schema.base(name).2.iter().any(|domain| domain.checks.iter().any(|check| check.name == constraint))
    };
    let of_domains: Vec<String> = table.columns.iter().filter(has).map(|column| column.name.clone()).collect();
    if of_domains.is_empty() { table.partition_key.clone() } else { of_domains }
}
