//! Whether a run saw more than refusals.

use stagegate_base::text::counted;

/// Answers that say nothing of what an operation promises.
const REFUSALS: [u16; 3] = [401, 403, 404];
/// From this share of refusals on, in percent, a run is hollow.
const HOLLOW_FROM: usize = 90;

/// Returns why a run proves nothing of a service; `None` where it does. `statuses` are those of all responses.
// Source: schemathesis warns where at least 90 % of the responses are 401 or 403.
#[must_use]
pub fn hollow(statuses: &[u16]) -> Option<String> {
    if statuses.is_empty() {
        return Some("no response was received".to_owned());
    }
    let by_status: Vec<String> = REFUSALS
        .iter()
        .map(|status| (status, statuses.iter().filter(|found| found == &status).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| format!("{count} with {status}"))
        .collect();
    let refused = statuses.iter().filter(|status| REFUSALS.contains(status)).count();
    (refused * 100 >= statuses.len() * HOLLOW_FROM).then(|| {
        format!(
            "{refused} of {} only refused ({}): no documented success was seen",
            counted(statuses.len(), "response"),
            by_status.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(&[], Some("no response was received"))]
    #[case::all_refused(&[401, 403, 404], Some("3 of 3 responses only refused (1 with 401, 1 with 403, 1 with 404)"))]
    #[case::nine_of_ten(&[200, 401, 401, 401, 401, 401, 401, 401, 401, 401], Some("9 of 10 responses"))]
    #[case::eight_of_nine(&[200, 401, 401, 401, 401, 401, 401, 401, 401], None)]
    #[case::sound(&[200, 204, 302], None)]
    #[case::other_errors_are_findings(&[400, 500], None)]
    fn a_run_of_refusals_is_hollow(#[case] statuses: &[u16], #[case] want: Option<&str>) {
        match (hollow(statuses), want) {
            (None, None) => {}
            (Some(found), Some(want)) => assert!(found.starts_with(want), "{found}"),
            (found, want) => panic!("{found:?} instead of {want:?}"),
        }
    }
}
