//! Does a service's health path answer 2xx?

use std::sync::Arc;

use stagegate_base::{config::Service, container::Container, record::Outcome};
use stagegate_host::{
    error::with_causes,
    http::{Http, HttpResponse, Request},
};

use super::{StateMismatch, each};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// How much of a wrong answer's body is shown, in characters.
const SHOWN: usize = 200;

pub(super) fn trial(service: &Service) -> Trial {
    let requested = service.clone();
    Trial::new("health", &service.name, "http", Effect::Reads, move |session| check(session, requested.clone()))
}

async fn check(session: Arc<Session>, service: Service) -> Outcome {
    let path = service.health.clone().unwrap_or_default();
    each(&session, &service.name, async |container| {
        let response = get(&container, &service, &path).await?;
        Ok(format!("GET {path}: {} in {} ms", response.status, response.took.as_millis()))
    })
    .await
}

/// Gets a path from a container and refuses what is not 2xx; a redirect is no answer to "are you healthy?".
pub(super) async fn get(container: &Container, service: &Service, path: &str) -> Result<HttpResponse, StateMismatch> {
    let port = service.port;
    let expected = format!("2xx for GET {path} at port {port}");
    let wrong = |found: String| StateMismatch { hint: hint(path), ..StateMismatch::new(&expected, found) };
    let http = Http::shared().map_err(|error| wrong(with_causes(&error)))?;
    let requested =
        http.send_first(&container.reach(port), &Request { headers: service.headers(), ..Request::get(path) }).await;
    let (_, response) = requested.map_err(|error| wrong(with_causes(&error)))?;
    if (200..300).contains(&response.status) {
        return Ok(response);
    }
    let body: String = response.text().trim().chars().take(SHOWN).collect();
    let printed = if body.is_empty() { String::new() } else { format!(", {body}") };
    let host = host_hint(service, response.status);
    Err(StateMismatch {
        hint: host.or_else(|| hint(path)),
        ..wrong(format!("GET {path}: {}{printed}", response.status))
    })
}

/// Names the key behind the refusals that a service makes which responds to its own names only.
// Source: Django (ALLOWED_HOSTS) and nginx answer 400, Rails' HostAuthorization 403, HTTP states 421.
fn host_hint(service: &Service, status: u16) -> Option<String> {
    let by_address = service.host.is_none() && matches!(status, 400 | 403 | 421);
    by_address.then(|| {
        format!(
            "the Host header was an address; if the service accepts its own host names only, set `host = \"shop.example\"` \
             in [services.{}]",
            service.name
        )
    })
}

fn hint(path: &str) -> Option<String> {
    Some(format!("if the path is not {path}, or the port another one, change [services] in stagegate.toml"))
}
