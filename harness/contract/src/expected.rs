//! What a schema and its keywords ask for, in words.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::{found, reference::PointerValue};

/// Tells what the schema at `pointer` asks for: its values, its type.
pub(super) fn schema(root: &Value, pointer: &str) -> String {
    let schema = PointerValue::at(root, pointer).map(|location| location.value);
    let key = |key: &str| schema.and_then(|schema| schema.get(key));
    match (key("enum"), key("type")) {
        (Some(Value::Array(values)), _) => one_of(values),
        (_, Some(Value::String(name))) => name.clone(),
        (_, Some(Value::Array(names))) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "a value".to_owned(),
    }
}

fn one_of(values: &[Value]) -> String {
    let reported: Vec<String> = values.iter().take(8).map(found::literal).collect();
    let more = if values.len() > reported.len() { ", ..." } else { "" };
    format!("one of {}{more}", reported.join(", "))
}

/// Tells what a keyword asks for; `None` where the validator's own words are as good.
pub(super) fn keyword(kind: &Kind) -> Option<String> {
    Some(match kind {
        Kind::Type { kind: TypeKind::Single(name) } => name.to_string(),
        Kind::Type { kind: TypeKind::Multiple(names) } => {
            names.iter().map(|name| name.to_string()).collect::<Vec<_>>().join(" or ")
        }
        Kind::Enum { options } => one_of(options.as_array().map(Vec::as_slice).unwrap_or_default()),
        Kind::Constant { expected_value } => found::literal(expected_value),
        Kind::Format { format } => format!("string in format {format}"),
        Kind::Pattern { pattern } => format!("string like /{}/", found::shortened(pattern)),
        Kind::Minimum { limit } => format!("number of at least {limit}"),
        Kind::Maximum { limit } => format!("number of at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("number above {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("number below {limit}"),
        Kind::MultipleOf { multiple_of } => format!("multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("string of at least {limit} characters"),
        Kind::MaxLength { limit } => format!("string of at most {limit} characters"),
        Kind::MinItems { limit } => format!("array of at least {limit} items"),
        Kind::MaxItems { limit } => format!("array of at most {limit} items"),
        Kind::UniqueItems => "array without repetitions".to_owned(),
        Kind::MinProperties { limit } => format!("object with at least {limit} properties"),
        Kind::MaxProperties { limit } => format!("object with at most {limit} properties"),
        Kind::FalseSchema => "nothing".to_owned(),
        Kind::OneOfMultipleValid { .. } => "exactly one of the documented shapes".to_owned(),
        _ => return None,
    })
}
