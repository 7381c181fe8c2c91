//! Which services are checked, and at which port and path.

use stagegate_base::{compose::Model, lifetime::Lifetime};

use super::{Facts, Kind, Service, health::http_of_healthcheck, migrators::is_migrator};

/// Ports of mail, files and shells, at which nothing speaks HTTP.
const NOT_HTTP: [u16; 13] = [21, 22, 25, 53, 110, 143, 389, 465, 587, 636, 993, 995, 2222];

/// Returns the services to check; states of the others why they are left out.
pub(super) fn services(facts: &Facts, left_out: &mut Vec<String>) -> Vec<Service> {
    let mut found = Vec::new();
    for name in facts.model.services() {
        if Lifetime::of_model(&facts.model, &name) != Lifetime::LongRunning || is_migrator(facts, &name) {
            continue;
        }
        let service = service(facts, &name);
        let unsure = facts.exposed.get(&name).filter(|ports| service.port.is_none() && ports.len() == 1);
        match (service.port, unsure) {
            (Some(_), _) => found.push(service),
            (None, Some(ports)) => left_out.push(format!(
                "service `{name}`: its image exposes port {}, but the service starts another program; it is watched (it must run \
                 and not restart); add `[services.{name}]` with its port if it listens",
                ports[0]
            )),
            (None, None) => left_out.push(format!(
                "service `{name}`: no port in the compose files or its image; it is watched (it must run and not \
                 restart), and nothing is sent to it"
            )),
        }
    }
    found
}

/// Returns the services that may speak HTTP, with the port at which they would.
#[must_use]
pub fn ports(facts: &Facts) -> Vec<(String, u16)> {
    let all = services(facts, &mut Vec::new());
    all.into_iter()
        .filter(|service| service.kind == Kind::Other)
        .filter_map(|service| service.port.map(|port| (service.name, port)))
        .collect()
}

fn service(facts: &Facts, name: &str) -> Service {
    let model = &facts.model;
    let image =
        if model.is_built(name) { "built from its Dockerfile".to_owned() } else { model.image(name).to_owned() };
    let mut service = Service {
        name: name.to_owned(),
        kind: kind(model, name),
        image,
        port: None,
        source: String::new(),
        health: None,
        health_source: "",
        contract: None,
    };
    match service.kind {
        Kind::Postgres => service.port = Some(5432),
        Kind::Redis => service.port = Some(6379),
        Kind::Other => {
            let checked = http_of_healthcheck(model, name);
            (service.port, service.source) = port(facts, name, checked.as_ref().map(|(port, _)| *port));
            let responses = facts.responses.get(name);
            let responded = responses.and_then(|responses| responses.health.clone());
            (service.health, service.health_source) = match (responded, checked) {
                (Some(path), _) => (Some(path), "returned 2xx just now"),
                (None, Some((_, Some(path)))) if responses.is_none() => (Some(path), "from its healthcheck"),
                _ => (None, ""),
            };
            let answered = facts.answers.health.iter().find(|(service, _)| service == name);
            if let Some((_, path)) = answered {
                (service.health, service.health_source) = (Some(path.clone()), "as entered");
            }
            service.contract = responses.and_then(|responses| responses.contract.clone());
        }
    }
    service
}

/// Returns the port inside the container, and where it is known from.
fn port(facts: &Facts, name: &str, checked: Option<u16>) -> (Option<u16>, String) {
    let published = http_first(targets(&facts.model, name, "ports"));
    let exposed = http_first(targets(&facts.model, name, "expose"));
    let of_image =
        facts.exposed.get(name).filter(|_| starts_its_image(&facts.model, name)).cloned().unwrap_or_default();
    let others = |all: &[u16]| {
        let rest: Vec<String> = all.iter().skip(1).map(ToString::to_string).collect();
        if rest.is_empty() { String::new() } else { format!("; also {}", rest.join(", ")) }
    };
    match (checked, published.as_slice(), exposed.as_slice(), of_image.as_slice()) {
        (Some(port), ..) => (Some(port), "its healthcheck's".to_owned()),
        (None, [port, ..], ..) => (Some(*port), format!("published{}", others(&published))),
        (None, [], [port, ..], _) => (Some(*port), format!("exposed{}", others(&exposed))),
        (None, [], [], [port]) => (Some(*port), "exposed by its image".to_owned()),
        _ => (None, String::new()),
    }
}

/// Puts ports of other protocols last: a service with a port for mail and one for browsers is checked at the latter.
fn http_first(ports: Vec<u16>) -> Vec<u16> {
    let (others, http): (Vec<u16>, Vec<u16>) = ports.into_iter().partition(|port| NOT_HTTP.contains(port));
    [http, others].concat()
}

/// Returns whether a service starts what its image starts. A worker of the same image, with a command of its own, does not listen
/// at the port that the image exposes.
fn starts_its_image(model: &Model, name: &str) -> bool {
    let service = &model.json()["services"][name];
    let first = |key: &str| service[key].as_array().and_then(|words| words.first()?.as_str());
    let is_option = |word: &str| word.starts_with('-');
    first("entrypoint").is_none() && first("command").is_none_or(is_option) && !model.is_data_client(name)
}

/// Returns the TCP ports of `ports` or `expose` of a service, in the order of the files.
fn targets(model: &Model, name: &str, key: &str) -> Vec<u16> {
    let entries = model.json()["services"][name][key].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for entry in entries {
        let is_tcp = entry["protocol"].as_str().is_none_or(|protocol| protocol == "tcp");
        let text = entry.as_str().map(|text| text.trim_end_matches("/tcp").to_owned());
        let number = entry["target"].as_u64().or_else(|| entry.as_u64()).or_else(|| text?.parse().ok());
        if let Some(port) =
            number.and_then(|port| u16::try_from(port).ok()).filter(|port| is_tcp && !found.contains(port))
        {
            found.push(port);
        }
    }
    found
}

fn kind(model: &Model, name: &str) -> Kind {
    // Services that back up or prepare a database often have its image.
    if model.is_data_client(name) {
        return Kind::Other;
    }
    let image = model.image(name);
    let repository = image.rsplit('/').next().unwrap_or_default();
    let repository = repository.split([':', '@']).next().unwrap_or_default();
    let is = |names: &[&str]| names.contains(&repository);
    let has_data = model.json()["services"][name]["volumes"].as_array().is_some_and(|volumes| {
        let target = |volume: &serde_json::Value| volume["target"].as_str().unwrap_or_default().to_owned();
        volumes.iter().any(|volume| target(volume).starts_with("/var/lib/postgresql"))
    });
    let has_variables = ["POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE", "POSTGRES_HOST_AUTH_METHOD"]
        .iter()
        .any(|variable| model.variable(name, variable).is_some());
    if is(&["postgres", "postgresql", "postgis", "pgvector", "timescaledb", "timescaledb-ha"])
        || (has_data && has_variables)
    {
        Kind::Postgres
    } else if is(&["redis", "valkey", "keydb", "dragonfly"])
        || (repository.starts_with("redis") && targets(model, name, "ports").contains(&6379))
    {
        Kind::Redis
    } else {
        Kind::Other
    }
}
