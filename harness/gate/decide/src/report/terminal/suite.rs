//! A suite as one line: `PASS contracts    15/16     1.1 s  1 not run`.

use std::time::Duration;

use stagegate_base::{
    record::{Planned, Record, Severity, Status},
    report::{Colour, painted},
    text::{counted, one_line},
};

use super::ansi::{GREEN, RED, YELLOW};

/// How the checks of a suite went until now.
#[derive(Clone, Debug, Default)]
pub(super) struct Suite {
    name: String,
    planned: usize,
    ran: usize,
    passed: usize,
    failed: usize,
    broken: usize,
    skipped: usize,
    warnings: usize,
    notices: usize,
    /// Whether a required check was skipped.
    lacks_required: bool,
    /// When its first check began and its last one ended, since the run began.
    span: Option<(Duration, Duration)>,
}

impl Suite {
    /// Returns the suites of the planned checks, in their order.
    pub(super) fn all(planned: &[Planned]) -> Vec<Suite> {
        let mut suites: Vec<Suite> = Vec::new();
        for one in planned {
            let name = one.trial.split("::").next().unwrap_or_default();
            match suites.iter_mut().find(|suite| suite.name == name) {
                Some(suite) => suite.planned += 1,
                None => suites.push(Suite { name: name.to_owned(), planned: 1, ..Suite::default() }),
            }
        }
        suites
    }

    pub(super) fn is_of(&self, record: &Record) -> bool {
        self.name == record.suite()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.ran >= self.planned
    }

    /// Counts a check that ended at `at`, since the run began.
    pub(super) fn add(&mut self, record: &Record, at: Duration) {
        self.ran += 1;
        let began = at.saturating_sub(Duration::from_millis(record.duration_ms));
        let (first, last) = self.span.unwrap_or((began, at));
        self.span = Some((first.min(began), last.max(at)));
        let is_required = record.severity == Severity::Required;
        match (record.status, record.severity) {
            (Status::Pass, _) => self.passed += 1,
            (Status::Fail, Severity::Required) => self.failed += 1,
            (Status::Fail, Severity::Warning) => self.warnings += 1,
            (Status::Fail, Severity::Info) => self.notices += 1,
            (Status::Broken, Severity::Required) => self.broken += 1,
            (Status::Broken | Status::Skip, _) => {
                self.skipped += 1;
                self.lacks_required |= is_required;
            }
        }
    }

    /// Writes the line; `width` is the length of the longest name, in characters.
    pub(super) fn line(&self, width: usize, colour: Colour) -> String {
        let (word, code) = match self {
            Suite { failed: 1.., .. } => ("FAIL", RED),
            Suite { broken: 1.., .. } => ("BROKEN", RED),
            Suite { lacks_required: true, .. } => ("SKIP", YELLOW),
            _ if !self.is_complete() => ("SKIP", YELLOW),
            Suite { warnings: 1.., .. } => ("WARN", YELLOW),
            _ => ("PASS", GREEN),
        };
        let (began, ended) = self.span.unwrap_or_default();
        let share = format!("{}/{}", self.passed, self.planned);
        let line = format!(
            "{} {:<width$} {share:>8} {:>7.1} s  {}",
            painted(&format!("{word:<6}"), code, colour),
            one_line(&self.name),
            (ended - began).as_secs_f64(),
            self.rest()
        );
        line.trim_end().to_owned() + "\n"
    }

    /// Writes what did not pass: `1 failed, 2 warnings, 1 not run`.
    fn rest(&self) -> String {
        let not_run = self.skipped + self.planned.saturating_sub(self.ran);
        let counts = [
            (self.failed, format!("{} failed", self.failed)),
            (self.broken, format!("{} broken", self.broken)),
            (self.warnings, counted(self.warnings, "warning")),
            (self.notices, counted(self.notices, "notice")),
            (not_run, format!("{not_run} not run")),
        ];
        let shown: Vec<String> = counts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
        shown.join(", ")
    }
}
