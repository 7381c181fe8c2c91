//! What of the host does a container see, and is what it writes kept under a name?

use super::{
    Check, Hit, Rule,
    subject::{Mount, Subject},
};
use stagegate_base::record::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "docker-socket",
        severity: Severity::Required,
        title: "the socket of the container engine is mounted",
        why: "whoever can write to it can start a privileged container: it is root on the machine, read-only mount or not",
        fix: "remove it, or put a proxy in between that allows only the needed requests; otherwise waive it with a reason",
        check: Check::Service(socket),
    },
    Rule {
        id: "sensitive-mount",
        severity: Severity::Warning,
        title: "a sensitive folder of the host is mounted",
        why: "keys, users, devices or other containers' data can be read there, and changed if the mount is writable",
        fix: "mount only the file or folder that is needed, read-only",
        check: Check::Service(sensitive),
    },
    Rule {
        id: "host-device",
        severity: Severity::Required,
        title: "a disk or the memory of the host is a device of a container",
        why: "whoever gets into it reads and writes every file of the machine, past all rights",
        fix: "remove it, or name the one device that is needed, such as `/dev/dri`; mount folders for files",
        check: Check::Service(devices),
    },
    Rule {
        id: "anonymous-volume",
        severity: Severity::Warning,
        title: "data goes to a volume without a name",
        why: "a new container gets a new, empty one: the data seems lost, no backup finds it, and old ones fill the disk",
        fix: "mount a named volume at the path (`NAME:/path`), or a `tmpfs` where nothing needs to be kept",
        check: Check::Service(anonymous),
    },
];

const SOCKETS: [&str; 4] = ["/docker.sock", "/containerd.sock", "/podman.sock", "/crio.sock"];

/// Folders in which the engine has its socket.
const FOLDERS_OF_SOCKETS: [&str; 2] = ["/run", "/var/run"];

fn is_socket(mount: &Mount) -> bool {
    let source = normal(&mount.source);
    mount.kind == "bind"
        && (SOCKETS.iter().any(|socket| source.ends_with(socket)) || FOLDERS_OF_SOCKETS.contains(&source.as_str()))
}

/// Returns a path of the host without what changes nothing in it: `//etc` and `/srv/../etc` are `/etc`.
fn normal(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Returns a finding at the mount's own entry of the list.
fn hit(mount: &Mount, expected: &str) -> Hit {
    Hit::new("volumes", expected, shown(mount)).at_entry([mount.target.clone()])
}

fn socket(subject: &Subject) -> Vec<Hit> {
    let name = subject.image.split(['@', ':']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let sockets = subject.mounts.iter().filter(|mount| is_socket(mount)).map(|mount| hit(mount, "no engine socket"));
    // What a proxy lets through is its configuration, which nobody reads here.
    sockets.map(|hit| if name.contains("socket-proxy") { hit.unknown() } else { hit }).collect()
}

fn sensitive(subject: &Subject) -> Vec<Hit> {
    let binds = subject.mounts.iter().filter(|mount| mount.kind == "bind" && !is_socket(mount));
    binds
        .filter(|mount| is_sensitive(&mount.source))
        .map(|mount| hit(mount, "no sensitive folder of the host"))
        .collect()
}

/// Whole folders that are sensitive themselves; what lies below them may be a project's own.
const FOLDERS: [&str; 17] = [
    "", "/etc", "/root", "/home", "/run", "/var", "/var/run", "/var/lib", "/usr", "/bin", "/sbin", "/lib", "/lib64",
    "/opt", "/srv", "/mnt", "/media",
];
/// Folders that are sensitive down to the last file.
const TREES: [&str; 10] = [
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/etc/ssh",
    "/etc/shadow",
    "/etc/sudoers",
    "/etc/docker",
];
/// Names of folders with a person's keys.
const KEYS: [&str; 5] = ["/.ssh", "/.aws", "/.docker", "/.kube", "/.gnupg"];

/// Devices with all that the host stores, by the begin of their names.
const DISKS: [&str; 12] = ["sd", "hd", "vd", "xvd", "nvme", "mmcblk", "md", "dm-", "mapper", "disk", "loop", "zd"];
const MEMORY: [&str; 3] = ["mem", "kmem", "port"];

fn devices(subject: &Subject) -> Vec<Hit> {
    let is_storage = |path: &&String| match normal(path).strip_prefix("/dev/") {
        Some(name) => MEMORY.contains(&name) || DISKS.iter().any(|disk| name.starts_with(disk)),
        None => normal(path) == "/dev",
    };
    let devices = subject.devices.iter().filter(is_storage);
    let of_path =
        devices.map(|path| Hit::new("devices", "no disk and no memory", path.clone()).at_entry([path.clone()]));
    // Source: kernel manual, "Device Whitelist Controller": `a` is every device, `b` those with blocks.
    let is_open = |rule: &&String| {
        let mut words = rule.split_whitespace();
        let kind = words.next();
        kind == Some("a") || kind == Some("b") && words.next().is_some_and(|number| number.starts_with('*'))
    };
    let rules = subject.device_cgroup_rules.iter().filter(is_open);
    let of_rule = rules.map(|rule| Hit::new("device_cgroup_rules", "no rule for every disk", format!("`{rule}`")));
    of_path.chain(of_rule).collect()
}

fn is_sensitive(source: &str) -> bool {
    let source = normal(source);
    let source = source.trim_end_matches('/');
    let below = |tree: &str| source.strip_prefix(tree).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_home = source.strip_prefix("/home/").is_some_and(|name| !name.contains('/'));
    let harmless = matches!(source, "/dev/null" | "/dev/zero" | "/dev/urandom");
    !harmless
        && (is_home
            || FOLDERS.contains(&source)
            || TREES.into_iter().any(below)
            || KEYS.iter().any(|name| source.ends_with(name) || source.contains(&format!("{name}/"))))
}

fn shown(mount: &Mount) -> String {
    format!("{} at {}{}", mount.source, mount.target, if mount.read_only { " (read-only)" } else { "" })
}

fn anonymous(subject: &Subject) -> Vec<Hit> {
    // Source: Docker manual, VOLUME: a path of the image gets a volume unless something is mounted exactly there.
    let declared = subject.image_volumes.iter().map(|path| path.trim_end_matches('/'));
    // The volume of a server's image is empty in a service that only uses its client programs.
    let uncovered =
        declared.filter(|path| !subject.is_client && !subject.mounts.iter().any(|mount| mount.target == *path));
    let nameless = subject.mounts.iter().filter(|mount| mount.kind == "volume" && mount.source.is_empty());
    let by_image = uncovered.map(|path| format!("the image declares {path}, and nothing is mounted there"));
    let by_file = nameless.map(|mount| format!("{} has a volume without a name", mount.target));
    by_file.chain(by_image).map(|found| Hit::new("volumes", "a named volume", found)).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};
    use stagegate_base::compose::Model;

    use super::*;

    #[rstest]
    #[case("/", true)]
    #[case("/etc", true)]
    #[case("/etc/localtime", false)]
    #[case("/etc/ssh/ssh_host_rsa_key", true)]
    #[case("/home/ann", true)]
    #[case("/home/ann/shop/web", false)]
    #[case("/home/ann/.ssh", true)]
    #[case("/root/shop/conf.d", false)]
    #[case("/var/lib/docker/volumes", true)]
    #[case("/var/lib/dockerish", false)]
    #[case("/srv/shop/data", false)]
    #[case("/dev/null", false)]
    #[case::doubled("//etc", true)]
    #[case::and_back("/srv/../etc/./", true)]
    #[case::a_volume("etc", false)]
    fn a_project_below_a_sensitive_folder_is_not_reported(#[case] source: &str, #[case] want: bool) {
        assert_eq!(super::is_sensitive(source), want);
    }

    #[rstest]
    #[case::a_file("/var/run/docker.sock", "web:1", &["docker-socket"])]
    #[case::its_folder("/var/run", "web:1", &["docker-socket"])]
    #[case::below_it("/run/lock", "web:1", &[])]
    #[case::of_a_proxy("/var/run/docker.sock", "ghcr.io/tecnativa/docker-socket-proxy:0.3", &[])]
    fn the_engines_socket_is_found_in_its_folder_and_a_proxys_is_a_note(
        #[case] source: &str,
        #[case] image: &str,
        #[case] want: &[&str],
    ) {
        let mount = json!([{"type": "bind", "source": source, "target": "/x"}]);
        assert_eq!(failing(json!({"image": image, "volumes": mount})), want);
    }

    #[rstest]
    #[case::a_disk(json!({"devices": ["/dev/sda:/dev/sda"]}), &["host-device"])]
    #[case::the_memory(json!({"devices": [{"source": "/dev/mem", "target": "/dev/mem", "permissions": "rwm"}]}), &["host-device"])]
    #[case::a_screen(json!({"devices": ["/dev/dri:/dev/dri"]}), &[])]
    #[case::every_device(json!({"device_cgroup_rules": ["a *:* rwm"]}), &["host-device"])]
    #[case::one_kind(json!({"device_cgroup_rules": ["c 189:* rmw"]}), &[])]
    fn a_disk_as_a_device_is_reported(#[case] service: Value, #[case] want: &[&str]) {
        assert_eq!(failing(service), want);
    }

    /// Returns the rules of mounts that report something of a service, notes left out.
    fn failing(service: Value) -> Vec<&'static str> {
        let model = json!({"name": "x", "services": {"web": service}}).to_string();
        let subject = Subject::of_service(&Model::parse(&model).unwrap(), "web", None);
        let reports = |rule: &&Rule| match rule.check {
            Check::Service(check) => check(&subject).iter().any(|hit| !hit.is_unknown),
            _ => false,
        };
        RULES.iter().filter(reports).map(|rule| rule.id).collect()
    }
}
