//! Calls: operations made concrete, with the values of the document or with those that earlier responses gave.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use super::{
    operation::{Credential, Method, Operation, Parameter, ParameterLocation, Security},
    supply::Supply,
};

/// Values of parameters, by their names.
pub type Values = BTreeMap<String, Value>;

/// An operation, and how it is called or why it is not.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The operation.
    pub operation: Operation,
    /// The request with the document's own values, or why there is none.
    pub request: Result<Request, Refusal>,
    /// Which earlier responses can give values of its parameters.
    pub supplies: Vec<Supply>,
    /// Which earlier responses can give ids that its body names; of operations that change something.
    pub needs: Vec<Supply>,
    /// The step of a run at which it can be called: after those of which it needs values. `None` where never.
    pub step: Option<usize>,
}

impl Call {
    /// Returns whether it can be called, with captured values or without.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.step.is_some()
    }

    /// Makes the request with these values before those of the document.
    ///
    /// # Errors
    /// [`Refusal::NoValue`] where neither gives a value.
    pub fn with(&self, values: &Values) -> Result<Request, Refusal> {
        written(&self.operation, values)
    }
}

/// A request that can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path and query, encoded.
    pub target: String,
    /// Headers: what the operation asks for, `Accept`, cookies.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// How the token is sent; the token itself is added by who sends.
    pub credential: Option<Credential>,
}

/// Why an operation is not called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It changes something.
    Changes,
    /// It needs a token of one of these schemes.
    Token(Vec<String>),
    /// Nobody gives a value for a required parameter.
    NoValue(String),
    /// The value of a parameter cannot be written into a request.
    Unwritable(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Changes => f.write_str("changes data"),
            Refusal::Token(schemes) => write!(f, "needs a token ({})", schemes.join(" or ")),
            Refusal::NoValue(name) => write!(f, "parameter `{name}` has no example"),
            Refusal::Unwritable(name) => write!(f, "the example of parameter `{name}` is an object or empty"),
        }
    }
}

/// Makes an operation concrete; one that needs a token only where there is one.
pub(super) fn of(operation: Operation, has_token: bool) -> Call {
    let request = allowed(&operation, has_token).and_then(|()| written(&operation, &Values::new()));
    Call { operation, request, supplies: Vec::new(), needs: Vec::new(), step: None }
}

fn allowed(operation: &Operation, has_token: bool) -> Result<(), Refusal> {
    if !operation.method.is_safe() {
        return Err(Refusal::Changes);
    }
    match &operation.security {
        Security::Needs(schemes) if !has_token || operation.credentials.is_empty() => {
            Err(Refusal::Token(schemes.clone()))
        }
        _ => Ok(()),
    }
}

/// Writes an operation as a request, optional parameters left out.
pub(super) fn written(operation: &Operation, values: &Values) -> Result<Request, Refusal> {
    let mut target = operation.path.clone();
    let (mut query, mut cookies, mut headers) = (Vec::new(), Vec::new(), accept(operation));
    let wanted = |parameter: &&Parameter| parameter.required || values.contains_key(&parameter.name);
    for parameter in operation.parameters.iter().filter(wanted) {
        let words = words(parameter, values)?;
        let name = &parameter.name;
        match parameter.place {
            ParameterLocation::Path => target = target.replace(&format!("{{{name}}}"), &joined(&words, encoded)),
            ParameterLocation::Query => {
                query.extend(words.iter().map(|word| format!("{}={}", encoded(name), encoded(word))))
            }
            ParameterLocation::Header => headers.push((name.clone(), joined(&words, str::to_owned))),
            ParameterLocation::Cookie => cookies.push(format!("{name}={}", joined(&words, encoded))),
        }
    }
    if let Some(name) = left_open(&target) {
        return Err(Refusal::NoValue(name.to_owned()));
    }
    if !cookies.is_empty() {
        headers.push(("cookie".to_owned(), cookies.join("; ")));
    }
    let mark = if query.is_empty() { "" } else { "?" };
    Ok(Request {
        method: operation.method,
        target: format!("{target}{mark}{}", query.join("&")),
        headers,
        body: None,
        credential: match operation.security {
            Security::Open => None,
            Security::Needs(_) => operation.credentials.first().cloned(),
        },
    })
}

/// Requests what the document promises, so that a service that speaks several types gives one of them.
fn accept(operation: &Operation) -> Vec<(String, String)> {
    let mut types: Vec<&str> = operation.responses.iter().flat_map(|r| &r.content).map(|c| c.media.as_str()).collect();
    types.sort_unstable();
    types.dedup();
    if types.is_empty() { Vec::new() } else { vec![("accept".to_owned(), types.join(", "))] }
}

/// Returns a parameter's value as one word, or one for each element of an array.
fn words(parameter: &Parameter, values: &Values) -> Result<Vec<String>, Refusal> {
    let unwritable = || Refusal::Unwritable(parameter.name.clone());
    let value = values.get(&parameter.name).or(parameter.value.as_ref());
    let words: Option<Vec<String>> = match value.ok_or_else(|| Refusal::NoValue(parameter.name.clone()))? {
        Value::Array(elements) => elements.iter().map(word).collect(),
        single => word(single).map(|word| vec![word]),
    };
    // An empty word in a path makes it another path.
    words.filter(|words| !joined(words, str::to_owned).is_empty()).ok_or_else(unwritable)
}

pub(super) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn joined(words: &[String], write: impl Fn(&str) -> String) -> String {
    words.iter().map(|word| write(word)).collect::<Vec<_>>().join(",")
}

/// Returns the name of a path parameter that has no value.
fn left_open(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once('{')?;
    rest.split('}').next()
}

/// Percent-encodes all but the unreserved characters.
// Source: RFC 3986, section 2.3.
pub(super) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
