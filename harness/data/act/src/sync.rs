//! Copies a database of one environment into another one: into a new database next to the target's, compared, then
//! switched by name.
//!
//! The source is only read, in one snapshot that is closed as soon as the last row is read. The target's database is
//! untouched until the switch, which is one transaction.

mod copy;
pub mod files;
mod fresh;
mod incremental;
pub(crate) mod search;
pub(crate) mod source;
mod subset;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use stagegate_base::{
    command::postgres::Part,
    mark::{Mark, Role, Sessions},
    text::counted,
    units::Size,
};
use stagegate_data_decide::{
    sanitize::{Assigned, Found, Key, Rules, assign},
    sync::{
        Check, Copied, Ends, Pace, Post, Share, SyncReport, Table, hint, jobs,
        subset::{Selected, SubsetFile},
        subset_jobs,
    },
};
use stagegate_host::{
    database::{DatabaseError, Dropped, ReadLimits, Server, failed},
    process::Runner,
};

pub use incremental::Keeping;

use copy::{Copying, Throttle};
use fresh::{Build, Schema};
use search::Search;
use source::{SequenceState, Snapshot};

/// Why a database was not synchronised. The target is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Found before anything was copied.
    #[error("nothing was copied: {}", reasons.join("; "))]
    Refused {
        /// Each reason with its way out.
        reasons: Vec<String>,
    },
    /// The copy is not what the source holds.
    #[error("the copy differs from the source and was dropped: {}", differences.join("; "))]
    Different {
        /// The differences.
        differences: Vec<String>,
    },
    /// Values of sanitised columns are in the copy all the same.
    #[error(
        "the copy holds values that the rules replace, and was dropped: {}; add rules for these places, or list a column in \
         `not_searched`",
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Leak {
        /// Where, and of which column.
        found: Vec<Found>,
    },
    /// A server refused something, and it is known what to do.
    #[error("{error}: {hint}; the target is as it was before")]
    Stopped {
        /// What it refused.
        error: DatabaseError,
        /// What to do.
        hint: &'static str,
    },
    /// A server refused something.
    #[error(transparent)]
    Database(DatabaseError),
}

impl From<DatabaseError> for SyncError {
    fn from(error: DatabaseError) -> Self {
        let hint = match &error {
            DatabaseError::Statement { what, reason } => hint(what, reason),
            _ => None,
        };
        match hint {
            Some(hint) => SyncError::Stopped { error, hint },
            None => SyncError::Database(error),
        }
    }
}

/// One side: an environment's server and the database there.
#[derive(Clone, Debug)]
pub struct Side {
    /// The environment's name.
    pub environment: String,
    /// Its server.
    pub server: Server,
    /// The database's name.
    pub database: String,
}

/// What is done, and how.
#[derive(Clone, Debug)]
pub struct SyncOptions<'a> {
    /// The run's id.
    pub run: String,
    /// The id of the target's state folder.
    pub state: String,
    /// A private folder of the run.
    pub dir: &'a Path,
    /// Sessions that copy and build at a time.
    pub workers: usize,
    /// Whether contents are hashed on both sides, not only counted.
    pub with_checksums: bool,
    /// How long a statement, or a program, may take.
    pub within: Duration,
    /// How long a lock of the source is waited for.
    pub lock_timeout: Duration,
    /// How many bytes a row may have.
    pub max_row: Size,
    /// How fast rows are read; as fast as possible where `None`.
    pub pace: Option<Pace>,
    /// Which rows are copied; all where `None`.
    pub subset: Option<SubsetFile>,
    /// The key and rules by which values are replaced; real values are copied where `None`.
    pub sanitising: Option<Sanitising>,
    /// What is kept so that only changes are copied; everything is copied, and nothing kept, where `None`.
    pub keeping: Option<Keeping>,
}

impl SyncOptions<'_> {
    fn limits(&self) -> ReadLimits {
        ReadLimits { statement: self.within, lock: self.lock_timeout, idle: self.within }
    }
}

/// By what values are replaced.
#[derive(Clone, Debug)]
pub struct Sanitising {
    /// The target's key.
    pub key: Key,
    /// The rules of the database.
    pub rules: Rules,
}

/// What a sync would do.
#[derive(Clone, Debug, Default)]
pub struct SyncPlan {
    /// Both sides.
    pub ends: Ends,
    /// The tables.
    pub tables: Vec<Table>,
    /// What is copied of each table; all where `None`.
    pub selected: Option<Vec<Selected>>,
    /// How many large objects there are.
    pub large_objects: i64,
    /// What becomes of their columns.
    pub assigned: Assigned,
    /// What refuses it.
    pub refusals: Vec<String>,
}

impl SyncPlan {
    /// Returns about how many rows and bytes of a table are copied.
    #[must_use]
    pub fn part(&self, table: usize) -> (u64, u64) {
        let of = &self.tables[table];
        match self.selected.as_ref().map(|selected| &selected[table]) {
            Some(selected @ Selected::Rows(rows)) => (rows.len() as u64, selected.bytes(of)),
            Some(Selected::Whole) | None => (of.rows, of.bytes),
        }
    }

    /// Returns how much of the source was copied.
    fn share(&self, copied: &[Copied]) -> Share {
        let is_left_out = |(table, copied): &(&Table, &Copied)| copied.rows == 0 && table.rows > 0;
        Share {
            rows: copied.iter().map(|table| table.rows).sum(),
            of: self.tables.iter().map(|table| table.rows).sum(),
            empty: self.tables.iter().zip(copied).filter(is_left_out).map(|(table, _)| table.label()).collect(),
        }
    }
}

/// Reads what a sync would do and what refuses it; nothing is copied.
///
/// # Errors
/// [`SyncError::Database`] where a server cannot be read.
pub async fn plan(source: &Side, target: &Side, options: &SyncOptions<'_>) -> Result<SyncPlan, SyncError> {
    let snapshot = Snapshot::open(&source.server, &source.database, options.limits()).await?;
    Ok(plan_in(&snapshot, source, target, options).await?)
}

async fn plan_in(
    snapshot: &Snapshot,
    source: &Side,
    target: &Side,
    options: &SyncOptions<'_>,
) -> Result<SyncPlan, DatabaseError> {
    let ends = Ends {
        source: snapshot.end(&source.environment).await?,
        target: source::target_end(&target.server, &target.environment, &target.database).await?,
    };
    let (large_objects, mut refusals) = (ends.source.large_objects, ends.refusals());
    let mut tables = snapshot.tables().await?;
    refusals.extend(snapshot.large_rows(&tables, options.max_row).await?);
    let mut assigned = Assigned::default();
    if let Some(Sanitising { rules, .. }) = &options.sanitising {
        snapshot.note_personal(&mut tables).await?;
        assigned = assign(&mut tables, rules);
        refusals.append(&mut assigned.refusals);
        if large_objects > 0 && !rules.keeps_large_objects {
            refusals.push(format!(
                "{}, which no rule replaces; write `large_objects = \"keep\"` into the rules if they may be copied",
                counted(large_objects, "large object")
            ));
        }
    }
    let mut selected = None;
    if let Some(file) = options.subset.as_ref().filter(|_| refusals.is_empty()) {
        match subset::selected(snapshot, &tables, file).await? {
            Ok(found) => selected = Some(found),
            Err(reasons) => refusals.extend(reasons),
        }
    }
    Ok(SyncPlan { ends, tables, selected, large_objects, assigned, refusals })
}

/// Copies the source's database to the target and switches it by name.
///
/// # Errors
/// [`SyncError`]; what was copied is dropped, and the target's database is untouched.
pub async fn sync(
    source: &Side,
    target: &Side,
    options: &SyncOptions<'_>,
    runner: &Runner,
) -> Result<SyncReport, SyncError> {
    let live = [target.database.clone()];
    drop_leftovers(target, options, &live).await?;
    let work = Work { source, target, options, runner };
    let (good, aside) = (work.mark(Role::Synced), work.mark(Role::Replaced));
    let switched = match work.filled(&good).await {
        Ok(report) => {
            let comment = target.server.comment(&target.database).await;
            let switch = async { target.server.replace(&target.database, &good, &aside, comment?.as_deref()).await };
            switch.await.map(|()| report).map_err(SyncError::from)
        }
        Err(error) => Err(error),
    };
    match switched {
        Ok(report) => Ok(SyncReport { former: aside.name, ..report }),
        Err(error) => {
            let _ = target.server.drop_marked(&good, &live, Sessions::End).await;
            Err(error)
        }
    }
}

/// Drops what earlier syncs left: half-filled databases, the one that the last sync replaced, and what nobody copies
/// changes into any more.
async fn drop_leftovers(target: &Side, options: &SyncOptions<'_>, live: &[String]) -> Result<(), DatabaseError> {
    for found in target.server.databases().await? {
        let uncommented = || Mark::of_uncommented(&found, &target.database, &options.state);
        let Some(mark) = found.comment.as_deref().and_then(Mark::parse).or_else(uncommented) else { continue };
        let is_ours = mark.state == options.state && mark.of == target.database && mark.is_of(&found);
        let sessions = match mark.role {
            Role::Synced => Sessions::End,
            Role::Replaced => Sessions::Respect,
            Role::Kept if options.keeping.is_none() => Sessions::End,
            _ => continue,
        };
        if is_ours {
            let _: Dropped = target.server.drop_marked(&mark, live, sessions).await?;
        }
    }
    Ok(())
}

/// Times the parts of a sync.
struct Clock<'a> {
    runner: &'a Runner,
    since: Instant,
}

impl Clock<'_> {
    fn took(&mut self, report: &mut SyncReport, name: &str) {
        let time = self.since.elapsed();
        report.took(name, time);
        self.runner.report(&format!("{name}: {:.1} s", time.as_secs_f64()));
        self.since = Instant::now();
    }
}

/// A sync at work.
struct Work<'a> {
    source: &'a Side,
    target: &'a Side,
    options: &'a SyncOptions<'a>,
    runner: &'a Runner,
}

impl Work<'_> {
    fn mark(&self, role: Role) -> Mark {
        Mark::of(&self.target.database, role, &self.options.run, &self.options.state)
    }

    fn report(&self) -> SyncReport {
        SyncReport {
            source: self.source.environment.clone(),
            target: self.target.environment.clone(),
            database: self.target.database.clone(),
            ..SyncReport::default()
        }
    }

    fn clock(&self) -> Clock<'_> {
        Clock { runner: self.runner, since: Instant::now() }
    }

    /// Makes the database of `good` and fills it.
    async fn filled(&self, good: &Mark) -> Result<SyncReport, SyncError> {
        let (source, options) = (self.source, self.options);
        let snapshot = Snapshot::open(&source.server, &source.database, options.limits()).await?;
        let plan = plan_in(&snapshot, source, self.target, options).await?;
        if !plan.refusals.is_empty() {
            return Err(SyncError::Refused { reasons: plan.refusals });
        }
        match &options.keeping {
            Some(keeping) => incremental::Run { work: self, keeping, plan: &plan, good }.run(snapshot).await,
            None => self.fill(good, snapshot, &plan).await,
        }
    }

    fn copying<'a>(&'a self, snapshot: &'a Snapshot, fresh: &'a str, plan: &'a SyncPlan) -> Copying<'a> {
        let options = self.options;
        Copying {
            snapshot,
            target: &self.target.server,
            fresh,
            tables: &plan.tables,
            selected: plan.selected.as_deref(),
            workers: options.workers,
            throttle: options.pace.map(Throttle::new),
            with_checksums: options.with_checksums,
            sanitising: options.sanitising.as_ref().map(|by| (&by.key, plan.assigned.masks.as_slice())),
        }
    }

    /// Copies everything.
    async fn fill(&self, good: &Mark, snapshot: Snapshot, plan: &SyncPlan) -> Result<SyncReport, SyncError> {
        let (mut report, mut clock) = (self.report(), self.clock());
        let (target, options, runner) = (self.target, self.options, self.runner);
        let post = prepare(self.source, target, options, runner, (good, &snapshot.name, plan.large_objects)).await?;
        clock.took(&mut report, "schema");
        let copying = self.copying(&snapshot, &good.name, plan);
        let workers = options.workers as u64;
        let jobs = match &plan.selected {
            Some(selected) => subset_jobs(&plan.tables, selected, workers),
            None => jobs(&plan.tables, workers),
        };
        report.tables = copying.copy(&jobs).await?;
        report.subset = plan.selected.as_ref().map(|_| plan.share(&report.tables));
        clock.took(&mut report, "rows");
        report.checks = copying.check().await?;
        clock.took(&mut report, "comparison");
        let needles = search::needles(&snapshot, &plan.tables, &plan.assigned.sanitised).await?;
        let state = (snapshot.sequences().await?, snapshot.materialized_views().await?);
        // From here on production is not held: indexes and keys are built on what was copied.
        drop(snapshot);
        let differences: Vec<String> = report.checks.iter().filter_map(Check::difference).collect();
        if !differences.is_empty() {
            return Err(SyncError::Different { differences });
        }
        let build = Build { server: &target.server, database: &good.name, post: &post, workers: options.workers };
        complete(&build, &state, &mut report, &mut clock).await?;
        if let Some(Sanitising { rules, .. }) = &options.sanitising {
            let not_searched = &rules.not_searched;
            let search = Search { server: &target.server, database: &good.name, tables: &plan.tables, not_searched };
            let found = search.run(&needles, runner, &options.dir.join("schema.sql")).await?;
            if !found.is_empty() {
                return Err(SyncError::Leak { found });
            }
            report.searched = Some(needles.len());
            report.sanitised = plan.assigned.named();
            clock.took(&mut report, "search");
        }
        Ok(report)
    }
}

/// Makes the fresh database with the schema before the rows and the large objects; returns what comes after the rows.
async fn prepare(
    source: &Side,
    target: &Side,
    options: &SyncOptions<'_>,
    runner: &Runner,
    (good, snapshot, large_objects): (&Mark, &str, i64),
) -> Result<Post, DatabaseError> {
    let locale = source.server.locale(&source.database).await?;
    target.server.create_with(good, &locale, &target.database).await?;
    let schema = Schema { runner, path: options.dir.join("schema.dump"), within: options.within };
    let part = if options.sanitising.is_some() { Part::SchemaWithoutSubscriptions } else { Part::Schema };
    schema.dump(&source.server, &source.database, snapshot, part).await?;
    schema.restore(&target.server, &good.name, Part::Schema).await?;
    if options.sanitising.is_some() {
        fresh::drop_user_mappings(&target.server.connect(&good.name).await?).await?;
    }
    if large_objects > 0 {
        let objects = Schema { path: options.dir.join("large-objects.dump"), ..schema.clone() };
        objects.dump(&source.server, &source.database, snapshot, Part::LargeObjects).await?;
        objects.restore(&target.server, &good.name, Part::LargeObjects).await?;
    }
    schema.post(&target.server).await
}

/// Builds on the rows what the schema has on them; `state` are the sequences and materialized views of the source.
async fn complete(
    build: &Build<'_>,
    (sequences, views): &(Vec<SequenceState>, Vec<String>),
    report: &mut SyncReport,
    clock: &mut Clock<'_>,
) -> Result<(), DatabaseError> {
    let client = build.server.connect(build.database).await?;
    let families: BTreeMap<String, String> = fresh::families(&client).await?.into_iter().collect();
    build.build(|table| families.get(table).cloned().unwrap_or_else(|| table.to_owned())).await?;
    clock.took(report, "indexes");
    report.foreign_keys = build.validate().await?;
    clock.took(report, "foreign keys");
    fresh::refresh(&client, views).await?;
    report.sequences = fresh::set_sequences(&client, sequences).await?;
    report.behind = fresh::behind(&client).await?;
    build.finish().await?;
    client.batch_execute("analyze").await.map_err(|e| failed("analyze the copy", &e))?;
    clock.took(report, "statistics");
    Ok(())
}
