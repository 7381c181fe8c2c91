//! Which services are checked, at which port and path, and which databases they serve.

use std::collections::BTreeSet;

use stagegate_base::{compose::Model, lifetime::Lifetime};

use super::{Database, Facts, Kind, Service};

/// Words in the name or command of a service that migrates a database and ends.
// `flask db upgrade` is Flask-Migrate's.
const MIGRATES: [&str; 10] =
    ["migrate", "migration", "alembic", "flask db upgrade", "flyway", "liquibase", "dbmate", "goose", "sqitch", "yoyo"];

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
                (None, Some((_, path))) if responses.is_none() => (Some(path), "from its healthcheck"),
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
    let published = targets(&facts.model, name, "ports");
    let exposed = targets(&facts.model, name, "expose");
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

/// Returns port and path of the HTTP request that a service's healthcheck sends to itself.
#[must_use]
pub fn http_of_healthcheck(model: &Model, name: &str) -> Option<(u16, String)> {
    if !model.has_healthcheck(name) {
        return None;
    }
    let test = model.json()["services"][name]["healthcheck"]["test"].as_array()?;
    let text = test.iter().filter_map(|part| part.as_str()).collect::<Vec<_>>().join(" ");
    let rest = text.split_once("http://")?.1;
    let url = rest.split(|c: char| c.is_whitespace() || "'\"`|;)&<>".contains(c)).next()?;
    let (authority, path) = url.split_once('/').map_or((url, ""), |(authority, path)| (authority, path));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, 80),
    };
    let is_itself = ["localhost", "127.0.0.1", "0.0.0.0", "[::1]"].contains(&host) || host == name;
    let path = path.split('#').next().unwrap_or_default();
    (is_itself && !url.contains('$')).then(|| (port, format!("/{path}")))
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

/// Returns the databases that hold the product's data.
pub(super) fn databases(facts: &Facts, services: &[Service], left_out: &mut Vec<String>) -> Vec<Database> {
    let servers: Vec<&Service> = services.iter().filter(|service| service.kind == Kind::Postgres).collect();
    let mut found = Vec::new();
    for server in &servers {
        let variable = |key: &str| facts.model.variable(&server.name, key).map(|value| value.expose().to_owned());
        let of_image =
            variable("POSTGRES_DB").or_else(|| variable("POSTGRES_USER")).unwrap_or_else(|| "postgres".to_owned());
        let name = database_of(facts, server, of_image, left_out);
        let key = if servers.len() == 1 { "main".to_owned() } else { server.name.clone() };
        let migrations = migrator(facts, server, left_out);
        found.push(Database { key, service: server.name.clone(), name, migrations });
    }
    if servers.is_empty() {
        left_out.push(
            "databases: no PostgreSQL service in the compose files; no data is backed up or rehearsed on".to_owned(),
        );
    }
    found
}

/// Returns the database that services use: the one that the image makes may be empty.
fn database_of(facts: &Facts, server: &Service, of_image: String, left_out: &mut Vec<String>) -> String {
    let others = facts.model.services().into_iter().filter(|name| *name != server.name);
    let words = others.flat_map(|name| facts.model.words(&name));
    let named: BTreeSet<String> = words.filter_map(|word| database_in(&word, &server.name)).collect();
    let chosen = if named.contains(&of_image) { of_image } else { named.first().cloned().unwrap_or(of_image) };
    let rest: Vec<&str> = named.iter().filter(|name| **name != chosen).map(String::as_str).collect();
    if !rest.is_empty() {
        left_out.push(format!(
            "databases of `{}` that services use, too: {}; add [databases.NAME] for each, or they are in no backup and no rollback",
            server.name,
            rest.join(", ")
        ));
    }
    chosen
}

/// Returns the database in a connection URL (`postgres://user:password@host:5432/name?..`, `postgresql+driver://`) to a host.
fn database_in(word: &str, host: &str) -> Option<String> {
    let (scheme, rest) = word.split_once("://")?;
    let scheme = scheme.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '+')).next()?;
    let driver = scheme.strip_prefix("postgresql").or_else(|| scheme.strip_prefix("postgres"))?;
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (authority, path) = rest[..end].split_once('/')?;
    let at = authority.rsplit('@').next()?;
    let name = path.split(['?', '#', '"', '\'', ';']).next()?;
    let is_it = (driver.is_empty() || driver.starts_with('+')) && at.split(':').next() == Some(host);
    (is_it && !name.is_empty() && !name.contains(['$', '%'])).then(|| name.to_owned())
}

/// Returns the service that migrates a server's database, where the files show exactly one.
fn migrator(facts: &Facts, server: &Service, left_out: &mut Vec<String>) -> Option<String> {
    let mut found = migrators(facts, &server.name);
    if let Some((_, chosen)) = facts.answers.migrators.iter().find(|(of, _)| *of == server.name) {
        return Some(chosen.clone());
    }
    match found.len() {
        0 => {
            left_out.push(format!(
                "migrations of `{}`: no service that runs once and migrates; if the product migrates when it starts, \
                 leave it so, else name the service in `migrations`",
                server.name
            ));
            None
        }
        1 => found.pop(),
        _ => {
            left_out.push(format!(
                "migrations of `{}`: `{}` may each be the one; name it in `migrations`",
                server.name,
                found.join("`, `")
            ));
            None
        }
    }
}

/// Returns the services that may apply the migrations of a server's database.
pub(super) fn migrators(facts: &Facts, server: &str) -> Vec<String> {
    facts.model.services().into_iter().filter(|name| migrates(facts, name, server)).collect()
}

/// Returns whether a service migrates the database of `server`: it needs that one and nothing else.
fn migrates(facts: &Facts, name: &str, server: &str) -> bool {
    let needs: Vec<String> = facts.model.json()["services"][name]["depends_on"]
        .as_object()
        .map(|needs| needs.keys().cloned().collect())
        .unwrap_or_default();
    is_migrator(facts, name) && needs == [server]
}

/// Returns whether a service migrates and ends, by its shape and its words.
fn is_migrator(facts: &Facts, name: &str) -> bool {
    let service = &facts.model.json()["services"][name];
    let part = |key: &str| match &service[key] {
        serde_json::Value::Array(parts) => parts.iter().filter_map(|part| part.as_str()).collect::<Vec<_>>().join(" "),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    let text = format!("{name} {} {}", part("command"), part("entrypoint")).to_lowercase();
    let serves = facts.model.publishes(name) || facts.model.has_healthcheck(name);
    let restarts = ["always", "unless-stopped"].contains(&service["restart"].as_str().unwrap_or_default());
    // `migrate && serve` is a service that migrates when it starts.
    let goes_on = text.contains("&&") && Lifetime::of_model(&facts.model, name) == Lifetime::LongRunning;
    !serves && !restarts && !goes_on && MIGRATES.iter().any(|word| text.contains(word))
}
