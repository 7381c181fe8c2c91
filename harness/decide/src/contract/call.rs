//! Calls: operations made concrete with the values that the document itself gives.

use std::fmt;

use serde_json::Value;

use super::operation::{Operation, Parameter, Place, Security};

/// An operation, and how it is called or why it is not.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The operation.
    pub operation: Operation,
    /// The request, or why there is none.
    pub request: Result<Request, Refusal>,
}

/// A request that can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Path and query, encoded.
    pub target: String,
    /// Headers: what the operation asks for, `Accept`, cookies.
    pub headers: Vec<(String, String)>,
}

/// Why an operation is not called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It changes something.
    Changes,
    /// It needs a token of one of these schemes.
    Token(Vec<String>),
    /// The document gives no value for a required parameter.
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

/// Makes an operation concrete.
pub(super) fn of(operation: Operation) -> Call {
    let request = request(&operation);
    Call { operation, request }
}

fn request(operation: &Operation) -> Result<Request, Refusal> {
    if !operation.method.is_safe() {
        return Err(Refusal::Changes);
    }
    if let Security::Needs(schemes) = &operation.security {
        return Err(Refusal::Token(schemes.clone()));
    }
    let mut target = operation.path.clone();
    let (mut query, mut cookies, mut headers) = (Vec::new(), Vec::new(), accept(operation));
    for parameter in operation.parameters.iter().filter(|parameter| parameter.required) {
        let words = words(parameter)?;
        let name = &parameter.name;
        match parameter.place {
            Place::Path => target = target.replace(&format!("{{{name}}}"), &joined(&words, encoded)),
            Place::Query => query.extend(words.iter().map(|word| format!("{}={}", encoded(name), encoded(word)))),
            Place::Header => headers.push((name.clone(), joined(&words, str::to_owned))),
            Place::Cookie => cookies.push(format!("{name}={}", joined(&words, encoded))),
        }
    }
    if let Some(name) = left_open(&target) {
        return Err(Refusal::NoValue(name.to_owned()));
    }
    if !cookies.is_empty() {
        headers.push(("cookie".to_owned(), cookies.join("; ")));
    }
    let mark = if query.is_empty() { "" } else { "?" };
    Ok(Request { target: format!("{target}{mark}{}", query.join("&")), headers })
}

/// Asks for what the document promises, so that a service that speaks several types gives one of them.
fn accept(operation: &Operation) -> Vec<(String, String)> {
    let mut types: Vec<&str> = operation.responses.iter().flat_map(|r| &r.content).map(|c| c.media.as_str()).collect();
    types.sort_unstable();
    types.dedup();
    if types.is_empty() { Vec::new() } else { vec![("accept".to_owned(), types.join(", "))] }
}

/// Returns a parameter's value as one word, or one for each element of an array.
fn words(parameter: &Parameter) -> Result<Vec<String>, Refusal> {
    let unwritable = || Refusal::Unwritable(parameter.name.clone());
    let value = parameter.value.as_ref().ok_or_else(|| Refusal::NoValue(parameter.name.clone()))?;
    let words: Option<Vec<String>> = match value {
        Value::Array(elements) => elements.iter().map(word).collect(),
        single => word(single).map(|word| vec![word]),
    };
    // An empty word in a path makes it another path.
    words.filter(|words| !joined(words, str::to_owned).is_empty()).ok_or_else(unwritable)
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn joined(words: &[String], write: impl Fn(&str) -> String) -> String {
    words.iter().map(|word| write(word)).collect::<Vec<_>>().join(",")
}

/// Returns the name of a path parameter that the document does not describe.
fn left_open(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once('{')?;
    rest.split('}').next()
}

/// Percent-encodes all but the unreserved characters.
// Source: RFC 3986, section 2.3.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
