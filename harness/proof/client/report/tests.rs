use rstest::rstest;
use serde_json::json;

use super::{super::attempt::Kind, *};

/// Makes requests of `(at_ms, took_ms, ok)`.
fn attempts(of: &[(u64, u64, bool)]) -> Vec<Attempt> {
    let one = |&(at_ms, took_ms, ok): &(u64, u64, bool)| {
        let id = ok.then_some(1);
        Attempt { at_ms, kind: Kind::Write, ok, status: None, error: None, id, order: None, took_ms }
    };
    of.iter().map(one).collect()
}

const OUTAGE: &[(u64, u64, bool)] =
    &[(100, 5, true), (200, 5, true), (300, 0, false), (400, 2000, false), (500, 5, true), (600, 5, true)];

#[rstest]
#[case::nothing_was_asked(&[], 0, 1000, 0)]
#[case::all_is_well(&[(100, 5, true), (200, 5, true), (300, 5, true)], 0, 1000, 100)]
#[case::from_the_last_success_to_the_next(OUTAGE, 0, 1000, 300)]
#[case::a_gap_that_began_before_the_stretch_is_counted_whole(OUTAGE, 450, 520, 300)]
#[case::a_gap_that_ends_behind_the_stretch_is_counted_whole(OUTAGE, 150, 350, 300)]
#[case::a_gap_outside_of_the_stretch_is_not_counted(OUTAGE, 0, 200, 100)]
#[case::a_stall_is_a_gap_though_nothing_failed(&[(100, 5, true), (200, 1900, true), (300, 1800, true)], 0, 3000, 1995)]
#[case::an_outage_without_an_end_reaches_to_the_last_request(&[(100, 5, true), (200, 2000, false)], 0, 3000, 95)]
#[case::an_outage_without_a_success_before_it(&[(100, 5, false), (200, 5, false), (300, 5, true)], 0, 3000, 205)]
#[case::nothing_ever_worked(&[(100, 5, false), (200, 5, false)], 0, 3000, 100)]
fn the_longest_gap(#[case] of: &[(u64, u64, bool)], #[case] since: u64, #[case] until: u64, #[case] want: u64) {
    assert_eq!(longest_gap_ms(&attempts(of), since, until), want);
}

#[rstest]
#[case::whole(0, u64::MAX, (6, 2, 4))]
#[case::both_edges_belong_to_it(300, 500, (3, 2, 1))]
#[case::empty(601, 700, (0, 0, 0))]
fn requests_belong_to_the_stretch_in_which_they_were_to_start(
    #[case] since: u64,
    #[case] until: u64,
    #[case] want: (usize, usize, usize),
) {
    let figures = figures(&attempts(OUTAGE), since, until);
    assert_eq!((figures.requests, figures.failed, figures.writes_acknowledged), want);
}

#[rstest]
#[case::the_same(json!({ "id": 1, "quantity": 2 }), true)]
#[case::a_later_release_tells_more(json!({ "id": 1, "quantity": 2, "note": null }), true)]
#[case::another_value(json!({ "id": 1, "quantity": 3 }), false)]
#[case::a_field_is_gone(json!({ "id": 1 }), false)]
fn an_order_holds_what_was_acknowledged(#[case] found: Value, #[case] want: bool) {
    assert_eq!(holds(&found, &json!({ "id": 1, "quantity": 2 })), want);
}
