//! Polling: a request at each of its times, whatever became of those before.

use std::{
    error::Error,
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, SystemTime},
};

use stagegate_host::http::{HttpError, HttpResponse};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{
    attempt::{Attempt, Kind, unix_ms},
    shop::{self, Shop},
};

/// How many of the sample data's orders are read in turn.
const READ: u64 = 1000;

/// Polls until SIGTERM or SIGINT, then waits for the requests that are under way.
///
/// # Errors
/// Where the log cannot be written: a client that counts nothing proves nothing.
pub(crate) async fn poll(url: &str, log: &Path, every: Duration) -> Result<(), Box<dyn Error>> {
    if every.is_zero() {
        return Err("--every is 0; requests need some time between them".into());
    }
    let (shop, file) = (Shop::at(url)?, File::create(log).map_err(|error| format!("{}: {error}", log.display()))?);
    let (sender, receiver) = mpsc::unbounded_channel();
    let kept = tokio::task::spawn_blocking(move || keep(file, receiver));
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        () = ask_on_time(&shop, every, sender) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(kept.await??)
}

/// Starts requests at their times and ends where nobody keeps what came of them.
async fn ask_on_time(shop: &Shop, every: Duration, sender: UnboundedSender<Attempt>) {
    let (began, wall) = (Instant::now(), SystemTime::now());
    let mut times = interval_at(began, every);
    // Late starts are made up for, each with the time that it was meant to have.
    times.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0.. {
        let at = times.tick().await;
        if sender.is_closed() {
            return;
        }
        let (shop, sender, at_ms) = (shop.clone(), sender.clone(), unix_ms(wall + (at - began)));
        tokio::spawn(async move {
            let (kind, response) = ask(&shop, number).await;
            // That the log is closed is reported by `keep`.
            let _ = sender.send(attempt(kind, at_ms, at.elapsed(), response));
        });
    }
}

async fn ask(shop: &Shop, number: u64) -> (Kind, Result<HttpResponse, HttpError>) {
    if number.is_multiple_of(2) {
        let id = i64::try_from(1 + number / 2 % READ).unwrap_or(1);
        (Kind::Read, shop.order(id).await)
    } else {
        (Kind::Write, shop.place_order(number / 2).await)
    }
}

fn attempt(kind: Kind, at_ms: u64, took: Duration, response: Result<HttpResponse, HttpError>) -> Attempt {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let none = Attempt { at_ms, kind, ok: false, status: None, error: None, id: None, order: None, took_ms };
    let response = match response {
        Ok(response) => response,
        Err(error) => return Attempt { error: Some(stagegate_host::error::with_causes(&error)), ..none },
    };
    let (expected, order) = match kind {
        Kind::Read => (200, None),
        Kind::Write => (201, shop::order_of(&response).filter(|_| response.status == 201)),
    };
    let ok = response.status == expected && (kind == Kind::Read || order.is_some());
    let id = order.as_ref().and_then(|order| order["id"].as_i64());
    Attempt { ok, status: Some(response.status), id, order, ..none }
}

/// Writes a line of each request until no request is under way.
fn keep(mut file: File, mut attempts: UnboundedReceiver<Attempt>) -> std::io::Result<()> {
    while let Some(attempt) = attempts.blocking_recv() {
        // One write each: a reader, or whoever finds the file of a killed client, sees whole lines.
        file.write_all(format!("{}\n", serde_json::to_string(&attempt)?).as_bytes())?;
    }
    Ok(())
}
