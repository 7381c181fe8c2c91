//! What to add to a compose file, as lines of YAML. Nothing is ever written to the file itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Finding, service_of};

/// Returns the lines that fix what adding can fix, as a compose file to be merged over the others; empty where
/// there is nothing to add.
#[must_use]
pub fn lines_to_add(findings: &[Finding]) -> String {
    let mut services: BTreeMap<&str, (Value, Vec<&str>)> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.is_open()) {
        let Some(fix) = &finding.addition else { continue };
        let (lines, rules) =
            services.entry(service_of(finding)).or_insert_with(|| (Value::Object(Map::new()), Vec::new()));
        merge(lines, fix);
        rules.push(&finding.code);
    }
    if services.is_empty() {
        return String::new();
    }
    let mut text = "services:\n".to_owned();
    for (service, (lines, rules)) in services {
        text.push_str(&format!("  # {}\n", rules.join(", ")));
        if rules.iter().any(|rule| rule.ends_with("-limit-missing")) {
            text.push_str(
                "  # the limits are guesses: measure under load with `docker stats`, then set them well above\n",
            );
        }
        text.push_str(&format!("  {}:\n", key(service)));
        write(&mut text, &lines, 4);
    }
    text
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn write(text: &mut String, value: &Value, depth: usize) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let indent = " ".repeat(depth);
        if value.is_object() {
            text.push_str(&format!("{indent}{}:\n", key(name)));
            write(text, value, depth + 2);
        } else {
            // JSON is YAML, so that quoting needs no rules of ours.
            text.push_str(&format!("{indent}{}: {}\n", key(name), plain(value)));
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn key(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { Value::from(name).to_string() }
}

/// Words that YAML reads as text without quotes.
fn is_plain(text: &str) -> bool {
    let word = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    word && !matches!(text, "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n")
}
