//! Is the candidate slower than the control? Decided on blocks that were measured in turn, as they come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Arm, Block,
    statistics::{Random, Resampled, centre, holm_share, resampled},
};

/// Answers of two copies of one release were seen to differ by 5-15 us for as long as both ran.
const FLOOR_NS: u64 = 25_000;
/// The tail varies more than the median, so more of it has to change before it counts: so many times as much.
pub(super) const TAIL: f64 = 5.0;

/// How a comparison is decided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// A candidate that is slower by less than this share is no slower.
    pub minimum_effect: f64,
    /// A candidate whose median is slower by less than this is no slower either, in nanoseconds: where processes are
    /// placed and how they are woken makes this much between two copies of one release.
    pub floor_ns: u64,
    /// The chance of calling any probe slower that is not, over all probes of a run.
    pub alpha: f64,
    /// How many probes are compared in this run.
    pub probes: usize,
    /// How many of them were found slower before this one.
    pub found: usize,
    /// Rotations before the first look; a confirming round has at least as many.
    pub first: usize,
    /// Whether what looks slower has to be seen once more on the same copies. Others, started anew, are a better second
    /// look.
    pub confirmed: bool,
    /// Draws a resampling.
    pub resamples: usize,
    /// Where the draws begin.
    pub seed: u64,
}

impl Rules {
    /// Returns the usual rules, for a run of so many probes of which none was found slower yet.
    #[must_use]
    pub fn usual(minimum_effect: f64, probes: usize) -> Self {
        Rules {
            minimum_effect,
            floor_ns: FLOOR_NS,
            alpha: 0.05,
            probes: probes.max(1),
            found: 0,
            first: 24,
            confirmed: true,
            resamples: 2_000,
            seed: 1,
        }
    }

    /// Returns the rules for one of several pairs of copies, where so many probes were found slower before.
    #[must_use]
    pub fn of_pair(minimum_effect: f64, probes: usize, found: usize) -> Self {
        Rules { found, confirmed: false, ..Rules::usual(minimum_effect, probes) }
    }

    /// Returns whether so many rotations can be judged.
    #[must_use]
    pub fn can_judge(&self, rotations: usize) -> bool {
        rotations >= self.first
    }

    /// The least share that counts where the control takes `control_ns`.
    fn least(&self, control_ns: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "some microseconds")]
        let floor = self.floor_ns as f64 / control_ns.max(1.0);
        self.minimum_effect.max(floor)
    }

    /// The chance of error that this probe may take.
    fn share(&self) -> f64 {
        holm_share(self.alpha, self.probes, self.found)
    }
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The candidate is not slower by more than the least effect that counts.
    NoSlower,
    /// It is, and a second round or other copies confirmed it.
    Slower,
    /// Its median is not, and its slowest twentieth is, by more than five times the least effect that counts.
    SlowerTail,
    /// The time was over before either was sure.
    Undecided,
    /// The control differs from itself: this host can't tell now.
    TooNoisy,
    /// Several pairs of copies differ so much from each other that a slowdown stays possible, and none is sure.
    CopiesDiffer,
    /// Too few answers of one of the arms to say anything.
    NoSamples,
}

/// A ratio of candidate to control, with the bounds between which it lies in 90 of 100 cases; 1.1 is 10 % slower.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The best estimate.
    pub estimate: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Ratio {
    fn of(resampled: &Resampled) -> Self {
        Ratio {
            estimate: resampled.centre.exp(),
            low: resampled.quantile(0.05).exp(),
            high: resampled.quantile(0.95).exp(),
        }
    }
}

/// What is known after some rotations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What it came to.
    pub judgement: Judgement,
    /// Candidate to control, of the medians of blocks.
    pub p50: Option<Ratio>,
    /// Candidate to control, of the 95th percentiles of blocks.
    pub p95: Option<Ratio>,
    /// The control to itself: what noise alone does.
    pub noise: Option<Ratio>,
    /// How easily chance alone gives what the last confirming round saw; `None` where there was none.
    pub p: Option<f64>,
    /// Rotations that were judged.
    pub rotations: usize,
    /// The least share that counted: the configured one, or more where answers are quick or copies differ.
    #[serde(default)]
    pub least: f64,
    /// Whether that is what copies of one release differed by.
    #[serde(default)]
    pub least_of_copies: bool,
    /// How many pairs of copies were started and measured.
    #[serde(default = "one")]
    pub copies: usize,
}

fn one() -> usize {
    1
}

/// What to do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Measure until there are so many rotations.
    Measure(usize),
    /// It is decided.
    Decided(Comparison),
}

/// The paired differences of one rotation, as logarithms of ratios.
#[derive(Clone, Copy)]
struct Pair {
    p50: f64,
    p95: f64,
    noise: f64,
}

/// Decides on the blocks so far, or states how many rotations are needed for the next look.
///
/// The looks are gone through again from the first one, so that the response depends on blocks and rules alone. Where
/// `is_over`, no more can be measured.
#[must_use]
pub fn next(blocks: &[Block], rules: &Rules, is_over: bool) -> Next {
    let control = [Arm::Control, Arm::ControlAgain];
    looked(&pairs(blocks), rules, typical(blocks, &control), is_over)
}

/// The same against blocks of another day: both are divided by the reference that was measured with them, so that a
/// host that is busier today is not taken for a slower release.
///
/// Arms on both sides: candidate, control again (the candidate once more) and reference.
#[must_use]
pub fn next_stored(now: &[Block], then: &[Block], rules: &Rules, is_over: bool) -> Next {
    let then = by_reference(then);
    if then.is_empty() {
        return looked(&[], rules, 0.0, is_over);
    }
    let difference = |(place, now): (usize, Pair)| {
        // Any pairing is as good as any other one: the two were not measured side by side.
        let then = then[place % then.len()];
        Pair { p50: now.p50 - then.p50, p95: now.p95 - then.p95, noise: now.noise }
    };
    let pairs: Vec<Pair> = by_reference(now).into_iter().enumerate().map(difference).collect();
    looked(&pairs, rules, typical(now, &[Arm::Candidate]), is_over)
}

/// Returns the typical median of some arms' blocks, in nanoseconds; 0 where nothing was answered well.
fn typical(blocks: &[Block], arms: &[Arm]) -> f64 {
    let good = blocks.iter().filter(|block| arms.contains(&block.arm) && block.latencies.count > 0);
    let logs: Vec<f64> = good.map(|block| log(p50(block))).collect();
    if logs.is_empty() { 0.0 } else { centre(&logs).exp() }
}

fn looked(pairs: &[Pair], rules: &Rules, control_ns: f64, is_over: bool) -> Next {
    let mut look =
        SequentialTest { rules, least: rules.least(control_ns), pairs, suspected_at: None, tail_at: None, p: None };
    let mut at = rules.first;
    while at <= pairs.len() {
        if let Some(judgement) = look.at(at) {
            return Next::Decided(look.comparison(judgement, at));
        }
        at = look.next_after(at);
    }
    match (is_over, rules.can_judge(pairs.len())) {
        (false, _) => Next::Measure(at),
        (true, false) => Next::Decided(look.comparison(Judgement::NoSamples, pairs.len())),
        (true, true) => Next::Decided(look.last(pairs.len())),
    }
}

struct SequentialTest<'a> {
    rules: &'a Rules,
    /// The least share that counts.
    least: f64,
    pairs: &'a [Pair],
    /// Where a slowdown was first seen; what comes behind is the confirming round.
    suspected_at: Option<usize>,
    /// The same for the tail.
    tail_at: Option<usize>,
    p: Option<f64>,
}

impl SequentialTest<'_> {
    fn bound(&self) -> f64 {
        self.least.ln_1p()
    }

    fn tail_bound(&self) -> f64 {
        (TAIL * self.least).ln_1p()
    }

    fn resampled(&self, from: usize, to: usize, of: impl Fn(&Pair) -> f64) -> Resampled {
        let values: Vec<f64> = self.pairs[from..to].iter().map(of).collect();
        resampled(&values, self.rules.resamples, &mut Random::seeded(self.rules.seed ^ (to as u64)))
    }

    /// Looks at the first `at` rotations; `None` where nothing is sure.
    fn at(&mut self, at: usize) -> Option<Judgement> {
        match (self.suspected_at, self.tail_at) {
            (Some(from), _) => self.confirmed(from, at),
            (None, Some(from)) => Some(self.tail_confirmed(from, at)),
            (None, None) => self.suspected(at),
        }
    }

    fn suspected(&mut self, at: usize) -> Option<Judgement> {
        let p50 = self.resampled(0, at, |pair| pair.p50);
        if p50.quantile(0.05) > self.bound() {
            if !self.rules.confirmed {
                return self.confirmed(0, at);
            }
            self.suspected_at = Some(at);
            return None;
        }
        if p50.quantile(0.975) >= self.bound() {
            return None;
        }
        if self.resampled(0, at, |pair| pair.p95).quantile(0.005) > self.tail_bound() {
            self.tail_at = Some(at);
            return None;
        }
        Some(Judgement::NoSlower)
    }

    /// Asks what was measured from there on. Where the same copies have to confirm it, that is only what came since the
    /// slowdown was first seen.
    fn confirmed(&mut self, from: usize, at: usize) -> Option<Judgement> {
        let p = self.resampled(from, at, |pair| pair.p50).p_not_above(self.bound());
        self.p = Some(p);
        if p <= self.rules.share() {
            return Some(if self.is_noisy(at) { Judgement::TooNoisy } else { Judgement::Slower });
        }
        if p > 0.5 {
            // It was noise, and the question is open again.
            (self.suspected_at, self.p) = (None, None);
        }
        None
    }

    fn tail_confirmed(&mut self, from: usize, at: usize) -> Judgement {
        let p = self.resampled(from, at, |pair| pair.p95).p_not_above(self.tail_bound());
        match p <= self.rules.share() {
            false => Judgement::NoSlower,
            true if self.is_noisy(at) => Judgement::TooNoisy,
            true => {
                self.p = Some(p);
                Judgement::SlowerTail
            }
        }
    }

    fn next_after(&self, at: usize) -> usize {
        match (self.suspected_at, self.tail_at) {
            (Some(from), _) if from == at => at + self.rules.first,
            (None, Some(from)) if from == at => at + 2 * self.rules.first,
            _ => at + at / 2,
        }
    }

    /// Judges what there is when no more can be measured.
    fn last(&mut self, at: usize) -> Comparison {
        let first = self.rules.first;
        let can_confirm = match (self.suspected_at, self.tail_at) {
            (Some(from), _) => at - from >= first,
            (None, Some(from)) => at - from >= 2 * first,
            (None, None) => true,
        };
        let judgement = if can_confirm { self.at(at) } else { None };
        let open = if self.is_noisy(at) { Judgement::TooNoisy } else { Judgement::Undecided };
        self.comparison(judgement.unwrap_or(open), at)
    }

    /// Returns whether the control differs from itself by more than the least effect that counts.
    fn is_noisy(&self, at: usize) -> bool {
        let noise = self.resampled(0, at, |pair| pair.noise);
        let bound = self.bound();
        noise.quantile(0.005) > bound || noise.quantile(0.995) < -bound
    }

    fn comparison(&self, judgement: Judgement, at: usize) -> Comparison {
        let ratio = |of: fn(&Pair) -> f64| (at > 0).then(|| Ratio::of(&self.resampled(0, at, of)));
        Comparison {
            judgement,
            p50: ratio(|pair| pair.p50),
            p95: ratio(|pair| pair.p95),
            noise: ratio(|pair| pair.noise),
            p: self.p,
            rotations: at,
            least: self.least,
            least_of_copies: false,
            copies: 1,
        }
    }
}

/// Returns the paired differences of the rotations that have good responses of candidate and both controls, in order.
fn pairs(blocks: &[Block]) -> Vec<Pair> {
    let pair = |[candidate, control, again]: [&Block; 3]| {
        // The mean of two measurements of the control is surer than one.
        let ratio = |of: fn(&Block) -> u64| log(of(candidate)) - f64::midpoint(log(of(control)), log(of(again)));
        Pair { p50: ratio(p50), p95: ratio(p95), noise: log(p50(again)) - log(p50(control)) }
    };
    rotations(blocks, [Arm::Candidate, Arm::Control, Arm::ControlAgain]).map(pair).collect()
}

/// Returns the differences of candidate and reference.
fn by_reference(blocks: &[Block]) -> Vec<Pair> {
    let pair = |[candidate, again, reference]: [&Block; 3]| {
        let ratio = |of: fn(&Block) -> u64| f64::midpoint(log(of(candidate)), log(of(again))) - log(p50(reference));
        Pair { p50: ratio(p50), p95: ratio(p95), noise: log(p50(again)) - log(p50(candidate)) }
    };
    rotations(blocks, [Arm::Candidate, Arm::ControlAgain, Arm::Reference]).map(pair).collect()
}

fn p50(block: &Block) -> u64 {
    block.latencies.p50
}

fn p95(block: &Block) -> u64 {
    block.latencies.p95
}

#[expect(clippy::cast_precision_loss, reason = "latencies are far below 2^52 ns")]
fn log(ns: u64) -> f64 {
    (ns.max(1) as f64).ln()
}

/// Returns the rotations that have a block with good responses of each of three arms.
fn rotations(blocks: &[Block], arms: [Arm; 3]) -> impl Iterator<Item = [&Block; 3]> {
    let mut rows: BTreeMap<u32, [Option<&Block>; 3]> = BTreeMap::new();
    for block in blocks.iter().filter(|block| block.latencies.count > 0) {
        if let Some(place) = arms.iter().position(|arm| *arm == block.arm) {
            rows.entry(block.rotation).or_default()[place] = Some(block);
        }
    }
    rows.into_values().filter_map(|[one, two, three]| Some([one?, two?, three?]))
}
