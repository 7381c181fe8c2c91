//! Who may read: requests for a host that is ours, and with the token where one is asked for.

use axum::http::{HeaderMap, StatusCode, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use stagegate_base::redact::Secret;

/// What a request must have.
#[derive(Clone, Debug)]
pub struct Access {
    /// Names and addresses that the server is asked for by, without a port. Any other one is a page of somebody else
    /// whose name leads here.
    pub hosts: Vec<String>,
    /// The token; `None` where none is asked for.
    pub token: Option<Secret>,
}

impl Access {
    /// Refuses a request with the status and the text of the response.
    ///
    /// # Errors
    /// The response's status and text.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), (StatusCode, String)> {
        let text =
            |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let host = without_port(text(header::HOST)).to_ascii_lowercase();
        if !self.hosts.contains(&host) {
            let known = self.hosts.join(", ");
            let found = if host.is_empty() { "none" } else { host.as_str() };
            return Err((
                StatusCode::MISDIRECTED_REQUEST,
                format!(
                    "host: expected one of {known}, found {found}; start the dashboard with --host NAME to allow a name\n"
                ),
            ));
        }
        let fetch = |name: &'static str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if fetch("sec-fetch-site") == "cross-site" && fetch("sec-fetch-mode") != "navigate" {
            return Err((StatusCode::FORBIDDEN, "another site may not read these pages\n".to_owned()));
        }
        match &self.token {
            Some(token) if !is_given(text(header::AUTHORIZATION), token) => Err((
                StatusCode::UNAUTHORIZED,
                "expected the token as the password, found none or another one\n".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

/// Returns the host of a `Host` header: `[::1]:80` gives `[::1]`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    }
}

/// Tells whether the token was given: as a bearer's, or as the password that a browser asks for.
fn is_given(header: &str, token: &Secret) -> bool {
    let given = match header.split_once(' ') {
        Some((kind, value)) if kind.eq_ignore_ascii_case("bearer") => Some(value.trim().to_owned()),
        Some((kind, value)) if kind.eq_ignore_ascii_case("basic") => {
            let pair = STANDARD.decode(value.trim()).ok().and_then(|pair| String::from_utf8(pair).ok());
            pair.and_then(|pair| pair.split_once(':').map(|(_, password)| password.to_owned()))
        }
        _ => None,
    };
    // Digests are compared, so that the time tells nothing of how much was right.
    given.is_some_and(|given| Sha256::digest(given) == Sha256::digest(token.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(access: &Access, pairs: &[(&'static str, &str)]) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        access.check(&headers).map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    #[test]
    fn a_name_that_leads_here_from_elsewhere_is_refused() {
        let access = Access { hosts: vec!["127.0.0.1".into(), "localhost".into(), "[::1]".into()], token: None };
        for host in ["127.0.0.1:7979", "localhost", "LOCALHOST:80", "[::1]:7979"] {
            assert_eq!(status(&access, &[("host", host)]), 200, "{host}");
        }
        assert_eq!(status(&access, &[("host", "evil.example:7979")]), 421);
        assert_eq!(status(&access, &[]), 421);
        let foreign = [("host", "localhost"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")];
        assert_eq!(status(&access, &foreign), 403);
        assert_eq!(status(&access, &[foreign[0], foreign[1], ("sec-fetch-mode", "navigate")]), 200);
    }

    #[test]
    fn a_token_is_wanted_in_one_of_two_ways() {
        let access = Access { hosts: vec!["localhost".into()], token: Some(Secret::new("s3cr:et")) };
        let with = |value: &str| status(&access, &[("host", "localhost"), ("authorization", value)]);
        assert_eq!(status(&access, &[("host", "localhost")]), 401);
        assert_eq!((with("Bearer s3cr:et"), with("Bearer s3cr"), with("Bearer ")), (200, 401, 401));
        let basic = |pair: &str| with(&format!("Basic {}", STANDARD.encode(pair)));
        assert_eq!((basic("anybody:s3cr:et"), basic("s3cr:et"), basic("")), (200, 401, 401));
        assert_eq!(with("Basic !!"), 401);
    }
}
