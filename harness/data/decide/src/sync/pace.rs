//! When the next bytes may be read, so that no second has more of them than the rate.

use std::time::Duration;

/// A number of bytes for each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes in a second, at least one.
    pub bytes: u64,
}

impl Pace {
    /// Returns from when on more may be read, where `bytes` are read `now` and before it was not to be read until `free`.
    ///
    /// All times are since one moment. Time in which nothing was read is not made up for later.
    #[must_use]
    pub fn after(self, free: Duration, now: Duration, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes.max(1));
        free.max(now).saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}
