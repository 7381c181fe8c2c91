//! Does a service refuse tokens that are not signed, signed by others or with its public key, too old, or of another
//! environment?
//!
//! A good token is tried first: where that is refused too, a refusal proves nothing.

use std::sync::Arc;

use stagegate_base::{
    config::{Algorithm, Config, EPHEMERAL, Jwt, Service},
    finding::Finding,
    record::{Outcome, Severity},
    redact::Secret,
};
use stagegate_contract::Document;
use stagegate_host::clock;
use stagegate_policy_act::token::Pair;
use stagegate_policy_decide::security::{
    self, Secured,
    token::{self, Claims},
};

use super::{
    authorization::status,
    material::{Material, by_pair},
    outcome,
};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str =
    "verify the signature with one fixed algorithm, then `exp`, then `aud`; give each environment its own key";
/// An audience that no environment has.
const ELSEWHERE: &str = "stagegate-elsewhere";

/// What is sent to which operation of which service.
#[derive(Clone)]
struct Case {
    service: Service,
    jwt: Jwt,
    operation: Secured,
}

/// What kind of token is sent.
#[derive(Clone, Copy)]
enum Sent {
    Unsigned,
    WrongKey,
    PublicKeyAsSecret,
    Expired,
    OtherEnvironment,
}

/// A token, and what is wrong with it.
type Forged = (String, Secret);

/// Lists a trial for each kind of token that must be refused; one that states why, where none can be made.
pub(super) fn trials(config: &Config, service: &Service, document: &Document) -> Vec<Trial> {
    let Some(operation) = security::secured(document).into_iter().find(|operation| operation.method.is_safe()) else {
        return Vec::new();
    };
    let service = service.clone();
    let Some(jwt) = config.security.jwt.get(&service.name).cloned() else {
        return vec![unknown(&service.name)];
    };
    // What cannot be made by the configuration's own words must not hold every release.
    let signed = if jwt.can_sign() { Severity::Required } else { Severity::Info };
    // Without an audience a token is only told apart by its key, which another machine may hold.
    let other = if jwt.audience_variable.is_some() { Severity::Required } else { Severity::Warning };
    let other = if jwt.can_sign() { other } else { Severity::Info };
    let is_pair = jwt.algorithm.map_or(service.token.is_some(), |algorithm| !algorithm.is_shared());
    let has_public = jwt.key_variable.is_some() || jwt.signing_key_variable.is_some();
    let confusion = if has_public { Severity::Required } else { Severity::Info };
    let case = Case { service, jwt, operation };
    let mut all = vec![
        trial(&case, "token_unsigned", Sent::Unsigned),
        trial(&case, "token_of_wrong_key", Sent::WrongKey),
        trial(&case, "token_expired", Sent::Expired).with_severity(signed),
        trial(&case, "token_of_other_environment", Sent::OtherEnvironment).with_severity(other),
    ];
    if is_pair {
        all.push(trial(&case, "token_key_confusion", Sent::PublicKeyAsSecret).with_severity(confusion));
    }
    all
}

fn unknown(service: &str) -> Trial {
    let reason = format!(
        "cannot create a token: name the variable with the signing key in [security.jwt.{service}] of stagegate.toml"
    );
    let ask = move |_| std::future::ready(Outcome::Skip(reason.clone()));
    Trial::new("security", service, "tokens", Effect::Reads, ask).with_severity(Severity::Info)
}

fn trial(case: &Case, question: &str, sent: Sent) -> Trial {
    let (name, case) = (case.service.name.clone(), case.clone());
    Trial::new("security", &name, question, Effect::Reads, move |session| {
        let case = case.clone();
        async move { send(&session, &case, sent).await.unwrap_or_else(|outcome| outcome) }
    })
}

async fn send(session: &Arc<Session>, case: &Case, sent: Sent) -> Result<Outcome, Outcome> {
    let now = clock::unix_seconds();
    let own = Material::of(session, &case.service, &case.jwt).await?;
    if matches!(sent, Sent::PublicKeyAsSecret) && own.algorithm.is_shared() {
        return Ok(Outcome::Pass(format!("tokens are signed with {}: there is no public key", own.algorithm.name())));
    }
    let operation = format!("{} {}", case.operation.method, case.operation.path);
    let real = own.good(now)?;
    let good = status_of(session, case, &real).await?;
    if security::refused(good) {
        return Err(Outcome::Broken(format!(
            "a valid token is refused with {good} ({operation}), so other refusals prove nothing; see [security.jwt.{}]",
            case.service.name
        )));
    }
    let tokens = match sent {
        Sent::Unsigned => named("that is not signed (`alg: none`)", token::unsigned(&own.payload(now))),
        Sent::WrongKey => of_wrong_key(&own, &real, now)?,
        Sent::PublicKeyAsSecret => confused(&own, case, now)?,
        Sent::Expired => expired(&own, case, now)?,
        Sent::OtherEnvironment => elsewhere(session, case, &own, now).await?,
    };
    let mut findings = Vec::new();
    for (what, token) in &tokens {
        let status = status_of(session, case, token).await?;
        if !security::refused(status) {
            let at = format!("{} {operation}", case.service.name);
            let found = format!("{status} for a token {what}");
            findings.push(Finding::differs(at, "401 or 403", found));
        }
    }
    let (count, name) = (tokens.len(), own.algorithm.name());
    let accepted = format!("{count} refused at {operation}; a valid one ({name}) is accepted ({good})");
    Ok(outcome("a token that must be refused is accepted", findings, accepted, HINT))
}

fn named(what: &str, tokens: Vec<Secret>) -> Vec<Forged> {
    tokens.into_iter().map(|token| (what.to_owned(), token)).collect()
}

/// Makes tokens of keys that are not the service's, and a good one that states something else.
fn of_wrong_key(own: &Material, good: &Secret, now: i64) -> Result<Vec<Forged>, Outcome> {
    const WHAT: &str = "signed with another key";
    let payload = own.payload(now);
    let mut all = if own.algorithm.is_shared() {
        let keys = [format!("not-{ELSEWHERE}"), String::new()];
        named(WHAT, keys.iter().filter_map(|key| shared(own.algorithm, key, &payload)).collect())
    } else {
        let signed = Pair::stranger(own.algorithm).and_then(|pair| by_pair(&pair, own.algorithm, &payload));
        named(WHAT, vec![signed.map_err(|error| Outcome::Broken(error.to_string()))?])
    };
    all.extend(named("whose claims were changed after it was signed", token::altered(good).into_iter().collect()));
    Ok(all)
}

fn shared(algorithm: Algorithm, key: &str, payload: &serde_json::Value) -> Option<Secret> {
    token::with_shared_key(algorithm, key.as_bytes(), payload)
}

fn confused(own: &Material, case: &Case, now: i64) -> Result<Vec<Forged>, Outcome> {
    let Some((public, der)) = &own.public else {
        return Err(Outcome::Skip(format!(
            "the public key is unknown: name the variable that holds it as `key_variable` of [security.jwt.{}]",
            case.service.name
        )));
    };
    let tokens = token::confused(public, der.as_deref(), &own.payload(now));
    Ok(named("signed with HS256 and the public key as its secret", tokens))
}

fn expired(own: &Material, case: &Case, now: i64) -> Result<Vec<Forged>, Outcome> {
    let Some(key) = &own.key else { return Err(unsigned_here("an expired token", own, case)) };
    let token = key.token(own.algorithm, &own.claims.expired(now)).map_err(Outcome::Broken)?;
    Ok(named("that is expired", vec![token]))
}

fn unsigned_here(what: &str, own: &Material, case: &Case) -> Outcome {
    let Case { service, jwt, .. } = case;
    // Before a token was seen, the key could as well have been a shared one: its severity is that of one.
    let more = match jwt.algorithm {
        None if jwt.can_sign() => format!(
            "; name it as `signing_key_variable` of [security.jwt.{}], or set algorithm = \"{}\" there if the key is elsewhere",
            service.name,
            own.algorithm.name()
        ),
        _ => String::new(),
    };
    Outcome::Skip(format!("cannot create {what}: the signing key is not on this machine{more}"))
}

/// Makes the tokens that other environments would give, and one of this environment's key for nobody.
async fn elsewhere(session: &Session, case: &Case, own: &Material, now: i64) -> Result<Vec<Forged>, Outcome> {
    let mut tokens = Vec::new();
    for (name, model) in session.files().await.others() {
        if name != EPHEMERAL
            && let Some((key, claims)) = Material::of_other(model, &case.service, &case.jwt, own.algorithm)
        {
            let token = key.token(own.algorithm, &claims.good(now)).map_err(Outcome::Broken)?;
            tokens.push((format!("of `{name}`"), token));
        }
    }
    if let (Some(key), Some(_)) = (&own.key, &own.claims.audience) {
        let other = Claims { audience: Some(ELSEWHERE.to_owned()), ..own.claims.clone() };
        let token = key.token(own.algorithm, &other.good(now)).map_err(Outcome::Broken)?;
        tokens.push((format!("for `{ELSEWHERE}`"), token));
    }
    match (tokens.is_empty(), &own.key) {
        (false, _) => Ok(tokens),
        (true, None) => Err(unsigned_here("a token of another environment", own, case)),
        (true, Some(_)) => {
            Err(Outcome::Skip("no other environment's key is on this machine, and tokens have no `aud`".to_owned()))
        }
    }
}

async fn status_of(session: &Session, case: &Case, token: &Secret) -> Result<u16, Outcome> {
    status(session, &case.service, &case.operation, Some(token.expose())).await.map_err(Outcome::Broken)
}
