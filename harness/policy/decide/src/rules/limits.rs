//! Can one service take the whole machine?

use serde_json::{Value, json};

use super::{Check, Hit, Rule, subject::Subject};
use stagegate_base::record::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "memory-limit-missing",
        severity: Severity::Info,
        title: "a service may take all memory",
        why: "a leak in it makes the kernel end other services, the database among them",
        fix: "set `deploy.resources.limits.memory`, a good part above what `docker stats` shows",
        check: Check::Service(memory),
    },
    Rule {
        id: "cpu-limit-missing",
        severity: Severity::Info,
        title: "a service may take all processors",
        why: "a busy loop in it slows every other service down, healthchecks too",
        fix: "set `deploy.resources.limits.cpus`",
        check: Check::Service(cpus),
    },
    Rule {
        id: "pids-limit-missing",
        severity: Severity::Info,
        title: "a service may start processes without end",
        why: "processes are counted for the whole machine: when they run out, nobody can log in to fix it",
        fix: "set `deploy.resources.limits.pids`",
        check: Check::Service(pids),
    },
];

fn memory(subject: &Subject) -> Vec<Hit> {
    hits(subject.memory_bytes > 0, "a memory limit", json!({"memory": "256M"}))
}

fn cpus(subject: &Subject) -> Vec<Hit> {
    hits(subject.cpus > 0.0, "a limit of processors", json!({"cpus": "1.0"}))
}

fn pids(subject: &Subject) -> Vec<Hit> {
    hits(subject.pids > 0, "a limit of processes", json!({"pids": 256}))
}

fn hits(is_limited: bool, expected: &str, limit: Value) -> Vec<Hit> {
    if is_limited {
        return Vec::new();
    }
    vec![Hit::new("deploy", expected, "none").with_fix(json!({"deploy": {"resources": {"limits": limit}}}))]
}
