//! Blocks: what was measured of one arm in one short go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which of the compared things a block was measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The release that is judged.
    Candidate,
    /// The release that it is compared with.
    Control,
    /// The control once more: what differs between it and the control is noise.
    ControlAgain,
    /// A fixed piece of work of this host, the same on each day.
    Reference,
}

/// Latencies of one block, in nanoseconds. Of requests that failed or timed out there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies {
    /// How many requests were answered well.
    pub count: u64,
    /// The quickest one.
    pub min: u64,
    /// The median.
    pub p50: u64,
    /// 90 of 100 are not above it.
    pub p90: u64,
    /// 95 of 100 are not above it.
    pub p95: u64,
    /// 99 of 100 are not above it.
    pub p99: u64,
    /// 999 of 1,000 are not above it.
    pub p999: u64,
    /// The slowest one.
    pub max: u64,
    /// The arithmetic mean.
    pub mean: u64,
}

impl Latencies {
    /// Summarises single latencies, exactly: the value at the rank `ceil(n * p)`.
    #[must_use]
    pub fn of(samples_ns: &[u64]) -> Self {
        let mut sorted = samples_ns.to_vec();
        sorted.sort_unstable();
        let (Some(min), Some(max)) = (sorted.first(), sorted.last()) else { return Latencies::default() };
        let at = |per_mille: usize| sorted[(sorted.len() * per_mille).div_ceil(1_000).max(1) - 1];
        let sum: u128 = sorted.iter().map(|ns| u128::from(*ns)).sum();
        Latencies {
            count: sorted.len() as u64,
            min: *min,
            p50: at(500),
            p90: at(900),
            p95: at(950),
            p99: at(990),
            p999: at(999),
            max: *max,
            mean: u64::try_from(sum / sorted.len() as u128).unwrap_or(u64::MAX),
        }
    }
}

/// What was measured of one arm in one short go, between blocks of the other arms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// What was asked.
    pub arm: Arm,
    /// The rotation that it belongs to, from 0: blocks of one rotation stood side by side in time and are compared.
    pub rotation: u32,
    /// When it should have begun, in microseconds from the beginning of the measurement.
    pub intended_us: u64,
    /// When it began, in microseconds from the beginning of the measurement.
    pub started_us: u64,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// Requests sent, those that failed included.
    pub sent: u64,
    /// Latencies of the good responses; in an open loop from each request's intended time.
    pub latencies: Latencies,
    /// The good responses' latencies in the order of sending, in nanoseconds; empty where they were not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples_ns: Vec<u64>,
    /// How many requests failed, by what became of them, such as `status 503` or `connection refused`. No timeouts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u64>,
    /// How many requests had no response in time.
    #[serde(default)]
    pub timeouts: u64,
    /// Bytes of all bodies that came.
    pub bytes: u64,
    /// The smallest body of a good response, in bytes.
    pub smallest: u64,
    /// The largest body of a good response, in bytes.
    pub largest: u64,
    /// Requests a second that were to be sent; `None` in a closed loop.
    pub intended_rate: Option<f64>,
    /// Requests a second that were sent.
    pub achieved_rate: f64,
    /// How late the generator itself sent a request at worst, in microseconds; 0 in a closed loop.
    pub lag_us: u64,
}

impl Block {
    /// Returns how many requests failed or timed out.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.values().sum::<u64>() + self.timeouts
    }
}

/// Returns the order in which the arms of a rotation are measured.
///
/// It turns by one arm a rotation, and every second time round it is mirrored: no arm is always the first one, or
/// always behind the same other one.
#[must_use]
pub fn order(arms: &[Arm], rotation: u32) -> Vec<Arm> {
    let mut order = arms.to_vec();
    if let Some(count) = std::num::NonZeroUsize::new(order.len()) {
        let turn = rotation as usize;
        order.rotate_left(turn % count);
        if (turn / count) % 2 == 1 {
            order.reverse();
        }
    }
    order
}

/// Returns the median of the medians of one arm's blocks, in nanoseconds; 0 where it has none.
#[must_use]
pub fn median(blocks: &[Block], arm: Arm) -> u64 {
    let medians: Vec<u64> = blocks.iter().filter(|b| b.arm == arm).map(|b| b.latencies.p50).collect();
    Latencies::of(&medians).p50
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_value_at_its_rank() {
        let latencies = Latencies::of(&(1..=200).rev().collect::<Vec<u64>>());
        assert_eq!((latencies.count, latencies.min, latencies.max), (200, 1, 200));
        assert_eq!((latencies.p50, latencies.p95, latencies.p99, latencies.p999), (100, 190, 198, 200));
        assert_eq!(Latencies::of(&[]), Latencies::default());
        assert_eq!(Latencies::of(&[7]).p50, 7);
    }

    #[test]
    fn every_arm_stands_at_every_place_equally_often() {
        let arms = [Arm::Candidate, Arm::Control, Arm::ControlAgain];
        for arm in arms {
            for place in 0..3 {
                let times = (0..6).filter(|rotation| order(&arms, *rotation)[place] == arm).count();
                assert_eq!(times, 2, "{arm:?} at {place}");
            }
        }
        assert!(order(&[], 3).is_empty());
    }
}
