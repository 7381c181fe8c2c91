//! A run as annotations of a GitHub job: workflow commands on standard output.

use crate::verdict::VerdictKind;
use stagegate_base::{
    record::{Record, Severity, Status},
    text::one_line,
};

use super::{Run, columns};

/// How many annotations are written: GitHub keeps ten of a kind for a step and drops the rest in silence.
const KEPT: usize = 10;
/// How many differences or reasons one annotation tells.
const FINDINGS: usize = 3;

/// Writes what a person has to look at, the gravest first; empty where there is nothing.
#[must_use]
pub fn text(run: &Run) -> String {
    let mut troubles: Vec<&Record> = run.troubles().collect();
    troubles.sort_by_key(|record| (level(record), record.status == Status::Broken));
    let mut lines: Vec<String> = inconclusive(run).into_iter().chain(troubles.into_iter().map(annotation)).collect();
    if lines.len() > KEPT {
        let more = lines.len() - (KEPT - 1);
        lines.truncate(KEPT - 1);
        lines.push(format!("::error title=stagegate::{more} more checks failed or could not run\n"));
    }
    lines.concat()
}

/// Tells that nothing can be said: trials that did not run have no record that could tell it.
fn inconclusive(run: &Run) -> Option<String> {
    let reasons: Vec<String> = run.verdict.reasons.iter().take(FINDINGS).map(|reason| one_line(reason)).collect();
    let told = run.verdict.kind == VerdictKind::Inconclusive;
    told.then(|| format!("::error title=inconclusive::{}\n", data(&reasons.join("\n"))))
}

/// The level of an annotation, the gravest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Error,
    Warning,
    Notice,
}

fn level(record: &Record) -> Level {
    match record.severity {
        Severity::Required => Level::Error,
        Severity::Warning => Level::Warning,
        Severity::Info => Level::Notice,
    }
}

fn annotation(record: &Record) -> String {
    let command = match level(record) {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
    };
    let findings = columns(&record.findings[..record.findings.len().min(FINDINGS)]);
    let lines: Vec<String> = std::iter::once(one_line(&record.message)).chain(findings).collect();
    format!("::{command} title={}::{}\n", property(&one_line(&record.trial)), data(&lines.join("\n")))
}

/// Escapes the text of a workflow command.
// Source: actions/toolkit, packages/core/src/command.ts.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a workflow command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
