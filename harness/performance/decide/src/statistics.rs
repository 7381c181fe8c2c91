//! Paired differences, how sure they are, and which of several are real.
//!
//! Everything is deterministic: resampling draws from a generator that is seeded by the caller.

/// Of the sorted values this share is left out at each end where a centre is taken: a stall in one block is no slowdown.
const TRIMMED: f64 = 0.2;

/// A small generator of random numbers (SplitMix64), for resampling; the same seed gives the same numbers.
// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 17.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Makes a generator.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Random(seed)
    }

    /// Returns the next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number from 0 up to and without `below`, which is above 0.
    pub fn below(&mut self, below: usize) -> usize {
        // The upper half of the product (Lemire): the bias of 2^-64 * below is far under what resampling can see.
        let wide = u128::from(self.bits()) * below as u128;
        usize::try_from(wide >> 64).unwrap_or_default()
    }
}

/// What resampling tells of the centre of some values.
#[derive(Clone, Debug, PartialEq)]
pub struct Resampled {
    /// The centre of the values themselves.
    pub centre: f64,
    /// Centres of the resamples, ascending.
    centres: Vec<f64>,
}

impl Resampled {
    /// Returns the value that a share of the resampled centres does not exceed; `share` from 0 to 1.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.centres.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index of a small list"
        )]
        let place = (share.clamp(0.0, 1.0) * last as f64).round() as usize;
        self.centres.get(place).copied().unwrap_or(f64::NAN)
    }

    /// Returns the share of resampled centres that are not above `bound`: how easily chance alone would give them.
    #[must_use]
    pub fn p_not_above(&self, bound: f64) -> f64 {
        let below = self.centres.partition_point(|centre| *centre <= bound);
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let p = (below as f64 + 1.0) / (self.centres.len() as f64 + 1.0);
        p
    }
}

/// Draws `times` resamples of `values`, with replacement, and takes the centre of each. `values` is not empty.
#[must_use]
pub fn resampled(values: &[f64], times: usize, random: &mut Random) -> Resampled {
    let mut drawn = vec![0.0; values.len()];
    let mut centres: Vec<f64> = (0..times)
        .map(|_| {
            drawn.iter_mut().for_each(|value| *value = values[random.below(values.len())]);
            centre_of(&mut drawn)
        })
        .collect();
    centres.sort_unstable_by(f64::total_cmp);
    Resampled { centre: centre_of(&mut values.to_vec()), centres }
}

/// Returns the trimmed mean: the mean without the fifth of the values that is smallest and the one that is largest.
#[must_use]
pub fn centre(values: &[f64]) -> f64 {
    centre_of(&mut values.to_vec())
}

fn centre_of(values: &mut [f64]) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a part of a small length"
    )]
    let cut = (values.len() as f64 * TRIMMED) as usize;
    let kept = values.len() - 2 * cut;
    if cut > 0 {
        values.select_nth_unstable_by(cut, f64::total_cmp);
        values[cut..].select_nth_unstable_by(kept - 1, f64::total_cmp);
    }
    #[expect(clippy::cast_precision_loss, reason = "a small length")]
    let count = kept as f64;
    values[cut..cut + kept].iter().sum::<f64>() / count
}

/// Returns the chance of error that the next of several hypotheses may take, where all together may take `alpha` and
/// `found` of them were found already: what stands is shared by those that are left.
// Source: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979), with the
// hypotheses taken in the order in which they are measured: one that was not sure before a find is not asked again.
#[must_use]
pub fn holm_share(alpha: f64, hypotheses: usize, found: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let left = hypotheses.saturating_sub(found).max(1) as f64;
    alpha / left
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn the_generator_gives_its_published_numbers() {
        let mut random = Random::seeded(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn the_centre_leaves_out_a_fifth_at_each_end() {
        assert!((centre(&[-1e9, 1.0, 2.0, 3.0, 1e9]) - 2.0).abs() < 1e-12);
        assert!((centre(&[4.0, 2.0]) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_interval_of_known_values_is_as_wide_as_theory_states() {
        // 100 values spread evenly over 0..1: the standard error of their trimmed mean is about 0.034.
        let values: Vec<f64> = (0..100).map(|n| f64::from(n) / 99.0).collect();
        let resampled = resampled(&values, 4_000, &mut Random::seeded(1));
        assert!((resampled.centre - 0.5).abs() < 1e-9);
        let (low, high) = (resampled.quantile(0.05), resampled.quantile(0.95));
        assert!((0.43..0.46).contains(&low) && (0.54..0.57).contains(&high), "{low} {high}");
        assert!(resampled.p_not_above(0.3) < 0.001 && resampled.p_not_above(0.7) > 0.999);
    }

    #[test]
    fn the_same_seed_gives_the_same_response() {
        let values = [0.1, 0.4, 0.2, 0.9, 0.3];
        let one = resampled(&values, 100, &mut Random::seeded(7));
        assert_eq!(one, resampled(&values, 100, &mut Random::seeded(7)));
        assert_ne!(one, resampled(&values, 100, &mut Random::seeded(8)));
    }

    #[rstest]
    #[case(1, 0, 0.05)]
    #[case(5, 0, 0.01)]
    #[case(5, 4, 0.05)]
    #[case(0, 0, 0.05)]
    #[case(2, 7, 0.05)]
    fn those_that_are_left_share_the_chance_of_error(
        #[case] hypotheses: usize,
        #[case] found: usize,
        #[case] want: f64,
    ) {
        assert!((holm_share(0.05, hypotheses, found) - want).abs() < 1e-12);
    }
}
