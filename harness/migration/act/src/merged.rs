//! One trip for schema and rows, where each start of the tool costs a second: up, down and up again on one copy.
//!
//! The copy has rows, and the schema is read on it as well. Where nothing but generated rows tells it from the database
//! that goes up, it takes that one's place, so that the tool is not started once more.

use std::time::Instant;

use stagegate_migration_decide::{
    Migration, Route,
    integrity::{Renames, compare},
    round_trip::{Down, RoundTrip, RowStates},
    schema::{Facts, Kind, diff},
};

use super::{
    bench::Bench,
    error::ProveError,
    rows::{OnRows, Run, Share, WithRows},
    session::Session,
};
use crate::{
    integrity::sizes,
    recorder::{self, Taken},
    scratch::Database,
    seed::clear,
};

/// What the copy showed.
struct MergedRun {
    rows: WithRows,
    /// The schema after each step; none after one that failed.
    up: Option<Facts>,
    down: Option<Facts>,
    again: Option<Facts>,
    /// Whether the copy, without the generated rows, is what the database would be after the way up.
    is_next: bool,
}

impl Bench<'_> {
    /// Tries a migration of a tool that is started for each step; `None` where a step failed on rows, and is to be tried
    /// without.
    pub(super) async fn merged(
        &mut self,
        migration: &Migration,
        before: &Facts,
    ) -> Result<Option<(RoundTrip, Facts, OnRows)>, ProveError> {
        let begun = Instant::now();
        let copy = self.copy().await?;
        let session = self.open(&copy).await?;
        let mut taken = std::mem::take(&mut self.taken);
        let shown = self.merged_run(&session, migration, before, &mut taken).await;
        self.taken = taken;
        drop(session);
        let MergedRun { rows, up, down, again, is_next } = match shown {
            Ok(shown) => shown,
            Err(error) => {
                self.scratch.drop(&copy).await?;
                return Err(error);
            }
        };
        let (Some(after), Some(_)) = (up, (rows.moments.stopped.is_none() || is_irreversible(&rows)).then_some(()))
        else {
            self.scratch.drop(&copy).await?;
            return Ok(None);
        };
        let after = self.next(migration, copy, is_next, after).await?;
        let Some(after) = after else { return Ok(None) };
        let left = diff(before, down.as_ref().unwrap_or(&after));
        let down = if down.is_some() { Down::Ran(left) } else { Down::NotUsable { is_there: false, left } };
        let round_trip = RoundTrip {
            version: migration.version.clone(),
            label: migration.label(),
            route: Route::Clone("a command".to_owned()),
            up: None,
            down,
            left_open: Vec::new(),
            second_up: None,
            second_differs: again.map_or_else(Vec::new, |again| diff(&after, &again)),
            longest_stall: None,
            took: begun.elapsed(),
        };
        let has_tables = before.iter().any(|fact| fact.id.kind == Kind::Table);
        let mut rows = rows;
        if is_irreversible(&rows) {
            rows.moments.stopped = None;
        }
        let rows = if has_tables { OnRows::Tried(Box::new(rows)) } else { OnRows::Untouched };
        Ok(Some((round_trip, after, rows)))
    }

    /// Goes up for good: by taking the copy, or by one more start.
    async fn next(
        &mut self,
        migration: &Migration,
        copy: Database,
        is_next: bool,
        after: Facts,
    ) -> Result<Option<Facts>, ProveError> {
        if is_next {
            self.session = None;
            let old = std::mem::replace(&mut self.main, copy);
            self.scratch.drop(&old).await?;
            return Ok(Some(after));
        }
        self.scratch.drop(&copy).await?;
        match self.up(migration).await? {
            (None, _) => Ok(Some(self.session().await?.facts().await?)),
            // On rows it went up: told by a trip of its own.
            (Some(_), _) => Ok(None),
        }
    }

    async fn merged_run(
        &self,
        session: &Session<'_>,
        migration: &Migration,
        before: &Facts,
        taken: &mut Taken,
    ) -> Result<MergedRun, ProveError> {
        let Some(rows) = self.options.rows.clone() else { return Err(ProveError::Before("no rows".to_owned())) };
        let run = Run {
            session,
            client: &session.client,
            migration,
            manner: &self.options.manner,
            rows: &rows,
            share: &Share::All,
            without: &[],
            carried: "",
            inside: false,
        };
        let mut found = run.seeded().await?;
        found.moments.before = run.content(&migration.up).await?;
        found.is_whole = true;
        let counted = sizes(&found.moments.before).into_iter();
        found.sizes = counted.map(|(table, rows)| (table, rows.unsigned_abs())).collect();
        recorder::install(run.client).await?;
        recorder::mark(run.client).await?;
        taken.take(run.client).await?;
        let mut schemas = Vec::new();
        run.steps(&mut found, taken, &mut schemas).await?;
        recorder::uninstall(run.client).await?;
        let mut schemas = schemas.into_iter();
        let (up, down, again) = (schemas.next(), schemas.next(), schemas.next());
        let same =
            |facts: &Option<Facts>, other: &Facts| facts.as_ref().is_some_and(|facts| diff(other, facts).is_empty());
        let is_exact = same(&down, before) && up.as_ref().is_some_and(|up| same(&again, up));
        let is_next = is_exact && keeps_rows(&found.moments, &found.filled) && clear(run.client, &found.filled).await;
        Ok(MergedRun { rows: found, up, down, again, is_next })
    }
}

/// Returns whether rows that were not generated are as before, and whether no rows came: then a migration does the same
/// without the generated ones.
fn keeps_rows(moments: &RowStates, filled: &[String]) -> bool {
    let Some(again) = &moments.again else { return false };
    let is_new = |table: &&String| !moments.before.tables.contains_key(*table) && !recorder::is_own(table);
    let has_rows = |table: &String| sizes(again).get(table).is_some_and(|rows| *rows > 0);
    let is_generated = |table: &str| filled.iter().any(|one| one == table);
    compare(&moments.before, again, &Renames::default()).is_empty()
        && !again.tables.keys().filter(is_new).any(|table| has_rows(table) && !is_generated(table))
}

/// Returns whether the way down was refused because the migration has none.
// Source: Django's IrreversibleError; Alembic's template for a revision that cannot be undone; Rails' error of that name.
fn is_irreversible(rows: &WithRows) -> bool {
    const WORDS: [&str; 3] = ["IrreversibleError", "NotImplementedError", "IrreversibleMigration"];
    let stopped = rows.moments.stopped.as_ref();
    stopped.is_some_and(|(step, failure)| {
        *step == stagegate_migration_decide::round_trip::Step::Down
            && WORDS.iter().any(|word| failure.message.contains(word))
    })
}
