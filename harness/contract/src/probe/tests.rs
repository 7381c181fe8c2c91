use rstest::rstest;

use super::*;
use crate::Format;

fn document(operation: &Value, method: &str, path: &str) -> Document {
    let root = json!({"openapi": "3.1.0", "paths": {path: {method: operation}}});
    Document::parse(&root.to_string(), Format::Json).unwrap()
}

fn told(document: &Document) -> Vec<String> {
    let shown = |probe: Probe| {
        let body = probe.request.body.map(|body| String::from_utf8(body).unwrap().replace(&"a".repeat(LONG), "a.."));
        let target = probe.request.target.replace(&"a".repeat(LONG), "a..");
        format!(
            "{}: {} {target} {}{}",
            probe.wrong,
            probe.request.method,
            body.unwrap_or_default(),
            if probe.may_be_taken { "(may be taken)" } else { "" }
        )
        .trim()
        .to_owned()
    };
    probes(document, &document.operations()[0]).into_iter().map(shown).collect()
}

fn order() -> Value {
    json!({"requestBody": {"content": {"application/json": {"schema": {
        "type": "object", "required": ["item", "count"], "additionalProperties": false,
        "properties": {"item": {"type": "string", "maxLength": 20}, "count": {"type": "integer"}, "note": {"type": "string"}},
    }}}}, "responses": {"201": {}, "400": {"content": {"application/json": {"schema": {"type": "object", "required": ["error"]}}}}}})
}

#[test]
fn a_body_has_one_thing_wrong_at_a_time() {
    assert_eq!(
        told(&document(&order(), "post", "/orders")),
        [
            r#"malformed JSON: POST /orders {"stagegate":"#,
            r#"`count` missing: POST /orders {"item":"probe"}"#,
            r#"`count` of another type: POST /orders {"count":"stagegate-unknown","item":"probe"}"#,
            r#"`item` missing: POST /orders {"count":1}"#,
            r#"`item` of another type: POST /orders {"count":1,"item":{"stagegate":true}}"#,
            r#"`item` over-long: POST /orders {"count":1,"item":"a.."}"#,
            r#"`note` over-long: POST /orders {"count":1,"item":"probe","note":"a.."}(may be taken)"#,
        ]
    );
}

#[rstest]
#[case::number("get", json!({"type": "integer"}), &[
    "unknown `id`: GET /orders/2147483646", "`id` of another type: GET /orders/stagegate-unknown"])]
#[case::uuid("get", json!({"type": "string", "format": "uuid"}), &[
    "unknown `id`: GET /orders/5ca1ab1e-0000-4000-8000-000000000000", "`id` of another type: GET /orders/stagegate-unknown"])]
#[case::text("get", json!({"type": "string"}), &[
    "unknown `id`: GET /orders/5ca1ab1e-0000-4000-8000-000000000000", "`id` over-long: GET /orders/a.."])]
#[case::listed("get", json!({"enum": ["a"]}), &["`id` of another type: GET /orders/stagegate-unknown"])]
#[case::deleted("delete", json!({"type": "integer"}), &[
    "unknown `id`: DELETE /orders/2147483646 (may be taken)", "`id` of another type: DELETE /orders/stagegate-unknown"])]
fn a_path_names_what_nobody_has(#[case] method: &str, #[case] schema: Value, #[case] want: &[&str]) {
    let operation =
        json!({"parameters": [{"name": "id", "in": "path", "schema": schema, "example": 1}], "responses": {}});
    assert_eq!(told(&document(&operation, method, "/orders/{id}")), want);
}

#[test]
fn a_query_is_probed_where_it_takes_no_text() {
    let parameters = json!([
        {"name": "limit", "in": "query", "schema": {"type": "integer"}},
        {"name": "q", "in": "query", "schema": {"type": "string"}},
    ]);
    let operation = json!({"parameters": parameters, "responses": {}});
    assert_eq!(
        told(&document(&operation, "get", "/orders")),
        ["`limit` of another type: GET /orders?limit=stagegate-unknown"]
    );
}

#[test]
fn what_changes_something_is_requested_of_ids_that_nobody_has() {
    let mut operation = order();
    operation["parameters"] = json!([{"name": "id", "in": "path", "schema": {"type": "integer"}, "example": 1}]);
    let all = told(&document(&operation, "put", "/orders/{id}"));
    assert!(all.len() > 5 && all.iter().all(|reported| reported.contains("PUT /orders/2147483646")), "{all:?}");
}

#[rstest]
#[case::nothing_to_say(json!({"responses": {}}), "post", false)]
#[case::only_looked_at(json!({"parameters": [{"name": "id", "in": "query"}]}), "head", false)]
#[case::secured(json!({"security": [{"key": []}], "parameters": [{"name": "id", "in": "query"}]}), "get", false)]
#[case::body(order(), "post", true)]
fn some_operations_cannot_be_probed(#[case] operation: Value, #[case] method: &str, #[case] want: bool) {
    let document = document(&operation, method, "/orders");
    assert_eq!(can_be_probed(&document.operations()[0], false), want);
}

#[rstest]
#[case::documented(400, r#"{"error": 1}"#, "well")]
#[case::crash(500, "{}", "SGC050 malformed JSON")]
#[case::gateway(502, "{}", "SGC050 malformed JSON")]
#[case::taken(201, "{}", "SGC051 malformed JSON")]
#[case::moved(302, "{}", "SGC051 malformed JSON")]
#[case::other_shape(400, "{}", "SGC032 malformed JSON: $.error")]
#[case::undocumented(422, "{}", "SGC010 malformed JSON: status")]
#[case::no_token(401, "{}", "unseen 401")]
#[case::too_many(429, "{}", "unseen 429")]
fn a_probe_is_refused_as_documented(#[case] status: u16, #[case] body: &str, #[case] want: &str) {
    let document = document(&order(), "post", "/orders");
    let operation = &document.operations()[0];
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let response = ServiceResponse { status, headers: &headers, body: body.as_bytes(), truncated: false };
    let found = match refused(&document, operation, &probes(&document, operation)[0], &response) {
        Refused::Well => "well".to_owned(),
        Refused::Unseen(status) => format!("unseen {status}"),
        Refused::Badly(all) => all[0].finding().place.object,
    };
    assert_eq!(found, want);
}

#[test]
fn what_the_document_does_not_forbid_may_be_taken_and_must_not_crash() {
    let document = document(&order(), "post", "/orders");
    let operation = &document.operations()[0];
    let long = probes(&document, operation).pop().unwrap();
    let of = |status| ServiceResponse { status, headers: &[], body: b"", truncated: false };
    assert_eq!(refused(&document, operation, &long, &of(201)), Refused::Well);
    assert!(matches!(refused(&document, operation, &long, &of(500)), Refused::Badly(_)));
}
