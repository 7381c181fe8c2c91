//! What a comparison came to, in words.

use serde::{Deserialize, Serialize};

use super::{Comparison, Cost, Grown, Judgement, Ratio, Unsuitable, budget::time};
use stagegate_base::{exit::Exit, text::counted};

/// What was found of one probe: a comparison, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The probe.
    pub probe: String,
    /// What the control is, such as `the release that serves production (v2)`.
    pub control: String,
    /// The least effect that counts.
    pub minimum_effect: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The comparison; `None` where the arms cannot be compared.
    pub comparison: Option<Comparison>,
    /// Why they cannot be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfit: Option<Unsuitable>,
    /// What the same load cost, with the candidate and with the control; `None` where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costs: Option<[Cost; 2]>,
    /// What of it grew by more than it may: the release is held for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grown: Vec<Grown>,
    /// What else is to be known, such as answers of another size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Compared {
    /// Returns whether the release may go on: passed, held, or inconclusive.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match (&self.unfit, self.comparison.as_ref().map(|c| c.judgement)) {
            (Some(Unsuitable::MoreFailures { .. }), _) => Exit::Held,
            _ if !self.grown.is_empty() => Exit::Held,
            (None, Some(Judgement::NoSlower)) => Exit::Passed,
            (None, Some(Judgement::Slower | Judgement::SlowerTail)) => Exit::Held,
            _ => Exit::Inconclusive,
        }
    }

    /// Returns whether the candidate, or its tail, was found slower.
    #[must_use]
    pub fn is_slower(&self) -> bool {
        let judgement = self.comparison.as_ref().map(|comparison| comparison.judgement);
        matches!(judgement, Some(Judgement::Slower | Judgement::SlowerTail))
    }

    /// States what was found in one line, without the probe's name.
    #[must_use]
    pub fn words(&self) -> String {
        let text = match (&self.unfit, &self.comparison) {
            (Some(unsuitable), _) => unsuitable_words(unsuitable),
            (None, Some(comparison)) => self.verdict(comparison),
            (None, None) => "no samples: nothing was measured".to_owned(),
        };
        let text = self.grown.iter().fold(text, |text, grown| format!("{text}; {}", grown.words()));
        self.notes.iter().fold(text, |text, note| format!("{text}; {note}"))
    }

    /// States what the least effect was, and why it was more than the configured one.
    fn least(&self, comparison: &Comparison) -> String {
        let why = match comparison.least_of_copies {
            _ if comparison.least <= self.minimum_effect + 1e-9 => return percent(self.minimum_effect),
            true => "copies of one release differ by as much here",
            false => "a smaller difference cannot be measured in responses this fast",
        };
        format!("{} ({why})", percent(comparison.least))
    }

    fn verdict(&self, comparison: &Comparison) -> String {
        let more = |ratio: Option<Ratio>| ratio.map_or_else(|| "?".to_owned(), range);
        match comparison.judgement {
            Judgement::NoSlower => format!("no slower than {}", self.least(comparison)),
            Judgement::Slower => format!("slower by {}", more(comparison.p50)),
            Judgement::SlowerTail => format!("its slowest twentieth is slower by {}", more(comparison.p95)),
            Judgement::Undecided => {
                format!("undecided after {:.0} s: between {}", self.seconds, more(comparison.p50))
            }
            Judgement::CopiesDiffer => format!(
                "host too noisy: {} of copies differ too much from each other ({}); measure again when the host is less busy",
                counted(comparison.copies, "pair"),
                more(comparison.p50)
            ),
            Judgement::TooNoisy => format!(
                "host too noisy: the same release differed from itself by {}; measure again when the host is less busy",
                more(comparison.noise)
            ),
            Judgement::NoSamples => {
                format!(
                    "no verdict: {} of the arms, too few; raise `compare_within`",
                    counted(comparison.rotations, "rotation")
                )
            }
        }
    }
}

fn unsuitable_words(unsuitable: &Unsuitable) -> String {
    match unsuitable {
        Unsuitable::MoreFailures { candidate, control } => {
            format!("fails more often than the control: {candidate}; control: {control}")
        }
        Unsuitable::NoControl { control } => {
            format!("nothing to compare with: every request to the control failed: {control}")
        }
        Unsuitable::NotInBaseline => {
            "nothing to compare with: the baseline has no such probe; save one that has, with --save-baseline"
                .to_owned()
        }
        Unsuitable::FasterThanTheClock { p50_ns } => {
            format!("faster than this clock can compare ({})", time(*p50_ns))
        }
    }
}

/// Writes a ratio's bounds as percent of change: `8-14 %`, `-3 to +4 %`.
fn range(ratio: Ratio) -> String {
    let (low, high) = (100.0 * (ratio.low - 1.0), 100.0 * (ratio.high - 1.0));
    match low >= 0.0 {
        true => format!("{}-{} %", short(low), short(high)),
        false => format!("{low:+.1} to {high:+.1} %"),
    }
}

fn percent(share: f64) -> String {
    format!("{} %", short(100.0 * share))
}

fn short(percent: f64) -> String {
    if percent >= 3.0 || (percent - percent.round()).abs() < 1e-9 {
        format!("{percent:.0}")
    } else {
        format!("{percent:.1}")
    }
}

/// Returns the end of a whole run: held where one probe is, else inconclusive where one is.
#[must_use]
pub fn exit(compared: &[Compared]) -> Exit {
    let has = |exit: Exit| compared.iter().any(|compared| compared.exit() == exit);
    match (has(Exit::Held), has(Exit::Inconclusive) || compared.is_empty()) {
        (true, _) => Exit::Held,
        (false, true) => Exit::Inconclusive,
        (false, false) => Exit::Passed,
    }
}
