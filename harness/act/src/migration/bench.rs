//! The place where a chain is tried: one database that goes up step by step, and copies of it where they are needed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use stagegate_decide::{
    integrity::stages::unfilled,
    locks::Watched,
    migration::{Chain, Finding, Migration, Route, Script, codes},
    round_trip::{Down, Failure, Trip, Whole, Why, of_rows, without_bookkeeping},
    schema::{Facts, Id, diff},
};
use tokio_postgres::Client;

use super::{
    commands::Commands,
    rows::{OnRows as Shown, Rows, Share, WithRows},
    run::{self, Manner, Ran},
};
use crate::{
    database::{Catalog, DatabaseError, identifier, literal},
    recorder::Taken,
    scratch::{Database, Scratch, ScratchError},
};

const LEFT_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);

/// How a chain is tried.
#[derive(Clone, Debug)]
pub struct Options {
    /// How scripts are run.
    pub manner: Manner,
    /// Statements that are run before the first migration, such as for roles.
    pub before: String,
    /// Whether each migration is tried on a copy, whatever its scripts say.
    pub always_clone: bool,
    /// Whether the ways back are tried, or the ways up only.
    pub ways_back: bool,
    /// The commands that take the chain's steps, where it has steps and no scripts.
    pub commands: Option<Commands>,
    /// How rows are made, to prove that they stay; none where that is not asked for.
    pub rows: Option<Rows>,
}

/// What a chain showed.
#[derive(Debug, Default)]
pub struct Proven {
    /// Each migration, in the chain's order.
    pub trips: Vec<Trip>,
    /// The whole chain down and up.
    pub whole: Whole,
    /// The schema after the last way up.
    pub top: Facts,
    /// The migration that last changed a thing, by its label.
    pub touched: BTreeMap<Id, String>,
    /// What rows showed; nothing where they were not asked for.
    pub rows: OnRows,
}

/// What a chain showed on tables with rows.
#[derive(Debug, Default)]
pub struct OnRows {
    /// Migrations that were tried on rows.
    pub tried: usize,
    /// Of these, the newest ones: with rows in all tables, and with their locks watched.
    pub whole: usize,
    /// Migrations that can change no table that was there before them.
    pub untouched: usize,
    /// What became of the rows.
    pub integrity: Vec<Finding>,
    /// Where no rows could be made.
    pub seeds: Vec<Finding>,
    /// What the ways up locked and rewrote, with the rows that tables had; by version.
    pub locks: Vec<Watched>,
}

/// Why a chain could not be tried at all.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The scratch server refused.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The schema cannot be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// What is run before the first migration failed.
    #[error("what is run before the first migration failed: {0}")]
    Before(String),
    /// The tool's commands do not tell its migrations.
    #[error("the migrations cannot be listed: {0}; check `up` and `status` of [migrations]")]
    Commands(String),
}

/// A session with what it has prepared.
pub(super) struct Session<'a> {
    pub(super) client: Client,
    pub(super) catalog: Catalog,
    scratch: &'a Scratch,
    options: &'a Options,
    database: Database,
}

impl<'a> Session<'a> {
    pub(super) async fn open(
        scratch: &'a Scratch,
        options: &'a Options,
        database: &Database,
    ) -> Result<Self, ProveError> {
        let client = scratch.session(database).await?;
        let catalog = Catalog::prepare(&client).await?;
        Ok(Session { client, catalog, scratch, options, database: database.clone() })
    }

    /// Reads the schema; what a command's tool keeps its books in is no part of it.
    pub(super) async fn facts(&self) -> Result<Facts, ProveError> {
        let facts = self.catalog.read_in_snapshot(&self.client).await?;
        Ok(match &self.options.commands {
            Some(commands) => without_bookkeeping(facts, &commands.books()),
            None => facts,
        })
    }

    /// Returns the commands that take the chain's steps, where it has steps.
    pub(super) fn commands(&self) -> Option<&'a Commands> {
        self.options.commands.as_ref()
    }

    /// Runs a script as its tool would: its statements in this session, or the command that takes its step.
    pub(super) async fn as_the_tool(&self, script: &Script) -> Result<Ran, Failure> {
        match (&script.step, &self.options.commands) {
            (Some(_), Some(commands)) => {
                commands.step(self.scratch, &self.database, script).await.map(|()| Ran::default())
            }
            _ => run::as_the_tool(&self.client, script, &self.options.manner).await,
        }
    }
}

pub(super) struct Bench<'a> {
    pub(super) scratch: &'a Scratch,
    pub(super) options: &'a Options,
    pub(super) main: Database,
    /// For commands about databases.
    service: Client,
    session: Option<Session<'a>>,
    /// What was read of the locks' records.
    pub(super) taken: Taken,
}

impl<'a> Bench<'a> {
    async fn new(scratch: &'a Scratch, options: &'a Options) -> Result<Self, ProveError> {
        let main = scratch.create(None).await?;
        let service = scratch.connect("postgres").await?;
        let bench = Bench { scratch, options, main, service, session: None, taken: Taken::default() };
        if !options.before.is_empty() {
            let client = scratch.session(&bench.main).await?;
            let ran = client.batch_execute(&options.before).await;
            ran.map_err(|error| ProveError::Before(crate::database::said(&error)))?;
        }
        Ok(bench)
    }

    /// Returns the session with the database that goes up.
    pub(super) async fn session(&mut self) -> Result<&Session<'a>, ProveError> {
        if self.session.as_ref().is_none_or(|session| session.client.is_closed()) {
            self.session = Some(Session::open(self.scratch, self.options, &self.main).await?);
        }
        self.session.as_ref().ok_or_else(|| ProveError::Before("no session".to_owned()))
    }

    /// Makes a copy of the database as it is now; the session with it is ended, since nobody may be connected.
    pub(super) async fn copy(&mut self) -> Result<Database, ProveError> {
        self.session = None;
        let count = format!("select count(*) from pg_stat_activity where datname = {}", literal(&self.main.name));
        let begun = Instant::now();
        while begun.elapsed() < LEFT_WITHIN {
            let row = self.service.query_one(&count, &[]).await;
            if row.is_ok_and(|row| row.get::<_, i64>(0) == 0) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(self.scratch.create(Some(&self.main)).await?)
    }
}

/// Tries a chain on a scratch server; `on_trip` gets each migration's trip as it ends.
///
/// # Errors
/// [`ProveError`] where the server cannot be used at all. A server that ends in the middle is no error: the
/// migrations from there on are told as not tried.
pub async fn prove(
    scratch: &Scratch,
    chain: &Chain,
    options: &Options,
    mut on_trip: impl FnMut(&Trip),
) -> Result<Proven, ProveError> {
    let mut bench = Bench::new(scratch, options).await?;
    let mut proven = Proven::default();
    let bottom = bench.session().await?.facts().await?;
    let mut facts = Facts::default();
    let mut lost: Option<String> = None;
    let mut before = &bottom;
    let mut seed = SeedRuns::default();
    for (nth, migration) in chain.migrations.iter().enumerate() {
        let is_new = options.rows.as_ref().is_some_and(|rows| nth + rows.newest >= chain.migrations.len());
        let share = if is_new { Share::All } else { Share::Touched };
        let trip = match &lost {
            Some(reason) => not_tried(migration, reason),
            None => match bench.both(migration, before, share).await {
                Ok((trip, after, rows)) => {
                    proven.rows.add(rows, migration, &trip, &mut seed);
                    for difference in diff(before, &after) {
                        proven.touched.insert(difference.object, migration.label());
                        proven.touched.insert(difference.id, migration.label());
                    }
                    facts = after;
                    before = &facts;
                    lost = over(scratch, &trip).await;
                    trip
                }
                Err(error) => {
                    let reason = scratch.has_ended().await.unwrap_or_else(|| error.to_string());
                    lost = Some(format!("the scratch server cannot be used any more: {reason}"));
                    not_tried(migration, lost.as_deref().unwrap_or_default())
                }
            },
        };
        on_trip(&trip);
        proven.trips.push(trip);
    }
    let top = if chain.migrations.is_empty() { bottom.clone() } else { facts };
    let untried = lost.or_else(|| (!options.ways_back).then(|| "the ways back were not asked for".to_owned()));
    proven.whole = match untried {
        Some(reason) => Whole { not_tried: Some(reason), ..Whole::default() },
        None => bench.whole(chain, &proven.trips, &bottom, &top).await?,
    };
    proven.top = top;
    proven.rows.seeds.extend(seed.finding());
    bench.session = None;
    let _ = scratch.drop(&bench.main).await;
    Ok(proven)
}

impl Bench<'_> {
    /// Tries a migration on rows, then takes its trip. What rows cannot be made for is told, and spoils no trip.
    async fn both(
        &mut self,
        migration: &Migration,
        before: &Facts,
        share: Share,
    ) -> Result<(Trip, Facts, Result<Shown, String>), ProveError> {
        let mut rows = self.with_rows(migration, before, &share).await.map_err(|error| error.to_string());
        let is_watched = matches!((&share, &rows), (Share::All, Ok(Shown::Tried(_))));
        let (trip, after, requests) = self.trip(migration, before, is_watched).await?;
        if let Ok(Shown::Tried(shown)) = &mut rows {
            shown.requests = requests;
        }
        Ok((trip, after, rows))
    }
}

/// How the user's own rows went.
#[derive(Default)]
struct SeedRuns {
    ran: bool,
    refused: Option<String>,
}

impl SeedRuns {
    fn finding(self) -> Option<Finding> {
        let refused = self.refused.filter(|_| !self.ran)?;
        let message = format!("the seed file ran to its end before no migration; the last time: {refused}");
        Some(Finding::new(&codes::TABLE_UNFILLED, message))
    }
}

impl OnRows {
    fn add(&mut self, rows: Result<Shown, String>, migration: &Migration, trip: &Trip, seed: &mut SeedRuns) {
        let version = migration.version.as_str();
        let rows = match rows {
            Ok(Shown::Nothing) => return,
            Ok(Shown::Untouched) => {
                self.untouched += 1;
                return;
            }
            Ok(Shown::Tried(rows)) => rows,
            Err(reason) => {
                let message = format!("it was not tried on rows: {reason}");
                self.seeds.push(Finding::new(&codes::TABLE_UNFILLED, message).of(version).at(&migration.up.file, 0));
                return;
            }
        };
        self.tried += 1;
        self.whole += usize::from(rows.is_whole);
        match rows.seed_refused {
            Some(refused) => seed.refused = Some(refused),
            None => seed.ran = true,
        }
        self.integrity.extend(of_rows(&rows.moments, migration, trip));
        for one in rows.unfilled {
            let finding = unfilled(&one.table, &one.reason).of(version).at(&migration.up.file, 0);
            // A table that stays empty is told once, where it was met first.
            if !self.seeds.iter().any(|told| told.subject == finding.subject) {
                self.seeds.push(finding);
            }
        }
        if rows.is_whole {
            let version = version.to_owned();
            let WithRows { observed, sizes, requests, .. } = *rows;
            self.locks.push(Watched { version, observed, sizes, requests });
        }
    }
}

/// Says why nothing can be tried after this trip, where that is so.
async fn over(scratch: &Scratch, trip: &Trip) -> Option<String> {
    let failures = [trip.up.as_ref(), trip.second_up.as_ref(), failure_of(&trip.down)];
    if let Some(failure) = trip.up.as_ref().filter(|failure| failure.is_ours() && failure.why != Why::ServerGone) {
        return Some(format!("it comes after {}, which could not be run: {}", trip.label, failure.told()));
    }
    if !failures.into_iter().flatten().any(|failure| failure.why == Why::ServerGone) {
        return None;
    }
    let said = scratch.has_ended().await?;
    Some(format!("the scratch server ended during {}: {said}", trip.label))
}

fn failure_of(down: &Down) -> Option<&Failure> {
    match down {
        Down::Failed(failure) => Some(failure),
        _ => None,
    }
}

/// Returns the statements that make roles where they are not there.
#[must_use]
pub fn roles(names: &[String]) -> String {
    let one = |name: &String| {
        format!(
            "do $stagegate$ begin if not exists (select from pg_roles where rolname = {}) then create role {}; end if; \
             end $stagegate$;",
            literal(name),
            identifier(name)
        )
    };
    names.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn not_tried(migration: &Migration, reason: &str) -> Trip {
    Trip {
        version: migration.version.clone(),
        label: migration.label(),
        route: Route::Unreadable(reason.to_owned()),
        up: None,
        down: Down::NotTried(reason.to_owned()),
        left_open: Vec::new(),
        second_up: None,
        second_differs: Vec::new(),
        longest_stall: None,
        took: Duration::ZERO,
    }
}
