//! How values and places are reported: `string "19.90"`, `$.items[0].total`.

use serde_json::Value;
use stagegate_base::text::counted;

/// How many characters of a value are reported.
const SHOWN: usize = 60;

/// Reports a value with its type.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => format!("boolean {truth}"),
        Value::Number(number) if number.is_f64() => format!("number {number}"),
        Value::Number(number) => format!("integer {number}"),
        Value::String(text) => format!("string {}", quoted(text)),
        Value::Array(elements) => format!("array of {}", counted(elements.len(), "item")),
        Value::Object(members) => format!("object with {}", counted(members.len(), "property")),
    }
}

/// Reports a value of the document, without its type: what is allowed.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => shortened(&other.to_string()),
    }
}

/// Returns a text in quotes, as JSON writes it, cut where it is long.
fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    let more = if cut.len() < text.len() { "..." } else { "" };
    format!("{}{more}", Value::from(cut))
}

/// Returns a text cut where it is long.
pub(super) fn shortened(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() { format!("{cut}...") } else { cut }
}

/// Turns a JSON pointer into `$.items[0].total`; `body` tells an index from a name of digits.
pub(super) fn path(body: &Value, pointer: &str) -> String {
    let mut path = "$".to_owned();
    let mut value = Some(body);
    for part in pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")) {
        value = match value {
            Some(Value::Array(elements)) => {
                path.push_str(&format!("[{part}]"));
                part.parse().ok().and_then(|i: usize| elements.get(i))
            }
            other => {
                path.push_str(&member(&part));
                other.and_then(|value| value.get(&part))
            }
        };
    }
    path
}

/// Returns how a member is written behind the path of its object.
pub(super) fn member(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = name.chars().next().is_some_and(|c| plain(c) && !c.is_ascii_digit());
    if starts && name.chars().all(plain) { format!(".{name}") } else { format!("[{}]", quoted(name)) }
}
