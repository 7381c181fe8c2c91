//! How requests reach a service: its addresses, the token, and the mask of what must not be shown.

use std::net::SocketAddr;

use stagegate_base::{
    config::Service,
    record::Outcome,
    redact::{Mask, Secret},
};
use stagegate_contract::{ParameterLocation, Request};
use stagegate_host::{error::with_causes, http};

use crate::{session::Session, token};

/// A way to a service.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    pub(super) addresses: Vec<SocketAddr>,
    /// What every request carries.
    pub(super) headers: Vec<(String, String)>,
    pub(super) token: Option<Secret>,
    /// Masks of the environment's secrets, and of the token.
    pub(super) masks: Vec<Mask>,
}

impl Wire {
    /// Finds the way to a service of a session.
    pub(super) async fn of(session: &Session, service: &Service) -> Result<Self, String> {
        let addresses = session.addresses(service).await.map_err(|error| with_causes(&error))?;
        let token = match &service.token {
            None => None,
            Some(source) => Some(token::of(session, service, source).await?),
        };
        let own = Mask::new(token.clone());
        Ok(Wire { addresses, headers: service.headers(), token, masks: vec![session.runner.mask().clone(), own] })
    }

    /// Makes a contract's request one that can be sent, with the token where it needs one.
    pub(super) fn request(&self, base: &str, request: &Request) -> http::Request {
        let mut path = format!("{base}{}", request.target);
        let mut headers = self.headers.clone();
        headers.extend(request.headers.clone());
        if let Some((credential, token)) = request.credential.as_ref().zip(self.token.as_ref()) {
            let value = format!("{}{}", credential.prefix, token.expose());
            match credential.place {
                ParameterLocation::Query => {
                    let mark = if path.contains('?') { '&' } else { '?' };
                    path = format!("{path}{mark}{}={value}", credential.name);
                }
                ParameterLocation::Cookie => {
                    headers.push(("cookie".to_owned(), format!("{}={value}", credential.name)))
                }
                ParameterLocation::Header | ParameterLocation::Path => headers.push((credential.name.clone(), value)),
            }
        }
        http::Request { headers, body: request.body.clone(), ..http::Request::new(request.method.name(), &path) }
    }

    /// Masks all that an outcome tells.
    pub(super) fn masked(&self, outcome: Outcome) -> Outcome {
        let mask = |text: &str| self.masks.iter().fold(text.to_owned(), |text, mask| mask.apply(&text));
        match outcome {
            Outcome::Fail { message, mut findings, mut evidence, hint } => {
                findings.iter_mut().for_each(|finding| finding.found = mask(&finding.found));
                evidence.iter_mut().for_each(|evidence| evidence.text = mask(&evidence.text));
                Outcome::Fail { message: mask(&message), findings, evidence, hint }
            }
            Outcome::Pass(text) => Outcome::Pass(mask(&text)),
            Outcome::Skip(reason) => Outcome::Skip(mask(&reason)),
            Outcome::Broken(reason) => Outcome::Broken(mask(&reason)),
        }
    }
}
