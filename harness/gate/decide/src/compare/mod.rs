//! Sets two environments side by side: what differs, and is the first one's release ready for the second?
//!
//! In: the facts of two [`Side`]s. Out: [`Row`]s for people and records for the readiness score. Secrets are compared
//! and never shown. No clock, no I/O.

mod contracts;
mod render;
mod schemas;
mod services;
mod side;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use render::{json, markdown, terminal};
pub use side::{ServiceSide, Side, Times};

use stagegate_base::{
    config::Config,
    record::{Outcome, Record, Severity},
    redact::Mask,
};

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Section {
    /// Release, images, versions.
    Versions,
    /// Keys of configuration.
    Configuration,
    /// Variables that switch features.
    Flags,
    /// Schemas of databases.
    Schema,
    /// Contracts of services.
    Contracts,
    /// Times of responses.
    Performance,
    /// CPU and memory.
    Resources,
    /// What the suites reported.
    Suites,
}

impl Section {
    /// Returns the section as a person reads it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Section::Versions => "versions",
            Section::Configuration => "configuration",
            Section::Flags => "feature flags",
            Section::Schema => "schema",
            Section::Contracts => "contracts",
            Section::Performance => "performance",
            Section::Resources => "resources",
            Section::Suites => "suites",
        }
    }
}

/// One thing on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it is about.
    pub section: Section,
    /// The thing, such as `api SHOP_ENV`.
    pub thing: String,
    /// How it is on the first side, masked.
    pub a: String,
    /// How it is on the second side, masked.
    pub b: String,
    /// Whether the sides differ.
    pub differs: bool,
}

impl Row {
    fn new(section: Section, thing: impl Into<String>, a: impl Into<String>, b: impl Into<String>) -> Self {
        let (a, b) = (a.into(), b.into());
        Row { section, thing: thing.into(), differs: a != b, a, b }
    }
}

/// Two environments side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// All rows, by section.
    pub rows: Vec<Row>,
    /// What the comparison itself asks of the first side's release, as trials of suite `compare`.
    pub records: Vec<Record>,
}

impl Comparison {
    fn add(&mut self, (rows, records): (Vec<Row>, Vec<Record>)) {
        self.rows.extend(rows);
        self.records.extend(records);
    }
}

/// What a comparison is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The configuration: services, severities, patterns of flags.
    pub config: &'a Config,
    /// Waivers of contract changes.
    pub waivers: &'a stagegate_base::waiver::Waivers,
    /// The day, `YYYY-MM-DD`.
    pub today: &'a str,
}

/// Compares two environments; `a` is where the release was tested, `b` where it would go.
#[must_use]
pub fn compare(a: &Side, b: &Side, rules: Rules<'_>) -> Comparison {
    let mut all = Comparison::default();
    all.add(services::versions(a, b, rules));
    all.add(services::configuration(a, b, rules));
    all.add((services::flags(a, b, rules), Vec::new()));
    all.add(schemas::schemas(a, b, rules));
    all.add(contracts::contracts(a, b, rules));
    all.add((services::performance(a, b), Vec::new()));
    all.add((services::resources(a, b), Vec::new()));
    all.add((services::suites(a, b), Vec::new()));
    let mask = Mask::new(a.secrets().chain(b.secrets()));
    for row in &mut all.rows {
        (row.a, row.b) = (mask.apply(&row.a), mask.apply(&row.b));
    }
    all
}

fn record(a: &Side, rules: Rules<'_>, thing: &str, question: &str, own: Severity, outcome: Outcome) -> Record {
    let word = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
    };
    let trial = format!("compare::{}::{}", word(thing), word(question));
    Record::new(&a.environment, &trial, rules.config.severity_of(&trial, own), 0, outcome)
}
