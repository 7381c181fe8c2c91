//! Reads the hashes of the source's rows: by ranges of blocks, and row by row where a range is not what it was.

use std::{
    pin::pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures_util::{TryStreamExt, future::try_join_all};
use stagegate_data_decide::{
    sanitize::{Key, Mask, Rewriter, StreamError},
    sync::{
        Column, Format, Range, Table,
        incremental::{Changes, HashedRows, RangeState, Settled, TableState, kept_rows, range_checksum, ranges},
    },
};
use stagegate_host::database::{DatabaseError, failed};
use tokio_postgres::Client;

use super::{
    super::{copy::Throttle, source::Snapshot},
    previous_copy::{PreviousCopy, RowsFile},
    unusable::Unusable,
};

/// Rows of a table that may have moved before everything is copied: a share of it, and what memory has room for.
const MOVED_SHARE: u64 = 4;
const MOVED_AT_LEAST: u64 = 20_000;
const MOVED_AT_MOST: u64 = 2_000_000;

/// What is to be done with a table of the kept copy.
pub(super) enum Change {
    /// Nothing.
    None,
    /// Some rows are replaced.
    Rows(Settled),
    /// All rows are.
    Whole,
}

impl Change {
    pub(super) fn is_any(&self) -> bool {
        !matches!(self, Change::None)
    }
}

/// What was found, table by table.
pub(super) struct Scanned {
    pub(super) tables: Vec<TableState>,
    pub(super) changes: Vec<Change>,
}

impl Scanned {
    /// Returns of each table whether its statistics are of no more use.
    // Source: PostgreSQL analyzes a table by itself when a tenth of it changed (autovacuum_analyze_scale_factor).
    pub(super) fn much_changed(&self) -> Vec<bool> {
        let is_much = |(change, state): (&Change, &TableState)| match change {
            Change::None => false,
            Change::Whole => true,
            Change::Rows(settled) => (settled.gone.len() + settled.came.len()) as u64 * 10 >= state.rows(),
        };
        self.changes.iter().zip(&self.tables).map(is_much).collect()
    }
}

/// The reading of all tables.
pub(super) struct Scan<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) tables: &'a [Table],
    pub(super) masks: Option<&'a [Vec<Option<Mask>>]>,
    pub(super) key: &'a Key,
    pub(super) workers: usize,
    pub(super) throttle: Option<Throttle>,
    /// The last sync; `None` where its hashes are written for the first time.
    pub(super) old: Option<&'a PreviousCopy>,
    pub(super) file: &'a RowsFile,
}

/// What is known of a table so far.
#[derive(Default)]
struct Slot {
    /// How many ranges it has.
    count: usize,
    ranges: Mutex<Vec<RangeState>>,
    changes: Mutex<Changes>,
    /// Whether the range that was read last is not what it was: then the next one is hardly either.
    is_changing: AtomicBool,
    is_whole: AtomicBool,
}

impl Scan<'_> {
    /// Reads all tables.
    pub(super) async fn run(&self) -> Result<Scanned, Unusable> {
        let (mut jobs, mut slots) = (Vec::new(), Vec::new());
        for (table, of) in self.tables.iter().enumerate() {
            let ranges = ranges(of);
            let (count, empty) = (ranges.len(), vec![RangeState::default(); ranges.len()]);
            slots.push(Slot { count, ranges: Mutex::new(empty), ..Slot::default() });
            jobs.extend(ranges.into_iter().enumerate().map(|(number, range)| (table, number, range)));
        }
        let next = AtomicUsize::new(0);
        let work = async || -> Result<(), Unusable> {
            let client = self.snapshot.session().await?;
            while let Some((table, number, range)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let state = self.range(&client, *table, &slots[*table], *number, range.as_ref()).await?;
                slots[*table].ranges.lock().unwrap_or_else(PoisonError::into_inner)[*number] = state;
            }
            Ok(())
        };
        try_join_all((0..self.workers).map(|_| work())).await?;
        self.file.sync()?;
        let mut scanned = Scanned { tables: Vec::new(), changes: Vec::new() };
        for (table, slot) in self.tables.iter().zip(slots) {
            let label = table.label();
            self.leave_rest(table, &slot)?;
            let changes = slot.changes.into_inner().unwrap_or_else(PoisonError::into_inner);
            let ranges = slot.ranges.into_inner().unwrap_or_else(PoisonError::into_inner);
            scanned.changes.push(match (slot.is_whole.into_inner(), changes.is_empty()) {
                (true, _) => Change::Whole,
                (false, true) => Change::None,
                (false, false) => Change::Rows(changes.settled()),
            });
            scanned.tables.push(TableState { table: label, ranges });
        }
        Ok(scanned)
    }

    /// Notes the rows of ranges that the table had and has no more.
    fn leave_rest(&self, table: &Table, slot: &Slot) -> Result<(), Unusable> {
        let Some((kept, old)) = self.old.and_then(|kept| Some((kept, kept.state.table(&table.label())?))) else {
            return Ok(());
        };
        for range in old.ranges.iter().skip(slot.count).filter(|range| range.rows > 0) {
            if table.known_key().is_none() {
                slot.is_whole.store(true, Ordering::Relaxed);
            } else {
                self.compare(table, slot, kept, Some(range), &HashedRows::default())?;
            }
        }
        Ok(())
    }

    async fn range(
        &self,
        client: &Client,
        table: usize,
        slot: &Slot,
        number: usize,
        range: Option<&Range>,
    ) -> Result<RangeState, Unusable> {
        let (masks, table) = (self.masks.map(|masks| masks[table].as_slice()), &self.tables[table]);
        if let Some(throttle) = &self.throttle {
            throttle.wait(table.bytes / slot.count as u64).await;
        }
        let known = table.known_key();
        let old_table = self.old.and_then(|kept| Some((kept, kept.state.table(&table.label())?)));
        let old = old_table.and_then(|(kept, state)| Some((kept, state.ranges.get(number)?)));
        if known.is_none() || old.is_some() && !slot.is_changing.load(Ordering::Relaxed) {
            let (rows, checksum) = self.sum(client, table, range).await?;
            match old {
                Some((kept, old)) if old.is_same(rows, &checksum) => {
                    let bytes = kept.rows(old).map_err(|error| damaged(&error))?;
                    return Ok(RangeState { at: self.file.append(&bytes)?, ..old.clone() });
                }
                _ if known.is_none() => {
                    let has_rows = rows > 0 || old.is_some_and(|(_, old)| old.rows > 0);
                    slot.is_whole.fetch_or(self.old.is_some() && has_rows, Ordering::Relaxed);
                    return Ok(RangeState { rows, checksum, at: 0, bytes: 0 });
                }
                _ => {}
            }
        }
        let known = known.unwrap_or_default();
        let masks: Vec<Option<Mask>> = key_masks(table, &known, masks);
        let bytes = self.rows(client, table, (&table.hashed_rows(range, &known), &masks)).await?;
        let found = HashedRows::read(&bytes, known.len(), self.key).map_err(|error| unreadable(table, &error))?;
        let (rows, checksum) = (found.rows.len() as u64, range_checksum(self.key, found.sum));
        let is_same = old.is_some_and(|(_, old)| old.is_same(rows, &checksum));
        slot.is_changing.store(!is_same, Ordering::Relaxed);
        if let Some(kept) = self.old.filter(|_| !is_same) {
            self.compare(table, slot, kept, old.map(|(_, old)| old), &found)?;
        }
        let kept = found.encoded();
        Ok(RangeState { rows, checksum, at: self.file.append(&kept)?, bytes: kept.len() as u64 })
    }

    /// Compares a range with what was kept of it.
    fn compare(
        &self,
        table: &Table,
        slot: &Slot,
        kept: &PreviousCopy,
        old: Option<&RangeState>,
        found: &HashedRows<'_>,
    ) -> Result<(), Unusable> {
        let bytes = old.map(|old| kept.rows(old)).transpose().map_err(|error| damaged(&error))?.unwrap_or_default();
        let was = kept_rows(&bytes).map_err(|error| damaged(&error))?;
        let mut changes = slot.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.compare(&was, &found.rows);
        let rows = kept.state.table(&table.label()).map_or(0, TableState::rows);
        let limit = (rows / MOVED_SHARE).clamp(MOVED_AT_LEAST, MOVED_AT_MOST);
        if changes.len() as u64 > limit {
            let label = table.label();
            return Err(Unusable::Because(format!("more than {limit} rows of {label} changed or moved, of {rows}")));
        }
        Ok(())
    }

    async fn sum(&self, client: &Client, table: &Table, range: Option<&Range>) -> Result<(u64, String), Unusable> {
        let what = format!("read hashes of {}", table.label());
        let row = client.query_one(&table.hash_sum(range), &[]).await.map_err(|e| failed(&what, &e))?;
        let (rows, sum): (i64, String) = (row.get(0), row.get(1));
        let sum = sum.parse().map_err(|_| DatabaseError::Unexpected(format!("cannot {what}: `{sum}` is no number")))?;
        Ok((u64::try_from(rows).unwrap_or_default(), range_checksum(self.key, sum)))
    }

    /// Reads places, keys and hashes, the keys as the copy has them.
    async fn rows(
        &self,
        client: &Client,
        table: &Table,
        (sql, masks): (&str, &[Option<Mask>]),
    ) -> Result<Vec<u8>, Unusable> {
        let what = format!("read hashes of {}", table.label());
        let stream = client.copy_out(sql).await.map_err(|e| failed(&what, &e))?;
        let mut stream = pin!(stream);
        let (mut rewriter, mut out) = (Rewriter::new(self.key, masks, Format::Binary), Vec::new());
        while let Some(data) = stream.try_next().await.map_err(|e| failed(&what, &e))? {
            rewriter.feed(&data, &mut out).map_err(|error| unreadable(table, &error))?;
        }
        Ok(out)
    }
}

/// Returns what replaces the columns that are read of a row: its place, its key and its hash.
fn key_masks(table: &Table, key: &[&Column], masks: Option<&[Option<Mask>]>) -> Vec<Option<Mask>> {
    let of = |column: &&Column| {
        let at = table.columns.iter().position(|one| one.name == column.name)?;
        masks?.get(at).cloned().flatten()
    };
    let mut all = vec![None];
    all.extend(key.iter().map(of));
    all.push(None);
    all
}

fn unreadable(table: &Table, error: &StreamError) -> Unusable {
    Unusable::Source(DatabaseError::Unexpected(format!("cannot read hashes of {}: {error}", table.label())))
}

fn damaged(error: &dyn std::fmt::Display) -> Unusable {
    Unusable::Because(format!("the hashes of the last sync are damaged: {error}"))
}
