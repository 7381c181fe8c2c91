//! One record as lines: what, where, expected against found, evidence and hint.

use stagegate_base::{
    record::{Record, Severity, Status},
    report::{Colour, inert, painted},
    text::{clean, one_line},
};

use super::ansi::{CYAN, GREEN, RED, YELLOW};
use crate::report::{columns, seconds, status};

/// Writes one record: a line, and for a failure what, where, expected against found, evidence and hint.
#[must_use]
pub fn record(record: &Record, colour: Colour) -> String {
    let head = head(record, colour);
    let message = one_line(&record.message);
    match record.status {
        Status::Pass | Status::Skip => format!("{} {message}", head).trim_end().to_owned() + "\n",
        Status::Fail | Status::Broken => format!("{head}\n  {}\n{}", inert(&message), details(record)),
    }
}

/// Writes what a record is called, how it ended and how long it took.
pub(super) fn head(record: &Record, colour: Colour) -> String {
    let code = match (record.status, record.severity) {
        (Status::Pass, _) => GREEN,
        (Status::Fail | Status::Broken, Severity::Required) => RED,
        (Status::Fail | Status::Broken, Severity::Info) => CYAN,
        (Status::Fail | Status::Broken | Status::Skip, _) => YELLOW,
    };
    // The word of a failure states its severity already.
    let severity = match record.severity {
        _ if record.status == Status::Fail => "",
        Severity::Required => "",
        Severity::Warning => ", warning",
        Severity::Info => ", notice",
    };
    format!(
        "{} {} ({} s{severity})",
        painted(status(record), code, colour),
        one_line(&record.trial),
        seconds(record.duration_ms)
    )
}

fn details(record: &Record) -> String {
    let mut lines: Vec<String> = columns(&record.findings).iter().map(|line| format!("  {}", inert(line))).collect();
    for evidence in &record.evidence {
        lines.push(format!("  {}:", one_line(&evidence.name)));
        lines.extend(clean(&evidence.text).lines().map(|line| format!("    {}", inert(line)).trim_end().to_owned()));
    }
    lines.extend(record.hint.iter().map(|hint| format!("  hint: {}", one_line(hint))));
    lines.into_iter().map(|line| line + "\n").collect()
}
