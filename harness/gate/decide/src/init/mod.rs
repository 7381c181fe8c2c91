//! The first `stagegate.toml` of a product, proposed from its compose files and from what runs.
//!
//! Pure: the caller resolves the files, asks the containers and writes the text.

mod databases;
mod health;
mod migrators;
mod questions;
mod services;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use stagegate_base::{compose::Model, config::Tool, subfolder::Subfolder};

pub use questions::{AnswerError, Answers, Question, Topic, answer, questions};
pub use services::ports;

/// What is known of a product before it has a configuration.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The product's name as the files or their folder have it.
    pub name: String,
    /// The compose model of what `up` starts.
    pub model: Model,
    /// The compose project that runs from this folder, if one does.
    pub running: Option<String>,
    /// The env file without which the files cannot be resolved, relative to the folder.
    pub env_file: Option<String>,
    /// Variables that the files require and that no env file sets.
    pub missing: Vec<String>,
    /// TCP ports that a service's image exposes.
    pub exposed: BTreeMap<String, Vec<u16>>,
    /// What running services responded.
    pub responses: BTreeMap<String, Responses>,
    /// Folders of migrations below this one, relative to it, with the tool that their files belong to.
    pub migrations: Vec<(String, Tool)>,
    /// Folders below this one that a service can write and git does not have: the service, and the path relative to it.
    pub folders: Vec<(String, String)>,
    /// OpenAPI documents below this folder, relative to it.
    pub contracts: Vec<String>,
    /// Where the folder lies in its repository.
    pub subfolder: Subfolder,
    /// What the user answered.
    pub answers: Answers,
}

/// What a running service responded at the paths that are usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Responses {
    /// The first path that returned 2xx.
    pub health: Option<String>,
    /// The path of its OpenAPI document.
    pub contract: Option<String>,
}

/// A proposed configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The file, annotated.
    pub text: String,
    /// The environment to test first.
    pub environment: String,
    /// How many services are checked.
    pub services: usize,
    /// How many databases are backed up and rehearsed on.
    pub databases: usize,
    /// What was left out, and why: one sentence each.
    pub left_out: Vec<String>,
}

/// What a service of the compose files is to a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Service {
    name: String,
    image: String,
    kind: Kind,
    port: Option<u16>,
    /// Where the port is known from.
    source: String,
    health: Option<String>,
    /// Where the path is known from.
    health_source: &'static str,
    contract: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Postgres,
    Redis,
    Other,
}

/// A database of a PostgreSQL service.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Database {
    key: String,
    service: String,
    name: String,
    /// Nothing in the files points to that name.
    is_a_guess: bool,
    migrations: Option<String>,
}

/// Proposes a configuration.
#[must_use]
pub fn propose(facts: &Facts) -> Proposal {
    let mut left_out = Vec::new();
    if let [first, ..] = facts.missing.as_slice() {
        let names = facts.missing.join(", ");
        let file = facts.env_file.as_deref().unwrap_or(".env");
        left_out.push(format!("values of {names}: the compose files require them; add {first}=.. to {file}"));
    }
    for name in &facts.answers.environments {
        left_out.push(format!(
            "variables of `{name}`: write ports and passwords of its own into .env.{name}, outside of git"
        ));
    }
    let services = services::services(facts, &mut left_out);
    let databases = databases::databases(facts, &services, &mut left_out);
    let environment = "local".to_owned();
    let text = text::render(facts, &environment, &services, &databases, &mut left_out);
    Proposal { text, environment, services: services.len(), databases: databases.len(), left_out }
}

/// Returns a name that a configuration takes: a-z, 0-9, `-`, `_`, a letter or digit first.
#[must_use]
pub fn project_name(name: &str) -> String {
    let lower = name.to_lowercase();
    let kept: String =
        lower.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' }).collect();
    let kept = kept.trim_matches(['-', '_']);
    if kept.is_empty() { "product".to_owned() } else { kept.to_owned() }
}

/// Returns a name that a configuration takes and that none of `taken` has, and adds it to these.
fn unique_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let plain = project_name(name);
    let mut found = plain.clone();
    let mut number = 2;
    while !taken.insert(found.clone()) {
        found = format!("{plain}-{number}");
        number += 1;
    }
    found
}
