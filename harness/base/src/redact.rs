//! Secrets: a type that never prints itself, and the masking of texts that may hold one.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};

/// A text that is not shown by `{:?}` or `{}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// Returns the text itself, for the one place that hands it on.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

/// Returns whether a variable of this name usually holds a secret.
#[must_use]
pub fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_uppercase();
    ["PASS", "SECRET", "TOKEN", "CREDENTIAL", "PRIVATE", "API_KEY", "APIKEY", "DSN", "_KEY", "SALT"]
        .iter()
        .any(|part| key.contains(part))
        || key.ends_with("DATABASE_URL")
}

/// Returns whether a variable holds a secret itself, and not where it is or how it is used.
#[must_use]
pub fn is_secret_name(key: &str) -> bool {
    let key = key.to_ascii_uppercase();
    let about = ["_FILE", "_PATH", "_DIR", "_ID", "_TTL", "_EXPIRY", "_EXPIRES", "_ALGORITHM", "_LENGTH", "_TYPE"];
    names_a_secret(&key) && !key.contains("PUBLIC") && !about.iter().any(|end| key.ends_with(end))
}

/// Paths, addresses without a password and switches are no secrets.
#[must_use]
pub fn is_harmless(text: &str) -> bool {
    let switch = matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "none");
    switch || text.starts_with('/') || text.contains("://")
}

/// Returns the password in `scheme://user:password@host`.
#[must_use]
pub fn password_of_url(text: &str) -> Option<&str> {
    let authority = text.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let (_, password) = authority.rsplit_once('@')?.0.split_once(':')?;
    Some(password).filter(|password| !password.is_empty() && !password.contains('$'))
}

/// Texts to be masked wherever they appear.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    secrets: Vec<Secret>,
}

impl Mask {
    /// Makes a mask from secrets; those under six bytes are left out, since they would hide ordinary words.
    ///
    /// Each secret is masked raw, URL-encoded, JSON-escaped and in base64, and each line of a multi-line one too.
    pub fn new<I: IntoIterator<Item = Secret>>(secrets: I) -> Self {
        let mut all: Vec<Secret> = secrets
            .into_iter()
            .flat_map(|secret| forms(secret.expose()))
            .filter(|form| form.len() >= 6)
            .map(Secret)
            .collect();
        // The longest first: a secret that holds another one must not be left half masked.
        all.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        all.dedup();
        Mask { secrets: all }
    }

    /// Returns the mask of the secrets of both.
    #[must_use]
    pub fn and(mut self, other: Mask) -> Self {
        self.secrets.extend(other.secrets);
        self.secrets.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        self.secrets.dedup();
        self
    }

    /// Returns `text` with every secret replaced by `***`.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret.expose()) {
                text = text.replace(secret.expose(), "***");
            }
        }
        masked_signatures(&masked_userinfo(&text))
    }
}

/// Returns the forms in which a secret appears in texts: raw, by line, URL-encoded, JSON-escaped, in base64.
#[must_use]
pub fn forms(secret: &str) -> Vec<String> {
    let mut forms: Vec<String> = vec![secret.to_owned()];
    forms.extend(secret.lines().map(|line| line.trim().to_owned()));
    forms.push(url_encoded(secret));
    let json = serde_json::Value::from(secret).to_string();
    forms.push(json[1..json.len() - 1].to_owned());
    // A secret may start at any of three places of a base64 group; the group cut at the ends is left out.
    for shift in 0..3 {
        let padded = [vec![0_u8; shift], secret.as_bytes().to_vec()].concat();
        let text = BASE64.encode(&padded);
        let start = if shift == 0 { 0 } else { 4 };
        let end = text.len().saturating_sub(4);
        if end > start + 7 {
            forms.push(text[start..end].to_owned());
        }
    }
    forms
}

fn url_encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// Masks `scheme://user:password@host`, whoever the password belongs to.
fn masked_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let end = tail.find(|c: char| c.is_whitespace() || "/\"'<>?#".contains(c)).unwrap_or(tail.len());
        let authority = &tail[..end];
        match authority.rsplit_once('@').and_then(|(info, host)| Some((info.split_once(':')?.0, host))) {
            Some((user, host)) => out.push_str(&format!("{user}:***@{host}")),
            None => out.push_str(authority),
        }
        rest = &tail[end..];
    }
    out.push_str(rest);
    out
}

/// How the parameters begin by which an URL grants access for some minutes, as registries and object stores make them.
// Source: AWS Signature Version 4, Google Cloud's V4 signed URLs, Azure's shared access signatures, Docker Hub's CDN.
const SIGNATURES: [&str; 7] =
    ["x-amz-signature=", "x-amz-security-token=", "x-goog-signature=", "signature=", "sig=", "verify=", "token="];

/// Masks what makes a signed URL one: whoever reads it in a log could download with it.
fn masked_signatures(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['?', '&']) {
        let (head, tail) = rest.split_at(at + 1);
        out.push_str(head);
        rest = tail;
        let lower = tail.get(..24).unwrap_or(tail).to_ascii_lowercase();
        if let Some(name) = SIGNATURES.iter().find(|name| lower.starts_with(**name)) {
            let end = tail.find(|c: char| c.is_whitespace() || "&\"'<>#".contains(c)).unwrap_or(tail.len());
            if end > name.len() {
                out.push_str(&format!("{}***", &tail[..name.len()]));
                rest = &tail[end..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn mask() -> Mask {
        Mask::new([Secret::new("tr0ub4dor&3 \"x\""), Secret::new("first-line\nsecond-line"), Secret::new("abc")])
    }

    #[rstest]
    #[case::raw("pw=tr0ub4dor&3 \"x\" end", "pw=*** end")]
    #[case::url("?p=tr0ub4dor%263%20%22x%22&q=1", "?p=***&q=1")]
    #[case::json(r#"{"p":"tr0ub4dor&3 \"x\""}"#, r#"{"p":"***"}"#)]
    #[case::line("only second-line here", "only *** here")]
    #[case::too_short("abc stays", "abc stays")]
    #[case::dsn("postgres://u:whatever@db:5432/shop", "postgres://u:***@db:5432/shop")]
    #[case::plain_url("http://127.0.0.1:80/x@y", "http://127.0.0.1:80/x@y")]
    #[case::signed_s3(
        "Get \"https://s3.example/b/data?X-Amz-Date=20260102&X-Amz-Signature=ab12&x=1\": EOF",
        "Get \"https://s3.example/b/data?X-Amz-Date=20260102&X-Amz-Signature=***&x=1\": EOF"
    )]
    #[case::signed_hub("https://cdn.example/blob?verify=1596-aBc%3D: i/o", "https://cdn.example/blob?verify=*** i/o")]
    #[case::query("a?b=1&design=2&sig=", "a?b=1&design=2&sig=")]
    fn a_secret_is_masked_in_every_form(#[case] text: &str, #[case] want: &str) {
        assert_eq!(mask().apply(text), want);
    }

    #[rstest]
    #[case(b"user:tr0ub4dor-and-more")]
    #[case(b"u:tr0ub4dor-and-more")]
    #[case(b"us:tr0ub4dor-and-more")]
    fn base64_of_a_secret_is_masked_at_any_alignment(#[case] plain: &[u8]) {
        let mask = Mask::new([Secret::new("tr0ub4dor-and-more")]);
        assert!(mask.apply(&BASE64.encode(plain)).contains("***"));
    }

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new("hush")), "\"***\"");
    }
}
