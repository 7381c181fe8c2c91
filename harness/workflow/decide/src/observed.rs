//! What a step's question was answered with, whatever it asked.

use std::time::Duration;

use serde_json::Value;

/// Why a response has no JSON to look into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotJson {
    /// It was longer than what is read.
    #[error("longer than {bytes} bytes, and truncated")]
    Cut {
        /// How much was read.
        bytes: usize,
    },
    /// It has no body.
    #[error("empty")]
    Empty,
    /// It is no text.
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 {
        /// The first such byte, from 0.
        at: usize,
    },
    /// It is another text.
    #[error("not valid JSON: {0}")]
    Syntax(String),
}

/// A response: of a service, a database, a cache, a program or a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// HTTP status or exit code; none for rows and keys.
    pub status: Option<i64>,
    /// Headers; none but for HTTP.
    pub headers: Vec<(String, String)>,
    /// The body, a program's output, or the rows or the value as JSON. Bytes that are no UTF-8 are U+FFFD.
    pub text: String,
    /// The same as JSON, or why it is none.
    pub json: Result<Value, NotJson>,
    /// How long the response took.
    pub took: Duration,
}

impl Observed {
    /// Makes a response of bytes; `truncated` states that there were more.
    #[must_use]
    pub fn new(status: i64, headers: Vec<(String, String)>, body: &[u8], truncated: bool, took: Duration) -> Self {
        let json = if truncated { Err(NotJson::Cut { bytes: body.len() }) } else { json(body) };
        let text = String::from_utf8_lossy(body).into_owned();
        Observed { status: Some(status), headers, text, json, took }
    }

    /// Makes a response of a value: rows of a database, or what a cache holds.
    ///
    /// A string that is a JSON object or array is looked into by JSONPath.
    #[must_use]
    pub fn of_value(value: Value, took: Duration) -> Self {
        let inside = value.as_str().and_then(|text| serde_json::from_str(text).ok());
        let text = super::template::plain(&value);
        let json = Ok(inside.filter(|v: &Value| v.is_object() || v.is_array()).unwrap_or(value));
        Observed { status: None, headers: Vec::new(), text, json, took }
    }
}

fn json(body: &[u8]) -> Result<Value, NotJson> {
    if body.is_empty() {
        return Err(NotJson::Empty);
    }
    let text = std::str::from_utf8(body).map_err(|error| NotJson::NotUtf8 { at: error.valid_up_to() })?;
    serde_json::from_str(text).map_err(|error| NotJson::Syntax(error.to_string()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::empty(b"", false, "empty")]
    #[case::bytes(b"\"\xff\"", false, "not UTF-8 at byte 1")]
    #[case::text(b"nope", false, "not valid JSON")]
    #[case::cut(b"[1", true, "longer than 2 bytes, and truncated")]
    #[case::deep(&[b'['; 100_000], false, "recursion limit")]
    fn a_body_that_is_no_json_states_why(#[case] body: &[u8], #[case] cut: bool, #[case] want: &str) {
        let observed = Observed::new(200, Vec::new(), body, cut, Duration::ZERO);
        assert!(observed.json.unwrap_err().to_string().contains(want));
    }

    #[rstest]
    #[case(json!("{\"a\": 1}"), json!({"a": 1}))]
    #[case(json!("7"), json!("7"))]
    #[case(json!(null), json!(null))]
    fn a_text_that_holds_a_document_is_looked_into(#[case] value: Value, #[case] want: Value) {
        assert_eq!(Observed::of_value(value, Duration::ZERO).json, Ok(want));
    }
}
