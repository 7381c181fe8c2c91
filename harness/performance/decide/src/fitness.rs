//! Can two arms be compared at all? Answers that fail, or are other responses, say nothing about speed.

use serde::{Deserialize, Serialize};

use super::{Arm, Block, budget::faults};

/// What is quicker than this is mostly the clock, the loop and the kernel.
const GRAIN_NS: u64 = 2_000;
/// So many more of 1,000 requests may fail than of the control's before it counts.
const MORE_FAILURES: u64 = 5;

/// Why the latencies of two arms cannot be compared, or only with care.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Unsuitable {
    /// The candidate fails more often than the control: the release is held for it.
    MoreFailures {
        /// What failed of the candidate's requests.
        candidate: String,
        /// What failed of the control's.
        control: String,
    },
    /// The control answers nothing well: there is nothing to compare with.
    NoControl {
        /// What failed.
        control: String,
    },
    /// What was kept on another day has nothing of this probe.
    NotInBaseline,
    /// The answers are quicker than this machine can tell apart.
    FasterThanTheClock {
        /// The control's median in nanoseconds.
        p50_ns: u64,
    },
}

/// Sums of one arm over all of its blocks.
struct Totals {
    sent: u64,
    good: u64,
    failed: u64,
    sizes: Option<(u64, u64)>,
    /// The block with the most failures, which names them.
    worst: Option<String>,
}

fn sum(blocks: &[Block], arms: &[Arm]) -> Totals {
    let mut sum = Totals { sent: 0, good: 0, failed: 0, sizes: None, worst: None };
    let mut most = 0;
    for block in blocks.iter().filter(|block| arms.contains(&block.arm)) {
        sum.sent += block.sent;
        sum.good += block.latencies.count;
        sum.failed += block.failed();
        if block.latencies.count > 0 {
            let (least, largest) = sum.sizes.unwrap_or((block.smallest, block.largest));
            sum.sizes = Some((least.min(block.smallest), largest.max(block.largest)));
        }
        if block.failed() > most {
            most = block.failed();
            sum.worst = Some(faults(block));
        }
    }
    sum
}

impl Totals {
    fn failures(&self) -> String {
        match &self.worst {
            Some(worst) => format!("{} of {} failed, such as {worst}", self.failed, self.sent),
            None => format!("none of {} failed", self.sent),
        }
    }

    fn per_mille(&self) -> u64 {
        self.failed.saturating_mul(1_000) / self.sent.max(1)
    }
}

/// Reports why the arms cannot be compared; `None` where they can.
#[must_use]
pub fn unsuitable(blocks: &[Block]) -> Option<Unsuitable> {
    let control = [Arm::Control, Arm::ControlAgain];
    apart(&sum(blocks, &[Arm::Candidate]), &sum(blocks, &control), medians(blocks, Arm::Control))
}

/// Reports why what is measured now cannot be compared with what was kept on another day; `None` where it can.
///
/// Arms on both sides: candidate, control again (the candidate once more) and reference.
#[must_use]
pub fn unsuitable_stored(now: &[Block], then: &[Block]) -> Option<Unsuitable> {
    if then.is_empty() {
        return Some(Unsuitable::NotInBaseline);
    }
    let arms = [Arm::Candidate, Arm::ControlAgain];
    apart(&sum(now, &arms), &sum(then, &arms), medians(then, Arm::Candidate))
}

fn medians(blocks: &[Block], arm: Arm) -> Vec<u64> {
    blocks.iter().filter(|block| block.arm == arm).map(|block| block.latencies.p50).collect()
}

fn apart(candidate: &Totals, control: &Totals, mut medians: Vec<u64>) -> Option<Unsuitable> {
    if control.sent > 0 && control.good == 0 {
        return Some(Unsuitable::NoControl { control: control.failures() });
    }
    if candidate.sent > 0 && (candidate.good == 0 || candidate.per_mille() > control.per_mille() + MORE_FAILURES) {
        return Some(Unsuitable::MoreFailures { candidate: candidate.failures(), control: control.failures() });
    }
    medians.sort_unstable();
    let p50_ns = medians.get(medians.len() / 2).copied()?;
    (p50_ns < GRAIN_NS).then_some(Unsuitable::FasterThanTheClock { p50_ns })
}

/// States where the candidate's answers have other sizes than the control's: quicker or slower, it is other work.
#[must_use]
pub fn changed_size(blocks: &[Block]) -> Option<String> {
    sizes_apart(sum(blocks, &[Arm::Candidate]).sizes?, sum(blocks, &[Arm::Control, Arm::ControlAgain]).sizes?)
}

/// States the same of what is measured now and what was kept on another day.
#[must_use]
pub fn changed_size_stored(now: &[Block], then: &[Block]) -> Option<String> {
    sizes_apart(sum(now, &[Arm::Candidate]).sizes?, sum(then, &[Arm::Candidate]).sizes?)
}

fn sizes_apart(candidate: (u64, u64), control: (u64, u64)) -> Option<String> {
    let range = |(smallest, largest)| match smallest == largest {
        true => format!("{smallest}"),
        false => format!("{smallest}-{largest}"),
    };
    let apart = candidate.0 > control.1 || candidate.1 < control.0;
    apart.then(|| format!("its responses have {} bytes, the control's {}", range(candidate), range(control)))
}
