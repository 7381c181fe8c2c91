//! Does a service's health path answer 2xx?

use std::sync::Arc;

use stagegate_base::{config::Service, container::Container, record::Outcome};
use stagegate_host::{
    error::with_causes,
    http::{Answer, Http, Request},
};

use super::{Wrong, each};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// How much of a wrong answer's body is shown, in characters.
const SHOWN: usize = 200;

pub(super) fn trial(service: &Service) -> Trial {
    let asked = service.clone();
    Trial::new("health", &service.name, "http", Effect::Reads, move |session| ask(session, asked.clone()))
}

async fn ask(session: Arc<Session>, service: Service) -> Outcome {
    let path = service.health.clone().unwrap_or_default();
    each(&session, &service.name, async |container| {
        let answer = get(&container, &service, &path).await?;
        Ok(format!("GET {path}: {} in {} ms", answer.status, answer.took.as_millis()))
    })
    .await
}

/// Gets a path from a container and refuses what is not 2xx; a redirect is no answer to "are you healthy?".
pub(super) async fn get(container: &Container, service: &Service, path: &str) -> Result<Answer, Wrong> {
    let port = service.port;
    let expected = format!("2xx for GET {path} at port {port}");
    let wrong = |found: String| Wrong { hint: hint(path), ..Wrong::new(&expected, found) };
    let http = Http::shared().map_err(|error| wrong(with_causes(&error)))?;
    let asked =
        http.send_first(&container.reach(port), &Request { headers: service.headers(), ..Request::get(path) }).await;
    let (_, answer) = asked.map_err(|error| wrong(with_causes(&error)))?;
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let body: String = answer.text().trim().chars().take(SHOWN).collect();
    let said = if body.is_empty() { String::new() } else { format!(", {body}") };
    let host = host_hint(service, answer.status);
    Err(Wrong { hint: host.or_else(|| hint(path)), ..wrong(format!("GET {path}: {}{said}", answer.status)) })
}

/// Names the key behind the refusals that a service makes which answers to its own names only.
// Source: Django (ALLOWED_HOSTS) and nginx answer 400, Rails' HostAuthorization 403, HTTP says 421.
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
