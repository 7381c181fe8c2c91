//! Which part of a response is looked at: `status`, `body`, `header:NAME`, `regex:PATTERN` or a JSONPath.

use std::fmt;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::{Observed, observed::NotJson};

/// A text that names no part of a response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// None of the known words.
    #[error("`{0}` names no part of a result (known: status, body, header:NAME, regex:PATTERN, $ and a JSONPath)")]
    Unknown(String),
    /// Not RFC 9535.
    #[error("`{path}` is not a valid JSONPath: {reason}")]
    Path {
        /// The text.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Not a regular expression.
    #[error("`{pattern}` is not a valid regular expression: {reason}")]
    Pattern {
        /// The text.
        pattern: String,
        /// What is wrong.
        reason: String,
    },
}

/// A part of a response.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum Source {
    /// HTTP status, or a program's exit code.
    Status,
    /// The whole text.
    Body,
    /// The first value of a header.
    Header(String),
    /// The first group of the first match in the text, or the whole match where there is no group.
    Regex(Regex),
    /// RFC 9535. One that can give several nodes gives an array, even of one or none.
    Path {
        /// The query.
        path: Box<JsonPath>,
        /// It gives one node at most.
        singular: bool,
    },
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl TryFrom<String> for Source {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, SourceError> {
        match text.split_once(':') {
            _ if text.starts_with('$') => path(&text),
            Some(("header", name)) if !name.trim().is_empty() => Ok(Source::Header(name.trim().to_owned())),
            Some(("regex", pattern)) => regex(pattern).map(Source::Regex),
            _ => match text.as_str() {
                "status" => Ok(Source::Status),
                "body" => Ok(Source::Body),
                _ => Err(SourceError::Unknown(text)),
            },
        }
    }
}

fn path(text: &str) -> Result<Source, SourceError> {
    let path = JsonPath::parse(text)
        .map_err(|error| SourceError::Path { path: text.to_owned(), reason: error.to_string() })?;
    Ok(Source::Path { path: Box::new(path), singular: is_singular(text) })
}

/// Compiles a pattern; matching takes time linear in the text, whatever the pattern.
pub(super) fn regex(pattern: &str) -> Result<Regex, SourceError> {
    Regex::new(pattern).map_err(|error| SourceError::Pattern {
        pattern: pattern.to_owned(),
        reason: error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
    })
}

/// Returns whether a query gives one node at most: names and indexes only.
// Source: RFC 9535, 2.3.5.1: wildcards, slices, filters, descendants and lists of selectors are not singular.
fn is_singular(text: &str) -> bool {
    let mut quote = None;
    let mut before = ' ';
    for c in text.chars() {
        match quote {
            Some(q) if c == q && before != '\\' => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if "*?:,".contains(c) || (c == '.' && before == '.') => return false,
            None => {}
        }
        before = c;
    }
    true
}

impl Source {
    /// Returns this part of a response; `None` where the response does not have it.
    ///
    /// # Errors
    /// [`NotJson`] where a JSONPath is to look into a body that is no JSON.
    pub fn of(&self, observed: &Observed) -> Result<Option<Value>, NotJson> {
        match self {
            Source::Status => Ok(observed.status.map(Value::from)),
            Source::Body => Ok(Some(Value::from(observed.text.as_str()))),
            Source::Header(name) => {
                let header = observed.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                Ok(header.map(|(_, value)| Value::from(value.as_str())))
            }
            Source::Regex(regex) => Ok(regex.captures(&observed.text).and_then(|found| {
                let group = found.get(1).or_else(|| found.get(0))?;
                Some(Value::from(group.as_str()))
            })),
            Source::Path { path, singular } => {
                let nodes = path.query(observed.json.as_ref().map_err(Clone::clone)?);
                if *singular {
                    return Ok(nodes.first().cloned());
                }
                Ok(Some(nodes.iter().map(|node| (*node).clone()).collect()))
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Status => f.write_str("status"),
            Source::Body => f.write_str("body"),
            Source::Header(name) => write!(f, "header:{name}"),
            Source::Regex(regex) => write!(f, "regex:{regex}"),
            Source::Path { path, .. } => write!(f, "{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn observed() -> Observed {
        let headers = vec![("location".to_owned(), "/orders/7".to_owned())];
        Observed::new(200, headers, br#"{"id": 7, "items": [{"sku": "a"}], "none": null}"#, false, Duration::ZERO)
    }

    #[rstest]
    #[case::status("status", Some(json!(200)))]
    #[case::header("header:Location", Some(json!("/orders/7")))]
    #[case::no_header("header:etag", None)]
    #[case::group("regex:\"sku\": \"(.)\"", Some(json!("a")))]
    #[case::whole_match("regex:it.ms", Some(json!("items")))]
    #[case::one("$.id", Some(json!(7)))]
    #[case::null("$.none", Some(Value::Null))]
    #[case::missing("$.nope", None)]
    #[case::many("$.items[*].sku", Some(json!(["a"])))]
    #[case::none_of_many("$.items[?@.sku == 'z']", Some(json!([])))]
    fn a_part_of_a_response_is_found(#[case] text: &str, #[case] want: Option<Value>) {
        assert_eq!(Source::try_from(text.to_owned()).unwrap().of(&observed()), Ok(want));
    }

    #[rstest]
    #[case("headers", "known: status, body")]
    #[case("$.[", "is not a valid JSONPath")]
    #[case("regex:(", "is not a valid regular expression")]
    fn a_text_that_names_nothing_is_refused(#[case] text: &str, #[case] want: &str) {
        let error = Source::try_from(text.to_owned()).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }

    #[rstest]
    #[case("$.a['x,y'][0]", true)]
    #[case("$..a", false)]
    #[case("$[0:2]", false)]
    fn only_names_and_indexes_give_one_node(#[case] text: &str, #[case] want: bool) {
        assert_eq!(is_singular(text), want);
    }
}
