//! Runs scripts as their tools do, and states which statement did not run to its end.

use std::{ops::Range, pin::pin, time::Duration};

use futures_util::{SinkExt, StreamExt};
use stagegate_base::config::Tool;
use stagegate_migration_decide::{
    Commits, Records, Script, SessionHabits, Statement, Trait, Transaction,
    round_trip::{Failure, FailureCause},
};
use tokio_postgres::{Client, Error, NoTls, SimpleQueryMessage};

use super::{
    process::Process,
    session_options::{SessionOptions, fresh},
};
use crate::deferred;

/// What a server's own limit may take longer until the statement is ended from here.
const BESIDE_LIMIT: Duration = Duration::from_secs(3);

/// Why a statement did not succeed, before its place is known.
struct Stop {
    sqlstate: Option<String>,
    message: String,
    /// Byte of the message that was sent, where the server named one.
    position: Option<usize>,
    is_over: bool,
}

impl Stop {
    fn of(error: &Error, sent: &str) -> Self {
        let Some(printed) = error.as_db_error() else {
            let source = std::error::Error::source(error);
            let cause = source.map(|cause| format!(": {cause}")).unwrap_or_default();
            // A text that cannot be sent, such as one with a zero byte, states nothing about the server.
            let is_text = source
                .and_then(|cause| cause.downcast_ref::<std::io::Error>())
                .is_some_and(|cause| cause.kind() == std::io::ErrorKind::InvalidInput);
            let is_there = !error.is_closed() && (cause.is_empty() || is_text);
            let sqlstate = is_there.then(|| "XX000".to_owned());
            return Stop { sqlstate, message: format!("{error}{cause}"), position: None, is_over: false };
        };
        let position = match printed.position() {
            Some(tokio_postgres::error::ErrorPosition::Original(place)) => byte_of(sent, *place),
            _ => None,
        };
        let detail = printed.detail().map(|detail| format!(" ({})", detail.replace('\n', "; "))).unwrap_or_default();
        Stop {
            sqlstate: Some(printed.code().code().to_owned()),
            message: format!("{}{detail}", printed.message()),
            position,
            is_over: false,
        }
    }

    fn failure(self, script: &Script, statement: Option<&Statement>, manner: &SessionOptions) -> Failure {
        let mut failure = Failure::of(script, statement, self.sqlstate.as_deref(), &self.message);
        if self.is_over || failure.why == FailureCause::TimedOut {
            failure.why = FailureCause::TimedOut;
            failure.message = format!("{}; the limit is {:?}", failure.message, manner.statement_within);
        }
        failure
    }
}

/// Turns the server's position, in characters from 1, into a byte.
fn byte_of(text: &str, position: u32) -> Option<usize> {
    let place = usize::try_from(position).ok()?.checked_sub(1)?;
    text.char_indices().nth(place).map(|(byte, _)| byte)
}

/// Makes the session as new for the next script; inside of a transaction too.
pub(super) async fn freshen(client: &Client, manner: &SessionOptions, script: &Script) -> Result<(), Failure> {
    let done = fresh(client, manner).await;
    done.map_err(|error| Stop::of(&error, "").failure(script, None, manner))
}

/// Begins or commits a transaction for a script.
pub(super) async fn control(
    client: &Client,
    what: &str,
    script: &Script,
    manner: &SessionOptions,
) -> Result<(), Failure> {
    let done = client.batch_execute(what).await;
    done.map_err(|error| Stop::of(&error, "").failure(script, script.statements.last(), manner))
}

/// Refuses a script that is not UTF-8, as the tool or the server does.
// Source: PostgreSQL manual, appendix A: 22021, character_not_in_repertoire.
fn sendable(script: &Script, manner: &SessionOptions) -> Result<(), Failure> {
    let Some(byte) = script.not_utf8 else { return Ok(()) };
    let message = "invalid byte sequence for encoding \"UTF8\"".to_owned();
    let stop = Stop { sqlstate: Some("22021".to_owned()), message, position: None, is_over: false };
    Err(stop.failure(script, script.statement_at(byte), manner))
}

/// Runs a script statement by statement in the transaction that `client` is in, and records it.
pub(super) async fn inside(client: &Client, script: &Script, process: Process<'_>) -> Result<(), Failure> {
    sendable(script, process.manner)?;
    begin(client, script, process).await?;
    for statement in &script.statements {
        one(client, script, statement, process.manner).await?;
    }
    if is_recorded_apart(process) {
        return Ok(());
    }
    record(client, script, process).await
}

/// Makes the session what the tool's process has when it comes to the script.
pub(super) async fn begin(client: &Client, script: &Script, process: Process<'_>) -> Result<(), Failure> {
    freshen(client, process.manner, script).await?;
    if process.carried.is_empty() {
        return Ok(());
    }
    let set = client.batch_execute(process.carried).await;
    set.map_err(|error| Stop::of(&error, "").failure(script, None, process.manner))
}

/// Returns whether the tool records a script when its transaction is over.
fn is_recorded_apart(process: Process<'_>) -> bool {
    SessionHabits::of(process.tool).records == Records::ByNameApart
}

/// Records a script whose transaction is over, where the tool does so then.
pub(super) async fn record_apart(client: &Client, script: &Script, process: Process<'_>) -> Result<(), Failure> {
    if is_recorded_apart(process) { record(client, script, process).await } else { Ok(()) }
}

async fn record(client: &Client, script: &Script, process: Process<'_>) -> Result<(), Failure> {
    match process.history {
        Some(history) => history.record(client, script).await,
        None => Ok(()),
    }
}

/// Runs a script as a transaction of its own would, inside of the one that `client` is in.
pub(super) async fn as_a_transaction(client: &Client, script: &Script, process: Process<'_>) -> Result<(), Failure> {
    inside(client, script, process).await?;
    let own = client.batch_execute("reset session authorization; reset role").await;
    let checked = match own {
        Ok(()) => deferred::check(client).await,
        Err(error) => Err(error),
    };
    checked.map_err(|error| Stop::of(&error, "").failure(script, script.statements.last(), process.manner))
}

/// Runs one statement of a script inside of the transaction that the client is in.
pub(super) async fn nth(client: &Client, script: &Script, nth: usize, manner: &SessionOptions) -> Result<(), Failure> {
    match script.statements.get(nth) {
        Some(statement) => one(client, script, statement, manner).await,
        None => Ok(()),
    }
}

/// How a script that succeeded left its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SessionState {
    /// It had begun a transaction and not ended it; that is rolled back now, as at a session's end.
    pub(super) left_open: bool,
}

/// Runs a script as its tool would, with the tool's transaction or without, and records it.
pub(super) async fn as_the_tool(
    client: &Client,
    script: &Script,
    process: Process<'_>,
) -> Result<SessionState, Failure> {
    let manner = process.manner;
    sendable(script, manner)?;
    begin(client, script, process).await?;
    let is_wrapped = script.transaction == Transaction::Wrapped;
    if is_wrapped {
        control(client, "begin", script, manner).await?;
    }
    let is_apart = is_recorded_apart(process);
    let result = match batches(client, script, manner).await {
        Ok(()) if is_apart => Ok(()),
        Ok(()) if is_wrapped => match still_open(client, script, process.tool).await {
            Ok(()) => record(client, script, process).await,
            Err(failure) => Err(failure),
        },
        Ok(()) => record(client, script, process).await,
        Err(failure) => Err(failure),
    };
    ended(client, result).await?;
    if !is_wrapped {
        return Ok(SessionState { left_open: is_left_open(client).await });
    }
    control(client, "commit", script, manner).await?;
    record_apart(client, script, process).await?;
    Ok(SessionState::default())
}

/// Returns whether the session is still in a transaction, and takes that back.
// Source: PostgreSQL manual, SAVEPOINT: outside of a transaction it is an error (25P01).
async fn is_left_open(client: &Client) -> bool {
    let Err(error) = client.batch_execute("savepoint stagegate_end").await else {
        let _ = client.batch_execute("rollback").await;
        return true;
    };
    let is_failed = error.code().is_some_and(|code| code.code() == "25P02");
    if is_failed {
        let _ = client.batch_execute("rollback").await;
    }
    is_failed
}

/// Refuses a script that ended the tool's transaction, where the tool does.
async fn still_open(client: &Client, script: &Script, tool: Tool) -> Result<(), Failure> {
    let ends = |statement: &&Statement| statement.traits.contains(&Trait::TransactionControl);
    let Some(last) = script.statements.iter().rev().find(ends) else { return Ok(()) };
    if SessionHabits::of(tool).commits == Commits::Unchecked {
        return Ok(());
    }
    // Source: PostgreSQL manual, SAVEPOINT: outside of a transaction it is an error (25P01).
    let Err(error) = client.batch_execute("savepoint stagegate_open; release savepoint stagegate_open").await else {
        return Ok(());
    };
    let is_ended = error.code().is_some_and(|code| code.code() == "25P01");
    let message = format!(
        "{tool} opens a transaction around the script and ends with an error, because the script ended it; remove its \
         BEGIN and COMMIT, or mark it as one without a transaction"
    );
    if is_ended { Err(Failure::of(script, Some(last), Some("25P01"), &message)) } else { Ok(()) }
}

/// Leaves the transaction that a script left open, on an error or by mistake.
async fn ended(client: &Client, result: Result<(), Failure>) -> Result<(), Failure> {
    if result.is_err() {
        // Outside of a transaction this is a warning, and a server that is gone has been reported.
        let _ = client.batch_execute("rollback").await;
    }
    result
}

async fn batches(client: &Client, script: &Script, manner: &SessionOptions) -> Result<(), Failure> {
    for batch in &script.batches {
        batch_of(client, script, batch, manner).await?;
    }
    Ok(())
}

/// Sends one message of the tool's; rows of a COPY have to be sent by themselves.
async fn batch_of(
    client: &Client,
    script: &Script,
    batch: &Range<usize>,
    manner: &SessionOptions,
) -> Result<(), Failure> {
    let members: Vec<&Statement> =
        script.statements.iter().filter(|s| batch.start <= s.range.start && s.range.start < batch.end).collect();
    if members.len() <= 1 || members.iter().any(|statement| statement.copy_data().is_some()) {
        for statement in members {
            one(client, script, statement, manner).await?;
        }
        return Ok(());
    }
    let sent = script.text.get(batch.clone()).unwrap_or_default();
    let mut done = 0;
    let Err(stop) = limited(client, manner, simple(client, sent, &mut done)).await else { return Ok(()) };
    let named = stop.position.and_then(|byte| script.statement_at(batch.start + byte));
    let statement = named.or_else(|| members.get(done).copied()).or_else(|| members.last().copied());
    Err(stop.failure(script, statement, manner))
}

async fn one(client: &Client, script: &Script, statement: &Statement, manner: &SessionOptions) -> Result<(), Failure> {
    let text = script.text_of(statement);
    let mut done = 0;
    let result = match statement.copy_data() {
        Some(data) => {
            let rows = script.text.get(data).unwrap_or_default();
            limited(client, manner, copy(client, text, rows)).await
        }
        None => limited(client, manner, simple(client, text, &mut done)).await,
    };
    result.map_err(|stop| stop.failure(script, Some(statement), manner))
}

/// Sends a message and counts the statements that ended.
async fn simple(client: &Client, text: &str, done: &mut usize) -> Result<(), Stop> {
    let stop = |error: Error| Stop::of(&error, text);
    let mut messages = pin!(client.simple_query_raw(text).await.map_err(stop)?);
    while let Some(message) = messages.next().await {
        if let SimpleQueryMessage::CommandComplete(_) = message.map_err(stop)? {
            *done += 1;
        }
    }
    Ok(())
}

async fn copy(client: &Client, text: &str, rows: &str) -> Result<(), Stop> {
    let stop = |error: Error| Stop::of(&error, text);
    let mut sink = pin!(client.copy_in(text).await.map_err(stop)?);
    let data = std::io::Cursor::new(rows.as_bytes().to_vec());
    sink.send(data).await.map_err(stop)?;
    sink.finish().await.map_err(stop).map(drop)
}

/// Ends a statement from here where the script took the server's own limit away.
async fn limited(
    client: &Client,
    manner: &SessionOptions,
    running: impl Future<Output = Result<(), Stop>>,
) -> Result<(), Stop> {
    let cancel = client.cancel_token();
    match tokio::time::timeout(manner.statement_within + BESIDE_LIMIT, running).await {
        Ok(result) => result,
        Err(_) => {
            // Where the server does not answer to this either, the session's end is what ends the statement.
            let _ = cancel.cancel_query(NoTls).await;
            let message = "cancelled by stagegate, because the script had removed the server's own limit".to_owned();
            Err(Stop { sqlstate: Some("57014".to_owned()), message, position: None, is_over: true })
        }
    }
}
