//! Does a probe keep its absolute limits?

use super::{Block, Probe};
use stagegate_base::{finding::Finding, record::Outcome, text::counted, units::Span};
use std::time::Duration;

/// A generator that sends less than this share of what was meant has measured another load than the one meant.
const KEPT: f64 = 0.95;

/// Judges one measured stretch by the limits of its probe.
///
/// Without samples, with too few for a limit, or where the generator could not keep the rate, the response is that the
/// question could not be asked; only errors are a failure.
#[must_use]
pub fn budget(probe: &Probe, block: &Block) -> Outcome {
    if block.sent == 0 {
        return Outcome::Broken("no request was sent: nothing was measured".to_owned());
    }
    if block.latencies.count == 0 {
        return Outcome::fail(format!("0 of {} succeeded: {}", counted(block.sent, "request"), faults(block)));
    }
    let (late, errors) = (late(block), errors(probe, block));
    if let (Some(reason), None) = (&late, &errors) {
        // However slow the responses were: that was another load than the one that has limits.
        return Outcome::Broken(reason.clone());
    }
    let findings: Vec<Finding> = latencies(probe, block).chain(errors).collect();
    if !findings.is_empty() {
        let first = &findings[0];
        let message = format!("{} is {}, above its limit of {}", first.place.object, first.found, first.expected);
        return Outcome::Fail { message, findings, evidence: Vec::new(), hint: late };
    }
    match too_few(probe, block) {
        Some(reason) => Outcome::Broken(reason),
        None => Outcome::Pass(summary(block)),
    }
}

/// Writes what was measured in one line.
#[must_use]
pub fn summary(block: &Block) -> String {
    let l = &block.latencies;
    let failed = match block.failed() {
        0 => "no errors".to_owned(),
        _ => faults(block),
    };
    format!(
        "p50 {}, p95 {}, p99 {}, max {} of {} requests at {}/s, {failed}",
        time(l.p50),
        time(l.p95),
        time(l.p99),
        time(l.max),
        block.sent,
        rate(block.achieved_rate)
    )
}

fn rate(per_second: f64) -> String {
    if per_second >= 9.95 { format!("{per_second:.0}") } else { format!("{per_second:.1}") }
}

/// Writes nanoseconds with three digits and a unit.
#[must_use]
pub fn time(ns: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let ns = ns as f64;
    let (value, unit) = match ns {
        ns if ns >= 1e9 => (ns / 1e9, "s"),
        ns if ns >= 1e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e3, "us"),
    };
    match value {
        v if v >= 100.0 => format!("{v:.0} {unit}"),
        v if v >= 10.0 => format!("{v:.1} {unit}"),
        v => format!("{v:.2} {unit}"),
    }
}

/// Writes what failed, the most frequent one first.
#[must_use]
pub fn faults(block: &Block) -> String {
    let mut kinds: Vec<(&str, u64)> = block.errors.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    if block.timeouts > 0 {
        kinds.push(("no response in time", block.timeouts));
    }
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let reported: Vec<String> = kinds.iter().take(3).map(|(kind, count)| format!("{kind} ({count})")).collect();
    if reported.is_empty() { "no errors".to_owned() } else { reported.join(", ") }
}

/// Each percentile with its limit, its value, and the least number of samples in which it means something.
fn measured(probe: &Probe, block: &Block) -> [(&'static str, Option<Span>, u64, u64); 6] {
    let (limits, l) = (&probe.limits, &block.latencies);
    [
        ("p50", limits.p50, l.p50, 10),
        ("p90", limits.p90, l.p90, 10),
        ("p95", limits.p95, l.p95, 20),
        ("p99", limits.p99, l.p99, 100),
        ("p999", limits.p999, l.p999, 1_000),
        ("max", limits.max, l.max, 1),
    ]
}

fn latencies(probe: &Probe, block: &Block) -> impl Iterator<Item = Finding> {
    measured(probe, block).into_iter().filter_map(|(at, limit, found, _)| {
        let limit = limit?;
        (Duration::from_nanos(found) > limit.0).then(|| Finding::differs(at.to_owned(), limit.to_string(), time(found)))
    })
}

fn errors(probe: &Probe, block: &Block) -> Option<Finding> {
    let limit = probe.limits.error_rate?;
    #[expect(clippy::cast_precision_loss, reason = "a share is shown with two digits")]
    let share = block.failed() as f64 / block.sent as f64;
    (share > limit.0).then(|| {
        Finding::differs("error rate", limit.to_string(), format!("{:.2}% ({})", share * 100.0, faults(block)))
    })
}

/// States where the load was another one than the one meant: its latencies are the generator's then, not the service's.
fn late(block: &Block) -> Option<String> {
    let meant = block.intended_rate?;
    (block.achieved_rate < KEPT * meant).then(|| {
        format!(
            "this host sent {} of {} requests per second (up to {} late); lower `rate`, or measure \
             from a host with more free CPU",
            rate(block.achieved_rate),
            rate(meant),
            time(block.lag_us.saturating_mul(1_000))
        )
    })
}

fn too_few(probe: &Probe, block: &Block) -> Option<String> {
    let count = block.latencies.count;
    let lacking = measured(probe, block).into_iter().find(|(_, limit, _, least)| limit.is_some() && count < *least);
    lacking.map(|(at, _, _, needed)| {
        format!("{at} needs {needed} samples, and {count} were measured; raise `duration` or `samples`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arm, Budget, Latencies, Limits, Load, ResourceLimits, Target};
    use rstest::rstest;
    use stagegate_base::units::Share;

    fn probe() -> Probe {
        let span = |millis| Some(Span(Duration::from_millis(millis)));
        Probe {
            name: "orders".to_owned(),
            target: Target::Sql { database: "main".to_owned(), sql: "SELECT 1".to_owned() },
            load: Load::Rate(50.0),
            warm_up: Span(Duration::ZERO),
            budget: Budget::Samples(100),
            compare_within: Span(Duration::from_secs(60)),
            timeout: Span(Duration::from_secs(5)),
            limits: Limits { p95: span(10), p99: span(20), error_rate: Some(Share(0.01)), ..Limits::default() },
            resources: ResourceLimits::default(),
            minimum_effect: Share(0.02),
            grow: stagegate_base::config::Growth::default(),
        }
    }

    fn block(count: u64, p95_ms: u64, failed: u64) -> Block {
        let p95 = p95_ms * 1_000_000;
        Block {
            arm: Arm::Candidate,
            rotation: 0,
            intended_us: 0,
            started_us: 0,
            took_us: 2_000_000,
            sent: count + failed,
            latencies: Latencies {
                count,
                min: 1_000,
                p50: 2_000_000,
                p90: p95,
                p95,
                p99: p95,
                p999: p95,
                max: p95,
                mean: 2_000_000,
            },
            samples_ns: Vec::new(),
            errors: (failed > 0).then(|| ("status 503".to_owned(), failed)).into_iter().collect(),
            timeouts: 0,
            bytes: 0,
            smallest: 0,
            largest: 0,
            intended_rate: Some(50.0),
            achieved_rate: 50.0,
            lag_us: 0,
        }
    }

    #[test]
    fn what_keeps_every_limit_passes_and_reports_its_figures() {
        let outcome = budget(&probe(), &block(200, 9, 1));
        let want = "p50 2.00 ms, p95 9.00 ms, p99 9.00 ms, max 9.00 ms of 201 requests at 50/s, status 503 (1)";
        assert_eq!(outcome, Outcome::Pass(want.to_owned()));
    }

    #[rstest]
    #[case::slow(block(200, 11, 0), "p95 is 11.0 ms, above its limit of 10ms")]
    #[case::errors(block(200, 9, 10), "error rate is 4.76% (status 503 (10)), above its limit of 1%")]
    #[case::only_errors(block(0, 0, 50), "0 of 50 requests succeeded: status 503 (50)")]
    fn what_breaks_a_limit_fails(#[case] block: Block, #[case] want: &str) {
        let Outcome::Fail { message, .. } = budget(&probe(), &block) else { panic!("it passed") };
        assert_eq!(message, want);
    }

    #[rstest]
    #[case::nothing(block(0, 0, 0), "no request was sent")]
    #[case::few(block(99, 9, 0), "p99 needs 100 samples, and 99 were measured")]
    #[case::late_and_slow(Block { achieved_rate: 40.0, ..block(200, 900, 0) }, "sent 40 of 50 requests per second")]
    #[case::late(Block { achieved_rate: 40.0, lag_us: 3_000, ..block(200, 9, 0) }, "sent 40 of 50 requests per second (up to 3.00 ms late)")]
    fn what_was_not_measured_is_never_a_pass(#[case] block: Block, #[case] want: &str) {
        let Outcome::Broken(reason) = budget(&probe(), &block) else { panic!("it was judged") };
        assert!(reason.contains(want), "{reason}");
    }
}
