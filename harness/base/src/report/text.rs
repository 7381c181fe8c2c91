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
    /// No escape sequences, see [`super::wanted_colour`].
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

/// Returns one finding as lines: its place and what it states, and the text that it is about.
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

/// Makes a text ready for a terminal or the log of a job, whatever parts of it are of unknown origin.
///
/// Escape sequences, control characters and marks of direction are taken out, but for the colours of [`painted`] where colour
/// is wanted; no line is a workflow command. What is clean already stays as it is.
#[must_use]
pub fn shown(text: &str, colour: Colour) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // A colour stands between two pieces; each piece is cleaned by itself, so that no sequence reaches over it.
    while let Some((before, code, after)) = next_colour(rest) {
        out.push_str(&clean(before));
        if colour == Colour::Coloured {
            out.push_str(code);
        }
        rest = after;
    }
    out.push_str(&clean(rest));
    out.split('\n').map(inert).collect::<Vec<_>>().join("\n")
}

/// Returns what stands before the next sequence that [`painted`] writes, the sequence, and what stands after it.
fn next_colour(text: &str) -> Option<(&str, &str, &str)> {
    const CODES: [&str; 7] =
        ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[36m"];
    let (at, code) = text.match_indices('\u{1b}').find_map(|(at, _)| {
        let code = CODES.iter().find(|code| text[at..].starts_with(**code))?;
        Some((at, code))
    })?;
    Some((&text[..at], &text[at..at + code.len()], &text[at + code.len()..]))
}

/// Puts a text into a colour of the terminal, by its ANSI code.
#[must_use]
pub fn painted(text: &str, code: u8, colour: Colour) -> String {
    match colour {
        Colour::Plain => text.to_owned(),
        Colour::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
    }
}
