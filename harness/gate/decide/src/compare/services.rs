//! Versions, configuration, flags, times, resources, suites: what can be reported of each service.

use std::collections::{BTreeMap, BTreeSet};

use super::{Row, Rules, Section, ServiceSide, Side, record};
use stagegate_base::{
    compose::short,
    finding::Finding,
    record::{Outcome, Record, Severity},
    redact::{Secret, names_a_secret},
    text,
    units::Size,
};

const NOTHING: &str = "-";

fn names<'a>(a: &'a Side, b: &'a Side) -> BTreeSet<&'a String> {
    a.services.keys().chain(b.services.keys()).collect()
}

/// Reports release, images, versions, commits; asks that every service of the target is in the source, too.
pub(super) fn versions(a: &Side, b: &Side, rules: Rules<'_>) -> (Vec<Row>, Vec<Record>) {
    let release = |side: &Side| side.release.as_ref().map_or("unknown".to_owned(), |release| release.name.clone());
    let mut rows = vec![Row::new(Section::Versions, "release", release(a), release(b))];
    for name in names(a, b) {
        let text_of = |side: &Side, what: fn(&ServiceSide) -> Option<String>| {
            side.services.get(name).and_then(what).unwrap_or_else(|| NOTHING.to_owned())
        };
        let mut add = |what: &str, of: fn(&ServiceSide) -> Option<String>| {
            let (left, right) = (text_of(a, of), text_of(b, of));
            if what == "image" || left != NOTHING || right != NOTHING {
                rows.push(Row::new(Section::Versions, format!("{name} {what}"), left, right));
            }
        };
        add("image", |s| s.image.as_deref().map(|image| short(image).to_owned()));
        add("version", |s| s.version.as_ref().map(|v| v.clone().unwrap_or_else(|why| format!("no response: {why}"))));
        add("commit", |s| s.commit.clone());
    }
    let lacking: Vec<&String> = names(a, b).into_iter().filter(|name| runs(b, name) && !runs(a, name)).collect();
    let outcome = match lacking.as_slice() {
        [] => Outcome::Pass(format!("all services running in `{}` also run in `{}`", b.environment, a.environment)),
        lacking => Outcome::fail(format!(
            "{} runs in `{}` but not in `{}`, so it was not tested there",
            lacking.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            b.environment,
            a.environment
        )),
    };
    (rows, vec![record(a, rules, "stack", "services", Severity::Warning, outcome)])
}

fn runs(side: &Side, name: &str) -> bool {
    side.services.get(name).is_some_and(|service| service.image.is_some())
}

/// Reports the variables that differ or are on one side only; asks that the target misses none.
pub(super) fn configuration(a: &Side, b: &Side, rules: Rules<'_>) -> (Vec<Row>, Vec<Record>) {
    let is_flag = |key: &str| rules.config.compare.flags.iter().any(|pattern| fits(pattern, key));
    let mut rows = variables("env files", &a.variables, &b.variables);
    let mut records = vec![judged(a, b, rules, "env_files", &a.variables, &b.variables)];
    let empty = ServiceSide::default();
    for name in names(a, b) {
        let (left, right) = (a.services.get(name).unwrap_or(&empty), b.services.get(name).unwrap_or(&empty));
        rows.extend(variables(name, &left.variables, &right.variables));
        if a.services.contains_key(name) && b.services.contains_key(name) {
            records.push(judged(a, b, rules, name, &left.variables, &right.variables));
        }
    }
    rows.retain(|row| !row.thing.rsplit(' ').next().is_some_and(is_flag));
    (rows, records)
}

/// Reports the variables that switch features, equal ones too.
pub(super) fn flags(a: &Side, b: &Side, rules: Rules<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    let empty = ServiceSide::default();
    for name in names(a, b) {
        let (left, right) = (a.services.get(name).unwrap_or(&empty), b.services.get(name).unwrap_or(&empty));
        let keys: BTreeSet<&String> = left.variables.keys().chain(right.variables.keys()).collect();
        for key in keys.into_iter().filter(|key| rules.config.compare.flags.iter().any(|p| fits(p, key))) {
            let value = |side: &ServiceSide| value_text(key, side.variables.get(key));
            rows.push(Row::new(Section::Flags, format!("{name} {key}"), value(left), value(right)));
        }
    }
    rows
}

fn variables(owner: &str, a: &BTreeMap<String, Secret>, b: &BTreeMap<String, Secret>) -> Vec<Row> {
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let row = |key: &String| {
        let (left, right) = (a.get(key), b.get(key));
        let thing = format!("{owner} {key}");
        Row {
            differs: left != right,
            ..Row::new(Section::Configuration, thing, value_text(key, left), value_text(key, right))
        }
    };
    keys.into_iter().filter(|key| a.get(*key) != b.get(*key)).map(row).collect()
}

fn value_text(key: &str, value: Option<&Secret>) -> String {
    match value {
        None => NOTHING.to_owned(),
        Some(value) if value.expose().is_empty() => "\"\"".to_owned(),
        Some(_) if names_a_secret(key) => "***".to_owned(),
        Some(value) => value.expose().to_owned(),
    }
}

/// Asks that what is set in the source is set in the target: a key that is forgotten there is a release that fails.
fn judged(
    a: &Side,
    b: &Side,
    rules: Rules<'_>,
    owner: &str,
    left: &BTreeMap<String, Secret>,
    right: &BTreeMap<String, Secret>,
) -> Record {
    let has = |value: Option<&Secret>| value.is_some_and(|value| !value.expose().is_empty());
    let missing: Vec<Finding> = left
        .iter()
        .filter(|(key, value)| has(Some(value)) && !has(right.get(*key)))
        .map(|(key, _)| {
            Finding::differs(
                format!("{owner} {key}"),
                format!("set, as in `{}`", a.environment),
                format!("not set in `{}`", b.environment),
            )
        })
        .collect();
    let outcome = match missing.first() {
        None => Outcome::Pass(format!("`{}` sets all of {}", b.environment, text::counted(left.len(), "key"))),
        Some(_) => Outcome::Fail {
            message: format!(
                "{} of {} not set in `{}`",
                missing.len(),
                text::counted(left.len(), "key"),
                b.environment
            ),
            findings: missing,
            evidence: Vec::new(),
            hint: Some(format!("set them for `{}`, or remove them from `{}`", b.environment, a.environment)),
        },
    };
    record(a, rules, owner, "configuration", Severity::Warning, outcome)
}

/// Returns whether `pattern`, in which `*` stands for any text, fits the whole of `key`.
pub(super) fn fits(pattern: &str, key: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| key.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// Reports the times of responses of both sides, asked in turns.
pub(super) fn performance(a: &Side, b: &Side) -> Vec<Row> {
    let probes: BTreeSet<&String> = a.times.keys().chain(b.times.keys()).collect();
    let text_of = |side: &Side, probe: &String| match side.times.get(probe) {
        None => NOTHING.to_owned(),
        Some(Err(why)) => format!("not measured: {why}"),
        Some(Ok(t)) => {
            format!("p50 {:.2} ms, p95 {:.2} ms ({})", t.p50_ms, t.p95_ms, text::counted(t.count, "response"))
        }
    };
    probes
        .into_iter()
        .map(|probe| Row::new(Section::Performance, probe, text_of(a, probe), text_of(b, probe)))
        .collect()
}

/// Reports CPU and memory of each service.
pub(super) fn resources(a: &Side, b: &Side) -> Vec<Row> {
    let text_of = |side: &Side, name: &String| {
        let service = side.services.get(name)?;
        let cpu = service.cpu_percent.map(|cpu| format!("{cpu:.1} % CPU"));
        let memory = service.memory_bytes.map(|bytes| Size(bytes).to_string());
        let all: Vec<String> = cpu.into_iter().chain(memory).collect();
        (!all.is_empty()).then(|| all.join(", "))
    };
    let row = |name| {
        let (left, right) = (text_of(a, name), text_of(b, name));
        let or = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
        (left.is_some() || right.is_some()).then(|| Row::new(Section::Resources, name, or(left), or(right)))
    };
    names(a, b).into_iter().filter_map(row).collect()
}

/// Reports how each suite went on both sides.
pub(super) fn suites(a: &Side, b: &Side) -> Vec<Row> {
    let (left, right) = (by_suite(&a.records), by_suite(&b.records));
    let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let text_of = |side: &BTreeMap<String, String>, name| side.get(name).cloned().unwrap_or_else(|| NOTHING.to_owned());
    names.into_iter().map(|name| Row::new(Section::Suites, name, text_of(&left, name), text_of(&right, name))).collect()
}

fn by_suite(records: &[Record]) -> BTreeMap<String, String> {
    use stagegate_base::record::Status;
    let mut all: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    for record in records {
        let suite = record.trial.split("::").next().unwrap_or_default().to_owned();
        let column = match record.status {
            Status::Pass => 0,
            Status::Fail => 1,
            Status::Skip => 2,
            Status::Broken => 3,
        };
        all.entry(suite).or_default()[column] += 1;
    }
    let text_of = |counts: [usize; 4]| {
        let words = ["passed", "failed", "skipped", "broken"];
        let parts = counts.iter().zip(words).filter(|(count, _)| **count > 0);
        parts.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
    };
    all.into_iter().map(|(suite, counts)| (suite, text_of(counts))).collect()
}
