//! A body against its schema, with differences at their JSON paths.

use std::collections::BTreeSet;

use jsonschema::{Draft, ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde_json::{Map, Value, json};

use crate::record::Finding;

use super::{
    answer::{Answer, header},
    document::Document,
    expected, found,
    media::Media,
    operation::Content,
};

/// Compares a body with its promise.
///
/// # Errors
/// The reason why it was not compared.
pub(super) fn check(document: &Document, content: &Content, answer: &Answer<'_>) -> Result<Vec<Finding>, String> {
    let media = Media::parse(header(answer, "content-type").unwrap_or_default());
    let schema = content.schema.as_deref();
    // No schema can speak of the bytes of an image or an archive.
    let compared = media.is_json() || (media.is_text() && schema.is_some());
    if !compared {
        return Ok(Vec::new());
    }
    if answer.truncated {
        return Err(format!("the body is longer than the {} bytes that were read", answer.body.len()));
    }
    let body =
        if media.is_json() { parsed(answer.body) } else { Ok(Value::from(String::from_utf8_lossy(answer.body))) };
    match (body, schema) {
        (Err(finding), None) => Ok(vec![finding]),
        (Err(finding), Some(pointer)) => {
            Ok(vec![Finding { expected: expected::schema(document.root(), pointer), ..finding }])
        }
        (Ok(_), None) => Ok(Vec::new()),
        (Ok(body), Some(pointer)) => differences(document.root(), pointer, &body),
    }
}

fn parsed(body: &[u8]) -> Result<Value, Finding> {
    let wrong = |found: String| Finding { at: "$".to_owned(), expected: "JSON".to_owned(), found };
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(wrong("empty body".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| {
        let text = found::value(&Value::from(String::from_utf8_lossy(body)));
        wrong(format!("no JSON ({error}): {text}"))
    })
}

fn differences(root: &Value, pointer: &str, body: &Value) -> Result<Vec<Finding>, String> {
    let validator = validator(root, pointer).map_err(|e| format!("the schema at #{pointer} cannot be used: {e}"))?;
    let told = Told { root, body };
    let mut seen = BTreeSet::new();
    let all = validator.iter_errors(body).flat_map(|error| told.findings(&error));
    Ok(all.filter(|finding| seen.insert((finding.at.clone(), finding.expected.clone()))).collect())
}

/// Makes a validator of one schema of the document.
///
/// The document's own parts stand beside the reference to the schema, so that every reference in it leads where
/// it did, circles included.
fn validator(root: &Value, pointer: &str) -> Result<Validator, ValidationError<'static>> {
    let part = |key: &str| root.get(key).cloned().unwrap_or_else(|| json!({}));
    let schema = json!({
        "$ref": format!("#{}", fragment(pointer)),
        "components": part("components"),
        "paths": part("paths"),
    });
    let options = jsonschema::options().with_draft(Draft::Draft202012);
    options.should_validate_formats(true).offline().build(&schema)
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

/// What differences are told with.
struct Told<'a> {
    root: &'a Value,
    body: &'a Value,
}

impl Told<'_> {
    fn findings(&self, error: &ValidationError<'_>) -> Vec<Finding> {
        let at = found::path(self.body, error.instance_path().as_str());
        match error.kind() {
            Kind::Required { property } => self.missing(&at, error, property.as_str().unwrap_or_default()),
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                unexpected.iter().map(|name| additional(&at, name, error.instance().get(name))).collect()
            }
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => self.branches(at, error, context),
            kind => {
                let expected = expected::keyword(kind).unwrap_or_else(|| error.masked().to_string());
                vec![Finding { at, expected, found: found::value(error.instance()) }]
            }
        }
    }

    /// Tells a missing property, and the properties of the same object that nobody documented: a rename is both.
    fn missing(&self, at: &str, error: &ValidationError<'_>, name: &str) -> Vec<Finding> {
        let keyword = error.schema_path().as_str();
        let schema = keyword.strip_suffix("/required").unwrap_or(keyword);
        let property = format!("{schema}/properties/{}", super::reference::escaped(name));
        let lost = Finding {
            at: format!("{at}{}", found::member(name)),
            expected: expected::schema(self.root, &property),
            found: "missing".to_owned(),
        };
        let undocumented = self.undocumented(schema, error.instance());
        let extra = undocumented.into_iter().map(|name| additional(at, name, error.instance().get(name)));
        std::iter::once(lost).chain(extra).collect()
    }

    /// Lists the properties that a schema of its own does not know; none where others may speak for the object.
    fn undocumented<'v>(&self, pointer: &str, object: &'v Value) -> Vec<&'v str> {
        let Some(Value::Object(schema)) = self.root.pointer(pointer) else { return Vec::new() };
        let shared =
            ["/allOf/", "/anyOf/", "/oneOf/", "/if/", "/then/", "/else/"].iter().any(|part| pointer.contains(part));
        let open =
            ["allOf", "anyOf", "oneOf", "$ref", "patternProperties", "additionalProperties", "unevaluatedProperties"];
        let Some(Value::Object(known)) = schema.get("properties") else { return Vec::new() };
        if shared || open.iter().any(|key| schema.contains_key(*key)) {
            return Vec::new();
        }
        let names = object.as_object().into_iter().flat_map(Map::keys);
        names.map(String::as_str).filter(|name| !known.contains_key(*name)).collect()
    }

    /// Tells the differences from the one branch that was meant, where one can be made out.
    fn branches(&self, at: String, error: &ValidationError<'_>, context: &[Vec<ValidationError<'_>>]) -> Vec<Finding> {
        let here = error.instance_path().as_str();
        let refuses_type = |branch: &&Vec<ValidationError<'_>>| {
            branch.iter().any(|e| e.instance_path().as_str() == here && is_type(e.kind()))
        };
        let near: Vec<_> = context.iter().filter(|branch| !refuses_type(branch)).collect();
        let fewest = near.iter().map(|branch| branch.len()).min();
        let mut nearest = near.iter().filter(|branch| Some(branch.len()) == fewest);
        if let (Some(meant), None) = (nearest.next(), nearest.next()) {
            return meant.iter().flat_map(|error| self.findings(error)).collect();
        }
        let mut expected: Vec<String> = context.iter().flatten().filter_map(|e| expected::keyword(e.kind())).collect();
        expected.dedup();
        let expected =
            if near.is_empty() { expected.join(" or ") } else { format!("one of {} documented shapes", context.len()) };
        vec![Finding { at, expected, found: found::value(error.instance()) }]
    }
}

fn is_type(kind: &Kind) -> bool {
    matches!(kind, Kind::Type { .. })
}

fn additional(at: &str, name: &str, value: Option<&Value>) -> Finding {
    Finding {
        at: format!("{at}{}", found::member(name)),
        expected: "no such property".to_owned(),
        found: value.map_or_else(|| "a value".to_owned(), found::value),
    }
}
