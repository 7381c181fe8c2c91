//! Moves the rows: workers read ranges of the snapshot and write them into the fresh database.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt, future::try_join_all};
use stagegate_data_decide::{
    sanitize::{Key, Mask, Rewriter, StreamError},
    sync::{Check, Copied, Job, Pace, Range, Table, subset::Selected},
};
use stagegate_host::database::{DATA_FACTS_SETTINGS, DatabaseError, Server, failed};
use tokio_postgres::{Client, CopyInSink};

use super::{
    source::{Snapshot, without_conversion},
    subset::Places,
};

/// Rows are handed on in pieces of this size, so that a message per row costs nothing.
const PIECE: usize = 64 << 10;

/// Slows reading down to a rate.
pub(super) struct Throttle {
    pace: Pace,
    since: Instant,
    free: Mutex<Duration>,
}

impl Throttle {
    pub(super) fn new(pace: Pace) -> Self {
        Throttle { pace, since: Instant::now(), free: Mutex::new(Duration::ZERO) }
    }

    /// Waits until more may be read after `bytes`.
    pub(super) async fn wait(&self, bytes: u64) {
        let now = self.since.elapsed();
        let free = self.free.lock().map_or(Duration::ZERO, |mut free| {
            *free = self.pace.after(*free, now, bytes);
            *free
        });
        tokio::time::sleep(free.saturating_sub(now)).await;
    }
}

/// What is copied where.
pub(super) struct Copying<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) target: &'a Server,
    pub(super) fresh: &'a str,
    pub(super) tables: &'a [Table],
    /// What is copied of each table; all where `None`.
    pub(super) selected: Option<&'a [Selected]>,
    pub(super) workers: usize,
    /// What slows reading down, for all workers together.
    pub(super) throttle: Option<Throttle>,
    pub(super) with_checksums: bool,
    /// What replaces values on the way: for each table, for each column.
    pub(super) sanitising: Option<(&'a Key, &'a [Vec<Option<Mask>>])>,
}

impl Copying<'_> {
    /// Copies all rows and returns what each table took.
    pub(super) async fn copy(&self, jobs: &[Job]) -> Result<Vec<Copied>, DatabaseError> {
        let labels = self.tables.iter().map(|table| Copied { table: table.label(), ..Copied::default() });
        let copied = Arc::new(Mutex::new(labels.collect::<Vec<_>>()));
        let next = AtomicUsize::new(0);
        let work = async || -> Result<(), DatabaseError> {
            let (source, target) = self.sessions().await?;
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (rows, bytes) = self.one_job(&source, &target, job).await?;
                if let Ok(mut all) = copied.lock() {
                    all[job.table].rows += rows;
                    all[job.table].bytes += bytes;
                }
            }
            Ok(())
        };
        try_join_all((0..self.workers).map(|_| work())).await?;
        let copied = copied.lock().map(|all| all.clone());
        copied.map_err(|_| DatabaseError::Unexpected("a worker of the copy panicked".to_owned()))
    }

    /// Counts and hashes both sides, table by table.
    pub(super) async fn check(&self) -> Result<Vec<Check>, DatabaseError> {
        let mut order: Vec<(usize, &Table)> = self.tables.iter().enumerate().collect();
        order.sort_by_key(|(_, table)| std::cmp::Reverse(table.blocks));
        let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = async || -> Result<(), DatabaseError> {
            let (source, target) = self.sessions().await?;
            while let Some((at, table)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let sql = table.check(self.with_checksums);
                let what = format!("count and hash {}", table.label());
                let (before, after) =
                    futures_util::join!(self.expected(&source, *at, &sql), target.query_one(&sql, &[]));
                let (before, after) =
                    (before.map_err(|e| failed(&what, &e))?, after.map_err(|e| failed(&format!("{what} (copy)"), &e))?);
                let check = Check {
                    table: table.label(),
                    rows: (before.get(0), after.get(0)),
                    checksums: (before.get(1), after.get(1)),
                };
                if let Ok(mut all) = found.lock() {
                    all.push(check);
                }
            }
            Ok(())
        };
        try_join_all((0..self.workers).map(|_| work())).await?;
        let mut found = found.into_inner().unwrap_or_default();
        found.sort_by(|a, b| a.table.cmp(&b.table));
        Ok(found)
    }

    /// Counts and hashes what is copied of a table in the source; `sql` does so for all of it.
    async fn expected(
        &self,
        source: &Client,
        table: usize,
        sql: &str,
    ) -> Result<tokio_postgres::Row, tokio_postgres::Error> {
        match self.selected.map(|selected| &selected[table]) {
            Some(Selected::Rows(rows)) => {
                let sql = self.tables[table].check_places(self.with_checksums);
                source.query_one(&sql, &[&Places(rows)]).await
            }
            Some(Selected::Whole) | None => source.query_one(sql, &[]).await,
        }
    }

    async fn sessions(&self) -> Result<(Client, Client), DatabaseError> {
        let source = self.snapshot.session().await?;
        let target = self.target.connect(self.fresh).await?;
        // What is written is flushed at the switch: nobody misses the copy before.
        let settings = format!(
            "{DATA_FACTS_SETTINGS}; set synchronous_commit = off; set jit = off; \
             set default_transaction_read_only = off"
        );
        target.batch_execute(&settings).await.map_err(|e| failed("fix the settings of a session", &e))?;
        without_conversion(&source).await?;
        without_conversion(&target).await?;
        Ok((source, target))
    }

    /// Copies what one job names; returns rows and bytes.
    async fn one_job(&self, source: &Client, target: &Client, job: &Job) -> Result<(u64, u64), DatabaseError> {
        let table = &self.tables[job.table];
        let what = format!("copy {}", table.label());
        let run = async |sql: &str| target.batch_execute(sql).await.map_err(|e| failed(&what, &e));
        // Rows written by the transaction that emptied the table can be frozen at once: nothing rewrites them later. What an extension
        // put into its own table, and keeps out of dumps, stays as it is.
        let is_emptied = job.is_alone && table.condition.is_none();
        if job.is_alone {
            run(&format!("begin; {}", table.emptied())).await?;
        }
        let masks = self.sanitising.map(|(key, all)| (key, all[job.table].as_slice()));
        let masks = masks.filter(|(_, masks)| masks.iter().any(Option::is_some));
        let (mut rows, mut bytes) = (0, 0);
        let ranges: Vec<Option<&Range>> =
            if job.ranges.is_empty() { vec![None] } else { job.ranges.iter().map(Some).collect() };
        for range in ranges {
            let rewriter = masks.map(|(key, masks)| Rewriter::new(key, masks, table.format()));
            let statements = (table.copy_out(range), table.copy_in(is_emptied));
            let pipe = Pipe { source, target, label: &table.label(), throttle: self.throttle.as_ref() };
            let (more_rows, more_bytes) = pipe.range(&statements, rewriter).await?;
            rows += more_rows;
            bytes += more_bytes;
        }
        if job.is_alone {
            run("commit").await?;
        }
        Ok((rows, bytes))
    }
}

/// One COPY that is read and another one that is written.
pub(super) struct Pipe<'a> {
    pub(super) source: &'a Client,
    pub(super) target: &'a Client,
    pub(super) label: &'a str,
    pub(super) throttle: Option<&'a Throttle>,
}

impl Pipe<'_> {
    /// Moves what `out` reads, with values replaced by `rewriter`; returns rows and bytes.
    pub(super) async fn range(
        &self,
        (out, into): &(String, String),
        mut rewriter: Option<Rewriter<'_>>,
    ) -> Result<(u64, u64), DatabaseError> {
        let (read, write) = (format!("read {}", self.label), format!("write {}", self.label));
        let stream = self.source.copy_out(out).await.map_err(|e| failed(&read, &e))?;
        let mut stream = pin!(stream);
        let sink: CopyInSink<Bytes> = self.target.copy_in(into).await.map_err(|e| failed(&write, &e))?;
        let mut sink = pin!(sink);
        let unreadable = |error: StreamError| DatabaseError::Unexpected(format!("cannot {read}: {error}"));
        let (mut piece, mut bytes, mut waited) = (Vec::with_capacity(PIECE + PIECE / 4), 0_u64, 0_u64);
        while let Some(data) = stream.try_next().await.map_err(|e| failed(&read, &e))? {
            bytes += data.len() as u64;
            match &mut rewriter {
                Some(rewriter) => rewriter.feed(&data, &mut piece).map_err(unreadable)?,
                None => piece.extend_from_slice(&data),
            }
            if piece.len() >= PIECE {
                if let Some(throttle) = self.throttle {
                    throttle.wait(bytes - std::mem::replace(&mut waited, bytes)).await;
                }
                let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE + PIECE / 4));
                sink.send(Bytes::from(full)).await.map_err(|e| failed(&write, &e))?;
            }
        }
        if rewriter.is_some_and(|rewriter| !rewriter.is_whole()) {
            return Err(DatabaseError::Unexpected(format!("cannot {read}: it ended within a row")));
        }
        if let Some(throttle) = self.throttle {
            throttle.wait(bytes - waited).await;
        }
        if !piece.is_empty() {
            sink.send(Bytes::from(piece)).await.map_err(|e| failed(&write, &e))?;
        }
        let rows = sink.finish().await.map_err(|e| failed(&write, &e))?;
        Ok((rows, bytes))
    }
}
