//! One request as the log keeps it.

use std::{
    fs, io,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// An order was read.
    Read,
    /// An order was placed.
    Write,
}

/// One request and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// When it was to start, in milliseconds since 1970: a client that comes late makes no service look better.
    pub(crate) at_ms: u64,
    /// What was asked.
    pub(crate) kind: Kind,
    /// The response was what a shop that works gives.
    pub(crate) ok: bool,
    /// The response's status; `None` where none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// Why no response came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// The order that was acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<i64>,
    /// That order, as it was acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) order: Option<Value>,
    /// From `at_ms` to the end of the response.
    pub(crate) took_ms: u64,
}

impl Attempt {
    /// When the response was there, or was given up.
    pub(crate) fn ended_ms(&self) -> u64 {
        self.at_ms.saturating_add(self.took_ms)
    }
}

/// Reads a log in the order of the requests' times. A torn last line, of a client that was killed, is left out.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Attempt>> {
    let text = fs::read_to_string(path)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let attempts: Result<Vec<Attempt>, _> = whole.lines().map(serde_json::from_str).collect();
    let mut attempts = attempts?;
    attempts.sort_by_key(|attempt| attempt.at_ms);
    Ok(attempts)
}

/// Returns a moment in milliseconds since 1970.
pub(crate) fn unix_ms(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
