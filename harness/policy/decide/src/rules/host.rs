//! Is a container walled off from its host?

use super::{Check, Hit, Rule, subject::Subject};
use stagegate_base::record::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "privileged",
        severity: Severity::Required,
        title: "a container is privileged",
        why: "it has every capability and every device: whoever compromises it controls the machine",
        fix: "remove `privileged`; add the one capability or device that is needed (`cap_add`, `devices`)",
        check: Check::Service(privileged),
    },
    Rule {
        id: "host-network",
        severity: Severity::Warning,
        title: "a container is in the host's network",
        why: "it reaches what listens only on 127.0.0.1, every port of it is open, and environments of one machine collide",
        fix: "remove `network_mode: host` and publish the ports that are needed",
        check: Check::Service(|subject| shared(subject, "network_mode")),
    },
    Rule {
        id: "host-pid",
        severity: Severity::Warning,
        title: "a container sees the host's processes",
        why: "it reads the command lines and environments of all of them, and may end them",
        fix: "remove `pid: host`",
        check: Check::Service(|subject| shared(subject, "pid")),
    },
    Rule {
        id: "host-ipc",
        severity: Severity::Warning,
        title: "a container shares the host's memory segments",
        why: "it reads and changes shared memory of every other program, PostgreSQL's among them",
        fix: "remove `ipc: host`; raise `shm_size` where shared memory is short",
        check: Check::Service(|subject| shared(subject, "ipc")),
    },
    Rule {
        id: "host-uts",
        severity: Severity::Warning,
        title: "a container may rename the host",
        why: "with the host's UTS namespace it sets the machine's host name",
        fix: "remove `uts: host`; set `hostname` where one is needed",
        check: Check::Service(|subject| shared(subject, "uts")),
    },
    Rule {
        id: "host-userns",
        severity: Severity::Warning,
        title: "a container opts out of the user namespace",
        why: "if Docker remaps users, its root is the machine's root again",
        fix: "remove `userns_mode: host`",
        check: Check::Service(|subject| shared(subject, "userns_mode")),
    },
];

fn privileged(subject: &Subject) -> Vec<Hit> {
    if !subject.privileged {
        return Vec::new();
    }
    vec![Hit::new("privileged", "privileged: false", "privileged: true")]
}

fn shared(subject: &Subject, key: &'static str) -> Vec<Hit> {
    if subject.namespaces.get(key).is_none_or(|value| value != "host") {
        return Vec::new();
    }
    vec![Hit::new(key, "a namespace of its own", format!("{key}: host"))]
}
