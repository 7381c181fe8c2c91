//! What compose files and `docker inspect` say alike, and what an image brings along.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use stagegate_base::redact::Secret;

/// What tells whether a container is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Healthcheck {
    /// There is none, neither in the file nor in the image.
    Missing,
    /// The file has none, and the image is not on this host to be inspected.
    Unknown,
    /// Switched off.
    Off,
    /// A command: `CMD` and words, or `CMD-SHELL` and a text.
    Test(Vec<String>),
}

/// Reads the words of a test: an empty one inherits nothing, `NONE` switches off.
pub(crate) fn tested(test: Vec<String>) -> Healthcheck {
    match test.first().map(String::as_str) {
        None => Healthcheck::Missing,
        Some("NONE") => Healthcheck::Off,
        Some(_) => Healthcheck::Test(test),
    }
}

/// An image that this host has.
#[derive(Clone, Debug)]
pub struct Image {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) volumes: Vec<String>,
    pub(crate) healthcheck: Healthcheck,
    pub(crate) variables: BTreeSet<String>,
    pub(crate) command: Vec<String>,
}

impl Image {
    /// Reads the response of `docker image inspect`.
    #[must_use]
    pub fn of_inspect(image: &Value) -> Self {
        let config = &image["Config"];
        Image {
            id: text(&image["Id"]),
            user: text(&config["User"]),
            volumes: config["Volumes"].as_object().into_iter().flatten().map(|(path, _)| path.clone()).collect(),
            healthcheck: tested(list(&config["Healthcheck"]["Test"])),
            variables: variables(&config["Env"]).into_keys().collect(),
            command: list(&config["Cmd"]),
        }
    }
}

/// Returns a scalar as text; empty for what is none.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => String::new(),
    }
}

pub(crate) fn list(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

pub(crate) fn texts_by_key(value: &Value) -> BTreeMap<String, String> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}

/// Returns an address of the host, without brackets.
pub(crate) fn host_ip(value: &Value) -> String {
    text(value).trim_start_matches('[').trim_end_matches(']').to_owned()
}

/// Reads lines of `KEY=value`.
pub(crate) fn variables(value: &Value) -> BTreeMap<String, Secret> {
    let pairs = value.as_array().into_iter().flatten().filter_map(|line| line.as_str()?.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), Secret::new(value))).collect()
}
