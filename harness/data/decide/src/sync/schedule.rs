//! Which worker reads what: whole tables, and ranges of those that would hold one worker up.

use super::{range::Range, subset::Selected, table::Table};

/// Blocks of a range: 64 MiB of the usual 8 KiB.
const RANGE_BLOCKS: u64 = 8_192;

/// Rows of a subset that one statement reads: their places are part of its text.
const STATEMENT_ROWS: usize = 5_000;

/// What one worker copies in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The table's place in the list of tables.
    pub table: usize,
    /// What is read of it, one after the other; the whole table at once where it is empty.
    pub ranges: Vec<Range>,
    /// Whether the job has the table to itself, so that its rows can be written as frozen ones.
    pub is_alone: bool,
    /// Blocks to read.
    pub blocks: u64,
}

/// Returns the jobs for `workers`, the largest first.
///
/// A table that is more than half of a worker's share is cut into jobs of one range each; another one is one job.
#[must_use]
pub fn jobs(tables: &[Table], workers: u64) -> Vec<Job> {
    let total: u64 = tables.iter().map(|table| table.blocks).sum();
    let share = (total / workers.max(1) / 2).max(RANGE_BLOCKS);
    let mut all: Vec<Job> = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let ranges = if table.has_blocks { ranges(table.blocks) } else { Vec::new() };
        if workers > 1 && table.blocks > share && ranges.len() > 1 {
            let blocks = |range: &Range| match range {
                Range::Blocks { from, to } => to.unwrap_or(table.blocks) - from,
                Range::Rows(rows) => rows.len() as u64,
            };
            let one = |range: Range| Job { table: index, blocks: blocks(&range), ranges: vec![range], is_alone: false };
            all.extend(ranges.into_iter().map(one));
        } else {
            all.push(Job { table: index, ranges, is_alone: true, blocks: table.blocks });
        }
    }
    all.sort_by_key(|job| std::cmp::Reverse(job.blocks));
    all
}

/// Returns the jobs of a subset, which holds `selected` of each table; the largest first.
#[must_use]
pub fn subset_jobs(tables: &[Table], selected: &[Selected], workers: u64) -> Vec<Job> {
    let whole = |table: usize| selected[table] == Selected::Whole;
    let mut all: Vec<Job> = jobs(tables, workers).into_iter().filter(|job| whole(job.table)).collect();
    for (table, selected) in selected.iter().enumerate() {
        let Selected::Rows(rows) = selected else { continue };
        if !rows.is_empty() {
            let ranges = rows.chunks(STATEMENT_ROWS).map(|some| Range::Rows(some.to_vec())).collect();
            all.push(Job { table, ranges, is_alone: true, blocks: rows.len() as u64 / 16 });
        }
    }
    all.sort_by_key(|job| std::cmp::Reverse(job.blocks));
    all
}

/// Returns the ranges of a table; none where it fits into one.
fn ranges(blocks: u64) -> Vec<Range> {
    let count = blocks.div_ceil(RANGE_BLOCKS);
    if count <= 1 {
        return Vec::new();
    }
    let one = |number: u64| Range::Blocks {
        from: number * RANGE_BLOCKS,
        to: (number + 1 < count).then_some((number + 1) * RANGE_BLOCKS),
    };
    (0..count).map(one).collect()
}
