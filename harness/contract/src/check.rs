//! A response against what its operation promises.

use super::{
    body, code,
    difference::{self, Difference},
    document::Document,
    found,
    media::Media,
    operation::{Content, Header, Method, Operation, Response},
    response::{ServiceResponse, header},
    schema,
};

/// How many differences of one response are reported; the rest is counted.
const TOLD: usize = 20;

/// What a check of one response found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Differences, at most 20; one for each (code, part of the document).
    pub findings: Vec<Difference>,
    /// How many more there are.
    pub more: usize,
    /// What could not be looked at, and why; a response with such a part is not proven.
    pub unchecked: Option<String>,
}

impl Checked {
    /// Returns whether the response was looked at in full and has no difference.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.findings.is_empty() && self.unchecked.is_none()
    }

    fn of(findings: Vec<Difference>, unchecked: Option<String>) -> Self {
        let mut findings = difference::once(findings);
        let more = findings.len().saturating_sub(TOLD);
        findings.truncate(TOLD);
        Checked { findings, more, unchecked }
    }
}

/// Compares a response with what the operation promises: status, headers, media type, body.
#[must_use]
pub fn check(document: &Document, operation: &Operation, answer: &ServiceResponse<'_>) -> Checked {
    let Some(response) = promised(operation, answer.status) else {
        return Checked::of(vec![undocumented(operation, answer.status)], None);
    };
    let mut findings = Vec::new();
    let mut unchecked = None;
    for promised in &response.headers {
        match promised_header(document, answer, promised) {
            Ok(found) => findings.extend(found),
            Err(reason) => unchecked = Some(reason),
        }
    }
    if let Some(packed) = packed(answer) {
        findings.push(packed);
    } else if has_body(operation, answer, response) {
        match content(answer, response).map(|content| body::check(document, content, answer)) {
            Err(difference) => findings.push(difference),
            Ok(Ok(differences)) => findings.extend(differences),
            Ok(Err(reason)) => unchecked = Some(reason),
        }
    }
    Checked::of(findings, unchecked)
}

/// Finds what is promised for a status: the status itself, its range, the default.
pub(super) fn promised(operation: &Operation, status: u16) -> Option<&Response> {
    let range = format!("{}XX", status / 100);
    [status.to_string(), range, "default".to_owned()]
        .iter()
        .find_map(|wanted| operation.responses.iter().find(|response| response.status.eq_ignore_ascii_case(wanted)))
}

fn undocumented(operation: &Operation, status: u16) -> Difference {
    let known: Vec<&str> = operation.responses.iter().map(|response| response.status.as_str()).collect();
    let expected = if known.is_empty() { "a documented status".to_owned() } else { known.join(" or ") };
    Difference::new(&code::STATUS, "status", expected, status.to_string())
}

/// Compares a header with its promise: there where it has to be, and of a value that fits.
///
/// # Errors
/// The reason why its value was not compared.
fn promised_header(
    document: &Document,
    response: &ServiceResponse<'_>,
    promise: &Header,
) -> Result<Option<Difference>, String> {
    let at = format!("header {}", promise.name.to_ascii_lowercase());
    let root = document.root();
    match (header(response, &promise.name), &promise.schema) {
        (None, _) if promise.required => {
            let expected =
                promise.schema.as_ref().map_or_else(|| "a value".to_owned(), |s| super::expected::schema(root, s));
            Ok(Some(Difference::new(&code::HEADER_MISSING, at, expected, "missing".to_owned())))
        }
        (Some(text), Some(pointer)) => {
            let difference = body::value(document, pointer, &schema::typed(root, pointer, text))?;
            Ok(difference.map(|inner| Difference { code: &code::HEADER_VALUE, at, ..inner }))
        }
        _ => Ok(None),
    }
}

/// Tells a body that came packed: none of our requests asks for that.
fn packed(response: &ServiceResponse<'_>) -> Option<Difference> {
    let encoding = header(response, "content-encoding").filter(|name| !name.trim().eq_ignore_ascii_case("identity"))?;
    let found = found::shortened(encoding);
    Some(Difference::new(&code::ENCODING, "header content-encoding", "none: the request accepts no encoding", found))
}

fn has_body(operation: &Operation, reply: &ServiceResponse<'_>, response: &Response) -> bool {
    // Source: RFC 9110, 6.4.1: a response to HEAD, 204 and 304 have no content.
    !response.content.is_empty() && operation.method != Method::Head && !matches!(reply.status, 204 | 304)
}

/// Finds what is promised for the response's media type, the narrowest first.
fn content<'a>(reply: &ServiceResponse<'_>, response: &'a Response) -> Result<&'a Content, Difference> {
    let reported = header(reply, "content-type");
    let found = Media::parse(reported.unwrap_or_default());
    let takes = response.content.iter().map(|content| (Media::parse(&content.media), content));
    takes
        .filter(|(media, _)| media.takes(&found))
        .max_by_key(|(media, _)| media.precision())
        .map(|(_, content)| content)
        .ok_or_else(|| {
            let known: Vec<&str> = response.content.iter().map(|content| content.media.as_str()).collect();
            let found = reported.map_or_else(|| "missing".to_owned(), found::shortened);
            Difference::new(&code::MEDIA_TYPE, "header content-type", known.join(" or "), found)
        })
}
