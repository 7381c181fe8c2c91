//! The model in which a proxy has the published ports of some services, so that requests can be moved from one container
//! of such a service to the next.
//!
//! Only what is published moves: inside the stack a service keeps its name, its networks and its ports.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::{Map, Value, json};

use super::{Model, RELEASE_LABEL};
use crate::config::Rollout;

mod haproxy;
mod refusal;

/// The service that has the published ports.
pub const PROXY_SERVICE: &str = "stagegate-proxy";
/// Label with the run that started a container next to the live one.
pub const ROLLOUT_LABEL: &str = "dev.stagegate.rollout";

/// Label of the proxy with the services and ports that it has, as JSON.
const BEHIND_LABEL: &str = "dev.stagegate.behind";
/// Label of the proxy with the image as the configuration names it.
const IMAGE_LABEL: &str = "dev.stagegate.image";
/// Label with the version of the proxy's settings: a new one makes a new container.
const SETTINGS_LABEL: &str = "dev.stagegate.settings";
const SETTINGS: &str = "1";
/// Where the proxy has the folder with the socket of its Runtime API.
const FOLDER: &str = "/run/stagegate";
/// The proxy's user, who needs no right: `nobody` of every image.
const USER: &str = "65534:65534";
/// The first of the ports at which the proxy listens, inside its container.
const FIRST_PORT: usize = 10_001;

/// Services that cannot be replaced without downtime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`rollout` of [environments.{environment}]: {}", reasons.join("; "))]
pub struct RolloutRefused {
    /// The environment.
    pub environment: String,
    /// Why, one a service and cause.
    pub reasons: Vec<String>,
}

/// A published port of a service behind the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Backend {
    service: String,
    port: u64,
    is_http: bool,
    /// The entry of the compose files.
    published: Value,
}

impl Backend {
    fn name(&self) -> String {
        backend(&self.service, self.port)
    }
}

fn backend(service: &str, port: u64) -> String {
    format!("{service}-{port}")
}

impl Model {
    /// Returns the model in which the proxy has the published ports of the services that are replaced blue-green.
    ///
    /// `folder` of this host gets the socket of the proxy's Runtime API.
    ///
    /// # Errors
    /// [`RolloutRefused`] with everything that two containers of a service at a time would break.
    pub fn proxied(&self, environment: &str, rollout: &Rollout, folder: &Path) -> Result<Model, RolloutRefused> {
        if rollout.blue_green.is_empty() {
            return Ok(self.clone());
        }
        let reasons: Vec<String> =
            rollout.blue_green.keys().flat_map(|service| self.rollout_refusals(service)).collect();
        let taken =
            self.has(PROXY_SERVICE).then(|| format!("the compose files have a service `{PROXY_SERVICE}`; rename it"));
        let backends = self.backends(rollout);
        let is_compared = |name: &&String| backends.iter().any(|backend| backend.service == **name && backend.is_http);
        let unseen = rollout.canary.iter().filter(|name| !is_compared(name));
        let unseen = unseen.map(|name| {
            format!("service `{name}` does not publish its `port` of [services.{name}], at which a canary is compared; publish it, or \
                     set \"blue-green\"")
        });
        let reasons: Vec<String> = reasons.into_iter().chain(taken).chain(unseen).collect();
        if !reasons.is_empty() {
            return Err(RolloutRefused { environment: environment.to_owned(), reasons });
        }
        let mut model = self.changed(|name, service| {
            if rollout.blue_green.contains_key(name) {
                service.remove("ports");
            }
        });
        model.0["services"][PROXY_SERVICE] = self.proxy(&backends, rollout, folder);
        model.0["configs"][PROXY_SERVICE] = json!({ "content": haproxy::settings(&backends) });
        Ok(model)
    }

    fn backends(&self, rollout: &Rollout) -> Vec<Backend> {
        let of = |(service, http): (&String, &Option<u16>)| {
            let ports = self.service(service)["ports"].as_array().into_iter().flatten();
            let backend = |entry: &Value| {
                let port = entry["target"].as_u64().unwrap_or_default();
                let is_http = http.map(u64::from) == Some(port);
                Backend { service: service.clone(), port, is_http, published: entry.clone() }
            };
            ports.map(backend).collect::<Vec<_>>()
        };
        rollout.blue_green.iter().flat_map(of).collect()
    }

    fn proxy(&self, backends: &[Backend], rollout: &Rollout, folder: &Path) -> Value {
        let networks = backends.iter().flat_map(|backend| self.service(&backend.service)["networks"].as_object());
        // On a network of other stacks the service's name may be another one's, too.
        let own = networks.flatten().filter(|(network, _)| !self.is_external(network));
        let networks: Map<String, Value> = own.map(|(network, _)| (network.clone(), Value::Null)).collect();
        let port = |(at, backend): (usize, &Backend)| {
            let mut entry = backend.published.clone();
            entry["target"] = json!(FIRST_PORT + at);
            entry
        };
        let mut behind: BTreeMap<&str, BTreeMap<u64, bool>> = BTreeMap::new();
        for backend in backends {
            behind.entry(&backend.service).or_default().insert(backend.port, backend.is_http);
        }
        let labels = json!({
            BEHIND_LABEL: json!(behind).to_string(),
            IMAGE_LABEL: rollout.image,
            SETTINGS_LABEL: SETTINGS,
        });
        json!({
            "image": rollout.image,
            "command": null,
            "entrypoint": ["haproxy", "-db", "-f", "/stagegate/haproxy.cfg"],
            "user": USER,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "restart": "unless-stopped",
            // It ends once the requests under way have.
            "stop_signal": "SIGUSR1",
            "stop_grace_period": "35s",
            "labels": labels,
            "logging": { "driver": "json-file", "options": { "max-size": "5m", "max-file": "3" } },
            "networks": networks,
            "ports": backends.iter().enumerate().map(port).collect::<Vec<_>>(),
            "configs": [{ "source": PROXY_SERVICE, "target": "/stagegate/haproxy.cfg" }],
            "volumes": [{ "type": "bind", "source": folder, "target": FOLDER, "bind": { "create_host_path": true } }],
        })
    }

    /// Returns whether the model has the proxy.
    #[must_use]
    pub fn has_proxy(&self) -> bool {
        self.service(PROXY_SERVICE)["labels"][BEHIND_LABEL].is_string()
    }

    /// Returns the folder of this host with the socket of the proxy's Runtime API; `None` without a proxy.
    #[must_use]
    pub fn proxy_folder(&self) -> Option<&Path> {
        let mounts = self.service(PROXY_SERVICE)["volumes"].as_array()?;
        let mount = mounts.iter().find(|mount| mount["target"] == FOLDER)?;
        mount["source"].as_str().map(Path::new).filter(|_| self.has_proxy())
    }

    /// Returns the proxy's image as the configuration named it.
    #[must_use]
    pub fn proxy_image(&self) -> Option<&str> {
        self.service(PROXY_SERVICE)["labels"][IMAGE_LABEL].as_str()
    }

    /// Returns whether the proxy of `other` is the same container: the same settings, image, ports and networks.
    #[must_use]
    pub fn has_same_proxy(&self, other: &Model) -> bool {
        let bare = |model: &Model| {
            let mut proxy = model.service(PROXY_SERVICE).clone();
            if let Some(labels) = proxy.get_mut("labels").and_then(Value::as_object_mut) {
                labels.remove(RELEASE_LABEL);
            }
            // One model may hold the image's name still, and the other one its id; the label has the name.
            if let Some(proxy) = proxy.as_object_mut() {
                ["image", "pull_policy", "command"].iter().for_each(|key| drop(proxy.remove(*key)));
            }
            proxy
        };
        self.has_proxy() && bare(self) == bare(other)
    }

    /// Returns the services behind the proxy, each with the names of the proxy's backends.
    #[must_use]
    pub fn behind_proxy(&self) -> BTreeMap<String, Vec<String>> {
        let label = self.service(PROXY_SERVICE)["labels"][BEHIND_LABEL].as_str().unwrap_or_default();
        let behind: BTreeMap<String, BTreeMap<u64, bool>> = serde_json::from_str(label).unwrap_or_default();
        let names = |(service, ports): (String, BTreeMap<u64, bool>)| {
            let backends = ports.keys().map(|port| backend(&service, *port)).collect();
            (service, backends)
        };
        behind.into_iter().map(names).collect()
    }

    /// Returns which of `services` are not in `live` as they are here.
    #[must_use]
    pub fn changed_since<'a>(&self, live: &Model, services: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
        let is_changed = |service: &&String| self.has(service) && self.service(service) != live.service(service);
        services.into_iter().filter(is_changed).cloned().collect()
    }

    /// Returns the model in which the containers of `services` carry the run that starts them.
    #[must_use]
    pub fn rolled_out_by(&self, run: &str, services: &BTreeSet<String>) -> Model {
        self.changed(|name, service| {
            if services.contains(name) {
                service.entry("labels").or_insert_with(|| json!({}))[ROLLOUT_LABEL] = json!(run);
            }
        })
    }

    /// Returns the services whose containers carry this run.
    #[must_use]
    pub fn rolled_out_in(&self, run: &str) -> BTreeSet<String> {
        let carries = |name: &String| self.service(name)["labels"][ROLLOUT_LABEL] == run;
        self.services().into_iter().filter(carries).collect()
    }

    /// Returns the model in which `services` are as in `live`, so that their containers stay as they are.
    #[must_use]
    pub fn keeping(&self, services: &BTreeSet<String>, live: &Model) -> Model {
        let mut model = self.clone();
        for service in services {
            model.0["services"][service] = live.service(service).clone();
        }
        // What only the live release has of these may be named there: what they depend on, their networks, their configs.
        for kind in ["services", "networks", "volumes", "configs", "secrets"] {
            let Some(theirs) = live.0[kind].as_object() else { continue };
            for (name, entry) in theirs {
                if model.0[kind][name].is_null() && (kind != "services" || live.is_needed_by(name, services)) {
                    model.0[kind][name] = entry.clone();
                }
            }
        }
        model
    }

    fn is_needed_by(&self, name: &str, services: &BTreeSet<String>) -> bool {
        services.iter().any(|service| self.dependencies(service).contains(name))
    }

    /// Returns the services that start by themselves and neither are in `services` nor depend on one that is.
    #[must_use]
    pub fn apart_from(&self, services: &BTreeSet<String>) -> Vec<String> {
        let is_apart = |name: &String| !services.contains(name) && self.dependencies(name).is_disjoint(services);
        self.services().into_iter().filter(|name| !self.has_profile(name) && is_apart(name)).collect()
    }

    /// Returns the services that a service depends on, directly or not.
    fn dependencies(&self, service: &str) -> BTreeSet<String> {
        let (mut found, mut open) = (BTreeSet::new(), vec![service.to_owned()]);
        while let Some(name) = open.pop() {
            let direct = self.service(&name)["depends_on"].as_object().into_iter().flatten();
            open.extend(direct.map(|(other, _)| other.clone()).filter(|other| found.insert(other.clone())));
        }
        found
    }
}

#[cfg(test)]
mod tests;
