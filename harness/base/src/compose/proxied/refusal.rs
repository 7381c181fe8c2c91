//! What two containers of a service at a time would break.

use serde_json::Value;

use super::super::{FIXED_ADDRESSES, Model};

impl Model {
    /// Returns why a service cannot be replaced blue-green; empty where it can.
    pub(super) fn rollout_refusals(&self, name: &str) -> Vec<String> {
        if !self.has(name) {
            return vec![format!(
                "`{name}` is no service of the compose files (they have {})",
                self.services().join(", ")
            )];
        }
        let service = self.service(name);
        let mut reasons = self.port_refusals(name);
        if let Some(own) = self.container_name(name) {
            reasons.push(format!(
                "service `{name}` has `container_name: {own}`, and two containers cannot have one name; remove it"
            ));
        }
        if let Some(mode) = service["network_mode"].as_str() {
            reasons.push(format!(
                "service `{name}` has `network_mode: {mode}`, where two containers cannot have the same port; give it networks"
            ));
        }
        if service["network_mode"].is_null() && !self.has_own_network(name) {
            reasons.push(format!(
                "service `{name}` is only in networks of other stacks, where its name may be another one's; add a network of \
                 its own"
            ));
        }
        reasons.extend(self.guests(name));
        let networks = service["networks"].as_object().into_iter().flatten();
        let is_fixed = |network: &Value| FIXED_ADDRESSES.iter().any(|key| !network[*key].is_null());
        if networks.into_iter().any(|(_, network)| is_fixed(network)) || !service["mac_address"].is_null() {
            reasons.push(format!("service `{name}` has a fixed address, which two containers cannot share; remove it"));
        }
        if !self.has_healthcheck(name) {
            reasons.push(format!(
                "service `{name}` has no `healthcheck` in the compose files, so that it is unknown when its new container is \
                 ready; add one"
            ));
        }
        if self.replicas(name) != 1 {
            reasons.push(format!(
                "service `{name}` has {} replicas, and only one can be replaced without downtime; set one, or \"recreate\"",
                self.replicas(name)
            ));
        }
        reasons.extend(self.written(name).into_iter().map(|volume| {
            format!(
                "service `{name}` can write {volume}, which two containers would write at a time; mount it read-only, or set \
                 \"recreate\""
            )
        }));
        reasons
    }

    fn port_refusals(&self, name: &str) -> Vec<String> {
        let ports: Vec<&Value> = self.service(name)["ports"].as_array().into_iter().flatten().collect();
        if ports.is_empty() {
            return vec![format!(
                "service `{name}` publishes no port, so that the proxy has none to take over; set \"recreate\""
            )];
        }
        let wrong = ports.into_iter().filter_map(|entry| {
            let published = entry["published"].as_str().map(str::to_owned).unwrap_or_default();
            let protocol = entry["protocol"].as_str().unwrap_or("tcp");
            let is_one = published.parse::<u16>().is_ok_and(|port| port > 0) && entry["target"].as_u64().is_some();
            match (is_one, protocol) {
                (true, "tcp") => None,
                (true, _) => Some(format!("port {published}/{protocol}, and the proxy moves TCP only")),
                (false, _) if published.is_empty() => {
                    Some("a port of the host that changes with each container".to_owned())
                }
                (false, _) => Some(format!("the range of ports {published}")),
            }
        });
        wrong
            .map(|what| format!("service `{name}` publishes {what}; publish single ports, or set \"recreate\""))
            .collect()
    }

    /// Returns the services that are in the network or the processes of this one's container.
    fn guests(&self, name: &str) -> Vec<String> {
        let host = format!("service:{name}");
        let uses = |service: &Value| ["network_mode", "ipc", "pid"].iter().any(|key| service[*key] == host.as_str());
        let guests = self.services_map().filter(|(_, service)| uses(service));
        guests
            .map(|(guest, _)| {
                format!("service `{guest}` is in the container of `{name}`, which is replaced; set \"recreate\"")
            })
            .collect()
    }

    /// Returns the volumes and folders that a service can write.
    fn written(&self, name: &str) -> Vec<String> {
        let mounts = self.service(name)["volumes"].as_array().into_iter().flatten();
        let kept = |mount: &&Value| mount["type"] != "tmpfs" && mount["read_only"] != true;
        let shown = |mount: &Value| match mount["source"].as_str() {
            Some(source) => format!("`{source}`"),
            None => format!("the volume at `{}`", mount["target"].as_str().unwrap_or_default()),
        };
        mounts.filter(kept).map(shown).collect()
    }
}
