//! A sync that copies only what changed: a copy of the last sync's result is kept on the target's server, brought up to
//! date in one transaction, and a clone of it takes the target's place.
//!
//! Nobody uses the kept copy, so what the target's users wrote since the last sync is replaced as by a full sync.

mod apply;
mod previous_copy;
mod scan;
mod unusable;

use std::path::PathBuf;

use sha2::{Digest, Sha256};
use stagegate_base::{
    command::postgres as command,
    mark::{Mark, Role, Sessions},
    text::counted,
};
use stagegate_data_decide::{
    sanitize::{Key, SourceValue},
    sync::{
        Check, Incremental, SyncReport,
        incremental::{State, Terms},
    },
};
use stagegate_host::{
    database::{DatabaseError, failed},
    files,
};

use super::{Clock, Sanitising, SyncError, SyncPlan, Work, copy::Throttle, fresh, search, source::Snapshot};
use previous_copy::PreviousCopy;
use scan::{Scan, Scanned};
use unusable::Unusable;

/// Where the hashes of the last sync are kept, and what keys them.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// The folder, of this database alone.
    pub folder: PathBuf,
    /// The key of the target's state folder.
    pub key: Key,
}

/// A sync that may copy only what changed.
pub(super) struct Run<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) keeping: &'a Keeping,
    pub(super) plan: &'a SyncPlan,
    /// The database that takes the target's place.
    pub(super) good: &'a Mark,
}

impl Run<'_> {
    /// Makes the database of `good` of the kept copy and what changed, or by a copy of everything.
    ///
    /// # Errors
    /// [`SyncError`]; the kept copy is what its hashes describe, or gone.
    pub(super) async fn run(&self, snapshot: Snapshot) -> Result<SyncReport, SyncError> {
        let mut report = self.work.report();
        let mut clock = self.work.clock();
        let terms = self.terms(&snapshot).await?;
        let reason = match self.changes(&snapshot, &terms, &mut report, &mut clock).await {
            Ok(()) => return Ok(report),
            Err(Unusable::Source(error)) => return Err(error.into()),
            Err(Unusable::Leak(found)) => {
                self.drop_previous_copy().await?;
                return Err(SyncError::Leak { found });
            }
            Err(Unusable::Because(reason)) => reason,
        };
        self.work.runner.report(&format!("copying everything: {reason}"));
        self.drop_previous_copy().await?;
        let file = previous_copy::rows_file(&self.keeping.folder, self.run_id())?;
        let scanned = match self.scan(&snapshot, None, &file).run().await {
            Ok(scanned) => scanned,
            Err(Unusable::Source(error)) => return Err(error.into()),
            Err(Unusable::Because(reason)) => return Err(DatabaseError::Unexpected(reason).into()),
            Err(Unusable::Leak(found)) => return Err(SyncError::Leak { found }),
        };
        let mut report = self.work.fill(self.good, snapshot, self.plan).await?;
        self.write(&terms, &scanned, 0)?;
        let kept = self.work.mark(Role::Kept);
        let (server, like) = (&self.work.target.server, &self.work.target.database);
        server.copy_like(&self.good.name, &kept, like).await?;
        server.limit_sessions(&kept, 0).await?;
        previous_copy::remove_others(&self.keeping.folder, self.run_id());
        report.full_because = Some(reason);
        Ok(report)
    }

    fn run_id(&self) -> &str {
        &self.work.options.run
    }

    fn scan<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        old: Option<&'a PreviousCopy>,
        file: &'a previous_copy::RowsFile,
    ) -> Scan<'a> {
        Scan {
            snapshot,
            tables: &self.plan.tables,
            masks: self.work.options.sanitising.as_ref().map(|_| self.plan.assigned.masks.as_slice()),
            key: &self.keeping.key,
            workers: self.work.options.workers,
            throttle: self.work.options.pace.map(Throttle::new),
            old,
            file,
        }
    }

    fn write(&self, terms: &Terms, scanned: &Scanned, since_compared: u32) -> Result<(), DatabaseError> {
        let state = State { terms: terms.clone(), since_compared, tables: scanned.tables.clone() };
        previous_copy::write(&self.keeping.folder, self.run_id(), &state)
    }

    /// Brings the kept copy up to date and clones it.
    async fn changes(
        &self,
        snapshot: &Snapshot,
        terms: &Terms,
        report: &mut SyncReport,
        clock: &mut Clock<'_>,
    ) -> Result<(), Unusable> {
        if self.plan.large_objects > 0 {
            let objects = counted(self.plan.large_objects, "large object");
            return Err(Unusable::Because(format!("the source has {objects}, which are only copied in full")));
        }
        // Source: PostgreSQL, CREATE DATABASE: subscriptions are part of no template.
        if self.work.options.sanitising.is_none()
            && let Some(name) = snapshot.subscription().await?
        {
            return Err(Unusable::Because(format!("subscription {name} is only copied in full")));
        }
        let kept = PreviousCopy::find(self.work, &self.keeping.folder).await?;
        if let Some(reason) = kept.state.terms.change(terms) {
            return Err(Unusable::Because(reason));
        }
        let file = previous_copy::rows_file(&self.keeping.folder, self.run_id())?;
        clock.took(report, "schema");
        let scanned = self.scan(snapshot, Some(&kept), &file).run().await?;
        clock.took(report, "hashes");
        let in_full = kept.state.is_compare_due();
        let since_compared = if in_full { 0 } else { kept.state.since_compared + 1 };
        self.write(terms, &scanned, since_compared)?;
        let needles = search::needles(snapshot, &self.plan.tables, &self.plan.assigned.sanitised).await;
        let needles = needles.map_err(Unusable::Source)?;
        let applied = apply::Apply { run: self, snapshot, kept: &kept, needles: &needles }.run(&scanned).await?;
        clock.took(report, "changes");
        let base = Mark { run: self.run_id().to_owned(), ..kept.mark.clone() };
        if in_full {
            report.checks = self.compare(snapshot, &base).await?;
            clock.took(report, "comparison");
        }
        let state = (snapshot.sequences().await?, snapshot.materialized_views().await?);
        self.finish(&base, &state, &scanned, report).await?;
        clock.took(report, "statistics");
        if let Some(sanitising) = &self.work.options.sanitising {
            report.sanitised = self.plan.assigned.named();
            report.searched = Some(needles.len());
            if in_full {
                self.search(&base, sanitising, &needles).await?;
            }
        }
        let (server, like) = (&self.work.target.server, &self.work.target.database);
        server.copy_like(&base.name, self.good, like).await?;
        clock.took(report, "clone");
        previous_copy::remove_others(&self.keeping.folder, self.run_id());
        report.tables = applied.copied;
        report.incremental = Some(Incremental {
            deleted: applied.deleted,
            changed: applied.changed,
            inserted: applied.inserted,
            tables: scanned.changes.iter().filter(|change| change.is_any()).count(),
            of: scanned.tables.len(),
            compared_in_full: in_full,
        });
        Ok(())
    }

    /// Searches the whole kept copy for values that the rules replace.
    async fn search(&self, base: &Mark, by: &Sanitising, needles: &[SourceValue]) -> Result<(), Unusable> {
        let (server, tables, not_searched) = (&self.work.target.server, &self.plan.tables, &by.rules.not_searched);
        let search = search::Search { server, database: &base.name, tables, not_searched };
        let found = search.run(needles, self.work.runner, &self.work.options.dir.join("schema.sql")).await?;
        if found.is_empty() { Ok(()) } else { Err(Unusable::Leak(found)) }
    }

    /// Compares the whole kept copy with the source.
    async fn compare(&self, snapshot: &Snapshot, base: &Mark) -> Result<Vec<Check>, Unusable> {
        let checks = self.work.copying(snapshot, &base.name, self.plan).check().await?;
        let differences: Vec<String> = checks.iter().filter_map(Check::difference).collect();
        if differences.is_empty() {
            return Ok(checks);
        }
        Err(Unusable::Because(format!("the kept copy differs from the source: {}", differences.join("; "))))
    }

    /// Fills materialized views, sets sequences and analyzes what changed.
    async fn finish(
        &self,
        base: &Mark,
        (sequences, views): &(Vec<super::source::SequenceState>, Vec<String>),
        scanned: &Scanned,
        report: &mut SyncReport,
    ) -> Result<(), DatabaseError> {
        let client = self.work.target.server.connect(&base.name).await?;
        fresh::refresh(&client, views).await?;
        report.sequences = fresh::set_sequences(&client, sequences).await?;
        report.behind = fresh::behind(&client).await?;
        for (table, _) in self.plan.tables.iter().zip(scanned.much_changed()).filter(|(_, is_much)| *is_much) {
            let analyze = format!("analyze {}", table.sql());
            client.batch_execute(&analyze).await.map_err(|e| failed("analyze the copy", &e))?;
        }
        Ok(())
    }

    /// Drops the kept copy, which is of no more use.
    async fn drop_previous_copy(&self) -> Result<(), DatabaseError> {
        let live = [self.work.target.database.clone()];
        for mark in previous_copy::all(self.work).await? {
            self.work.target.server.drop_marked(&mark, &live, Sessions::End).await?;
        }
        Ok(())
    }

    /// Reads what has to be the same for kept hashes to mean anything.
    async fn terms(&self, snapshot: &Snapshot) -> Result<Terms, DatabaseError> {
        let (source, ends) = (&self.work.source, &self.plan.ends);
        let what = || format!("dump the schema of database `{}`", source.database);
        let path = self.work.options.dir.join("schema.sql");
        let file_error = |source| DatabaseError::File { what: what(), source };
        let file = files::private_file(&path).map_err(file_error)?;
        let dump = command::schema_text_at(source.server.inside(), &source.database, &snapshot.name);
        let dumped = self.work.runner.run_to_file(&dump, self.work.options.within, file).await;
        dumped.map_err(|source| DatabaseError::Program { what: what(), source })?;
        let text = std::fs::read(&path).map_err(file_error)?;
        let mut schema = Sha256::new();
        // Each dump has a key of its own in these two commands of psql.
        let lines = text.split(|byte| *byte == b'\n');
        let is_same = |line: &&[u8]| !line.starts_with(b"\\restrict ") && !line.starts_with(b"\\unrestrict ");
        for line in lines.filter(is_same) {
            schema.update(line);
            schema.update(b"\n");
        }
        let expressions: Vec<_> =
            self.plan.tables.iter().map(|table| (table.label(), &table.condition, &table.columns)).collect();
        let sanitising = self.work.options.sanitising.as_ref().map(|by| by.key.hash("rules", b""));
        let kept = self.keeping.key.hash("kept", b"");
        let rules = Sha256::digest(format!("{:?} {expressions:?} {sanitising:?} {kept}", self.plan.assigned));
        Ok(Terms::new(
            (&ends.source.environment, &ends.source.database),
            &ends.source.cluster,
            (ends.source.version, ends.target.version),
            hex(&schema.finalize()),
            hex(&rules),
        ))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
