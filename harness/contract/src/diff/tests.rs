use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;
use serde_json::{Value, json};

use super::{super::Format, *};

const SCHEMAS: &str = include_str!("../../../../fixtures/contracts/diff/schemas.json");
const OPERATIONS: &str = include_str!("../../../../fixtures/contracts/diff/operations.json");
const TODAY: &str = "2026-03-01";

fn cases(text: &str, group: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(text).unwrap();
    all[group].as_array().unwrap().clone()
}

/// Writes a document: what a case gives, and what every document has.
pub(super) fn document(given: &Value) -> String {
    let mut whole = json!({ "openapi": "3.1.0", "info": { "title": "things", "version": "1" }, "paths": {} });
    for (key, value) in given.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let animal =
        |name: &str| json!({ "type": "object", "required": [name], "properties": { name: { "type": "string" } } });
    let tree = json!({ "type": "object", "properties": {
        "children": { "type": "array", "items": { "$ref": "#/components/schemas/Tree" } }
    } });
    whole["components"]["schemas"] = json!({
        "Cat": animal("name"), "Dog": animal("bark"), "Puppy": animal("bark"), "Bird": animal("wings"), "Tree": tree
    });
    serde_json::to_string_pretty(&whole).unwrap()
}

/// Writes a document in which one schema is sent or comes.
pub(super) fn around(schema: &Value, version: &Value, direction: &str) -> String {
    let content = json!({ "application/json": { "schema": schema } });
    let operation = match direction {
        "request" => json!({ "requestBody": { "required": true, "content": content }, "responses": {} }),
        _ => json!({ "responses": { "200": { "description": "ok", "content": content } } }),
    };
    let version = version.as_str().unwrap_or("3.1.0");
    document(&json!({ "openapi": version, "paths": { "/things": { "post": operation } } }))
}

pub(super) fn changes(old: &str, new: &str) -> Vec<Change> {
    let (old, new) = (Contract::read(old, Format::Json).unwrap(), Contract::read(new, Format::Json).unwrap());
    compare(&old, &new, TODAY)
}

fn levels(changes: &[Change]) -> BTreeMap<String, String> {
    changes.iter().map(|change| (change.id.to_owned(), change.level.word().to_owned())).collect()
}

fn one(id: String, level: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(id, level.to_owned())])
}

/// Classifies every labelled pair in every direction; returns the rules that were met and how many pairs there were.
fn classified() -> (BTreeSet<String>, usize, Vec<String>) {
    let (mut met, mut pairs, mut wrong) = (BTreeSet::new(), 0, Vec::new());
    let mut judge = |what: String, old: &str, new: &str, want: BTreeMap<String, String>| {
        let found = levels(&changes(old, new));
        pairs += 1;
        met.extend(found.keys().cloned());
        if found != want {
            wrong.push(format!("{what}\n  expected {want:?}\n  got      {found:?}"));
        }
    };
    for case in cases(SCHEMAS, "ordered") {
        for direction in ["request", "response"] {
            let aspect = case["aspect"].as_str().unwrap();
            let of = |side: &str| around(&case[side], &case["openapi"], direction);
            let (breaks, free) = (case["response_widened"].as_str().unwrap_or("error"), "info");
            let (narrowed, widened) = if direction == "request" { ("error", free) } else { (free, breaks) };
            let id = |effect: &str| format!("{direction}-{aspect}-{effect}");
            let is_set = direction == "request" && case["limit"] == true;
            let want = if is_set { one(id("set"), "warning") } else { one(id("narrowed"), narrowed) };
            judge(format!("{case} {direction} narrowed"), &of("wide"), &of("narrow"), want);
            judge(format!("{case} {direction} widened"), &of("narrow"), &of("wide"), one(id("widened"), widened));
        }
    }
    for case in cases(SCHEMAS, "other") {
        for direction in ["request", "response"] {
            let of = |side: &str| around(&case[side], &case["openapi"], direction);
            let want = one(
                format!("{direction}-{}-changed", case["aspect"].as_str().unwrap()),
                case["level"].as_str().unwrap(),
            );
            judge(format!("{case} {direction}"), &of("old"), &of("new"), want.clone());
            judge(format!("{case} {direction} back"), &of("new"), &of("old"), want);
        }
    }
    for case in cases(SCHEMAS, "same") {
        for direction in ["request", "response"] {
            let old = around(&case["old"], &case["openapi"][0], direction);
            let new = around(&case["new"], &case["openapi"][1], direction);
            judge(format!("{case} {direction}"), &old, &new, BTreeMap::new());
            judge(format!("{case} {direction} back"), &new, &old, BTreeMap::new());
        }
    }
    for case in cases(SCHEMAS, "judged") {
        for direction in ["request", "response"] {
            let of = |side: &str| around(&case[side], &case["openapi"], direction);
            let want = |at: usize| serde_json::from_value(case[direction][at].clone()).unwrap();
            judge(format!("{case} {direction}"), &of("old"), &of("new"), want(0));
            judge(format!("{case} {direction} back"), &of("new"), &of("old"), want(1));
        }
    }
    for case in cases(OPERATIONS, "pairs") {
        let (old, new) = (document(&case["old"]), document(&case["new"]));
        let want = |key: &str| -> BTreeMap<String, String> { serde_json::from_value(case[key].clone()).unwrap() };
        judge(format!("{case} forward"), &old, &new, want("forward"));
        judge(format!("{case} back"), &new, &old, want("back"));
    }
    (met, pairs, wrong)
}

#[test]
fn every_labelled_pair_is_classified() {
    let (_, pairs, wrong) = classified();
    assert!(wrong.is_empty(), "{} of {pairs} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(pairs >= 120, "{pairs}");
}

#[test]
fn every_rule_is_met_by_a_labelled_pair() {
    let (met, ..) = classified();
    let never: Vec<_> = rules().iter().map(|rule| rule.id).filter(|id| !met.contains(*id)).collect();
    // The depth has a test of its own.
    assert_eq!(never, ["not-compared"]);
}

#[test]
fn ids_are_kebab_case_and_given_once() {
    let ids: Vec<_> = rules().iter().map(|rule| rule.id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{ids:?}");
}

#[test]
fn the_manual_has_every_rule() {
    let manual = include_str!("../../../../docs/contracts.md");
    let row = |rule: &Rule| {
        let plain = format!("| {} | `{}` | {} |", rule.level.word(), rule.id, rule.text);
        let aspect =
            rule.id.split_once('-').and_then(|(_, rest)| rest.rsplit_once('-')).map_or("", |(aspect, _)| aspect);
        manual.contains(&plain) || manual.contains(&format!("| `{aspect}` | "))
    };
    let missing: Vec<_> = rules().into_iter().filter(|rule| !row(rule)).map(|rule| rule.id).collect();
    assert!(missing.is_empty(), "docs/contracts.md lacks {missing:?}");
}

const YAML: &str = "\
openapi: 3.1.0
paths:
  /orders/{id}:
    get:
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema:
                type: object
                required: [total]
                properties:
                  total:
                    type: number
                    maximum: 10
";

#[test]
fn a_change_names_its_place_in_both_files() {
    let json = r#"{
  "openapi": "3.1.0",
  "paths": {
    "/orders/{id}": { "get": { "responses": { "200": { "description": "ok", "content": {
      "application/json": { "schema": {
        "type": "object", "required": ["total"],
        "properties": {
          "total": { "type": "number",
            "maximum": 20 }
        }
      } } } } } } }
  }
}"#;
    let (old, new) = (Contract::read(YAML, Format::Yaml).unwrap(), Contract::read(json, Format::Json).unwrap());
    let found = compare(&old, &new, TODAY);
    let [change] = found.as_slice() else { panic!("{found:?}") };
    let pointer = "/paths/~1orders~1{id}/get/responses/200/content/application~1json/schema/properties/total/maximum";
    assert_eq!(change.id, "response-maximum-widened");
    assert_eq!(change.place, "GET /orders/{id} response 200 application/json $.total");
    assert_eq!((change.before.as_str(), change.after.as_str()), ("10", "20"));
    assert_eq!(change.old, Location { file: None, pointer: pointer.to_owned(), line: 16 });
    assert_eq!(change.new, Location { file: None, pointer: pointer.to_owned(), line: 9 });
}

#[rstest]
#[case::json_syntax("{\n  \"openapi\": \"3.1.0\",\n}", Format::Json, "line 3")]
#[case::yaml_syntax("openapi: 3.1.0\npaths: [", Format::Yaml, "line ")]
#[case::twice(
    "openapi: 3.1.0\npaths: {}\npaths: {}",
    Format::Yaml,
    "line 3, column 1: the key `paths` is defined twice"
)]
#[case::swagger("swagger: '2.0'", Format::Yaml, "Swagger 2.0 is not supported")]
#[case::remote(
    r##"{"openapi":"3.1.0","paths":{"/a":{"$ref":"b.json#/x"}}}"##,
    Format::Json,
    "#/paths/~1a: `b.json#/x` points outside of"
)]
#[case::dangling(
    r##"{"openapi":"3.1.0","paths":{"/a":{"$ref":"#/x"}}}"##,
    Format::Json,
    "`#/x` is not in the document"
)]
#[case::circle(r##"{"openapi":"3.1.0","x":{"$ref":"#/y"},"y":{"$ref":"#/x"}}"##, Format::Json, "refers to itself")]
#[case::empty("", Format::Yaml, "the file is empty")]
#[case::json_twice(
    "{\n\"openapi\": \"3.1.0\",\n\"paths\": {},\n\"paths\": {}}",
    Format::Json,
    "line 4, column 1: the key `paths` is defined twice"
)]
#[case::json_twice_below(
    "{\"openapi\": \"3.1.0\", \"paths\": {\"/a\": {\n\"get\": {},\n\"g\\u0065t\": {}}}}",
    Format::Json,
    "line 3, column 1: the key `get` is defined twice"
)]
fn a_text_that_is_no_contract_states_why(#[case] text: &str, #[case] format: Format, #[case] why: &str) {
    let error = Contract::read(text, format).unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
    let error = super::super::Document::parse(text, format).unwrap_err().to_string();
    let line = why.split(',').next().unwrap();
    assert!(!line.starts_with("line") || error.starts_with(line), "{error}");
}

#[test]
fn anchors_aliases_and_merge_keys_are_followed() {
    let text = "openapi: 3.1.0\nx: &base {type: object, properties: {a: {type: string}}}\npaths:\n  /a:\n    post:\n      requestBody:\n        content:\n          application/json:\n            schema:\n              <<: *base\n              required: [a]\n";
    let contract = Contract::read(text, Format::Yaml).unwrap();
    let wider = text.replace("required: [a]", "required: []");
    let wider = Contract::read(&wider, Format::Yaml).unwrap();
    let found = levels(&compare(&wider, &contract, TODAY));
    assert_eq!(found, one("request-property-became-required".to_owned(), "error"));
}

#[test]
fn schemas_that_lie_too_deep_are_reported() {
    let nested = |inner: &str| {
        let schemas: String = (0..210)
            .map(|n| {
                format!("\"S{n}\":{{\"type\":\"array\",\"items\":{{\"$ref\":\"#/components/schemas/S{}\"}}}},", n + 1)
            })
            .collect();
        format!(
            "{{\"openapi\":\"3.1.0\",\"paths\":{{\"/a\":{{\"post\":{{\"requestBody\":{{\"content\":{{\"application/json\":{{\"schema\":{{\"$ref\":\"#/components/schemas/S0\"}}}}}}}}}}}}}},\"components\":{{\"schemas\":{{{schemas}\"S210\":{inner}}}}}}}"
        )
    };
    let found = changes(&nested("{}"), &nested("{\"type\":\"string\"}"));
    assert_eq!(levels(&found), one("not-compared".to_owned(), "warning"));
}

const MERGED: &str = "\
openapi: 3.1.0
x-base: &base {type: object, description: b, properties: {a: {type: string}}}
x-more: &more {required: [a], description: c}
paths:
  /a:
    post:
      requestBody:
        content:
          application/json:
            schema:
              <<: *base
              description: mine
";

#[rstest]
#[case::own_key_after_it(MERGED.to_owned())]
#[case::own_key_before_it(MERGED.replace("<<: *base\n              description: mine", "description: mine\n              <<: *base"))]
#[case::several(MERGED.replace("<<: *base", "<<: [*base, *more]"))]
#[case::in_flow_form(MERGED.replace("\n              <<: *base\n              description: mine", " {<<: *base, description: mine}"))]
fn an_own_key_wins_over_a_merged_one(#[case] text: String) {
    let contract = Contract::read(&text, Format::Yaml).unwrap();
    let view = contract.view();
    let schema = "/paths/~1a/post/requestBody/content/application~1json/schema";
    let node = view.root.at(schema).unwrap();
    assert_eq!(node.text("description"), Some("mine"));
    assert_eq!(node.get("required").is_some(), text.contains("[*base, *more]"));
    let below = view.root.at(&format!("{schema}/properties/a/type")).unwrap();
    assert_eq!(view.root.pointer(below.id), format!("{schema}/properties/a/type"));
    let document = super::super::Document::parse(&text, Format::Yaml).unwrap();
    assert_eq!(document.root().pointer(schema).unwrap()["description"], "mine");
}

#[rstest]
#[case::a_text("<<: base")]
#[case::a_list_of_texts("<<: [base]")]
fn a_merge_key_without_a_mapping_is_refused(#[case] merge: &str) {
    let error = Contract::read(&MERGED.replace("<<: *base", merge), Format::Yaml).unwrap_err().to_string();
    assert!(error.starts_with("line 11, column 1: a merge key `<<` needs a mapping"), "{error}");
}

/// A document whose response is `schema`, with these schemas as components.
fn named(schema: &Value, schemas: &Value) -> String {
    json!({ "openapi": "3.1.0", "paths": { "/a": { "get": { "responses": { "default": { "description": "ok", "content": {
        "application/json": { "schema": schema }
    } } } } } }, "components": { "schemas": schemas } })
    .to_string()
}

#[rstest]
#[case::anchor(json!({"$ref": "#order"}), json!({"Order": {"$anchor": "order", "type": "TYPE"}}))]
#[case::dynamic(json!({"$dynamicRef": "#order"}), json!({"Order": {"$dynamicAnchor": "order", "type": "TYPE"}}))]
#[case::id(json!({"$ref": "https://a.example/s/order"}), json!({"Order": {"$id": "https://a.example/s/order", "type": "TYPE"}}))]
#[case::next_to_an_id(json!({"$ref": "#/components/schemas/Orders"}), json!({
    "Orders": {"$id": "https://a.example/s/orders", "type": "array", "items": {"$ref": "order"}},
    "Order": {"$id": "https://a.example/s/order", "type": "TYPE"}
}))]
#[case::below_an_id(json!({"$ref": "#/components/schemas/Orders"}), json!({
    "Orders": {"$id": "urn:orders", "type": "array", "items": {"$ref": "#/$defs/one"}, "$defs": {"one": {"type": "TYPE"}}}
}))]
#[case::an_anchor_of_an_id(json!({"$ref": "urn:orders#one"}), json!({
    "Orders": {"$id": "urn:orders", "$defs": {"one": {"$anchor": "one", "type": "TYPE"}}}, "Other": {"$anchor": "one"}
}))]
fn a_type_changes_behind_a_name(#[case] schema: Value, #[case] schemas: Value) {
    let of = |name: &str| named(&schema, &schemas).replace("TYPE", name);
    let found = levels(&changes(&of("string"), &of("integer")));
    assert_eq!(found, one("response-type-changed".to_owned(), "error"));
    let document = super::super::Document::parse(&of("integer"), Format::Json).unwrap();
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let body = if schemas["Orders"]["type"] == "array" { "[\"x\"]" } else { "\"x\"" };
    let reply =
        super::super::ServiceResponse { status: 200, headers: &headers, body: body.as_bytes(), truncated: false };
    let checked = super::super::check(&document, &document.operations()[0], &reply);
    assert_eq!(checked.findings.len(), 1, "{checked:?}");
}

#[rstest]
#[case::anchor(json!({"$ref": "#order"}), json!({}), "`#order` is not in the document")]
#[case::anchor_of_others(json!({"$ref": "#order"}), json!({"Order": {"$anchor": "orders"}}), "`#order` is not in the document")]
#[case::pointer_in_a_default_response(json!({"$ref": "#/components/schemas/Nope"}), json!({}), "`#/components/schemas/Nope` is not")]
#[case::below_a_property_called_example(
    json!({"properties": {"example": {"oneOf": [{"$ref": "#/components/schemas/Nope"}]}}}), json!({}), "`#/components/schemas/Nope` is not")]
#[case::dynamic(json!({"$dynamicRef": "#nope"}), json!({}), "`#nope` is not in the document")]
#[case::dynamic_of_several(
    json!({"$dynamicRef": "#node"}),
    json!({"A": {"$dynamicAnchor": "node"}, "B": {"$id": "urn:b", "$dynamicAnchor": "node"}, "C": {"$dynamicAnchor": "other"}}),
    "`$dynamicRef: #node` may lead to several schemas (#/components/schemas/A, #/components/schemas/B)")]
#[case::dynamic_in_another_file(json!({"$dynamicRef": "other.yaml#node"}), json!({}), "`$dynamicRef` is not supported here")]
#[case::recursive(json!({"$recursiveRef": "#"}), json!({}), "`$recursiveRef` is not supported here")]
#[case::unknown_id(json!({"$ref": "urn:nope"}), json!({"A": {"$id": "urn:a"}}), "`urn:nope` points outside of the document")]
fn a_reference_that_leads_nowhere_is_refused_by_name(#[case] schema: Value, #[case] schemas: Value, #[case] why: &str) {
    let text = named(&schema, &schemas);
    let error = Contract::read(&text, Format::Json).unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
    let error = super::super::Document::parse(&text, Format::Json).unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
}

#[test]
fn what_looks_like_a_reference_in_data_is_none() {
    let data = json!({"$ref": "#/nope", "$id": "a", "$anchor": "b"});
    let schema = json!({"type": "object", "default": data, "examples": [data], "x-y": data, "enum": [data]});
    let text = named(&schema, &json!({}))
        .replace("\"schema\"", &format!("\"examples\": {{\"a\": {{\"value\": {data}}}}}, \"schema\""));
    Contract::read(&text, Format::Json).unwrap();
    super::super::Document::parse(&text, Format::Json).unwrap();
}

#[rstest]
#[case::yaml_without_an_ending(
    "openapi: 3.1.0",
    Format::Json,
    "line 1, column 1: expected value; a file is read as YAML if its name ends in"
)]
#[case::another_document(
    "openapi: 3.1.0\npaths: {}\n---\nopenapi: 3.1.0\npaths: {}\n",
    Format::Yaml,
    "line 4, column 1: a second document begins here"
)]
#[case::another_text("openapi: 3.1.0\npaths: {}\n---\n''\n", Format::Yaml, "line 4, column 1: a second document")]
#[case::path(
    "openapi: 3.1.0\npaths:\n  a: {get: {}}\n",
    Format::Yaml,
    "line 3, column 1: the path `a` does not begin with `/`"
)]
#[case::paths("openapi: 3.1.0\npaths: []\n", Format::Yaml, "line 2, column 1: `paths` is no object")]
#[case::required(
    "openapi: 3.1.0\ncomponents:\n  schemas:\n    A:\n      required: x\n",
    Format::Yaml,
    "line 5, column 1: `required` is \"x\"; expected a list of names"
)]
#[case::parameter(
    "openapi: 3.1.0\npaths:\n  /a:\n    parameters:\n    - in: query\n",
    Format::Yaml,
    "line 5, column 1: a parameter without `name`"
)]
#[case::parameter_of_a_component(
    "openapi: 3.1.0\ncomponents:\n  parameters:\n    A: {name: a}\n",
    Format::Yaml,
    "line 4, column 1: a parameter without `in`"
)]
#[case::unknown_type(
    "{\"openapi\": \"3.1.0\",\n\"components\": {\"schemas\": {\"A\": {\n\"type\": \"strin\"}}}}",
    Format::Json,
    "line 3, column 1: `type` is \"strin\", which is no type"
)]
#[case::one_of_the_types(
    "openapi: 3.1.0\ncomponents:\n  schemas:\n    A: {type: [string, nul]}\n",
    Format::Yaml,
    "line 4, column 1: `type` is \"nul\""
)]
#[case::properties(
    "openapi: 3.1.0\ncomponents:\n  schemas:\n    A:\n      properties: []\n",
    Format::Yaml,
    "line 5, column 1: `properties` is no object"
)]
#[case::choice(
    "openapi: 3.1.0\ncomponents:\n  schemas:\n    A:\n      oneOf: {type: string}\n",
    Format::Yaml,
    "line 5, column 1: `oneOf` is no list"
)]
#[case::reference(
    "openapi: 3.1.0\ncomponents:\n  schemas:\n    A:\n      $ref: 1\n",
    Format::Yaml,
    "line 5, column 1: `$ref` is no text"
)]
fn what_no_document_has_is_refused_with_its_line(#[case] text: &str, #[case] format: Format, #[case] why: &str) {
    let error = Contract::read(text, format).unwrap_err().to_string();
    assert!(error.starts_with(why), "{error}");
}

#[test]
fn names_of_the_author_are_no_keywords() {
    let text = "\
---
openapi: 3.1.0
security: [{required: [], type: []}]
paths:
  /a:
    get:
      parameters: [{$ref: '#/components/parameters/type'}]
      responses:
components:
  parameters:
    type: {name: type, in: query, example: {required: x, type: y}}
  schemas:
    required: {required: [type], dependentRequired: {required: [type], type: [required]}}
    type:
      type: [object, 'null']
      properties: {type: {type: string, default: {type: x}}, required: {}, properties: {}, $ref: {}}
  securitySchemes:
    key: {type: oauth2, flows: {implicit: {scopes: {type: all types, required: some}}}}
    other: {type: mutualTLS}
---
";
    Contract::read(text, Format::Yaml).unwrap();
}
