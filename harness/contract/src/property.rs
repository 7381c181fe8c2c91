//! The properties that a documented response has, and the way to each.

use serde_json::Value;

use super::{media::Media, operation::Response, reference::PointerValue, schema};

/// How deep properties are looked for, objects and lists counted.
const DEPTH: usize = 6;
/// How many properties of one response are looked at.
const PROPERTIES: usize = 400;

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To a member of an object.
    Member(String),
    /// To the elements of a list.
    Each,
}

/// A property of plain values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) path: Vec<Step>,
    /// Its types; none where its schema names none.
    pub(super) types: Vec<String>,
}

/// Lists the properties of a response's JSON body, the nearest first.
pub(super) fn properties(root: &Value, response: &Response) -> Vec<Property> {
    let mut found = Vec::new();
    for content in response.content.iter().filter(|content| Media::parse(&content.media).is_json()) {
        if let Some(pointer) = &content.schema {
            look(root, pointer, &mut Vec::new(), &mut found, DEPTH);
        }
    }
    found.sort_by_key(|property| property.path.len());
    found
}

fn look(root: &Value, pointer: &str, path: &mut Vec<Step>, found: &mut Vec<Property>, depth: usize) {
    let Some(location) = PointerValue::at(root, pointer).filter(|_| depth > 0 && found.len() < PROPERTIES) else {
        return;
    };
    for key in ["allOf", "anyOf", "oneOf"] {
        let count = location.value.get(key).and_then(Value::as_array).map_or(0, Vec::len);
        (0..count).for_each(|index| look(root, &format!("{}/{key}/{index}", location.pointer), path, found, depth - 1));
    }
    if location.value.get("items").is_some() {
        path.push(Step::Each);
        look(root, &format!("{}/items", location.pointer), path, found, depth - 1);
        path.pop();
    }
    let Some(members) = location.member("properties") else { return };
    for name in members.value.as_object().into_iter().flat_map(|map| map.keys()) {
        let Some(member) = members.member(name) else { continue };
        path.push(Step::Member(name.clone()));
        let types = schema::types(root, &member.pointer);
        let is_plain = !types.iter().any(|name| name == "object" || name == "array");
        if is_plain {
            found.push(Property { name: name.clone(), path: path.clone(), types });
        }
        look(root, &member.pointer, path, found, depth - 1);
        path.pop();
    }
}
