//! `[security]`: what the suite security cannot know by itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How long before its end a certificate should have been renewed, where nothing is said.
const CERTIFICATE_DAYS: u32 = 21;
const HEADERS: [&str; 3] = ["content-security-policy", "x-content-type-options", "x-frame-options"];

/// What the suite security asks for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Security {
    /// The services whose answers reach browsers; those that publish a port where `None`.
    pub front: Option<Vec<String>>,
    /// Headers that their answers must have, in lower case.
    pub headers: Vec<String>,
    /// A certificate that ends within this number of days is told.
    pub certificate_days: u32,
    /// Tokens, by the service that takes them.
    pub jwt: BTreeMap<String, Jwt>,
    /// Certificates, by the service that shows them.
    pub tls: BTreeMap<String, Tls>,
}

/// The tokens that a service takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Jwt {
    /// The variable of the service that holds the signing key.
    pub key_variable: String,
    /// How tokens are signed.
    pub algorithm: Algorithm,
    /// The variable of the service whose value is the tokens' `aud`.
    pub audience_variable: Option<String>,
    /// Further claims that a good token has.
    pub claims: Map<String, Value>,
}

/// How a token is signed.
// Source: RFC 7518, section 3.2. Those with a key pair are left out: their signing key is nothing that a stack holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names of RFC 7518 say it")]
pub enum Algorithm {
    #[default]
    HS256,
    HS384,
    HS512,
}

impl Algorithm {
    /// Returns the name that stands in a token's header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::HS256 => "HS256",
            Algorithm::HS384 => "HS384",
            Algorithm::HS512 => "HS512",
        }
    }
}

/// A service that speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tls {
    /// The port inside the container.
    pub port: u16,
    /// The host name that the certificate has to be good for.
    pub name: Option<String>,
    /// The variable of the service that holds that name, where environments differ in it.
    pub name_variable: Option<String>,
    /// A PEM file with certificate authorities to trust beside the machine's, relative to stagegate.toml.
    pub ca: Option<std::path::PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSecurity {
    front: Option<Vec<String>>,
    headers: Option<Vec<String>>,
    certificate_days: Option<u32>,
    #[serde(default)]
    jwt: BTreeMap<String, RawJwt>,
    #[serde(default)]
    tls: BTreeMap<String, RawTls>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJwt {
    key_variable: String,
    #[serde(default)]
    algorithm: Algorithm,
    audience_variable: Option<String>,
    #[serde(default)]
    claims: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTls {
    port: Option<u16>,
    name: Option<String>,
    name_variable: Option<String>,
    ca: Option<std::path::PathBuf>,
}

impl RawSecurity {
    pub(super) fn read(self) -> Security {
        let headers = self.headers.unwrap_or_else(|| HEADERS.map(str::to_owned).to_vec());
        let jwt = |raw: RawJwt| Jwt {
            key_variable: raw.key_variable,
            algorithm: raw.algorithm,
            audience_variable: raw.audience_variable,
            claims: raw.claims,
        };
        let tls = |raw: RawTls| Tls {
            port: raw.port.unwrap_or(443),
            name: raw.name,
            name_variable: raw.name_variable,
            ca: raw.ca,
        };
        Security {
            front: self.front,
            headers: headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
            certificate_days: self.certificate_days.unwrap_or(CERTIFICATE_DAYS),
            jwt: self.jwt.into_iter().map(|(service, raw)| (service, jwt(raw))).collect(),
            tls: self.tls.into_iter().map(|(service, raw)| (service, tls(raw))).collect(),
        }
    }
}
