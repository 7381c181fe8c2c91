//! Tries a chain: each migration's trip, then the whole chain. A long chain is shared by two databases.

use std::{collections::BTreeMap, time::Duration};

use stagegate_migration_decide::{
    Chain, Finding, Migration, Route, codes,
    integrity::stages::{holds_at_end, unfilled},
    locks::Watched,
    round_trip::{Down, Failure, FailureCause, RoundTrip, Whole, of_rows},
    schema::{Facts, Id, diff},
};

use super::{
    bench::Bench,
    error::ProveError,
    options::Options,
    proven::{OnRows, Proven},
    rows::{OnRows as Shown, Share, WithRows},
};
use crate::scratch::Scratch;

/// From how many migrations on a chain is shared.
const SHARED_FROM: usize = 60;

/// What all databases of a server have in common: scripts that change it cannot run in two of them.
const OF_THE_SERVER: [&str; 21] = [
    "create role",
    "alter role",
    "drop role",
    "create user",
    "alter user",
    "drop user",
    "create group",
    "drop group",
    "create database",
    "alter database",
    "drop database",
    "tablespace",
    "alter system",
    "create subscription",
    "alter subscription",
    "drop subscription",
    "pg_advisory",
    "pg_terminate_backend",
    "pg_cancel_backend",
    "drop owned",
    "reassign owned",
];

/// Tries a chain on a scratch server; `on_trip` gets each migration's trip, in the chain's order.
///
/// # Errors
/// [`ProveError`] where the server cannot be used at all. A server that ends in the middle is no error: the
/// migrations from there on are reported as not tried.
pub async fn prove(
    scratch: &Scratch,
    chain: &Chain,
    options: &Options,
    mut on_trip: impl FnMut(&RoundTrip),
) -> Result<Proven, ProveError> {
    let mut bench = Bench::new(scratch, chain, options).await?;
    let bottom = bench.session().await?.facts().await?;
    let (head, tail) = chain.migrations.split_at(shared_at(chain, options));
    let mut part = Part::default();
    if tail.is_empty() {
        part.take(&mut bench, head, 0, &bottom, &mut on_trip).await;
    } else {
        let mut second = Bench::new(scratch, chain, options).await?;
        let ((), behind) = tokio::join!(
            part.take(&mut bench, head, tail.len(), &bottom, &mut on_trip),
            rows_behind(&mut second, head, tail)
        );
        part.then(behind?, head, tail, &mut on_trip);
        let first = std::mem::replace(&mut bench, second);
        first.end().await;
    }
    let top = part.after.unwrap_or_else(|| bottom.clone());
    let untried =
        part.lost.or_else(|| (!options.ways_back).then(|| "the down migrations were not requested".to_owned()));
    let untried = untried.or_else(|| part.missing.map(|missing| format!("{missing} could not be run")));
    let whole = match untried {
        Some(reason) => Whole { not_tried: Some(reason), ..Whole::default() },
        None => match bench.whole(chain, &part.trips, &bottom, &top).await {
            Ok(whole) => whole,
            Err(error) => Whole { not_tried: Some(unusable(scratch, &error).await), ..Whole::default() },
        },
    };
    bench.end().await;
    part.rows.seeds.extend(part.seed.finding());
    part.rows.integrity.retain(|finding| holds_at_end(finding, &top));
    Ok(Proven { trips: part.trips, whole, top, touched: part.touched, rows: part.rows })
}

/// Returns where a chain is shared between two databases; its length where it is not.
fn shared_at(chain: &Chain, options: &Options) -> usize {
    let all = chain.migrations.len();
    let has_processors = std::thread::available_parallelism().is_ok_and(|processors| processors.get() > 1);
    let is_of_server = |migration: &Migration| {
        [Some(&migration.up), migration.down.as_ref()].into_iter().flatten().any(|script| {
            let text = script.text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
            OF_THE_SERVER.iter().any(|words| text.contains(words))
        })
    };
    let is_alone = all < SHARED_FROM || !has_processors || options.commands.is_some();
    // The second database goes all the way up to its part first.
    if is_alone || chain.migrations.iter().any(is_of_server) { all } else { all * 11 / 20 }
}

/// Goes up to the second part, and takes its trips.
async fn rows_behind(bench: &mut Bench<'_>, head: &[Migration], tail: &[Migration]) -> Result<Behind, ProveError> {
    let mut part = Part::default();
    for (nth, migration) in head.iter().enumerate() {
        match bench.up(migration).await? {
            (Some(failure), _) if failure.why == FailureCause::ServerGone => return Ok(Behind::Gone(nth, failure)),
            (Some(failure), _) => note_missing(&mut part.missing, migration, &failure),
            (None, _) => {}
        }
    }
    let before = bench.session().await?.facts().await?;
    part.take(bench, tail, 0, &before, &mut |_| {}).await;
    Ok(Behind::Part(Box::new(part)))
}

/// Notes the first migration that could not be run.
fn note_missing(missing: &mut Option<String>, migration: &Migration, failure: &Failure) {
    if failure.is_ours() && missing.is_none() {
        *missing = Some(migration.label());
    }
}

/// What came of the second part.
enum Behind {
    /// Its trips.
    Part(Box<Part>),
    /// The server ended on the way to it, in this migration of the first part.
    Gone(usize, Failure),
}

/// What some migrations in a row showed.
#[derive(Default)]
struct Part {
    trips: Vec<RoundTrip>,
    /// The schema after the last one.
    after: Option<Facts>,
    touched: BTreeMap<Id, String>,
    rows: OnRows,
    seed: SeedRuns,
    /// The first migration that could not be run, though it may do what later ones need.
    missing: Option<String>,
    /// Why nothing can be tried any more.
    lost: Option<String>,
}

impl Part {
    /// Takes the trips of `migrations`; `behind` more come after them in the chain.
    async fn take(
        &mut self,
        bench: &mut Bench<'_>,
        migrations: &[Migration],
        behind: usize,
        bottom: &Facts,
        on_trip: &mut impl FnMut(&RoundTrip),
    ) {
        for (nth, migration) in migrations.iter().enumerate() {
            let newer = migrations.len() - nth + behind;
            let is_new = bench.options.rows.as_ref().is_some_and(|rows| newer <= rows.newest);
            let share = if is_new { Share::All } else { Share::Touched };
            let round_trip = match self.lost.clone() {
                Some(reason) => not_tried(migration, &reason),
                None => self.one(bench, migration, bottom, share).await,
            };
            on_trip(&round_trip);
            self.trips.push(round_trip);
        }
    }

    async fn one(&mut self, bench: &mut Bench<'_>, migration: &Migration, bottom: &Facts, share: Share) -> RoundTrip {
        let before = self.after.as_ref().unwrap_or(bottom);
        match bench.both(migration, before, share).await {
            Ok((mut round_trip, after, rows)) => {
                if let Some(failure) = round_trip.up.take() {
                    let reported = self.missing.as_deref().map(|missing| failure.clone().following(missing));
                    note_missing(&mut self.missing, migration, &failure);
                    round_trip.up = Some(reported.unwrap_or(failure));
                }
                self.rows.add(rows, migration, &round_trip, &mut self.seed);
                for difference in diff(before, &after) {
                    self.touched.insert(difference.object, migration.label());
                    self.touched.insert(difference.id, migration.label());
                }
                self.after = Some(after);
                self.lost = over(bench.scratch, &round_trip).await;
                round_trip
            }
            Err(error) => {
                let reason = unusable(bench.scratch, &error).await;
                let round_trip = not_tried(migration, &reason);
                self.lost = Some(reason);
                round_trip
            }
        }
    }

    /// Adds what came of the second part. Where the first one was lost, nothing of the second one counts: alone it would
    /// not have been tried.
    fn then(&mut self, behind: Behind, head: &[Migration], tail: &[Migration], on_trip: &mut impl FnMut(&RoundTrip)) {
        let other = match behind {
            Behind::Part(part) if self.lost.is_none() => *part,
            Behind::Part(_) => self.unused(tail),
            Behind::Gone(nth, failure) => {
                let reason =
                    format!("the scratch server ended during {}: {}", head[nth].label(), failure.description());
                for (at, round_trip) in
                    self.trips.iter_mut().enumerate().filter(|(_, round_trip)| is_untried(round_trip))
                {
                    *round_trip = not_tried(&head[at], &reason);
                }
                self.trips[nth] = RoundTrip { up: Some(failure), ..not_tried(&head[nth], &reason) };
                self.lost = Some(reason);
                self.unused(tail)
            }
        };
        other.trips.iter().for_each(on_trip);
        self.trips.extend(other.trips);
        self.after = other.after.or(self.after.take());
        self.touched.extend(other.touched);
        self.rows.join(other.rows);
        self.seed.ran |= other.seed.ran;
        self.seed.refused = other.seed.refused.or(self.seed.refused.take());
        self.missing = self.missing.take().or(other.missing);
        self.lost = self.lost.take().or(other.lost);
    }

    fn unused(&self, tail: &[Migration]) -> Part {
        let reason = self.lost.as_deref().unwrap_or_default();
        Part { trips: tail.iter().map(|migration| not_tried(migration, reason)).collect(), ..Part::default() }
    }
}

fn is_untried(round_trip: &RoundTrip) -> bool {
    round_trip.up.is_none() && matches!(round_trip.down, Down::NotTried(_))
}

impl Bench<'_> {
    /// Tries a migration on rows, then takes its trip. What rows cannot be made for is reported, and spoils no trip.
    async fn both(
        &mut self,
        migration: &Migration,
        before: &Facts,
        share: Share,
    ) -> Result<(RoundTrip, Facts, Result<Shown, String>), ProveError> {
        let is_driven = self.options.commands.as_ref().is_some_and(|commands| commands.config.tool.is_some());
        let is_merged = is_driven && self.options.ways_back && self.options.rows.is_some();
        if is_merged && let Some((trip, after, rows)) = self.merged(migration, before).await? {
            return Ok((trip, after, Ok(rows)));
        }
        let mut rows = self.with_rows(migration, before, &share).await.map_err(|error| error.to_string());
        let is_watched = matches!((&share, &rows), (Share::All, Ok(Shown::Tried(_))));
        let (trip, after, requests) = self.round_trip(migration, before, is_watched).await?;
        if let Ok(Shown::Tried(shown)) = &mut rows {
            shown.requests = requests;
        }
        Ok((trip, after, rows))
    }

    /// Takes the database away.
    async fn end(mut self) {
        self.session = None;
        let _ = self.scratch.drop(&self.main).await;
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
        let message = format!("the seed file failed before every migration; the last error: {refused}");
        Some(Finding::new(&codes::TABLE_UNFILLED, message))
    }
}

impl OnRows {
    fn join(&mut self, other: OnRows) {
        self.tried += other.tried;
        self.whole += other.whole;
        self.untouched += other.untouched;
        self.integrity.extend(other.integrity);
        let reported: Vec<String> = self.seeds.iter().map(|finding| finding.aspect.clone()).collect();
        let is_new = |finding: &Finding| finding.aspect.is_empty() || !reported.contains(&finding.aspect);
        self.seeds.extend(other.seeds.into_iter().filter(is_new));
        self.locks.extend(other.locks);
    }

    fn add(&mut self, rows: Result<Shown, String>, migration: &Migration, round_trip: &RoundTrip, seed: &mut SeedRuns) {
        let version = migration.version.as_str();
        let rows = match rows {
            Ok(Shown::Nothing) => return,
            Ok(Shown::Untouched) => {
                self.untouched += 1;
                return;
            }
            Ok(Shown::Tried(rows)) => rows,
            Err(reason) => {
                let message = format!("not tested with rows: {reason}");
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
        self.integrity.extend(of_rows(&rows.moments, migration, round_trip));
        for one in rows.unfilled {
            let finding = unfilled(&one.table, &one.reason).of(version).at(&migration.up.file, 0);
            // A table that stays empty is reported once, where it was met first.
            if !self.seeds.iter().any(|reported| reported.aspect == finding.aspect) {
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

/// States why the server is of no use any more.
async fn unusable(scratch: &Scratch, error: &ProveError) -> String {
    let reason = scratch.has_ended().await.unwrap_or_else(|| error.to_string());
    format!("the scratch server is no longer usable: {reason}")
}

/// States why nothing can be tried after this trip, where that is so.
async fn over(scratch: &Scratch, round_trip: &RoundTrip) -> Option<String> {
    let failures = [round_trip.up.as_ref(), round_trip.second_up.as_ref(), failure_of(&round_trip.down)];
    if !failures.into_iter().flatten().any(|failure| failure.why == FailureCause::ServerGone) {
        return None;
    }
    let printed = scratch.has_ended().await?;
    Some(format!("the scratch server ended during {}: {printed}", round_trip.label))
}

fn failure_of(down: &Down) -> Option<&Failure> {
    match down {
        Down::Failed(failure) => Some(failure),
        _ => None,
    }
}

fn not_tried(migration: &Migration, reason: &str) -> RoundTrip {
    RoundTrip {
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
