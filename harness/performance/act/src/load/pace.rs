//! A stretch of load: how requests follow each other, and until when.

use std::time::Duration;

/// How requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Open loop: intended start times, `per_second` of them, over at most `connections` connections.
    Rate {
        /// Requests a second.
        per_second: f64,
        /// Connections at most; a request that is due while all are busy waits, and its latency counts meanwhile.
        connections: usize,
    },
    /// Closed loop: so many at a time, the next one is sent when a response has come.
    Concurrency(usize),
}

impl Pace {
    pub(super) fn connections(self) -> usize {
        match self {
            Pace::Rate { connections, .. } | Pace::Concurrency(connections) => connections.max(1),
        }
    }
}

/// When a stretch of load ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// After so many requests.
    Requests(u64),
    /// After so long; answers that are due are waited for.
    For(Duration),
}

/// A stretch of load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// How requests follow each other.
    pub pace: Pace,
    /// When it ends.
    pub extent: Extent,
    /// How long a response may take, counted from the intended start.
    pub timeout: Duration,
}
