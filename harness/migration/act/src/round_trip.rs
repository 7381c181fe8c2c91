//! One migration: up for good, then down and up again, in a transaction that is rolled back or on a copy.

use std::time::Instant;

use stagegate_migration_decide::{
    Kind, Migration, Route, Script,
    locks::Request,
    round_trip::{Down, Failure, FailureCause, RoundTrip},
    schema::{Difference, Facts, diff},
};

use super::{
    bench::{Bench, blamed},
    carried,
    error::ProveError,
    probes, run,
    session::Session,
};
use crate::scratch::Scratch;

/// What down and up again showed.
struct Back {
    down: Down,
    left_open: Vec<String>,
    second_up: Option<Failure>,
    second_differs: Vec<Difference>,
}

impl Back {
    fn of(down: Down) -> Self {
        Back { down, left_open: Vec::new(), second_up: None, second_differs: Vec::new() }
    }

    async fn blamed(mut self, scratch: &Scratch) -> Self {
        if let Down::Failed(failure) = self.down {
            self.down = Down::Failed(blamed(scratch, failure).await);
        }
        if let Some(failure) = self.second_up {
            self.second_up = Some(blamed(scratch, failure).await);
        }
        self
    }
}

/// Refusals that a session's one transaction may be to blame for: an object in use, a command that wants no
/// transaction, an enum's value that is too new, a script before it that made the transaction read-only.
// Source: PostgreSQL manual, appendix A: 55006, 25001, 55P04, 25006.
const OF_THE_TRANSACTION: [&str; 4] = ["55006", "25001", "55P04", "25006"];

impl Bench<'_> {
    /// Takes one migration up for good, and tries its down migration; returns the schema after the way up too.
    ///
    /// With `probed`, probes read and write the tables that it names meanwhile; their requests are returned as well.
    pub(super) async fn round_trip(
        &mut self,
        migration: &Migration,
        before: &Facts,
        probed: bool,
    ) -> Result<(RoundTrip, Facts, Vec<Request>), ProveError> {
        let begun = Instant::now();
        let mut route = self.route(migration);
        let probe = if probed { self.probe(migration, before).await? } else { None };
        let went = self.up(migration).await;
        let requests = match probe {
            Some(probe) => probes::completed(probe.end().await),
            None => Vec::new(),
        };
        let (up, left_open) = went?;
        // With the server gone there is nothing to read, and the statement that it went with has to be reported.
        let is_gone = up.as_ref().is_some_and(|failure| failure.why == FailureCause::ServerGone);
        let after = if is_gone { before.clone() } else { self.session().await?.facts().await? };
        let mut back = match (&up, self.options.ways_back) {
            (Some(_), _) => Back::of(Down::NotTried("its up migration failed".to_owned())),
            (None, false) => Back::of(Down::NotTried("the down migrations were not requested".to_owned())),
            (None, true) => self.back(migration, before, &after, &mut route).await?.blamed(self.scratch).await,
        };
        if left_open {
            back.left_open.insert(0, migration.up.file.clone());
        }
        let trip = RoundTrip {
            version: migration.version.clone(),
            label: migration.label(),
            route,
            up,
            down: back.down,
            left_open: back.left_open,
            second_up: back.second_up,
            second_differs: back.second_differs,
            longest_stall: requests.iter().map(|request| request.took).max(),
            took: begun.elapsed(),
        };
        Ok((trip, after, requests))
    }

    /// Chooses the way: the copy where one of the scripts needs it.
    pub(super) fn route(&self, migration: &Migration) -> Route {
        let up = migration.up.route();
        let down = migration.down.as_ref().map_or(Route::Session, |down| down.route());
        match (up, down) {
            (Route::Unreadable(reason), _) | (_, Route::Unreadable(reason)) => Route::Unreadable(reason),
            (Route::Clone(reason), _) | (_, Route::Clone(reason)) => Route::Clone(reason),
            (Route::Session, Route::Session) if self.options.always_clone => {
                Route::Clone("set by the caller".to_owned())
            }
            (Route::Session, Route::Session) => Route::Session,
        }
    }

    pub(super) async fn up(&mut self, migration: &Migration) -> Result<(Option<Failure>, bool), ProveError> {
        if let Route::Unreadable(reason) = migration.up.route() {
            return Ok((Some(Failure::unreadable(&migration.up, &reason)), false));
        }
        let (tool, carried) = (self.tool, std::mem::take(&mut self.carried));
        let session = self.session().await?;
        let result = match migration.up.route() {
            Route::Session => {
                in_a_transaction(session, migration, &carried).await.map(|()| run::SessionState::default())
            }
            _ => session.as_the_tool(&migration.up, &carried).await,
        };
        Ok(match result {
            Ok(result) => {
                self.carried = carried::carried(&session.client, tool, &migration.up, &carried).await;
                (None, result.left_open)
            }
            Err(failure) => {
                self.carried = carried;
                (Some(blamed(self.scratch, failure).await), false)
            }
        })
    }

    async fn back(
        &mut self,
        migration: &Migration,
        before: &Facts,
        after: &Facts,
        route: &mut Route,
    ) -> Result<Back, ProveError> {
        let Some(down) = &migration.down else {
            let mut back = Back::of(Down::NotUsable { is_there: false, left: diff(before, after) });
            if migration.kind == Kind::Repeatable {
                (back.second_up, back.second_differs) = self.again(migration, after, route).await?;
            }
            return Ok(back);
        };
        if let Route::Unreadable(reason) = down.route() {
            return Ok(Back::of(Down::Failed(Failure::unreadable(down, &reason))));
        }
        if matches!(route, Route::Session) {
            let session = self.session().await?;
            let back = in_session(session, migration, before, after).await?;
            match doubtful(&back) {
                None => return Ok(back),
                Some(reason) => *route = Route::Clone(reason),
            }
        }
        let copy = self.copy().await?;
        let back = on_copy(&self.open(&copy).await?, migration, before, after).await;
        self.scratch.drop(&copy).await?;
        back
    }
}

impl Bench<'_> {
    /// Runs a repeatable migration once more on what it left, as its tool does when its text has changed.
    async fn again(&mut self, migration: &Migration, after: &Facts, route: &mut Route) -> Result<SecondUp, ProveError> {
        if matches!(route, Route::Session) {
            let session = self.session().await?;
            let (client, manner) = (&session.client, session.process("").manner);
            let found = match run::control(client, "begin", &migration.up, manner).await {
                Ok(()) => second_up(session, migration, after, true).await,
                Err(failure) => Ok((Some(failure), Vec::new())),
            };
            let _ = client.batch_execute("rollback").await;
            let found = found?;
            match found.0.as_ref().filter(|failure| is_of_transaction(failure)) {
                None => return Ok(found),
                Some(failure) => *route = Route::Clone(format!("in one session: {}", failure.description())),
            }
        }
        let copy = self.copy().await?;
        let found = second_up(&self.open(&copy).await?, migration, after, false).await;
        self.scratch.drop(&copy).await?;
        found
    }
}

/// What stopped a second run of an up migration, and what it left otherwise than the first.
type SecondUp = (Option<Failure>, Vec<Difference>);

async fn second_up(
    session: &Session<'_>,
    migration: &Migration,
    after: &Facts,
    inside: bool,
) -> Result<SecondUp, ProveError> {
    match in_place(session, &migration.up, inside).await {
        Err(failure) => Ok((Some(failure), Vec::new())),
        Ok(_) => Ok((None, diff(after, &facts(session, inside).await?))),
    }
}

/// Runs a script within the transaction that the session is in, or as the tool would.
async fn in_place(session: &Session<'_>, script: &Script, inside: bool) -> Result<run::SessionState, Failure> {
    if !inside {
        return session.as_the_tool(script, "").await;
    }
    run::as_a_transaction(&session.client, script, session.process("")).await.map(|()| run::SessionState::default())
}

async fn facts(session: &Session<'_>, inside: bool) -> Result<Facts, ProveError> {
    if inside { session.facts_inside().await } else { session.facts().await }
}

/// Returns whether a session's one transaction may be to blame.
pub(super) fn is_of_transaction(failure: &Failure) -> bool {
    failure.sqlstate.as_deref().is_some_and(|state| OF_THE_TRANSACTION.contains(&state))
}

/// States why a session's verdict is to be confirmed on a copy.
fn doubtful(back: &Back) -> Option<String> {
    match (&back.down, &back.second_up) {
        (Down::Failed(failure), _) if is_of_transaction(failure) => {
            Some(format!("in one session: {}", failure.description()))
        }
        (_, Some(failure)) => Some(format!("in one session its second up migration failed: {}", failure.description())),
        _ => None,
    }
}

async fn in_a_transaction(session: &Session<'_>, migration: &Migration, carried: &str) -> Result<(), Failure> {
    let (client, process) = (&session.client, session.process(carried));
    // What an earlier script left may reach the transaction's beginning, such as `default_transaction_read_only`.
    run::begin(client, &migration.up, process).await?;
    run::control(client, "begin", &migration.up, process.manner).await?;
    match run::inside(client, &migration.up, process).await {
        Ok(()) => {
            run::control(client, "commit", &migration.up, process.manner).await?;
            run::record_apart(client, &migration.up, process).await
        }
        Err(failure) => {
            // A server that is gone has been reported.
            let _ = client.batch_execute("rollback").await;
            Err(failure)
        }
    }
}

/// Tries down and up in one transaction that is rolled back.
async fn in_session(
    session: &Session<'_>,
    migration: &Migration,
    before: &Facts,
    after: &Facts,
) -> Result<Back, ProveError> {
    let client = &session.client;
    let back = match run::control(client, "begin", &migration.up, session.process("").manner).await {
        Ok(()) => both_ways(session, migration, before, after, true).await,
        Err(failure) => Ok(Back::of(Down::Failed(failure))),
    };
    let _ = client.batch_execute("rollback").await;
    back
}

/// Tries down and up on a copy, each as the tool would.
async fn on_copy(
    session: &Session<'_>,
    migration: &Migration,
    before: &Facts,
    after: &Facts,
) -> Result<Back, ProveError> {
    both_ways(session, migration, before, after, false).await
}

async fn both_ways(
    session: &Session<'_>,
    migration: &Migration,
    before: &Facts,
    after: &Facts,
    inside: bool,
) -> Result<Back, ProveError> {
    let Some(down) = &migration.down else { return Ok(Back::of(Down::NotTried("there is none".to_owned()))) };
    let result = match in_place(session, down, inside).await {
        Ok(result) => result,
        Err(failure) => return Ok(Back::of(Down::Failed(failure))),
    };
    let found = facts(session, inside).await?;
    let left = diff(before, &found);
    // A transaction that is never committed is as good as no down migration.
    let is_lost = result.left_open && !left.is_empty() && diff(after, &found).is_empty();
    let mut back = Back::of(match migration.usable_down() {
        Some(_) if !is_lost => Down::Ran(left),
        // Nothing there and nothing back leads back.
        None if migration.is_placeholder() && left.is_empty() => Down::Ran(left),
        _ => Down::NotUsable { is_there: true, left },
    });
    if result.left_open {
        back.left_open.push(down.file.clone());
    }
    (back.second_up, back.second_differs) = second_up(session, migration, after, inside).await?;
    Ok(back)
}
