//! Runs on a host, as this machine sees them: started, read along, interrupted.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use stagegate_target_decide::{Event, Request};

use crate::{Connection, HostError, release::unexpected, talk::Talk};

/// For how long a lost connection is made anew: a minute without a network, and the time to see it.
const RETRIES_WITHIN: Duration = Duration::from_secs(180);

/// The first pause before a lost connection is made anew.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The pause before a confirmation is tried again at a host that was not reached.
const CONFIRMS_AGAIN: Duration = Duration::from_secs(3);

/// A confirmation on its way.
type Confirming<'a> = Pin<Box<dyn Future<Output = Result<String, HostError>> + 'a>>;

/// What a person is shown of a run.
#[derive(Debug)]
pub enum FollowEvent<'a> {
    /// The run was started, or found: its id and the command.
    Run(&'a str, &'a str),
    /// A part of its standard output.
    Output(&'a str),
    /// A part of its standard error.
    Message(&'a str),
    /// The connection was lost, and is made anew.
    Reconnects(&'a HostError),
    /// The run waits until somebody confirms that its release stays; this machine does, over a new connection.
    Waits,
    /// What came of that: what the host reported, or why it was not reached yet.
    Confirmed(Result<&'a str, &'a HostError>),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its id.
    pub run: String,
    /// Its exit code; `None` where it was killed, or the host was restarted.
    pub code: Option<u8>,
}

/// Where reading goes on.
#[derive(Default)]
struct FollowPosition {
    run: Option<String>,
    output: u64,
    messages: u64,
    /// How many events were read, over all connections.
    events: u64,
    /// Whether the host has decided about a confirmation.
    is_confirmed: bool,
}

/// Starts a command on a host and shows what it prints until it ends. `environment` is STAGEGATE_ENV.
///
/// # Errors
/// [`HostError::Lost`] where the connection is lost for long: the run goes on.
pub async fn start(
    connection: &Connection,
    product: &str,
    (args, environment): (Vec<String>, Option<String>),
    mut show: impl FnMut(FollowEvent<'_>),
) -> Result<Ended, HostError> {
    let talk = connection.talk(product, Request::Start { args, environment }, None).await?;
    let mut place = FollowPosition::default();
    let read = read((connection, product), talk, &mut place, &mut show).await;
    go_on(connection, product, (place, read), show).await
}

/// Shows what a run prints, from its beginning, until it ends; the newest run where none is named.
///
/// # Errors
/// As [`start`].
pub async fn attach(
    connection: &Connection,
    product: &str,
    run: Option<String>,
    mut show: impl FnMut(FollowEvent<'_>),
) -> Result<Ended, HostError> {
    let mut place = FollowPosition { run, ..FollowPosition::default() };
    let talk = connection.talk(product, place.request(), None).await?;
    let read = read((connection, product), talk, &mut place, &mut show).await;
    go_on(connection, product, (place, read), show).await
}

/// Interrupts a run, the newest one where none is named: a promotion is rolled back, in order. Returns what was done.
///
/// # Errors
/// [`HostError::Refused`] where it has ended already.
pub async fn interrupt(connection: &Connection, product: &str, run: Option<String>) -> Result<String, HostError> {
    match connection.talk(product, Request::Interrupt { run }, None).await?.only().await? {
        Event::Done { note } => Ok(note),
        other => Err(unexpected(connection, &other)),
    }
}

/// Confirms a promotion that waits, over a connection of its own. Returns what the host reports.
///
/// # Errors
/// [`HostError::Refused`] where it does not wait, or is rolled back.
pub async fn confirm(
    connection: &Connection,
    product: &str,
    run: Option<String>,
    environment: &str,
) -> Result<String, HostError> {
    let request = Request::Confirm { run, environment: environment.to_owned() };
    match connection.talk(product, request, None).await?.only().await? {
        Event::Done { note } => Ok(note),
        other => Err(unexpected(connection, &other)),
    }
}

impl FollowPosition {
    fn request(&self) -> Request {
        Request::Follow { run: self.run.clone(), output: self.output, messages: self.messages }
    }
}

/// Reads on over new connections where one was lost.
async fn go_on(
    connection: &Connection,
    product: &str,
    (mut place, mut read): (FollowPosition, Result<Option<u8>, HostError>),
    mut show: impl FnMut(FollowEvent<'_>),
) -> Result<Ended, HostError> {
    let mut lost: Option<Instant> = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match (read, &place.run) {
            (Ok(code), Some(run)) => return Ok(Ended { run: run.clone(), code }),
            (Ok(_), None) => return Err(connection.silent(Duration::ZERO)),
            // Nothing was started, or it is not known whether it was.
            (Err(error), None) => return Err(error),
            (Err(error @ (HostError::Refused { .. } | HostError::OtherGate { .. })), _) => return Err(error),
            (Err(error), Some(_)) => error,
        };
        if lost.get_or_insert_with(Instant::now).elapsed() > RETRIES_WITHIN {
            let run = place.run.unwrap_or_default();
            return Err(connection.lost(run));
        }
        show(FollowEvent::Reconnects(&error));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(15));
        let before = place.events;
        read = match connection.talk(product, place.request(), None).await {
            Ok(talk) => self::read((connection, product), talk, &mut place, &mut show).await,
            Err(error) => Err(error),
        };
        // Also where the run was silent: the host was reached.
        if place.events != before {
            (lost, pause) = (None, FIRST_PAUSE);
        }
    }
}

async fn read(
    (connection, product): (&Connection, &str),
    mut talk: Talk<'_>,
    place: &mut FollowPosition,
    show: &mut impl FnMut(FollowEvent<'_>),
) -> Result<Option<u8>, HostError> {
    let mut confirming: Option<Confirming<'_>> = None;
    loop {
        let event = tokio::select! {
            event = talk.next() => event?,
            confirmed = outcome(&mut confirming) => {
                confirming = confirmed_or_again((connection, product), place, confirmed, show);
                continue;
            }
        };
        let Some(event) = event else { return Err(talk.ended().await) };
        place.events += 1;
        match event {
            Event::Run { run, command } => {
                // It is named once, also where the connection is made anew.
                if place.run.as_ref() != Some(&run) || (place.output, place.messages) == (0, 0) {
                    show(FollowEvent::Run(&run, &command));
                }
                place.run = Some(run);
            }
            Event::Output { text, next } => {
                show(FollowEvent::Output(&text));
                place.output = next;
            }
            Event::Message { text, next } => {
                show(FollowEvent::Message(&text));
                place.messages = next;
            }
            Event::Waits { run } if !place.is_confirmed => {
                show(FollowEvent::Waits);
                confirming = Some(confirm_after(Duration::ZERO, (connection, product), run));
            }
            Event::Ended { code } => return Ok(code),
            _ => {}
        }
    }
}

/// Waits for what comes of a confirmation; for ever where there is none.
async fn outcome(confirming: &mut Option<Confirming<'_>>) -> Result<String, HostError> {
    match confirming {
        Some(confirming) => confirming.await,
        None => std::future::pending().await,
    }
}

/// Shows what came of a confirmation. A host that was not reached is tried again for as long as the run goes on: a release that
/// cuts the way to it is rolled back there.
fn confirmed_or_again<'a>(
    to: (&'a Connection, &'a str),
    place: &mut FollowPosition,
    confirmed: Result<String, HostError>,
    show: &mut impl FnMut(FollowEvent<'_>),
) -> Option<Confirming<'a>> {
    match &confirmed {
        Ok(text) => show(FollowEvent::Confirmed(Ok(text))),
        Err(error) => show(FollowEvent::Confirmed(Err(error))),
    }
    match confirmed {
        Ok(_) | Err(HostError::Refused { .. } | HostError::OtherGate { .. }) => {
            place.is_confirmed = true;
            None
        }
        Err(_) => place.run.clone().map(|run| confirm_after(CONFIRMS_AGAIN, to, run)),
    }
}

fn confirm_after<'a>(pause: Duration, (connection, product): (&'a Connection, &'a str), run: String) -> Confirming<'a> {
    Box::pin(async move {
        tokio::time::sleep(pause).await;
        confirm(connection, product, Some(run), connection.environment()).await
    })
}
