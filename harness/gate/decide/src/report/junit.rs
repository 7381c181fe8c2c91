//! A run for CI servers: JUnit XML, one testsuite a suite; `error` is a check that could not run.

use crate::verdict::VerdictKind;
use stagegate_base::{
    record::{Record, Severity, Status},
    report::junit::{JunitCase, JunitOutcome, JunitSuite, document},
    text::one_line,
};

use super::{Run, columns};

/// Writes a run.
#[must_use]
pub fn text(run: &Run) -> String {
    let suites = run.suites().into_iter().map(|(name, records)| suite(run, name, &records));
    document(&suites.chain(inconclusive(run)).collect::<Vec<_>>())
}

/// Makes a run without failures red where a required check did not run: the missing one leaves no testcase.
fn inconclusive(run: &Run) -> Option<JunitSuite> {
    let reasons: Vec<String> = run.verdict.reasons.iter().map(|reason| one_line(reason)).collect();
    let outcome =
        JunitOutcome::Error { message: "inconclusive".to_owned(), kind: "inconclusive", text: reasons.join("\n") };
    let (classname, name) = ("gate".to_owned(), "verdict".to_owned());
    (run.verdict.kind == VerdictKind::Inconclusive).then(|| JunitSuite {
        name: "gate".to_owned(),
        timestamp: Some(run.started.clone()),
        properties: Vec::new(),
        cases: vec![JunitCase { classname, name, duration_ms: 0, outcome, output: String::new() }],
    })
}

fn suite(run: &Run, name: &str, records: &[&Record]) -> JunitSuite {
    let known = [("environment", Some(&run.environment)), ("release", run.release.as_ref())];
    JunitSuite {
        name: name.to_owned(),
        timestamp: Some(run.started.clone()),
        properties: known.iter().filter_map(|(name, value)| Some((*name, (*value)?.clone()))).collect(),
        cases: records.iter().map(|record| case(record)).collect(),
    }
}

fn case(record: &Record) -> JunitCase {
    JunitCase {
        classname: record.suite().to_owned(),
        // Readers show `classname.name`, and the suite would stand there twice.
        name: record.trial.split_once("::").map_or(record.trial.as_str(), |(_, name)| name).to_owned(),
        duration_ms: record.duration_ms,
        outcome: outcome(record),
        output: output(record),
    }
}

fn outcome(record: &Record) -> JunitOutcome {
    let message = one_line(&record.message);
    let severity = match record.severity {
        Severity::Required => "",
        Severity::Warning => "warning: ",
        Severity::Info => "notice: ",
    };
    match (record.status, record.severity) {
        (Status::Pass, _) => JunitOutcome::Passed,
        (Status::Fail, Severity::Required) => {
            JunitOutcome::Failed { message, text: columns(&record.findings).join("\n") }
        }
        (Status::Broken, Severity::Required) => JunitOutcome::Error { message, kind: "required", text: String::new() },
        (Status::Fail | Status::Broken | Status::Skip, _) => {
            JunitOutcome::Skipped { message: format!("{severity}{message}") }
        }
    }
}

fn output(record: &Record) -> String {
    let seen = (record.status == Status::Pass && !record.message.is_empty()).then(|| record.message.clone());
    let evidence = record.evidence.iter().map(|evidence| format!("{}:\n{}", evidence.name, evidence.text));
    let hint = record.hint.iter().map(|hint| format!("hint: {hint}"));
    let has_its_findings = matches!(outcome(record), JunitOutcome::Skipped { .. }) && !record.findings.is_empty();
    let findings = has_its_findings.then(|| columns(&record.findings).join("\n"));
    seen.into_iter().chain(findings).chain(evidence).chain(hint).collect::<Vec<_>>().join("\n")
}
