//! Audits a compose stack: its resolved files, and the containers that run from them.
//!
//! In: [`Facts`]. Out: [`Finding`]s, each of one [`Rule`] about one service. A rule about a service is asked of what
//! the file wants and of what each container has; what the file is already told for is not told again of a
//! container. No file is read and no container asked here, and no value of a variable is ever put into a finding.

mod container;
mod drift;
mod exit_code;
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
mod secret_options;
mod secret_words;
mod secrets;
mod stack;
mod subject;
mod waiver;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use container::Running;
pub use fix::lines_to_add;
pub use inspected::Image;
use place::IndexedFile;
pub use place::SourceFile;
pub use report::{explained, report};
pub(crate) use secret_words::is_from_an_example;
pub use stagegate_base::finding::Finding;
use stagegate_base::{compose::Model, finding, record::Severity, waiver::Waivers};
pub(crate) use subject::{Mount, Port, Subject};

/// One thing that a stack should have, or should not.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name in reports and waivers: lowercase words and dashes.
    pub id: &'static str,
    /// How much it weighs where nobody states otherwise.
    pub severity: Severity,
    /// What is wrong where it fires.
    pub title: &'static str,
    /// What comes of it.
    pub why: &'static str,
    /// What to write instead.
    pub fix: &'static str,
    check: Check,
}

#[derive(Clone, Copy, Debug)]
enum Check {
    /// Of a service, as the file wants it and as a container has it.
    Service(fn(&Subject) -> Vec<Hit>),
    /// Of all that is known.
    Stack(fn(&Facts, &[Subject]) -> Vec<Hit>),
    /// Of the waivers, once all else is known.
    Waivers,
}

/// Where a rule fired, as the rule reports it.
#[derive(Clone, Debug, PartialEq)]
struct Hit {
    service: String,
    expected: String,
    found: String,
    /// The key of the service at which it shows; empty for the service itself.
    key: &'static str,
    /// The lines to add to the service, where adding fixes it.
    fix: Option<Value>,
    /// Whether it holds could not be found out: a note, whatever the rule's severity is.
    is_unknown: bool,
    /// Texts that the entry of the list at `key` has, such as the two numbers of a port.
    entry: Vec<String>,
    /// File and line, where the rule knows them itself.
    place: Option<SourceLine>,
}

impl Hit {
    fn new(key: &'static str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let (expected, found) = (expected.into(), found.into());
        Hit {
            service: String::new(),
            expected,
            found,
            key,
            fix: None,
            is_unknown: false,
            entry: Vec::new(),
            place: None,
        }
    }

    fn of(mut self, service: &str) -> Self {
        self.service = service.to_owned();
        self
    }

    fn unknown(mut self) -> Self {
        self.is_unknown = true;
        self
    }

    fn at_entry(mut self, texts: impl IntoIterator<Item = String>) -> Self {
        self.entry = texts.into_iter().filter(|text| !text.is_empty()).collect();
        self
    }

    fn with_fix(mut self, fix: Value) -> Self {
        self.fix = Some(fix);
        self
    }
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SourceLine {
    /// The file, as it was given.
    file: String,
    /// Line, from 1.
    line: usize,
}

impl Rule {
    /// Returns the rule as reports describe it.
    #[must_use]
    pub fn described(&self) -> finding::Rule {
        let Rule { id, severity, title, why, fix: mend, .. } = *self;
        finding::Rule { id, severity, title, why, fix: mend }
    }
}

/// Returns the service that a finding is about; empty where the whole stack is meant.
#[must_use]
pub fn service_of(finding: &Finding) -> &str {
    finding.aliases.first().map_or("", String::as_str)
}

/// What is known of a stack.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The resolved files; `None` where Compose refused them.
    pub model: Option<Model>,
    /// What Compose reported where it refused them.
    pub refusal: Option<String>,
    /// Why the services of inactive profiles are not in the model, where they are not.
    pub left_out: Option<String>,
    /// The compose files themselves, in the order in which they are merged.
    pub files: Vec<SourceFile>,
    /// Files that services are taken from by `include` and `extends`.
    pub further_files: Vec<SourceFile>,
    /// The services' images that this host has, by service.
    pub images: BTreeMap<String, Image>,
    /// Services that the configuration states run once; the files themselves say it of others.
    pub one_shots: BTreeSet<String>,
    /// The stack's containers; `None` where nobody looked.
    pub containers: Option<Vec<Running>>,
}

impl Facts {
    /// Returns whether the stack can be judged: Compose took its files, or refused them for what a rule names.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.model.is_some() || !stack::duplicate_keys(self).is_empty()
    }

    /// Returns everything that is written: the files themselves, and those that they take services from.
    fn written(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().chain(&self.further_files)
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

    /// Returns the services' own containers, which run once or on demand where the file states so.
    fn running(&self, subjects: &[Subject]) -> Vec<Running> {
        let own = self.containers.iter().flatten().filter(|container| !container.one_off);
        own.cloned()
            .map(|mut container| {
                if let Some(file) = subjects.iter().find(|file| file.service == container.subject.service) {
                    container.subject.is_oneshot |= file.is_oneshot;
                    container.subject.may_end |= file.may_end;
                    container.subject.has_profile |= file.has_profile;
                }
                container
            })
            .collect()
    }
}

/// Lists the rules, in the order in which they are reported.
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
    let places = Places::of(facts);
    let mut findings = Vec::new();
    for rule in rules() {
        match rule.check {
            Check::Stack(check) => {
                findings.extend(check(facts, &subjects).into_iter().map(|hit| finding(&places, rule, hit, None)));
            }
            Check::Service(check) => findings.extend(of_services(&places, rule, check, &subjects, &running)),
            Check::Waivers => {}
        }
    }
    waiver::apply(waivers, &mut findings, today, facts.containers.is_some());
    findings.sort_by(|a, b| service_of(a).cmp(service_of(b)));
    findings
}

/// The files, read once for the places of all findings.
struct Places<'a> {
    files: Vec<IndexedFile<'a>>,
    further: Vec<IndexedFile<'a>>,
}

impl<'a> Places<'a> {
    fn of(facts: &'a Facts) -> Self {
        let indexed = |files: &'a [SourceFile]| files.iter().map(SourceFile::indexed).collect();
        Places { files: indexed(&facts.files), further: indexed(&facts.further_files) }
    }

    /// Returns where a rule fired: of what the files themselves do not have, where they take it from.
    fn place(&self, hit: &Hit) -> Option<SourceLine> {
        let of = |files: &[IndexedFile]| place::of(files, &hit.service, hit.key, &hit.entry);
        of(&self.files).or_else(|| of(&self.further))
    }
}

fn of_services(
    places: &Places,
    rule: &'static Rule,
    check: fn(&Subject) -> Vec<Hit>,
    subjects: &[Subject],
    running: &[Running],
) -> Vec<Finding> {
    let named = |subject: &Subject| check(subject).into_iter().map(|hit| hit.of(&subject.service)).collect::<Vec<_>>();
    let mut findings: Vec<Finding> =
        subjects.iter().flat_map(&named).map(|hit| finding(places, rule, hit, None)).collect();
    let mut reported: BTreeSet<String> = findings.iter().map(|finding| service_of(finding).to_owned()).collect();
    for container in running {
        let fresh = !reported.contains(&container.subject.service);
        for hit in named(&container.subject).into_iter().filter(|_| fresh) {
            reported.insert(hit.service.clone());
            let hit = Hit { fix: None, ..hit };
            findings.push(finding(places, rule, hit, Some(container.name.clone())));
        }
    }
    findings
}

fn finding(places: &Places, rule: &'static Rule, hit: Hit, container: Option<String>) -> Finding {
    let place = hit.place.clone().or_else(|| places.place(&hit));
    let object = match (container, hit.service.as_str()) {
        (Some(container), _) => container,
        (None, "") => "stack".to_owned(),
        (None, service) => service.to_owned(),
    };
    let finding = Finding {
        expected: hit.expected,
        aliases: Some(hit.service).filter(|service| !service.is_empty()).into_iter().collect(),
        addition: hit.fix,
        ..Finding::new(&rule.described(), hit.found).of(&object)
    };
    let finding = if hit.is_unknown { finding.with_severity(Severity::Info) } else { finding };
    match place {
        Some(SourceLine { file, line }) => finding.at(&file, line),
        None => finding,
    }
}

#[cfg(test)]
mod tests;
