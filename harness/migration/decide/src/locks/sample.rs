//! What was seen from outside: locks at moments, requests of probes.

use std::{collections::BTreeMap, time::Duration};

use super::Mode;

/// One lock at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The table.
    pub table: String,
    /// The server's name of the mode, such as `ShareUpdateExclusiveLock`.
    pub mode: String,
    /// Whether the session has it, or waits for it.
    pub is_granted: bool,
    /// The session.
    pub pid: i32,
    /// What it does.
    pub query: String,
    /// For how long already, in seconds.
    pub running_s: f64,
    /// The sessions that make it wait.
    pub blocked_by: Vec<i32>,
    /// When, in seconds since 1970 by the server's clock.
    pub at: f64,
}

/// Which lock of which statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seen {
    /// The session.
    pub pid: i32,
    /// What it did.
    pub query: String,
    /// The table.
    pub table: String,
    /// The mode.
    pub mode: Mode,
}

/// What was seen of one lock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// The first moment, in seconds since 1970 by the server's clock.
    pub from: f64,
    /// The last moment.
    pub to: f64,
    /// Seconds that the statement was seen to wait for it.
    pub waited_s: f64,
}

/// All that was seen, by lock and statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// The spans.
    pub spans: BTreeMap<Seen, Span>,
}

impl Samples {
    /// Adds what one look saw.
    pub fn add(&mut self, seen: impl IntoIterator<Item = Sample>) {
        for sample in seen {
            let Ok(mode) = serde_json::from_value(serde_json::Value::String(sample.mode.clone())) else { continue };
            let key = Seen { pid: sample.pid, query: sample.query, table: sample.table, mode };
            let span = self.spans.entry(key).or_insert(Span { from: sample.at, to: sample.at, waited_s: 0.0 });
            span.to = sample.at;
            if !sample.is_granted {
                span.waited_s = span.waited_s.max(sample.running_s);
            }
        }
    }
}

/// What a probe does to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It reads.
    Read,
    /// It writes.
    Write,
}

/// Requests of a probe to one table that ended alike; the slowest of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The table.
    pub table: String,
    /// What it was.
    pub purpose: Use,
    /// How long the slowest took.
    pub took: Duration,
    /// When it was answered, in seconds since 1970 by the server's clock.
    pub ended: f64,
    /// Why it failed.
    pub error: Option<String>,
    /// How many there were since.
    pub count: u64,
}
