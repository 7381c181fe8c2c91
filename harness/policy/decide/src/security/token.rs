//! Tokens that a service takes, and tokens that look like them and must be refused.
//!
//! What a shared key signs is signed here; what a key pair signs, where the key is.
// Source: RFC 7519; RFC 8725, sections 2.1 and 3.1.

use serde_json::{Map, Value, json};

use super::hmac::{base64url, from_base64url, signature};
use stagegate_base::{config::Algorithm, redact::Secret};

/// How long a good token is good, in seconds.
const GOOD_FOR: i64 = 300;

/// What the tokens of a service say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// The value of `aud`, where the service looks at it.
    pub audience: Option<String>,
    /// Further claims.
    pub more: Map<String, Value>,
}

impl Claims {
    /// Makes what a token states that is good at `now`, in seconds since 1970.
    #[must_use]
    pub fn good(&self, now: i64) -> Value {
        self.payload(now, now + GOOD_FOR)
    }

    /// Makes what a token states whose time is over at `now`.
    #[must_use]
    pub fn expired(&self, now: i64) -> Value {
        self.payload(now - 2 * GOOD_FOR, now - GOOD_FOR)
    }

    fn payload(&self, from: i64, until: i64) -> Value {
        let mut claims = self.more.clone();
        claims.insert("iat".to_owned(), json!(from));
        claims.insert("exp".to_owned(), json!(until));
        if let Some(audience) = &self.audience {
            claims.insert("aud".to_owned(), json!(audience));
        }
        Value::Object(claims)
    }
}

/// What a token shows to everybody who has it.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenContents {
    /// How it is signed, as its header states; `None` for what is not known here.
    pub algorithm: Option<Algorithm>,
    /// What it states.
    pub payload: Value,
}

/// Reads a token without verifying it; `None` where it is none.
#[must_use]
pub fn contents(token: &Secret) -> Option<TokenContents> {
    let mut parts = token.expose().split('.');
    let mut part = || serde_json::from_slice::<Value>(&from_base64url(parts.next()?)?).ok();
    let (header, payload) = (part()?, part()?);
    let algorithm = Algorithm::named(header["alg"].as_str()?);
    payload.is_object().then_some(TokenContents { algorithm, payload })
}

/// Writes the text of a token that is signed: header and claims.
#[must_use]
pub fn text(algorithm: Algorithm, payload: &Value) -> String {
    text_of(algorithm.name(), payload)
}

/// Puts text and signature together.
#[must_use]
pub fn signed(text: &str, signature: &[u8]) -> Secret {
    Secret::new(format!("{text}.{}", base64url(signature)))
}

/// Makes a token with a shared key; `None` for an algorithm that has a key pair.
#[must_use]
pub fn with_shared_key(algorithm: Algorithm, key: &[u8], payload: &Value) -> Option<Secret> {
    let text = text(algorithm, payload);
    Some(signed(&text, &signature(algorithm, key, text.as_bytes())?))
}

/// Makes the tokens that say of themselves that they are not signed.
#[must_use]
pub fn unsigned(payload: &Value) -> Vec<Secret> {
    ["none", "None", "NONE"].iter().map(|name| Secret::new(format!("{}.", text_of(name, payload)))).collect()
}

/// Changes what a token states and leaves its signature; `None` where it is no token.
#[must_use]
pub fn altered(token: &Secret) -> Option<Secret> {
    let mut payload = contents(token)?.payload;
    payload["stagegate"] = json!("altered");
    let (header, rest) = token.expose().split_once('.')?;
    let (_, signature) = rest.split_once('.')?;
    Some(Secret::new(format!("{header}.{}.{signature}", base64url(payload.to_string().as_bytes()))))
}

/// Makes tokens whose shared key is the public key of the service: who believes their header verifies them with it.
///
/// `public` is the key as the service holds it, mostly PEM; it is tried with and without a last line end, with real line
/// ends in the place of `\n`, and as `der`.
#[must_use]
pub fn confused(public: &Secret, der: Option<&[u8]>, payload: &Value) -> Vec<Secret> {
    let raw = public.expose();
    let lines = raw.replace("\\n", "\n");
    let trimmed = lines.trim_end();
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for key in [raw, lines.as_str(), trimmed, &format!("{trimmed}\n")] {
        keys.push(key.as_bytes().to_vec());
    }
    keys.extend(der.map(<[u8]>::to_vec));
    keys.sort();
    keys.dedup();
    keys.iter().filter_map(|key| with_shared_key(Algorithm::HS256, key, payload)).collect()
}

fn text_of(algorithm: &str, payload: &Value) -> String {
    let header = json!({ "alg": algorithm, "typ": "JWT" }).to_string();
    format!("{}.{}", base64url(header.as_bytes()), base64url(payload.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn claims() -> Claims {
        Claims { audience: Some("staging".to_owned()), more: Map::new() }
    }

    fn good() -> Secret {
        with_shared_key(Algorithm::HS256, b"key", &claims().good(NOW)).unwrap()
    }

    #[test]
    fn a_good_token_has_three_parts_and_a_time() {
        let good = good();
        let parts: Vec<&str> = good.expose().split('.').collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[0], base64url(br#"{"alg":"HS256","typ":"JWT"}"#));
        assert_eq!(parts[1], base64url(br#"{"aud":"staging","exp":1700000300,"iat":1700000000}"#));
        let want = signature(Algorithm::HS256, b"key", format!("{}.{}", parts[0], parts[1]).as_bytes());
        assert_eq!(parts[2], base64url(&want.unwrap()));
        assert_eq!(claims().expired(NOW)["exp"], NOW - 300);
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let want = TokenContents { algorithm: Some(Algorithm::HS256), payload: claims().good(NOW) };
        assert_eq!(contents(&good()), Some(want));
        for none in ["", "a.b.c", "opaque-session-of-the-owner", "e30.W10.x"] {
            assert_eq!(contents(&Secret::new(none)), None, "{none}");
        }
    }

    #[test]
    fn forged_tokens_are_not_the_good_one() {
        let (good, payload) = (good(), claims().good(NOW));
        let altered = altered(&good).unwrap();
        let (text, signature) = altered.expose().rsplit_once('.').unwrap();
        assert_eq!(good.expose().rsplit_once('.').unwrap().1, signature);
        assert_ne!(good.expose().rsplit_once('.').unwrap().0, text);
        assert_eq!(unsigned(&payload).len(), 3);
        assert!(unsigned(&payload).iter().all(|token| token.expose().ends_with('.')));
    }

    #[test]
    fn a_public_key_is_tried_as_a_secret_in_every_way_that_it_is_written() {
        let payload = claims().good(NOW);
        let key = Secret::new("-----BEGIN PUBLIC KEY-----\\nAA\\n-----END PUBLIC KEY-----\\n");
        let of = |key: &[u8]| with_shared_key(Algorithm::HS256, key, &payload).unwrap();
        let lines = "-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----";
        let tried = confused(&key, Some(b"der"), &payload);
        for want in [key.expose().as_bytes(), lines.as_bytes(), format!("{lines}\n").as_bytes(), b"der"] {
            assert!(tried.contains(&of(want)), "{}", String::from_utf8_lossy(want));
        }
        assert_eq!(tried.len(), 4);
    }
}
