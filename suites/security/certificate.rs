//! Is a service's certificate good for its name, now and for some time to come?

use std::{path::PathBuf, sync::Arc};

use stagegate_base::{
    config::Tls,
    record::{Outcome, Severity},
};
use stagegate_host::{clock, error::with_causes};
use stagegate_policy_act::tls::{self, PresentedCertificate};
use stagegate_policy_decide::security::{self, Certificate};

use super::outcome;
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const RENEW: &str = "renew the certificate and reload the server";

pub(super) fn trial(service: &str, tls: &Tls) -> Trial {
    let (name, tls) = (service.to_owned(), tls.clone());
    Trial::new("security", service, "certificate", Effect::Reads, move |session| {
        valid(session, name.clone(), tls.clone())
    })
}

/// Asks how long the certificate is still good.
pub(super) fn expiry(service: &str, tls: &Tls) -> Trial {
    let (name, tls) = (service.to_owned(), tls.clone());
    let ask = move |session| lasting(session, name.clone(), tls.clone());
    Trial::new("security", service, "certificate_expiry", Effect::Reads, ask).with_severity(Severity::Warning)
}

async fn valid(session: Arc<Session>, service: String, tls: Tls) -> Outcome {
    match presented_certificate(&session, &service, &tls).await {
        Ok((host, shown, certificate)) => {
            let finding = security::certificate(&service, &host, &shown.trust, &certificate, clock::unix_seconds());
            let passed = format!("valid for `{host}` until {}", certificate.last_day);
            outcome("clients reject the certificate", finding.into_iter().collect(), passed, RENEW)
        }
        Err(outcome) => outcome,
    }
}

async fn lasting(session: Arc<Session>, service: String, tls: Tls) -> Outcome {
    let days = session.project.config.security.certificate_days;
    match presented_certificate(&session, &service, &tls).await {
        Ok((_, _, certificate)) => {
            let finding = security::expiry(&service, &certificate, days, clock::unix_seconds());
            let passed = format!("valid until {}", certificate.last_day);
            outcome("the certificate expires soon", finding.into_iter().collect(), passed, RENEW)
        }
        Err(outcome) => outcome,
    }
}

/// Returns the host name that is asked for, what the service shows, and its certificate.
pub(super) async fn presented_certificate(
    session: &Session,
    service: &str,
    tls: &Tls,
) -> Result<(String, PresentedCertificate, Certificate), Outcome> {
    let variable = tls.name_variable.as_ref().and_then(|key| session.project.model.variable(service, key));
    let host = variable.map(|value| value.expose().to_owned()).or_else(|| tls.name.clone()).ok_or_else(|| {
        Outcome::Broken(format!("[security.tls.{service}] has no host name: add `name` or `name_variable`"))
    })?;
    let containers = session.containers(service).await.map_err(|error| Outcome::Broken(with_causes(&error)))?;
    let addresses = containers.iter().flat_map(|container| container.reach(tls.port)).collect::<Vec<_>>();
    let Some(address) = addresses.first() else {
        return Err(Outcome::fail(format!("service `{service}` has no running container with port {}", tls.port)));
    };
    let ca: Option<PathBuf> = tls.ca.as_ref().map(|path| session.project.config.root().join(path));
    match tls::fetch(*address, &host, ca.as_deref()).await {
        Ok(shown) => match Certificate::parse(&shown.certificate) {
            Ok(certificate) => Ok((host, shown, certificate)),
            Err(error) => Err(Outcome::fail(format!("service `{service}`: {error}"))),
        },
        Err(error @ (tls::TlsError::Handshake { .. } | tls::TlsError::TooSlow { .. })) => {
            Err(Outcome::fail(format!("service `{service}`: {}", with_causes(&error))))
        }
        Err(error) => Err(Outcome::Broken(with_causes(&error))),
    }
}
