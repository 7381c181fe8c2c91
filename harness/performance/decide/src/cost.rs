//! Does a request cost more of the machine and of databases than with the control?
//!
//! In: what the same load cost on both sides. Out: what grew beyond its margin. Invariant: what is not known of one side
//! is neither a growth nor a pass of one; it is reported as unknown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::copies::PAIRS;
use stagegate_base::{
    config::Growth,
    units::{Share, Size},
};

/// Less memory than this is the allocator's mood.
const MEMORY_FLOOR: f64 = 8.0 * 1024.0 * 1024.0;
/// Less processor time than this is where the kernel puts processes, and healthchecks; nanoseconds a request.
const CPU_FLOOR: f64 = 50_000.0;
/// Fewer rows or blocks than this are catalog look-ups and pages of an index; a request.
const READ_FLOOR: f64 = 5.0;
/// Of a statement's text so much is reported.
const TOLD: usize = 80;

/// What one load cost on one side. What nobody could tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Requests that were sent.
    pub requests: u64,
    /// Most memory of the service that was asked, in bytes.
    pub memory: Option<u64>,
    /// Processor time of all services a request, in nanoseconds.
    pub cpu_ns: Option<f64>,
    /// SQL statements a request.
    pub queries: Option<f64>,
    /// Transactions a request.
    pub transactions: Option<f64>,
    /// Rows that statements returned or changed, a request.
    pub rows: Option<f64>,
    /// Blocks read or found in memory, a request.
    pub blocks: Option<f64>,
    /// Each statement's share, by its text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statements: BTreeMap<String, StatementCost>,
}

/// What one statement did, a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StatementCost {
    /// Executions.
    pub calls: f64,
    /// Rows.
    pub rows: f64,
    /// Blocks.
    pub blocks: f64,
}

/// What can grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostKind {
    /// Most memory.
    Memory,
    /// Processor time a request.
    Cpu,
    /// SQL statements a request.
    Queries,
    /// Transactions a request.
    Transactions,
    /// Rows a request.
    Rows,
    /// Blocks a request.
    Blocks,
}

const ALL: [CostKind; 6] =
    [CostKind::Memory, CostKind::Cpu, CostKind::Queries, CostKind::Transactions, CostKind::Rows, CostKind::Blocks];

/// Something that grew beyond its margin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grown {
    /// What.
    pub what: CostKind,
    /// With the control.
    pub control: f64,
    /// With the candidate.
    pub candidate: f64,
    /// How much it may be at most.
    pub most: f64,
    /// The statement that most of it is of; `None` where no single one is.
    pub statement: Option<String>,
}

impl CostKind {
    fn of(self, cost: &Cost) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a size that is shown to one digit")]
        let memory = cost.memory.map(|bytes| bytes as f64);
        match self {
            CostKind::Memory => memory,
            CostKind::Cpu => cost.cpu_ns,
            CostKind::Queries => cost.queries,
            CostKind::Transactions => cost.transactions,
            CostKind::Rows => cost.rows,
            CostKind::Blocks => cost.blocks,
        }
    }

    fn of_statement(self, share: StatementCost) -> Option<f64> {
        match self {
            CostKind::Queries => Some(share.calls),
            CostKind::Rows => Some(share.rows),
            CostKind::Blocks => Some(share.blocks),
            CostKind::Memory | CostKind::Cpu | CostKind::Transactions => None,
        }
    }

    /// Returns the most that it may be where the control's is `control`.
    fn most(self, control: f64, may: &Growth) -> f64 {
        let by = |share: Share, floor: f64| control + (control * share.0).max(floor);
        match self {
            CostKind::Memory => by(may.memory, MEMORY_FLOOR),
            CostKind::Cpu => by(may.cpu, CPU_FLOOR),
            CostKind::Queries | CostKind::Transactions => control + may.queries,
            CostKind::Rows => by(may.rows, READ_FLOOR),
            CostKind::Blocks => by(may.blocks, READ_FLOOR),
        }
    }

    fn name(self) -> &'static str {
        match self {
            CostKind::Memory => "memory",
            CostKind::Cpu => "processor time per request",
            CostKind::Queries => "SQL statements per request",
            CostKind::Transactions => "transactions per request",
            CostKind::Rows => "rows per request",
            CostKind::Blocks => "database blocks per request",
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes, never negative")]
    fn figure(self, value: f64) -> String {
        match self {
            CostKind::Memory => Size(value as u64).to_string(),
            CostKind::Cpu => super::plot::duration(value),
            _ => format!("{value:.1}"),
        }
    }
}

impl Grown {
    /// States it in one line.
    #[must_use]
    pub fn words(&self) -> String {
        let [control, candidate, most] = [self.control, self.candidate, self.most].map(|value| self.what.figure(value));
        let growth = format!("{} grew from {control} to {candidate} (at most {most})", self.what.name());
        match &self.statement {
            Some(text) => format!("{growth}, most of it by `{}`", shortened(text)),
            None => growth,
        }
    }
}

fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TOLD) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// Returns what grew from the control to the candidate by more than it may.
#[must_use]
pub fn grown(candidate: &Cost, control: &Cost, may: &Growth) -> Vec<Grown> {
    let one = |what: CostKind| {
        let (now, was) = (what.of(candidate)?, what.of(control)?);
        let most = what.most(was, may);
        let statement = || culprit(what, candidate, control, now - was);
        (now > most).then(|| Grown { what, control: was, candidate: now, most, statement: statement() })
    };
    ALL.into_iter().filter_map(one).collect()
}

/// Returns the statement that makes at least half of a growth.
fn culprit(what: CostKind, candidate: &Cost, control: &Cost, growth: f64) -> Option<String> {
    let more = |(text, now): (&String, &StatementCost)| {
        let was = control.statements.get(text).copied().unwrap_or_default();
        Some((what.of_statement(*now)? - what.of_statement(was)?, text.clone()))
    };
    let most = candidate.statements.iter().filter_map(more).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (2.0 * most.0 >= growth).then_some(most.1)
}

/// Judges by the costs of all pairs of copies so far, each candidate and control; `None` where another pair is to be
/// started. Only what grew in each of them counts, and it is reported with the least growth that was seen.
#[must_use]
pub fn grown_over_copies(pairs: &[[Cost; 2]], may: &Growth) -> Option<Vec<Grown>> {
    let mut each = pairs.iter().map(|[candidate, control]| grown(candidate, control, may));
    let Some(mut all) = each.next() else { return Some(Vec::new()) };
    for of_pair in each {
        all = all.iter().filter_map(|one| lesser(one, of_pair.iter().find(|other| other.what == one.what)?)).collect();
    }
    (all.is_empty() || pairs.len() >= PAIRS).then_some(all)
}

fn lesser(one: &Grown, other: &Grown) -> Option<Grown> {
    let beyond = |grown: &Grown| grown.candidate - grown.most;
    Some(if beyond(other) < beyond(one) { other.clone() } else { one.clone() })
}

/// Writes a line a probe: what a request costs with the control, and now.
#[must_use]
pub fn table(rows: &[(String, [Cost; 2])]) -> String {
    let line = |(probe, [candidate, control]): &(String, [Cost; 2])| {
        let figure = |what: CostKind| {
            let both = what.of(control).zip(what.of(candidate));
            let figures = both.map_or_else(
                || "unknown".to_owned(),
                |(was, now)| format!("{} -> {}", what.figure(was), what.figure(now)),
            );
            format!("{}: {figures}", what.name())
        };
        format!("{probe}: {}\n", ALL.map(figure).join("; "))
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn cost() -> Cost {
        let lists = ("SELECT * FROM orders LIMIT $1".to_owned(), StatementCost { calls: 1.0, rows: 20.0, blocks: 4.0 });
        Cost {
            requests: 1_000,
            memory: Some(60 << 20),
            cpu_ns: Some(1_000_000.0),
            queries: Some(1.0),
            transactions: Some(1.0),
            rows: Some(20.0),
            blocks: Some(4.0),
            statements: [lists].into(),
        }
    }

    fn n_plus_one() -> Cost {
        let mut cost = Cost { queries: Some(21.0), ..cost() };
        cost.statements.insert(
            "SELECT *\n FROM items WHERE id = $1".to_owned(),
            StatementCost { calls: 20.0, rows: 20.0, blocks: 60.0 },
        );
        cost
    }

    fn whats(grown: &[Grown]) -> Vec<CostKind> {
        grown.iter().map(|grown| grown.what).collect()
    }

    #[test]
    fn a_query_for_each_row_is_found_and_named() {
        let grown = grown(&n_plus_one(), &cost(), &Growth::default());
        assert_eq!(whats(&grown), [CostKind::Queries]);
        assert_eq!(
            grown[0].words(),
            "SQL statements per request grew from 1.0 to 21.0 (at most 1.5), most of it by `SELECT * FROM items WHERE id = $1`"
        );
    }

    #[rstest]
    #[case::memory(Cost { memory: Some(73 << 20), ..cost() }, &[CostKind::Memory])]
    #[case::little_memory(Cost { memory: Some(71 << 20), ..cost() }, &[])]
    #[case::cpu(Cost { cpu_ns: Some(1_260_000.0), ..cost() }, &[CostKind::Cpu])]
    #[case::little_cpu(Cost { cpu_ns: Some(1_240_000.0), ..cost() }, &[])]
    #[case::transactions(Cost { transactions: Some(1.6), ..cost() }, &[CostKind::Transactions])]
    #[case::healthchecks(Cost { queries: Some(1.4), transactions: Some(1.4), ..cost() }, &[])]
    #[case::rows(Cost { rows: Some(31.0), ..cost() }, &[CostKind::Rows])]
    #[case::blocks(Cost { blocks: Some(9.5), ..cost() }, &[CostKind::Blocks])]
    #[case::few_blocks(Cost { blocks: Some(9.0), ..cost() }, &[])]
    #[case::less(Cost { memory: Some(1), cpu_ns: Some(1.0), queries: Some(0.0), ..cost() }, &[])]
    fn what_grows_beyond_its_margin_is_reported_and_what_does_not_is_not(#[case] now: Cost, #[case] want: &[CostKind]) {
        assert_eq!(whats(&grown(&now, &cost(), &Growth::default())), want);
    }

    #[test]
    fn what_is_not_known_of_one_side_has_not_grown_and_is_reported_as_unknown() {
        let blind = Cost { queries: None, ..n_plus_one() };
        assert!(grown(&blind, &cost(), &Growth::default()).is_empty());
        let reported = table(&[("orders".to_owned(), [blind, cost()])]);
        assert!(
            reported.contains("SQL statements per request: unknown; transactions per request: 1.0 -> 1.0"),
            "{reported}"
        );
    }

    #[test]
    fn a_growth_counts_where_each_pair_of_copies_has_it() {
        let may = Growth::default();
        let (more, same) = ([n_plus_one(), cost()], [cost(), cost()]);
        assert_eq!(grown_over_copies(&[], &may), Some(Vec::new()), "nothing was asked");
        assert_eq!(grown_over_copies(std::slice::from_ref(&same), &may), Some(Vec::new()));
        assert_eq!(grown_over_copies(std::slice::from_ref(&more), &may), None);
        assert_eq!(grown_over_copies(&[more.clone(), same], &may), Some(Vec::new()));
        let least = [Cost { queries: Some(11.0), ..n_plus_one() }, cost()];
        let all = grown_over_copies(&[more.clone(), least, more], &may).unwrap();
        assert_eq!((whats(&all), all[0].candidate), (vec![CostKind::Queries], 11.0));
    }
}
