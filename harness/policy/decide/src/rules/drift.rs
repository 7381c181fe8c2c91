//! Do the containers have what the files want?
//!
//! What takes effect is compared, field by field. Compose's own label with the hash of a service's configuration is
//! not: it changes with Compose's version, and does not match `config --hash` (docker/compose#14001, #9214).

use std::collections::BTreeSet;

use super::{
    Check, Facts, Hit, Rule,
    container::Running,
    inspected::Image,
    subject::{Mount, Port, Subject},
};
use stagegate_base::{compose::short, record::Severity};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "drift",
    severity: Severity::Warning,
    title: "a running container is not what the file wants",
    why: "what was tested or reviewed is not what runs; the next `up` changes it, at a time that nobody chose",
    fix: "correct the file, then `gate up` or `docker compose up -d`",
    check: Check::Stack(drift),
}];

fn drift(facts: &Facts, subjects: &[Subject]) -> Vec<Hit> {
    let Some(containers) = facts.containers.as_ref().filter(|all| !all.is_empty()) else { return Vec::new() };
    let own: Vec<&Running> = containers.iter().filter(|container| !container.one_off).collect();
    let mut hits = Vec::new();
    for subject in subjects {
        let of: Vec<&&Running> = own.iter().filter(|c| c.subject.service == subject.service).collect();
        if of.is_empty() && !subject.has_profile && !subject.is_oneshot {
            hits.push(Hit::new("", "a container", "none").of(&subject.service));
        }
        for container in of {
            let image = facts.images.get(&subject.service);
            let reported = differences(subject, container, image);
            hits.extend(reported.into_iter().map(|(key, expected, found)| {
                Hit::new(key, expected, format!("{found} in {}", container.name)).of(&subject.service)
            }));
        }
    }
    for container in own.iter().filter(|c| !subjects.iter().any(|s| s.service == c.subject.service)) {
        let found = format!("{} of service `{}`", container.name, container.subject.service);
        hits.push(Hit::new("", "only containers of services in the files", found).of(&container.subject.service));
    }
    hits
}

/// A key of the service, what the file wants, and what the container has.
type Difference = (&'static str, String, String);

fn differences(file: &Subject, container: &Running, image: Option<&Image>) -> Vec<Difference> {
    let running = &container.subject;
    let mut all: Vec<Difference> = Vec::new();
    all.extend(of_image(file, container, image));
    all.extend(of_environment(file, running, image));
    all.extend(of_command(file, running, image));
    // The gate's own doing, and undone before users are let in.
    if !container.is_closed {
        all.extend(of_ports(&file.ports, &running.ports));
    }
    all.extend(of_mounts(file, running));
    all.extend(of_limits(file, running));
    let restart =
        |subject: &Subject| if subject.restart.is_empty() { "no".to_owned() } else { subject.restart.clone() };
    if restart(file) != restart(running) {
        all.push(("restart", restart(file), restart(running)));
    }
    if file.privileged != running.privileged {
        all.push(("privileged", file.privileged.to_string(), running.privileged.to_string()));
    }
    all
}

fn of_image(file: &Subject, container: &Running, image: Option<&Image>) -> Option<Difference> {
    let found = &container.image_id;
    match image {
        Some(image) if image.id != *found => {
            let name = if file.image.is_empty() { "what is built" } else { &file.image };
            Some(("image", format!("{name} ({})", short(&image.id)), short(found).to_owned()))
        }
        // An image that this host lost its name of: only the names are left to compare.
        None if !file.image.is_empty() && container.subject.image != file.image && *found != file.image => {
            Some(("image", file.image.clone(), container.subject.image.clone()))
        }
        _ => None,
    }
}

/// Values are compared and never told.
fn of_environment(file: &Subject, running: &Subject, image: Option<&Image>) -> Vec<Difference> {
    let mut reported = Vec::new();
    for (key, wanted) in &file.environment {
        match running.environment.get(key) {
            None => reported.push(("environment", format!("{key} set"), "not set".to_owned())),
            Some(value) if value != wanted => {
                reported.push(("environment", format!("{key} as in the file"), "another value".to_owned()));
            }
            Some(_) => {}
        }
    }
    let Some(image) = image else { return reported };
    let extra = running.environment.keys().filter(|key| !file.environment.contains_key(*key));
    for key in extra.filter(|key| !image.variables.contains(*key)) {
        reported.push(("environment", format!("{key} not set"), "set".to_owned()));
    }
    reported
}

/// Words may hold a password, so only the program and their number are reported.
fn of_command(file: &Subject, running: &Subject, image: Option<&Image>) -> Vec<Difference> {
    let shown = |words: &[String]| match words.split_first() {
        None => "no command".to_owned(),
        Some((program, rest)) => format!("`{program}` and {} arguments", rest.len()),
    };
    let mut reported = Vec::new();
    let of_image = || image.filter(|_| file.entrypoint.is_none()).map(|image| image.command.clone());
    let pairs = [
        ("command", file.command.clone().or_else(of_image), &running.command),
        ("entrypoint", file.entrypoint.clone(), &running.entrypoint),
    ];
    for (key, wanted, found) in pairs {
        let (Some(wanted), Some(found)) = (wanted, found) else { continue };
        if wanted != *found {
            let same = shown(&wanted) == shown(found);
            reported.push((key, shown(&wanted), if same { "other arguments".to_owned() } else { shown(found) }));
        }
    }
    reported
}

fn of_ports(wanted: &[Port], found: &[Port]) -> Option<Difference> {
    // Ports that the Engine chooses, singly or from a range, cannot be compared by number.
    let fixed = |ports: &[Port]| -> BTreeSet<String> {
        let open: BTreeSet<&Port> = wanted.iter().filter(|port| port.published.parse::<u16>().is_err()).collect();
        let chosen = |port: &Port| open.iter().any(|o| o.target == port.target && o.protocol == port.protocol);
        let line = |port: &Port| {
            let ip = if port.is_on_all_addresses() { "0.0.0.0" } else { &port.host_ip };
            format!("{ip}:{}:{}/{}", port.published, port.target, port.protocol)
        };
        ports.iter().filter(|port| !chosen(port)).map(line).collect()
    };
    let (wanted, found) = (fixed(wanted), fixed(found));
    (wanted != found).then(|| ("ports", listed(&wanted), listed(&found)))
}

fn of_mounts(file: &Subject, running: &Subject) -> Option<Difference> {
    let line = |mount: &Mount| {
        let mode = if mount.read_only { ":ro" } else { "" };
        format!("{}:{}{mode}", mount.source, mount.target)
    };
    let kept = |mount: &&Mount| {
        matches!(mount.kind.as_str(), "bind" | "volume")
            && !mount.source.is_empty()
            && !file.granted.contains(&mount.target)
    };
    let wanted: BTreeSet<String> = file.mounts.iter().filter(kept).map(line).collect();
    let found: BTreeSet<String> = running.mounts.iter().filter(kept).map(line).collect();
    let (missing, extra): (BTreeSet<_>, BTreeSet<_>) =
        (wanted.difference(&found).cloned().collect(), found.difference(&wanted).cloned().collect());
    (wanted != found).then(|| ("volumes", listed(&missing), listed(&extra)))
}

fn of_limits(file: &Subject, running: &Subject) -> Vec<Difference> {
    let mut reported = Vec::new();
    if file.memory_bytes != running.memory_bytes {
        reported.push(("deploy", format!("{} bytes of memory", file.memory_bytes), running.memory_bytes.to_string()));
    }
    if (file.cpus - running.cpus).abs() > 0.001 {
        reported.push(("deploy", format!("{} processors", file.cpus), running.cpus.to_string()));
    }
    if file.pids.max(0) != running.pids.max(0) {
        reported.push(("deploy", format!("{} processes", file.pids), running.pids.to_string()));
    }
    reported
}

fn listed(lines: &BTreeSet<String>) -> String {
    if lines.is_empty() { "none".to_owned() } else { lines.iter().cloned().collect::<Vec<_>>().join(", ") }
}
