//! An answer against what its operation promises.

use crate::record::Finding;

use super::{
    body,
    document::Document,
    found,
    media::Media,
    operation::{Content, Method, Operation, Response},
};

/// How many differences of one answer are told; the rest is counted.
const TOLD: usize = 20;

/// What a service answered.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Status code.
    pub status: u16,
    /// Headers; the case of their names does not matter.
    pub headers: &'a [(String, String)],
    /// The body, or its beginning.
    pub body: &'a [u8],
    /// The body goes on after what is here.
    pub truncated: bool,
}

/// What a check of one answer found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Differences, at most 20.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: usize,
    /// What could not be looked at, and why; an answer with such a part is not proven.
    pub unchecked: Option<String>,
}

impl Checked {
    /// Tells whether the answer was looked at in full and has no difference.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.unchecked.is_none()
    }

    fn of(mut findings: Vec<Finding>, unchecked: Option<String>) -> Self {
        let more = findings.len().saturating_sub(TOLD);
        findings.truncate(TOLD);
        Checked { findings, more, unchecked }
    }
}

/// Compares an answer with what the operation promises: status, headers, media type, body.
#[must_use]
pub fn check(document: &Document, operation: &Operation, answer: &Answer<'_>) -> Checked {
    let Some(response) = promised(operation, answer.status) else {
        return Checked::of(vec![undocumented(operation, answer.status)], None);
    };
    let mut findings: Vec<Finding> = response.headers.iter().filter_map(|name| missing(answer, name)).collect();
    let mut unchecked = None;
    if has_body(operation, answer, response) {
        match content(answer, response).map(|content| body::check(document, content, answer)) {
            Err(finding) => findings.push(finding),
            Ok(Ok(differences)) => findings.extend(differences),
            Ok(Err(reason)) => unchecked = Some(reason),
        }
    }
    Checked::of(findings, unchecked)
}

/// Finds what is promised for a status: the status itself, its range, the default.
fn promised(operation: &Operation, status: u16) -> Option<&Response> {
    let range = format!("{}XX", status / 100);
    [status.to_string(), range, "default".to_owned()]
        .iter()
        .find_map(|wanted| operation.responses.iter().find(|response| response.status.eq_ignore_ascii_case(wanted)))
}

fn undocumented(operation: &Operation, status: u16) -> Finding {
    let known: Vec<&str> = operation.responses.iter().map(|response| response.status.as_str()).collect();
    let expected = if known.is_empty() { "a documented status".to_owned() } else { known.join(" or ") };
    Finding { at: "status".to_owned(), expected, found: status.to_string() }
}

fn missing(answer: &Answer<'_>, name: &str) -> Option<Finding> {
    header(answer, name).is_none().then(|| Finding {
        at: format!("header {}", name.to_ascii_lowercase()),
        expected: "a value".to_owned(),
        found: "missing".to_owned(),
    })
}

fn has_body(operation: &Operation, answer: &Answer<'_>, response: &Response) -> bool {
    // Source: RFC 9110, 6.4.1: an answer to HEAD, 204 and 304 have no content.
    !response.content.is_empty() && operation.method != Method::Head && !matches!(answer.status, 204 | 304)
}

/// Finds what is promised for the answer's media type, the narrowest first.
fn content<'a>(answer: &Answer<'_>, response: &'a Response) -> Result<&'a Content, Finding> {
    let told = header(answer, "content-type");
    let found = Media::parse(told.unwrap_or_default());
    let takes = response.content.iter().map(|content| (Media::parse(&content.media), content));
    takes
        .filter(|(media, _)| media.takes(&found))
        .max_by_key(|(media, _)| media.precision())
        .map(|(_, content)| content)
        .ok_or_else(|| Finding {
            at: "header content-type".to_owned(),
            expected: response.content.iter().map(|content| content.media.as_str()).collect::<Vec<_>>().join(" or "),
            found: told.map_or_else(|| "missing".to_owned(), found::shortened),
        })
}

pub(super) fn header<'a>(answer: &Answer<'a>, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
