//! Does a service come back after a crash, and does its log stay small?

use serde_json::json;

use super::{Check, Hit, Rule, subject::Subject};
use stagegate_base::record::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "restart-missing",
        severity: Severity::Info,
        title: "a service that keeps running has no restart policy",
        why: "after a crash, or a restart of the machine or of Docker, it stays down until somebody starts it",
        fix: "add `restart: unless-stopped`; a service that others wait for with `service_completed_successfully` needs none",
        check: Check::Service(restart),
    },
    Rule {
        id: "log-rotation-missing",
        severity: Severity::Info,
        title: "the log of a service grows without end",
        // Source: Docker manual, "Configure logging drivers": json-file does not rotate unless told; `local` does.
        why: "the driver json-file keeps every line; the disk fills, and with it every service of the machine stops",
        fix: "set `logging.options.max-size` and `max-file`, or use the driver `local`, which rotates by itself",
        check: Check::Service(log_rotation),
    },
];

fn restart(subject: &Subject) -> Vec<Hit> {
    if subject.is_job() || subject.has_profile || !matches!(subject.restart.as_str(), "" | "no") {
        return Vec::new();
    }
    let found = if subject.restart.is_empty() { "none" } else { "`no`" };
    let hit = Hit::new("restart", "a restart policy", found);
    vec![hit.with_fix(json!({"restart": "unless-stopped"}))]
}

fn log_rotation(subject: &Subject) -> Vec<Hit> {
    let unbounded = matches!(subject.log_driver.as_str(), "" | "json-file");
    if !unbounded || subject.log_options.contains_key("max-size") {
        return Vec::new();
    }
    let driver = if subject.log_driver.is_empty() { "json-file (the default)" } else { "json-file" };
    let fix = json!({"logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}});
    vec![Hit::new("logging", "logging.options.max-size", format!("driver {driver} without max-size")).with_fix(fix)]
}
