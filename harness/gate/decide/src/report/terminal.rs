//! A run for a person at a terminal.

use std::collections::HashMap;

use crate::verdict::VerdictKind;
pub use stagegate_base::report::Colour;
use stagegate_base::{
    record::{Record, Severity, Status},
    report::{inert, painted},
    text::{clean, one_line},
};

use super::{Run, columns, reasons, score, seconds, status, word};

const GREEN: u8 = 32;
const RED: u8 = 31;
const YELLOW: u8 = 33;
const CYAN: u8 = 36;

/// The records of a run as they end, each reason once: what kept many checks from running is told with the first.
#[derive(Debug, Default)]
pub struct Live {
    /// By the reason: the check that told it.
    told: HashMap<String, String>,
}

impl Live {
    /// Writes one record; of one that could not run for a known reason only a line.
    pub fn record(&mut self, one: &Record, colour: Colour) -> String {
        if one.status != Status::Broken || !one.findings.is_empty() || !one.evidence.is_empty() {
            return record(one, colour);
        }
        match self.told.get(&one.message) {
            Some(first) => format!("{} same reason as {}\n", head(one, colour), one_line(first)),
            None => {
                self.told.insert(one.message.clone(), one.trial.clone());
                record(one, colour)
            }
        }
    }
}

/// Writes a run: its records by suite, and the summary.
#[must_use]
pub fn text(run: &Run, colour: Colour) -> String {
    let (mut text, mut live) = (String::new(), Live::default());
    for (suite, records) in run.suites() {
        text.push_str(&format!("{} ({})\n", one_line(suite), one_line(&run.environment)));
        records.iter().for_each(|one| text.push_str(&live.record(one, colour)));
        text.push('\n');
    }
    text + &summary(run, colour)
}

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
fn head(record: &Record, colour: Colour) -> String {
    let code = match (record.status, record.severity) {
        (Status::Pass, _) => GREEN,
        (Status::Fail | Status::Broken, Severity::Required) => RED,
        (Status::Fail | Status::Broken, Severity::Info) => CYAN,
        (Status::Fail | Status::Broken | Status::Skip, _) => YELLOW,
    };
    // The word of a failure says its severity already.
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

/// Writes the verdict with the counts, and the reasons.
#[must_use]
pub fn summary(run: &Run, colour: Colour) -> String {
    let verdict = &run.verdict;
    let code = match verdict.kind {
        VerdictKind::Promote => GREEN,
        VerdictKind::Hold => RED,
        VerdictKind::Inconclusive => YELLOW,
    };
    let score = score(verdict).map(|score| format!(". {score}")).unwrap_or_default();
    let head = painted(&word(verdict.kind).to_uppercase(), code, colour);
    let reasons: String = reasons(verdict).iter().map(|reason| format!("  {}\n", one_line(reason))).collect();
    format!("{head} {}: {}{score}\n{reasons}", run.subject(), verdict.tally.text())
}
