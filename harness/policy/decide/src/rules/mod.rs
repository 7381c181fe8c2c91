//! Audits a compose stack: its resolved files, and the containers that run from them.
//!
//! In: [`Facts`]. Out: [`Finding`]s, each of one [`Rule`] about one service. A rule about a service is asked of what
//! the file wants and of what each container has; what the file is already told for is not told again of a
//! container. No file is read and no container asked here, and no value of a variable is ever put into a finding.

mod container;
mod drift;
mod fix;
mod healthcheck;
mod host;
mod image;
mod inspected;
mod lifecycle;
mod limits;
mod mounts;
mod place;
mod ports;
mod report;
mod rights;
mod sarif;
mod secrets;
mod stack;
mod subject;
mod waiver;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

pub use container::Running;
pub use fix::lines_to_add;
pub use inspected::Image;
pub use place::SourceFile;
pub use report::{explained, json, text};
pub use sarif::sarif;
pub(crate) use secrets::is_from_an_example;
use stagegate_base::{compose::Model, record::Severity};
pub(crate) use subject::{Mount, Port, Subject};
pub use waiver::{WAIVERS_FILE, Waivers};

/// One thing that a stack should have, or should not.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name in reports and waivers: lowercase words and dashes.
    pub id: &'static str,
    /// How much it weighs where nobody says otherwise.
    pub severity: Severity,
    /// What is wrong where it fires.
    pub title: &'static str,
    /// What comes of it.
    pub why: &'static str,
    /// What to write instead.
    pub mend: &'static str,
    check: Check,
}

#[derive(Clone, Copy, Debug)]
enum Check {
    /// Of a service, as the file wants it and as a container has it.
    Service(fn(&Subject) -> Vec<Hit>),
    /// Of all that is known.
    Stack(fn(&Facts) -> Vec<Hit>),
    /// Of the waivers, once all else is known.
    Waivers,
}

/// Where a rule fired, as the rule tells it.
#[derive(Clone, Debug, PartialEq)]
struct Hit {
    service: String,
    expected: String,
    found: String,
    /// The key of the service at which it shows; empty for the service itself.
    key: &'static str,
    /// The lines to add to the service, where adding mends it.
    fix: Option<Value>,
    /// File and line, where the rule knows them itself.
    place: Option<Place>,
}

impl Hit {
    fn new(key: &'static str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let (expected, found) = (expected.into(), found.into());
        Hit { service: String::new(), expected, found, key, fix: None, place: None }
    }

    fn of(mut self, service: &str) -> Self {
        self.service = service.to_owned();
        self
    }

    fn with_fix(mut self, fix: Value) -> Self {
        self.fix = Some(fix);
        self
    }
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, as it was given.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
}

/// A rule that fired.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// How much it weighs here.
    pub severity: Severity,
    /// The service; empty where the whole stack is meant.
    pub service: String,
    /// The container, where only that has it and not the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// Where the file says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Why it was accepted, where a waiver covers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
    /// The lines to add to the service, where adding mends it.
    #[serde(skip)]
    fix: Option<Value>,
}

impl Finding {
    /// Returns its rule.
    #[must_use]
    pub fn rule(&self) -> Option<&'static Rule> {
        rule(self.rule)
    }

    /// Returns the service's name, or `stack`.
    #[must_use]
    pub fn subject(&self) -> &str {
        if self.service.is_empty() { "stack" } else { &self.service }
    }
}

/// What is known of a stack.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The resolved files; `None` where Compose refused them.
    pub model: Option<Model>,
    /// What Compose said where it refused them.
    pub refusal: Option<String>,
    /// The compose files themselves, in the order in which they are merged.
    pub files: Vec<SourceFile>,
    /// The services' images that this host has, by service.
    pub images: BTreeMap<String, Image>,
    /// Services that the configuration says run once; the files themselves say it of others.
    pub one_shots: BTreeSet<String>,
    /// The stack's containers; `None` where nobody looked.
    pub containers: Option<Vec<Running>>,
}

impl Facts {
    /// Tells whether the stack can be judged: Compose took its files, or refused them for what a rule names.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.model.is_some() || !stack::duplicate_keys(self).is_empty()
    }

    fn subjects(&self) -> Vec<Subject> {
        let Some(model) = &self.model else { return Vec::new() };
        let subject = |name: &String| {
            let subject = Subject::of_service(model, name, self.images.get(name));
            let is_oneshot = subject.is_oneshot || self.one_shots.contains(name);
            Subject { is_oneshot, ..subject }
        };
        model.services().iter().map(subject).collect()
    }

    /// Returns the services' own containers, which run once or on demand where the file says so.
    fn running(&self, subjects: &[Subject]) -> Vec<Running> {
        let own = self.containers.iter().flatten().filter(|container| !container.one_off);
        own.cloned()
            .map(|mut container| {
                if let Some(file) = subjects.iter().find(|file| file.service == container.subject.service) {
                    container.subject.is_oneshot |= file.is_oneshot;
                    container.subject.has_profile |= file.has_profile;
                }
                container
            })
            .collect()
    }
}

/// Lists the rules, in the order in which they are told.
#[must_use]
pub fn rules() -> Vec<&'static Rule> {
    let families: [&[Rule]; 12] = [
        healthcheck::RULES,
        lifecycle::RULES,
        limits::RULES,
        image::RULES,
        host::RULES,
        mounts::RULES,
        rights::RULES,
        ports::RULES,
        secrets::RULES,
        stack::RULES,
        drift::RULES,
        waiver::RULES,
    ];
    families.into_iter().flatten().collect()
}

/// Returns a rule by id.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    rules().into_iter().find(|rule| rule.id == id)
}

/// Returns the rule ids that are near to a mistyped one.
#[must_use]
pub fn nearest(id: &str) -> Option<&'static str> {
    let known: Vec<&'static str> = rules().iter().map(|rule| rule.id).collect();
    stagegate_base::suggest::closest(id, &known)
}

/// Asks every rule, and then the waivers which findings they cover on the day `today` (`2026-01-31`).
///
/// Findings come in the order of the services' names, and of the rules within one.
#[must_use]
pub fn audit(facts: &Facts, waivers: &Waivers, today: &str) -> Vec<Finding> {
    let subjects = facts.subjects();
    let running = facts.running(&subjects);
    let mut findings = Vec::new();
    for rule in rules() {
        match rule.check {
            Check::Stack(check) => findings.extend(check(facts).into_iter().map(|hit| finding(facts, rule, hit, None))),
            Check::Service(check) => findings.extend(of_services(facts, rule, check, &subjects, &running)),
            Check::Waivers => {}
        }
    }
    let told = waivers.applied(&mut findings, today, facts.containers.is_some());
    findings.extend(told.into_iter().map(|(rule, hit)| finding(facts, rule, hit, None)));
    findings.sort_by(|a, b| a.service.cmp(&b.service));
    findings
}

fn of_services(
    facts: &Facts,
    rule: &'static Rule,
    check: fn(&Subject) -> Vec<Hit>,
    subjects: &[Subject],
    running: &[Running],
) -> Vec<Finding> {
    let named = |subject: &Subject| check(subject).into_iter().map(|hit| hit.of(&subject.service)).collect::<Vec<_>>();
    let mut findings: Vec<Finding> =
        subjects.iter().flat_map(&named).map(|hit| finding(facts, rule, hit, None)).collect();
    let mut told: BTreeSet<String> = findings.iter().map(|finding| finding.service.clone()).collect();
    for container in running {
        let fresh = !told.contains(&container.subject.service);
        for hit in named(&container.subject).into_iter().filter(|_| fresh) {
            told.insert(hit.service.clone());
            let hit = Hit { fix: None, ..hit };
            findings.push(finding(facts, rule, hit, Some(container.name.clone())));
        }
    }
    findings
}

fn finding(facts: &Facts, rule: &'static Rule, hit: Hit, container: Option<String>) -> Finding {
    let place = hit.place.or_else(|| place::of(&facts.files, &hit.service, hit.key));
    Finding {
        rule: rule.id,
        severity: rule.severity,
        service: hit.service,
        container,
        expected: hit.expected,
        found: hit.found,
        place,
        waived: None,
        fix: hit.fix,
    }
}

#[cfg(test)]
mod tests;
