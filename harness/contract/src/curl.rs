//! A request as a line for a shell. Secrets stand in it as `$VARIABLES`.

use super::{
    call::Request,
    operation::{Credential, Method, ParameterLocation},
};

impl Request {
    /// Writes the request as a `curl` line that does the same.
    ///
    /// `base` is scheme, host and what stands before the path; the token is the shell's variable `variable`.
    #[must_use]
    pub fn curl(&self, base: &str, variable: Option<&str>) -> String {
        let method = match (self.method, &self.body) {
            (Method::Get, None) | (Method::Post, Some(_)) => String::new(),
            (Method::Head, None) => " --head".to_owned(),
            (other, _) => format!(" -X {other}"),
        };
        let header = |(name, value): &(String, String)| format!(" -H {}", quoted(&format!("{name}: {value}")));
        let headers: String = self.headers.iter().map(header).collect();
        let secret = self.credential.as_ref().zip(variable);
        let token = secret.map(|(credential, variable)| token(credential, variable)).unwrap_or_default();
        let body = self.body.as_deref().map(body).unwrap_or_default();
        let url = format!("{base}{}", self.target);
        let url = match secret {
            Some((Credential { place: ParameterLocation::Query, name, .. }, variable)) => {
                let mark = if url.contains('?') { '&' } else { '?' };
                format!("{}\"{name}=${variable}\"", quoted(&format!("{url}{mark}")))
            }
            _ => quoted(&url),
        };
        format!("curl -i{method}{headers}{token}{body} {url}")
    }
}

fn token(credential: &Credential, variable: &str) -> String {
    let Credential { place, name, prefix } = credential;
    match place {
        ParameterLocation::Header | ParameterLocation::Path => format!(" -H \"{name}: {prefix}${variable}\""),
        ParameterLocation::Cookie => format!(" -H \"cookie: {name}=${variable}\""),
        ParameterLocation::Query => String::new(),
    }
}

fn body(body: &[u8]) -> String {
    // A body that begins with `@` would be taken for a file's name by `--data`.
    format!(" --data-raw {}", quoted(&String::from_utf8_lossy(body)))
}

/// Quotes a word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn request(method: Method, body: Option<&str>, credential: Option<Credential>) -> Request {
        let headers = vec![("accept".to_owned(), "a/b".to_owned())];
        Request { method, target: "/o'x".to_owned(), headers, body: body.map(Into::into), credential }
    }

    fn at(place: ParameterLocation, name: &str, prefix: &'static str) -> Option<Credential> {
        Some(Credential { place, name: name.to_owned(), prefix })
    }

    #[rstest]
    #[case::get(request(Method::Get, None, None), r"curl -i -H 'accept: a/b' 'http://h/o'\''x'")]
    #[case::head(request(Method::Head, None, None), r"curl -i --head -H 'accept: a/b' 'http://h/o'\''x'")]
    #[case::post(
        request(Method::Post, Some("@{"), None),
        r"curl -i -H 'accept: a/b' --data-raw '@{' 'http://h/o'\''x'"
    )]
    #[case::put(
        request(Method::Put, Some("1"), None),
        r"curl -i -X PUT -H 'accept: a/b' --data-raw '1' 'http://h/o'\''x'"
    )]
    #[case::bearer(
        request(Method::Get, None, at(ParameterLocation::Header, "authorization", "Bearer ")),
        r#"curl -i -H 'accept: a/b' -H "authorization: Bearer $TOKEN" 'http://h/o'\''x'"#
    )]
    #[case::query(
        request(Method::Get, None, at(ParameterLocation::Query, "key", "")),
        r#"curl -i -H 'accept: a/b' 'http://h/o'\''x?'"key=$TOKEN""#
    )]
    #[case::cookie(
        request(Method::Get, None, at(ParameterLocation::Cookie, "sid", "")),
        r#"curl -i -H 'accept: a/b' -H "cookie: sid=$TOKEN" 'http://h/o'\''x'"#
    )]
    fn a_request_is_a_line_for_a_shell_without_its_secret(#[case] request: Request, #[case] want: &str) {
        assert_eq!(request.curl("http://h", Some("TOKEN")), want);
    }
}
