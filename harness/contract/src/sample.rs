//! A value that fits a schema: what a sound request would send.

use serde_json::{Map, Value};

use super::{reference::PointerValue, schema};

/// How deep a value is made.
const DEPTH: usize = 8;
/// How many elements a list gets at most.
const ELEMENTS: u64 = 3;

/// Which of the values that fit a schema is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// What is required, with the document's examples.
    Required,
    /// Every property.
    All,
    /// Every property, each number and text as small as it may be.
    Low,
    /// Every property, each number and text as large as it may be.
    High,
}

/// The longest text that is made where a schema allows a longer one.
const LONG: u64 = 10_000;

/// Makes a small value that fits the schema at `pointer`; `None` where none was found.
pub(super) fn sample(root: &Value, pointer: &str) -> Option<Value> {
    filled(root, pointer, Fill::Required)
}

/// Makes a value that fits the schema at `pointer`; `None` where none was found.
pub(super) fn filled(root: &Value, pointer: &str, fill: Fill) -> Option<Value> {
    made(root, pointer, DEPTH, fill).filter(|value| schema::fits(root, pointer, value))
}

fn made(root: &Value, pointer: &str, depth: usize, fill: Fill) -> Option<Value> {
    let location = PointerValue::at(root, pointer).filter(|_| depth > 0)?;
    let edge = |key: &str| {
        let list = location.value.get(key)?.as_array()?;
        if fill == Fill::High { list.last().cloned() } else { list.first().cloned() }
    };
    let at = |key: &str| location.value.get(key).cloned();
    let named = || at("example").or_else(|| edge("examples")).or_else(|| at("default"));
    let given = if matches!(fill, Fill::Required | Fill::All) { named() } else { None };
    if let Some(value) = given.or_else(|| at("const")).or_else(|| edge("enum")) {
        return Some(value);
    }
    let parts = |key: &str| {
        let count = location.value.get(key).and_then(Value::as_array).map_or(0, Vec::len);
        (0..count).map(|index| format!("{}/{key}/{index}", location.pointer)).collect::<Vec<_>>()
    };
    let choice = parts("oneOf").into_iter().chain(parts("anyOf")).find_map(|part| made(root, &part, depth - 1, fill));
    let all = parts("allOf").into_iter().map(|part| made(root, &part, depth - 1, fill));
    let own = of_type(root, &location, depth, fill);
    merged(all.chain([choice, own]).flatten())
}

/// Makes one object of several; of what are no objects the last one counts.
fn merged(values: impl Iterator<Item = Value>) -> Option<Value> {
    values.reduce(|one, other| match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            one.extend(other);
            Value::Object(one)
        }
        (_, other) => other,
    })
}

fn of_type(root: &Value, spot: &PointerValue<'_>, depth: usize, fill: Fill) -> Option<Value> {
    let types = schema::types(root, &spot.pointer);
    let is_object = spot.value.get("properties").is_some() || spot.value.get("required").is_some();
    let name = types.iter().find(|name| *name != "null").map(String::as_str);
    match name.or(is_object.then_some("object"))? {
        "object" => object(root, spot, depth, fill),
        "array" => {
            let count = spot.value.get("minItems").and_then(Value::as_u64).unwrap_or(0);
            let items = format!("{}/items", spot.pointer);
            (0..count.min(ELEMENTS)).map(|_| made(root, &items, depth - 1, fill)).collect()
        }
        "integer" | "number" => Some(number(spot.value, fill)),
        "boolean" => Some(Value::Bool(true)),
        "string" => Some(Value::from(text(spot.value, fill))),
        _ => None,
    }
}

/// Makes an object of the required properties; write-only ones are sent, read-only ones are not.
fn object(root: &Value, location: &PointerValue<'_>, depth: usize, fill: Fill) -> Option<Value> {
    let required: Vec<&str> = location
        .value
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut object = Map::new();
    let Some(properties) = location.get(root, "properties") else { return Some(Value::Object(object)) };
    for (name, property) in properties.members(root) {
        let is = |key: &str| property.value.get(key) == Some(&Value::Bool(true));
        if (required.contains(&name) && !is("readOnly")) || is("writeOnly") {
            object.insert(name.to_owned(), made(root, &property.pointer, depth - 1, fill)?);
        } else if fill != Fill::Required && !is("readOnly") {
            // What cannot be made is left out, as it may be.
            object.extend(made(root, &property.pointer, depth - 1, fill).map(|value| (name.to_owned(), value)));
        }
    }
    Some(Value::Object(object))
}

fn number(schema: &Value, fill: Fill) -> Value {
    let at = |key: &str| schema.get(key).cloned();
    let below = || at("exclusiveMaximum").and_then(|most| Some(Value::from(most.as_i64()? - 1)));
    if fill == Fill::High
        && let Some(most) = at("maximum").or_else(below)
    {
        return most;
    }
    let above = at("exclusiveMinimum").and_then(|least| Some(Value::from(least.as_i64()? + 1)));
    at("minimum").or(above).or_else(|| at("maximum")).or_else(|| at("multipleOf")).unwrap_or_else(|| Value::from(1))
}

fn text(schema: &Value, fill: Fill) -> String {
    let of_format = match schema.get("format").and_then(Value::as_str).unwrap_or_default() {
        "date-time" => "2026-01-02T03:04:05Z",
        "date" => "2026-01-02",
        "time" => "03:04:05Z",
        "uuid" => "5ca1ab1e-0000-4000-8000-000000000000",
        "email" => "probe@example.org",
        "uri" | "url" => "https://example.org/",
        "ipv4" => "192.0.2.1",
        _ => "probe",
    };
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(LONG);
    let most = schema.get("maxLength").and_then(Value::as_u64);
    let wanted = match fill {
        Fill::High => most.unwrap_or(0).min(LONG).max(least),
        _ => least,
    };
    let padded = (of_format.len() as u64..wanted).fold(of_format.to_owned(), |text, _| text + "a");
    let cut = if fill == Fill::Low && of_format == "probe" { least.max(1) as usize } else { usize::MAX };
    padded.chars().take(most.map_or(cut, |most| cut.min(most as usize))).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::example(json!({"type": "integer", "example": 7}), Some(json!(7)))]
    #[case::bound(json!({"type": "integer", "minimum": 3}), Some(json!(3)))]
    #[case::open_bound(json!({"type": "integer", "exclusiveMinimum": 3}), Some(json!(4)))]
    #[case::length(json!({"type": "string", "minLength": 7}), Some(json!("probeaa")))]
    #[case::short(json!({"type": "string", "maxLength": 3}), Some(json!("pro")))]
    #[case::nullable(json!({"type": ["null", "boolean"]}), Some(json!(true)))]
    #[case::list(json!({"type": "array", "minItems": 2, "items": {"type": "integer"}}), Some(json!([1, 1])))]
    #[case::required(json!({"type": "object", "required": ["a"], "properties": {"a": {"enum": ["x"]}, "b": {}}}), Some(json!({"a": "x"})))]
    #[case::both(json!({"allOf": [{"required": ["a"], "properties": {"a": {"const": 1}}}, {"required": ["b"], "properties": {"b": {"const": 2}}}]}),
        Some(json!({"a": 1, "b": 2})))]
    #[case::choice(json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}), Some(json!("probe")))]
    #[case::pattern(json!({"type": "string", "pattern": "^[0-9]{9}$"}), None)]
    #[case::endless(json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/schema"}}}), None)]
    fn a_sample_fits_or_is_not_made(#[case] schema: Value, #[case] want: Option<Value>) {
        assert_eq!(sample(&json!({"schema": schema}), "/schema"), want);
    }
}
