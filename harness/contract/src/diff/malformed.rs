//! What no OpenAPI document has, and would be read as if it were not there.
//!
//! In: an object of a document and where it is. Out: what is wrong with it, and in which line. Null counts as nothing.

use super::{
    super::walk::Part,
    tree::{Datum, Node},
};

/// What a keyword has to hold.
#[derive(Clone, Copy)]
enum Content {
    Map,
    List,
    Text,
}

/// Types of schemas, and of security schemes.
const TYPES: [&str; 12] = [
    "string",
    "number",
    "integer",
    "boolean",
    "array",
    "object",
    "null",
    "apiKey",
    "http",
    "oauth2",
    "openIdConnect",
    "mutualTLS",
];

/// Finds a member of an object that cannot be meant; the line, and what is wrong.
pub(super) fn fault(node: &Node<'_>, path: &[Part<'_>]) -> Option<(u32, String)> {
    if is_named_by_author(path) {
        return None;
    }
    if is_parameter(path) && node.get("$ref").is_none() {
        let missing = ["name", "in"].into_iter().find(|key| node.text(key).is_none());
        if let Some(key) = missing {
            return Some((node.line, format!("a parameter without `{key}`")));
        }
    }
    node.entries().iter().find_map(|(key, value)| {
        let found = match key.as_ref() {
            "type" => fault_of_type(value),
            "required" => fault_of_required(value),
            "paths" if path.is_empty() => fault_of_content(key, value).or_else(|| fault_of_paths(value)),
            key => fault_of_content(key, value),
        };
        found.map(|(line, what)| (line.unwrap_or(value.line), what))
    })
}

/// A line, where it is not that of the value, and what is wrong.
type Fault = (Option<u32>, String);

fn fault_of_type(value: &Node<'_>) -> Option<Fault> {
    let one = std::slice::from_ref(value);
    let names = if matches!(value.value, Datum::List(_)) { value.items() } else { one };
    let is_type = |name: &&Node<'_>| name.as_text().is_some_and(|name| TYPES.contains(&name));
    let is_absent = matches!(value.value, Datum::Null);
    let wrong = names.iter().find(|name| !is_type(name)).filter(|_| !is_absent)?;
    Some((None, format!("`type` is {}, which is no type", wrong.canonical())))
}

fn fault_of_required(value: &Node<'_>) -> Option<Fault> {
    let is_named = |list: &[Node<'_>]| list.iter().all(|name| name.as_text().is_some());
    let is_right = match &value.value {
        Datum::Null | Datum::Bool(_) => true,
        Datum::List(list) => is_named(list),
        _ => false,
    };
    let wrong = || (None, format!("`required` is {}; expected a list of names, or true or false", value.canonical()));
    (!is_right).then(wrong)
}

fn fault_of_paths(paths: &Node<'_>) -> Option<Fault> {
    let is_path = |name: &str| name.starts_with('/') || name.starts_with("x-") || name == "$ref";
    let (name, item) = paths.entries().iter().find(|(name, _)| !is_path(name))?;
    Some((Some(item.line), format!("the path `{name}` does not begin with `/`")))
}

fn fault_of_content(key: &str, value: &Node<'_>) -> Option<Fault> {
    let content = match key {
        "paths" | "webhooks" | "responses" | "content" | "components" | "properties" | "patternProperties"
        | "$defs" | "definitions" | "dependentSchemas" => Content::Map,
        "allOf" | "anyOf" | "oneOf" | "enum" | "prefixItems" => Content::List,
        "$ref" => Content::Text,
        _ => return None,
    };
    let (is_right, expected) = match content {
        Content::Map => (value.is_map(), "object"),
        Content::List => (matches!(value.value, Datum::List(_)), "list"),
        Content::Text => (value.as_text().is_some(), "text"),
    };
    let is_absent = matches!(value.value, Datum::Null) && !matches!(content, Content::Text);
    (!is_right && !is_absent).then(|| (None, format!("`{key}` is no {expected}")))
}

/// Returns whether the keys of an object are names of the document's author.
fn is_named_by_author(path: &[Part<'_>]) -> bool {
    match path {
        [.., Part::Key("security"), Part::At(_)] => true,
        [.., Part::Key(key)] => matches!(*key, "scopes" | "dependentRequired"),
        _ => false,
    }
}

fn is_parameter(path: &[Part<'_>]) -> bool {
    matches!(path, [.., Part::Key("parameters"), Part::At(_)] | [Part::Key("components"), Part::Key("parameters"), _])
}
