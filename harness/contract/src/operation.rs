//! Operations: what can be asked of a service, and what it may answer.

use std::fmt;

use serde_json::Value;

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
    pub(super) const ALL: [Method; 8] = [
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

    /// Returns whether asking changes nothing.
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
    /// How a token can be sent that is enough alone; the document's order.
    pub credentials: Vec<Credential>,
}

/// Where a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterLocation {
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
    pub place: ParameterLocation,
    /// A request without it is wrong.
    pub required: bool,
    /// The value that the document gives: example, default, or the first of an enum.
    pub value: Option<Value>,
    /// JSON pointer of its schema.
    pub schema: Option<String>,
}

/// A body that may come: its media type and its schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// Media type or range, as the document writes it.
    pub media: String,
    /// JSON pointer of the schema; any body will do where `None`.
    pub schema: Option<String>,
    /// The body that the document gives.
    pub example: Option<Value>,
}

/// What may be answered with a status.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// `200`, `2XX` or `default`.
    pub status: String,
    /// Headers that may or must be there.
    pub headers: Vec<Header>,
    /// Bodies; nothing is promised about the body where empty.
    pub content: Vec<Content>,
    /// Where the response leads.
    pub links: Vec<Link>,
}

impl Response {
    /// Returns whether the response is one of success.
    pub(super) fn is_success(&self) -> bool {
        self.status.starts_with('2')
    }
}

/// A header of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name, as the document writes it.
    pub name: String,
    /// A response without it is wrong.
    pub required: bool,
    /// JSON pointer of its schema.
    pub schema: Option<String>,
}

/// A link of a response: which operation its values are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The operation that it leads to.
    pub to: Target,
    /// Names of parameters, and the runtime expressions that give their values.
    pub parameters: Vec<(String, String)>,
}

/// An operation, as a link names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By its `operationId`.
    Id(String),
    /// By the JSON pointer of the operation.
    Pointer(String),
}

/// How a token is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Where it goes.
    pub place: ParameterLocation,
    /// Name of the header, the query parameter or the cookie.
    pub name: String,
    /// What stands before the token: `Bearer `.
    pub prefix: &'static str,
}

/// Who may call an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Everybody.
    Open,
    /// Who has what one of these schemes asks for.
    Needs(Vec<String>),
}
