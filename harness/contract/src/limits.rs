//! Valid requests at the limits of what a parameter may be: the smallest and the largest value, the shortest text.
//!
//! A service has to respond to each of them as to any other valid request. Every value fits the parameter's schema.

use serde_json::{Value, json};

use super::{
    call::{Request, Values, written},
    document::Document,
    operation::{Operation, Parameter, ParameterLocation},
    reference::PointerValue,
    schema,
};

/// How many values one parameter gets, and one operation.
const VALUES: usize = 8;
const REQUESTS: usize = 32;
/// How long a text of a request's target is at most.
const LONG: u64 = 2_000;
/// How deep the members of choices are looked at.
const DEPTH: usize = 4;

/// A valid request, and what is special about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// The parameter and its value: `limit=100`.
    pub what: String,
    /// The values of the request.
    pub values: Values,
}

impl Limit {
    /// Returns a request with these values.
    #[must_use]
    pub fn of(values: Values) -> Self {
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), shortened);
        let parts: Vec<String> = values.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
        Limit { what: parts.join("&"), values }
    }

    /// Makes the request; what the limit states nothing of has the values that are `known`, else the document's.
    #[must_use]
    pub fn request(&self, operation: &Operation, known: &Values) -> Option<Request> {
        let mut values = known.clone();
        values.extend(self.values.iter().map(|(name, value)| (name.clone(), value.clone())));
        written(operation, &values).ok()
    }
}

fn shortened(text: &str) -> String {
    match text.chars().count() {
        count if count > 40 => format!("{}.. ({count} characters)", text.chars().take(20).collect::<String>()),
        _ => text.to_owned(),
    }
}

/// Lists valid requests with one query parameter at a limit each.
#[must_use]
pub fn limits(document: &Document, operation: &Operation) -> Vec<Limit> {
    let of = |parameter: &Parameter| {
        let values = values(document, parameter).into_iter();
        values.map(|value| Limit::of(Values::from([(parameter.name.clone(), value)]))).collect::<Vec<_>>()
    };
    let queried = operation.parameters.iter().filter(|parameter| parameter.place == ParameterLocation::Query);
    let mut all: Vec<Limit> = queried.flat_map(of).collect();
    all.truncate(REQUESTS);
    all
}

fn values(document: &Document, parameter: &Parameter) -> Vec<Value> {
    let Some(pointer) = &parameter.schema else { return Vec::new() };
    let mut found = Vec::new();
    candidates(document.root(), pointer, DEPTH, &mut found);
    let Ok(validator) = document.validator(pointer) else { return Vec::new() };
    let mut kept: Vec<Value> = Vec::new();
    for value in found.into_iter().filter(|value| validator.is_valid(value)) {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept.truncate(VALUES);
    kept
}

fn candidates(root: &Value, pointer: &str, depth: usize, found: &mut Vec<Value>) {
    let Some(location) = PointerValue::at(root, pointer).filter(|_| depth > 0) else { return };
    for key in ["allOf", "anyOf", "oneOf"] {
        let count = location.value.get(key).and_then(Value::as_array).map_or(0, Vec::len);
        (0..count).for_each(|index| candidates(root, &format!("{}/{key}/{index}", location.pointer), depth - 1, found));
    }
    if let Some(Value::Array(listed)) = location.value.get("enum") {
        return found.extend(listed.iter().filter(|value| !value.is_null()).cloned());
    }
    for name in schema::types(root, &location.pointer) {
        match name.as_str() {
            "integer" | "number" => numbers(location.value, found),
            "string" => texts(location.value, found),
            "boolean" => found.extend([json!(true), json!(false)]),
            "array" => {
                let mut items = Vec::new();
                candidates(root, &format!("{}/items", location.pointer), depth - 1, &mut items);
                found.extend(items.into_iter().take(2).map(|item| json!([item])));
            }
            _ => {}
        }
    }
}

/// Lists the limits of a number, what lies next to them, and zero.
fn numbers(schema: &Value, found: &mut Vec<Value>) {
    let at = |key: &str| schema.get(key).filter(|limit| limit.is_number());
    let stepped = |limit: &Value, step: i64| limit.as_i64().and_then(|limit| limit.checked_add(step)).map(Value::from);
    let limits = [("minimum", 1), ("maximum", -1), ("exclusiveMinimum", 1), ("exclusiveMaximum", -1)];
    for (limit, step) in limits.iter().filter_map(|(key, step)| Some((at(key)?, *step))) {
        found.push(limit.clone());
        found.extend(stepped(limit, step));
    }
    found.extend([json!(0), json!(1)]);
}

/// Lists the shortest and the longest text, and one of characters that a query or a page may trip over.
fn texts(schema: &Value, found: &mut Vec<Value>) {
    let length = |key: &str| schema.get(key).and_then(Value::as_u64).filter(|length| *length <= LONG);
    if ["format", "pattern"].iter().any(|key| schema.get(key).is_some()) {
        return;
    }
    let of = |length: u64| Value::from("a".repeat(usize::try_from(length).unwrap_or_default()));
    found.extend(length("minLength").map(of));
    found.extend(length("maxLength").map(of));
    found.extend([json!("it's 100 % \"\u{f6}\" \\_;"), json!("a")]);
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::Format;

    #[rstest]
    #[case::limits(json!({"type": "integer", "minimum": 1, "maximum": 100}), &["q=1", "q=2", "q=100", "q=99"])]
    #[case::open_limits(json!({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9}), &["q=1", "q=8"])]
    #[case::no_limits(json!({"type": "integer"}), &["q=0", "q=1"])]
    #[case::optional(json!({"anyOf": [{"type": "integer", "maximum": 3}, {"type": "null"}]}), &["q=3", "q=2", "q=0", "q=1"])]
    #[case::listed(json!({"enum": ["a", "b"]}), &["q=a", "q=b"])]
    #[case::text(json!({"type": "string", "minLength": 2, "maxLength": 3}), &["q=aa", "q=aaa"])]
    #[case::boolean(json!({"type": "boolean"}), &["q=true", "q=false"])]
    #[case::list(json!({"type": "array", "items": {"type": "boolean"}}), &["q=[true]", "q=[false]"])]
    #[case::pattern(json!({"type": "string", "pattern": "^x$"}), &[])]
    #[case::anything(json!({}), &[])]
    fn every_value_is_valid_and_at_a_limit(#[case] schema: Value, #[case] want: &[&str]) {
        let parameters = json!([{"name": "q", "in": "query", "schema": schema}]);
        let root = json!({"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": parameters, "responses": {}}}}});
        let document = Document::parse(&root.to_string(), Format::Json).unwrap();
        let found: Vec<String> =
            limits(&document, &document.operations()[0]).into_iter().map(|limit| limit.what).collect();
        assert_eq!(found, want);
    }
}
