use rstest::rstest;
use serde_json::{Value, json};

use super::tests::{around, changes, document};

/// Compares two schemas as bodies, and lists the rules that were met with their levels.
fn found(version: &str, direction: &str, old: &Value, new: &Value) -> String {
    let of = |schema: &Value| around(schema, &json!(version), direction);
    listed(&of(old), &of(new))
}

/// Compares two documents, and lists the rules that were met with their levels.
fn listed(old: &str, new: &str) -> String {
    let mut met: Vec<_> =
        changes(old, new).iter().map(|change| format!("{} {}", change.id, change.level.word())).collect();
    met.sort();
    met.dedup();
    met.join(", ")
}

fn component(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn only_null() -> Value {
    json!({ "type": "null" })
}

#[rstest]
#[case::of_components("3.1.0", json!({"anyOf": [component("Cat"), component("Dog")]}), json!({"anyOf": [component("Cat"), component("Dog"), only_null()]}))]
#[case::of_one_of("3.1.0", json!({"oneOf": [component("Cat"), component("Dog")]}), json!({"oneOf": [component("Cat"), component("Dog"), only_null()]}))]
#[case::inline("3.1.0", json!({"anyOf": [{"type": "string", "maxLength": 5}, {"type": "array", "items": {"type": "string"}}]}),
    json!({"anyOf": [{"type": "string", "maxLength": 5}, {"type": "array", "items": {"type": "string"}}, {"const": null}]}))]
#[case::in_items("3.1.0", json!({"type": "array", "items": {"oneOf": [component("Cat"), component("Dog")]}}),
    json!({"type": "array", "items": {"oneOf": [component("Cat"), component("Dog"), {"enum": [null]}]}}))]
#[case::without_types("3.1.0", json!({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
    json!({"anyOf": [{"required": ["a"]}, {"required": ["b"]}, {"type": ["null"]}]}))]
#[case::by_nullable("3.0.3", json!({"anyOf": [{"type": "string", "maxLength": 5}, component("Cat")]}),
    json!({"nullable": true, "anyOf": [{"type": "string", "maxLength": 5}, component("Cat")]}))]
fn null_that_a_choice_gains_is_a_change(#[case] version: &str, #[case] without: Value, #[case] with: Value) {
    assert_eq!(found(version, "response", &without, &with), "response-nullable-widened error");
    assert_eq!(found(version, "response", &with, &without), "response-nullable-narrowed info");
    assert_eq!(found(version, "request", &without, &with), "request-nullable-widened info");
    assert_eq!(found(version, "request", &with, &without), "request-nullable-narrowed error");
}

#[test]
fn null_counts_where_a_schema_becomes_a_choice() {
    let narrower = json!({ "type": "object", "required": ["name", "age"] });
    let choice = json!({ "anyOf": [component("Cat"), narrower, only_null()] });
    let nullable = json!({ "anyOf": [component("Cat"), only_null()] });
    assert!(found("3.1.0", "response", &component("Cat"), &choice).contains("response-nullable-widened error"));
    assert!(found("3.1.0", "request", &choice, &component("Cat")).contains("request-nullable-narrowed error"));
    assert_eq!(found("3.1.0", "request", &nullable, &choice), "request-any-of-widened info");
}

#[rstest]
#[case::in_a_member(json!({"anyOf": [component("Cat"), component("Dog"), only_null()]}), json!({"anyOf": [{"anyOf": [component("Cat"), component("Dog")]}, only_null()]}))]
#[case::next_to_the_types(json!({"type": ["object", "null"], "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
    json!({"type": ["null", "object"], "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}))]
fn null_of_a_choice_may_be_written_in_several_ways(#[case] old: Value, #[case] new: Value) {
    for direction in ["request", "response"] {
        assert_eq!(found("3.1.0", direction, &old, &new), "");
        assert_eq!(found("3.1.0", direction, &new, &old), "");
    }
}

#[test]
fn members_that_lead_back_to_their_choice_end() {
    let of = |members: Value| {
        let pet = json!({ "type": "object", "oneOf": members });
        let dog = json!({ "allOf": [component("Pet"), { "properties": { "bark": { "type": "string" } } }] });
        let mut whole: Value = serde_json::from_str(&around(&component("Pet"), &json!("3.1.0"), "response")).unwrap();
        whole["components"]["schemas"]["Pet"] = pet;
        whole["components"]["schemas"]["Hound"] = dog;
        whole.to_string()
    };
    let (one, two) = (json!([component("Hound"), component("Cat")]), json!([component("Hound"), component("Bird")]));
    assert_eq!(listed(&of(one.clone()), &of(one.clone())), "");
    assert!(listed(&of(one), &of(two)).contains("response-one-of-widened error"));
}

#[rstest]
#[case::a_text(json!({"type": "string"}), only_null(), "response-type-changed error", "request-type-changed error")]
#[case::back(only_null(), json!({"type": "string"}), "response-type-changed error", "request-type-changed error")]
#[case::an_object(component("Cat"), json!({"enum": [null]}), "response-type-changed error", "request-type-changed error")]
#[case::without_a_type(json!({"properties": {"a": {"type": "string"}}}), only_null(), "response-type-changed error", "request-type-changed error")]
#[case::less(json!({"type": ["string", "null"]}), only_null(), "response-type-narrowed info", "request-type-narrowed error")]
#[case::more(only_null(), json!({"type": ["string", "null"]}), "response-type-widened error", "request-type-widened info")]
#[case::anything(json!({}), only_null(), "response-type-narrowed info", "request-type-narrowed error")]
fn null_alone_is_a_type(#[case] old: Value, #[case] new: Value, #[case] response: &str, #[case] request: &str) {
    assert_eq!(found("3.1.0", "response", &old, &new), response);
    assert_eq!(found("3.1.0", "request", &old, &new), request);
}

/// A document whose operation takes and returns a body of this media type.
fn of_media(media: &str, schema: &Value) -> String {
    let content = json!({ media: { "schema": schema } });
    let operation = json!({
        "requestBody": { "required": true, "content": content },
        "responses": { "200": { "description": "ok", "content": content } },
        "parameters": [{ "name": "filter", "in": "query", "content": content }]
    });
    document(&json!({ "paths": { "/things": { "post": operation } } }))
}

#[rstest]
#[case::of_json("application/json", "application/json; charset=utf-8", "")]
#[case::of_two_cases("application/json;charset=UTF-8", "application/json; charset=utf-8", "")]
#[case::of_two_sets("application/problem+json;charset=ascii", "application/problem+json; charset=utf-8", "")]
#[case::of_text("text/csv", "text/csv; charset=utf-8", "")]
#[case::of_text_in_another_one(
    "text/csv; charset=latin1",
    "text/csv; charset=utf-8",
    "request-media-type-added info, request-media-type-removed error, response-media-type-added info, response-media-type-removed error"
)]
#[case::of_another_version(
    "application/json; v=1",
    "application/json; v=2; charset=utf-8",
    "request-media-type-added info, request-media-type-removed error, response-media-type-added info, response-media-type-removed error"
)]
fn a_character_set_is_a_change_only_of_text_that_has_another(#[case] old: &str, #[case] new: &str, #[case] want: &str) {
    let of = |media: &str| of_media(media, &json!({ "type": "object", "properties": { "a": { "type": "string" } } }));
    assert_eq!(listed(&of(old), &of(new)), want);
    assert_eq!(listed(&of(new), &of(old)), want);
}

#[rstest]
#[case::max_length(json!({"type": "string", "maxLength": 20}), json!({"type": "string", "enum": ["draft", "done"]}))]
#[case::min_length(json!({"type": "string", "minLength": 1}), json!({"type": "string", "const": "draft"}))]
#[case::pattern(json!({"type": "string", "pattern": "^[a-z]$"}), json!({"enum": ["a", "b"]}))]
#[case::bounds(json!({"type": "integer", "minimum": 1, "exclusiveMaximum": 5, "multipleOf": 2}), json!({"type": "integer", "enum": [2, 4]}))]
#[case::own_limits(json!({"type": "string"}), json!({"type": "string", "enum": ["draft"], "maxLength": 20, "pattern": "^d"}))]
#[case::own_format(json!({"type": "integer", "minimum": 1, "maximum": 9}), json!({"type": "integer", "enum": [1], "format": "int32"}))]
#[case::items(json!({"type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": true}), json!({"type": "array", "enum": [[1, 2]]}))]
fn listed_values_within_the_limits_are_narrower(#[case] limited: Value, #[case] listed: Value) {
    assert_eq!(found("3.1.0", "response", &limited, &listed), "response-enum-narrowed info");
    assert_eq!(found("3.1.0", "response", &listed, &limited), "response-enum-widened error");
    assert_eq!(found("3.1.0", "request", &limited, &listed), "request-enum-narrowed error");
    assert_eq!(found("3.1.0", "request", &listed, &limited), "request-enum-widened info");
}

#[rstest]
#[case::max_length(json!({"type": "string", "maxLength": 4}), json!({"type": "string", "enum": ["draft"]}),
    "request-enum-widened info, request-max-length-narrowed error", "response-enum-narrowed info, response-max-length-widened error")]
#[case::maximum(json!({"type": "integer", "maximum": 4}), json!({"type": "integer", "enum": [1, 5]}),
    "request-enum-widened info, request-maximum-narrowed error", "response-enum-narrowed info, response-maximum-widened error")]
#[case::unreadable_pattern(json!({"type": "string", "pattern": "^(?!x)"}), json!({"type": "string", "enum": ["a"]}),
    "request-enum-widened info, request-pattern-narrowed error", "response-enum-narrowed info, response-pattern-widened warning")]
fn a_limit_that_refuses_a_listed_value_is_a_change(
    #[case] limited: Value,
    #[case] listed: Value,
    #[case] request: &str,
    #[case] response: &str,
) {
    assert_eq!(found("3.1.0", "request", &listed, &limited), request);
    assert_eq!(found("3.1.0", "response", &limited, &listed), response);
}

#[rstest]
#[case::length_of_an_integer(json!({"type": "integer"}), json!({"type": "integer", "minLength": 3, "maxLength": 5}))]
#[case::pattern_of_an_integer(json!({"type": "integer"}), json!({"type": "integer", "pattern": "^1"}))]
#[case::step_of_an_integer(json!({"type": "integer"}), json!({"type": "integer", "multipleOf": 1}))]
#[case::limits_between_integers(json!({"type": "integer", "minimum": 1, "maximum": 2}), json!({"type": "integer", "exclusiveMinimum": 0.5, "maximum": 2.9}))]
#[case::whole_number(json!({"type": "integer"}), json!({"type": "number", "multipleOf": 1}))]
#[case::steps_of_integers(json!({"type": "integer", "multipleOf": 5}), json!({"type": "number", "multipleOf": 5}))]
#[case::items_of_an_object(component("Cat"), json!({"allOf": [component("Cat")], "items": {"type": "string"}}))]
#[case::sizes_of_an_object(json!({"type": "object"}), json!({"type": "object", "minItems": 1, "uniqueItems": true, "contains": {"type": "string"}}))]
#[case::properties_of_a_list(json!({"type": "array"}), json!({"type": "array", "additionalProperties": false, "properties": {"a": {"type": "string"}}}))]
#[case::required_of_a_text(json!({"type": "string"}), json!({"type": "string", "required": ["a"], "propertyNames": {"maxLength": 1}}))]
#[case::limits_of_a_text(json!({"type": "string"}), json!({"type": "string", "minimum": 1, "maximum": 2}))]
#[case::numbers_as_texts(json!({"type": "string"}), json!({"type": "string", "format": "int64"}))]
#[case::two_steps(json!({"type": "integer", "multipleOf": 6}), json!({"type": "integer", "allOf": [{"multipleOf": 2}, {"multipleOf": 3}]}))]
fn a_keyword_of_another_type_is_no_change(#[case] old: Value, #[case] new: Value) {
    for direction in ["request", "response"] {
        assert_eq!(found("3.1.0", direction, &old, &new), "", "{direction}");
        assert_eq!(found("3.1.0", direction, &new, &old), "", "{direction} back");
    }
}

#[test]
fn null_has_to_be_in_a_list_of_values() {
    let (of_null, without) = (json!(["string", "null"]), json!("string"));
    let schema = |types: &Value, values: Value| json!({ "type": types, "enum": values });
    let narrow = schema(&of_null, json!(["a"]));
    let wide = schema(&of_null, json!(["a", null]));
    assert_eq!(found("3.1.0", "response", &narrow, &wide), "response-nullable-widened error");
    assert_eq!(found("3.1.0", "request", &wide, &narrow), "request-nullable-narrowed error");
    assert_eq!(found("3.1.0", "response", &schema(&without, json!(["a"])), &narrow), "");
    let nullable = json!({ "type": "string", "nullable": true, "enum": ["a"] });
    assert_eq!(
        found("3.0.3", "response", &json!({ "type": "string", "enum": ["a"] }), &nullable),
        "response-nullable-widened error"
    );
}

#[rstest]
#[case::base64(json!({"type": "string", "format": "byte"}), json!({"type": "string", "contentEncoding": "base64"}))]
#[case::bytes(json!({"type": "string", "format": "binary"}), json!({"type": "string", "contentMediaType": "application/octet-stream"}))]
#[case::an_image(json!({"type": "string", "format": "byte"}), json!({"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}))]
#[case::an_annotation(json!({"type": "string"}), json!({"type": "string", "contentMediaType": "text/html"}))]
fn content_is_written_in_3_0_as_in_3_1(#[case] old: Value, #[case] new: Value) {
    for media in ["application/json", "multipart/form-data"] {
        let of = |version: &str, schema: &Value| {
            let whole = of_media(media, &json!({ "type": "object", "properties": { "a": schema } }));
            whole.replace("3.1.0", version)
        };
        assert_eq!(listed(&of("3.0.3", &old), &of("3.1.0", &new)), "");
        assert_eq!(listed(&of("3.1.0", &new), &of("3.0.3", &old)), "");
    }
}

#[rstest]
#[case::bytes("application/octet-stream", json!({"type": "string", "format": "binary"}), json!({}))]
#[case::of_a_type("image/png", json!({"type": "string", "format": "binary"}), json!({"contentMediaType": "image/png"}))]
#[case::a_text("text/csv", json!({"type": "string"}), json!(true))]
fn a_schema_of_any_bytes_is_none(#[case] media: &str, #[case] old: Value, #[case] new: Value) {
    let without = of_media(media, &json!({})).replace("\"schema\": {}", "");
    assert!(!without.contains("\"schema\": {"), "{without}");
    for (old, new) in [(&old, &new), (&new, &old)] {
        assert_eq!(listed(&of_media(media, old), &of_media(media, new)), "");
        assert_eq!(listed(&of_media(media, old), &without), "");
        assert_eq!(listed(&without, &of_media(media, old)), "");
    }
}

#[test]
fn bytes_that_become_a_text_are_a_change() {
    let (bytes, text) = (json!({ "type": "string", "format": "binary" }), json!({ "type": "string" }));
    assert_eq!(found("3.0.3", "response", &bytes, &text), "response-content-widened error");
    assert_eq!(found("3.0.3", "request", &text, &bytes), "request-content-narrowed error");
}

#[rstest]
#[case::an_integer(json!({"type": "integer"}), json!({"type": "string"}), "request-type-widened info")]
#[case::a_boolean(json!({"type": "boolean"}), json!({"type": "string"}), "request-type-widened info")]
#[case::elements(json!({"type": "array", "items": {"type": "integer"}}), json!({"type": "array", "items": {"type": "string"}}), "request-type-widened info")]
#[case::of_a_part_in_json(json!({"type": "object", "properties": {"b": {"type": "integer"}}}),
    json!({"type": "object", "properties": {"b": {"type": "string"}}}), "request-type-changed error")]
#[case::limited(json!({"type": "integer"}), json!({"type": "string", "format": "uuid"}), "request-type-changed error")]
fn a_property_of_a_form_is_written_as_a_text(#[case] old: Value, #[case] new: Value, #[case] want: &str) {
    for media in ["application/x-www-form-urlencoded", "multipart/form-data"] {
        let of = |schema: &Value| {
            let content = json!({ media: { "schema": { "type": "object", "properties": { "a": schema } } } });
            document(&json!({ "paths": { "/things": { "post": { "requestBody": { "content": content } } } } }))
        };
        assert_eq!(listed(&of(&old), &of(&new)), want);
    }
}

/// A document whose operation has this parameter.
fn of_parameter(parameter: &Value) -> String {
    let operation = json!({ "parameters": [parameter], "responses": {} });
    document(&json!({ "paths": { "/things/{id}": { "get": operation } } }))
}

#[rstest]
#[case::case_of_a_name(
    "query",
    "orderBy",
    "query",
    "orderby",
    "parameter-added-optional info, parameter-removed warning"
)]
#[case::to_another_place("query", "token", "header", "Token", "parameter-moved error")]
fn a_parameter_moves_only_to_another_place(
    #[case] place: &str,
    #[case] name: &str,
    #[case] to: &str,
    #[case] other: &str,
    #[case] want: &str,
) {
    let of =
        |place: &str, name: &str| of_parameter(&json!({ "name": name, "in": place, "schema": { "type": "string" } }));
    assert_eq!(listed(&of(place, name), &of(to, other)), want);
}

#[rstest]
#[case::of_a_path("path", 1, "")]
#[case::of_a_path_and_more("path", 2, "request-min-length-narrowed error")]
#[case::of_a_query("query", 1, "request-min-length-narrowed error")]
fn a_part_of_a_path_is_never_empty(#[case] place: &str, #[case] least: u32, #[case] want: &str) {
    let of = |schema: Value| of_parameter(&json!({ "name": "id", "in": place, "required": true, "schema": schema }));
    let limited = of(json!({ "type": "string", "minLength": least }));
    assert_eq!(listed(&of(json!({ "type": "string" })), &limited), want);
}

#[rstest]
#[case::name_of_a_header(json!({"type": "apiKey", "in": "header", "name": "X-Key"}), json!({"type": "apiKey", "in": "header", "name": "x-key"}), "")]
#[case::name_in_a_query(json!({"type": "apiKey", "in": "query", "name": "key"}), json!({"type": "apiKey", "in": "query", "name": "Key"}), "security-scheme-changed error")]
#[case::address(json!({"type": "openIdConnect", "openIdConnectUrl": "https://a.example"}),
    json!({"type": "openIdConnect", "openIdConnectUrl": "https://b.example"}), "security-url-changed warning")]
#[case::bearer(json!({"type": "http", "scheme": "Bearer"}), json!({"type": "oauth2", "flows": {}}), "")]
#[case::provider(json!({"type": "http", "scheme": "bearer"}), json!({"type": "openIdConnect", "openIdConnectUrl": "https://b.example"}), "")]
#[case::basic(json!({"type": "http", "scheme": "basic"}), json!({"type": "oauth2", "flows": {}}), "security-scheme-changed error")]
fn credentials_are_what_is_sent(#[case] old: Value, #[case] new: Value, #[case] want: &str) {
    let of = |scheme: &Value| {
        let operation = json!({ "security": [{ "key": [] }], "responses": {} });
        document(&json!({
            "paths": { "/things": { "get": operation } }, "components": { "securitySchemes": { "key": scheme } }
        }))
    };
    assert_eq!(listed(&of(&old), &of(&new)), want);
    assert_eq!(listed(&of(&new), &of(&old)), want);
}

/// A document whose operation has these responses: a status and the type of its body each.
fn of_responses(responses: &[(&str, &str)]) -> String {
    let of = |(status, kind): &(&str, &str)| {
        let schema = json!({ "type": "object", "properties": { "x": { "type": kind } } });
        ((*status).to_owned(), json!({ "description": "ok", "content": { "application/json": { "schema": schema } } }))
    };
    let all: serde_json::Map<String, Value> = responses.iter().map(of).collect();
    document(&json!({ "paths": { "/things": { "get": { "responses": all } } } }))
}

#[rstest]
#[case::of_a_range(&[("200", "string"), ("4XX", "string")], &[("200", "string"), ("400", "integer")],
    "response-status-added info, response-status-removed info, response-type-changed error")]
#[case::of_the_default(&[("default", "string")], &[("4XX", "integer"), ("default", "string")],
    "response-status-added info, response-type-changed error")]
#[case::of_a_default_that_is_success(&[("default", "string")], &[("200", "integer")],
    "response-status-added info, response-status-removed info, response-type-changed error")]
#[case::by_the_default(&[("200", "string"), ("404", "string"), ("default", "integer")], &[("200", "string"), ("default", "integer")],
    "response-status-removed info, response-type-changed error")]
#[case::success_by_the_default(&[("200", "string")], &[("default", "string")],
    "response-status-added info, response-success-removed error")]
#[case::another_success(&[("200", "string"), ("default", "integer")], &[("200", "string"), ("201", "string"), ("default", "integer")],
    "response-status-added info")]
#[case::a_success_less(&[("200", "string"), ("201", "string"), ("default", "string")], &[("200", "string"), ("default", "string")],
    "response-success-removed error")]
#[case::a_narrower_success(&[("2XX", "string")], &[("200", "string")], "response-status-added info")]
#[case::a_narrower_success_of_another_type(&[("2XX", "string")], &[("200", "integer")],
    "response-status-added info, response-type-changed error")]
#[case::a_range_next_to_its_status(&[("400", "string"), ("4XX", "integer")], &[("400", "string"), ("4XX", "integer")], "")]
#[case::none_left(&[("200", "string")], &[], "response-success-removed error")]
fn a_status_is_compared_with_what_describes_it(
    #[case] old: &[(&str, &str)],
    #[case] new: &[(&str, &str)],
    #[case] want: &str,
) {
    assert_eq!(listed(&of_responses(old), &of_responses(new)), want);
}

#[test]
fn responses_may_be_left_out_in_3_1() {
    let old = of_responses(&[("200", "string")]);
    let without = document(&json!({ "paths": { "/things": { "get": {} } } }));
    assert_eq!(listed(&old, &without), "response-success-removed error");
    assert_eq!(listed(&without, &old), "response-status-added info");
}

#[rstest]
#[case::required(json!({"name": "X-Sig", "in": "header", "required": true}), json!({"name": "X-Other", "in": "header"}),
    "response-header-added info, response-header-removed-required error")]
#[case::optional(json!({"name": "X-Sig", "in": "header"}), json!({"name": "x-sig", "in": "header", "required": true}),
    "response-header-became-required info")]
#[case::of_a_query(json!({"name": "at", "in": "query", "schema": {"type": "string"}}), json!({"name": "at", "in": "query", "schema": {"type": "integer"}}),
    "response-type-changed error")]
fn a_parameter_that_the_service_sends_is_received(#[case] old: Value, #[case] new: Value, #[case] want: &str) {
    let webhooks = |item: &Value| json!({ "webhooks": { "paid": item }, "paths": {} });
    let callbacks = |item: &Value| {
        let operation = json!({ "callbacks": { "paid": { "{$request.body#/url}": item } }, "responses": {} });
        json!({ "paths": { "/things": { "post": operation } } })
    };
    let of_operation = |parameter: &Value| json!({ "post": { "parameters": [parameter] } });
    let of_item = |parameter: &Value| json!({ "parameters": [parameter], "post": {} });
    for (old, new) in [(of_operation(&old), of_operation(&new)), (of_item(&old), of_item(&new))] {
        assert_eq!(listed(&document(&webhooks(&old)), &document(&webhooks(&new))), want);
        assert_eq!(listed(&document(&callbacks(&old)), &document(&callbacks(&new))), want);
    }
}

#[rstest]
#[case::as_a_value(json!({"enum": [null]}))]
#[case::as_a_constant(json!({"const": null}))]
#[case::as_members(json!({"anyOf": [only_null(), {"const": null}]}))]
fn null_alone_may_be_written_in_several_ways(#[case] other: Value) {
    for direction in ["request", "response"] {
        assert_eq!(found("3.1.0", direction, &only_null(), &other), "");
        assert_eq!(found("3.1.0", direction, &other, &only_null()), "");
    }
}

#[rstest]
#[case::of_another_member(json!({"anyOf": [component("Cat"), {"type": ["integer", "null"], "minimum": 1}]}),
    json!({"anyOf": [{"type": ["object", "null"], "required": ["name"], "properties": {"name": {"type": "string"}}}, {"type": ["integer", "null"], "minimum": 1}]}), "")]
#[case::of_no_other(json!({"oneOf": [component("Cat"), {"type": "integer", "minimum": 1}]}),
    json!({"oneOf": [component("Cat"), {"type": ["integer", "null"], "minimum": 1}]}), "response-nullable-widened error")]
#[case::not_of_the_type(json!({"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b"]}]}),
    json!({"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b", null, 7]}]}), "")]
fn null_of_a_member_is_null_of_the_choice(#[case] old: Value, #[case] new: Value, #[case] want: &str) {
    assert_eq!(found("3.1.0", "response", &old, &new), want);
    let places: Vec<_> =
        changes(&around(&old, &json!("3.1.0"), "response"), &around(&new, &json!("3.1.0"), "response"));
    assert!(places.iter().all(|change| change.place.ends_with('$')), "{places:?}");
}

#[test]
fn null_of_a_parameter_cannot_be_sent() {
    let of = |members: Value| of_parameter(&json!({ "name": "q", "in": "query", "schema": { "anyOf": members } }));
    let limited = json!({ "type": "string", "maxLength": 5 });
    let with = of(json!([limited, { "type": "array", "items": { "type": "string" } }, only_null()]));
    let without = of(json!([limited, { "type": "array", "items": { "type": "string" } }]));
    assert_eq!(listed(&with, &without), "");
    assert_eq!(listed(&without, &with), "");
}

#[rstest]
#[case::style(json!({"style": "form"}), json!({"style": "spaceDelimited"}), "parameter-serialisation-changed error")]
#[case::default_of_a_style(json!({}), json!({"style": "form", "explode": true}), "")]
#[case::explode(json!({"explode": true}), json!({"explode": false}), "parameter-serialisation-changed error")]
#[case::less_types(json!({"contentType": "image/png, image/jpeg"}), json!({"contentType": "image/png"}), "request-media-type-removed error")]
#[case::more_types(json!({"contentType": "image/png"}), json!({"contentType": "image/*"}), "request-media-type-added info")]
fn the_encoding_of_a_property_is_compared(#[case] old: Value, #[case] new: Value, #[case] want: &str) {
    let of = |encoding: &Value| {
        let list = json!({ "type": "array", "items": { "type": "string" } });
        let schema = json!({ "type": "object", "properties": { "f": list } });
        let content = json!({ "multipart/form-data": { "schema": schema, "encoding": { "f": encoding } } });
        document(&json!({ "paths": { "/things": { "post": { "requestBody": { "content": content } } } } }))
    };
    assert_eq!(listed(&of(&old), &of(&new)), want);
}

#[test]
fn null_of_a_schema_without_a_type_is_compared() {
    let plain = json!({ "properties": { "a": { "type": "string" } } });
    let nullable = json!({ "nullable": true, "allOf": [plain] });
    let typed = json!({ "nullable": true, "type": "object", "properties": { "a": { "type": "string" } } });
    let both = json!({ "nullable": true, "type": "object", "allOf": [{ "type": "object", "properties": plain["properties"] }] });
    for with in [&nullable, &typed, &both] {
        assert_eq!(found("3.0.3", "response", &plain, with), "response-nullable-widened error");
        assert_eq!(found("3.0.3", "request", with, &plain), "request-nullable-narrowed error");
    }
    assert_eq!(found("3.0.3", "response", &nullable, &typed), "");
    assert_eq!(found("3.0.3", "request", &typed, &nullable), "");
}

#[test]
fn schemas_that_lie_in_each_other_by_thousands_are_compared() {
    let of = |count: usize| {
        let name = |n: usize| format!("S{n}");
        let mut whole: Value = serde_json::from_str(&around(
            &json!({ "anyOf": [component("S0"), component("Cat")] }),
            &json!("3.1.0"),
            "response",
        ))
        .unwrap();
        for n in 0..count {
            whole["components"]["schemas"][name(n)] = json!({ "allOf": [component(&name(n + 1))] });
        }
        whole["components"]["schemas"][name(count)] = json!({ "type": "object" });
        whole.to_string()
    };
    assert_eq!(listed(&of(20_000), &of(20_001)), "");
}

#[test]
fn two_renamed_credentials_that_are_sent_alike_need_the_scopes_of_both() {
    let of = |names: [&str; 2], scopes: &[&str]| {
        let operation = json!({ "security": [{ names[0]: scopes, names[1]: [] }], "responses": {} });
        let schemes = json!({
            names[0]: { "type": "oauth2", "flows": {} }, names[1]: { "type": "http", "scheme": "bearer" }
        });
        let components = json!({ "securitySchemes": schemes });
        document(&json!({ "paths": { "/things": { "get": operation } }, "components": components }))
    };
    let old = of(["a", "b"], &["read"]);
    assert_eq!(listed(&old, &of(["c", "d"], &["read"])), "");
    assert_eq!(listed(&old, &of(["c", "d"], &["read", "write"])), "security-scope-added error");
}
