//! The compose model: what `docker compose config --format json` printed, and the models that the gate makes of it.
//!
//! Source: compose-spec, and the output of Compose 2.26. No YAML is read here: Compose resolves files, variables
//! and overrides, and this module changes only what pinning, closing the door or isolating a copy needs.

mod behind;
mod cross_version;
mod enclosed;
mod frozen;
mod images;
mod in_network;
mod program;
mod proxied;
mod sealed;
mod secrets;
mod stand_in;
mod start;
mod storage;
mod traffic;
mod writable;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    container::Container,
    redact::{Secret, names_a_secret},
};
pub use behind::Behind;
pub use enclosed::{SEALED_NETWORK, WAY_IN_NETWORK};
pub use frozen::FromVariable;
pub use proxied::{PROXY_SERVICE, ROLLOUT_LABEL, RolloutRefused};
pub use secrets::HeldSecret;
pub use stand_in::{StandIn, StandInVolume};
pub use storage::Mounting;
pub use writable::{Moved, StoragePlace, WritableMount, is_anonymous};

/// Marks containers that a promotion runs without their ports until it is verified.
pub const CLOSED_LABEL: &str = "dev.stagegate.closed";
/// Label with the git commit that a container was deployed from.
pub const RELEASE_LABEL: &str = "dev.stagegate.release";
/// Label with the hash of the files that a container mounts, so that a changed file recreates it.
pub const MOUNTS_LABEL: &str = "dev.stagegate.mounts";
/// Label with the id of the run that made a resource.
pub const RUN_LABEL: &str = "dev.stagegate.run";

/// The profile of services that a rollback leaves as they are.
const RESTING: &str = "stagegate-resting";

/// What a service states of its addresses on a network.
const FIXED_ADDRESSES: [&str; 4] = ["ipv4_address", "ipv6_address", "link_local_ips", "mac_address"];

/// A resolved compose model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model(Value);

/// What is wrong with a text that should be a compose model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The text is not JSON.
    #[error("`docker compose config` printed no JSON; Compose v2 is needed (`docker compose version`)")]
    NotJson(#[from] serde_json::Error),
    /// The JSON is not a model.
    #[error("the compose model has no services; check the compose files of this environment")]
    NoServices,
}

/// A folder or file of the host that a service mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Path on the host, absolute.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// The container cannot write it.
    pub read_only: bool,
}

/// Returns the name that Compose gives the image that it builds for a service without `image:`.
// Source: Compose v2: `<project>-<service>`.
#[must_use]
pub fn default_image_name(project: &str, service: &str) -> String {
    format!("{project}-{service}")
}

impl Model {
    /// Reads a model from the JSON that Compose printed.
    ///
    /// # Errors
    /// [`ModelError`] where the text is not JSON or holds no services.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let value: Value = serde_json::from_str(text)?;
        match value.get("services").and_then(Value::as_object) {
            Some(services) if !services.is_empty() => Ok(Model(value)),
            _ => Err(ModelError::NoServices),
        }
    }

    /// Returns the model as JSON, which Compose reads as a compose file.
    #[must_use]
    pub fn to_json(&self) -> String {
        format!("{:#}\n", self.0)
    }

    /// Returns the model as Compose printed it.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// Returns the compose project's name.
    #[must_use]
    pub fn project(&self) -> &str {
        self.0.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    fn services_map(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.get("services").and_then(Value::as_object).into_iter().flatten()
    }

    fn service(&self, name: &str) -> &Value {
        self.0.get("services").and_then(|s| s.get(name)).unwrap_or(&Value::Null)
    }

    /// Returns the names of all services, sorted.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        let mut names: Vec<String> = self.services_map().map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }

    /// Returns whether the model has this service.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.service(name).is_object()
    }

    /// Returns the image reference of a service; empty where it is only built.
    #[must_use]
    pub fn image(&self, name: &str) -> &str {
        self.service(name).get("image").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the name of a service's image: as the file has it, else the one that Compose gives what it builds.
    #[must_use]
    pub fn image_name(&self, name: &str) -> String {
        match self.image(name) {
            "" => default_image_name(self.project(), name),
            image => image.to_owned(),
        }
    }

    /// Returns the release's label that a service's containers carry; `None` in a model that was not pinned.
    #[must_use]
    pub fn release_label(&self, name: &str) -> Option<&str> {
        self.service(name)["labels"][RELEASE_LABEL].as_str()
    }

    /// Returns whether a service is built from source by Compose.
    #[must_use]
    pub fn is_built(&self, name: &str) -> bool {
        self.service(name).get("build").is_some_and(|b| !b.is_null())
    }

    /// Returns whether a plain `up` leaves a service out: it has a profile that is not active ([`Model::activated`]).
    #[must_use]
    pub fn has_profile(&self, name: &str) -> bool {
        self.service(name).get("profiles").and_then(Value::as_array).is_some_and(|p| !p.is_empty())
    }

    /// Returns how many containers of a service `up` starts.
    #[must_use]
    pub fn replicas(&self, name: &str) -> u64 {
        let service = self.service(name);
        service["scale"].as_u64().or_else(|| service["deploy"]["replicas"].as_u64()).unwrap_or(1)
    }

    /// Returns whether a service publishes ports to the host.
    #[must_use]
    pub fn publishes(&self, name: &str) -> bool {
        self.service(name)["ports"].as_array().is_some_and(|ports| !ports.is_empty())
    }

    /// Returns the folders and files of the host that a service mounts.
    #[must_use]
    pub fn binds(&self, name: &str) -> Vec<Bind> {
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        self.service(name)["volumes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|v| v["type"] == "bind")
            .map(|v| Bind { source: text(&v["source"]), target: text(&v["target"]), read_only: v["read_only"] == true })
            .collect()
    }

    /// Returns the fixed name of a service's container.
    #[must_use]
    pub fn container_name(&self, name: &str) -> Option<String> {
        self.service(name)["container_name"].as_str().map(str::to_owned)
    }

    /// Returns the networks of a service, by the names that the Engine knows them by.
    #[must_use]
    pub fn networks(&self, name: &str) -> Vec<String> {
        let keys = self.service(name)["networks"].as_object().into_iter().flatten().map(|(key, _)| key);
        let known = |key: &String| match &self.0["networks"][key] {
            network if network["name"].is_string() => network["name"].as_str().unwrap_or_default().to_owned(),
            network if network["external"] == true => key.clone(),
            // A model of ours leaves the name to Compose, which puts the project's before the key.
            _ => format!("{}_{key}", self.project()),
        };
        keys.map(known).collect()
    }

    /// Returns an environment variable of a service.
    #[must_use]
    pub fn variable(&self, service: &str, key: &str) -> Option<Secret> {
        match &self.service(service)["environment"][key] {
            Value::String(text) => Some(Secret::new(unescaped(text))),
            Value::Null => None,
            other => Some(Secret::new(other.to_string())),
        }
    }

    /// Returns all environment variables of a service.
    #[must_use]
    pub fn variables(&self, service: &str) -> BTreeMap<String, Secret> {
        let all = self.service(service)["environment"].as_object().into_iter().flatten();
        all.filter_map(|(key, _)| Some((key.clone(), self.variable(service, key)?))).collect()
    }

    /// Returns the values of all variables whose names say that they hold a secret, and the contents of secrets.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let variables = self
            .services_map()
            .filter_map(|(_, service)| service["environment"].as_object())
            .flatten()
            .filter(|(key, _)| names_a_secret(key))
            .filter_map(|(_, value)| value.as_str())
            .map(|text| Secret::new(unescaped(text)));
        variables.chain(self.secret_contents()).collect()
    }

    /// Returns the model with every image replaced by the id in `images`, nothing left to build or pull, and the
    /// release's labels set.
    ///
    /// `images` and `mounts` (hash of mounted files) are by service; a service that `images` lacks keeps its own.
    #[must_use]
    pub fn pinned(&self, release: &str, images: &BTreeMap<String, String>, mounts: &BTreeMap<String, String>) -> Model {
        self.changed(|name, service| {
            if let Some(id) = images.get(name) {
                service.insert("image".into(), json!(id));
                service.remove("build");
                service.insert("pull_policy".into(), json!("never"));
            }
            let labels = service.entry("labels").or_insert_with(|| json!({}));
            labels[RELEASE_LABEL] = json!(release);
            if let Some(hash) = mounts.get(name) {
                labels[MOUNTS_LABEL] = json!(hash);
            }
        })
    }

    /// Returns the model with every path below `from` moved below `to`.
    #[must_use]
    pub fn rebased(&self, from: &str, to: &str) -> Model {
        self.rebased_where(from, to, |_| true)
    }

    /// Returns the model with those paths below `from` moved below `to` of which `is_there` finds the new one.
    #[must_use]
    pub fn rebased_where(&self, from: &str, to: &str, is_there: impl Fn(&str) -> bool) -> Model {
        let mut value = self.0.clone();
        rebase(&mut value, from.trim_end_matches('/'), to.trim_end_matches('/'), &is_there);
        Model(value)
    }

    /// Returns the model in which every service that is as in `old`, but for the gate's labels, keeps `old`'s
    /// labels: otherwise each release would recreate every container, the database's too.
    #[must_use]
    pub fn carried(&self, old: &Model) -> Model {
        let bare = |service: &Value| {
            let mut service = service.clone();
            if let Some(labels) = service.get_mut("labels").and_then(Value::as_object_mut) {
                labels.remove(RELEASE_LABEL);
                labels.remove(ROLLOUT_LABEL);
            }
            service
        };
        self.changed(|name, service| {
            let (before, now) = (old.service(name), Value::Object(service.clone()));
            if bare(before) == bare(&now) {
                service.clone_from(before.as_object().unwrap_or(&Map::new()));
            }
        })
    }

    /// Returns a copy of the model that shares nothing with the original: another project, own networks and
    /// volumes, no host ports and so no proxy, no fixed container names.
    #[must_use]
    pub fn isolated(&self, project: &str) -> Model {
        let mut model = self.without(&BTreeSet::from([PROXY_SERVICE.to_owned()])).changed(|_, service| {
            service.remove("ports");
            service.remove("container_name");
            // Addresses are those of the original's subnets, which a copy does not have.
            service.remove("mac_address");
            for (_, network) in service.get_mut("networks").and_then(Value::as_object_mut).into_iter().flatten() {
                if let Some(network) = network.as_object_mut() {
                    FIXED_ADDRESSES.iter().for_each(|key| drop(network.remove(*key)));
                }
            }
        });
        model.0["name"] = json!(project);
        for kind in ["networks", "volumes"] {
            for entry in model.0.get_mut(kind).and_then(Value::as_object_mut).into_iter().flatten() {
                if let Some(entry) = entry.1.as_object_mut() {
                    entry.remove("name");
                    entry.remove("external");
                    entry.remove("ipam");
                    entry.remove("enable_ipv6");
                    // A volume that lies on a named folder or server would be the original's.
                    entry.remove("driver_opts");
                    entry.remove("driver");
                }
            }
        }
        model
    }

    /// Returns the model reduced to `keep`, as needed to rehearse on a copy: dependencies on other services are
    /// dropped, and the services in `fresh` get empty volumes and no first-start scripts.
    #[must_use]
    pub fn reduced(&self, keep: &BTreeSet<String>, fresh: &BTreeSet<String>) -> Model {
        let mut model = self.changed(|name, service| {
            if let Some(depends) = service.get_mut("depends_on").and_then(Value::as_object_mut) {
                depends.retain(|other, _| keep.contains(other));
            }
            service.remove("profiles");
            if fresh.contains(name)
                && let Some(volumes) = service.get_mut("volumes").and_then(Value::as_array_mut)
            {
                volumes.retain(|v| v["type"] == "bind" && v["read_only"] == true && !is_first_start(&v["target"]));
            }
        });
        if let Some(services) = model.0["services"].as_object_mut() {
            services.retain(|name, _| keep.contains(name));
        }
        model
    }

    /// Returns the model without some services: what others wait for of them is dropped, too.
    #[must_use]
    pub fn without(&self, services: &BTreeSet<String>) -> Model {
        let mut model = self.changed(|_, service| {
            if let Some(depends) = service.get_mut("depends_on").and_then(Value::as_object_mut) {
                depends.retain(|other, _| !services.contains(other));
            }
        });
        if let Some(all) = model.0["services"].as_object_mut() {
            all.retain(|name, _| !services.contains(name));
        }
        model
    }

    /// Returns the model in which some services stay as they are: Compose neither starts nor removes them, and nobody waits
    /// for them.
    #[must_use]
    pub fn with_resting(&self, services: &BTreeSet<String>) -> Model {
        self.changed(|name, service| {
            if services.contains(name) {
                // Compose takes no container of a service with an inactive profile for an orphan.
                service.insert("profiles".to_owned(), json!([RESTING]));
            }
            if let Some(depends) = service.get_mut("depends_on").and_then(Value::as_object_mut) {
                depends.retain(|other, _| !services.contains(other));
            }
        })
    }

    /// Returns the model with a label on every container, network and volume that it makes.
    #[must_use]
    pub fn labelled(&self, key: &str, value: &str) -> Model {
        let mut model = self.changed(|_, service| {
            service.entry("labels").or_insert_with(|| json!({}))[key] = json!(value);
        });
        for kind in ["networks", "volumes"] {
            for (_, entry) in model.0.get_mut(kind).and_then(Value::as_object_mut).into_iter().flatten() {
                if entry.is_null() {
                    *entry = json!({});
                }
                if entry["external"] != true {
                    entry["labels"][key] = json!(value);
                }
            }
        }
        model
    }

    fn changed(&self, change: impl Fn(&str, &mut Map<String, Value>)) -> Model {
        let mut value = self.0.clone();
        for (name, service) in value.get_mut("services").and_then(Value::as_object_mut).into_iter().flatten() {
            if let Some(service) = service.as_object_mut() {
                change(name, service);
            }
        }
        Model(value)
    }
}

fn rebase(value: &mut Value, from: &str, to: &str, is_there: &impl Fn(&str) -> bool) {
    match value {
        Value::String(text) => {
            let rest = text.strip_prefix(from).filter(|rest| rest.is_empty() || rest.starts_with('/'));
            if let Some(path) = rest.map(|rest| format!("{to}{rest}")).filter(|path| is_there(path)) {
                *text = path;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rebase(item, from, to, is_there)),
        Value::Object(entries) => entries.values_mut().for_each(|item| rebase(item, from, to, is_there)),
        _ => {}
    }
}

fn is_first_start(target: &Value) -> bool {
    target.as_str().is_some_and(|t| t.starts_with("/docker-entrypoint-initdb.d"))
}

/// Compose doubles each `$` in the model that it prints, so that the model can be read again as a file.
pub fn unescaped(text: &str) -> String {
    text.replace("$$", "$")
}

/// Returns in words how the containers of a project differ from the model that was deployed.
///
/// Images are compared by id, and only where the model pins one; a service that ended is not a difference here.
#[must_use]
pub fn drift(deployed: &Model, containers: &[Container]) -> Vec<String> {
    let mut reported = Vec::new();
    for name in deployed.services().iter().filter(|name| !deployed.has_profile(name)) {
        let own: Vec<&Container> = containers.iter().filter(|c| c.service == *name && !c.one_off).collect();
        if own.is_empty() && deployed.replicas(name) > 0 {
            reported.push(format!("service {name} has no container"));
        }
        let pinned = deployed.image(name);
        for container in own.iter().filter(|c| pinned.starts_with("sha256:") && c.image != pinned) {
            reported.push(format!(
                "container {} runs image {}, not {}",
                container.name,
                short(&container.image),
                short(pinned)
            ));
        }
    }
    for container in containers.iter().filter(|c| !c.one_off && !deployed.has(&c.service)) {
        reported.push(format!("container {} belongs to no service of the release", container.name));
    }
    reported
}

/// Returns the first 12 digits of an image id.
#[must_use]
pub fn short(image: &str) -> &str {
    image.strip_prefix("sha256:").map_or(image, |hex| hex.get(..12).unwrap_or(hex))
}

#[cfg(test)]
mod tests;
