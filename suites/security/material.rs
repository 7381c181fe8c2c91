//! What tokens of a service are made of: a key of the resolved files, or a token that the service's login gave.

use stagegate_base::{
    compose::Model,
    config::{Algorithm, Jwt, Service},
    record::Outcome,
    redact::Secret,
};
use stagegate_policy_act::token::{KeyError, Pair, unwrapped};
use stagegate_policy_decide::security::token::{self, Claims};

use crate::{session::Session, token::of as token_of};

/// How a service's tokens are signed, and by what.
pub(super) struct Material {
    pub(super) algorithm: Algorithm,
    /// `None` where nobody here has the key.
    pub(super) key: Option<Key>,
    pub(super) claims: Claims,
    /// A token that the service gave.
    pub(super) real: Option<Secret>,
    /// The public key as the service holds it, and its DER.
    pub(super) public: Option<(Secret, Option<Vec<u8>>)>,
}

/// What signs.
pub(super) enum Key {
    Shared(Secret),
    Pair(Box<Pair>),
}

impl Key {
    /// Makes a token of claims.
    pub(super) fn token(&self, algorithm: Algorithm, payload: &serde_json::Value) -> Result<Secret, String> {
        match self {
            Key::Shared(key) => token::with_shared_key(algorithm, key.expose().as_bytes(), payload)
                .ok_or_else(|| format!("{} has no shared key", algorithm.name())),
            Key::Pair(pair) => by_pair(pair, algorithm, payload).map_err(|error| error.to_string()),
        }
    }
}

/// Makes a token that a key pair signs.
pub(super) fn by_pair(pair: &Pair, algorithm: Algorithm, payload: &serde_json::Value) -> Result<Secret, KeyError> {
    let text = token::text(algorithm, payload);
    Ok(token::signed(&text, &pair.sign(text.as_bytes())?))
}

impl Material {
    /// Finds what this environment's tokens are made of. A login is done only where nothing else tells enough.
    pub(super) async fn of(session: &Session, service: &Service, jwt: &Jwt) -> Result<Self, Outcome> {
        let knows_enough = jwt.can_sign() && (jwt.algorithm.is_some() || service.token.is_none());
        let real = match &service.token {
            Some(source) if !knows_enough => Some(token_of(session, service, source).await.map_err(Outcome::Broken)?),
            _ => None,
        };
        let algorithm = algorithm(service, jwt, real.as_ref())?;
        let model = &session.project.model;
        let key = key(model, service, jwt, algorithm, &|name| std::env::var(name).ok())?;
        let real = if key.is_some() { None } else { real };
        let public = public(model, service, jwt, algorithm, key.as_ref());
        Ok(Material { algorithm, key, claims: claims(model, service, jwt), real, public })
    }

    /// Finds the key and claims of another environment; `None` where its files have none.
    pub(super) fn of_other(model: &Model, service: &Service, jwt: &Jwt, algorithm: Algorithm) -> Option<(Key, Claims)> {
        // A variable of this process is this environment's.
        let key = key(model, service, jwt, algorithm, &|_| None).ok()??;
        Some((key, claims(model, service, jwt)))
    }

    /// Makes a token that the service takes at `now`: signed here, else the real one.
    pub(super) fn good(&self, now: i64) -> Result<Secret, Outcome> {
        match (&self.key, &self.real) {
            (Some(key), _) => key.token(self.algorithm, &self.claims.good(now)).map_err(Outcome::Broken),
            (None, Some(real)) => Ok(real.clone()),
            (None, None) => Err(Outcome::Broken("no key and no token is configured".to_owned())),
        }
    }

    /// Returns what a forged token states at `now`: what a good one states.
    pub(super) fn payload(&self, now: i64) -> serde_json::Value {
        let real = self.real.as_ref().and_then(token::contents);
        real.map_or_else(|| self.claims.good(now), |shown| shown.payload)
    }
}

/// Reports how tokens are signed: as the configuration states, else as a real one does.
fn algorithm(service: &Service, jwt: &Jwt, real: Option<&Secret>) -> Result<Algorithm, Outcome> {
    if let Some(algorithm) = jwt.algorithm {
        return Ok(algorithm);
    }
    let Some(real) = real else { return Ok(Algorithm::HS256) };
    let name = &service.name;
    match token::contents(real) {
        Some(shown) => shown.algorithm.ok_or_else(|| {
            Outcome::Broken(format!(
                "the token of service `{name}` uses an unsupported signature algorithm; see [security.jwt.{name}]"
            ))
        }),
        None => Err(Outcome::Broken(format!(
            "the token of service `{name}` is not a JWT, so none can be forged; remove [security.jwt.{name}]"
        ))),
    }
}

/// Finds the key that signs; `own` reads a variable of this process.
fn key(
    model: &Model,
    service: &Service,
    jwt: &Jwt,
    algorithm: Algorithm,
    own: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Key>, Outcome> {
    let lacks = |key: &str| {
        let name = &service.name;
        Outcome::Broken(format!("service `{name}` has no variable {key}, which [security.jwt.{name}] names"))
    };
    if algorithm.is_shared() {
        let Some(name) = &jwt.key_variable else { return Ok(None) };
        return model.variable(&service.name, name).map(|key| Some(Key::Shared(key))).ok_or_else(|| lacks(name));
    }
    let Some(name) = &jwt.signing_key_variable else { return Ok(None) };
    let set = own(name).filter(|value| !value.is_empty()).map(Secret::new);
    // Who signs is often another service than who verifies.
    let of_services = || model.services().iter().find_map(|service| model.variable(service, name));
    let pem = set.or_else(|| model.variable(&service.name, name)).or_else(of_services).ok_or_else(|| {
        Outcome::Broken(format!(
            "variable {name}, which [security.jwt.{}] names, is set neither in this process nor in a service",
            service.name
        ))
    })?;
    let pair = Pair::read(algorithm, pem.expose());
    let pair = pair.map_err(|error| Outcome::Broken(format!("the key of variable {name} cannot be used: {error}")))?;
    Ok(Some(Key::Pair(Box::new(pair))))
}

/// Finds the public key: the one that the service holds, else that of the pair.
fn public(
    model: &Model,
    service: &Service,
    jwt: &Jwt,
    algorithm: Algorithm,
    key: Option<&Key>,
) -> Option<(Secret, Option<Vec<u8>>)> {
    if algorithm.is_shared() {
        return None;
    }
    let held = jwt.key_variable.as_ref().and_then(|name| model.variable(&service.name, name));
    let of_pair = || match key {
        Some(Key::Pair(pair)) => Some(pair.public()),
        _ => None,
    };
    match held {
        Some(held) => Some((held.clone(), unwrapped(held.expose()).map(|(_, der)| der))),
        None => of_pair().map(|(pem, der)| (Secret::new(pem), Some(der))),
    }
}

fn claims(model: &Model, service: &Service, jwt: &Jwt) -> Claims {
    let audience = jwt.audience_variable.as_ref().and_then(|variable| model.variable(&service.name, variable));
    Claims { audience: audience.map(|audience| audience.expose().to_owned()), more: jwt.claims.clone() }
}
