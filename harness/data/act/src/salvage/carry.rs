//! Rows that are missing in the live database, written into it.

use std::pin::pin;

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use stagegate_data_decide::salvage::{CarryResult, FOREIGN_KEY, Pair, REFUSED_UP_TO, TableRows};
use stagegate_host::database::{DatabaseError, error_text, failed};
use tokio_postgres::Client;

use super::{Salvage, SalvageError, writing_session};

/// Why a row stays that refers to one which is not what it was.
const LINKED: &str =
    "they refer to a row whose key both databases have with other contents; --accept-links carries them";

/// Why a row stays that would not be the same in the live table.
const SHORTENED: &str =
    "a value is longer or more exact than its column in the live table, which would cut or round it";
/// Why a row stays that PostgreSQL took and that is not there.
const SKIPPED: &str = "a trigger or rule of the live table leaves them out";

/// Rows of a table that are still to be written, by their numbers.
struct Pending<'a> {
    at: usize,
    pair: &'a Pair,
    /// First and last number of each range.
    ranges: Vec<(i64, i64)>,
    carried: CarryResult,
    /// What was reported of a range that failed last.
    failed: Vec<((i64, i64), String, bool)>,
}

impl Salvage<'_> {
    /// Writes the rows that are missing into the live database, in one transaction; what it refuses stays where it is.
    ///
    /// Rows that refer to a changed one stay as well, unless `accept_links`: the same number may be another thing there.
    ///
    /// # Errors
    /// [`SalvageError`]; the live database is as it was then.
    pub async fn carry(&self, accept_links: bool) -> Result<Vec<CarryResult>, SalvageError> {
        let live = writing_session(self.server, self.live, self.within).await?;
        let begin = "begin; set constraints all immediate";
        live.batch_execute(begin).await.map_err(|e| failed("begin to carry rows", &e))?;
        let mut all = Vec::new();
        for (at, pair, found) in self.differing().filter(|(_, _, found)| found.missing > 0) {
            let linked = if accept_links { 0 } else { self.mark_linked(at, pair).await? };
            let mut pending = self.stage(&live, at, pair, found).await?;
            if linked > 0 && found.refusal.is_none() {
                pending.carried.refuse(linked, LINKED);
            }
            all.push(pending);
        }
        // A row may refer to one of a table that comes later: what was refused for that is tried again while it helps.
        loop {
            let mut taken = 0;
            for pending in &mut all {
                taken += pending.write(&live).await?;
            }
            let may_help = all.iter().any(|pending| pending.failed.iter().any(|(.., waits)| *waits));
            if taken == 0 || !may_help {
                break;
            }
            all.iter_mut().for_each(Pending::again);
        }
        for pending in &mut all {
            for ((first, last), reason, _) in std::mem::take(&mut pending.failed) {
                pending.carried.refuse(u64::try_from(last - first + 1).unwrap_or_default(), &reason);
            }
            for sql in pending.pair.sequences() {
                let what = format!("move the sequences of {}", pending.carried.table);
                live.query(&sql, &[]).await.map_err(|e| failed(&what, &e))?;
            }
        }
        live.batch_execute("commit").await.map_err(|e| failed("commit the carried rows", &e))?;
        Ok(all.into_iter().map(|pending| pending.carried).collect())
    }

    /// Takes rows that refer to a changed one out of those that are carried; returns how many.
    async fn mark_linked(&self, at: usize, pair: &Pair) -> Result<u64, DatabaseError> {
        let mut linked = 0;
        for sql in pair.linked(at, &self.pairs) {
            let what = format!("find what {} refers to", pair.kept.label());
            linked += self.client.execute(&sql, &[]).await.map_err(|e| failed(&what, &e))?;
        }
        Ok(linked)
    }

    /// Copies a table's rows into a temporary table of the live session, as texts.
    async fn stage<'p>(
        &self,
        live: &Client,
        at: usize,
        pair: &'p Pair,
        found: &TableRows,
    ) -> Result<Pending<'p>, DatabaseError> {
        let carried = CarryResult { table: pair.kept.label(), ..CarryResult::default() };
        let mut pending = Pending { at, pair, ranges: Vec::new(), carried, failed: Vec::new() };
        if let Some(reason) = &found.refusal {
            pending.carried.refuse(found.missing, reason);
            return Ok(pending);
        }
        let what = format!("read {} of the kept database", pair.kept.label());
        let (make, fill) = pair.stage(at);
        live.batch_execute(&make).await.map_err(|e| failed("make a temporary table", &e))?;
        let stream = self.client.copy_out(&pair.texts(at)).await.map_err(|e| failed(&what, &e))?;
        let mut stream = pin!(stream);
        let sink = live.copy_in::<_, Bytes>(&fill).await.map_err(|e| failed("fill a temporary table", &e))?;
        let mut sink = pin!(sink);
        while let Some(data) = stream.try_next().await.map_err(|e| failed(&what, &e))? {
            sink.send(data).await.map_err(|e| failed("fill a temporary table", &e))?;
        }
        let rows = sink.finish().await.map_err(|e| failed("fill a temporary table", &e))?;
        if rows > 0 {
            pending.ranges.push((1, i64::try_from(rows).unwrap_or(i64::MAX)));
        }
        Ok(pending)
    }
}

impl Pending<'_> {
    /// Writes what is still to be written; a range that is refused is halved until the refused rows are found.
    async fn write(&mut self, live: &Client) -> Result<u64, DatabaseError> {
        let sql = self.pair.carry(self.at);
        let what = format!("write {}", self.carried.table);
        let mut taken = 0;
        while let Some((first, last)) = self.ranges.pop() {
            live.batch_execute("savepoint rows").await.map_err(|e| failed(&what, &e))?;
            let error = match live.execute(&sql, &[&first, &last]).await {
                Ok(rows) => {
                    live.batch_execute("release savepoint rows").await.map_err(|e| failed(&what, &e))?;
                    taken += rows;
                    let left = u64::try_from(last - first + 1).unwrap_or_default().saturating_sub(rows);
                    self.refuse_skipped(live, (first, last), left).await?;
                    continue;
                }
                // A session that is gone takes no more rows.
                Err(error) if error.as_db_error().is_none() => return Err(failed(&what, &error)),
                Err(error) => error,
            };
            let undo = "rollback to savepoint rows; release savepoint rows";
            live.batch_execute(undo).await.map_err(|e| failed(&what, &e))?;
            if first == last || self.failed.len() >= REFUSED_UP_TO {
                let waits = error.code().is_some_and(|code| code.code() == FOREIGN_KEY);
                self.failed.push(((first, last), error_text(&error), waits));
            } else {
                let middle = first + (last - first) / 2;
                self.ranges.extend([(middle + 1, last), (first, middle)]);
            }
        }
        self.carried.rows += taken;
        Ok(taken)
    }

    /// Counts those rows of a range that were not written although nothing failed.
    async fn refuse_skipped(&mut self, live: &Client, range: (i64, i64), left: u64) -> Result<(), DatabaseError> {
        if left == 0 {
            return Ok(());
        }
        let what = format!("count what {} does not take", self.carried.table);
        let sql = self.pair.count_shortened(self.at);
        let row = live.query_one(&sql, &[&range.0, &range.1]).await.map_err(|e| failed(&what, &e))?;
        let shortened = u64::try_from(row.get::<_, i64>(0)).unwrap_or_default();
        for (rows, reason) in [(shortened, SHORTENED), (left.saturating_sub(shortened), SKIPPED)] {
            if rows > 0 {
                self.carried.refuse(rows, reason);
            }
        }
        Ok(())
    }

    /// Takes up again what was refused.
    fn again(&mut self) {
        self.ranges.extend(self.failed.drain(..).map(|(range, ..)| range));
    }
}
