//! A service, as a file wants it or as a container has it: one shape, so that one rule serves both.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::Value;

use super::inspected::{Healthcheck, Image, host_ip, list, tested, text, texts_by_key};
use stagegate_base::{
    compose::{Model, unescaped},
    lifetime::Lifetime,
    redact::Secret,
};

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// `bind`, `volume`, `tmpfs`, ...
    pub(crate) kind: String,
    /// The host's path or the volume's name; empty for an anonymous volume.
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) read_only: bool,
}

/// A port that the host opens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    /// Empty for every address of the host; `0.0.0.0` and `::` stand for those of one family.
    pub(crate) host_ip: String,
    /// Empty for one that the Engine chooses.
    pub(crate) published: String,
    pub(crate) target: u64,
    pub(crate) protocol: String,
}

impl Port {
    /// Returns whether only one of two ports can be published at a time.
    pub(crate) fn collides(&self, other: &Port) -> bool {
        self.shares_addresses(other)
            && self.protocol == other.protocol
            && self.published == other.published
            && self.is_one()
    }

    /// Returns whether two ports are of one address at least.
    // Source: Docker manual, "Port publishing": `0.0.0.0` and `[::]` are published side by side.
    fn shares_addresses(&self, other: &Port) -> bool {
        if self.host_ip == other.host_ip || self.host_ip.is_empty() || other.host_ip.is_empty() {
            return true;
        }
        let (Some(own), Some(others)) = (self.address(), other.address()) else { return false };
        own == others || own.is_ipv4() == others.is_ipv4() && (own.is_unspecified() || others.is_unspecified())
    }

    fn address(&self) -> Option<IpAddr> {
        self.host_ip.parse().ok()
    }

    /// Returns whether every address of the host opens it, or every one of a family.
    pub(crate) fn is_on_all_addresses(&self) -> bool {
        self.host_ip.is_empty() || self.address().is_some_and(|ip| ip.is_unspecified())
    }

    /// Returns whether one port is named: of a range the Engine takes one that is free.
    pub(crate) fn is_one(&self) -> bool {
        self.published.parse::<u16>().is_ok_and(|number| number > 0)
    }

    /// Returns whether only this machine reaches it.
    pub(crate) fn is_loopback(&self) -> bool {
        self.address().is_some_and(|ip| ip.is_loopback())
    }

    pub(crate) fn shown(&self) -> String {
        let ip = match self.host_ip.as_str() {
            "" => "0.0.0.0".to_owned(),
            six if six.contains(':') => format!("[{six}]"),
            four => four.to_owned(),
        };
        let published = if self.published.is_empty() { "any port" } else { &self.published };
        format!("{ip}:{published} to {}/{}", self.target, self.protocol)
    }
}

/// A service.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) service: String,
    /// Reference, or id where it is pinned; empty where it is only built.
    pub(crate) image: String,
    pub(crate) is_built: bool,
    /// Runs once and ends.
    pub(crate) is_oneshot: bool,
    /// Nobody is served by it, and its restart policy lets it end.
    pub(crate) may_end: bool,
    /// Has a data server's image for its client programs alone.
    pub(crate) is_client: bool,
    /// Started only when asked for.
    pub(crate) has_profile: bool,
    pub(crate) profiles: Vec<String>,
    pub(crate) container_name: Option<String>,
    pub(crate) healthcheck: Healthcheck,
    /// `no`, `always`, `unless-stopped`, `on-failure`; empty where nothing is said.
    pub(crate) restart: String,
    pub(crate) memory_bytes: u64,
    pub(crate) cpus: f64,
    pub(crate) pids: i64,
    pub(crate) log_driver: String,
    pub(crate) log_options: BTreeMap<String, String>,
    pub(crate) privileged: bool,
    /// By compose key: `network_mode`, `pid`, `ipc`, `uts`, `userns_mode`.
    pub(crate) namespaces: BTreeMap<&'static str, String>,
    pub(crate) mounts: Vec<Mount>,
    /// Paths of the host's devices.
    pub(crate) devices: Vec<String>,
    pub(crate) device_cgroup_rules: Vec<String>,
    /// Mount points of secrets and configs.
    pub(crate) granted: Vec<String>,
    /// Paths that the image declares as volumes.
    pub(crate) image_volumes: Vec<String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) security_options: Vec<String>,
    pub(crate) ports: Vec<Port>,
    /// As it takes effect: the image's where the file states nothing; `None` where the image is not known either.
    pub(crate) user: Option<String>,
    pub(crate) environment: BTreeMap<String, Secret>,
    pub(crate) command: Option<Vec<String>>,
    pub(crate) entrypoint: Option<Vec<String>>,
}

impl Subject {
    /// Reads a service of the resolved model; `image` is its image where this host has it.
    pub(crate) fn of_service(model: &Model, name: &str, image: Option<&Image>) -> Self {
        let service = &model.json()["services"][name];
        let lifetime = Lifetime::of_model(model, name);
        let limits = &service["deploy"]["resources"]["limits"];
        Subject {
            service: name.to_owned(),
            image: text(&service["image"]),
            is_built: model.is_built(name),
            is_oneshot: lifetime == Lifetime::OneShot,
            may_end: lifetime == Lifetime::MayEnd,
            is_client: model.is_data_client(name),
            has_profile: model.has_profile(name),
            profiles: list(&service["profiles"]),
            container_name: service["container_name"].as_str().map(str::to_owned),
            healthcheck: healthcheck(&service["healthcheck"], image),
            restart: restart(service),
            memory_bytes: number(&limits["memory"]).or_else(|| number(&service["mem_limit"])).unwrap_or(0.0) as u64,
            cpus: number(&limits["cpus"]).or_else(|| number(&service["cpus"])).unwrap_or_else(|| quota(service)),
            pids: number(&limits["pids"]).or_else(|| number(&service["pids_limit"])).unwrap_or(0.0) as i64,
            log_driver: text(&service["logging"]["driver"]),
            log_options: texts_by_key(&service["logging"]["options"]),
            privileged: service["privileged"] == true,
            namespaces: ["network_mode", "pid", "ipc", "uts", "userns_mode"]
                .into_iter()
                .map(|key| (key, text(&service[key])))
                .collect(),
            mounts: mounts(model, service),
            devices: devices(&service["devices"]),
            device_cgroup_rules: list(&service["device_cgroup_rules"]),
            granted: granted(service),
            image_volumes: image.map(|image| image.volumes.clone()).unwrap_or_default(),
            capabilities: list(&service["cap_add"]),
            security_options: list(&service["security_opt"]),
            ports: ports(&service["ports"]),
            user: service["user"].as_str().map(str::to_owned).or_else(|| image.map(|image| image.user.clone())),
            environment: environment(&service["environment"]),
            command: service["command"].as_array().map(|_| words(&service["command"])),
            entrypoint: service["entrypoint"].as_array().map(|_| words(&service["entrypoint"])),
        }
    }
}

impl Subject {
    /// Returns whether it does its work and ends: nothing restarts it, and nobody waits for it to become healthy.
    pub(crate) fn is_job(&self) -> bool {
        // With a healthcheck of its image it serves somebody.
        self.is_oneshot || self.may_end && !matches!(self.healthcheck, Healthcheck::Test(_))
    }
}

/// Compose writes numbers as numbers or as texts, by key.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn quota(service: &Value) -> f64 {
    let period = number(&service["cpu_period"]).filter(|p| *p > 0.0).unwrap_or(100_000.0);
    number(&service["cpu_quota"]).map_or(0.0, |quota| quota.max(0.0) / period)
}

fn words(value: &Value) -> Vec<String> {
    list(value).iter().map(|word| unescaped(word)).collect()
}

fn healthcheck(check: &Value, image: Option<&Image>) -> Healthcheck {
    if check["disable"] == true {
        return Healthcheck::Off;
    }
    match words(&check["test"]) {
        test if test.is_empty() => image.map_or(Healthcheck::Unknown, |image| image.healthcheck.clone()),
        test => tested(test),
    }
}

fn restart(service: &Value) -> String {
    let printed = text(&service["restart"]);
    if !printed.is_empty() {
        return printed.split(':').next().unwrap_or_default().to_owned();
    }
    // Source: Compose 2.26, `getRestartPolicy`: `deploy.restart_policy` counts where `restart` is not there.
    match service["deploy"]["restart_policy"]["condition"].as_str() {
        Some("none") => "no".to_owned(),
        Some("on-failure") => "on-failure".to_owned(),
        Some(_) => "always".to_owned(),
        None => String::new(),
    }
}

fn mounts(model: &Model, service: &Value) -> Vec<Mount> {
    let named = |mount: &Value| {
        let source = text(&mount["source"]);
        if mount["type"] == "volume" { volume(model, &source) } else { source }
    };
    let volumes = service["volumes"].as_array().into_iter().flatten().map(|mount| {
        let target = text(&mount["target"]).trim_end_matches('/').to_owned();
        let read_only = mount["read_only"] == true;
        match bound_by_driver(model, mount) {
            Some((source, by_options)) => {
                Mount { kind: "bind".to_owned(), source, target, read_only: read_only || by_options }
            }
            None => Mount { kind: text(&mount["type"]), source: named(mount), target, read_only },
        }
    });
    let tmpfs = list(&service["tmpfs"]).into_iter().map(|line| Mount {
        kind: "tmpfs".to_owned(),
        source: String::new(),
        target: line.split(':').next().unwrap_or_default().to_owned(),
        read_only: false,
    });
    volumes.chain(tmpfs).collect()
}

/// A device is a map where Compose resolved it, and else a text `HOST:CONTAINER:RIGHTS`.
fn devices(value: &Value) -> Vec<String> {
    let one = |device: &Value| match device {
        Value::String(text) => text.split(':').next().unwrap_or_default().to_owned(),
        map => text(&map["source"]),
    };
    value.as_array().into_iter().flatten().map(one).collect()
}

/// Returns the folder of the host that a named volume is, and whether its options make it read-only.
// Source: Docker manual, "Create a volume using a volume driver": `local` hands `type`, `o` and `device` to mount(8).
fn bound_by_driver(model: &Model, mount: &Value) -> Option<(String, bool)> {
    let volume = &model.json()["volumes"][mount["source"].as_str().filter(|_| mount["type"] == "volume")?];
    let options = &volume["driver_opts"];
    let is_local = matches!(volume["driver"].as_str(), None | Some("local"));
    let flags = text(&options["o"]);
    let has = |names: &[&str]| flags.split(',').any(|flag| names.contains(&flag.trim()));
    let device = text(&options["device"]);
    (is_local && has(&["bind", "rbind"]) && device.starts_with('/')).then(|| (device, has(&["ro"])))
}

/// Returns a volume's name on the host; empty for one without a key.
fn volume(model: &Model, key: &str) -> String {
    let volume = &model.json()["volumes"][key];
    match volume["name"].as_str() {
        Some(name) => name.to_owned(),
        None if key.is_empty() || volume["external"] == true => key.to_owned(),
        // A model of ours leaves the name to Compose, which puts the project's before the key.
        None => format!("{}_{key}", model.project()),
    }
}

/// Source: compose-spec, `secrets` and `configs`: without a target they are at `/run/secrets/NAME` and `/NAME`.
fn granted(service: &Value) -> Vec<String> {
    let of = |key: &str, folder: &str| {
        let all = service[key].as_array().cloned().unwrap_or_default();
        all.iter()
            .map(|entry| match entry["target"].as_str() {
                Some(target) if target.starts_with('/') => target.to_owned(),
                Some(name) => format!("{folder}{name}"),
                None => format!("{folder}{}", text(&entry["source"])),
            })
            .collect::<Vec<_>>()
    };
    [of("secrets", "/run/secrets/"), of("configs", "/")].concat()
}

fn ports(value: &Value) -> Vec<Port> {
    let port = |port: &Value| Port {
        host_ip: host_ip(&port["host_ip"]),
        published: text(&port["published"]),
        target: port["target"].as_u64().unwrap_or_default(),
        protocol: port["protocol"].as_str().unwrap_or("tcp").to_owned(),
    };
    value.as_array().into_iter().flatten().map(port).collect()
}

fn environment(value: &Value) -> BTreeMap<String, Secret> {
    let pairs = value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    pairs.map(|(key, value)| (key.clone(), Secret::new(unescaped(&text(value))))).collect()
}
