//! Whether the new container of a canary is as good as the earlier one, from what both did at the same time.
//!
//! Errors are compared by a sequential test: with each request the evidence grows for one of two hypotheses, that the new
//! container fails as often as the earlier one, or that it fails `MARGIN` more often. What is undecided is never passed.
// Source: A. Wald, Sequential tests of statistical hypotheses (1945). The error rates below were chosen by the simulations of
// this module's tests: 200 releases that are as good as the live one, at several rates of errors and with bursts of them.

use std::fmt;

use stagegate_base::text::counted;

/// How much more often than the earlier container a new one fails that is to be found: 1.5 % of the requests.
const MARGIN: f64 = 0.015;
/// The rate of errors that counts as none.
const FLOOR: f64 = 0.001;
/// How often a release that is as good may be stopped, by the theory of the test.
const FALSE_STOP: f64 = 0.002;
/// How often a release that fails so much more often may pass, by the theory of the test.
const FALSE_PASS: f64 = 0.005;
/// One failed request decides nothing.
const MIN_ERRORS: u64 = 2;
/// Times are compared from so many requests on, since a slow one among few moves a mean.
const MIN_TIMED: u64 = 200;
/// A mean time of so many milliseconds more, and twice the earlier container's, is too slow.
const SLOWER_MS: u64 = 100;

/// What a container did since the canary began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Requests that ended.
    pub requests: u64,
    /// Those that failed: a status from 500 on, no connection, no response.
    pub errors: u64,
    /// The mean time of the latest responses, in milliseconds.
    pub time_ms: u64,
}

/// What both containers did at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// The earlier container.
    pub old: Side,
    /// The new one.
    pub new: Side,
}

impl fmt::Display for Sides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (new, requests) = (self.new, counted(self.new.requests, "request"));
        write!(f, "{} of {requests} to the new container failed ({}), ", new.errors, percent(new))?;
        write!(f, "to the earlier one {} of {} ({})", self.old.errors, self.old.requests, percent(self.old))
    }
}

/// What follows for the step of a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The new container is worse, and why.
    Stop(String),
    /// It gets more of the requests; after the last step all of them.
    Continue,
    /// There is too little to decide it, and what is missing.
    Undecided(String),
}

/// Compares both containers: `before` are their counters as the step began, `now` those of this moment.
///
/// `min` is the number of requests that each has to have in the step; `is_last` tells that all requests follow.
#[must_use]
pub fn judgement(before: &Sides, now: &Sides, min: u64, is_last: bool) -> Judgement {
    let (old, new) = (now.old, now.new);
    let seen = |before: Side, now: Side| now.requests.saturating_sub(before.requests);
    let (old_seen, new_seen) = (seen(before.old, old), seen(before.new, new));
    // Without a baseline it is unknown how often the earlier container fails now.
    if old.requests >= min && new.errors >= MIN_ERRORS && evidence(old, new) >= upper() {
        return Judgement::Stop(now.to_string());
    }
    if old.requests.min(new.requests) >= MIN_TIMED && new.time_ms > (2 * old.time_ms).max(old.time_ms + SLOWER_MS) {
        let (new, old) = (new.time_ms, old.time_ms);
        return Judgement::Stop(format!("a response took {new} ms on average, {old} ms of the earlier one"));
    }
    if old_seen < min || new_seen < min {
        return Judgement::Undecided(format!(
            "{new_seen} of {min} requests to the new container, {old_seen} to the earlier one"
        ));
    }
    if is_last && evidence(old, new) > lower() {
        return Judgement::Undecided(format!("{now}: too few to decide"));
    }
    Judgement::Continue
}

fn percent(side: Side) -> String {
    format!("{:.1} %", rate(side.errors, side.requests) * 100.0)
}

/// Returns the logarithm of how much likelier the new container's errors are if it fails more often than if it does not.
fn evidence(old: Side, new: Side) -> f64 {
    // One error more than were seen: a baseline of few requests is no proof that there are none.
    let as_before = rate(old.errors + 1, old.requests + 1).clamp(FLOOR, 1.0 - 2.0 * MARGIN);
    let worse = as_before + MARGIN;
    let good = new.requests.saturating_sub(new.errors);
    float(new.errors) * (worse / as_before).ln() + float(good) * ((1.0 - worse) / (1.0 - as_before)).ln()
}

fn upper() -> f64 {
    ((1.0 - FALSE_PASS) / FALSE_STOP).ln()
}

fn lower() -> f64 {
    (FALSE_PASS / (1.0 - FALSE_STOP)).ln()
}

fn rate(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { float(part) / float(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "counters of requests stay far below 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// A generator of numbers below 1, the same for the same seed.
    // Source: S. Vigna, splitmix64.
    struct Dice(u64);

    impl Dice {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            float((z ^ (z >> 31)) >> 11) / float(1 << 53)
        }
    }

    /// How a canary of 5, 25 and 50 percent ends, with the requests that were made until then, and those to the new container.
    fn canary(seed: u64, errors: impl Fn(u64) -> (f64, f64)) -> (&'static str, u64, u64) {
        let (mut dice, mut now, mut made) = (Dice(seed), Sides::default(), 0);
        for (at, percent) in [5.0, 25.0, 50.0].into_iter().enumerate() {
            let before = now;
            loop {
                for _ in 0..12 {
                    made += 1;
                    let (old_rate, new_rate) = errors(made);
                    let is_new = dice.next() * 100.0 < percent;
                    let (side, rate) = if is_new { (&mut now.new, new_rate) } else { (&mut now.old, old_rate) };
                    side.requests += 1;
                    side.errors += u64::from(dice.next() < rate);
                }
                match judgement(&before, &now, 50, at == 2) {
                    Judgement::Stop(_) => return ("stopped", made, now.new.requests),
                    Judgement::Continue => break,
                    Judgement::Undecided(_) if made > 30_000 => return ("undecided", made, now.new.requests),
                    Judgement::Undecided(_) => {}
                }
            }
        }
        ("passed", made, now.new.requests)
    }

    #[rstest]
    #[case::none(|_| (0.0, 0.0))]
    #[case::few(|_| (0.005, 0.005))]
    #[case::some(|_| (0.02, 0.02))]
    #[case::bursts(|made| if (made / 200) % 5 == 0 { (0.1, 0.1) } else { (0.0, 0.0) })]
    fn of_200_releases_that_are_as_good_at_most_two_are_stopped(#[case] errors: fn(u64) -> (f64, f64)) {
        let ends: Vec<_> = (0..200).map(|seed| canary(seed, errors).0).collect();
        let of = |end| ends.iter().filter(|found| **found == end).count();
        assert!(of("stopped") <= 2 && of("passed") >= 190, "{} stopped, {} passed", of("stopped"), of("passed"));
    }

    #[test]
    fn a_release_with_two_percent_errors_is_stopped_within_2000_requests() {
        let ends: Vec<_> = (0..200).map(|seed| canary(seed, |_| (0.0, 0.02))).collect();
        assert!(ends.iter().all(|(end, _, to_new)| *end == "stopped" && *to_new <= 2_000), "{ends:?}");
        let soon = ends.iter().filter(|(_, made, _)| *made <= 2_000).count();
        assert!(soon >= 190, "{soon} of 200 within 2,000 requests of both containers together");
    }

    #[test]
    fn what_is_too_little_is_undecided_however_good_it_is() {
        let side = |requests, errors| Side { requests, errors, time_ms: 5 };
        let before = Sides::default();
        let now = Sides { old: side(900, 0), new: side(49, 0) };
        assert!(matches!(judgement(&before, &now, 50, false), Judgement::Undecided(why) if why.contains("49 of 50")));
        let now = Sides { old: side(900, 0), new: side(60, 0) };
        assert_eq!(judgement(&before, &now, 50, false), Judgement::Continue);
        assert!(matches!(judgement(&before, &now, 50, true), Judgement::Undecided(_)), "60 are too few for the end");
        let now = Sides { old: side(0, 0), new: side(900, 0) };
        assert!(matches!(judgement(&before, &now, 50, true), Judgement::Undecided(_)), "there is no baseline");
    }

    #[test]
    fn errors_and_times_are_reported_of_both_containers() {
        let side = |requests, errors, time_ms| Side { requests, errors, time_ms };
        let stopped = |old, new| match judgement(&Sides::default(), &Sides { old, new }, 50, false) {
            Judgement::Stop(why) => why,
            other => panic!("{other:?}"),
        };
        let why = stopped(side(950, 1, 5), side(50, 5, 5));
        assert_eq!(why, "5 of 50 requests to the new container failed (10.0 %), to the earlier one 1 of 950 (0.1 %)");
        let why = stopped(side(950, 0, 40), side(200, 0, 141));
        assert_eq!(why, "a response took 141 ms on average, 40 ms of the earlier one");
        let now = Sides { old: side(950, 0, 40), new: side(200, 0, 139) };
        assert_eq!(judgement(&Sides::default(), &now, 50, false), Judgement::Continue);
    }
}
