//! Types as sets: one bit for each, null left out.

use super::tree::{Datum, Node};

/// The type of the same name; so for the others.
pub(super) const STRING: u8 = 1;
pub(super) const INTEGER: u8 = 2;
/// Numbers that are no integers: `number` is both.
pub(super) const FRACTION: u8 = 4;
pub(super) const BOOLEAN: u8 = 8;
pub(super) const ARRAY: u8 = 16;
pub(super) const OBJECT: u8 = 32;
pub(super) const ANY: u8 = 63;
/// Null, where it is compared as a type of its own; [`ANY`] lacks it.
pub(super) const NULL: u8 = 64;

/// Returns the types that `type` names, and whether null is one of them.
pub(super) fn types_in(declared: &Node<'_>) -> (u8, bool) {
    let one = std::slice::from_ref(declared);
    let names = if declared.items().is_empty() { one } else { declared.items() };
    let names = || names.iter().filter_map(Node::as_text);
    (names().fold(0, |all, name| all | bits(name)), names().any(|name| name == "null"))
}

pub(super) fn bits(name: &str) -> u8 {
    match name {
        "string" => STRING,
        "integer" => INTEGER,
        "number" => INTEGER | FRACTION,
        "boolean" => BOOLEAN,
        "array" => ARRAY,
        "object" => OBJECT,
        _ => 0,
    }
}

pub(super) fn type_of(node: &Node<'_>) -> u8 {
    match &node.value {
        Datum::Null => 0,
        Datum::Bool(_) => BOOLEAN,
        Datum::Number(_) if node.as_number().is_some_and(|number| number.fract() == 0.0) => INTEGER,
        Datum::Number(_) => INTEGER | FRACTION,
        Datum::Text(_) => STRING,
        Datum::List(_) => ARRAY,
        Datum::Map(_) => OBJECT,
    }
}

/// Returns the type of a value in canonical JSON.
pub(super) fn kind(text: &str) -> u8 {
    match text.as_bytes().first() {
        Some(b'"') => STRING,
        Some(b'[') => ARRAY,
        Some(b'{') => OBJECT,
        Some(b't' | b'f') => BOOLEAN,
        _ if text.parse::<f64>().is_ok_and(|number| number.fract() == 0.0) => INTEGER,
        _ => FRACTION,
    }
}

/// Writes types as a schema does.
pub(super) fn type_names(types: Option<u8>) -> String {
    let Some(types) = types.filter(|types| *types != ANY) else { return "any type".to_owned() };
    let number = types & FRACTION != 0;
    let all = [
        (STRING, "string"),
        (FRACTION, "number"),
        (if number { 0 } else { INTEGER }, "integer"),
        (BOOLEAN, "boolean"),
        (ARRAY, "array"),
        (OBJECT, "object"),
    ];
    let names: Vec<&str> = all.iter().filter(|(bit, _)| types & bit != 0).map(|(_, name)| *name).collect();
    if names.is_empty() { "null only".to_owned() } else { names.join(" or ") }
}
