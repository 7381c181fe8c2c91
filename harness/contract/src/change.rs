//! Operations that change something, in an order in which each has what it needs and nothing is left: create, read,
//! update, delete.
//!
//! A resource is what a POST to a collection creates and an item's path names: `POST /orders`, `/orders/{id}`. Its id
//! is what a link, a `Location` or the response's own body gives.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    call::{Call, Request, Values, written},
    capture::{CompletedCall, captured},
    document::Document,
    foreign::json_body,
    fragment::escaped,
    naming::{plain, singular},
    operation::{Content, Method, Operation, Parameter, ParameterLocation, Security, Target},
    property::properties,
    response::ServiceResponse,
    sample::{Fill, filled},
    supply::{Producer, ValueSource},
};

/// What a POST creates, and the operations that its id leads to; all are indices of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The POST.
    pub create: usize,
    /// GET of what it created.
    pub read: Option<usize>,
    /// PUT and PATCH of it.
    pub updates: Vec<usize>,
    /// DELETE of it.
    pub delete: Option<usize>,
    /// The change whose resource this one lies in, as an index of changes.
    pub parent: Option<usize>,
}

/// A valid body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// What is in it: `example`, `required properties`.
    pub what: &'static str,
    /// Media type.
    pub media: String,
    /// The body.
    pub bytes: Vec<u8>,
}

/// Lists what can be created by the document's own values; a parent stands before what lies in it.
///
/// `has_token`: operations that need a token are meant as well.
#[must_use]
pub fn changes(calls: &[Call], has_token: bool) -> Vec<Change> {
    let is_meant = |operation: &Operation| {
        operation.method == Method::Post
            && json_body(operation).is_some()
            && (operation.security == Security::Open || has_token && !operation.credentials.is_empty())
    };
    let mut creating: Vec<usize> = (0..calls.len()).filter(|index| is_meant(&calls[*index].operation)).collect();
    creating.sort_by_key(|index| calls[*index].operation.path.matches('/').count());
    let by_path = |path: &str, method: Method| {
        (0..calls.len()).find(|index| {
            let operation = &calls[*index].operation;
            operation.method == method && operation.path.trim_end_matches('/') == path
        })
    };
    let mut all: Vec<(Change, Option<String>)> = Vec::new();
    for create in creating {
        let operation = &calls[create].operation;
        let item = item_path(calls, operation);
        let parent =
            all.iter().position(|(_, item)| item.as_ref().is_some_and(|item| is_within(&operation.path, item)));
        let of = |method: Method| item.as_ref().and_then(|path| by_path(path, method));
        let change = Change {
            create,
            read: of(Method::Get),
            updates: [of(Method::Put), of(Method::Patch)].into_iter().flatten().collect(),
            delete: of(Method::Delete),
            parent,
        };
        // What lies in a thing that nobody creates here would change what was there before.
        if parent.is_some() || !operation.path.contains('{') {
            all.push((change, item));
        }
    }
    all.into_iter().map(|(change, _)| change).collect()
}

fn is_within(path: &str, item: &str) -> bool {
    path.strip_prefix(item).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns the path of what a POST creates: its own and one parameter more, or one that a link of its responses names.
fn item_path(calls: &[Call], create: &Operation) -> Option<String> {
    let own = create.path.trim_end_matches('/');
    let paths = || calls.iter().map(|call| call.operation.path.trim_end_matches('/'));
    let is_below = |path: &&str| {
        let rest = path.strip_prefix(own).and_then(|rest| rest.strip_prefix("/{"));
        rest.is_some_and(|rest| rest.find('}') == Some(rest.len() - 1))
    };
    let linked = || {
        let links = create.responses.iter().flat_map(|response| &response.links);
        let leads = |to: &Target, call: &Call| match to {
            Target::Id(id) => call.operation.id.as_ref() == Some(id),
            Target::Pointer(pointer) => pointer.starts_with(&format!("/paths/{}/", escaped(&call.operation.path))),
        };
        let mut targets = links.filter_map(|link| calls.iter().find(|call| leads(&link.to, call)));
        targets.find(|call| call.operation.path.ends_with('}')).map(|call| call.operation.path.clone())
    };
    paths().find(is_below).map(str::to_owned).or_else(linked)
}

/// Returns the values that lead to what a response created; `None` where it does not say.
///
/// `known` are those of the things around it.
#[must_use]
pub fn created(
    document: &Document,
    to: &Operation,
    given: &CompletedCall<'_>,
    known: &Values,
    base: &str,
) -> Option<Values> {
    let mut values = known.clone();
    for parameter in to.parameters.iter().filter(|p| p.place == ParameterLocation::Path && !known.contains_key(&p.name))
    {
        let producers = producers(document.root(), given.operation, to, parameter);
        let found = producers
            .iter()
            .find_map(|by| captured(document, to, &parameter.name, &Producer { call: 0, by: by.clone() }, given, base));
        values.insert(parameter.name.clone(), found?);
    }
    Some(values)
}

/// Lists where a response may give a parameter, the surest first.
fn producers(root: &Value, create: &Operation, to: &Operation, parameter: &Parameter) -> Vec<ValueSource> {
    let links = create.responses.iter().flat_map(|response| &response.links);
    let expressions = links.filter(|link| match &link.to {
        Target::Id(id) => to.id.as_ref() == Some(id),
        Target::Pointer(pointer) => pointer.starts_with(&format!("/paths/{}/", escaped(&to.path))),
    });
    let named = expressions.flat_map(|link| &link.parameters).filter(|(name, _)| *name == parameter.name);
    let mut all: Vec<ValueSource> = named.map(|(_, text)| ValueSource::Link(text.clone())).collect();
    all.push(ValueSource::Location);
    let own = plain(&parameter.name);
    let noun = singular(&create.path);
    let key = own.strip_prefix(noun.as_str()).filter(|rest| !rest.is_empty()).unwrap_or(&own).to_owned();
    let whole = format!("{noun}{own}");
    let success = create.responses.iter().filter(|response| response.is_success());
    let offered: Vec<_> = success.flat_map(|response| properties(root, response)).collect();
    for name in [own.as_str(), &key, &whole, "id"] {
        let found = offered.iter().filter(|property| plain(&property.name) == name);
        all.extend(found.map(|property| ValueSource::Property(property.path.clone())));
    }
    all
}

/// Lists valid bodies of an operation; `mark` makes their free texts ones of this run, `known` are values of
/// properties that have to exist: `customer_id`.
#[must_use]
pub fn bodies(document: &Document, operation: &Operation, mark: &str, known: &BTreeMap<String, Value>) -> Vec<Body> {
    let Some(content) = json_body(operation) else { return Vec::new() };
    let Some(pointer) = &content.schema else {
        let given = content.example.iter().map(|example| body("example", content, example));
        return given.collect();
    };
    let root = document.root();
    let fits = |value: &Value| document.validator(pointer).is_ok_and(|validator| validator.is_valid(value));
    let fills = [
        ("required properties", Fill::Required),
        ("all properties", Fill::All),
        ("smallest values", Fill::Low),
        ("largest values", Fill::High),
    ];
    let given = content.example.clone().map(|example| ("example", example));
    let made = fills.into_iter().filter_map(|(what, fill)| Some((what, filled(root, pointer, fill)?)));
    let mut all: Vec<Body> = Vec::new();
    for (what, value) in given.into_iter().chain(made) {
        let linked = with(&value, known);
        let marked = if what == "example" { linked.clone() } else { marked(&linked, mark) };
        let found = [marked, linked, value].into_iter().find(|value| fits(value));
        if let Some(found) = found.map(|value| body(what, content, &value))
            && !all.iter().any(|other| other.bytes == found.bytes)
        {
            all.push(found);
        }
    }
    all
}

/// Makes the request of an operation that changes something.
#[must_use]
pub fn changing(operation: &Operation, values: &Values, body: Option<&Body>) -> Option<Request> {
    let request = written(operation, values).ok()?;
    Some(match body {
        Some(body) => body.within(request),
        None => request,
    })
}

impl Body {
    /// Returns the request with this body.
    #[must_use]
    pub fn within(&self, mut request: Request) -> Request {
        request.headers.push(("content-type".to_owned(), self.media.clone()));
        request.body = Some(self.bytes.clone());
        request
    }
}

/// Tells whether a response says that what was asked for was done.
#[must_use]
pub fn is_done(response: &ServiceResponse<'_>) -> bool {
    (200..300).contains(&response.status)
}

fn body(what: &'static str, content: &Content, value: &Value) -> Body {
    Body { what, media: content.media.clone(), bytes: value.to_string().into_bytes() }
}

fn with(value: &Value, known: &BTreeMap<String, Value>) -> Value {
    let mut value = value.clone();
    if let Value::Object(map) = &mut value {
        for (name, id) in known.iter().filter(|(name, _)| map.contains_key(*name)).collect::<Vec<_>>() {
            map.insert(name.clone(), id.clone());
        }
    }
    value
}

/// Returns the value with its made texts changed, so that a second one of them is not the same: `probe-4f2a`.
fn marked(value: &Value, mark: &str) -> Value {
    match value {
        Value::String(text) if text == "probe" => json!(format!("probe-{mark}")),
        Value::String(text) if text == "probe@example.org" => json!(format!("probe-{mark}@example.org")),
        Value::Array(items) => items.iter().map(|item| marked(item, mark)).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(name, value)| (name.clone(), marked(value, mark))).collect())
        }
        other => other.clone(),
    }
}
