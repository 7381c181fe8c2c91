//! `[security]`: what the suite security cannot know by itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use toml::Spanned;

use super::{Algorithm, ConfigError, Service, port::Port};

/// How long before its end a certificate should have been renewed, where nothing is said.
const CERTIFICATE_DAYS: u32 = 21;
const HEADERS: [&str; 3] = ["content-security-policy", "x-content-type-options", "x-frame-options"];

/// What the suite security asks for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Security {
    /// The services whose answers reach browsers; those that publish a port where `None`.
    pub front: Option<Vec<String>>,
    /// Headers that their responses must have, in lower case.
    pub headers: Vec<String>,
    /// A certificate that ends within this number of days is reported.
    pub certificate_days: u32,
    /// Tokens, by the service that takes them.
    pub jwt: BTreeMap<String, Jwt>,
    /// Certificates, by the service that shows them.
    pub tls: BTreeMap<String, Tls>,
}

/// The tokens that a service takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Jwt {
    /// The variable of the service that holds the key it verifies with: the shared one, or the public one in PEM.
    pub key_variable: Option<String>,
    /// The variable that holds the private key in PEM: of this process, else of a service of the stack.
    pub signing_key_variable: Option<String>,
    /// How tokens are signed; where `None`, as the service's own token states, and HS256 where it has none.
    pub algorithm: Option<Algorithm>,
    /// The variable of the service whose value is the tokens' `aud`.
    pub audience_variable: Option<String>,
    /// Further claims that a good token has.
    pub claims: Map<String, Value>,
}

impl Jwt {
    /// Returns whether tokens can be signed here as the service's issuer signs them.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        let is_shared = self.algorithm.is_none_or(Algorithm::is_shared);
        self.signing_key_variable.is_some() || (is_shared && self.key_variable.is_some())
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
    /// A PEM file with certificate authorities to trust next to the machine's, relative to stagegate.toml.
    pub ca: Option<std::path::PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSecurity {
    front: Option<Vec<String>>,
    headers: Option<Vec<String>>,
    certificate_days: Option<u32>,
    #[serde(default)]
    jwt: BTreeMap<String, Spanned<RawJwt>>,
    #[serde(default)]
    tls: BTreeMap<String, RawTls>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJwt {
    key_variable: Option<String>,
    signing_key_variable: Option<String>,
    algorithm: Option<Algorithm>,
    audience_variable: Option<String>,
    #[serde(default)]
    claims: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTls {
    port: Option<Port>,
    name: Option<String>,
    name_variable: Option<String>,
    ca: Option<std::path::PathBuf>,
}

impl RawSecurity {
    /// Reads the table; `error` makes one of a place, a message and what to do.
    pub(super) fn read(
        self,
        services: &BTreeMap<String, Service>,
        error: impl Fn(usize, String, &str) -> ConfigError,
    ) -> Result<Security, ConfigError> {
        let headers = self.headers.unwrap_or_else(|| HEADERS.map(str::to_owned).to_vec());
        let tls = |raw: RawTls| Tls {
            port: raw.port.map_or(443, |Port(port)| port),
            name: raw.name,
            name_variable: raw.name_variable,
            ca: raw.ca,
        };
        let mut jwt = BTreeMap::new();
        for (service, raw) in self.jwt {
            let has_token = services.get(&service).is_some_and(|service| service.token.is_some());
            let at = raw.span().start;
            let read = raw.into_inner().read(has_token);
            let read =
                read.map_err(|(message, hint)| error(at, format!("[security.jwt.{service}]: {message}"), hint))?;
            jwt.insert(service, read);
        }
        Ok(Security {
            front: self.front,
            headers: headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
            certificate_days: self.certificate_days.unwrap_or(CERTIFICATE_DAYS),
            jwt,
            tls: self.tls.into_iter().map(|(service, raw)| (service, tls(raw))).collect(),
        })
    }
}

impl RawJwt {
    /// Refuses what no token can be made of; `has_token` where the service has one of a variable or login.
    fn read(self, has_token: bool) -> Result<Jwt, (String, &'static str)> {
        let jwt = Jwt {
            key_variable: self.key_variable,
            signing_key_variable: self.signing_key_variable,
            algorithm: self.algorithm,
            audience_variable: self.audience_variable,
            claims: self.claims,
        };
        if jwt.algorithm.is_some_and(Algorithm::is_shared) && jwt.signing_key_variable.is_some() {
            let message =
                "`signing_key_variable` does not apply to a shared key, which both signs and verifies".to_owned();
            return Err((
                message,
                "name the key in `key_variable`, or an algorithm with a key pair, such as \"RS256\"",
            ));
        }
        if jwt.signing_key_variable.is_some() && jwt.algorithm.is_none() && !has_token {
            let message = "`signing_key_variable` is set and `algorithm` is not".to_owned();
            return Err((message, "add algorithm = \"RS256\", or the algorithm of your tokens"));
        }
        if !has_token && !jwt.can_sign() {
            let message = "no token can be created, and none is configured".to_owned();
            let hint = "set `key_variable` (a shared key) or `signing_key_variable` (a private one) here, or \
                        `token_login` of the service";
            return Err((message, hint));
        }
        Ok(jwt)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::config::Config;

    fn parsed(jwt: &str, service: &str) -> Result<Jwt, String> {
        let text = format!("[project]\nname = \"a\"\n[services.api]\nport = 80\n{service}[security.jwt.api]\n{jwt}");
        let config = Config::parse(std::path::Path::new("/srv/stagegate.toml"), &text);
        config.map(|config| config.security.jwt["api"].clone()).map_err(|error| error.to_string())
    }

    #[rstest]
    #[case::shared("key_variable = \"K\"\n", "", true)]
    #[case::pair("signing_key_variable = \"P\"\nalgorithm = \"RS256\"\n", "", true)]
    #[case::public("key_variable = \"K\"\nalgorithm = \"ES256\"\n", "token_login = \"owner.token\"\n", false)]
    #[case::token("", "token_variable = \"TOKEN\"\n", false)]
    fn tokens_are_made_or_given(#[case] jwt: &str, #[case] service: &str, #[case] can_sign: bool) {
        assert_eq!(parsed(jwt, service).map(|jwt| jwt.can_sign()), Ok(can_sign));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::public_alone("key_variable = \"K\"\nalgorithm = \"RS256\"\n")]
    #[case::no_algorithm("signing_key_variable = \"P\"\n")]
    #[case::shared_pair("signing_key_variable = \"P\"\nalgorithm = \"HS256\"\n")]
    #[case::unknown_algorithm("key_variable = \"K\"\nalgorithm = \"none\"\n")]
    fn what_gives_no_token_is_refused_with_its_line(#[case] jwt: &str) {
        let error = parsed(jwt, "").unwrap_err();
        assert!(error.starts_with("/srv/stagegate.toml:"), "{error}");
    }
}
