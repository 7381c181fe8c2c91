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
        id: "anonymous-volume",
        severity: Severity::Warning,
        title: "data goes to a volume without a name",
        why: "a new container gets a new, empty one: the data seems lost, no backup finds it, and old ones fill the disk",
        fix: "mount a named volume at the path (`NAME:/path`), or a `tmpfs` where nothing needs to be kept",
        check: Check::Service(anonymous),
    },
];

const SOCKETS: [&str; 4] = ["/docker.sock", "/containerd.sock", "/podman.sock", "/crio.sock"];

fn is_socket(mount: &Mount) -> bool {
    mount.kind == "bind" && SOCKETS.iter().any(|socket| mount.source.ends_with(socket))
}

/// Returns a finding at the mount's own entry of the list.
fn hit(mount: &Mount, expected: &str) -> Hit {
    Hit::new("volumes", expected, shown(mount)).at_entry([mount.target.clone()])
}

fn socket(subject: &Subject) -> Vec<Hit> {
    let sockets = subject.mounts.iter().filter(|mount| is_socket(mount));
    sockets.map(|mount| hit(mount, "no engine socket")).collect()
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

fn is_sensitive(source: &str) -> bool {
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
    fn a_project_below_a_sensitive_folder_is_not_reported(#[case] source: &str, #[case] want: bool) {
        assert_eq!(super::is_sensitive(source), want);
    }
}
