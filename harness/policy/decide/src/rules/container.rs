//! What the Engine states of a container (`docker inspect`), in the shape that rules ask.

use serde_json::Value;
use stagegate_base::compose::CLOSED_LABEL;

use super::{
    inspected::{host_ip, list, tested, text, texts_by_key, variables},
    subject::{Mount, Port, Subject},
};

/// A container of the stack.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its name.
    pub name: String,
    pub(crate) one_off: bool,
    /// A promotion runs it without its ports until it is verified.
    pub(crate) is_closed: bool,
    pub(crate) image_id: String,
    pub(crate) subject: Subject,
}

impl Running {
    /// Reads the response of `docker container inspect`.
    #[must_use]
    pub fn of_inspect(container: &Value) -> Self {
        let (config, host) = (&container["Config"], &container["HostConfig"]);
        Running {
            name: text(&container["Name"]).trim_start_matches('/').to_owned(),
            one_off: config["Labels"]["com.docker.compose.oneoff"] == "True",
            is_closed: config["Labels"][CLOSED_LABEL] == "true",
            image_id: text(&container["Image"]),
            subject: Subject {
                service: text(&config["Labels"]["com.docker.compose.service"]),
                image: text(&config["Image"]),
                is_built: false,
                is_oneshot: has_ended(&container["State"]),
                may_end: false,
                is_client: false,
                has_profile: false,
                profiles: Vec::new(),
                container_name: None,
                healthcheck: tested(list(&config["Healthcheck"]["Test"])),
                restart: text(&host["RestartPolicy"]["Name"]),
                memory_bytes: host["Memory"].as_u64().unwrap_or_default(),
                cpus: cpus(host),
                pids: host["PidsLimit"].as_i64().unwrap_or_default(),
                log_driver: text(&host["LogConfig"]["Type"]),
                log_options: texts_by_key(&host["LogConfig"]["Config"]),
                privileged: host["Privileged"] == true,
                namespaces: NAMESPACES.into_iter().map(|(key, field)| (key, text(&host[field]))).collect(),
                mounts: mounts(&container["Mounts"]),
                devices: host["Devices"].as_array().into_iter().flatten().map(|one| text(&one["PathOnHost"])).collect(),
                device_cgroup_rules: list(&host["DeviceCgroupRules"]),
                granted: Vec::new(),
                image_volumes: Vec::new(),
                capabilities: list(&host["CapAdd"]),
                security_options: list(&host["SecurityOpt"]),
                ports: ports(&host["PortBindings"]),
                user: Some(text(&config["User"])),
                environment: variables(&config["Env"]),
                command: Some(list(&config["Cmd"])),
                entrypoint: Some(list(&config["Entrypoint"])),
            },
        }
    }
}

const NAMESPACES: [(&str, &str); 5] = [
    ("network_mode", "NetworkMode"),
    ("pid", "PidMode"),
    ("ipc", "IpcMode"),
    ("uts", "UTSMode"),
    ("userns_mode", "UsernsMode"),
];

/// A container that succeeded is one that runs once: it needs neither a healthcheck nor a restart.
fn has_ended(state: &Value) -> bool {
    state["Status"] == "exited" && state["ExitCode"] == 0
}

fn cpus(host: &Value) -> f64 {
    let nano = host["NanoCpus"].as_f64().unwrap_or_default() / 1e9;
    let (quota, period) = (host["CpuQuota"].as_f64().unwrap_or_default(), host["CpuPeriod"].as_f64());
    if nano > 0.0 { nano } else { quota.max(0.0) / period.filter(|p| *p > 0.0).unwrap_or(100_000.0) }
}

fn mounts(value: &Value) -> Vec<Mount> {
    let mount = |mount: &Value| {
        let kind = text(&mount["Type"]);
        let source = if kind == "volume" { named(&text(&mount["Name"])) } else { text(&mount["Source"]) };
        Mount { kind, source, target: text(&mount["Destination"]), read_only: mount["RW"] == false }
    };
    value.as_array().into_iter().flatten().map(mount).collect()
}

/// Returns a volume's name; empty where it is one of the Engine's own making, 64 hex digits.
fn named(volume: &str) -> String {
    let anonymous = volume.len() == 64 && volume.bytes().all(|b| b.is_ascii_hexdigit());
    if anonymous { String::new() } else { volume.to_owned() }
}

fn ports(value: &Value) -> Vec<Port> {
    let mut ports = Vec::new();
    for (port, bindings) in value.as_object().into_iter().flatten() {
        let (target, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        for binding in bindings.as_array().into_iter().flatten() {
            ports.push(Port {
                host_ip: host_ip(&binding["HostIp"]),
                published: text(&binding["HostPort"]),
                target: target.parse().unwrap_or_default(),
                protocol: protocol.to_owned(),
            });
        }
    }
    ports
}
