//! A run as text: for a terminal, for programs, for a CI server, for a person who reads a job's summary.
//!
//! What services said is not trusted: escape sequences, control characters and those that turn the direction of
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

use crate::verdict::{Counts, Verdict, VerdictKind};
use stagegate_base::{
    record::{Finding, Record, Status},
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

    /// Tells what was judged: `staging`, or `staging, release 2.15.0`.
    fn subject(&self) -> String {
        let release = self.release.as_ref().map(|release| format!(", release {release}")).unwrap_or_default();
        one_line(&format!("{}{release}", self.environment))
    }
}

/// The verdict's word.
fn word(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::Promote => "passed",
        VerdictKind::Hold => "held",
        VerdictKind::Inconclusive => "inconclusive",
    }
}

/// Tells the counts, those that are zero left out.
fn counted(counts: Counts) -> String {
    let all = [
        (counts.pass, "passed"),
        (counts.fail, "failed"),
        (counts.skip, "skipped"),
        (counts.broken, "broken"),
        (counts.missing, "missing"),
    ];
    let told: Vec<String> = all.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if told.is_empty() { "no trials".to_owned() } else { told.join(", ") }
}

/// Writes milliseconds as seconds.
fn seconds(ms: u64) -> String {
    format!("{}.{:02}", ms / 1000, ms % 1000 / 10)
}

/// Writes findings in columns, one line each.
fn columns(findings: &[Finding]) -> Vec<String> {
    let cleaned: Vec<[String; 3]> =
        findings.iter().map(|f| [&f.at, &f.expected, &f.found].map(|text| one_line(text))).collect();
    let width = |column: usize| cleaned.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).min(60);
    let (at, expected) = (width(0), width(1));
    cleaned.iter().map(|[a, e, f]| format!("{a:at$}   expected {e:expected$}   got {f}")).collect()
}
