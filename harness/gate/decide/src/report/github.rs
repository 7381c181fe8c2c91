//! A run as annotations of a GitHub job: workflow commands on standard output.

use crate::verdict::VerdictKind;
use stagegate_base::{
    record::{Record, Severity, Status},
    report::{Annotation, annotations},
    text::one_line,
};

use super::{Run, columns};

/// How many differences or reasons one annotation has.
const FINDINGS: usize = 3;

/// Writes what a person has to look at, the gravest first; empty where there is nothing.
#[must_use]
pub fn text(run: &Run) -> String {
    let mut troubles: Vec<&Record> = run.troubles().collect();
    troubles.sort_by_key(|record| (record.severity, record.status == Status::Broken));
    annotations(&inconclusive(run).into_iter().chain(troubles.into_iter().map(annotation)).collect::<Vec<_>>())
}

/// Reports that nothing can be reported: checks that did not run have no record that could say it.
fn inconclusive(run: &Run) -> Option<Annotation<'static>> {
    let reasons: Vec<String> = run.verdict.reasons.iter().take(FINDINGS).map(|reason| one_line(reason)).collect();
    (run.verdict.kind == VerdictKind::Inconclusive).then(|| Annotation {
        severity: Severity::Required,
        title: "inconclusive",
        place: None,
        text: reasons.join("\n"),
    })
}

/// Makes the annotation of a failed check, at the first line of a file that one of its findings names.
fn annotation(record: &Record) -> Annotation<'_> {
    let findings = columns(&record.findings[..record.findings.len().min(FINDINGS)]);
    let lines: Vec<String> = std::iter::once(one_line(&record.message)).chain(findings).collect();
    Annotation {
        severity: record.severity,
        title: &record.trial,
        place: record.findings.iter().map(|finding| &finding.place).find(|place| place.file.is_some()),
        text: lines.join("\n"),
    }
}
