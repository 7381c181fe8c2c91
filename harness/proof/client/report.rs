//! What became of the requests of a stretch of time.

use std::{error::Error, path::Path, time::Duration};

use serde::Serialize;
use serde_json::Value;
use stagegate_host::http::HttpError;

use super::{
    attempt::{self, Attempt},
    shop::{self, Shop},
};

/// How often an order is asked for before it is told that nobody answers.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, PartialEq, Serialize)]
struct Figures {
    requests: usize,
    failed: usize,
    longest_gap_ms: u64,
    writes_acknowledged: usize,
}

#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    figures: Figures,
    /// Acknowledged orders that are not there, or not as acknowledged; `None` where nobody looked.
    writes_lost: Option<usize>,
    lost: Vec<i64>,
}

/// Reports on the requests that were to start in a stretch of time.
///
/// # Errors
/// Where the log cannot be read, or the shop does not answer whether an order is there.
pub(crate) async fn report(
    log: &Path,
    since_ms: u64,
    until_ms: u64,
    url: Option<&str>,
) -> Result<String, Box<dyn Error>> {
    let all = attempt::read(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let figures = figures(&all, since_ms, until_ms);
    let lost = match url {
        None => None,
        Some(url) => Some(lost(&Shop::at(url)?, within(&all, since_ms, until_ms)).await?),
    };
    let writes_lost = lost.as_ref().map(Vec::len);
    Ok(serde_json::to_string(&Report { figures, writes_lost, lost: lost.unwrap_or_default() })?)
}

fn within(all: &[Attempt], since_ms: u64, until_ms: u64) -> impl Iterator<Item = &Attempt> {
    all.iter().filter(move |attempt| (since_ms..=until_ms).contains(&attempt.at_ms))
}

fn figures(all: &[Attempt], since_ms: u64, until_ms: u64) -> Figures {
    let chosen: Vec<&Attempt> = within(all, since_ms, until_ms).collect();
    Figures {
        requests: chosen.len(),
        failed: chosen.iter().filter(|attempt| !attempt.ok).count(),
        longest_gap_ms: longest_gap_ms(all, since_ms, until_ms),
        writes_acknowledged: chosen.iter().filter(|attempt| attempt.id.is_some()).count(),
    }
}

/// Returns the longest time between two successful responses, of which a part lies in the stretch.
///
/// A gap is counted whole, also where it begins before the stretch or ends behind it. Where no success is on one
/// side of it, it begins or ends where the first or the last request of all was to start.
fn longest_gap_ms(all: &[Attempt], since_ms: u64, until_ms: u64) -> u64 {
    let mut moments: Vec<u64> = all.iter().filter(|attempt| attempt.ok).map(Attempt::ended_ms).collect();
    moments.sort_unstable();
    let end = all.last().map(|attempt| attempt.at_ms).max(moments.last().copied());
    moments.splice(..0, all.first().map(|attempt| attempt.at_ms));
    moments.extend(end);
    let gaps = moments.windows(2).filter(|pair| pair[1] >= since_ms && pair[0] <= until_ms);
    gaps.map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

/// Looks for every acknowledged order; returns those that are gone or changed.
async fn lost(shop: &Shop, attempts: impl Iterator<Item = &Attempt>) -> Result<Vec<i64>, Box<dyn Error>> {
    let mut lost = Vec::new();
    for attempt in attempts {
        let (Some(id), Some(acknowledged)) = (attempt.id, &attempt.order) else { continue };
        if !is_there(shop, id, acknowledged).await? {
            lost.push(id);
        }
    }
    Ok(lost)
}

async fn is_there(shop: &Shop, id: i64, acknowledged: &Value) -> Result<bool, Box<dyn Error>> {
    let mut response = shop.order(id).await;
    for _ in 1..TRIES {
        if response.as_ref().is_ok_and(|response| matches!(response.status, 200 | 404)) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        response = shop.order(id).await;
    }
    let response = response.map_err(|error: HttpError| stagegate_host::error::with_causes(&error))?;
    match response.status {
        200 => Ok(shop::order_of(&response).is_some_and(|found| holds(&found, acknowledged))),
        404 => Ok(false),
        status => Err(format!("order {id} cannot be looked for: the shop answered {status}").into()),
    }
}

/// Returns whether an order is as it was acknowledged; a later release may tell more of it, and never less.
fn holds(found: &Value, acknowledged: &Value) -> bool {
    acknowledged.as_object().is_some_and(|fields| fields.iter().all(|(name, value)| found.get(name) == Some(value)))
}

#[cfg(test)]
mod tests;
