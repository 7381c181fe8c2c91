//! How much of the generator's own thread's time went elsewhere: what it was late by is not the service's latency.

use std::time::Duration;

/// What the kernel tells of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Time on a processor.
    pub busy: Duration,
    /// Time in which it could have run, and had no processor.
    pub waited: Duration,
}

impl Own {
    /// Reads the calling thread's times; zeros where the kernel does not tell them.
    // Source: Linux, Documentation/scheduler/sched-stats.rst: /proc/<pid>/schedstat, nanoseconds.
    pub(super) fn of_this_thread() -> Self {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok()).map(Duration::from_nanos);
        Own { busy: numbers.next().unwrap_or_default(), waited: numbers.next().unwrap_or_default() }
    }

    /// Returns what was added since `earlier`.
    pub(super) fn since(self, earlier: Own) -> Self {
        Own { busy: self.busy.saturating_sub(earlier.busy), waited: self.waited.saturating_sub(earlier.waited) }
    }

    pub(super) fn add(&mut self, other: Own) {
        self.busy += other.busy;
        self.waited += other.waited;
    }
}
