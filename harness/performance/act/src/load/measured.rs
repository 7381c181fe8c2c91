//! What came out of a stretch of load: latencies, failures, bytes, and how punctual the generator was.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use stagegate_performance_decide::{Latencies, stall::Request};

use super::{Fault, Own};

/// Significant digits that a histogram keeps: an error of 0.1 % at most.
const DIGITS: u8 = 3;
/// Up to here single requests of a connection are kept too.
const SAMPLES: usize = 20_000;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentRequest {
    /// When it should have been sent, or was sent in a closed loop.
    pub from: Instant,
    /// Nanoseconds until its response was whole, or until it was given up.
    pub ns: u64,
    /// Why it has no good response.
    pub fault: Option<Fault>,
}

/// What came out of a stretch of load.
#[derive(Clone, Debug)]
pub struct Measured {
    /// When it began.
    pub started: Instant,
    /// How long it took, the responses to the last requests included.
    pub took: Duration,
    /// How long it took until the last request was due and handed out; zero in a closed loop.
    pub sending: Duration,
    /// Requests that were due.
    pub sent: u64,
    /// Latencies of good responses in nanoseconds: in an open loop from the intended start, else from the sending.
    pub latencies: Histogram<u64>,
    /// Failures by kind, timeouts included.
    pub faults: BTreeMap<Fault, u64>,
    /// Bytes of bodies or rows.
    pub bytes: u64,
    /// Smallest and largest answer in bytes; `None` where there was none.
    pub sizes: Option<(u64, u64)>,
    /// How late the generator itself sent requests, in nanoseconds; empty in a closed loop.
    pub lag: Histogram<u64>,
    /// Requests that were due while every connection was busy.
    pub queued: u64,
    /// What the generator's threads did meanwhile.
    pub own: Own,
    sent_requests: Vec<SentRequest>,
}

impl Measured {
    pub(super) fn new(started: Instant) -> Self {
        Measured {
            started,
            took: Duration::ZERO,
            sending: Duration::ZERO,
            sent: 0,
            latencies: histogram(),
            faults: BTreeMap::new(),
            bytes: 0,
            sizes: None,
            lag: histogram(),
            queued: 0,
            own: Own::default(),
            sent_requests: Vec::new(),
        }
    }

    /// Counts one request: `from` is when it should have been sent.
    pub(super) fn add(&mut self, from: Instant, end: Instant, response: Result<u64, Fault>) {
        self.sent += 1;
        let ns = nanoseconds(end.saturating_duration_since(from));
        if self.sent_requests.len() < SAMPLES {
            self.sent_requests.push(SentRequest { from, ns, fault: response.err() });
        }
        let size = match response {
            Ok(size) => size,
            Err(fault) => return *self.faults.entry(fault).or_default() += 1,
        };
        self.bytes += size;
        let (smallest, largest) = self.sizes.unwrap_or((size, size));
        self.sizes = Some((smallest.min(size), largest.max(size)));
        record(&mut self.latencies, ns);
    }

    /// Notes how late the generator was.
    pub(super) fn late(&mut self, by: Duration) {
        record(&mut self.lag, nanoseconds(by));
    }

    /// Takes in what another connection or thread measured at the same time.
    pub(super) fn merge(&mut self, other: Measured) {
        let end = (self.started + self.took).max(other.started + other.took);
        self.started = self.started.min(other.started);
        self.took = end.saturating_duration_since(self.started);
        self.sending = self.sending.max(other.sending);
        self.sent += other.sent;
        // Histograms of one make resize themselves, so that adding one to another cannot fail.
        let _ = self.latencies.add(&other.latencies);
        let _ = self.lag.add(&other.lag);
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        self.bytes += other.bytes;
        self.sizes = match (self.sizes, other.sizes) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, two) => one.or(two),
        };
        self.queued += other.queued;
        self.own.add(other.own);
        self.sent_requests.extend(other.sent_requests);
    }

    /// Returns the good responses' latencies in nanoseconds in the order of their start; empty where there were too
    /// many to keep each.
    #[must_use]
    pub fn samples(&self) -> Vec<u64> {
        self.sent_requests()
            .into_iter()
            .filter(|sent_requests| sent_requests.fault.is_none())
            .map(|sent_requests| sent_requests.ns)
            .collect()
    }

    /// Returns each request in the order of its start; empty where there were too many to keep each.
    #[must_use]
    pub fn sent_requests(&self) -> Vec<SentRequest> {
        if self.sent_requests.len() as u64 != self.sent {
            return Vec::new();
        }
        let mut sent_requests = self.sent_requests.clone();
        sent_requests.sort_by_key(|sent_requests| sent_requests.from);
        sent_requests
    }

    /// Returns each request with its times in microseconds from `began`; empty where there were too many to keep each.
    #[must_use]
    pub fn requests(&self, began: Instant) -> Vec<Request> {
        let request = |sent_requests: SentRequest| {
            let intended = nanoseconds(sent_requests.from.saturating_duration_since(began));
            let (intended_us, ended_us) = (intended / 1_000, intended.saturating_add(sent_requests.ns) / 1_000);
            Request { intended_us, ended_us, good: sent_requests.fault.is_none() }
        };
        self.sent_requests().into_iter().map(request).collect()
    }

    /// Summarises the latencies: exactly where each was kept, else to 0.1 %.
    #[must_use]
    pub fn summary(&self) -> Latencies {
        let samples = self.samples();
        if !samples.is_empty() || self.latencies.is_empty() {
            return Latencies::of(&samples);
        }
        let at = |quantile| self.latencies.value_at_quantile(quantile);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of u64 is in their range")]
        let mean = self.latencies.mean() as u64;
        Latencies {
            count: self.latencies.len(),
            min: self.latencies.min(),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: self.latencies.max(),
            mean,
        }
    }

    /// Returns requests a second: in an open loop those that the generator managed to hand out, whether or not the
    /// service kept up; in a closed loop those that were answered.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate is shown to some digits")]
    pub fn rate(&self) -> f64 {
        let seconds = if self.sending.is_zero() { self.took } else { self.sending }.as_secs_f64();
        if seconds > 0.0 { self.sent as f64 / seconds } else { 0.0 }
    }

    /// Returns the failures by what became of them, without the timeouts.
    #[must_use]
    pub fn errors(&self) -> BTreeMap<String, u64> {
        let errors = self.faults.iter().filter(|(fault, _)| **fault != Fault::Timeout);
        errors.map(|(fault, count)| (fault.to_string(), *count)).collect()
    }

    /// Returns how many requests had no response in time.
    #[must_use]
    pub fn timeouts(&self) -> u64 {
        self.faults.get(&Fault::Timeout).copied().unwrap_or_default()
    }
}

fn histogram() -> Histogram<u64> {
    // With no bound given the histogram grows by itself; three digits are among those that it takes.
    Histogram::new(DIGITS).unwrap_or_else(|_| unreachable!("{DIGITS} significant digits are allowed"))
}

/// Counts a value, for which the histogram grows; by itself `saturating_record` would cut it to what has been seen so far.
fn record(histogram: &mut Histogram<u64>, ns: u64) {
    if histogram.record(ns).is_err() {
        histogram.saturating_record(ns);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_response_among_too_many_to_keep_each_is_seen_in_full() {
        let began = Instant::now();
        let mut all = Measured::new(began);
        for number in 0..2 {
            let mut one = Measured::new(began);
            for _ in 0..=SAMPLES {
                one.add(began, began + Duration::from_micros(40), Ok(1));
            }
            let late = Duration::from_millis(200 + number);
            one.add(began, began + late, Ok(1));
            one.late(late);
            all.merge(one);
        }
        assert!(all.samples().is_empty(), "each was kept, and the histogram not asked");
        let seen = all.summary();
        assert!((201_000_000..202_000_000).contains(&seen.max), "{seen:?}");
        assert!((40_000..40_100).contains(&seen.p99), "{seen:?}");
        assert!(all.lag.max() >= 201_000_000, "{}", all.lag.max());
    }
}
