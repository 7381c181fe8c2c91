//! What criterion measured, as its files say it.
//!
//! Criterion measures and keeps; whether a release is slower is decided by [`next`](super::next) and by nothing here.
//! In: the texts of its files. Out: estimates, and blocks to draw. No clock, no I/O.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Arm, Block, Latencies, plot::duration};

/// What criterion estimates, with its interval of 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate: nanoseconds, or a share where it is one of a change.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// What was asked for one probe while criterion measured it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCounts {
    /// Requests that were sent.
    pub sent: u64,
    /// How many of them failed.
    pub failed: u64,
    /// What failed, such as `status 503`; empty where nothing did.
    pub reasons: String,
}

/// One probe as criterion keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CriterionResult {
    /// The probe.
    pub probe: String,
    /// The mean time of a request in nanoseconds; `None` where no request was answered well.
    pub mean: Option<Estimate>,
    /// The change of the mean against a baseline, as a share; `None` where there was no baseline.
    pub change: Option<Estimate>,
    /// What was asked.
    pub requests: RequestCounts,
}

impl CriterionResult {
    /// States it in one line, without the probe's name; `baseline` is the name of what was compared with.
    #[must_use]
    pub fn words(&self, baseline: Option<&str>) -> String {
        let RequestCounts { sent, failed, reasons } = &self.requests;
        let Some(mean) = self.mean else {
            return format!("criterion measured nothing: {failed} of {sent} requests failed ({reasons})");
        };
        let [value, low, high] = [mean.value, mean.low, mean.high].map(duration);
        let mut words = format!("criterion: mean {value} ({low} to {high})");
        let percent = |share: f64| 100.0 * share;
        match (self.change, baseline) {
            (Some(Estimate { value, low, high }), Some(name)) => words.push_str(&format!(
                ", {:+.1} % ({:+.1} to {:+.1}) against `{name}`",
                percent(value),
                percent(low),
                percent(high)
            )),
            (None, Some(name)) => words.push_str(&format!(", no baseline `{name}` of this probe")),
            (_, None) => {}
        }
        if *failed > 0 {
            words.push_str(&format!("; {failed} of {sent} requests failed ({reasons}) and are not included"));
        }
        words
    }
}

#[derive(Deserialize)]
struct Estimates {
    mean: RawEstimate,
}

#[derive(Deserialize)]
struct RawEstimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

#[derive(Deserialize)]
struct BenchmarkId {
    full_id: String,
}

#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

/// Reads the mean from a text of `estimates.json`; `None` where it is no such text.
#[must_use]
pub fn mean(estimates: &str) -> Option<Estimate> {
    let Estimates { mean } = serde_json::from_str(estimates).ok()?;
    let Interval { lower_bound: low, upper_bound: high } = mean.confidence_interval;
    Some(Estimate { value: mean.point_estimate, low, high })
}

/// Reads the true name of a benchmark from a text of `benchmark.json`: its folder's name is made of it, and may differ.
#[must_use]
pub fn name(benchmark: &str) -> Option<String> {
    serde_json::from_str::<BenchmarkId>(benchmark).ok().map(|id| id.full_id)
}

/// Makes blocks to draw of two texts of `sample.json`: what was measured now, and the baseline where there is one.
///
/// Each sample of criterion is a block; it holds the mean time of its requests.
#[must_use]
pub fn blocks(now: &str, then: Option<&str>) -> Vec<Block> {
    let of = |text: &str, arm| match serde_json::from_str::<Sample>(text) {
        Ok(sample) => sampled(&sample, arm),
        Err(_) => Vec::new(),
    };
    let mut blocks = of(now, Arm::Candidate);
    blocks.extend(then.map(|then| of(then, Arm::Control)).unwrap_or_default());
    blocks
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds and counts, never negative")]
fn sampled(sample: &Sample, arm: Arm) -> Vec<Block> {
    let mut started_us = 0;
    let block = |(rotation, (iterations, ns)): (u32, (&f64, &f64))| {
        let mean = (ns / iterations.max(1.0)) as u64;
        let took_us = (ns / 1e3) as u64;
        let block = Block {
            arm,
            rotation,
            intended_us: started_us,
            started_us,
            took_us,
            sent: *iterations as u64,
            latencies: Latencies::of(&[mean]),
            samples_ns: vec![mean],
            errors: BTreeMap::new(),
            timeouts: 0,
            bytes: 0,
            smallest: 0,
            largest: 0,
            intended_rate: None,
            achieved_rate: 1e9 / (mean.max(1) as f64),
            lag_us: 0,
        };
        started_us += took_us;
        block
    };
    (0..).zip(sample.iters.iter().zip(&sample.times)).map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Criterion 0.8.2 wrote these.
    const ESTIMATES: &str = r#"{"mean":{"confidence_interval":{"confidence_level":0.95,"lower_bound":1185000.5,
        "upper_bound":1270000.0},"point_estimate":1230000.0,"standard_error":21000.0},"median":{"confidence_interval":
        {"confidence_level":0.95,"lower_bound":1.0,"upper_bound":2.0},"point_estimate":1.5,"standard_error":0.1},
        "slope":null}"#;
    const BENCHMARK: &str = r#"{"group_id":"GET /","function_id":null,"value_str":null,"throughput":null,
        "full_id":"GET /","directory_name":"GET _","title":"GET /"}"#;

    fn result(change: Option<Estimate>, failed: u64) -> CriterionResult {
        let reasons = if failed > 0 { "status 503".to_owned() } else { String::new() };
        CriterionResult {
            probe: "orders".into(),
            mean: mean(ESTIMATES),
            change,
            requests: RequestCounts { sent: 400, failed, reasons },
        }
    }

    #[test]
    fn a_mean_is_reported_with_its_interval_and_its_change() {
        assert_eq!(result(None, 0).words(None), "criterion: mean 1.23 ms (1.19 ms to 1.27 ms)");
        let change = Some(Estimate { value: 0.031, low: -0.01, high: 0.072 });
        assert_eq!(
            result(change, 3).words(Some("v1")),
            "criterion: mean 1.23 ms (1.19 ms to 1.27 ms), +3.1 % (-1.0 to +7.2) against `v1`; \
             3 of 400 requests failed (status 503) and are not included"
        );
    }

    #[test]
    fn what_is_not_there_is_printed_and_never_a_figure() {
        assert!(result(None, 0).words(Some("v1")).ends_with("no baseline `v1` of this probe"));
        let nothing = CriterionResult { mean: None, ..result(None, 400) };
        assert_eq!(nothing.words(Some("v1")), "criterion measured nothing: 400 of 400 requests failed (status 503)");
        assert_eq!((mean("{}"), name("no json")), (None, None));
        assert!(blocks("", None).is_empty());
    }

    #[test]
    fn a_benchmark_is_known_by_its_id_and_not_by_its_folder() {
        assert_eq!(name(BENCHMARK).as_deref(), Some("GET /"));
    }

    #[test]
    fn each_sample_is_a_block_with_the_mean_of_its_requests() {
        let now = r#"{"sampling_mode":"Linear","iters":[10.0,20.0],"times":[1e7,4e7]}"#;
        let then = r#"{"sampling_mode":"Linear","iters":[10.0],"times":[2e7]}"#;
        let blocks = blocks(now, Some(then));
        let reported: Vec<(Arm, u64, u64)> = blocks.iter().map(|b| (b.arm, b.started_us, b.latencies.p50)).collect();
        assert_eq!(
            reported,
            [(Arm::Candidate, 0, 1_000_000), (Arm::Candidate, 10_000, 2_000_000), (Arm::Control, 0, 2_000_000)]
        );
    }
}
