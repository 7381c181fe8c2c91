//! Is a slowdown one of the release, or of the copies of it that happened to be measured?
//!
//! Two copies of one release differ for as long as they run: by where the kernel puts their processes and memory.
//! However long one pair is measured, this stays in the result. So whatever one pair leaves open is asked of other
//! pairs, each started anew: a slowdown counts only where they agree on more than their own results differ by.

use std::time::Duration;

use super::{Comparison, Judgement, MeasurementProgress, Ratio, comparison::TAIL};

/// So many pairs of copies must agree on a slowdown.
pub const PAIRS: usize = 3;
/// Student's t for two degrees of freedom, one-sided 5 %. Source: any table of its quantiles.
const T: f64 = 2.920;
/// Where the pairs leave a slowdown of more than this share possible and none sure, that is no pass.
const MOST_OPEN: f64 = 0.15;

/// How long something may be measured: a pair of copies has its part of what is left of its probe's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The time of the whole probe.
    within: Duration,
    /// What of it was used before.
    used: Duration,
    /// What of the rest falls to this pair.
    share: Duration,
}

impl Allowance {
    /// All of the time.
    #[must_use]
    pub fn whole(within: Duration) -> Self {
        Allowance { within, used: Duration::ZERO, share: within }
    }

    /// The part of the next pair, where so many were measured before it and `used` so much of the time.
    #[must_use]
    pub fn of_next(within: Duration, used: Duration, pairs: usize) -> Self {
        let left = u32::try_from(PAIRS.saturating_sub(pairs)).unwrap_or(1).max(1);
        Allowance { within, used, share: within.saturating_sub(used) / left }
    }

    /// Returns whether its time is over. While there are fewer rotations than can be judged it may use up the others' time:
    /// a pair of which nothing is known is worth nothing.
    #[must_use]
    pub fn is_over(&self, elapsed: Duration, can_be_judged: bool) -> bool {
        elapsed + self.used >= self.within || (can_be_judged && elapsed >= self.share)
    }

    /// Returns how much of the probe's time is gone.
    #[must_use]
    pub fn progress(&self, elapsed: Duration) -> MeasurementProgress {
        MeasurementProgress::Seconds((self.used + elapsed).as_secs(), self.within.as_secs())
    }
}

/// Judges a probe by the comparisons of all its pairs of copies so far; `None` where another pair is to be started.
///
/// The first pair that does not show a slowdown ends it.
#[must_use]
pub fn over_copies(pairs: &[Comparison]) -> Option<Comparison> {
    let last = pairs.last()?;
    let judged = match last.judgement {
        Judgement::NoSlower => last.clone(),
        // Its time was over before anything was known: no other pair has any left.
        Judgement::NoSamples => match pairs.iter().rfind(|pair| pair.judgement != Judgement::NoSamples) {
            Some(open) => Comparison { judgement: Judgement::Undecided, ..open.clone() },
            None => last.clone(),
        },
        _ if pairs.len() < PAIRS => return None,
        _ => together(pairs, last),
    };
    let rotations = pairs.iter().map(|pair| pair.rotations).sum();
    Some(Comparison { rotations, copies: pairs.len(), ..judged })
}

/// Judges pairs of which none was found to be no slower.
fn together(pairs: &[Comparison], last: &Comparison) -> Comparison {
    let noisy: Vec<&Comparison> = pairs.iter().filter(|pair| pair.judgement == Judgement::TooNoisy).collect();
    if let [first, _, ..] = noisy[..] {
        return first.clone();
    }
    let has = |judgement| pairs.iter().any(|pair| pair.judgement == judgement);
    let least = pairs.iter().map(|pair| pair.least).fold(0.0, f64::max);
    let p50 = Spread::of(pairs.iter().filter_map(|pair| pair.p50));
    let p95 = Spread::of(pairs.iter().filter_map(|pair| pair.p95));
    let whole = Comparison { p50: Some(p50.ratio()), p95: Some(p95.ratio()), least, ..last.clone() };
    let judged = |judgement| Comparison { judgement, ..whole.clone() };
    let of_tail = has(Judgement::SlowerTail);
    if p50.least() > least.ln_1p() {
        return judged(Judgement::Slower);
    }
    if of_tail && p95.least() > (TAIL * least).ln_1p() {
        return judged(Judgement::SlowerTail);
    }
    // One pair that was measured in noise may add to what the others agree on, and takes nothing away.
    if let [noisy] = noisy[..] {
        return noisy.clone();
    }
    // What cannot be reported from the copies' own differences does not count, and is reported.
    let tail = if of_tail { p95.most().exp_m1() / TAIL } else { 0.0 };
    let most = p50.most().exp_m1().max(tail);
    if most > MOST_OPEN {
        return judged(Judgement::CopiesDiffer);
    }
    Comparison { least: least.max(most), least_of_copies: most > least, ..judged(Judgement::NoSlower) }
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

    fn least(&self) -> f64 {
        self.mean - self.margin
    }

    fn most(&self) -> f64 {
        self.mean + self.margin
    }

    fn ratio(&self) -> Ratio {
        Ratio { estimate: self.mean.exp(), low: self.least().exp(), high: self.most().exp() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    use Judgement::{CopiesDiffer, NoSamples, NoSlower, Slower, SlowerTail, TooNoisy, Undecided};

    const SECOND: Duration = Duration::from_secs(1);

    fn pair(judgement: Judgement, estimate: f64) -> Comparison {
        let of = |estimate: f64| Some(Ratio { estimate, low: estimate - 0.01, high: estimate + 0.01 });
        let (p50, p95) = if judgement == SlowerTail { (of(1.0), of(estimate)) } else { (of(estimate), of(estimate)) };
        let (noise, p, least_of_copies) = (None, None, false);
        Comparison { judgement, p50, p95, noise, p, rotations: 24, least: 0.02, least_of_copies, copies: 1 }
    }

    fn slower(estimates: &[f64]) -> Vec<Comparison> {
        estimates.iter().map(|estimate| pair(Slower, *estimate)).collect()
    }

    #[rstest]
    #[case::slower(Slower)]
    #[case::open(Undecided)]
    #[case::noisy(TooNoisy)]
    fn one_pair_that_is_not_slower_ends_what_the_one_before_left_open(#[case] first: Judgement) {
        let mut pairs = vec![pair(first, 1.2)];
        assert_eq!(over_copies(&pairs), None);
        pairs.push(pair(NoSlower, 1.0));
        let ended = over_copies(&pairs).unwrap();
        assert_eq!((ended.judgement, ended.copies, ended.rotations), (NoSlower, 2, 48));
    }

    // Ratios of copies of the same release: recorded with the sample stack, where each alone was called slower.
    #[rstest]
    #[case::recorded(&[1.224, 1.137, 1.05], CopiesDiffer)]
    #[case::small_and_apart(&[1.06, 1.03, 1.04], NoSlower)]
    #[case::far_apart(&[1.05, 1.5, 1.1], CopiesDiffer)]
    #[case::twenty(&[1.17, 1.2, 1.22], Slower)]
    #[case::eight(&[1.07, 1.08, 1.09], Slower)]
    fn a_slowdown_counts_where_it_is_larger_than_what_copies_differ_by(
        #[case] estimates: &[f64],
        #[case] want: Judgement,
    ) {
        let ended = over_copies(&slower(estimates)).unwrap();
        assert_eq!(ended.judgement, want, "{ended:?}");
        let says_so = ended.least > 0.02 && ended.least_of_copies;
        assert!(want != NoSlower || says_so, "it says what it could not tell: {ended:?}");
    }

    #[rstest]
    #[case::recorded([(Undecided, 1.016), (Undecided, 1.018), (Undecided, 1.012)], NoSlower)]
    #[case::all_open_and_slower([(Undecided, 1.19), (Undecided, 1.2), (Undecided, 1.22)], Slower)]
    #[case::one_open([(Slower, 1.1), (Undecided, 1.08), (Slower, 1.11)], Slower)]
    #[case::open_and_far_apart([(Slower, 1.3), (Undecided, 1.02), (Slower, 1.2)], CopiesDiffer)]
    #[case::one_noisy([(Slower, 1.1), (TooNoisy, 1.12), (Slower, 1.1)], Slower)]
    #[case::one_noisy_and_open([(Slower, 1.1), (TooNoisy, 0.8), (Undecided, 1.02)], TooNoisy)]
    #[case::two_noisy([(TooNoisy, 1.1), (TooNoisy, 1.1), (Slower, 1.1)], TooNoisy)]
    #[case::tails([(SlowerTail, 1.3), (SlowerTail, 1.31), (SlowerTail, 1.29)], SlowerTail)]
    #[case::a_tail_and_slower([(Slower, 1.2), (SlowerTail, 1.2), (Slower, 1.2)], SlowerTail)]
    #[case::small_tails([(SlowerTail, 1.12), (SlowerTail, 1.13), (Undecided, 1.01)], NoSlower)]
    fn what_several_pairs_leave_open_is_judged_by_all_of_them(
        #[case] pairs: [(Judgement, f64); PAIRS],
        #[case] want: Judgement,
    ) {
        let ended = over_copies(&pairs.map(|(judgement, estimate)| pair(judgement, estimate))).unwrap();
        assert_eq!((ended.judgement, ended.copies), (want, PAIRS), "{ended:?}");
    }

    #[rstest]
    #[case::first(&[(NoSamples, 1.0)], NoSamples)]
    #[case::second(&[(Slower, 1.2), (NoSamples, 1.1)], Undecided)]
    #[case::last(&[(Slower, 1.2), (Undecided, 1.2), (NoSamples, 1.1)], Undecided)]
    fn a_pair_of_which_nothing_is_known_for_want_of_time_ends_it(
        #[case] pairs: &[(Judgement, f64)],
        #[case] want: Judgement,
    ) {
        let pairs: Vec<Comparison> = pairs.iter().map(|(judgement, estimate)| pair(*judgement, *estimate)).collect();
        let ended = over_copies(&pairs).unwrap();
        assert_eq!((ended.judgement, ended.copies), (want, pairs.len()));
        assert!(want == NoSamples || ended.p50.unwrap().estimate > 1.19, "it tells what was seen: {ended:?}");
    }

    #[test]
    fn nothing_is_judged_on_nothing() {
        assert_eq!(over_copies(&[]), None);
    }

    #[rstest]
    #[case::first(0, 0, 20)]
    #[case::first_was_quick(4, 1, 28)]
    #[case::first_took_its_share(20, 1, 20)]
    #[case::last(32, 2, 28)]
    #[case::nothing_left(60, 2, 0)]
    fn pairs_share_the_time_that_is_left(#[case] used: u32, #[case] pairs: usize, #[case] share: u32) {
        let allowance = Allowance::of_next(60 * SECOND, used * SECOND, pairs);
        let at = |elapsed| allowance.is_over(elapsed, true);
        assert!(at(share * SECOND) && (share == 0 || !at(share * SECOND - SECOND / 10)), "{allowance:?}");
        assert!(!allowance.is_over(share * SECOND, false) || used + share >= 60, "{allowance:?}");
        assert!(allowance.is_over((60 - used) * SECOND, false), "the whole time is the end: {allowance:?}");
        assert_eq!(allowance.progress(2 * SECOND), MeasurementProgress::Seconds(u64::from(used) + 2, 60));
    }
}
