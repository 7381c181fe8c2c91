//! Which databases the product's services use: the one that a server's image makes may be empty.

use std::collections::{BTreeMap, BTreeSet};

use stagegate_base::redact::Secret;

use super::{Database, Facts, Kind, Service, migrators::migrator, unique_name};

/// Returns the databases that hold the product's data.
pub(super) fn databases(facts: &Facts, services: &[Service], left_out: &mut Vec<String>) -> Vec<Database> {
    let servers: Vec<&Service> = services.iter().filter(|service| service.kind == Kind::Postgres).collect();
    let mut found = Vec::new();
    let mut keys = BTreeSet::new();
    for server in &servers {
        let Named { name, is_a_guess } = database_of(facts, server, left_out);
        let key = if servers.len() == 1 { "main".to_owned() } else { unique_name(&server.name, &mut keys) };
        if is_a_guess {
            left_out.push(format!(
                "name of the database of `{}`: no file names it, and `{name}` is a guess; correct `name` in [databases.{key}]",
                server.name
            ));
        }
        let migrations = migrator(facts, server, left_out);
        found.push(Database { key, service: server.name.clone(), name, is_a_guess, migrations });
    }
    if servers.is_empty() {
        left_out.push(
            "databases: no PostgreSQL service in the compose files; no data is backed up or rehearsed on".to_owned(),
        );
    }
    found
}

/// The name of a database.
struct Named {
    name: String,
    /// Nothing in the files points to it.
    is_a_guess: bool,
}

/// Returns the database that the image makes, where a variable of the server names it.
// Sources: the official image (POSTGRES_DB, else POSTGRES_USER), Bitnami's (POSTGRESQL_DATABASE).
fn made_by_image(facts: &Facts, server: &str) -> Option<String> {
    let variable = |key: &&str| facts.model.variable(server, key).map(|value| value.expose().to_owned());
    ["POSTGRES_DB", "POSTGRESQL_DATABASE", "POSTGRES_DATABASE", "POSTGRES_USER"].iter().find_map(variable)
}

/// Returns the database that services use.
fn database_of(facts: &Facts, server: &Service, left_out: &mut Vec<String>) -> Named {
    let others: Vec<String> = facts.model.services().into_iter().filter(|name| *name != server.name).collect();
    let words = others.iter().flat_map(|name| facts.model.words(name));
    let mut named: BTreeSet<String> = words.filter_map(|word| database_in(&word, &server.name)).collect();
    named.extend(others.iter().flat_map(|name| in_variables(&facts.model.variables(name), &server.name)));
    let of_image = made_by_image(facts, &server.name);
    let is_a_guess = of_image.is_none() && named.is_empty();
    let of_image = of_image.unwrap_or_else(|| "postgres".to_owned());
    let name = if named.contains(&of_image) { of_image } else { named.first().cloned().unwrap_or(of_image) };
    let rest: Vec<&str> = named.iter().filter(|other| **other != name).map(String::as_str).collect();
    if !rest.is_empty() {
        left_out.push(format!(
            "databases of `{}` that services use, too: {}; add [databases.NAME] for each, or they are in no backup and no rollback",
            server.name,
            rest.join(", ")
        ));
    }
    Named { name, is_a_guess }
}

/// Returns the databases in variables next to one that names the host: `DB_HOST` and `DB_NAME`, `PGHOST` and `PGDATABASE`.
fn in_variables(variables: &BTreeMap<String, Secret>, host: &str) -> Vec<String> {
    const HOSTS: [&str; 3] = ["HOST", "HOSTNAME", "SERVER"];
    const NAMES: [&str; 6] = ["NAME", "DATABASE", "DB", "DBNAME", "DB_NAME", "DATABASE_NAME"];
    let is_host = |value: &Secret| value.expose().split(':').next() == Some(host);
    let hosts = variables.iter().filter(|(_, value)| is_host(value)).filter_map(|(key, _)| {
        let upper = key.to_ascii_uppercase();
        HOSTS.iter().find_map(|end| upper.strip_suffix(end).map(str::to_owned))
    });
    let stems: BTreeSet<String> = hosts.collect();
    let is_name = |key: &String| {
        let upper = key.to_ascii_uppercase();
        stems.iter().any(|stem| upper.strip_prefix(stem.as_str()).is_some_and(|rest| NAMES.contains(&rest)))
    };
    let values = variables.iter().filter(|(key, _)| is_name(key)).map(|(_, value)| value.expose().to_owned());
    values.filter(|name| is_usable(name)).collect()
}

fn is_usable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['$', '%', '/'])
}

/// Returns the database in a connection URL or a list of parameters to a host.
fn database_in(word: &str, host: &str) -> Option<String> {
    in_url(word, host).or_else(|| in_parameters(word, host))
}

/// Schemes of PostgreSQL's clients, without their drivers (`postgresql+asyncpg`, `db+postgresql`).
const SCHEMES: [&str; 7] = ["postgresql", "postgres", "postgis", "pgsql", "psql", "ecto", "timescaledb"];

/// Reads `postgres://user:password@host:5432/name?..`.
fn in_url(word: &str, host: &str) -> Option<String> {
    let (scheme, rest) = word.split_once("://")?;
    let scheme = scheme.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '+')).next()?;
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (authority, path) = rest[..end].split_once('/')?;
    let at = authority.rsplit('@').next()?;
    let name = path.split(['?', '#', '"', '\'', ';']).next()?;
    let is_it = scheme.split('+').any(|part| SCHEMES.contains(&part)) && at.split(':').next() == Some(host);
    (is_it && is_usable(name)).then(|| name.to_owned())
}

/// Reads `Host=db;Database=shop` and `host=db dbname=shop`.
fn in_parameters(text: &str, host: &str) -> Option<String> {
    let pairs: Vec<(String, &str)> = text
        .split([';', ' '])
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.trim().to_lowercase(), value.trim().trim_matches(['"', '\''])))
        .collect();
    let value = |keys: &[&str]| pairs.iter().find(|(key, _)| keys.contains(&key.as_str())).map(|(_, value)| *value);
    let of_host = value(&["host", "server", "hostname"])?.split([':', ',']).next() == Some(host);
    let name = value(&["database", "dbname", "db"]).filter(|name| of_host && is_usable(name))?;
    Some(name.to_owned())
}
