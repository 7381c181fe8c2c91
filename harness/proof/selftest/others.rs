//! What simpler rules say of the same rounds: a mean or a 95th percentile that is 10 % higher, and criterion's estimate
//! of a change.

use stagegate_performance_decide::{Latencies, statistics::Random};

/// Draws of criterion's resampling here; criterion itself draws 100,000, which moves no verdict of this size.
const DRAWS: usize = 2_000;

/// A rule: does it call the first arm slower than the second one? Each arm as its blocks' latencies in nanoseconds.
pub(crate) type Rule = fn(&[Vec<u64>], &[Vec<u64>]) -> bool;

pub(crate) const RULES: [(&str, Rule); 3] = [
    ("criterion's estimate of the change", criterion),
    ("mean > +10 %", |new, old| mean(&new.concat()) > 1.1 * mean(&old.concat())),
    ("p95 > +10 %", |new, old| p95(new) > 1.1 * p95(old)),
];

fn mean(ns: &[u64]) -> f64 {
    ns.iter().sum::<u64>() as f64 / ns.len() as f64
}

fn p95(blocks: &[Vec<u64>]) -> f64 {
    Latencies::of(&blocks.concat()).p95 as f64
}

/// Criterion's rule with its defaults: a t-test on resampled means with p < 0.05, and the whole 95 % interval of the
/// relative change of the mean above 1 %. A sample is the mean of a block.
// Source: criterion 0.8, book/src/analysis.md, "Comparison": mixed resampling for t, two-sample for the change.
fn criterion(new: &[Vec<u64>], old: &[Vec<u64>]) -> bool {
    let means = |blocks: &[Vec<u64>]| blocks.iter().map(|block| mean(block)).collect::<Vec<f64>>();
    let (new, old) = (means(new), means(old));
    let mut random = Random::seeded(1);
    let mut draw =
        |values: &[f64], count: usize| -> Vec<f64> { (0..count).map(|_| values[random.below(values.len())]).collect() };
    let observed = t(&new, &old).abs();
    let all = [new.as_slice(), old.as_slice()].concat();
    let extreme = (0..DRAWS).filter(|_| t(&draw(&all, new.len()), &draw(&all, old.len())).abs() > observed).count();
    let mut changes: Vec<f64> =
        (0..DRAWS).map(|_| average(&draw(&new, new.len())) / average(&draw(&old, old.len())) - 1.0).collect();
    changes.sort_by(f64::total_cmp);
    (extreme as f64) < 0.05 * DRAWS as f64 && changes[DRAWS / 40] > 0.01
}

/// Welch's t.
fn t(a: &[f64], b: &[f64]) -> f64 {
    (average(a) - average(b)) / (variance(a) / a.len() as f64 + variance(b) / b.len() as f64).sqrt()
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let middle = average(values);
    values.iter().map(|value| (value - middle).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}
