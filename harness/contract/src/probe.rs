//! Bad requests, and how a service has to refuse them: 4xx, documented, never 5xx.
//!
//! A probe is wrong by the document itself: what a schema allows is not called bad. Requests that change something
//! name things that do not exist, so that a service which takes them changes nothing that was there.

use std::fmt;

use serde_json::{Value, json};

use super::{
    call::{Request, Values, written},
    check::{check, promised},
    code,
    difference::Difference,
    document::Document,
    foreign::json_body,
    fragment::escaped,
    operation::{Credential, Method, Operation, Parameter, ParameterLocation, Security},
    reference::PointerValue,
    response::ServiceResponse,
    sample::sample,
    schema,
};

/// How many probes one operation gets.
const PROBES: usize = 24;
/// How long a text is that no column and no buffer should have to take.
const LONG: usize = 5_000;
/// An id that nobody has; a column of 32 bits can hold it.
const UNKNOWN_NUMBER: i64 = 2_147_483_646;
const UNKNOWN_UUID: &str = "5ca1ab1e-0000-4000-8000-000000000000";
const UNKNOWN_TEXT: &str = "stagegate-unknown";

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeFault {
    /// The body is no JSON.
    Malformed,
    /// A value is of another type.
    Type(String),
    /// A required property is missing.
    Missing(String),
    /// A text is longer than anybody needs.
    Long(String),
    /// There is no such thing.
    Unknown(String),
}

impl fmt::Display for ProbeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProbeFault::Malformed => f.write_str("malformed JSON"),
            ProbeFault::Type(name) => write!(f, "`{name}` of another type"),
            ProbeFault::Missing(name) => write!(f, "`{name}` missing"),
            ProbeFault::Long(name) => write!(f, "`{name}` over-long"),
            ProbeFault::Unknown(name) => write!(f, "unknown `{name}`"),
        }
    }
}

/// A bad request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What is wrong with it.
    pub wrong: ProbeFault,
    /// The request.
    pub request: Request,
    /// The document does not forbid it: only a crash is a finding.
    pub may_be_taken: bool,
}

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It was refused as documented, or may be taken.
    Well,
    /// It was refused before anybody looked at it: 401, 403, 429.
    Unseen(u16),
    /// It was not refused as documented.
    Badly(Vec<Difference>),
}

/// Returns whether an operation can be probed, from its parameters and body alone.
#[must_use]
pub fn can_be_probed(operation: &Operation, has_token: bool) -> bool {
    let is_open = operation.security == Security::Open || has_token && !operation.credentials.is_empty();
    let is_meant = !matches!(operation.method, Method::Head | Method::Options | Method::Trace);
    let has_place =
        operation.parameters.iter().any(|p| matches!(p.place, ParameterLocation::Path | ParameterLocation::Query));
    is_open && is_meant && (json_body(operation).is_some() || has_place)
}

/// Lists the bad requests to an operation, at most 24.
#[must_use]
pub fn probes(document: &Document, operation: &Operation) -> Vec<Probe> {
    let prober = Prober { root: document.root(), operation };
    let mut all = prober.of_body();
    all.extend(prober.of_path());
    all.extend(prober.of_query());
    all.truncate(PROBES);
    all
}

/// Lists requests that only somebody with credentials may make, without any and with invalid ones.
///
/// `known` are values of its parameters; what neither they nor the document give is an id that nobody has.
#[must_use]
pub fn unauthorized(document: &Document, operation: &Operation, known: &Values) -> Vec<(&'static str, Request)> {
    if operation.security == Security::Open {
        return Vec::new();
    }
    let prober = Prober { root: document.root(), operation };
    let mut values: Values = prober.unknowns();
    values.retain(|name, _| operation.parameters.iter().any(|own| own.name == *name && own.value.is_none()));
    values.extend(known.iter().map(|(name, value)| (name.clone(), value.clone())));
    let Ok(request) = written(operation, &values) else { return Vec::new() };
    let without = Request { credential: None, ..request };
    let mut all = vec![("without credentials", without.clone())];
    if let Some(credential) = operation.credentials.first() {
        all.push(("with invalid credentials", forged(&without, credential)));
    }
    all
}

/// Adds credentials that nobody was given.
fn forged(request: &Request, credential: &Credential) -> Request {
    let mut request = request.clone();
    let value = format!("{}{UNKNOWN_TEXT}", credential.prefix);
    match credential.place {
        ParameterLocation::Query => {
            let mark = if request.target.contains('?') { '&' } else { '?' };
            request.target = format!("{}{mark}{}={value}", request.target, credential.name);
        }
        ParameterLocation::Cookie => {
            request.headers.push(("cookie".to_owned(), format!("{}={value}", credential.name)))
        }
        ParameterLocation::Header | ParameterLocation::Path => request.headers.push((credential.name.clone(), value)),
    }
    request
}

/// Reports the rejection of invalid input that a framework makes by itself, whether the document has it or not.
// Source: FastAPI, "Handling Errors": 422 with `detail`, a list of `loc`, `msg`, `type`.
fn is_of_framework(response: &ServiceResponse<'_>) -> bool {
    let body = serde_json::from_slice::<Value>(response.body).unwrap_or_default();
    let errors = body["detail"].as_array().filter(|errors| !errors.is_empty());
    let is_error = |error: &Value| error["loc"].is_array() && error["msg"].is_string() && error["type"].is_string();
    response.status == 422 && errors.is_some_and(|errors| errors.iter().all(is_error))
}

/// Judges the response to a probe.
#[must_use]
pub fn refused(document: &Document, operation: &Operation, probe: &Probe, response: &ServiceResponse<'_>) -> Refused {
    let status = response.status;
    let at = |expected: &str, code| vec![Difference::new(code, probe.wrong.to_string(), expected, status.to_string())];
    match status {
        500.. => Refused::Badly(at("4xx", &code::PROBE_CRASHED)),
        401 | 403 | 429 => Refused::Unseen(status),
        422 if promised(operation, status).is_none() && is_of_framework(response) => Refused::Well,
        400..500 => {
            let found = check(document, operation, response).findings;
            let named = |d: Difference| Difference { at: format!("{}: {}", probe.wrong, d.at), ..d };
            if found.is_empty() { Refused::Well } else { Refused::Badly(found.into_iter().map(named).collect()) }
        }
        _ if probe.may_be_taken => Refused::Well,
        _ => Refused::Badly(at("a documented 4xx", &code::PROBE_TAKEN)),
    }
}

struct Prober<'a> {
    root: &'a Value,
    operation: &'a Operation,
}

impl Prober<'_> {
    /// Lists probes of the body: no JSON, and the sound body with one thing wrong at a time.
    fn of_body(&self) -> Vec<Probe> {
        let Some((content, base)) = json_body(self.operation).zip(self.base()) else { return Vec::new() };
        let send = |wrong: ProbeFault, body: String, may_be_taken: bool| {
            let mut request = base.clone();
            request.headers.push(("content-type".to_owned(), content.media.clone()));
            Probe { wrong, request: Request { body: Some(body.into_bytes()), ..request }, may_be_taken }
        };
        let mut all = vec![send(ProbeFault::Malformed, "{\"stagegate\": ".to_owned(), false)];
        let Some(pointer) = &content.schema else { return all };
        let example = content.example.clone().filter(|value| schema::fits(self.root, pointer, value));
        let Some(Value::Object(sound)) = example.or_else(|| sample(self.root, pointer)) else { return all };
        let is_wrong = |body: &Value| !schema::fits(self.root, pointer, body);
        for (name, value) in &sound {
            let mut without = sound.clone();
            without.remove(name);
            let mut other = sound.clone();
            other.insert(name.clone(), other_type(value));
            let (without, other) = (Value::Object(without), Value::Object(other));
            if is_wrong(&without) {
                all.push(send(ProbeFault::Missing(name.clone()), without.to_string(), false));
            }
            if is_wrong(&other) {
                all.push(send(ProbeFault::Type(name.clone()), other.to_string(), false));
            }
        }
        for name in self.texts(pointer) {
            let mut long = sound.clone();
            long.insert(name.clone(), Value::from("a".repeat(LONG)));
            let long = Value::Object(long);
            all.push(send(ProbeFault::Long(name), long.to_string(), !is_wrong(&long)));
        }
        all
    }

    /// Lists the body's properties that are free text.
    fn texts(&self, pointer: &str) -> Vec<String> {
        let Some(body) = PointerValue::at(self.root, pointer) else { return Vec::new() };
        let names = body.value.get("properties").and_then(Value::as_object).into_iter().flat_map(|map| map.keys());
        let is_text = |name: &&String| {
            let property = format!("{}/properties/{}", body.pointer, escaped(name));
            let is_free = PointerValue::at(self.root, &property).is_some_and(|location| {
                ["enum", "const", "format"].iter().all(|key| location.value.get(key).is_none())
            });
            is_free && schema::types(self.root, &property).iter().any(|name| name == "string")
        };
        names.filter(is_text).cloned().collect()
    }

    /// Lists probes of path parameters; what needs a body is left to the probes of the body.
    fn of_path(&self) -> Vec<Probe> {
        if !self.operation.body.is_empty() {
            return Vec::new();
        }
        let mut all = Vec::new();
        for parameter in self.operation.parameters.iter().filter(|parameter| parameter.place == ParameterLocation::Path)
        {
            let name = &parameter.name;
            let mut send = |wrong: ProbeFault, value: Value, may_be_taken: bool| {
                let mut values = self.unknowns();
                values.insert(name.clone(), value);
                all.extend(self.probe(wrong, &values, may_be_taken));
            };
            if let Some(unknown) = self.unknown(parameter) {
                // To delete what is not there may well be a success.
                send(ProbeFault::Unknown(name.clone()), unknown, self.operation.method == Method::Delete);
            }
            match self.is_text(parameter) {
                true => send(ProbeFault::Long(name.clone()), Value::from("a".repeat(LONG)), false),
                false => send(ProbeFault::Type(name.clone()), json!(UNKNOWN_TEXT), false),
            }
        }
        all
    }

    /// Lists probes of query parameters that take no free text.
    fn of_query(&self) -> Vec<Probe> {
        if !self.operation.method.is_safe() {
            return Vec::new();
        }
        let typed =
            self.operation.parameters.iter().filter(|p| p.place == ParameterLocation::Query && !self.is_text(p));
        let probe = |parameter: &Parameter| {
            let values = Values::from([(parameter.name.clone(), json!(UNKNOWN_TEXT))]);
            self.probe(ProbeFault::Type(parameter.name.clone()), &values, false)
        };
        typed.filter_map(probe).collect()
    }

    fn probe(&self, wrong: ProbeFault, values: &Values, may_be_taken: bool) -> Option<Probe> {
        let request = written(self.operation, values).ok()?;
        Some(Probe { wrong, request, may_be_taken })
    }

    /// Returns the request with ids that nobody has.
    fn base(&self) -> Option<Request> {
        written(self.operation, &self.unknowns()).ok()
    }

    fn unknowns(&self) -> Values {
        let of_path = self.operation.parameters.iter().filter(|parameter| parameter.place == ParameterLocation::Path);
        of_path.filter_map(|parameter| Some((parameter.name.clone(), self.unknown(parameter)?))).collect()
    }

    /// Returns a value that fits the parameter's schema and that nothing has; `None` where the schema lists its values.
    fn unknown(&self, parameter: &Parameter) -> Option<Value> {
        let Some(pointer) = &parameter.schema else { return Some(json!(UNKNOWN_TEXT)) };
        let candidates = [json!(UNKNOWN_NUMBER), json!(UNKNOWN_UUID), json!(UNKNOWN_TEXT)];
        candidates.into_iter().find(|value| schema::fits(self.root, pointer, value))
    }

    /// Returns whether a parameter takes any text.
    fn is_text(&self, parameter: &Parameter) -> bool {
        let Some(pointer) = &parameter.schema else { return true };
        schema::fits(self.root, pointer, &schema::typed(self.root, pointer, UNKNOWN_TEXT))
    }
}

/// Returns a value of another type than `value`.
fn other_type(value: &Value) -> Value {
    if value.is_string() { json!({ "stagegate": true }) } else { json!(UNKNOWN_TEXT) }
}

#[cfg(test)]
mod tests;
