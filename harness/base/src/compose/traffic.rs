//! How requests reach a service from outside of its stack, and the model in which they do not.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{CLOSED_LABEL, Model};

impl Model {
    /// Returns the networks of a service that other stacks share, such as that of a reverse proxy.
    #[must_use]
    pub fn external_networks(&self, name: &str) -> Vec<&str> {
        let keys = self.service(name)["networks"].as_object().into_iter().flatten().map(|(key, _)| key.as_str());
        keys.filter(|key| self.is_external(key)).collect()
    }

    pub(super) fn is_external(&self, network: &str) -> bool {
        self.json()["networks"][network]["external"] == true
    }

    /// Returns whether something from outside of the stack can reach a service in a way that [`Model::closed`] closes.
    #[must_use]
    pub fn can_be_closed(&self, name: &str) -> bool {
        self.publishes(name) || (!self.external_networks(name).is_empty() && self.has_own_network(name))
    }

    pub(super) fn has_own_network(&self, name: &str) -> bool {
        self.service(name)["networks"].as_object().is_some_and(|all| all.keys().any(|key| !self.is_external(key)))
    }

    /// Returns by which networks a service can still be reached from outside where its traffic is closed.
    ///
    /// The host's own network cannot be closed, nor an external one that is the only one a service has: it would not
    /// find the rest of its stack.
    #[must_use]
    pub fn reached_while_closed(&self, name: &str) -> Vec<String> {
        if self.service(name)["network_mode"] == "host" {
            return vec!["the host's network".to_owned()];
        }
        if self.has_own_network(name) {
            return Vec::new();
        }
        let shown = |key: &str| format!("network {}", self.json()["networks"][key]["name"].as_str().unwrap_or(key));
        self.external_networks(name).into_iter().map(shown).collect()
    }

    /// Returns `services` with those that have to follow where their containers are made anew: which share a namespace or the mounts
    /// of one, or say that they restart with it.
    #[must_use]
    pub fn with_followers(&self, services: BTreeSet<String>) -> BTreeSet<String> {
        let mut all = services;
        loop {
            let follows = |name: &String| !all.contains(name) && self.follows(name, &all);
            let more: Vec<String> = self.services().into_iter().filter(follows).collect();
            if more.is_empty() {
                return all;
            }
            all.extend(more);
        }
    }

    /// Returns the services that depend on one of `services`, or on one that does, these themselves left out.
    #[must_use]
    pub fn dependents(&self, services: &BTreeSet<String>) -> BTreeSet<String> {
        let mut all = services.clone();
        loop {
            let needs = |name: &String| {
                let mut needs = self.service(name)["depends_on"].as_object().into_iter().flatten();
                !all.contains(name) && needs.any(|(other, _)| all.contains(other))
            };
            let more: Vec<String> = self.services().into_iter().filter(needs).collect();
            if more.is_empty() {
                return all.difference(services).cloned().collect();
            }
            all.extend(more);
        }
    }

    fn follows(&self, name: &str, others: &BTreeSet<String>) -> bool {
        let service = self.service(name);
        let shared = ["network_mode", "pid", "ipc"].into_iter().filter_map(|key| service[key].as_str());
        let mounted = service["volumes_from"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut needs = service["depends_on"].as_object().into_iter().flatten();
        shared.filter_map(|mode| mode.strip_prefix("service:")).any(|other| others.contains(other))
            || mounted.map(|from| from.split(':').next().unwrap_or_default()).any(|other| others.contains(other))
            || needs.any(|(other, how)| how["restart"] == true && others.contains(other))
    }

    /// Returns the model in which nobody from outside reaches the services of `door`: they run without published ports,
    /// and not on networks of other stacks.
    #[must_use]
    pub fn closed(&self, door: &BTreeSet<String>) -> Model {
        self.changed(|name, service| {
            if !door.contains(name) {
                return;
            }
            service.remove("ports");
            service.entry("labels").or_insert_with(|| json!({}))[CLOSED_LABEL] = json!("true");
            if self.has_own_network(name)
                && let Some(networks) = service.get_mut("networks").and_then(Value::as_object_mut)
            {
                leave_external(networks, |key| self.is_external(key));
            }
        })
    }
}

fn leave_external(networks: &mut Map<String, Value>, is_external: impl Fn(&str) -> bool) {
    networks.retain(|key, _| !is_external(key));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        Model::parse(
            r#"{"name":"shop","services":{
                "web":{"networks":{"default":null,"edge":{"aliases":["shop"]}}},
                "api":{"networks":{"edge":null}},
                "host":{"network_mode":"host"},
                "old":{"ports":[{"target":80}],"networks":{"default":null}},
                "db":{"networks":{"default":null}}},
              "networks":{"default":{"name":"shop_default"},"edge":{"name":"proxy","external":true}}}"#,
        )
        .unwrap()
    }

    #[test]
    fn what_depends_on_a_service_does_so_through_others() {
        let model = Model::parse(
            r#"{"services":{"api":{},"gateway":{"depends_on":{"api":{"condition":"service_started"}}},
                "edge":{"depends_on":{"gateway":{"condition":"service_started"}}},"db":{}}}"#,
        )
        .unwrap();
        let of = |name: &str| model.dependents(&BTreeSet::from([name.to_owned()])).into_iter().collect::<Vec<_>>();
        assert_eq!(of("api"), ["edge", "gateway"]);
        assert_eq!(of("db"), Vec::<String>::new());
    }

    #[test]
    fn a_service_that_a_proxy_reaches_leaves_the_proxys_network_while_traffic_is_closed() {
        let model = model();
        let open: Vec<String> = model.services().into_iter().filter(|name| model.can_be_closed(name)).collect();
        assert_eq!(open, ["old", "web"]);
        let closed = model.closed(&open.into_iter().collect());
        assert_eq!(closed.networks("web"), ["shop_default"]);
        assert!(!closed.publishes("old"));
        assert_eq!(closed.networks("api"), ["proxy"]);
    }

    #[test]
    fn what_shares_a_namespace_with_a_service_follows_it_and_what_only_needs_it_does_not() {
        let model = Model::parse(
            r#"{"services":{"web":{},"vpn":{"network_mode":"service:web"},"probe":{"pid":"service:vpn"},
                "files":{"volumes_from":["web:ro"]},"cache":{"depends_on":{"web":{"condition":"service_started","restart":true}}},
                "worker":{"depends_on":{"web":{"condition":"service_started"}}},"db":{"network_mode":"none"}}}"#,
        )
        .unwrap();
        let all: Vec<String> = model.with_followers(["web".to_owned()].into()).into_iter().collect();
        assert_eq!(all, ["cache", "files", "probe", "vpn", "web"]);
        assert_eq!(model.with_followers(["worker".to_owned()].into()).len(), 1);
    }

    #[test]
    fn what_stays_reachable_is_named_with_the_network() {
        let model = model();
        assert_eq!(model.reached_while_closed("api"), ["network proxy"]);
        assert_eq!(model.reached_while_closed("host"), ["the host's network"]);
        assert!(model.reached_while_closed("web").is_empty() && model.reached_while_closed("db").is_empty());
    }
}
