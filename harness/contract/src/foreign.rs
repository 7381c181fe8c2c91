//! Ids of other things that a body names: `customer_id` is an id of `/customers`.

use serde_json::Value;

use super::{
    fragment::escaped,
    media::Media,
    naming::plain,
    operation::{Content, Operation},
    reference::PointerValue,
    schema,
};

/// Names the properties of a body that are ids of other things, with the noun of each: `customer_id` and `customer`.
pub(super) fn foreign(root: &Value, operation: &Operation) -> Vec<(String, String)> {
    let pointer = json_body(operation).and_then(|content| content.schema.as_deref());
    let Some(location) = pointer.and_then(|pointer| PointerValue::at(root, pointer)) else { return Vec::new() };
    let names = location.value.get("properties").and_then(Value::as_object).into_iter().flat_map(|map| map.keys());
    let noun = |name: &String| plain(name).strip_suffix("id").filter(|noun| !noun.is_empty()).map(str::to_owned);
    names.filter_map(|name| Some((name.clone(), noun(name)?))).collect()
}

/// Returns the JSON body of an operation's request.
pub(super) fn json_body(operation: &Operation) -> Option<&Content> {
    operation.body.iter().find(|content| Media::parse(&content.media).is_json())
}

/// Returns whether a value fits the schema of a property; used to keep an id only where it may stand.
pub(super) fn may_be(root: &Value, operation: &Operation, name: &str, value: &Value) -> bool {
    let Some(pointer) = json_body(operation).and_then(|content| content.schema.as_deref()) else { return false };
    let Some(location) = PointerValue::at(root, pointer) else { return false };
    schema::fits(root, &format!("{}/properties/{}", location.pointer, escaped(name)), value)
}
