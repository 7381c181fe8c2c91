//! Brings the kept copy up to date: one transaction that deletes, copies, compares, and names the run that did it.
//!
//! The run is part of the copy's mark, which is written in the same transaction: whether it was ended or not, the copy
//! always names the hashes that describe it.

use std::{collections::BTreeSet, pin::pin};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::SinkExt;
use stagegate_base::mark::Mark;
use stagegate_data_decide::{
    sanitize::{Rewriter, SourceValue},
    sync::{Check, Column, Copied, Range, Table, incremental::Settled, quoted, subset::RowPlace},
};
use stagegate_host::database::{DATA_FACTS_SETTINGS, DatabaseError, failed, literal};
use tokio_postgres::{Client, CopyInSink};

use super::{
    super::{
        copy::Pipe,
        search::Matcher,
        source::{Snapshot, without_conversion},
        subset::Places,
    },
    Run,
    previous_copy::PreviousCopy,
    scan::{Change, Scanned},
    unusable::Unusable,
};

/// Rows that one statement reads: their places are part of its text.
const STATEMENT_ROWS: usize = 5_000;
/// User code that would run while rows of a table are replaced.
const CODE: &str = "select coalesce( \
    (select format('trigger %I', tgname) from pg_trigger \
        where tgrelid = $1::text::regclass and not tgisinternal and tgenabled in ('A', 'R') limit 1), \
    (select format('rule %I', rulename) from pg_rewrite where ev_class = $1::text::regclass and ev_type = '4' limit 1))";
/// The rows that this transaction wrote.
const OWN: &str = " where xmin = pg_catalog.pg_current_xact_id()::xid";

/// What became of the kept copy.
#[derive(Default)]
pub(super) struct Applied {
    pub(super) deleted: u64,
    pub(super) changed: u64,
    pub(super) inserted: u64,
    pub(super) copied: Vec<Copied>,
}

/// The one transaction.
pub(super) struct Apply<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) kept: &'a PreviousCopy,
    /// Values that may not be part of what is written.
    pub(super) needles: &'a [SourceValue],
}

impl Apply<'_> {
    pub(super) async fn run(&self, scanned: &Scanned) -> Result<Applied, Unusable> {
        let source = self.snapshot.session().await?;
        without_conversion(&source).await?;
        // What the server of the copy refuses here is no reason to copy nothing: then everything is.
        let because = |error: DatabaseError| Unusable::Because(format!("the kept copy cannot be changed: {error}"));
        let copy = self.run.work.target.server.connect(&self.kept.mark.name).await.map_err(because)?;
        self.begin(&copy).await.map_err(because)?;
        let (mut applied, matcher) = (Applied::default(), Matcher::new(self.needles)?);
        for (at, (table, change)) in self.run.plan.tables.iter().zip(&scanned.changes).enumerate() {
            let one = Changing { apply: self, matcher: &matcher, source: &source, copy: &copy, table, at };
            if change.is_any() {
                one.refuse_code().await?;
            }
            let done = match change {
                Change::None => Ok(()),
                Change::Rows(settled) => one.rows(settled, &mut applied).await,
                Change::Whole => one.whole(&mut applied).await,
            };
            done.map_err(|error| match error {
                Unusable::Source(error) if is_of_copy(&error) => because(error),
                error => error,
            })?;
        }
        let mark = Mark { run: self.run.work.options.run.clone(), ..self.kept.mark.clone() };
        let comment = literal(&mark.comment().unwrap_or_default());
        let sql = format!("comment on database {} is {comment}; commit", quoted(&mark.name));
        copy.batch_execute(&sql).await.map_err(|e| because(failed("mark the kept copy", &e)))?;
        Ok(applied)
    }

    async fn begin(&self, copy: &Client) -> Result<(), DatabaseError> {
        let limit = self.run.work.options.within.as_millis();
        // Rows are replaced as they are in the source, where triggers and foreign keys had their say already.
        let sql = format!(
            "{DATA_FACTS_SETTINGS}; set jit = off; set statement_timeout = {limit}; begin; \
             set local session_replication_role = replica"
        );
        copy.batch_execute(&sql).await.map_err(|e| failed("begin to change it", &e))?;
        without_conversion(copy).await
    }
}

/// A table of the copy while it is changed.
struct Changing<'a> {
    apply: &'a Apply<'a>,
    matcher: &'a Matcher<'a>,
    source: &'a Client,
    copy: &'a Client,
    table: &'a Table,
    at: usize,
}

impl Changing<'_> {
    /// Refuses a table whose own code would run with each row.
    async fn refuse_code(&self) -> Result<(), Unusable> {
        let row = self.copy.query_one(CODE, &[&self.table.sql()]).await.map_err(|e| failed("read triggers", &e))?;
        match row.get::<_, Option<String>>(0) {
            Some(code) => Err(Unusable::Because(format!(
                "{code} of {} would run while the kept copy is changed",
                self.table.label()
            ))),
            None => Ok(()),
        }
    }

    /// Deletes what is gone or changed, and copies what is new or changed.
    async fn rows(&self, settled: &Settled, applied: &mut Applied) -> Result<(), Unusable> {
        if settled.gone.is_empty() && settled.came.is_empty() {
            return Ok(());
        }
        let label = self.table.label();
        let deleted = self.delete(settled).await?;
        if deleted != settled.gone.len() as u64 {
            let expected = settled.gone.len();
            return Err(Unusable::Because(format!(
                "the kept copy differs from the last sync: expected {expected} rows to delete in {label}, found {deleted}"
            )));
        }
        let ranges = settled.came.chunks(STATEMENT_ROWS).map(|some| Some(Range::Rows(some.to_vec())));
        let copied = self.copy(ranges.collect()).await?;
        self.compare(Some(&settled.came)).await?;
        self.search(OWN).await?;
        let changed = settled.changed as u64;
        applied.deleted += deleted - changed;
        applied.changed += changed;
        applied.inserted += copied.rows - changed;
        applied.copied.push(copied);
        Ok(())
    }

    /// Replaces all rows.
    async fn whole(&self, applied: &mut Applied) -> Result<(), Unusable> {
        let what = format!("delete rows of {}", self.table.label());
        let deleted = self.copy.execute(&format!("delete from only {}", self.table.sql()), &[]).await;
        applied.deleted += deleted.map_err(|e| failed(&what, &e))?;
        let copied = self.copy(vec![None]).await?;
        self.compare(None).await?;
        self.search("").await?;
        applied.inserted += copied.rows;
        applied.copied.push(copied);
        Ok(())
    }

    /// Deletes the rows of the keys that are gone.
    async fn delete(&self, settled: &Settled) -> Result<u64, Unusable> {
        if settled.gone.is_empty() {
            return Ok(0);
        }
        let Some(key) = self.table.known_key() else { return Ok(0) };
        let what = format!("delete rows of {}", self.table.label());
        let name = format!("pg_temp.gone_{}", self.at);
        let declared: Vec<String> =
            key.iter().map(|column| format!("{} {}", quoted(&column.name), column.declared)).collect();
        let create = format!("create temp table gone_{} ({}) on commit drop", self.at, declared.join(", "));
        self.copy.batch_execute(&create).await.map_err(|e| failed(&what, &e))?;
        self.copy_keys(&name, &settled.gone, key.len()).await.map_err(|e| failed(&what, &e))?;
        let same = |column: &&Column| format!("t.{0} = g.{0}", quoted(&column.name));
        let same: Vec<String> = key.iter().map(same).collect();
        let sql = format!("delete from only {} t using {name} g where {}", self.table.sql(), same.join(" and "));
        self.copy.batch_execute(&format!("analyze {name}")).await.map_err(|e| failed(&what, &e))?;
        Ok(self.copy.execute(&sql, &[]).await.map_err(|e| failed(&what, &e))?)
    }

    async fn copy_keys(&self, name: &str, keys: &[Vec<u8>], fields: usize) -> Result<(), tokio_postgres::Error> {
        let sink: CopyInSink<Bytes> = self.copy.copy_in(&format!("copy {name} from stdin (format binary)")).await?;
        let mut sink = pin!(sink);
        let mut piece = BytesMut::from(&b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"[..]);
        for key in keys {
            piece.put_i16(i16::try_from(fields).unwrap_or_default());
            piece.extend_from_slice(key);
            if piece.len() >= 64 << 10 {
                sink.send(piece.split().freeze()).await?;
            }
        }
        piece.put_i16(-1);
        sink.send(piece.freeze()).await?;
        sink.finish().await.map(drop)
    }

    /// Copies ranges of the source.
    async fn copy(&self, ranges: Vec<Option<Range>>) -> Result<Copied, Unusable> {
        let (plan, options) = (self.apply.run.plan, &self.apply.run.work.options);
        let masks = options.sanitising.as_ref().map(|by| (&by.key, plan.assigned.masks[self.at].as_slice()));
        let masks = masks.filter(|(_, masks)| masks.iter().any(Option::is_some));
        let label = self.table.label();
        let pipe = Pipe { source: self.source, target: self.copy, label: &label, throttle: None };
        let mut copied = Copied { table: label.clone(), ..Copied::default() };
        for range in &ranges {
            let rewriter = masks.map(|(key, masks)| Rewriter::new(key, masks, self.table.format()));
            let statements = (self.table.copy_out(range.as_ref()), self.table.copy_in(false));
            let (rows, bytes) = pipe.range(&statements, rewriter).await?;
            copied.rows += rows;
            copied.bytes += bytes;
        }
        Ok(copied)
    }

    /// Counts and hashes on both sides what was copied.
    async fn compare(&self, places: Option<&[RowPlace]>) -> Result<(), Unusable> {
        let (table, what) = (self.table, format!("count and hash {}", self.table.label()));
        let (before, after) = match places {
            Some(places) => (
                self.source.query_one(&table.check_places(true), &[&Places(places)]).await,
                self.copy.query_one(&table.check_where(true, OWN), &[]).await,
            ),
            None => {
                let sql = table.check(true);
                (self.source.query_one(&sql, &[]).await, self.copy.query_one(&sql, &[]).await)
            }
        };
        let (before, after) = (before.map_err(|e| failed(&what, &e))?, after.map_err(|e| failed(&what, &e))?);
        let check = Check {
            table: table.label(),
            rows: (before.get(0), after.get(0)),
            checksums: (before.get(1), after.get(1)),
        };
        match check.difference() {
            Some(difference) => {
                Err(Unusable::Because(format!("the changed rows differ from the source: {difference}")))
            }
            None => Ok(()),
        }
    }

    /// Searches what was written for values of the source that the rules replace.
    async fn search(&self, filter: &str) -> Result<(), Unusable> {
        let Some(by) = &self.apply.run.work.options.sanitising else { return Ok(()) };
        let mut found = BTreeSet::new();
        self.matcher.table(self.copy, (self.table, filter), &by.rules.not_searched, &mut found).await?;
        if found.is_empty() { Ok(()) } else { Err(Unusable::Leak(found.into_iter().collect())) }
    }
}

/// Returns whether the server of the copy refused something, and not the one that is read.
fn is_of_copy(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Statement { what, .. } if what.starts_with("write ") || what.starts_with("delete "))
}
