//! A run for CI servers: JUnit XML, one testsuite a suite.
//!
//! Elements and attributes are those of Jenkins' `junit-10.xsd`, which GitLab's and GitHub's readers share; `error` is a check
//! that could not run. The crate `quick-junit`, which writes lists of findings, is not used for a run: its suites have an
//! attribute `disabled` (in 0.8 also `skipped` at `testsuites`), which that schema refuses.

use crate::verdict::VerdictKind;
use stagegate_base::{
    record::{Record, Severity, Status},
    text::{clean, markup_inert, one_line},
};

use super::{Run, columns};

/// Writes a run.
#[must_use]
pub fn text(run: &Run) -> String {
    let verdict: Option<String> = (run.verdict.kind == VerdictKind::Inconclusive).then(|| inconclusive(run));
    let all: Vec<&Record> = run.records.iter().collect();
    let suites: String = run.suites().into_iter().map(|(name, records)| suite(run, name, &records)).collect();
    let extra = usize::from(verdict.is_some());
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"stagegate\"{}>\n{suites}{}</testsuites>\n",
        totals(&all, extra, Element::Root),
        verdict.unwrap_or_default()
    );
    markup_inert(&text)
}

/// Makes a run without failures red where a required trial did not run: the missing one leaves no testcase.
fn inconclusive(run: &Run) -> String {
    let reasons: Vec<String> = run.verdict.reasons.iter().map(|reason| one_line(reason)).collect();
    format!(
        "  <testsuite name=\"gate\"{} timestamp=\"{}\">\n    <testcase classname=\"gate\" name=\"verdict\" time=\"0.000\">\n      \
         <error message=\"inconclusive\" type=\"inconclusive\">{}</error>\n    </testcase>\n  </testsuite>\n",
        totals(&[], 1, Element::Suite),
        attribute(&run.started),
        content(&reasons.join("\n"))
    )
}

/// What the attributes are of.
#[derive(Clone, Copy)]
enum Element {
    Root,
    Suite,
}

/// Writes the attributes that count; `extra` errors are counted on top.
///
/// The root has no `skipped`: the schema allows it in a suite only.
fn totals(records: &[&Record], extra: usize, element: Element) -> String {
    let of = |as_what: As| records.iter().filter(|record| As::of(record) == as_what).count();
    let time = time(records.iter().map(|record| record.duration_ms).sum());
    format!(
        " tests=\"{}\" failures=\"{}\" errors=\"{}\"{} time=\"{time}\"",
        records.len() + extra,
        of(As::Failure),
        of(As::Error) + extra,
        match element {
            Element::Root => String::new(),
            Element::Suite => format!(" skipped=\"{}\"", of(As::Skipped)),
        }
    )
}

fn suite(run: &Run, name: &str, records: &[&Record]) -> String {
    let known = [("environment", Some(&run.environment)), ("release", run.release.as_ref())];
    let properties: String = known
        .iter()
        .filter_map(|(name, value)| Some((name, (*value)?)))
        .map(|(name, value)| format!("      <property name=\"{name}\" value=\"{}\"/>\n", attribute(value)))
        .collect();
    let cases: String = records.iter().map(|record| case(record)).collect();
    format!(
        "  <testsuite name=\"{}\"{} timestamp=\"{}\">\n    <properties>\n{properties}    </properties>\n{cases}  </testsuite>\n",
        attribute(name),
        totals(records, 0, Element::Suite),
        attribute(&run.started)
    )
}

fn case(record: &Record) -> String {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        attribute(record.suite()),
        // Readers show `classname.name`, and the suite would stand there twice.
        attribute(record.trial.split_once("::").map_or(record.trial.as_str(), |(_, name)| name)),
        time(record.duration_ms)
    );
    let body = format!("{}{}", outcome(record), system_out(record));
    if body.is_empty() { format!("{head}/>\n") } else { format!("{head}>\n{body}    </testcase>\n") }
}

/// What a testcase is told as. JUnit knows no severity, and a server makes a job red for any failure, so what vetoes
/// nothing is told as skipped, with its message and findings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    Pass,
    Failure,
    Error,
    Skipped,
}

impl As {
    fn of(record: &Record) -> Self {
        match (record.status, record.severity) {
            (Status::Pass, _) => As::Pass,
            (Status::Fail, Severity::Required) => As::Failure,
            (Status::Broken, Severity::Required) => As::Error,
            (Status::Fail | Status::Broken | Status::Skip, _) => As::Skipped,
        }
    }
}

fn outcome(record: &Record) -> String {
    let message = attribute(&one_line(&record.message));
    let findings = || content(&columns(&record.findings).join("\n"));
    let told = match record.severity {
        Severity::Required => "",
        Severity::Warning => "warning: ",
        Severity::Info => "notice: ",
    };
    match As::of(record) {
        As::Pass => String::new(),
        As::Failure => format!("      <failure message=\"{message}\" type=\"required\">{}</failure>\n", findings()),
        As::Error => format!("      <error message=\"{message}\" type=\"required\"/>\n"),
        As::Skipped => format!("      <skipped message=\"{told}{message}\"/>\n"),
    }
}

fn system_out(record: &Record) -> String {
    let seen = (record.status == Status::Pass && !record.message.is_empty()).then(|| record.message.clone());
    let evidence = record.evidence.iter().map(|evidence| format!("{}:\n{}", evidence.name, evidence.text));
    let hint = record.hint.iter().map(|hint| format!("hint: {hint}"));
    let is_skipped = As::of(record) == As::Skipped && !record.findings.is_empty();
    let findings = is_skipped.then(|| columns(&record.findings).join("\n"));
    let parts: Vec<String> = seen.into_iter().chain(findings).chain(evidence).chain(hint).collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("      <system-out>{}</system-out>\n", content(&parts.join("\n")))
}

fn time(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Escapes text between tags.
// Source: XML 1.0, 2.2 and 2.4: `clean` takes out what no reference can express, `>` is escaped for `]]>`.
fn content(text: &str) -> String {
    clean(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escapes the text of an attribute; a parser would turn bare breaks into blanks.
fn attribute(text: &str) -> String {
    content(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;")
}
