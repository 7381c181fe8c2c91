//! Findings for a person at a terminal: by code, the gravest first, why and fix once for each code.

use super::{Report, differing};
use crate::{
    finding::Finding,
    severity::Severity,
    text::{clean, one_line},
};

/// Whether the text is for eyes that see colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// No escape sequences: a pipe, a file, NO_COLOR.
    Plain,
    /// Status words and the verdict are coloured.
    Coloured,
}

pub(super) fn text(report: &Report, colour: Colour) -> String {
    let mut out: String = match &report.body {
        Some(body) => clean(body).lines().map(|line| inert(line) + "\n").collect(),
        None => report.groups().iter().map(|group| self::group(report, group, colour)).collect(),
    };
    for (finding, reason) in report.waived() {
        let place = one_line(&finding.place.to_string());
        out.push_str(&format!("waived {}  {place}: {}\n", finding.code, one_line(reason)));
    }
    report.notes.iter().for_each(|note| out.push_str(&format!("{}\n", one_line(note))));
    out + &report.counts() + "\n"
}

fn group(report: &Report, group: &[&Finding], colour: Colour) -> String {
    let first = group[0];
    let title = report.title_of(first).map(|title| format!(": {title}")).unwrap_or_default();
    let count = if group.len() > 1 { format!(" ({})", group.len()) } else { String::new() };
    let mut out = format!("{} {}{title}{count}\n", label(first.severity, colour), first.code);
    group.iter().for_each(|one| out.push_str(&finding(one)));
    for (name, text) in [("why", &first.why), ("fix", &first.fix)] {
        if !text.is_empty() {
            out.push_str(&format!("  {name}: {}\n", one_line(text)));
        }
    }
    out + "\n"
}

/// Returns one finding as lines: its place and what it says, and the text that it is about.
#[must_use]
pub fn finding(finding: &Finding) -> String {
    let place = [finding.place.position(), finding.place.object.clone()];
    let place: Vec<String> = place.iter().filter(|part| !part.is_empty()).map(|part| one_line(part)).collect();
    let place = if place.is_empty() { String::new() } else { format!("{}: ", place.join("  ")) };
    let mut out = format!("  {place}{}\n", inert(&differing(finding)));
    if !finding.excerpt.is_empty() {
        out.push_str(&format!("    > {}\n", one_line(&finding.excerpt)));
    }
    out
}

fn label(severity: Severity, colour: Colour) -> String {
    let code = match severity {
        Severity::Required => 31,
        Severity::Warning => 33,
        Severity::Info => 36,
    };
    painted(severity.label(), code, colour)
}

/// Keeps a line from being a workflow command, which a CI server obeys wherever a job prints it.
// Source: actions/runner, ActionCommand.cs: `::` counts after blanks, the older `##[` anywhere in a line.
#[must_use]
pub fn inert(line: &str) -> String {
    let bar = if line.trim_start().starts_with("::") { "| " } else { "" };
    format!("{bar}{}", line.replace("##[", "## ["))
}

/// Puts a text into a colour of the terminal, by its ANSI code.
#[must_use]
pub fn painted(text: &str, code: u8, colour: Colour) -> String {
    match colour {
        Colour::Plain => text.to_owned(),
        Colour::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
    }
}
