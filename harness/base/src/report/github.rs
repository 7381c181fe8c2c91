//! Findings as annotations of a GitHub job: workflow commands on standard output, with file and line where known.

use crate::{finding::Place, severity::Severity, text::one_line};

/// How many annotations are written: GitHub keeps ten of a kind for a step and drops the rest in silence.
const KEPT: usize = 10;

/// One annotation.
#[derive(Clone, Debug)]
pub struct Annotation<'a> {
    /// How grave it is.
    pub severity: Severity,
    /// Its heading.
    pub title: &'a str,
    /// Where it is shown.
    pub place: Option<&'a Place>,
    /// What it states; several lines are kept.
    pub text: String,
}

/// Writes annotations in the given order; what is too much for a step is one line of the gravest severity among it.
#[must_use]
pub fn annotations(all: &[Annotation<'_>]) -> String {
    if all.len() <= KEPT {
        return all.iter().map(annotation).collect();
    }
    let (shown, rest) = all.split_at(KEPT - 1);
    let severity = rest.iter().map(|one| one.severity).min().unwrap_or_default();
    let more = Annotation { severity, title: "stagegate", place: None, text: format!("{} more findings", rest.len()) };
    shown.iter().chain([&more]).map(annotation).collect()
}

/// Writes one annotation.
#[must_use]
pub fn annotation(one: &Annotation<'_>) -> String {
    let command = match one.severity {
        Severity::Required => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let place = match one.place.map(|place| (place.file.as_deref(), place.line)) {
        Some((Some(file), 0)) => format!("file={},", property(file)),
        Some((Some(file), line)) => format!("file={},line={line},", property(file)),
        _ => String::new(),
    };
    let lines: Vec<String> = one.text.lines().map(one_line).collect();
    format!("::{command} {place}title={}::{}\n", property(one.title), data(&lines.join("\n")))
}

/// Escapes the text of a workflow command.
// Source: actions/toolkit, packages/core/src/command.ts.
fn data(text: &str) -> String {
    text.replace("##[", "## [").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a workflow command's property.
fn property(text: &str) -> String {
    data(&one_line(text)).replace(':', "%3A").replace(',', "%2C")
}
