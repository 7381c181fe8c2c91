//! JSON Schemas of the files that users write, for editors.
//!
//! In: the type that reads a file, and its annotated reference. Out: a schema (draft 7) whose keys and types are those that
//! the type itself asks a deserializer for, and whose descriptions are the comments of the reference. So a key that is read
//! cannot be absent, and none is there that is not read.

mod places;
mod reference;
mod trace;

pub use places::place_of;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use self::{
    reference::Reference,
    trace::{PathStep, Shape, shape},
};

/// What is written for a key that the reference does not have: an earlier name.
const EARLIER: &str = "An earlier name, which is still read.";
/// A number and a unit: a duration, a size or a share.
const WITH_UNIT: &str = r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|min|h|d|B|kB|MB|GB|KiB|MiB|GiB|%)\s*$";

/// Returns the JSON Schema of the files that `T` reads; `reference` is the text of the annotated example.
///
/// # Errors
/// [`toml::de::Error`] where the reference is no TOML.
pub fn json_schema<T: DeserializeOwned>(title: &str, reference: &str) -> Result<Value, toml::de::Error> {
    let reference = Reference::read(reference)?;
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".to_owned(), json!(title));
    schema.extend(node::<T>(&mut Vec::new(), &reference));
    Ok(Value::Object(schema))
}

/// Returns the schema of the tables that `T` reads at a place of a file whose reader decides by the value whether there is one.
///
/// `at` are the keys above them, `*` where the user chooses the name. Which keys are required is not known of such a table.
///
/// # Errors
/// [`toml::de::Error`] where the reference is no TOML.
pub fn table_schema<T: DeserializeOwned>(at: &[&'static str], reference: &str) -> Result<Value, toml::de::Error> {
    let places: Vec<PathStep> =
        at.iter().map(|key| if *key == "*" { PathStep::AnyName } else { PathStep::Key(key) }).collect();
    let reference = Reference::read(reference)?.below(&places);
    Ok(Value::Object(node::<T>(&mut Vec::new(), &reference)))
}

fn node<T: DeserializeOwned>(path: &mut Vec<PathStep>, reference: &Reference) -> Map<String, Value> {
    match shape::<T>(path) {
        Shape::Table(keys) => table::<T>(keys, path, reference),
        Shape::Names => {
            path.push(PathStep::AnyName);
            let inner = node::<T>(path, reference);
            path.pop();
            object(json!({ "type": "object", "additionalProperties": inner }))
        }
        Shape::List => {
            path.push(PathStep::Item);
            let inner = node::<T>(path, reference);
            path.pop();
            object(json!({ "type": "array", "items": inner }))
        }
        Shape::Text => object(json!({ "type": "string" })),
        Shape::Boolean => object(json!({ "type": "boolean" })),
        Shape::Integer(None) => object(json!({ "type": "integer" })),
        Shape::Integer(Some((minimum, maximum))) => {
            let mut integer = object(json!({ "type": "integer", "minimum": minimum }));
            integer.extend(maximum.map(|maximum| ("maximum".to_owned(), json!(maximum))));
            integer
        }
        Shape::Number => object(json!({ "type": "number" })),
        Shape::Words(words) => object(json!({ "type": "string", "enum": words })),
        Shape::Custom(expected) => custom(&expected, reference.types(path)),
    }
}

fn table<T: DeserializeOwned>(
    keys: &[&'static str],
    path: &mut Vec<PathStep>,
    reference: &Reference,
) -> Map<String, Value> {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for key in keys {
        path.push(PathStep::Key(key));
        let mut property = Map::new();
        match reference.description(path) {
            Some(text) => property.insert("description".to_owned(), json!(text)),
            None => {
                property.insert("deprecated".to_owned(), json!(true));
                property.insert("description".to_owned(), json!(EARLIER))
            }
        };
        property.extend(node::<T>(path, reference));
        properties.insert((*key).to_owned(), Value::Object(property));
        if reference.is_required::<T>(path) {
            required.push(*key);
        }
        path.pop();
    }
    let mut table = object(json!({ "type": "object", "properties": properties, "additionalProperties": false }));
    if !required.is_empty() {
        table.insert("required".to_owned(), json!(required));
    }
    table
}

/// Returns the schema of a value that is read in a way of its own, by what its reader expects.
fn custom(expected: &str, types: Vec<&'static str>) -> Map<String, Value> {
    match expected {
        "a number from 1 to 65535" => object(json!({ "type": "integer", "minimum": 1, "maximum": 65_535 })),
        _ if expected.starts_with("a text with a number and a unit") => {
            object(json!({ "type": "string", "pattern": WITH_UNIT }))
        }
        // One of several forms: those that the reference shows.
        "any value" if !types.is_empty() => object(json!({ "type": types })),
        _ => Map::new(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
