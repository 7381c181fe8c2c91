//! Findings as text, JSON, Markdown, SARIF, JUnit, HTML and GitHub annotations: one renderer for each, for every command.
//!
//! What services and files hold is of unknown origin: escape sequences, control characters and marks of direction are
//! taken out, and each format escapes what it would take as its own.

mod github;
mod html;
mod json;
pub mod junit;
mod markdown;
mod sarif;
mod terminal;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use github::{Annotation, annotation, annotations};
pub use html::{escaped as html_escaped, page as html_page, page_with as html_page_with};
pub use terminal::{ColourChoice, ColourVariables, wanted_colour, width, wrapped};
pub use text::{Colour, finding as finding_text, inert, painted, shown};

use crate::{
    finding::{Finding, Rule},
    severity::Severity,
    text::{counted, one_line},
};

/// The findings of one command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The command, as programs name it: `lint`, `contract diff`.
    pub command: String,
    /// What was checked, for a heading: `Compose files of staging`.
    pub title: String,
    /// What was found.
    pub findings: Vec<Finding>,
    /// The catalogue that the codes come from.
    pub rules: Vec<Rule>,
    /// A word for the severities `required`, `warning`, `info` in counts, where a command has words of its own.
    pub nouns: Option<[&'static str; 3]>,
    /// The mildest severity that is listed for a person; milder ones are only counted.
    pub listed: Option<Severity>,
    /// Sentences that stand before the counts: what was run, what was not.
    pub notes: Vec<String>,
    /// A text that shows more than the findings do, such as both sides of a difference; shown instead of them.
    pub body: Option<String>,
    /// What else programs get: keys next to `findings`.
    pub details: Map<String, Value>,
}

impl Report {
    /// Returns the findings that no waiver covers, the gravest first; equal codes stand together.
    fn open(&self) -> Vec<&Finding> {
        let mut open: Vec<&Finding> = self.findings.iter().filter(|finding| finding.is_open()).collect();
        let first: BTreeMap<(Severity, &str), usize> =
            open.iter().enumerate().rev().map(|(at, finding)| ((finding.severity, &*finding.code), at)).collect();
        open.sort_by_key(|finding| (finding.severity, first.get(&(finding.severity, &*finding.code)).copied()));
        open
    }

    /// Returns the open findings that are listed by code, the gravest code first.
    fn groups(&self) -> Vec<Vec<&Finding>> {
        let mut groups: Vec<Vec<&Finding>> = Vec::new();
        let listed = self.listed.unwrap_or(Severity::Info);
        for finding in self.open().into_iter().filter(|finding| finding.severity <= listed) {
            match groups
                .last_mut()
                .filter(|group| group[0].code == finding.code && group[0].severity == finding.severity)
            {
                Some(group) => group.push(finding),
                None => groups.push(vec![finding]),
            }
        }
        groups
    }

    fn waived(&self) -> impl Iterator<Item = (&Finding, &str)> {
        self.findings.iter().filter_map(|finding| Some((finding, finding.waived.as_deref()?)))
    }

    /// Returns how many findings of a severity no waiver covers.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.is_open() && finding.severity == severity).count()
    }

    /// Returns whether anything as grave as `minimum`, or graver, is open.
    #[must_use]
    pub fn fails(&self, minimum: Severity) -> bool {
        self.findings.iter().any(|finding| finding.is_open() && finding.severity <= minimum)
    }

    /// Returns the counts: `2 required, 1 warning, 0 notices, 1 waived`.
    #[must_use]
    pub fn counts(&self) -> String {
        let of = |severity: Severity, own: Option<&str>, plural: &str| match own {
            Some(own) => format!("{} {own}", self.count(severity)),
            None if plural == "required" => format!("{} required", self.count(severity)),
            None => counted(self.count(severity), plural),
        };
        let [required, warning, info] = self.nouns.map_or([None; 3], |nouns| nouns.map(Some));
        format!(
            "{}, {}, {}, {} waived",
            of(Severity::Required, required, "required"),
            of(Severity::Warning, warning, "warning"),
            of(Severity::Info, info, "notice"),
            self.waived().count()
        )
    }

    fn title_of(&self, finding: &Finding) -> Option<&'static str> {
        self.rules.iter().find(|rule| rule.id == finding.code).map(|rule| rule.title)
    }

    /// Returns the report for a person at a terminal.
    #[must_use]
    pub fn text(&self, colour: Colour) -> String {
        text::text(self, colour)
    }

    /// Returns the report for programs: one object on one line.
    ///
    /// # Errors
    /// [`serde_json::Error`] never comes from these types, and is handed on all the same.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        json::text(self)
    }

    /// Returns the report for the summary of a CI job.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::text(self)
    }

    /// Returns the report for code scanning, as SARIF 2.1.0; what is waived is there as suppressed.
    #[must_use]
    pub fn sarif(&self, version: &str) -> String {
        crate::text::json_escaped(&format!("{:#}\n", sarif::value(self, version)))
    }

    /// Returns the report for CI servers, as JUnit XML.
    #[must_use]
    pub fn junit(&self) -> String {
        junit::text(self)
    }

    /// Returns the report as one HTML page that loads nothing.
    #[must_use]
    pub fn html(&self) -> String {
        html::text(self)
    }

    /// Returns the report as annotations of a GitHub job; empty where nothing is open.
    #[must_use]
    pub fn github(&self) -> String {
        let listed = self.listed.unwrap_or(Severity::Info);
        let open = self.open();
        let all = open.iter().filter(|finding| finding.severity <= listed).map(|finding| Annotation {
            severity: finding.severity,
            title: &finding.code,
            place: Some(&finding.place),
            text: differing(finding),
        });
        annotations(&all.collect::<Vec<_>>())
    }
}

/// Returns what a finding states, on one line: `expected not privileged, found privileged: true`.
#[must_use]
pub fn differing(finding: &Finding) -> String {
    let found = one_line(&finding.found);
    match one_line(&finding.expected).as_str() {
        "" => found,
        expected => format!("expected {expected}, found {found}"),
    }
}
