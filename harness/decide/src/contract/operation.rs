//! Operations: what can be asked of a service, and what it may answer.

use std::fmt;

use serde_json::Value;

use super::reference::Spot;

/// An HTTP method that a document may describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names of HTTP say it")]
pub enum Method {
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
    Trace,
}

impl Method {
    const ALL: [Method; 8] = [
        Method::Get,
        Method::Head,
        Method::Options,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
        Method::Trace,
    ];

    /// Returns the method as it is sent.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Options => "OPTIONS",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Trace => "TRACE",
        }
    }

    /// Tells whether asking changes nothing.
    // TRACE is safe by RFC 9110 too, but proxies and servers refuse it for good reasons.
    #[must_use]
    pub fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head | Method::Options)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One method at one path.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path as the document writes it, `/orders/{id}`.
    pub path: String,
    /// The document's name for it.
    pub id: Option<String>,
    /// Parameters, those of the path included.
    pub parameters: Vec<Parameter>,
    /// What its request body may be; empty where it takes none.
    pub body: Vec<Content>,
    /// What it may answer.
    pub responses: Vec<Response>,
    /// Who may call it.
    pub security: Security,
}

/// Where a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Into the path.
    Path,
    /// Into the query.
    Query,
    /// Into a header.
    Header,
    /// Into a cookie.
    Cookie,
}

/// A parameter of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it goes.
    pub place: Place,
    /// A request without it is wrong.
    pub required: bool,
    /// The value that the document gives: example, default, or the first of an enum.
    pub value: Option<Value>,
}

/// A body that may come: its media type and its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Media type or range, as the document writes it.
    pub media: String,
    /// JSON pointer of the schema; any body will do where `None`.
    pub schema: Option<String>,
}

/// What may be answered with a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `200`, `2XX` or `default`.
    pub status: String,
    /// Names of the headers that must be there.
    pub headers: Vec<String>,
    /// Bodies; nothing is promised about the body where empty.
    pub content: Vec<Content>,
}

/// Who may call an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Everybody.
    Open,
    /// Who has what one of these schemes asks for.
    Needs(Vec<String>),
}

/// Lists the operations of a document, ordered by path and method.
pub(super) fn all(root: &Value) -> Vec<Operation> {
    let document = Spot::root(root);
    let paths = document.get(root, "paths").map(|paths| paths.members(root)).unwrap_or_default();
    let mut all: Vec<Operation> = paths.iter().flat_map(|(path, item)| of_path(root, path, item)).collect();
    all.sort_by(|a, b| (&a.path, a.method).cmp(&(&b.path, b.method)));
    all
}

fn of_path(root: &Value, path: &str, item: &Spot<'_>) -> Vec<Operation> {
    let one = |method: Method| {
        let spot = item.get(root, &method.name().to_ascii_lowercase())?;
        Some(Operation {
            method,
            path: path.to_owned(),
            id: spot.text("operationId").map(str::to_owned),
            parameters: parameters(root, item, &spot),
            body: spot.get(root, "requestBody").map(|body| content(root, &body)).unwrap_or_default(),
            responses: responses(root, &spot),
            security: security(root, &spot),
        })
    };
    Method::ALL.into_iter().filter_map(one).collect()
}

/// Returns the path's parameters and the operation's own, which win.
fn parameters(root: &Value, item: &Spot<'_>, operation: &Spot<'_>) -> Vec<Parameter> {
    let mut merged: Vec<Parameter> = Vec::new();
    for owner in [item, operation] {
        let listed = owner.get(root, "parameters").map(|list| list.elements(root)).unwrap_or_default();
        for found in listed.iter().filter_map(|spot| parameter(root, spot)) {
            merged.retain(|known| (&known.name, known.place) != (&found.name, found.place));
            merged.push(found);
        }
    }
    merged
}

fn parameter(root: &Value, spot: &Spot<'_>) -> Option<Parameter> {
    let place = match spot.text("in")? {
        "path" => Place::Path,
        "query" => Place::Query,
        "header" => Place::Header,
        "cookie" => Place::Cookie,
        _ => return None,
    };
    let required = place == Place::Path || spot.value.get("required") == Some(&Value::Bool(true));
    Some(Parameter { name: spot.text("name")?.to_owned(), place, required, value: value(root, spot) })
}

/// Returns the value that the document gives for a parameter.
fn value(root: &Value, spot: &Spot<'_>) -> Option<Value> {
    let own = || spot.value.get("example").cloned();
    let named = || {
        let examples = spot.get(root, "examples")?.members(root);
        examples.iter().find_map(|(_, example)| example.value.get("value").cloned())
    };
    let schema = || {
        let schema = spot.get(root, "schema")?;
        let first = |key: &str| schema.value.get(key)?.as_array()?.first().cloned();
        let at = |key: &str| schema.value.get(key).cloned();
        at("example")
            .or_else(|| first("examples"))
            .or_else(|| at("default"))
            .or_else(|| at("const"))
            .or_else(|| first("enum"))
    };
    own().or_else(named).or_else(schema)
}

fn content(root: &Value, spot: &Spot<'_>) -> Vec<Content> {
    let members = spot.get(root, "content").map(|content| content.members(root)).unwrap_or_default();
    members
        .iter()
        .map(|(media, spot)| Content {
            media: (*media).to_owned(),
            // Not followed: in 3.1 what stands beside a reference counts too.
            schema: spot.member("schema").map(|schema| schema.pointer),
        })
        .collect()
}

fn responses(root: &Value, operation: &Spot<'_>) -> Vec<Response> {
    let members = operation.get(root, "responses").map(|all| all.members(root)).unwrap_or_default();
    members
        .iter()
        .filter(|(status, _)| !status.starts_with("x-"))
        .map(|(status, spot)| Response {
            status: (*status).to_owned(),
            headers: required_headers(root, spot),
            content: content(root, spot),
        })
        .collect()
}

fn required_headers(root: &Value, response: &Spot<'_>) -> Vec<String> {
    let headers = response.get(root, "headers").map(|headers| headers.members(root)).unwrap_or_default();
    headers
        .iter()
        // A header called Content-Type is to be ignored (OpenAPI 3.1, Response Object): `content` speaks of it.
        .filter(|(name, spot)| {
            spot.value.get("required") == Some(&Value::Bool(true)) && !name.eq_ignore_ascii_case("content-type")
        })
        .map(|(name, _)| (*name).to_owned())
        .collect()
}

/// Reads who may call: the operation's own list, else the document's; an empty one, or an empty choice, is everybody.
fn security(root: &Value, operation: &Spot<'_>) -> Security {
    let choices = operation.value.get("security").or_else(|| root.get("security")).and_then(Value::as_array);
    let choices: Vec<_> = choices.into_iter().flatten().filter_map(Value::as_object).collect();
    if choices.iter().any(|choice| choice.is_empty()) || choices.is_empty() {
        return Security::Open;
    }
    let mut schemes: Vec<String> = choices.into_iter().flat_map(|choice| choice.keys().cloned()).collect();
    schemes.sort();
    schemes.dedup();
    Security::Needs(schemes)
}
