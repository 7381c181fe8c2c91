//! A body against its schema, with differences at their JSON paths.

use jsonschema::{ValidationError, error::ValidationErrorKind as Kind};
use serde_json::{Map, Value};

use super::{
    code::{self, Code},
    difference::Difference,
    document::Document,
    expected, found,
    media::Media,
    operation::Content,
    response::{ServiceResponse, header},
};

/// Compares a body with its promise.
///
/// # Errors
/// The reason why it was not compared.
pub(super) fn check(
    document: &Document,
    content: &Content,
    response: &ServiceResponse<'_>,
) -> Result<Vec<Difference>, String> {
    let media = Media::parse(header(response, "content-type").unwrap_or_default());
    let schema = content.schema.as_deref();
    // No schema can speak of the bytes of an image or an archive.
    let compared = media.is_json() || (media.is_text() && schema.is_some());
    if !compared {
        return Ok(Vec::new());
    }
    if response.truncated {
        return Err(format!("the body is longer than the {} bytes that were read", response.body.len()));
    }
    let body =
        if media.is_json() { parsed(response.body) } else { Ok(Value::from(String::from_utf8_lossy(response.body))) };
    match (body, schema) {
        (Err(wrong), None) => Ok(vec![wrong]),
        (Err(wrong), Some(pointer)) => {
            let expected = expected::schema(document.root(), pointer);
            Ok(vec![Difference { expected, ..wrong }.of(pointer)])
        }
        (Ok(_), None) => Ok(Vec::new()),
        (Ok(body), Some(pointer)) => differences(document, pointer, &body),
    }
}

fn parsed(body: &[u8]) -> Result<Value, Difference> {
    let wrong = |found: String| Difference::new(&code::NO_JSON, "$", "JSON", found);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(wrong("empty body".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| {
        let text = found::value(&Value::from(String::from_utf8_lossy(body)));
        wrong(format!("no JSON ({error}): {text}"))
    })
}

fn differences(document: &Document, pointer: &str, body: &Value) -> Result<Vec<Difference>, String> {
    let validator = document.validator(pointer)?;
    let reported = ErrorReport { root: document.root(), body };
    Ok(validator.iter_errors(body).flat_map(|error| reported.differences(&error)).collect())
}

/// Compares a value that is no body, such as a header's, with its schema.
///
/// # Errors
/// The reason why it was not compared.
pub(super) fn value(document: &Document, pointer: &str, value: &Value) -> Result<Option<Difference>, String> {
    Ok(differences(document, pointer, value)?.into_iter().next())
}

/// What differences are reported with.
struct ErrorReport<'a> {
    root: &'a Value,
    body: &'a Value,
}

impl ErrorReport<'_> {
    fn differences(&self, error: &ValidationError<'_>) -> Vec<Difference> {
        let at = found::path(self.body, error.instance_path().as_str());
        let schema = error.schema_path().as_str();
        match error.kind() {
            Kind::Required { property } => self.missing(&at, error, property.as_str().unwrap_or_default()),
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                unexpected.iter().map(|name| additional(&at, schema, name, error.instance().get(name))).collect()
            }
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => self.branches(at, error, context),
            kind => {
                let expected = expected::keyword(kind).unwrap_or_else(|| error.masked().to_string());
                vec![Difference::new(code_of(kind), at, expected, found::value(error.instance())).of(schema)]
            }
        }
    }

    /// Reports a missing property, and the properties of the same object that nobody documented: a rename is both.
    fn missing(&self, at: &str, error: &ValidationError<'_>, name: &str) -> Vec<Difference> {
        let keyword = error.schema_path().as_str();
        let schema = keyword.strip_suffix("/required").unwrap_or(keyword);
        let property = format!("{schema}/properties/{}", super::fragment::escaped(name));
        let at_name = format!("{at}{}", found::member(name));
        let expected = expected::schema(self.root, &property);
        let lost = Difference::new(&code::MISSING, at_name, expected, "missing".to_owned()).of(&property);
        let undocumented = self.undocumented(schema, error.instance());
        let extra = undocumented.into_iter().map(|name| additional(at, schema, name, error.instance().get(name)));
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

    /// Reports the differences from the one branch that was meant, where one can be made out.
    fn branches(
        &self,
        at: String,
        error: &ValidationError<'_>,
        context: &[Vec<ValidationError<'_>>],
    ) -> Vec<Difference> {
        let here = error.instance_path().as_str();
        let refuses_type = |branch: &&Vec<ValidationError<'_>>| {
            branch.iter().any(|e| e.instance_path().as_str() == here && is_type(e.kind()))
        };
        let near: Vec<_> = context.iter().filter(|branch| !refuses_type(branch)).collect();
        let fewest = near.iter().map(|branch| branch.len()).min();
        let mut nearest = near.iter().filter(|branch| Some(branch.len()) == fewest);
        if let (Some(meant), None) = (nearest.next(), nearest.next()) {
            return meant.iter().flat_map(|error| self.differences(error)).collect();
        }
        let mut expected: Vec<String> = context.iter().flatten().filter_map(|e| expected::keyword(e.kind())).collect();
        expected.dedup();
        let expected =
            if near.is_empty() { expected.join(" or ") } else { format!("one of {} documented shapes", context.len()) };
        let schema = error.schema_path().as_str();
        vec![Difference::new(&code::SHAPE, at, expected, found::value(error.instance())).of(schema)]
    }
}

fn is_type(kind: &Kind) -> bool {
    matches!(kind, Kind::Type { .. })
}

/// Returns the code of what a keyword refuses.
fn code_of(kind: &Kind) -> &'static Code {
    match kind {
        Kind::Type { .. } => &code::TYPE,
        Kind::Enum { .. } | Kind::Constant { .. } => &code::VALUE,
        Kind::OneOfMultipleValid { .. } | Kind::Not { .. } | Kind::FalseSchema => &code::SHAPE,
        _ => &code::CONSTRAINT,
    }
}

fn additional(at: &str, schema: &str, name: &str, value: Option<&Value>) -> Difference {
    let found = value.map_or_else(|| "a value".to_owned(), found::value);
    let at = format!("{at}{}", found::member(name));
    // Each name is a difference of its own, wherever it stands.
    let part = format!("{schema}/properties/{}", super::fragment::escaped(name));
    Difference::new(&code::UNDOCUMENTED, at, "no such property", found).of(part)
}
