//! A run for a person at a terminal.
//!
//! A line a suite as it ends; what failed once all have ended, the gravest first; the counts; the next command. With
//! [`Detail::Everything`] a line a check instead, each with all that it found.

mod ansi;
mod record;
mod suite;

use std::{collections::HashMap, time::Duration};

use crate::verdict::{VerdictKind, in_a_line};
pub use stagegate_base::report::Colour;
use stagegate_base::{
    record::{Planned, Record, Severity, Status},
    report::{inert, painted},
    text::one_line,
};

pub use self::record::record;
use self::{
    ansi::{GREEN, RED, YELLOW},
    record::head,
    suite::Suite,
};
use super::{Run, score, status, word};

/// How many failed checks the next command names; of more it names the suites.
const NAMED: usize = 3;

/// How much of a run a person sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Only failures that block and the result.
    Blocking,
    /// The suites, and what failed: failures whole, a warning in a line; notices are counted.
    Findings,
    /// Each check, with all that it found.
    Everything,
}

/// The lines of a run while it goes on.
#[derive(Debug)]
pub struct Live {
    detail: Detail,
    /// Those that have not ended.
    suites: Vec<Suite>,
    /// The length of the longest name of a suite, in characters.
    width: usize,
    /// By the reason that kept a check from running: the first check with it.
    reported: HashMap<String, String>,
}

impl Live {
    /// Makes the lines of a run of `planned` checks.
    #[must_use]
    pub fn new(planned: &[Planned], detail: Detail) -> Self {
        let suites = Suite::all(planned);
        let width = planned.iter().map(|one| one.trial.split("::").next().unwrap_or_default().chars().count()).max();
        Live { detail, suites, width: width.unwrap_or_default(), reported: HashMap::new() }
    }

    /// Returns what is to be shown once a check has ended, `at` since the run began; empty where its suite goes on.
    pub fn record(&mut self, one: &Record, at: Duration, colour: Colour) -> String {
        match self.detail {
            Detail::Everything => self.check(one, colour),
            Detail::Findings => self.suite(one, at, colour),
            Detail::Blocking => String::new(),
        }
    }

    /// Returns the lines of the suites that have not ended, for a run that ended before them.
    #[must_use]
    pub fn rest(&self, colour: Colour) -> String {
        match self.detail {
            Detail::Everything | Detail::Blocking => String::new(),
            Detail::Findings => self.suites.iter().map(|suite| suite.line(self.width, colour)).collect(),
        }
    }

    fn suite(&mut self, one: &Record, at: Duration, colour: Colour) -> String {
        let Some(place) = self.suites.iter().position(|suite| suite.is_of(one)) else { return String::new() };
        self.suites[place].add(one, at);
        match self.suites[place].is_complete() {
            true => self.suites.remove(place).line(self.width, colour),
            false => String::new(),
        }
    }

    /// Writes one record; of one that could not run for a reason that was shown before, only a line.
    fn check(&mut self, one: &Record, colour: Colour) -> String {
        if one.status != Status::Broken || !one.findings.is_empty() || !one.evidence.is_empty() {
            return record(one, colour);
        }
        match self.reported.get(&one.message) {
            Some(first) => format!("{} same reason as {}\n", head(one, colour), one_line(first)),
            None => {
                self.reported.insert(one.message.clone(), one.trial.clone());
                record(one, colour)
            }
        }
    }
}

/// Writes the end of a run: what failed, unless each check was shown; the verdict with the counts.
#[must_use]
pub fn end(run: &Run, detail: Detail, colour: Colour) -> String {
    let findings = match detail {
        Detail::Blocking => blocking(run, colour),
        Detail::Findings => blocking(run, colour) + &warnings(run, colour),
        Detail::Everything => String::new(),
    };
    // Nothing stands above it where no suite was shown.
    let gap = if run.records.is_empty() { "" } else { "\n" };
    let before = if detail == Detail::Blocking { "" } else { gap };
    let between = if findings.is_empty() { "" } else { gap };
    format!("{before}{findings}{between}{}", summary(run, colour))
}

/// Writes failures whole, then what kept checks from running.
fn blocking(run: &Run, colour: Colour) -> String {
    let of = |severity: Severity, status: Status| {
        run.records.iter().filter(move |one| one.severity == severity && one.status == status)
    };
    let failures: String = of(Severity::Required, Status::Fail).map(|one| record(one, colour)).collect();
    let broken = of(Severity::Required, Status::Broken).chain(of(Severity::Warning, Status::Broken));
    // Next to a failure they are only counted: most are left out because of it.
    let is_undecided = run.verdict.kind == VerdictKind::Inconclusive;
    let skipped = of(Severity::Required, Status::Skip).filter(|one| is_undecided && !one.is_interrupted());
    let not_run: Vec<&Record> = broken.chain(skipped).collect();
    let not_run: String = by_reason(&not_run).iter().map(|same| not_run_text(same, colour)).collect();
    failures + &not_run
}

/// Writes the warnings, a line each.
fn warnings(run: &Run, colour: Colour) -> String {
    let is_warning = |one: &&Record| one.severity == Severity::Warning && one.status == Status::Fail;
    run.records.iter().filter(is_warning).map(|one| in_line(one, colour)).collect()
}

fn in_line(one: &Record, colour: Colour) -> String {
    let more = match one.findings.len() {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let text = inert(&one_line(&in_a_line(one)));
    // Some checks count in their own message.
    let counts_itself = text.ends_with(&format!(" and {} more", one.findings.len().saturating_sub(1)));
    let more = if counts_itself { String::new() } else { more };
    format!("{} {}: {text}{more}\n", painted(status(one), YELLOW, colour), one_line(&one.trial))
}

/// Puts those together that have the same status and reason.
fn by_reason<'a>(records: &[&'a Record]) -> Vec<Vec<&'a Record>> {
    let mut groups: Vec<Vec<&Record>> = Vec::new();
    for one in records {
        let is_same = |group: &&mut Vec<&Record>| group[0].status == one.status && group[0].message == one.message;
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

fn not_run_text(same: &[&Record], colour: Colour) -> String {
    let first = record(same[0], colour);
    if same.len() == 1 {
        return first;
    }
    let (word, name) = (painted(status(same[0]), YELLOW, colour), one_line(&same[0].trial));
    format!("{word} {name} and {} more\n  {}\n", same.len() - 1, inert(&one_line(&same[0].message)))
}

/// Writes the next command in a line of its own, which is not to be broken: it is copied. Empty where all is shown and nothing blocks.
#[must_use]
pub fn next_command(run: &Run, detail: Detail) -> String {
    next(run, detail).map(|(what, command)| format!("{what}: {command}\n")).unwrap_or_default()
}

/// Returns what a person does next, and the command; nothing where all is shown and nothing blocks.
fn next(run: &Run, detail: Detail) -> Option<(&'static str, String)> {
    let gate = |arguments: &str| format!("gate test --env {}{arguments}", one_line(&run.environment));
    if run.records.is_empty() {
        return Some(("all checks", gate(" --list")));
    }
    if run.verdict.kind != VerdictKind::Promote {
        let names: String = again(run).iter().map(|name| format!(" {}", one_line(name))).collect();
        return Some(("again", gate(&names)));
    }
    let tally = &run.verdict.tally;
    let has_more = tally.warnings + tally.notices + tally.not_run > 0;
    (has_more && detail == Detail::Findings).then(|| ("details", gate(" --verbose")))
}

/// Returns the filters that run what blocked once more: the checks, or their suites where there are many.
fn again(run: &Run) -> Vec<&str> {
    let is_held = run.verdict.kind == VerdictKind::Hold;
    let blocks = |one: &&Record| {
        let is_it = if is_held { one.status == Status::Fail } else { one.status != Status::Pass };
        one.severity == Severity::Required && is_it && !one.is_interrupted()
    };
    let blocking: Vec<&Record> = run.records.iter().filter(blocks).collect();
    let mut names: Vec<&str> = match blocking.len() {
        0..=NAMED => blocking.iter().map(|one| one.trial.as_str()).collect(),
        _ => blocking.iter().map(|one| one.suite()).collect(),
    };
    names.dedup();
    names
}

/// Writes the verdict with the counts, and the reasons that no check holds.
fn summary(run: &Run, colour: Colour) -> String {
    let verdict = &run.verdict;
    let code = match verdict.kind {
        VerdictKind::Promote => GREEN,
        VerdictKind::Hold => RED,
        VerdictKind::Inconclusive => YELLOW,
    };
    let score = score(verdict).map(|score| format!(". {score}")).unwrap_or_default();
    let head = painted(&word(verdict.kind).to_uppercase(), code, colour);
    let reasons: String = verdict.general.iter().map(|reason| format!("  {}\n", one_line(reason))).collect();
    format!("{head} {}: {}{score}\n{reasons}", run.subject(), verdict.tally.text())
}
