//! A response, as a service gave it.

/// What a service responded.
#[derive(Clone, Copy, Debug)]
pub struct ServiceResponse<'a> {
    /// Status code.
    pub status: u16,
    /// Headers; the case of their names does not matter.
    pub headers: &'a [(String, String)],
    /// The body, or its beginning.
    pub body: &'a [u8],
    /// The body goes on after what is here.
    pub truncated: bool,
}

/// Returns the value of a header, whatever the case of its name.
pub(super) fn header<'a>(response: &ServiceResponse<'a>, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
