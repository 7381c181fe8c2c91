//! JUnit XML for CI servers: one writer for lists of findings and for runs of the suites.
//!
//! Elements and attributes are those of Jenkins' `junit-10.xsd`, which GitLab's and GitHub's readers share: `skipped` counts in
//! a suite only, and nothing is called `disabled`. JUnit knows no severity, and a server makes a job red for any failure: what
//! blocks nothing is a skipped case with its message.

use super::{Report, differing, inert};
use crate::{
    finding::Finding,
    severity::Severity,
    text::{clean, markup_inert, one_line},
};

/// A suite of cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JunitSuite {
    /// Its name, another one than that of every other suite of the document.
    pub name: String,
    /// When it began, RFC 3339, where it is known.
    pub timestamp: Option<String>,
    /// What else is known of it, such as the environment.
    pub properties: Vec<(&'static str, String)>,
    /// Its cases.
    pub cases: Vec<JunitCase>,
}

/// One case of a suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JunitCase {
    /// What it belongs to; readers show `classname.name`.
    pub classname: String,
    /// Its name within that.
    pub name: String,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// How it ended.
    pub outcome: JunitOutcome,
    /// What it printed, of several lines; empty where there is nothing.
    pub output: String,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JunitOutcome {
    /// As expected.
    Passed,
    /// Not as expected: a line, and more of it.
    Failed {
        /// One line.
        message: String,
        /// Several lines; may be empty.
        text: String,
    },
    /// It could not run: a line, its kind, and more of it.
    Error {
        /// One line.
        message: String,
        /// A word for the kind of error.
        kind: &'static str,
        /// Several lines; may be empty.
        text: String,
    },
    /// It did not run, or what it found blocks nothing.
    Skipped {
        /// One line.
        message: String,
    },
}

/// Writes a document of suites.
#[must_use]
pub fn document(suites: &[JunitSuite]) -> String {
    let cases: Vec<&JunitCase> = suites.iter().flat_map(|suite| &suite.cases).collect();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"stagegate\"{}>\n{}</testsuites>\n",
        totals(&cases, Element::Root),
        suites.iter().map(suite).collect::<String>()
    );
    markup_inert(&text)
}

/// What the attributes are of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Root,
    Suite,
}

/// Writes the attributes that count; the root has no `skipped`.
fn totals(cases: &[&JunitCase], element: Element) -> String {
    let count = |is_it: fn(&JunitOutcome) -> bool| cases.iter().filter(|case| is_it(&case.outcome)).count();
    let skipped = count(|outcome| matches!(outcome, JunitOutcome::Skipped { .. }));
    format!(
        " tests=\"{}\" failures=\"{}\" errors=\"{}\"{} time=\"{}\"",
        cases.len(),
        count(|outcome| matches!(outcome, JunitOutcome::Failed { .. })),
        count(|outcome| matches!(outcome, JunitOutcome::Error { .. })),
        if element == Element::Suite { format!(" skipped=\"{skipped}\"") } else { String::new() },
        time(cases.iter().map(|case| case.duration_ms).sum())
    )
}

fn suite(suite: &JunitSuite) -> String {
    let timestamp = suite.timestamp.iter().map(|at| format!(" timestamp=\"{}\"", attribute(at))).collect::<String>();
    let property =
        |(name, value): &(&str, String)| format!("      <property name=\"{name}\" value=\"{}\"/>\n", attribute(value));
    let properties = match suite.properties.is_empty() {
        true => String::new(),
        false => format!(
            "    <properties>\n{}    </properties>\n",
            suite.properties.iter().map(property).collect::<String>()
        ),
    };
    format!(
        "  <testsuite name=\"{}\"{}{timestamp}>\n{properties}{}  </testsuite>\n",
        attribute(&suite.name),
        totals(&suite.cases.iter().collect::<Vec<_>>(), Element::Suite),
        suite.cases.iter().map(case).collect::<String>()
    )
}

fn case(case: &JunitCase) -> String {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        attribute(&case.classname),
        attribute(&case.name),
        time(case.duration_ms)
    );
    let output = match case.output.as_str() {
        "" => String::new(),
        output => format!("      <system-out>{}</system-out>\n", content(output)),
    };
    let body = outcome(&case.outcome) + &output;
    if body.is_empty() { format!("{head}/>\n") } else { format!("{head}>\n{body}    </testcase>\n") }
}

fn outcome(outcome: &JunitOutcome) -> String {
    let element = |name: &str, message: &str, kind: &str, text: &str| {
        let message = attribute(&one_line(message));
        let kind = if kind.is_empty() { String::new() } else { format!(" type=\"{kind}\"") };
        let end = if text.is_empty() { "/>".to_owned() } else { format!(">{}</{name}>", content(text)) };
        format!("      <{name} message=\"{message}\"{kind}{end}\n")
    };
    match outcome {
        JunitOutcome::Passed => String::new(),
        JunitOutcome::Failed { message, text } => element("failure", message, "required", text),
        JunitOutcome::Error { message, kind, text } => element("error", message, kind, text),
        JunitOutcome::Skipped { message } => element("skipped", message, "", ""),
    }
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

/// Writes findings, one case for each.
pub(super) fn text(report: &Report) -> String {
    let none = JunitCase {
        classname: report.command.clone(),
        name: "no findings".to_owned(),
        duration_ms: 0,
        outcome: JunitOutcome::Passed,
        output: String::new(),
    };
    let mut cases: Vec<JunitCase> = report.findings.iter().map(|finding| of(report, finding)).collect();
    if cases.is_empty() {
        cases.push(none);
    }
    document(&[JunitSuite { name: one_line(&report.title), cases, ..JunitSuite::default() }])
}

fn of(report: &Report, finding: &Finding) -> JunitCase {
    let parts = [&*finding.excerpt, &finding.why, &finding.fix];
    let lines: Vec<String> = parts.iter().filter(|part| !part.is_empty()).map(|part| clean(part)).collect();
    let lines = lines.join("\n").lines().map(inert).collect::<Vec<_>>().join("\n");
    let outcome = match (&finding.waived, finding.severity) {
        (Some(reason), _) => JunitOutcome::Skipped { message: format!("waived: {}", one_line(reason)) },
        (None, Severity::Required) => JunitOutcome::Failed { message: differing(finding), text: lines },
        (None, severity) => JunitOutcome::Skipped { message: format!("{}: {}", severity.word(), differing(finding)) },
    };
    JunitCase {
        classname: report.command.clone(),
        name: one_line(&format!("{} {}", finding.code, finding.place)),
        duration_ms: 0,
        outcome,
        output: String::new(),
    }
}
