//! Whether the receivers of notifications hear of the state of the backups: once when something goes wrong, each day while it
//! stays so, once when all is well again. A tick of the schedule that finds what the last one found sends nothing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// How often a problem that stays is reported again, in seconds.
pub const AGAIN: i64 = 24 * 3_600;

/// Something that is wrong with the backups of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is about: the same as long as it stays, whatever times the text names.
    pub about: String,
    /// What a person reads.
    pub text: String,
}

impl Problem {
    /// Makes a problem.
    pub fn new(about: impl Into<String>, text: impl Into<String>) -> Self {
        Problem { about: about.into(), text: text.into() }
    }
}

/// What the receivers heard last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alerted {
    /// When that was, in seconds since 1970.
    pub at: i64,
    /// What was wrong then; empty where all was well.
    pub about: BTreeSet<String>,
}

/// What the receivers are to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Alert {
    /// Something went wrong since.
    Failing,
    /// What was wrong still is.
    StillFailing,
    /// All is well again.
    Recovered,
}

/// Returns what the receivers are to hear now; `None` where they know it.
#[must_use]
pub fn alert(last: &Alerted, problems: &[Problem], now: i64) -> Option<Alert> {
    let is_new = |problem: &Problem| !last.about.contains(&problem.about);
    match problems {
        [] => (!last.about.is_empty()).then_some(Alert::Recovered),
        all if all.iter().any(is_new) => Some(Alert::Failing),
        // A clock that was set back makes it due.
        _ => (last.at > now || now - last.at >= AGAIN).then_some(Alert::StillFailing),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NOW: i64 = 1_767_225_600;

    #[rstest]
    #[case::well_as_before(&[], &[], 0, None)]
    #[case::first_failure(&[], &["upload"], 0, Some(Alert::Failing))]
    #[case::the_same(&["upload"], &["upload"], 900, None)]
    #[case::one_more(&["upload"], &["upload", "drill"], 900, Some(Alert::Failing))]
    #[case::one_less(&["upload", "drill"], &["drill"], 900, None)]
    #[case::a_day_later(&["upload"], &["upload"], AGAIN, Some(Alert::StillFailing))]
    #[case::clock_set_back(&["upload"], &["upload"], -60, Some(Alert::StillFailing))]
    #[case::well_again(&["upload"], &[], 900, Some(Alert::Recovered))]
    fn receivers_hear_of_changes_and_once_a_day(
        #[case] before: &[&str],
        #[case] now: &[&str],
        #[case] later: i64,
        #[case] want: Option<Alert>,
    ) {
        let last = Alerted { at: NOW, about: before.iter().map(|about| (*about).to_owned()).collect() };
        let problems: Vec<Problem> = now.iter().map(|about| Problem::new(*about, format!("since {later} s"))).collect();
        assert_eq!(alert(&last, &problems, NOW + later), want);
    }
}
