use rstest::rstest;
use serde_json::json;

use super::*;

fn shape(body: &Value) -> Shape {
    let headers = [("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
    let text = body.to_string();
    Shape::of(&ServiceResponse { status: 200, headers: &headers, body: text.as_bytes(), truncated: false })
}

fn orders() -> Value {
    json!({"orders": [
        {"id": 1, "at": "2025-01-01T00:07:00Z", "key": "5ca1ab1e-0000-4000-8000-000000000000", "note": null},
        {"id": 2, "at": "2025-01-02T00:07:00Z", "key": "5ca1ab1e-0000-4000-8000-000000000001", "note": "x", "gift": true},
    ], "total": 1.5, "by_id": {"17": {"n": 1}, "18": {"n": 2}}})
}

#[test]
fn ids_times_and_numbers_are_reduced_to_their_kind() {
    let want = "200 application/json\n\
        $: object\n$.by_id: object\n$.by_id[*]: object\n$.by_id[*].n: integer\n$.orders: array\n$.orders[]: object\n\
        $.orders[].at: string (time)\n$.orders[].gift: absent | boolean\n$.orders[].id: integer\n\
        $.orders[].key: string (id)\n$.orders[].note: null | string\n$.total: number";
    assert_eq!(shape(&orders()).to_string(), want);
}

#[test]
fn a_snapshot_is_read_as_it_was_written() {
    let shape = shape(&orders());
    assert_eq!(Shape::parse(&shape.snapshot("contracts::api::get_orders", "GET /orders")), Ok(shape));
}

#[test]
fn a_broken_snapshot_states_where() {
    let error = Shape::parse("---\nsource: x\n---\n200 a/b\n$: object\nnope").unwrap_err();
    assert_eq!(error.to_string(), "line 6: `nope` is not valid in a shape; run `gate accept` again");
}

#[rstest]
#[case::same(orders(), "")]
#[case::other_values(json!({"orders": [{"id": 9, "at": "2026-01-01T00:00:00Z", "key": "5ca1ab1e-0000-4000-8000-00000000000f", "note": "y"}], "total": 2.5, "by_id": {}}), "")]
#[case::no_orders(json!({"orders": [], "total": 2.5, "by_id": {}}), "")]
#[case::renamed(json!({"orders": [], "sum": 2.5, "by_id": {}}), "$.total: number -> missing, $.sum: nothing -> number")]
#[case::other_kind(json!({"orders": [{"id": "1", "at": "2026-01-01T00:00:00Z", "key": "5ca1ab1e-0000-4000-8000-00000000000f", "note": "y"}], "total": 2.5, "by_id": {}}),
    "$.orders[].id: integer -> string")]
#[case::lost_in_some(json!({"orders": [{"id": 1, "at": "2026-01-01T00:00:00Z", "note": "y"}], "total": 2.5, "by_id": {}}),
    "$.orders[].key: string (id) -> missing")]
#[case::no_object(json!([]), "$: object -> array")]
fn another_shape_is_reported_and_other_data_is_not(#[case] now: Value, #[case] want: &str) {
    let reported = shape(&orders()).differences(&shape(&now));
    let reported: Vec<String> =
        reported.iter().map(|f| format!("{}: {} -> {}", f.place.object, f.expected, f.found)).collect();
    assert_eq!(reported.join(", "), want);
}

#[test]
fn another_status_or_media_type_is_another_shape() {
    let response_of = |status| Shape::of(&ServiceResponse { status, headers: &[], body: b"", truncated: false });
    let reported = response_of(200).differences(&response_of(204));
    assert_eq!((reported[0].expected.as_str(), reported[0].found.as_str()), ("200 no body", "204 no body"));
}
