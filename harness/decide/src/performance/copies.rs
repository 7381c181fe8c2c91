//! Is a slowdown one of the release, or of the copies of it that happened to be measured?
//!
//! Two copies of one release differ for as long as they run: by where the kernel puts their processes and memory.
//! However long one pair is measured, this stays in the result. So a slowdown counts only where several pairs of
//! copies, each started anew, have it, and where it is larger than what their results differ by.

use super::{Comparison, Judgement, Ratio, comparison::TAIL};

/// So many pairs of copies must agree on a slowdown.
pub const PAIRS: usize = 3;
/// Student's t for two degrees of freedom, one-sided 5 %. Source: any table of its quantiles.
const T: f64 = 2.920;
/// Where the pairs leave a slowdown of more than this share possible and none sure, that is no pass.
const MOST_OPEN: f64 = 0.15;

/// Judges a probe by the comparisons of all its pairs of copies so far; `None` where another pair is to be started.
///
/// The first pair that does not show a slowdown ends it.
#[must_use]
pub fn over_copies(pairs: &[Comparison]) -> Option<Comparison> {
    let last = pairs.last()?;
    let rotations = pairs.iter().map(|pair| pair.rotations).sum();
    if !is_slower(last) {
        return Some(Comparison { rotations, copies: pairs.len(), ..last.clone() });
    }
    if pairs.len() < PAIRS {
        return None;
    }
    let of_median = pairs.iter().all(|pair| pair.judgement == Judgement::Slower);
    let p50 = Spread::of(pairs.iter().filter_map(|pair| pair.p50));
    let p95 = Spread::of(pairs.iter().filter_map(|pair| pair.p95));
    let (spread, times) = if of_median { (&p50, 1.0) } else { (&p95, TAIL) };
    let least = pairs.iter().map(|pair| pair.least).fold(0.0, f64::max);
    let is_sure = spread.mean - spread.margin > (times * least).ln_1p();
    let most = (spread.mean + spread.margin).exp_m1() / times;
    let judgement = match (is_sure, of_median) {
        (true, true) => Judgement::Slower,
        (true, false) => Judgement::SlowerTail,
        (false, _) if most > MOST_OPEN => Judgement::TooNoisy,
        (false, _) => Judgement::NoSlower,
    };
    // What cannot be told from the copies' own differences does not count, and is said.
    let grown = if is_sure { least } else { least.max(most) };
    let ratio = |spread: &Spread| Some(spread.ratio());
    let (p50, p95) = (ratio(&p50), ratio(&p95));
    let copies = pairs.len();
    Some(Comparison { judgement, p50, p95, noise: last.noise, p: last.p, rotations, least: grown, copies })
}

fn is_slower(pair: &Comparison) -> bool {
    matches!(pair.judgement, Judgement::Slower | Judgement::SlowerTail)
}

/// What the pairs found, as logarithms: their mean, and how far it may be off for what they differ by.
struct Spread {
    mean: f64,
    margin: f64,
}

impl Spread {
    fn of(ratios: impl Iterator<Item = Ratio>) -> Self {
        let logs: Vec<f64> = ratios.map(|ratio| ratio.estimate.ln()).collect();
        #[expect(clippy::cast_precision_loss, reason = "a handful of pairs")]
        let count = logs.len() as f64;
        let mean = logs.iter().sum::<f64>() / count;
        let squares: f64 = logs.iter().map(|log| (log - mean).powi(2)).sum();
        let deviation = (squares / (count - 1.0)).sqrt();
        Spread { mean, margin: T * deviation / count.sqrt() }
    }

    fn ratio(&self) -> Ratio {
        let at = |log: f64| log.exp();
        Ratio { estimate: at(self.mean), low: at(self.mean - self.margin), high: at(self.mean + self.margin) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn pair(judgement: Judgement, estimate: f64) -> Comparison {
        let ratio = Some(Ratio { estimate, low: estimate - 0.01, high: estimate + 0.01 });
        Comparison { judgement, p50: ratio, p95: ratio, noise: None, p: None, rotations: 24, least: 0.02, copies: 1 }
    }

    fn slower(estimates: &[f64]) -> Vec<Comparison> {
        estimates.iter().map(|estimate| pair(Judgement::Slower, *estimate)).collect()
    }

    #[test]
    fn one_pair_that_is_not_slower_ends_it() {
        let mut pairs = slower(&[1.2]);
        assert_eq!(over_copies(&pairs), None);
        pairs.push(pair(Judgement::NoSlower, 1.0));
        let ended = over_copies(&pairs).unwrap();
        assert_eq!((ended.judgement, ended.copies, ended.rotations), (Judgement::NoSlower, 2, 48));
    }

    // Ratios of copies of the same release: recorded with the sample stack, where each alone was called slower.
    #[rstest]
    #[case::recorded(&[1.224, 1.137, 1.05], Judgement::TooNoisy)]
    #[case::small_and_apart(&[1.06, 1.03, 1.04], Judgement::NoSlower)]
    #[case::far_apart(&[1.05, 1.5, 1.1], Judgement::TooNoisy)]
    #[case::twenty(&[1.17, 1.2, 1.22], Judgement::Slower)]
    #[case::eight(&[1.07, 1.08, 1.09], Judgement::Slower)]
    fn a_slowdown_counts_where_it_is_larger_than_what_copies_differ_by(
        #[case] estimates: &[f64],
        #[case] want: Judgement,
    ) {
        let ended = over_copies(&slower(estimates)).unwrap();
        assert_eq!(ended.judgement, want, "{ended:?}");
        assert!(want != Judgement::NoSlower || ended.least > 0.02, "it says what it could not tell: {ended:?}");
    }

    #[test]
    fn nothing_is_judged_on_nothing() {
        assert_eq!(over_copies(&[]), None);
    }
}
