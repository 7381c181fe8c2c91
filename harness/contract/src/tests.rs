use rstest::rstest;
use serde_json::{Value, json};

use super::*;

/// A document of `version` with one operation, `GET /orders`, and these parts.
fn document(version: &str, operation: Value, components: Value) -> Document {
    let root = json!({"openapi": version, "paths": {"/orders": {"get": operation}}, "components": components});
    Document::parse(&root.to_string(), Format::Json).unwrap()
}

fn promise(schema: Value) -> Value {
    json!({"responses": {"200": {"content": {"application/json": {"schema": schema}}}}})
}

fn shop() -> Document {
    document(
        "3.1.0",
        promise(json!({"$ref": "#/components/schemas/Orders"})),
        json!({"schemas": {
            "Orders": {"type": "object", "properties": {
                "items": {"type": "array", "items": {"$ref": "#/components/schemas/Order"}},
                "next": {"type": ["string", "null"], "format": "uri"},
            }},
            "Order": {
                "type": "object",
                "required": ["id", "total"],
                "properties": {
                    "id": {"type": "integer", "minimum": 1},
                    "total": {"$ref": "#/components/schemas/Money"},
                    "state": {"enum": ["new", "paid"]},
                    "parent": {"$ref": "#/components/schemas/Order"},
                },
            },
            "Money": {"type": "number"},
        }}),
    )
}

fn asked(document: &Document, status: u16, media: &str, body: &str) -> Checked {
    let headers = [("Content-Type".to_owned(), media.to_owned())];
    let headers = if media.is_empty() { &headers[..0] } else { &headers[..] };
    let response = ServiceResponse { status, headers, body: body.as_bytes(), truncated: false };
    check(document, &document.operations()[0], &response)
}

fn told(findings: &[Difference]) -> String {
    let lines = findings.iter().map(|f| format!("{} | expected {} | found {}", f.at, f.expected, f.found));
    lines.collect::<Vec<_>>().join("\n")
}

fn body(document: &Document, body: &Value) -> String {
    told(&asked(document, 200, "application/json", &body.to_string()).findings)
}

#[rstest]
#[case::sound(json!({"items": [{"id": 1, "total": 19.9, "state": "paid"}], "next": null}), "")]
#[case::wrong_type(json!({"items": [{"id": 1, "total": "19.90"}]}),
    r#"$.items[0].total | expected number | found string "19.90""#)]
#[case::missing(json!({"items": [{"total": 1}]}), "$.items[0].id | expected integer | found missing")]
#[case::renamed(json!({"items": [{"id": 1, "amount": 1}]}),
    "$.items[0].total | expected number | found missing\n$.items[0].amount | expected no such property | found integer 1")]
#[case::below(json!({"items": [{"id": 0, "total": 1}]}),
    "$.items[0].id | expected number of at least 1 | found integer 0")]
#[case::value(json!({"items": [{"id": 1, "total": 1, "state": "old"}]}),
    r#"$.items[0].state | expected one of "new", "paid" | found string "old""#)]
#[case::circle(json!({"items": [{"id": 1, "total": 1, "parent": {"id": 2, "total": 1, "parent": {"id": "x", "total": 1}}}]}),
    r#"$.items[0].parent.parent.id | expected integer | found string "x""#)]
#[case::format(json!({"next": "not a uri"}), r#"$.next | expected string in format uri | found string "not a uri""#)]
#[case::array(json!([1, 2]), "$ | expected object | found array of 2 items")]
fn a_body_is_compared_at_its_paths(#[case] found: Value, #[case] want: &str) {
    assert_eq!(body(&shop(), &found), want);
}

#[rstest]
#[case::empty("", r#"$ | expected object | found empty body"#)]
#[case::html("<html>", r#"$ | expected object | found no JSON (expected value at line 1 column 1): string "<html>""#)]
#[case::cut(
    "{\"items\": [",
    "$ | expected object | found no JSON (EOF while parsing a list at line 1 column 11): string \"{\\\"items\\\": [\""
)]
fn a_body_that_is_no_json_is_shown(#[case] text: &str, #[case] want: &str) {
    assert_eq!(told(&asked(&shop(), 200, "application/json", text).findings), want);
}

#[rstest]
#[case::plain("application/json", true)]
#[case::parameter("application/json; charset=UTF-8", true)]
#[case::case_("Application/JSON", true)]
#[case::html("text/html", false)]
#[case::problem("application/problem+json", false)]
#[case::missing("", false)]
fn the_media_type_is_the_documented_one(#[case] media: &str, #[case] sound: bool) {
    let checked = asked(&shop(), 200, media, "{}");
    assert_eq!(checked.is_valid(), sound, "{}", told(&checked.findings));
    if !sound {
        assert_eq!(checked.findings[0].at, "header content-type");
    }
}

#[rstest]
#[case("application/json", "application/json", true)]
#[case("application/*", "application/json", true)]
#[case("*/*", "text/html", true)]
#[case("text/plain; charset=utf-8", "text/plain", false)]
#[case("text/plain; charset=utf-8", "text/plain; q=1; charset=\"UTF-8\"", true)]
#[case("application/json; charset=utf-8", "application/json", true)]
#[case("application/vnd.shop+json", "application/json", false)]
fn a_documented_type_may_be_a_range_and_may_request_parameters(
    #[case] documented: &str,
    #[case] found: &str,
    #[case] takes: bool,
) {
    let document = document("3.1.0", json!({"responses": {"200": {"content": {documented: {}}}}}), json!({}));
    assert_eq!(asked(&document, 200, found, "{}").is_valid(), takes);
}

#[test]
fn a_type_that_ends_in_json_is_compared_as_json() {
    let operation =
        json!({"responses": {"200": {"content": {"application/problem+json": {"schema": {"type": "object"}}}}}});
    let document = document("3.1.0", operation, json!({}));
    assert_eq!(
        told(&asked(&document, 200, "application/problem+json", "[]").findings),
        "$ | expected object | found array of 0 items"
    );
}

#[rstest]
#[case::exact(json!({"200": {}}), 200, "")]
#[case::range(json!({"4XX": {}, "200": {}}), 404, "")]
#[case::default(json!({"default": {}}), 500, "")]
#[case::unknown(json!({"200": {}, "404": {}}), 500, "status | expected 200 or 404 | found 500")]
#[case::other_range(json!({"2XX": {}}), 301, "status | expected 2XX | found 301")]
fn the_status_is_a_documented_one(#[case] responses: Value, #[case] status: u16, #[case] want: &str) {
    let document = document("3.1.0", json!({"responses": responses}), json!({}));
    assert_eq!(told(&asked(&document, status, "", "").findings), want);
}

#[test]
fn a_required_header_is_there() {
    let headers = json!({
        "X-Total": {"required": true},
        "X-Page": {"$ref": "#/components/headers/Page"},
        "X-Maybe": {"required": false},
        "Content-Type": {"required": true},
    });
    let document = document(
        "3.1.0",
        json!({"responses": {"200": {"headers": headers}}}),
        json!({"headers": {"Page": {"required": true}}}),
    );
    let response = ServiceResponse {
        status: 200,
        headers: &[("x-total".to_owned(), "1".to_owned())],
        body: b"",
        truncated: false,
    };
    let checked = check(&document, &document.operations()[0], &response);
    assert_eq!(told(&checked.findings), "header x-page | expected a value | found missing");
}

#[rstest]
#[case::nullable(json!({"type": "string", "nullable": true}), json!(null), "")]
#[case::not_nullable(json!({"type": "string"}), json!(null), "$ | expected string | found null")]
#[case::nullable_type(json!({"type": "string", "nullable": true}), json!(1), "$ | expected null or string | found integer 1")]
#[case::nullable_enum(json!({"type": "string", "enum": ["a"], "nullable": true}), json!(null), "")]
#[case::nullable_reference(json!({"nullable": true, "allOf": [{"$ref": "#/components/schemas/A"}]}), json!(null), "")]
#[case::nullable_reference_type(json!({"nullable": true, "allOf": [{"$ref": "#/components/schemas/A"}]}),
    json!({"n": "x"}), r#"$.n | expected integer | found string "x""#)]
#[case::exclusive(json!({"type": "integer", "minimum": 0, "exclusiveMinimum": true}), json!(0),
    "$ | expected number above 0 | found integer 0")]
#[case::inclusive(json!({"type": "integer", "minimum": 0, "exclusiveMinimum": false}), json!(0), "")]
#[case::siblings(json!({"$ref": "#/components/schemas/A", "required": ["absent"]}), json!({"n": 1}), "")]
#[case::property_called_nullable(json!({"type": "object", "properties": {"nullable": {"type": "boolean"}}}),
    json!({"nullable": true}), "")]
#[case::write_only(json!({"type": "object", "required": ["p"], "properties": {"p": {"writeOnly": true}}}), json!({}), "")]
fn schemas_of_3_0_mean_what_they_state(#[case] schema: Value, #[case] found: Value, #[case] want: &str) {
    let components = json!({"schemas": {"A": {"type": "object", "properties": {"n": {"type": "integer"}}}}});
    assert_eq!(body(&document("3.0.3", promise(schema), components), &found), want);
}

#[rstest]
#[case::null_branch(json!({"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]}), json!({"kind": "a"}),
    "$.n | expected integer | found missing")]
#[case::by_tag(json!({"oneOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]}),
    json!({"kind": "b", "s": 1}), "$.s | expected string | found integer 1")]
#[case::no_branch(json!({"oneOf": [{"type": "string"}, {"type": "null"}]}), json!(1),
    "$ | expected string or null | found integer 1")]
#[case::unclear(json!({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}), json!({}),
    "$ | expected one of 2 documented shapes | found object with 0 properties")]
#[case::closed(json!({"type": "object", "additionalProperties": false, "properties": {"a": {}}}), json!({"a b": 1}),
    r#"$["a b"] | expected no such property | found integer 1"#)]
fn a_choice_is_reported_by_the_branch_that_was_meant(#[case] schema: Value, #[case] found: Value, #[case] want: &str) {
    let components = json!({"schemas": {
        "A": {"type": "object", "required": ["kind", "n"], "properties": {"kind": {"const": "a"}, "n": {"type": "integer"}}},
        "B": {"type": "object", "required": ["kind", "s"], "properties": {"kind": {"const": "b"}, "s": {"type": "string"}}},
    }});
    assert_eq!(body(&document("3.1.0", promise(schema), components), &found), want);
}

#[test]
fn what_stands_next_to_a_reference_counts_in_3_1() {
    let components = json!({"schemas": {"A": {"type": "object"}}});
    let schema = json!({"$ref": "#/components/schemas/A", "required": ["n"]});
    assert_eq!(
        body(&document("3.1.0", promise(schema), components), &json!({})),
        "$.n | expected a value | found missing"
    );
}

#[test]
fn many_differences_are_counted_and_twenty_reported() {
    let names = || (0..50).map(|i| format!("n{i}"));
    let properties: Value =
        names().map(|name| (name, json!({"type": "number"}))).collect::<serde_json::Map<_, _>>().into();
    let document = document("3.1.0", promise(json!({"type": "object", "properties": properties})), json!({}));
    let wrong: Value = names().map(|name| (name, json!("x"))).collect::<serde_json::Map<_, _>>().into();
    let checked = asked(&document, 200, "application/json", &wrong.to_string());
    assert_eq!((checked.findings.len(), checked.more), (20, 30));
}

#[test]
fn one_part_of_the_document_is_reported_once_whatever_how_often_it_is_broken() {
    let items: Vec<Value> = (0..50).map(|_| json!({"id": 1, "total": "x"})).collect();
    let checked = asked(&shop(), 200, "application/json", &json!({"items": items}).to_string());
    let [one] = checked.findings.as_slice() else { panic!("{:?}", checked.findings) };
    assert_eq!((one.schema.as_str(), one.places), ("/components/schemas/Money/type", 50));
    assert_eq!(one.finding().place.object, "SGC031 $.items[0].total");
    assert_eq!(one.finding().found, "string \"x\" (and at 49 more places)");
}

#[rstest]
#[case::status(500, "application/json", "{}", "SGC010")]
#[case::media(200, "text/html", "{}", "SGC022")]
#[case::no_json(200, "application/json", "<", "SGC030")]
#[case::kind(200, "application/json", "[]", "SGC031")]
#[case::missing(200, "application/json", r#"{"items": [{"id": 1}]}"#, "SGC032")]
#[case::renamed(200, "application/json", r#"{"items": [{"id": 1, "totals": 1}]}"#, "SGC032 SGC033")]
#[case::value(200, "application/json", r#"{"items": [{"id": 1, "total": 1, "state": "x"}]}"#, "SGC034")]
#[case::bound(200, "application/json", r#"{"items": [{"id": 0, "total": 1}]}"#, "SGC035")]
fn each_kind_of_difference_has_its_code(
    #[case] status: u16,
    #[case] media: &str,
    #[case] body: &str,
    #[case] want: &str,
) {
    let found = asked(&shop(), status, media, body).findings;
    assert_eq!(found.iter().map(|difference| difference.code.id).collect::<Vec<_>>().join(" "), want);
}

#[test]
fn codes_are_ordered_told_apart_and_found_by_name() {
    let ids: Vec<&str> = code::all().iter().map(|code| code.id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    assert_eq!(code::find("sgc010").map(|code| code.id), Some("SGC010"));
}

#[test]
fn the_manual_lists_every_code() {
    let manual = include_str!("../../../docs/contracts.md");
    for code in code::all() {
        let row = format!("| `{}` | {} | {} | {} |", code.id, code.what, code.why, code.fix);
        assert!(manual.contains(&row), "docs/contracts.md lacks the row:\n{row}");
    }
}

#[rstest]
#[case::fits("7", json!({"type": "integer", "minimum": 1}), "")]
#[case::no_number("many", json!({"type": "integer"}), "SGC021 header x-total | expected integer | found string \"many\"")]
#[case::bound("0", json!({"type": "integer", "minimum": 1}), "SGC021 header x-total | expected number of at least 1 | found integer 0")]
#[case::list("1, 2", json!({"type": "array", "items": {"type": "integer"}}), "")]
#[case::truth("true", json!({"type": "boolean"}), "")]
#[case::reference("x", json!({"$ref": "#/components/schemas/Kind"}), "SGC021 header x-total | expected one of \"a\" | found string \"x\"")]
fn a_header_has_a_value_that_fits(#[case] text: &str, #[case] schema: Value, #[case] want: &str) {
    let operation = json!({"responses": {"200": {"headers": {"X-Total": {"schema": schema}}}}});
    let document = document("3.1.0", operation, json!({"schemas": {"Kind": {"enum": ["a"]}}}));
    let headers = [("x-total".to_owned(), text.to_owned())];
    let response = ServiceResponse { status: 200, headers: &headers, body: b"", truncated: false };
    let checked = check(&document, &document.operations()[0], &response);
    let reported = checked
        .findings
        .iter()
        .map(|d| format!("{} {} | expected {} | found {}", d.code.id, d.at, d.expected, d.found));
    assert_eq!(reported.collect::<Vec<_>>().join("\n"), want);
}

#[test]
fn a_body_that_was_packed_unasked_is_reported_and_not_unpacked() {
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let response = ServiceResponse { status: 200, headers: &headers, body: b"\x1f\x8b", truncated: false };
    let document = shop();
    let checked = check(&document, &document.operations()[0], &response);
    assert_eq!(checked.findings[0].code.id, "SGC023");
}

#[rstest]
#[case::itself(json!({"allOf": [{"$ref": "#/components/schemas/A"}]}))]
#[case::two(json!({"anyOf": [{"$ref": "#/components/schemas/B"}]}))]
#[case::not(json!({"not": {"$ref": "#/components/schemas/A"}}))]
fn a_schema_that_never_ends_is_reported_and_not_followed(#[case] schema: Value) {
    let components = json!({"schemas": {"A": schema, "B": {"oneOf": [{"$ref": "#/components/schemas/A"}]}}});
    let document = document("3.1.0", promise(json!({"$ref": "#/components/schemas/A"})), components);
    let reason = asked(&document, 200, "application/json", "1").unchecked.unwrap();
    assert!(reason.contains("refers to itself"), "{reason}");
}

#[test]
fn a_body_that_was_cut_is_unchecked_and_not_sound() {
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let response = ServiceResponse { status: 200, headers: &headers, body: b"{", truncated: true };
    let document = shop();
    let checked = check(&document, &document.operations()[0], &response);
    assert!(!checked.is_valid() && checked.unchecked.unwrap().contains("1 bytes"));
}

#[test]
fn a_schema_that_cannot_be_used_is_unchecked_and_not_sound() {
    let document = document("3.1.0", promise(json!({"type": "strnig"})), json!({}));
    let checked = asked(&document, 200, "application/json", "1");
    assert!(checked.unchecked.unwrap().starts_with("the schema at #/paths/~1orders/get/"));
}

#[rstest]
#[case::syntax("{\n  \"openapi\": nope\n}", Format::Json, "line 2, column 15: expected ident")]
#[case::yaml("openapi: 3.1.0\npaths: [", Format::Yaml, "line 2")]
#[case::twice("openapi: 3.1.0\nopenapi: 3.1.0", Format::Yaml, "line 2, column 1: duplicate mapping key")]
#[case::swagger(r#"{"swagger": "2.0"}"#, Format::Json, "Swagger \"2.0\" is not supported")]
#[case::none("{}", Format::Json, "there is no key `openapi`")]
#[case::remote(
    r##"{"openapi": "3.1.0", "paths": {"/a": {"$ref": "other.json#/a"}}}"##,
    Format::Json,
    "#/paths/~1a: `other.json#/a` points outside of the document"
)]
#[case::dangling(
    r##"{"openapi": "3.1.0", "paths": {"/a": {"$ref": "#/b"}}}"##,
    Format::Json,
    "`#/b` is not in the document"
)]
#[case::circle(
    r##"{"openapi": "3.1.0", "paths": {"/a": {"$ref": "#/b"}}, "b": {"$ref": "#/c"}, "c": {"$ref": "#/b"}}"##,
    Format::Json,
    "refers to itself and to no value"
)]
#[case::anchor(r##"{"openapi": "3.1.0", "b": {"$ref": "#x"}}"##, Format::Json, "`#x` is not in the document")]
fn a_text_that_is_no_document_states_where(#[case] text: &str, #[case] format: Format, #[case] want: &str) {
    let error = Document::parse(text, format).unwrap_err().to_string();
    assert!(error.contains(want), "{error}");
}

#[rstest]
#[case::deep_json("[", Format::Json)]
#[case::deep_objects("{\"a\":", Format::Json)]
#[case::deep_yaml("[", Format::Yaml)]
#[case::deep_yaml_blocks("- ", Format::Yaml)]
fn a_text_without_a_bottom_is_an_error_and_not_a_crash(#[case] part: &str, #[case] format: Format) {
    let text = part.repeat(50_000);
    assert!(Document::parse(&text, format).is_err());
    assert!(diff::Contract::read(&text, format).is_err());
    let closed = format!("openapi: 3.1.0\npaths: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    assert!(Document::parse(&closed, Format::Yaml).is_err());
    assert!(diff::Contract::read(&closed, Format::Yaml).is_err());
}

#[test]
fn aliases_that_multiply_are_an_error() {
    let line = |n: usize| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
    let lines: String = (1..12).map(line).collect();
    let text = format!("openapi: 3.1.0\npaths: {{}}\na0: &a0 [x, x]\n{lines}");
    assert!(Document::parse(&text, Format::Yaml).is_err());
    assert!(diff::Contract::read(&text, Format::Yaml).is_err());
}

#[test]
fn a_reference_in_an_example_is_data() {
    let text = r#"{"openapi": "3.1.0", "paths": {}, "x": {"example": {"$ref": "https://example.com/a"}}}"#;
    assert!(Document::parse(text, Format::Json).is_ok());
}

#[test]
fn yaml_reads_as_json_does() {
    let yaml =
        "openapi: 3.1.0\npaths:\n  /orders:\n    get:\n      responses:\n        200:\n          description: no\n";
    let document = Document::parse(yaml, Format::Yaml).unwrap();
    assert_eq!(document.operations()[0].responses[0].status, "200");
}

fn call(parameters: Value) -> String {
    let root = json!({"openapi": "3.1.0", "paths": {"/orders/{id}": {
        "parameters": [{"name": "id", "in": "path", "required": true, "example": 1}],
        "get": {"parameters": parameters, "responses": {}},
    }}});
    let document = Document::parse(&root.to_string(), Format::Json).unwrap();
    match &calls(&document, false)[0].request {
        Ok(request) => {
            request.headers.iter().fold(request.target.clone(), |all, (name, value)| format!("{all} {name}={value}"))
        }
        Err(reason) => reason.to_string(),
    }
}

#[rstest]
#[case::of_the_path(json!([]), "/orders/1")]
#[case::own_wins(json!([{"name": "id", "in": "path", "schema": {"default": "a/b c"}}]), "/orders/a%2Fb%20c")]
#[case::without_value(json!([{"name": "id", "in": "path"}]), "parameter `id` has no example")]
#[case::object(json!([{"name": "id", "in": "path", "example": {}}]), "the example of parameter `id` is an object or empty")]
#[case::empty(json!([{"name": "id", "in": "path", "example": ""}]), "the example of parameter `id` is an object or empty")]
#[case::optional(json!([{"name": "q", "in": "query", "example": 1}]), "/orders/1")]
#[case::query(json!([{"name": "q", "in": "query", "required": true, "schema": {"enum": ["x&y", "z"]}}]), "/orders/1?q=x%26y")]
#[case::list(json!([{"name": "q", "in": "query", "required": true, "schema": {"examples": [[1, 2]]}}]), "/orders/1?q=1&q=2")]
#[case::named(json!([{"name": "q", "in": "query", "required": true, "examples": {"one": {"value": true}}}]), "/orders/1?q=true")]
#[case::header(json!([{"name": "X-T", "in": "header", "required": true, "example": "a"}]), "/orders/1 X-T=a")]
#[case::cookie(json!([{"name": "c", "in": "cookie", "required": true, "example": "a"}]), "/orders/1 cookie=c=a")]
fn a_call_is_made_of_the_values_of_the_document(#[case] parameters: Value, #[case] want: &str) {
    assert_eq!(call(parameters), want);
}

#[rstest]
#[case::writes("post", json!({"responses": {}}), "changes data")]
#[case::token("get", json!({"responses": {}}), "needs a token (key)")]
#[case::open("get", json!({"responses": {}, "security": []}), "/a")]
#[case::choice("get", json!({"responses": {}, "security": [{"key": []}, {}]}), "/a")]
fn what_is_not_called_states_why(#[case] method: &str, #[case] operation: Value, #[case] want: &str) {
    let root = json!({"openapi": "3.0.0", "security": [{"key": []}], "paths": {"/a": {method: operation}}});
    let document = Document::parse(&root.to_string(), Format::Json).unwrap();
    let got =
        calls(&document, false)[0].request.clone().map_or_else(|reason| reason.to_string(), |request| request.target);
    assert_eq!(got, want);
}

#[rstest]
#[case::relative(r#"[{"url": "/api/v1"}]"#, "/api/v1")]
#[case::absolute(r#"[{"url": "https://api.example.com/v1/"}]"#, "/v1")]
#[case::variable(r#"[{"url": "/{base}", "variables": {"base": {"default": "v2"}}}]"#, "/v2")]
#[case::the_root(r#"[{"url": "/"}]"#, "")]
#[case::a_host_alone(r#"[{"url": "https://api.example.com"}]"#, "")]
#[case::no_default(r#"[{"url": "/{base}"}]"#, "")]
#[case::none("[]", "")]
fn the_paths_lie_below_the_path_of_the_first_server(#[case] servers: &str, #[case] want: &str) {
    let text = format!(
        r#"{{"openapi": "3.0.3", "info": {{"title": "x", "version": "1"}}, "servers": {servers}, "paths": {{}}}}"#
    );
    assert_eq!(Document::parse(&text, Format::Json).unwrap().base_path(), want);
}
