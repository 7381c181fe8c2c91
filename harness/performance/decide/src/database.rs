//! What a load made a PostgreSQL database do: from its own counters before and after.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A table is large from here on: a scan of all its rows for each request is worth telling.
const LARGE_ROWS: u64 = 10_000;
/// How many statements are reported.
const TOLD: usize = 10;

/// Counters of a database at one moment, all since the server began to count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Transactions that were committed.
    pub commits: u64,
    /// Transactions that were rolled back.
    pub rollbacks: u64,
    /// Blocks that were read from outside of shared buffers.
    pub blocks_read: u64,
    /// Blocks that were found in shared buffers.
    pub blocks_hit: u64,
    /// Bytes of temporary files.
    pub temp_bytes: u64,
    /// Deadlocks.
    pub deadlocks: u64,
    /// Tables by `schema.name`.
    pub tables: BTreeMap<String, TableFigures>,
    /// Statements by their id; `None` where the server has no pg_stat_statements, or not in this database.
    pub statements: Option<BTreeMap<i64, StatementFigures>>,
}

/// Counters of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFigures {
    /// Rows, as the server estimates them.
    pub rows: u64,
    /// Scans of the whole table.
    pub sequential_scans: u64,
    /// Rows that those read.
    pub sequential_rows: u64,
}

/// Counters of one statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StatementFigures {
    /// Its text, constants taken out by the server.
    pub text: String,
    /// Executions.
    pub calls: u64,
    /// Milliseconds, all together.
    pub total_ms: f64,
    /// Rows returned or changed.
    pub rows: u64,
    /// Blocks read or found in shared buffers.
    pub blocks: u64,
}

/// What the load made a database do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatabaseUse {
    /// Requests that were sent meanwhile.
    pub requests: u64,
    /// Transactions a request.
    pub transactions_per_request: f64,
    /// Statements a request; `None` without pg_stat_statements.
    pub queries_per_request: Option<f64>,
    /// The share of blocks that were found in shared buffers; `None` where none was asked for.
    pub cache_hit: Option<f64>,
    /// Transactions that were rolled back.
    pub rollbacks: u64,
    /// Deadlocks.
    pub deadlocks: u64,
    /// Bytes of temporary files.
    pub temp_bytes: u64,
    /// Scans of whole large tables (10,000 rows or more), by table; no others.
    pub large_scans: BTreeMap<String, TableFigures>,
    /// The statements that took the most time, first the one that took most; at most ten.
    pub statements: Vec<StatementFigures>,
    /// What sessions waited for locks.
    pub lock_waits: LockWaits,
}

/// What was seen of sessions that waited for a lock, by asking again and again: a short wait may be missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockWaits {
    /// How often was asked.
    pub looks: u64,
    /// How often somebody waited.
    pub seen: u64,
    /// The longest wait that was seen, in milliseconds.
    pub longest_ms: u64,
}

/// Returns what happened between two moments in which `requests` were sent.
///
/// Counters that fell were reset meanwhile and count from 0.
#[must_use]
pub fn database_use(before: &Figures, after: &Figures, requests: u64, lock_waits: LockWaits) -> DatabaseUse {
    let (read, hit) = (grown(before.blocks_read, after.blocks_read), grown(before.blocks_hit, after.blocks_hit));
    let transactions = grown(before.commits, after.commits) + grown(before.rollbacks, after.rollbacks);
    let mut statements = after.statements.as_ref().map(|after| statements(before.statements.as_ref(), after));
    let calls = statements.as_ref().map(|all| all.iter().map(|statement| statement.calls).sum::<u64>());
    if let Some(statements) = &mut statements {
        statements.sort_by(|a, b| b.total_ms.total_cmp(&a.total_ms));
        statements.truncate(TOLD);
    }
    DatabaseUse {
        requests,
        transactions_per_request: per(transactions, requests).unwrap_or_default(),
        queries_per_request: calls.and_then(|calls| per(calls, requests)),
        cache_hit: per(hit, hit + read),
        rollbacks: grown(before.rollbacks, after.rollbacks),
        deadlocks: grown(before.deadlocks, after.deadlocks),
        temp_bytes: grown(before.temp_bytes, after.temp_bytes),
        large_scans: large_scans(before, after),
        statements: statements.unwrap_or_default(),
        lock_waits,
    }
}

fn large_scans(before: &Figures, after: &Figures) -> BTreeMap<String, TableFigures> {
    let scanned = |(name, now): (&String, &TableFigures)| {
        let was = before.tables.get(name).copied().unwrap_or_default();
        let sequential_scans = grown(was.sequential_scans, now.sequential_scans);
        let sequential_rows = grown(was.sequential_rows, now.sequential_rows);
        let reported = now.rows >= LARGE_ROWS && sequential_scans > 0;
        reported.then(|| (name.clone(), TableFigures { rows: now.rows, sequential_scans, sequential_rows }))
    };
    after.tables.iter().filter_map(scanned).collect()
}

fn statements(
    before: Option<&BTreeMap<i64, StatementFigures>>,
    after: &BTreeMap<i64, StatementFigures>,
) -> Vec<StatementFigures> {
    let none = StatementFigures::default();
    let added = |(id, now): (&i64, &StatementFigures)| {
        let was = before.and_then(|before| before.get(id)).filter(|was| was.calls <= now.calls).unwrap_or(&none);
        let calls = now.calls - was.calls;
        (calls > 0).then(|| StatementFigures {
            text: now.text.clone(),
            calls,
            total_ms: (now.total_ms - was.total_ms).max(0.0),
            rows: grown(was.rows, now.rows),
            blocks: grown(was.blocks, now.blocks),
        })
    };
    after.iter().filter_map(added).collect()
}

fn grown(before: u64, after: u64) -> u64 {
    after.checked_sub(before).unwrap_or(after)
}

#[expect(clippy::cast_precision_loss, reason = "a ratio that is shown to some digits")]
fn per(count: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| count as f64 / of as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &str, calls: u64, total_ms: f64) -> StatementFigures {
        StatementFigures { text: text.into(), calls, total_ms, rows: calls, blocks: 2 * calls }
    }

    fn table(rows: u64, sequential_scans: u64) -> TableFigures {
        TableFigures { rows, sequential_scans, sequential_rows: rows * sequential_scans }
    }

    #[test]
    fn statements_a_request_are_what_was_called_meanwhile() {
        let before = Figures {
            commits: 100,
            blocks_hit: 1_000,
            statements: Some([(1, statement("SELECT a", 5, 1.0)), (3, statement("SELECT c", 9, 4.0))].into()),
            ..Figures::default()
        };
        let after = Figures {
            commits: 110,
            blocks_hit: 1_090,
            blocks_read: 10,
            statements: Some(
                [
                    (1, statement("SELECT a", 15, 3.0)),
                    (2, statement("SELECT b", 100, 50.0)),
                    (3, statement("SELECT c", 9, 4.0)),
                ]
                .into(),
            ),
            ..Figures::default()
        };
        let used = database_use(&before, &after, 10, LockWaits::default());
        assert_eq!(used.queries_per_request, Some(11.0));
        assert_eq!((used.transactions_per_request, used.cache_hit), (1.0, Some(0.9)));
        let reported: Vec<(&str, u64)> = used.statements.iter().map(|s| (s.text.as_str(), s.calls)).collect();
        assert_eq!(reported, [("SELECT b", 100), ("SELECT a", 10)]);
    }

    #[test]
    fn without_statements_their_number_is_unknown_and_not_zero() {
        let used = database_use(&Figures::default(), &Figures::default(), 10, LockWaits::default());
        assert_eq!((used.queries_per_request, used.cache_hit), (None, None));
        let nothing = Figures { statements: Some(BTreeMap::new()), ..Figures::default() };
        assert_eq!(database_use(&nothing, &nothing, 0, LockWaits::default()).queries_per_request, None);
    }

    #[test]
    fn only_scans_of_large_tables_are_reported() {
        let figures = |small, large| Figures {
            tables: [("public.small".into(), table(10, small)), ("public.large".into(), table(50_000, large))].into(),
            ..Figures::default()
        };
        let used = database_use(&figures(1, 1), &figures(9, 3), 4, LockWaits::default());
        assert_eq!(used.large_scans.keys().collect::<Vec<_>>(), ["public.large"]);
        assert_eq!(used.large_scans["public.large"].sequential_scans, 2);
        assert!(database_use(&figures(1, 1), &figures(9, 1), 4, LockWaits::default()).large_scans.is_empty());
    }

    #[test]
    fn counters_that_were_reset_count_from_nothing() {
        let before = Figures {
            commits: 1_000,
            statements: Some([(1, statement("SELECT a", 50, 9.0))].into()),
            ..Figures::default()
        };
        let after =
            Figures { commits: 5, statements: Some([(1, statement("SELECT a", 5, 1.0))].into()), ..Figures::default() };
        let used = database_use(&before, &after, 5, LockWaits::default());
        assert_eq!((used.transactions_per_request, used.queries_per_request), (1.0, Some(1.0)));
        assert_eq!(used.statements[0].total_ms, 1.0);
    }
}
