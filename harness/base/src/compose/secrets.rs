//! The secrets that a model's services hold, by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde_json::Value;

use super::{Model, unescaped};
use crate::redact::{Secret, is_harmless, is_secret_name, password_of_url};

/// A variable of a service whose value is a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSecret {
    /// The service.
    pub service: String,
    /// The variable.
    pub variable: String,
    /// The secret: the value, or the password in it where it is an address.
    pub value: Secret,
}

impl Model {
    /// Returns the secrets that the services' variables hold, ordered by service and name.
    #[must_use]
    pub fn held_secrets(&self) -> Vec<HeldSecret> {
        let mut all = Vec::new();
        for (service, body) in self.services_map() {
            for (variable, value) in body["environment"].as_object().into_iter().flatten() {
                let text = unescaped(value.as_str().unwrap_or_default());
                let own =
                    (is_secret_name(variable) && !is_harmless(&text) && !text.is_empty()).then_some(text.as_str());
                if let Some(secret) = password_of_url(&text).or(own) {
                    let (service, variable) = (service.clone(), variable.clone());
                    all.push(HeldSecret { service, variable, value: Secret::new(secret) });
                }
            }
        }
        all.sort_by(|a, b| (&a.service, &a.variable).cmp(&(&b.service, &b.variable)));
        all
    }

    /// Returns the paths of this host that active services mount, and the files of their secrets and configs.
    #[must_use]
    pub fn sources(&self) -> BTreeSet<String> {
        let binds = self.services().into_iter().flat_map(|service| self.binds(&service)).map(|bind| bind.source);
        binds.chain(self.files_of_secrets()).collect()
    }

    /// Returns the files that the secrets and configs of active services are read from.
    #[must_use]
    pub fn files_of_secrets(&self) -> BTreeSet<String> {
        let active = self.services().into_iter().filter(|name| !self.has_profile(name));
        active.flat_map(|name| self.secret_files_of(&name)).collect()
    }

    /// Returns a secret or config of an active service that Compose refuses, since it is one of Swarm's.
    #[must_use]
    pub fn external_secret(&self) -> Option<(&'static str, String)> {
        let active = self.services_map().filter(|(name, _)| !self.has_profile(name));
        active.flat_map(|(_, service)| ["secrets", "configs"].map(|kind| (kind, service))).find_map(
            |(kind, service)| {
                let names = service[kind].as_array().into_iter().flatten().filter_map(|entry| entry["source"].as_str());
                let mut external = names.filter(|name| self.json()[kind][*name]["external"] == true);
                external.next().map(|name| (kind.trim_end_matches('s'), name.to_owned()))
            },
        )
    }

    /// Returns the files that the secrets and configs of a service are read from.
    #[must_use]
    pub fn secret_files_of(&self, service: &str) -> BTreeSet<String> {
        let of_kind = |kind: &'static str| {
            let used = self.service(service)[kind].as_array().into_iter().flatten();
            used.filter_map(move |entry| self.json()[kind][entry["source"].as_str()?]["file"].as_str())
        };
        of_kind("secrets").chain(of_kind("configs")).map(str::to_owned).collect()
    }

    /// Returns the model with the sources of mounts and the files of secrets and configs that `moved` names replaced.
    #[must_use]
    pub fn with_sources(&self, moved: &BTreeMap<String, String>) -> Model {
        let replace = |value: &mut Value| {
            if let Some(new) = value.as_str().and_then(|path| moved.get(path)) {
                *value = Value::String(new.clone());
            }
        };
        let mut model = self.changed(|_, service| {
            let volumes = service.get_mut("volumes").and_then(Value::as_array_mut);
            let binds = volumes.into_iter().flatten().filter(|mount| mount["type"] == "bind");
            binds.for_each(|mount| replace(&mut mount["source"]));
        });
        for kind in ["secrets", "configs"] {
            for (_, entry) in model.0.get_mut(kind).and_then(Value::as_object_mut).into_iter().flatten() {
                entry.get_mut("file").into_iter().for_each(replace);
            }
        }
        model
    }

    /// Returns the files that the model's `secrets` are read from, by the secrets' names.
    #[must_use]
    pub fn secret_files(&self) -> Vec<(String, PathBuf)> {
        let secrets = self.json()["secrets"].as_object().into_iter().flatten();
        secrets.filter_map(|(name, secret)| Some((name.clone(), PathBuf::from(secret["file"].as_str()?)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_held_by_name_or_as_a_password_in_an_address() {
        let text = r#"{ "name": "shop", "services": { "api": { "environment": {
            "JWT_SECRET": "a$$b", "QUEUE": "amqp://u:pw@mq", "DATABASE_URL": "postgres://db/shop", "LEVEL": "debug",
            "TOKEN_TTL": "60", "API_KEY": "" } } } }"#;
        let held = Model::parse(text).unwrap().held_secrets();
        let reported: Vec<(&str, &str)> = held.iter().map(|s| (s.variable.as_str(), s.value.expose())).collect();
        assert_eq!(reported, [("JWT_SECRET", "a$b"), ("QUEUE", "pw")]);
    }
}
