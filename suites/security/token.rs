//! Does a service refuse tokens that are not signed, signed by others, too old, or of another environment?
//!
//! A good token is tried first: where that is refused too, a refusal proves nothing.

use std::sync::Arc;

use stagegate_act::clock;
use stagegate_decide::{
    compose::Model,
    config::{Config, EPHEMERAL, Jwt, Service},
    contract::Document,
    record::{Finding, Outcome, Severity},
    redact::Secret,
    security::{self, Forged, Secured, Token},
};

use super::{authorization::status, judged};
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
    Forged(Forged),
    OtherEnvironment,
}

/// Lists a trial for each kind of token that must be refused; one that says why, where none can be made.
pub(super) fn trials(config: &Config, service: &Service, document: &Document) -> Vec<Trial> {
    let Some(operation) = security::secured(document).into_iter().find(|operation| operation.method.is_safe()) else {
        return Vec::new();
    };
    let service = service.clone();
    let Some(jwt) = config.security.jwt.get(&service.name).cloned() else {
        return vec![unknown(&service.name)];
    };
    // Without an audience a token is only told apart by its key, which another machine may hold.
    let other = if jwt.audience_variable.is_some() { Severity::Required } else { Severity::Warning };
    let case = Case { service, jwt, operation };
    vec![
        trial(&case, "token_unsigned", Sent::Forged(Forged::None)),
        trial(&case, "token_of_wrong_key", Sent::Forged(Forged::WrongKey)),
        trial(&case, "token_expired", Sent::Forged(Forged::Expired)),
        trial(&case, "token_of_other_environment", Sent::OtherEnvironment).weighing(other),
    ]
}

fn unknown(service: &str) -> Trial {
    let reason = format!(
        "no token can be made: name the variable with the signing key in [security.jwt.{service}] of stagegate.toml"
    );
    let ask = move |_| std::future::ready(Outcome::Skip(reason.clone()));
    Trial::new("security", service, "tokens", Effect::Reads, ask).weighing(Severity::Info)
}

fn trial(case: &Case, question: &str, sent: Sent) -> Trial {
    let (name, case) = (case.service.name.clone(), case.clone());
    Trial::new("security", &name, question, Effect::Reads, move |session| {
        let case = case.clone();
        async move { ask(&session, &case, sent).await.unwrap_or_else(|outcome| outcome) }
    })
}

async fn ask(session: &Arc<Session>, case: &Case, sent: Sent) -> Result<Outcome, Outcome> {
    let now = clock::unix_seconds();
    let own = own(session, case)?;
    let operation = format!("{} {}", case.operation.method, case.operation.path);
    let good = answered(session, case, &own.good(now)).await?;
    if security::refused(good) {
        return Err(Outcome::Broken(format!(
            "a good token is refused with {good} ({operation}), so that other refusals prove nothing; see [security.jwt.{}]",
            case.service.name
        )));
    }
    let tokens = match sent {
        Sent::Forged(forged) => {
            own.forged(forged, now).into_iter().map(|token| (what(forged).to_owned(), token)).collect()
        }
        Sent::OtherEnvironment => elsewhere(session, case, &own, now).await,
    };
    if tokens.is_empty() {
        return Err(Outcome::Skip(
            "no other environment's key is on this machine, and tokens have no `aud`".to_owned(),
        ));
    }
    let mut findings = Vec::new();
    for (what, token) in &tokens {
        let status = answered(session, case, token).await?;
        if !security::refused(status) {
            let at = format!("{} {operation}", case.service.name);
            let found = format!("{status} to a token {what}");
            findings.push(Finding { at, expected: "401 or 403".to_owned(), found });
        }
    }
    let sound = format!("{} refused at {operation}; a good one is let in ({good})", tokens.len());
    Ok(judged("a token that must be refused lets in", findings, sound, HINT))
}

fn what(forged: Forged) -> &'static str {
    match forged {
        Forged::None => "that is not signed (`alg: none`)",
        Forged::WrongKey => "signed with another key",
        Forged::Expired => "whose time is over",
    }
}

fn own(session: &Session, case: &Case) -> Result<Token, Outcome> {
    of_model(&session.project.model, case).ok_or_else(|| {
        let Case { service, jwt, .. } = case;
        Outcome::Broken(format!(
            "service `{}` has no variable {}, which [security.jwt.{}] names",
            service.name, jwt.key_variable, service.name
        ))
    })
}

fn of_model(model: &Model, case: &Case) -> Option<Token> {
    let Case { service, jwt, .. } = case;
    let key = model.variable(&service.name, &jwt.key_variable)?;
    let audience = jwt.audience_variable.as_ref().and_then(|variable| model.variable(&service.name, variable));
    Some(Token::new(jwt, key, audience.map(|audience| audience.expose().to_owned())))
}

/// Makes the tokens that other environments would give, and one of this environment's key for nobody.
async fn elsewhere(session: &Session, case: &Case, own: &Token, now: i64) -> Vec<(String, Secret)> {
    let mut tokens = Vec::new();
    for (name, model) in session.files().await.others() {
        if name != EPHEMERAL
            && let Some(token) = of_model(model, case)
        {
            tokens.push((format!("of `{name}`"), token.good(now)));
        }
    }
    if own.audience.is_some() {
        let other = Token { audience: Some(ELSEWHERE.to_owned()), ..own.clone() };
        tokens.push((format!("for `{ELSEWHERE}`"), other.good(now)));
    }
    tokens
}

async fn answered(session: &Session, case: &Case, token: &Secret) -> Result<u16, Outcome> {
    status(session, &case.service, &case.operation, Some(token.expose())).await.map_err(Outcome::Broken)
}
