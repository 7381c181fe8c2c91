//! Which majors a chain runs on: the least one for the way up, and the least one for the down migrations.

use super::{RoundTrip, Verdict};

/// Returns one line, such as `the minimum major version is 15 for up and 17 for down`; `None` where one major alone was tried.
///
/// `tried` holds each major with what it showed. A major counts where it and all newer ones that were tried have no
/// failure; an older one that passes below a newer one that fails states nothing.
#[must_use]
pub fn least(tried: &[(u32, &[RoundTrip])]) -> Option<String> {
    if tried.len() < 2 {
        return None;
    }
    let up = least_of(tried, |round_trip| matches!(round_trip.verdict(), Verdict::UpFails | Verdict::NotRun));
    let down = least_of(tried, |round_trip| {
        matches!(round_trip.verdict(), Verdict::UpFails | Verdict::NotRun | Verdict::SqlError)
            || round_trip.second_up.is_some()
    });
    let text_of =
        |major: Option<u32>| major.map_or_else(|| "none of those tested".to_owned(), |major| major.to_string());
    Some(format!("the minimum major version is {} for up and {} for down", text_of(up), text_of(down)))
}

fn least_of(tried: &[(u32, &[RoundTrip])], fails: impl Fn(&RoundTrip) -> bool) -> Option<u32> {
    let mut sorted: Vec<&(u32, &[RoundTrip])> = tried.iter().collect();
    sorted.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    let passing = sorted.into_iter().take_while(|(_, round_trips)| !round_trips.iter().any(&fails));
    passing.last().map(|(major, _)| *major)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Route,
        round_trip::{Down, Failure, FailureCause},
    };

    fn failure() -> Failure {
        Failure {
            file: String::new(),
            line: 0,
            statement: String::new(),
            sqlstate: None,
            message: String::new(),
            why: FailureCause::Refused,
        }
    }

    fn trip(up: bool, down: bool) -> [RoundTrip; 1] {
        [RoundTrip {
            version: String::new(),
            label: String::new(),
            route: Route::Session,
            up: (!up).then(failure),
            down: if down { Down::Ran(Vec::new()) } else { Down::Failed(failure()) },
            left_open: Vec::new(),
            second_up: None,
            second_differs: Vec::new(),
            longest_stall: None,
            took: Duration::ZERO,
        }]
    }

    #[test]
    fn the_least_major_is_told_apart_for_up_and_down() {
        let (old, middle, new) = (trip(false, false), trip(true, false), trip(true, true));
        let reported = least(&[(15, &old), (17, &middle), (18, &new)]);
        assert_eq!(reported.as_deref(), Some("the minimum major version is 17 for up and 18 for down"));
    }

    #[test]
    fn a_major_below_one_that_fails_does_not_count() {
        let (good, bad) = (trip(true, true), trip(false, false));
        let reported = least(&[(15, &good), (17, &bad)]);
        assert_eq!(
            reported.as_deref(),
            Some("the minimum major version is none of those tested for up and none of those tested for down")
        );
        assert_eq!(least(&[(15, &good)]), None);
    }
}
