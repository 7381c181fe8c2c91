//! A response, as the checks look at it.

/// What a service responded to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Method and target, such as `GET /orders`.
    pub request: String,
    /// Status code.
    pub status: u16,
    /// Headers in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body as text, at most the cap.
    pub body: String,
    /// It came over TLS.
    pub encrypted: bool,
}

impl Response {
    /// Returns the first value of a header, whatever the case of `name`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns every value of a header.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_html(&self) -> bool {
        self.header("content-type").is_some_and(|media| media.to_ascii_lowercase().starts_with("text/html"))
    }
}

#[cfg(test)]
pub(super) fn response(headers: &[(&str, &str)], body: &str) -> Response {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Response { request: "GET /".to_owned(), status: 200, headers, body: body.to_owned(), encrypted: false }
}
