//! Waivers: findings that somebody accepted, for a reason and for a time. One set of terms for every kind of finding.

use serde::Serialize;

/// Who accepts something, why, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// Why it is accepted.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it counts, `YYYY-MM-DD`.
    pub expires: String,
    /// Its line in the file of waivers.
    pub line: usize,
}

/// What is wrong with a waiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its last day is past: it covers nothing any more.
    Expired,
    /// Nothing was found that it covers.
    Unused,
}

impl Terms {
    /// Tells whether its last day is before `today` (`2026-01-31`).
    #[must_use]
    pub fn is_over(&self, today: &str) -> bool {
        self.expires.as_str() < today
    }

    /// Tells what is wrong with a waiver that covered something, or nothing.
    #[must_use]
    pub fn fault(&self, today: &str, covered: bool) -> Option<Fault> {
        match (self.is_over(today), covered) {
            (true, _) => Some(Fault::Expired),
            (false, false) => Some(Fault::Unused),
            (false, true) => None,
        }
    }

    /// Returns the reason with owner and day, as it stands beside a finding.
    #[must_use]
    pub fn told(&self) -> String {
        format!("{} ({}, until {})", self.reason, self.owner, self.expires)
    }
}

/// Returns the first key whose text is empty.
pub fn empty_key(pairs: &[(&'static str, &str)]) -> Option<&'static str> {
    pairs.iter().find(|(_, value)| value.trim().is_empty()).map(|(key, _)| *key)
}

/// Returns the line, from 1, of a byte of a text.
pub fn line_at(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::on_its_last_day("2026-03-31", true, None)]
    #[case::past("2026-04-01", true, Some(Fault::Expired))]
    #[case::unused("2026-03-31", false, Some(Fault::Unused))]
    #[case::past_and_unused("2026-04-01", false, Some(Fault::Expired))]
    fn a_waiver_counts_until_its_day_and_has_to_cover_something(
        #[case] today: &str,
        #[case] covered: bool,
        #[case] want: Option<Fault>,
    ) {
        let (reason, owner) = ("r".to_owned(), "o".to_owned());
        let terms = Terms { reason, owner, expires: "2026-03-31".to_owned(), line: 1 };
        assert_eq!(terms.fault(today, covered), want);
    }
}
