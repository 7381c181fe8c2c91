use rstest::rstest;
use serde_json::json;

use super::*;
use crate::{Document, Format};

fn document(paths: &Value) -> Document {
    let root = json!({"openapi": "3.1.0", "paths": paths});
    Document::parse(&root.to_string(), Format::Json).unwrap()
}

/// A list of things with one property, and the operation that wants it.
fn list(path: &str, property: &str, kind: &str) -> Value {
    let things = json!({"type": "array", "items": {"type": "object", "properties": {property: {"type": kind}}}});
    let body = json!({"type": "object", "properties": {"things": things}});
    json!({path: {"get": {"responses": {"200": {"content": {"application/json": {"schema": body}}}}}}})
}

fn wanting(path: &str, parameter: &str) -> Value {
    let parameters = json!([{"name": parameter, "in": "path", "schema": {"type": "integer"}}]);
    json!({path: {"get": {"operationId": "wanted", "parameters": parameters, "responses": {"200": {}}}}})
}

fn both(one: &Value, other: &Value) -> Document {
    let mut paths = one.as_object().unwrap().clone();
    paths.extend(other.as_object().unwrap().clone());
    document(&paths.into())
}

fn call_of<'c>(calls: &'c [Call], path: &str) -> &'c Call {
    calls.iter().find(|call| call.operation.path == path).unwrap()
}

/// Answers the producer of the only supply, and gives what is taken for the wanting call's parameter.
fn taken(document: &Document, path: &str, headers: &[(String, String)], body: &Value) -> Option<Value> {
    let calls = calls(document, false);
    let call = call_of(&calls, path);
    let supply = call.supplies.first().unwrap_or_else(|| panic!("nothing supplies {path}"));
    let producer = &supply.producers[0];
    let from = &calls[producer.call];
    let text = body.to_string();
    let response = ServiceResponse { status: 200, headers, body: text.as_bytes(), truncated: false };
    let (request, values) = (from.request.clone().unwrap(), Values::new());
    let given = CompletedCall { operation: &from.operation, request: &request, values: &values, answer: &response };
    captured(document, &call.operation, &supply.parameter, producer, &given, "/api")
}

#[rstest]
#[case::id_of_the_collection("/orders", "id", "/orders/{id}", "id")]
#[case::same_name("/orders", "order_id", "/orders/{order_id}", "order_id")]
#[case::other_spelling("/orders", "orderId", "/orders/{order_id}", "order_id")]
#[case::id_for_a_named_parameter("/orders", "id", "/orders/{orderId}", "orderId")]
#[case::named_id_for_a_bare_parameter("/orders", "order_id", "/orders/{id}", "id")]
#[case::of_another_answer("/invoices", "order_id", "/orders/{id}", "id")]
#[case::plural_in_ies("/categories", "category_id", "/categories/{id}", "id")]
#[case::name_that_speaks("/stock", "sku", "/prices/{sku}", "sku")]
fn a_property_gives_the_parameter(
    #[case] from: &str,
    #[case] property: &str,
    #[case] to: &str,
    #[case] parameter: &str,
) {
    let document = both(&list(from, property, "integer"), &wanting(to, parameter));
    let body = json!({"things": [{property: null}, {property: 7}]});
    assert_eq!(taken(&document, to, &[], &body), Some(json!(7)));
}

#[rstest]
#[case::bare_id_of_something_else("/users", "id", "integer", "/orders/{id}", "id")]
#[case::other_type("/orders", "id", "boolean", "/orders/{id}", "id")]
#[case::other_name("/orders", "total", "integer", "/orders/{id}", "id")]
fn what_is_another_things_gives_nothing(
    #[case] from: &str,
    #[case] property: &str,
    #[case] kind: &str,
    #[case] to: &str,
    #[case] parameter: &str,
) {
    let document = both(&list(from, property, kind), &wanting(to, parameter));
    let calls = calls(&document, false);
    let call = call_of(&calls, to);
    assert!(!call.is_possible() && call.supplies.is_empty());
    assert_eq!(call.request, Err(Refusal::NoValue(parameter.to_owned())));
}

#[test]
fn a_value_that_breaks_the_parameters_schema_is_not_taken() {
    let document = both(&list("/orders", "id", "integer"), &wanting("/orders/{id}", "id"));
    assert_eq!(taken(&document, "/orders/{id}", &[], &json!({"things": [{"id": "x"}]})), None);
    assert_eq!(taken(&document, "/orders/{id}", &[], &json!({"things": []})), None);
}

#[rstest]
#[case::by_id(json!({"operationId": "wanted", "parameters": {"id": "$response.body#/next"}}))]
#[case::by_pointer(json!({"operationRef": "#/paths/~1orders~1{id}/get", "parameters": {"path.id": "$response.body#/next"}}))]
fn a_declared_link_goes_before_a_name(#[case] link: Value) {
    let mut from = list("/orders", "id", "integer");
    from["/orders"]["get"]["responses"]["200"]["links"] = json!({"next": link});
    let document = both(&from, &wanting("/orders/{id}", "id"));
    let body = json!({"things": [{"id": 1}], "next": 9});
    assert_eq!(taken(&document, "/orders/{id}", &[], &body), Some(json!(9)));
}

#[rstest]
#[case::whole("http://shop/api/orders/5?x=1")]
#[case::path("/api/orders/5")]
fn a_location_gives_the_parameter_by_the_paths_shape(#[case] location: &str) {
    let from = json!({"/latest": {"get": {"responses": {"302": {"headers": {"Location": {}}}}}}});
    let document = both(&from, &wanting("/orders/{id}", "id"));
    let headers = [("location".to_owned(), location.to_owned())];
    assert_eq!(taken(&document, "/orders/{id}", &headers, &json!({})), Some(json!(5)));
}

#[test]
fn the_documents_own_value_goes_first_and_a_captured_one_is_known_for_later() {
    let mut to = wanting("/orders/{id}", "id");
    to["/orders/{id}"]["get"]["parameters"][0]["example"] = json!(1);
    let document = both(&list("/orders", "id", "integer"), &to);
    let calls = calls(&document, false);
    let call = call_of(&calls, "/orders/{id}");
    assert_eq!(call.request.as_ref().unwrap().target, "/orders/1");
    let values = Values::from([("id".to_owned(), json!(7))]);
    assert_eq!(call.with(&values).unwrap().target, "/orders/7");
    assert_eq!(call.supplies.len(), 1);
}

#[test]
fn values_are_taken_only_of_earlier_steps_so_that_nobody_waits_in_a_circle() {
    let gives = |path: &str, own: &str, other: &str| {
        let parameters = json!([{"name": own, "in": "path", "schema": {"type": "integer"}, "example": 1}]);
        let schema = json!({"type": "object", "properties": {other: {"type": "integer"}}});
        let responses = json!({"200": {"content": {"application/json": {"schema": schema}}}});
        json!({path: {"get": {"parameters": parameters, "responses": responses}}})
    };
    let document = both(&gives("/a/{a_key}", "a_key", "b_key"), &gives("/b/{b_key}", "b_key", "a_key"));
    let calls = calls(&document, false);
    for call in &calls {
        assert!(call.is_possible());
        let earlier = |producer: &Producer| calls[producer.call].step < call.step;
        assert!(call.supplies.iter().flat_map(|supply| &supply.producers).all(earlier), "{call:?}");
    }
}

#[test]
fn a_chain_of_values_is_followed_step_by_step() {
    let item = json!({"type": "object", "properties": {"line_id": {"type": "integer"}}});
    let mut middle = wanting("/orders/{id}", "id");
    middle["/orders/{id}"]["get"]["responses"]["200"] = json!({"content": {"application/json": {"schema": item}}});
    let first = list("/orders", "id", "integer");
    let mut paths = first.as_object().unwrap().clone();
    paths.extend(middle.as_object().unwrap().clone());
    paths.extend(wanting("/lines/{line_id}", "line_id").as_object().unwrap().clone());
    let calls = calls(&document(&paths.into()), false);
    let steps: Vec<_> = calls.iter().map(|call| (call.operation.path.as_str(), call.step)).collect();
    assert_eq!(steps, [("/lines/{line_id}", Some(2)), ("/orders", Some(0)), ("/orders/{id}", Some(1))]);
}
