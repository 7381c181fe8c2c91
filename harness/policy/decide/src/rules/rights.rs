//! May a process do more than it needs?

use serde_json::json;

use super::{Check, Hit, Rule, subject::Subject};
use stagegate_base::record::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "capability-added",
        severity: Severity::Warning,
        title: "a dangerous capability is added",
        why: "with it a process escapes the container's isolation, or reads and changes what belongs to the host",
        fix: "remove it from `cap_add`, or name the smaller one that is needed",
        check: Check::Service(capabilities),
    },
    Rule {
        id: "new-privileges",
        severity: Severity::Info,
        title: "processes may gain privileges",
        why: "a set-uid program inside the image makes any user root in the container",
        fix: "add `security_opt: [\"no-new-privileges:true\"]`",
        check: Check::Service(new_privileges),
    },
    Rule {
        id: "seccomp-unconfined",
        severity: Severity::Warning,
        title: "the filter of system calls is off",
        why: "system calls that Docker blocks because of earlier vulnerabilities are allowed",
        fix: "remove `seccomp:unconfined`, or name a profile that adds the one call that is needed",
        check: Check::Service(|subject| unconfined(subject, "seccomp")),
    },
    Rule {
        id: "apparmor-unconfined",
        severity: Severity::Warning,
        title: "AppArmor is off for a container",
        why: "nothing prevents it from writing to /proc and /sys if it has the capability",
        fix: "remove `apparmor:unconfined`, or name a profile",
        check: Check::Service(|subject| unconfined(subject, "apparmor")),
    },
    Rule {
        id: "user-root",
        severity: Severity::Info,
        title: "a service runs as root",
        why: "an exploit of it or of the kernel starts as root; files that it writes to mounts belong to root",
        fix: "set `user: \"UID:GID\"`; official database images start as root and step down by themselves: waive those",
        check: Check::Service(root),
    },
];

// Source: capabilities(7); those that change the kernel, other processes, devices, networks or any file.
const DANGEROUS: [&str; 17] = [
    "ALL",
    "SYS_ADMIN",
    "SYS_MODULE",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_BOOT",
    "SYS_TIME",
    "SYSLOG",
    "NET_ADMIN",
    "DAC_READ_SEARCH",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "AUDIT_CONTROL",
    "BPF",
    "PERFMON",
    "CHECKPOINT_RESTORE",
];

fn capabilities(subject: &Subject) -> Vec<Hit> {
    let plain = |name: &String| name.to_ascii_uppercase().trim_start_matches("CAP_").to_owned();
    let added = subject.capabilities.iter().map(plain).filter(|name| DANGEROUS.contains(&name.as_str()));
    added.map(|name| Hit::new("cap_add", "no dangerous capability", name)).collect()
}

fn new_privileges(subject: &Subject) -> Vec<Hit> {
    // Source: Docker manual: `no-new-privileges`, `no-new-privileges:true` and `no-new-privileges=true`.
    let is_set = |option: &String| {
        option.strip_prefix("no-new-privileges").is_some_and(|rest| matches!(rest, "" | ":true" | "=true"))
    };
    if subject.security_options.iter().any(is_set) {
        return Vec::new();
    }
    let fix = json!({"security_opt": ["no-new-privileges:true"]});
    vec![Hit::new("security_opt", "no-new-privileges:true", "not set").with_fix(fix)]
}

fn unconfined(subject: &Subject, profile: &str) -> Vec<Hit> {
    let is_off = |option: &&String| {
        option.strip_prefix(profile).is_some_and(|rest| matches!(rest, ":unconfined" | "=unconfined"))
    };
    let off = subject.security_options.iter().find(is_off);
    off.into_iter().map(|option| Hit::new("security_opt", format!("a {profile} profile"), option.clone())).collect()
}

fn root(subject: &Subject) -> Vec<Hit> {
    let found = match subject.user.as_deref() {
        None => "`user` is not set, and the image is not on this host to be inspected",
        Some("") => "`user` is set neither in the file nor in the image",
        Some(user) if matches!(user.split(':').next(), Some("root" | "0")) => "root",
        Some(_) => return Vec::new(),
    };
    vec![Hit::new("user", "a user without rights on the host", found)]
}
