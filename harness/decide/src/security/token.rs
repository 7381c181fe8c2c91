//! Tokens that a service takes, and tokens that look like them and must be refused.
// Source: RFC 7519; RFC 8725, sections 2.1 and 3.1.

use serde_json::{Value, json};

use super::hmac::{base64url, signature};
use crate::{
    config::{Algorithm, Jwt},
    redact::Secret,
};

/// How long a good token is good, in seconds.
const GOOD_FOR: i64 = 300;

/// What makes a token that a service takes.
#[derive(Clone, Debug)]
pub struct Token {
    /// The key that the service verifies with.
    pub key: Secret,
    /// The value of `aud`, where the service looks at it.
    pub audience: Option<String>,
    /// Further claims.
    pub claims: serde_json::Map<String, Value>,
    /// How it is signed.
    pub algorithm: Algorithm,
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forged {
    /// Its header says that it is not signed.
    None,
    /// It is signed with another key.
    WrongKey,
    /// Its time is over.
    Expired,
}

impl Token {
    /// Returns what makes the tokens of a service.
    #[must_use]
    pub fn new(jwt: &Jwt, key: Secret, audience: Option<String>) -> Self {
        Token { key, audience, claims: jwt.claims.clone(), algorithm: jwt.algorithm }
    }

    /// Makes a token that the service takes at `now`, in seconds since 1970.
    #[must_use]
    pub fn good(&self, now: i64) -> Secret {
        self.signed(&self.payload(now, now + GOOD_FOR), self.key.expose().as_bytes())
    }

    /// Makes the tokens of one kind that the service must refuse at `now`, in seconds since 1970.
    #[must_use]
    pub fn forged(&self, forged: Forged, now: i64) -> Vec<Secret> {
        let payload = self.payload(now, now + GOOD_FOR);
        match forged {
            Forged::None => ["none", "None", "NONE"].iter().map(|name| unsigned(name, &payload)).collect(),
            Forged::WrongKey => {
                let other = format!("not-{}", self.key.expose());
                vec![self.signed(&payload, other.as_bytes()), self.signed(&payload, b"")]
            }
            Forged::Expired => {
                let payload = self.payload(now - 2 * GOOD_FOR, now - GOOD_FOR);
                vec![self.signed(&payload, self.key.expose().as_bytes())]
            }
        }
    }

    fn payload(&self, from: i64, until: i64) -> Value {
        let mut claims = self.claims.clone();
        claims.insert("iat".to_owned(), json!(from));
        claims.insert("exp".to_owned(), json!(until));
        if let Some(audience) = &self.audience {
            claims.insert("aud".to_owned(), json!(audience));
        }
        Value::Object(claims)
    }

    fn signed(&self, payload: &Value, key: &[u8]) -> Secret {
        let text = unsigned_text(self.algorithm.name(), payload);
        let signature = base64url(&signature(self.algorithm, key, text.as_bytes()));
        Secret::new(format!("{text}.{signature}"))
    }
}

fn unsigned(algorithm: &str, payload: &Value) -> Secret {
    Secret::new(format!("{}.", unsigned_text(algorithm, payload)))
}

fn unsigned_text(algorithm: &str, payload: &Value) -> String {
    let header = json!({ "alg": algorithm, "typ": "JWT" }).to_string();
    format!("{}.{}", base64url(header.as_bytes()), base64url(payload.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn token() -> Token {
        Token {
            key: Secret::new("key"),
            audience: Some("staging".to_owned()),
            claims: serde_json::Map::new(),
            algorithm: Algorithm::HS256,
        }
    }

    #[test]
    fn a_good_token_has_three_parts_and_a_time() {
        let good = token().good(NOW);
        let parts: Vec<&str> = good.expose().split('.').collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[0], base64url(br#"{"alg":"HS256","typ":"JWT"}"#));
        assert_eq!(parts[1], base64url(br#"{"aud":"staging","exp":1700000300,"iat":1700000000}"#));
        assert_eq!(
            parts[2],
            base64url(&signature(Algorithm::HS256, b"key", format!("{}.{}", parts[0], parts[1]).as_bytes()))
        );
    }

    #[rstest]
    #[case(Forged::None, 3)]
    #[case(Forged::WrongKey, 2)]
    #[case(Forged::Expired, 1)]
    fn a_forged_token_is_not_the_good_one(#[case] forged: Forged, #[case] count: usize) {
        let (good, forged) = (token().good(NOW), token().forged(forged, NOW));
        assert_eq!(forged.len(), count);
        assert!(forged.iter().all(|token| *token != good));
    }
}
