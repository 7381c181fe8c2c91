//! One schema of a document, ready to be asked: with all that it refers to, and with nothing else.

use std::collections::{BTreeSet, VecDeque};

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value};

use super::{fragment::percent_decoded, reference::PointerValue};

/// Keywords whose schemas speak of the same value as the schema that holds them.
const IN_PLACE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const IN_PLACE: [&str; 4] = ["not", "if", "then", "else"];

/// Makes a validator of the schema at `pointer`.
///
/// What the schema refers to stands next to it at the same pointers as in the document, so that every reference leads
/// where it did, circles included.
///
/// # Errors
/// The reason why the schema cannot be used.
pub(super) fn validator(root: &Value, pointer: &str) -> Result<Validator, String> {
    let unusable = |why: String| format!("the schema at #{pointer} cannot be used: {why}");
    if let Some(reference) = circle(root, pointer) {
        return Err(unusable(format!("`{reference}` refers to itself without any condition on a value")));
    }
    let mut schema = excerpt(root, pointer);
    schema.insert("$ref".to_owned(), Value::from(format!("#{}", fragment(pointer))));
    let options = jsonschema::options().with_draft(Draft::Draft202012);
    options
        .should_validate_formats(true)
        .offline()
        .build(&Value::Object(schema))
        .map_err(|error| unusable(error.to_string()))
}

/// Returns whether a value fits the schema at `pointer`; a schema that cannot be used fits nothing.
pub(super) fn fits(root: &Value, pointer: &str, value: &Value) -> bool {
    validator(root, pointer).is_ok_and(|validator| validator.is_valid(value))
}

/// Returns the parts of the document that the schema at `pointer` is made of, each at its own place.
fn excerpt(root: &Value, pointer: &str) -> Map<String, Value> {
    let (mut wanted, mut waiting) = (BTreeSet::new(), VecDeque::from([pointer.to_owned()]));
    while let Some(pointer) = waiting.pop_front() {
        if let Some(value) = root.pointer(&pointer)
            && wanted.insert(pointer)
        {
            references(value, &mut waiting);
        }
    }
    let mut whole = Value::Object(Map::new());
    for pointer in wanted.iter().filter(|pointer| !is_inside(pointer, &wanted)) {
        if let Some(value) = root.pointer(pointer) {
            place(&mut whole, pointer, value.clone());
        }
    }
    match whole {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn references(value: &Value, found: &mut VecDeque<String>) {
    match value {
        Value::Object(map) => {
            if let Some(pointer) = map.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#')) {
                found.push_back(percent_decoded(pointer));
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Returns whether a pointer leads into the value at another one.
fn is_inside(pointer: &str, others: &BTreeSet<String>) -> bool {
    pointer.match_indices('/').skip(1).any(|(end, _)| others.contains(&pointer[..end]))
}

/// Puts a value at a pointer. What leads there becomes objects: a pointer reads `0` as a name as well.
fn place(whole: &mut Value, pointer: &str, value: Value) {
    let mut at = whole;
    for part in pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(map) = at else { return };
        at = map.entry(part).or_insert(Value::Null);
    }
    *at = value;
}

/// Returns a reference that leads from a schema to itself without a step into a value: no validator would end.
pub(super) fn circle(root: &Value, pointer: &str) -> Option<String> {
    walk(root, pointer, &mut Vec::new(), &mut BTreeSet::new())
}

fn walk(root: &Value, pointer: &str, path: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<String> {
    if path.iter().any(|known| known == pointer) {
        return Some(format!("#{pointer}"));
    }
    if done.contains(pointer) {
        return None;
    }
    let Some(Value::Object(map)) = root.pointer(pointer) else { return None };
    path.push(pointer.to_owned());
    let reference = map.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
    let lists = IN_PLACE_LISTS.iter().flat_map(|key| {
        let count = map.get(*key).and_then(Value::as_array).map_or(0, Vec::len);
        (0..count).map(move |index| format!("{pointer}/{key}/{index}"))
    });
    let single = IN_PLACE.iter().filter(|key| map.contains_key(**key)).map(|key| format!("{pointer}/{key}"));
    let next: Vec<String> = reference.map(percent_decoded).into_iter().chain(lists).chain(single).collect();
    let found = next.iter().find_map(|pointer| walk(root, pointer, path, done));
    path.pop();
    done.insert(pointer.to_owned());
    found
}

/// Returns the types that a schema names; none where it names none.
pub(super) fn types(root: &Value, pointer: &str) -> Vec<String> {
    let Some(location) = PointerValue::at(root, pointer) else { return Vec::new() };
    match location.value.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Reads a text, as of a header or a path, as the value that its schema speaks of; what is none stays a text.
// Source: OpenAPI 3.1, 4.8.12.3, style `simple`: an array is written with commas.
pub(super) fn typed(root: &Value, pointer: &str, text: &str) -> Value {
    let types = types(root, pointer);
    let read = |name: &String| match name.as_str() {
        "integer" => text.parse::<i64>().ok().map(Value::from),
        "number" => text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
        "boolean" => text.parse::<bool>().ok().map(Value::Bool),
        "array" => {
            let items = format!("{}/items", PointerValue::at(root, pointer)?.pointer);
            Some(text.split(',').map(|part| typed(root, &items, part.trim())).collect())
        }
        _ => None,
    };
    types.iter().find_map(read).unwrap_or_else(|| Value::from(text))
}

/// Percent-encodes what may not stand in a URI's fragment.
fn fragment(pointer: &str) -> String {
    pointer
        .bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || b"/~-._!$&'()*+,;=:@".contains(&byte) => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
