//! `[migrations.<database>.locks]`: how long a migration may hold the tables of the running release.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::Span;

/// What locks may cost. Times are those at the size of the environment's tables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LockLimits {
    /// A table with fewer rows is small: nothing is reported of it.
    pub rows: u64,
    /// How many rows a second are written anew or put into an index, where nothing better is known.
    pub rows_per_second: u64,
    /// How long a table may be held against everybody.
    pub access_exclusive: Span,
    /// How long a table may be held against those who write.
    pub writes: Span,
    /// How long a table may be written anew.
    pub rewrite: Span,
    /// How long an index may be built while writes wait.
    pub index: Span,
    /// How long a request may be held up.
    pub stall: Span,
    /// How long a statement may wait for a lock against everybody; without `lock_timeout` it waits for ever.
    pub lock_timeout: Span,
}

impl Default for LockLimits {
    fn default() -> Self {
        let seconds = |seconds| Span(Duration::from_secs(seconds));
        LockLimits {
            rows: 10_000,
            rows_per_second: 500_000,
            access_exclusive: seconds(2),
            writes: seconds(5),
            rewrite: seconds(0),
            index: seconds(0),
            stall: Span(Duration::from_millis(500)),
            lock_timeout: seconds(10),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLocks {
    rows: Option<u64>,
    rows_per_second: Option<u64>,
    access_exclusive: Option<Span>,
    writes: Option<Span>,
    rewrite: Option<Span>,
    index: Option<Span>,
    stall: Option<Span>,
    lock_timeout: Option<Span>,
}

impl RawLocks {
    /// Fills the defaults in.
    pub(super) fn limits(&self) -> LockLimits {
        let default = LockLimits::default();
        LockLimits {
            rows: self.rows.unwrap_or(default.rows),
            rows_per_second: self.rows_per_second.unwrap_or(default.rows_per_second).max(1),
            access_exclusive: self.access_exclusive.unwrap_or(default.access_exclusive),
            writes: self.writes.unwrap_or(default.writes),
            rewrite: self.rewrite.unwrap_or(default.rewrite),
            index: self.index.unwrap_or(default.index),
            stall: self.stall.unwrap_or(default.stall),
            lock_timeout: self.lock_timeout.unwrap_or(default.lock_timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::Config, *};

    const MANUAL: &str = include_str!("../../../../docs/stagegate.toml");

    #[test]
    fn what_is_not_printed_has_the_default_and_the_manual_writes_it() {
        let manual = Config::parse(Path::new("/srv/stagegate.toml"), MANUAL).unwrap();
        assert_eq!(manual.migrations["main"].locks, LockLimits::default());
        assert_eq!(manual.migrations["ledger"].locks, LockLimits::default());
        let own = MANUAL.replace("access_exclusive = \"2s\"", "access_exclusive = \"200ms\"");
        let own = Config::parse(Path::new("/srv/stagegate.toml"), &own).unwrap();
        let limits = &own.migrations["main"].locks;
        assert_eq!((limits.access_exclusive.0.as_millis(), limits.writes.0.as_secs()), (200, 5));
    }
}
