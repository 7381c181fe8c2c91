//! Schemas as answers meet them, in JSON Schema 2020-12.
//!
//! OpenAPI 3.0 has a dialect of its own (`nullable`, boolean `exclusiveMinimum`, siblings of `$ref` that count for
//! nothing), and in both versions a `writeOnly` property is required of requests only.

use serde_json::{Map, Value, json};

/// The dialect that a document's schemas are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V3_0,
    V3_1,
}

/// Rewrites every schema of the document.
pub(super) fn translate(root: &mut Value, version: Version) {
    document(root, version);
}

/// Looks for schemas in the parts of a document that are none themselves.
fn document(value: &mut Value, version: Version) {
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| match key.as_str() {
            "schema" => schema(value, version),
            "schemas" => each(value, version),
            "example" | "examples" => {}
            _ => document(value, version),
        }),
        Value::Array(list) => list.iter_mut().for_each(|value| document(value, version)),
        _ => {}
    }
}

fn schema(value: &mut Value, version: Version) {
    let Value::Object(map) = value else { return };
    for (key, value) in map.iter_mut() {
        match key.as_str() {
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" | "allOf" | "anyOf"
            | "oneOf" | "prefixItems" => each(value, version),
            "items"
            | "not"
            | "additionalProperties"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames"
            | "unevaluatedItems"
            | "unevaluatedProperties" => schema(value, version),
            _ => {}
        }
    }
    drop_write_only(map);
    if version == Version::V3_0 {
        bounds(map);
        let nullable = map.remove("nullable") == Some(Value::Bool(true));
        if map.contains_key("$ref") {
            map.retain(|key, _| key == "$ref");
        }
        if nullable {
            make_nullable(value);
        }
    }
}

fn each(value: &mut Value, version: Version) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| schema(value, version)),
        Value::Array(list) => list.iter_mut().for_each(|value| schema(value, version)),
        _ => {}
    }
}

fn drop_write_only(map: &mut Map<String, Value>) {
    let Some(properties) = map.get("properties").cloned() else { return };
    if let Some(Value::Array(required)) = map.get_mut("required") {
        required.retain(|name| {
            let property = name.as_str().and_then(|name| properties.get(name));
            property.and_then(|property| property.get("writeOnly")) != Some(&Value::Bool(true))
        });
    }
}

/// Turns `minimum: 1, exclusiveMinimum: true` into `exclusiveMinimum: 1`, and so for the maximum.
fn bounds(map: &mut Map<String, Value>) {
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        match map.get(exclusive) {
            Some(Value::Bool(true)) => {
                map.remove(exclusive);
                if let Some(limit) = map.remove(bound) {
                    map.insert(exclusive.to_owned(), limit);
                }
            }
            Some(Value::Bool(false)) => drop(map.remove(exclusive)),
            _ => {}
        }
    }
}

/// Lets a schema take null as well.
// By the letter of 3.0.3 `nullable` does nothing next to `allOf`, `$ref` or an `enum` without null. Who writes it
// there means null all the same, and a gate that holds for it would be switched off.
fn make_nullable(value: &mut Value) {
    let Value::Object(map) = value else { return };
    let composed = ["$ref", "allOf", "anyOf", "oneOf"].iter().any(|key| map.contains_key(*key));
    match map.get("type") {
        Some(Value::String(name)) if !composed => {
            map.insert("type".to_owned(), json!([name, "null"]));
            if let Some(Value::Array(values)) = map.get_mut("enum")
                && !values.contains(&Value::Null)
            {
                values.push(Value::Null);
            }
        }
        None if !composed && !map.contains_key("enum") => {}
        _ => *value = json!({ "anyOf": [value.take(), { "type": "null" }] }),
    }
}
