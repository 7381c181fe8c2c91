//! A run as text: for a terminal, for programs, for a CI server, for a person who reads a job's summary.
//!
//! What services reported is not trusted: escape sequences, control characters and those that turn the direction of
//! writing are taken out, and each format escapes what it would take as its own.

pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod terminal;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::verdict::{Verdict, VerdictKind};
use stagegate_base::{
    finding::Finding,
    record::{Record, Status},
    report::Report,
    text::one_line,
};

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The environment's name.
    pub environment: String,
    /// The release that was judged, where it is known.
    pub release: Option<String>,
    /// When the run began, RFC 3339.
    pub started: String,
    /// What became of each trial, in the order in which they ended.
    pub records: Vec<Record>,
    /// What it lets the release do.
    pub verdict: Verdict,
}

impl Run {
    /// Returns the suites in the order of their first record, each with its records.
    fn suites(&self) -> Vec<(&str, Vec<&Record>)> {
        let mut suites: Vec<(&str, Vec<&Record>)> = Vec::new();
        for record in &self.records {
            match suites.iter_mut().find(|(name, _)| *name == record.suite()) {
                Some((_, records)) => records.push(record),
                None => suites.push((record.suite(), vec![record])),
            }
        }
        suites
    }

    /// Returns the records that a person has to look at.
    fn troubles(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| matches!(record.status, Status::Fail | Status::Broken))
    }

    /// Returns what was checked: `staging`, or `staging 2.15.0`.
    fn subject(&self) -> String {
        let release = self.release.as_ref().map(|release| format!(" {release}")).unwrap_or_default();
        one_line(&format!("{}{release}", self.environment))
    }
}

/// Returns the verdict's word, which is the class of its colour in a page too.
fn word(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::Promote => "passed",
        VerdictKind::Hold => "blocked",
        VerdictKind::Inconclusive => "inconclusive",
    }
}

/// Returns the score in a sentence: `Score 84 (promotion needs 90)`; nothing where there is too little for a score.
fn score(verdict: &Verdict) -> Option<String> {
    verdict.score.map(|score| format!("Score {score} (promotion needs {})", verdict.tally.needed))
}

/// Returns the reasons that say more than the counts: of a run that passed, not the one that counts what was required.
fn reasons(verdict: &Verdict) -> &[String] {
    match verdict.kind {
        VerdictKind::Promote => verdict.reasons.get(1..).unwrap_or_default(),
        VerdictKind::Hold | VerdictKind::Inconclusive => &verdict.reasons,
    }
}

/// Returns the word of a record's status; a failure that blocks nothing has a word of its own.
fn status(record: &Record) -> &'static str {
    match record.status {
        Status::Pass => "PASS",
        Status::Fail => record.severity.label(),
        Status::Skip => "SKIP",
        Status::Broken => "BROKEN",
    }
}

/// Returns what failed in a run as findings, the names of the checks as their codes: for formats that know no checks.
#[must_use]
pub fn findings(run: &Run) -> Report {
    let of = |record: &Record| {
        let whole =
            Finding::differs(run.environment.clone(), "", record.message.clone()).with_severity(record.severity);
        let findings = if record.findings.is_empty() { vec![whole] } else { record.findings.clone() };
        let named = |finding: Finding| Finding {
            code: record.trial.clone().into(),
            fix: record.hint.clone().unwrap_or_default().into(),
            ..finding
        };
        findings.into_iter().map(named).collect::<Vec<_>>()
    };
    Report {
        command: "test".to_owned(),
        title: run.subject(),
        findings: run.troubles().flat_map(of).collect(),
        ..Report::default()
    }
}

/// Writes milliseconds as seconds.
fn seconds(ms: u64) -> String {
    format!("{}.{:02}", ms / 1000, ms % 1000 / 10)
}

/// Writes findings in columns, one line each.
fn columns(findings: &[Finding]) -> Vec<String> {
    let cleaned: Vec<[String; 3]> =
        findings.iter().map(|f| [&f.place.to_string(), &f.expected, &f.found].map(|text| one_line(text))).collect();
    let width = |column: usize| cleaned.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).min(60);
    let (at, expected) = (width(0), width(1));
    cleaned.iter().map(|[a, e, f]| format!("{a:at$}   expected {e:expected$}   got {f}")).collect()
}
