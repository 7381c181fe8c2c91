//! A copy that runs the user's code and reaches nothing but itself: no host, no other network, no socket, no shared volume.
//!
//! A copy works on real data with the environment's own settings. Whatever those name (an address of the host, a port
//! that is published there, an external host) must not be there for it, or a rehearsal changes what is live.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Model;

/// The network on which the services of a copy meet. The host has no address on it, so nothing leads to the host.
pub const SEALED_NETWORK: &str = "stagegate-sealed";
/// The network by which the gate reaches those services of a copy that it has to. The copy's default route is not here.
// The name comes after the sealed network's: an Engine before 28 takes the default route from the first one by name.
pub const WAY_IN_NETWORK: &str = "stagegate-way-in";

/// What makes a service a part of the host, or of a container outside of the copy.
const OF_THE_HOST: [&str; 11] = [
    "privileged",
    "uts",
    "userns_mode",
    "cgroup",
    "cgroup_parent",
    "devices",
    "device_cgroup_rules",
    "external_links",
    "mac_address",
    "credential_spec",
    "use_api_socket",
];
/// Rights by which a process leaves its container or changes its routes.
const RIGHTS: [&str; 8] =
    ["ALL", "NET_ADMIN", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"];
/// Folders of the host in which sockets and the kernel's own files lie.
const FOLDERS: [&str; 5] = ["/run", "/var/run", "/proc", "/sys", "/dev"];

impl Model {
    /// Returns a copy of the model under the name `project` in which no service has a way out of the copy.
    ///
    /// The services in `asked` can be reached from this host; the others cannot, and have no address of it at all.
    /// What the host shares with a service is taken away: its network and process namespaces, devices, rights over it,
    /// sockets, and volumes that lie on a named folder or server.
    // Source: Docker manual, bridge driver: `inhibit_ipv4` gives the bridge no address. An internal network alone is no
    // wall: up to Engine 27 it has a default route to the host, and whatever listens there answers on every address.
    #[must_use]
    pub fn enclosed(&self, project: &str, requested: &BTreeSet<String>) -> Model {
        let all: BTreeSet<String> = self.services().into_iter().collect();
        let enclosed = self.changed(|name, service| {
            cut_off(service, &all);
            if !has_network_of_another(service, &all) {
                let aliases = aliases(name, service);
                let mut networks = json!({ SEALED_NETWORK: { "aliases": aliases, "priority": 1000 } });
                if requested.contains(name) {
                    networks[WAY_IN_NETWORK] = Value::Null;
                }
                service.insert("networks".to_owned(), networks);
                service.remove("network_mode");
            }
        });
        let mut model = enclosed.isolated(project);
        model.0["networks"] = json!({
            SEALED_NETWORK: {
                "internal": true,
                "enable_ipv6": false,
                "driver": "bridge",
                "driver_opts": { "com.docker.network.bridge.inhibit_ipv4": "true" },
            },
            WAY_IN_NETWORK: { "internal": true, "enable_ipv6": false },
        });
        model
    }

    /// Returns the model without the bind mounts of `sources`, paths of this host that hold sockets.
    #[must_use]
    pub fn without_binds(&self, sources: &BTreeSet<String>) -> Model {
        self.changed(|_, service| {
            retain(service, "volumes", |mount| {
                mount["type"] != "bind" || !mount["source"].as_str().is_some_and(|source| sources.contains(source))
            });
        })
    }

    /// Returns the model in which no service is a part of the host; networks are left as they are.
    #[must_use]
    pub fn cut_off(&self) -> Model {
        let all: BTreeSet<String> = self.services().into_iter().collect();
        self.changed(|_, service| cut_off(service, &all))
    }
}

/// Returns whether a service uses the network of another one of the copy, or none.
fn has_network_of_another(service: &Map<String, Value>, all: &BTreeSet<String>) -> bool {
    let mode = service.get("network_mode").and_then(Value::as_str).unwrap_or_default();
    mode == "none" || mode.strip_prefix("service:").is_some_and(|other| all.contains(other))
}

/// Returns the names by which the other services know this one.
fn aliases(name: &str, service: &Map<String, Value>) -> Vec<String> {
    let known = service.get("networks").and_then(Value::as_object).into_iter().flatten();
    let own = known.filter_map(|(_, network)| network["aliases"].as_array()).flatten().filter_map(Value::as_str);
    let fixed = service.get("container_name").and_then(Value::as_str);
    let names: BTreeSet<&str> = own.chain(fixed).chain([name]).collect();
    names.into_iter().map(str::to_owned).collect()
}

fn cut_off(service: &mut Map<String, Value>, all: &BTreeSet<String>) {
    for key in OF_THE_HOST {
        service.remove(key);
    }
    for key in ["pid", "ipc"] {
        let of = service.get(key).and_then(Value::as_str).unwrap_or_default();
        let is_outside = match of.split_once(':') {
            Some(("service", other)) => !all.contains(other),
            Some(_) => true,
            None => of == "host",
        };
        if is_outside {
            service.remove(key);
        }
    }
    retain(service, "cap_add", |right| {
        let right = right.as_str().unwrap_or_default().to_uppercase();
        !RIGHTS.contains(&right.trim_start_matches("CAP_"))
    });
    retain(service, "volumes_from", |from| !from.as_str().is_some_and(|from| from.starts_with("container:")));
    // `name=host-gateway`, or with a colon; a map in some versions of Compose.
    retain(service, "extra_hosts", |host| !host.as_str().is_some_and(|host| host.ends_with("host-gateway")));
    if let Some(hosts) = service.get_mut("extra_hosts").and_then(Value::as_object_mut) {
        hosts.retain(|_, address| !address.to_string().contains("host-gateway"));
    }
    retain(service, "volumes", |mount| match mount["type"].as_str() {
        Some("bind") => !is_of_the_host(mount["source"].as_str().unwrap_or_default()),
        Some("npipe" | "cluster") => false,
        _ => true,
    });
}

fn retain(service: &mut Map<String, Value>, key: &str, keep: impl Fn(&Value) -> bool) {
    if let Some(items) = service.get_mut(key).and_then(Value::as_array_mut) {
        items.retain(keep);
    }
}

/// Returns whether a path of the host holds sockets or files of the kernel, by its name.
fn is_of_the_host(source: &str) -> bool {
    let source = source.trim_end_matches('/');
    let is_below = |path: &str, folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let is_one = |folder: &str| source == folder || is_below(source, folder) || is_below(folder, source);
    // `/dev/null` in the place of a file is a usual way to hide it.
    source != "/dev/null"
        && (source.is_empty() || source.ends_with(".sock") || FOLDERS.iter().any(|folder| is_one(folder)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn one(service: &str) -> Model {
        Model::parse(&format!(r#"{{"name":"shop","services":{{"api":{service},"db":{{}}}}}}"#)).unwrap()
    }

    #[test]
    fn services_meet_on_a_network_without_the_host_and_only_those_that_are_requested_can_be_reached() {
        let model = Model::parse(
            r#"{"name":"shop","services":{
                "db":{"container_name":"thedb","networks":{"back":{"aliases":["database"],"ipv4_address":"172.28.0.9"}}},
                "migrate":{"network_mode":"host"},"side":{"network_mode":"service:db"},"alone":{"network_mode":"none"},
                "spy":{"network_mode":"container:shop-db-1"}},
              "networks":{"back":{"name":"shared","external":true},"default":{"ipam":{"config":[{"subnet":"172.28.0.0/16"}]}}}}"#,
        )
        .unwrap();
        let copy = model.enclosed("copy", &set(&["db"]));
        let sealed = |names: &[&str]| json!({ "aliases": names, "priority": 1000 });
        assert_eq!(copy.project(), "copy");
        let db = json!({ SEALED_NETWORK: sealed(&["database", "db", "thedb"]), WAY_IN_NETWORK: null });
        assert_eq!(copy.service("db")["networks"], db);
        for name in ["migrate", "spy"] {
            assert_eq!(copy.service(name)["networks"], json!({ SEALED_NETWORK: sealed(&[name]) }));
            assert_eq!(copy.service(name).get("network_mode"), None);
        }
        assert_eq!(copy.service("side")["network_mode"], "service:db");
        assert_eq!(copy.service("alone")["network_mode"], "none");
        let networks = copy.json()["networks"].as_object().unwrap();
        assert_eq!(networks.keys().collect::<Vec<_>>(), [SEALED_NETWORK, WAY_IN_NETWORK]);
        assert!(networks.values().all(|network| network["internal"] == true && network["enable_ipv6"] == false));
        assert_eq!(networks[SEALED_NETWORK]["driver_opts"]["com.docker.network.bridge.inhibit_ipv4"], "true");
    }

    #[rstest]
    #[case::privileged(r#"{"privileged":true}"#, "privileged")]
    #[case::pid(r#"{"pid":"host"}"#, "pid")]
    #[case::pid_of_a_container(r#"{"pid":"container:shop-db-1"}"#, "pid")]
    #[case::ipc(r#"{"ipc":"host"}"#, "ipc")]
    #[case::ipc_of_no_service(r#"{"ipc":"service:gone"}"#, "ipc")]
    #[case::devices(r#"{"devices":["/dev/sda:/dev/sda"]}"#, "devices")]
    #[case::links(r#"{"external_links":["shop-db-1:db"]}"#, "external_links")]
    #[case::uts(r#"{"uts":"host"}"#, "uts")]
    fn what_makes_a_service_a_part_of_the_host_is_taken_away(#[case] service: &str, #[case] key: &str) {
        assert_eq!(one(service).enclosed("copy", &set(&[])).service("api").get(key), None);
    }

    #[test]
    fn a_folder_with_a_socket_in_it_is_not_mounted() {
        let model = one(
            r#"{"volumes":[{"type":"bind","source":"/srv/pg","target":"/p"},{"type":"bind","source":"/srv/m","target":"/m"}]}"#,
        );
        let copy = model.without_binds(&set(&["/srv/pg"]));
        assert_eq!(copy.binds("api").len(), 1);
        assert_eq!(copy.binds("api")[0].target, "/m");
    }

    #[test]
    fn names_of_the_host_rights_over_it_and_its_sockets_are_taken_out_and_the_rest_stays() {
        let copy = one(
            r#"{"extra_hosts":["host.docker.internal=host-gateway","old:host-gateway","mail=10.0.0.9"],
                "cap_add":["NET_ADMIN","CAP_SYS_ADMIN","CHOWN"],"volumes_from":["container:shop-db-1","db:ro"],
                "ipc":"service:db",
                "volumes":[{"type":"bind","source":"/var/run/docker.sock","target":"/d"},
                    {"type":"bind","source":"/run/postgresql","target":"/p"},{"type":"bind","source":"/var","target":"/v"},
                    {"type":"bind","source":"/","target":"/host"},{"type":"bind","source":"/srv/x.sock","target":"/x"},
                    {"type":"bind","source":"/srv/running","target":"/r"},
                    {"type":"bind","source":"/dev/null","target":"/n"},{"type":"volume","source":"v","target":"/data"}]}"#,
        )
        .enclosed("copy", &set(&[]));
        let api = copy.service("api");
        assert_eq!(api["extra_hosts"], json!(["mail=10.0.0.9"]));
        assert_eq!(api["cap_add"], json!(["CHOWN"]));
        assert_eq!(api["volumes_from"], json!(["db:ro"]));
        assert_eq!(api["ipc"], "service:db");
        let targets: Vec<&str> =
            api["volumes"].as_array().unwrap().iter().filter_map(|v| v["target"].as_str()).collect();
        assert_eq!(targets, ["/r", "/n", "/data"]);
    }
}
