//! Decides whether a run of trials lets a release through.
//!
//! In: the records of one run and the trials that should have run. Out: one [`Verdict`] with its reasons.
//! Invariant: a required trial that did not run never lets a release through. No clock, no I/O.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::readiness::{Band, band, weigh};
use stagegate_base::{
    config::Readiness,
    exit::Exit,
    record::{Planned, Record, Severity, Status},
    text::{counted, one_line},
};

/// How many reasons a line names.
const REASONS: usize = 3;
/// How long each may be, in characters.
const REASON_LENGTH: usize = 240;

/// Why nothing can be reported where no check ran.
const NO_CHECK: &str = "no check ran";
/// From this number on trials that share a reason are reported together.
const MANY: usize = 3;

/// What a run lets a release do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictKind {
    /// It may go on.
    Promote,
    /// A required trial failed.
    Hold,
    /// Nothing failed, but a required trial did not run, so nothing can be reported.
    Inconclusive,
}

/// How many trials ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Passed.
    pub pass: usize,
    /// Failed.
    pub fail: usize,
    /// Skipped.
    pub skip: usize,
    /// Could not be asked.
    pub broken: usize,
    /// Should have run and left no record.
    pub missing: usize,
}

/// What a run lets a release do, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What it lets it do.
    pub kind: VerdictKind,
    /// One line a reason, the gravest first.
    pub reasons: Vec<String>,
    /// Those of the reasons that the record of no check holds: that none ran, that some left no record, a signal.
    #[serde(skip)]
    pub general: Vec<String>,
    /// How many trials ended how.
    pub counts: Counts,
    /// The readiness score: share of what passed, 0 to 100, weighed as the configuration states. `None` where too little
    /// was asked.
    pub score: Option<u8>,
    /// What the score allows; not ready wherever the run holds a release.
    pub band: Option<Band>,
    /// The counts as a person reads them; `counts` and `score` are what programs read.
    #[serde(skip)]
    pub tally: Tally,
}

/// How a run went by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Required checks, those that left no record included.
    pub required: usize,
    /// Required checks that passed.
    pub passed: usize,
    /// Checks of severity `warning` that failed.
    pub warnings: usize,
    /// Checks of severity `info` that failed.
    pub notices: usize,
    /// Checks of any severity that were skipped, broke or left no record.
    pub not_run: usize,
    /// The score that a promotion needs.
    pub needed: u8,
}

impl Tally {
    fn of(records: &[Record], missing: &[&Planned], needed: u8) -> Self {
        let count = |severity, wanted: &[Status]| {
            records.iter().filter(|r| r.severity == severity && wanted.contains(&r.status)).count()
        };
        let required = records.iter().filter(|r| r.severity == Severity::Required).count();
        let absent = missing.iter().filter(|planned| planned.severity == Severity::Required).count();
        let result = records.iter().filter(|r| matches!(r.status, Status::Pass | Status::Fail)).count();
        Tally {
            required: required + absent,
            passed: count(Severity::Required, &[Status::Pass]),
            warnings: count(Severity::Warning, &[Status::Fail]),
            notices: count(Severity::Info, &[Status::Fail]),
            not_run: records.len() - result + missing.len(),
            needed,
        }
    }

    /// Writes the counts: `21/21 required, 10 warnings, 3 notices, 1 not run`.
    #[must_use]
    pub fn text(&self) -> String {
        self.counted("required")
    }

    /// Writes the counts within a sentence: `21/21 required checks passed, 10 warnings`.
    #[must_use]
    pub fn sentence(&self) -> String {
        self.counted("required checks passed")
    }

    fn counted(&self, of_required: &str) -> String {
        let Tally { required, passed, warnings, notices, not_run, .. } = *self;
        let first =
            if required == 0 { "no required checks".to_owned() } else { format!("{passed}/{required} {of_required}") };
        let rest = [counted(warnings, "warning"), counted(notices, "notice"), format!("{not_run} not run")];
        let rest = rest.into_iter().zip([warnings, notices, not_run]).filter(|(_, count)| *count > 0);
        std::iter::once(first).chain(rest.map(|(text, _)| text)).collect::<Vec<_>>().join(", ")
    }
}

impl Verdict {
    /// Returns the verdict of a run that could not even begin.
    #[must_use]
    pub fn unknown(reason: String) -> Self {
        Verdict {
            kind: VerdictKind::Inconclusive,
            reasons: vec![reason.clone()],
            general: vec![reason],
            counts: Counts::default(),
            score: None,
            band: None,
            tally: Tally::default(),
        }
    }

    /// Returns in one line why the run blocks a release: the gravest reasons, how many there are, and how to see all.
    #[must_use]
    pub fn reason(&self, environment: &str) -> String {
        let first: Vec<String> = self.reasons.iter().take(REASONS).map(|reason| shortened(reason)).collect();
        match self.reasons.len().checked_sub(REASONS) {
            Some(more) if more > 0 => format!("{}; and {more} more (gate test --env {environment})", first.join("; ")),
            _ => first.join("; "),
        }
    }

    /// Returns how `gate test` ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.kind {
            VerdictKind::Promote => Exit::Passed,
            VerdictKind::Hold => Exit::Held,
            VerdictKind::Inconclusive => Exit::Inconclusive,
        }
    }
}

/// Returns a reason on one line of bounded length.
fn shortened(reason: &str) -> String {
    let line = one_line(reason);
    match line.char_indices().nth(REASON_LENGTH) {
        Some((end, _)) => format!("{}..", &line[..end]),
        None => line,
    }
}

/// Judges a run. A trial with several records is judged by each of them.
#[must_use]
pub fn verdict(records: &[Record], planned: &[Planned], policy: &Readiness) -> Verdict {
    let missing = missing(records, planned);
    let absent = did_not_run(&missing);
    let (vetoes, doubts) = (vetoes(records), not_run(records).into_iter().chain(absent.clone()).collect::<Vec<_>>());
    let kind = match (vetoes.is_empty(), doubts.is_empty() && !records.is_empty()) {
        (false, _) => VerdictKind::Hold,
        (true, false) => VerdictKind::Inconclusive,
        (true, true) => VerdictKind::Promote,
    };
    let reasons = match kind {
        VerdictKind::Promote => passed(records),
        _ if records.is_empty() => std::iter::once(NO_CHECK.to_owned()).chain(doubts).collect(),
        _ => vetoes.into_iter().chain(doubts).collect(),
    };
    let general = records.is_empty().then(|| NO_CHECK.to_owned()).into_iter().chain(absent).collect();
    let weighed = || weigh(records, &missing, policy).score(policy);
    let score = if kind == VerdictKind::Inconclusive { None } else { weighed() };
    let band = match kind {
        VerdictKind::Hold => Some(Band::NotReady),
        _ => score.map(|score| band(score, policy)),
    };
    let tally = Tally::of(records, &missing, policy.ready);
    Verdict { kind, reasons, general, counts: counts(records, missing.len()), score, band, tally }
}

/// Judges a run that a signal ended: what failed until then is reported, and nothing can be reported of the rest.
#[must_use]
pub fn interrupted(records: &[Record], planned: &[Planned], policy: &Readiness) -> Verdict {
    let result = records.iter().filter(|record| record.status != Status::Skip).count();
    let first = format!("interrupted: {result} of {} ran", counted(records.len(), "check"));
    let reasons = std::iter::once(first.clone()).chain(vetoes(records)).collect();
    let (kind, general) = (VerdictKind::Inconclusive, vec![first]);
    Verdict { kind, reasons, general, score: None, band: None, ..verdict(records, planned, policy) }
}

fn missing<'a>(records: &[Record], planned: &'a [Planned]) -> Vec<&'a Planned> {
    let result: BTreeSet<&str> = records.iter().map(|record| record.trial.as_str()).collect();
    planned.iter().filter(|planned| !result.contains(planned.trial.as_str())).collect()
}

/// Reports the required trials that failed.
fn vetoes(records: &[Record]) -> Vec<String> {
    let failed = records.iter().filter(|r| r.severity == Severity::Required && r.status == Status::Fail);
    failed.map(|record| reason(record, "failed")).collect()
}

/// Returns the required checks whose records say that they did not run, with the reasons.
fn not_run(records: &[Record]) -> Vec<String> {
    let required = records.iter().filter(|record| record.severity == Severity::Required);
    let not_asked = required.filter_map(|record| {
        let what = match record.status {
            Status::Skip => "was skipped",
            Status::Broken => "could not run",
            Status::Pass | Status::Fail => return None,
        };
        Some((record.trial.as_str(), what, record.message.clone()))
    });
    grouped(not_asked.collect())
}

/// Returns the required checks that left no record.
fn did_not_run(missing: &[&Planned]) -> Vec<String> {
    let required = missing.iter().filter(|planned| planned.severity == Severity::Required);
    let checks: Vec<&str> = required.map(|planned| planned.trial.as_str()).collect();
    match checks.len() {
        count if count < MANY => checks.iter().map(|check| format!("{check} did not run")).collect(),
        count => vec![format!("{count} required checks did not run ({}, ..)", checks[0])],
    }
}

/// Reports one reason that many trials share once.
fn grouped(reasons: Vec<(&str, &str, String)>) -> Vec<String> {
    let mut reported: Vec<String> = Vec::new();
    let mut seen: BTreeSet<(&str, String)> = BTreeSet::new();
    for (trial, what, why) in &reasons {
        let same = reasons.iter().filter(|(_, w, y)| w == what && y == why).count();
        if same < MANY {
            reported.push(format!("{trial} {what}: {why}"));
        } else if seen.insert((what, why.clone())) {
            reported.push(format!("{same} checks {}: {why}", what.replacen("was ", "were ", 1)));
        }
    }
    reported
}

fn reason(record: &Record, what: &str) -> String {
    format!("{} {what}: {}", record.trial, in_a_line(record))
}

/// Returns what a record reports, with its first finding unless the message has it.
pub(crate) fn in_a_line(record: &Record) -> String {
    let first = record.findings.first().filter(|f| !record.message.contains(&f.found));
    let first = first.map(|f| format!(" ({}: expected {}, got {})", f.place.object, f.expected, f.found));
    format!("{}{}", record.message, first.unwrap_or_default())
}

fn passed(records: &[Record]) -> Vec<String> {
    let required = records.iter().filter(|record| record.severity == Severity::Required).count();
    let all = match required {
        0 => "no check is required here".to_owned(),
        1 => "1/1 required check passed".to_owned(),
        count => format!("{count}/{count} required checks passed"),
    };
    let warnings = records.iter().filter(|r| r.severity == Severity::Warning && r.status == Status::Fail);
    std::iter::once(all).chain(warnings.map(|record| reason(record, "failed (warning)"))).collect()
}

fn counts(records: &[Record], missing: usize) -> Counts {
    let of = |status: Status| records.iter().filter(|record| record.status == status).count();
    Counts {
        pass: of(Status::Pass),
        fail: of(Status::Fail),
        skip: of(Status::Skip),
        broken: of(Status::Broken),
        missing,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use stagegate_base::record::Outcome;

    fn record(severity: Severity, status: Status) -> Record {
        let record = Record::new("staging", "health::api::http", severity, 1, Outcome::Pass("text".to_owned()));
        Record { status, ..record }
    }

    fn planned(severity: Severity) -> Planned {
        Planned { trial: "contracts::api::document".to_owned(), severity }
    }

    #[test]
    fn an_interrupted_run_reports_what_failed_and_lets_nothing_through() {
        let record = |name: &str, outcome| Record::new("staging", name, Severity::Required, 1, outcome);
        let records = [
            record("a::b::passed", Outcome::Pass("seen".to_owned())),
            record("a::b::failed", Outcome::fail("wrong")),
            record("a::b::waiting", Outcome::Skip("not run: interrupted".to_owned())),
        ];
        let judged = interrupted(&records, &[], &Readiness::default());
        assert_eq!((judged.kind, judged.score), (VerdictKind::Inconclusive, None));
        assert_eq!(judged.reasons, ["interrupted: 2 of 3 checks ran", "a::b::failed failed: wrong"]);
        assert_eq!((judged.counts.skip, judged.counts.missing), (1, 0));
    }

    #[rstest]
    #[case::pass(Severity::Required, Status::Pass, VerdictKind::Promote, Some(100))]
    #[case::fail(Severity::Required, Status::Fail, VerdictKind::Hold, Some(0))]
    #[case::skip(Severity::Required, Status::Skip, VerdictKind::Inconclusive, None)]
    #[case::broken(Severity::Required, Status::Broken, VerdictKind::Inconclusive, None)]
    #[case::warning_fails(Severity::Warning, Status::Fail, VerdictKind::Promote, Some(0))]
    #[case::warning_skipped(Severity::Warning, Status::Skip, VerdictKind::Promote, None)]
    #[case::warning_broken(Severity::Warning, Status::Broken, VerdictKind::Promote, None)]
    #[case::info_fails(Severity::Info, Status::Fail, VerdictKind::Promote, None)]
    fn one_trial_alone(
        #[case] severity: Severity,
        #[case] status: Status,
        #[case] kind: VerdictKind,
        #[case] score: Option<u8>,
    ) {
        let verdict = verdict(&[record(severity, status)], &[], &Readiness::default());
        assert_eq!((verdict.kind, verdict.score), (kind, score), "{:?}", verdict.reasons);
    }

    #[rstest]
    #[case::required(Severity::Required, VerdictKind::Inconclusive)]
    #[case::warning(Severity::Warning, VerdictKind::Promote)]
    fn a_trial_that_left_no_record_counts_as_not_run(#[case] severity: Severity, #[case] kind: VerdictKind) {
        let verdict = verdict(&[record(Severity::Required, Status::Pass)], &[planned(severity)], &Readiness::default());
        assert_eq!((verdict.kind, verdict.counts.missing), (kind, 1));
    }

    #[test]
    fn the_counts_name_what_is_required_first_and_leave_out_what_is_zero() {
        let of = |severity, status, count: usize| vec![record(severity, status); count];
        let many = [
            of(Severity::Required, Status::Pass, 21),
            of(Severity::Warning, Status::Fail, 10),
            of(Severity::Info, Status::Fail, 3),
            of(Severity::Warning, Status::Skip, 1),
        ];
        let judged = |records: &[Record], planned: &[Planned]| verdict(records, planned, &Readiness::default());
        let text = judged(&many.concat(), &[]).tally.text();
        assert_eq!(text, "21/21 required, 10 warnings, 3 notices, 1 not run");
        let sentence = judged(&many[..2].concat(), &[]).tally.sentence();
        assert_eq!(sentence, "21/21 required checks passed, 10 warnings");
        let one = [of(Severity::Required, Status::Fail, 1), of(Severity::Warning, Status::Fail, 1)].concat();
        assert_eq!(judged(&one, &[planned(Severity::Required)]).tally.text(), "0/2 required, 1 warning, 1 not run");
        assert_eq!(judged(&of(Severity::Info, Status::Pass, 1), &[]).tally.text(), "no required checks");
    }

    #[rstest]
    #[case::nothing_planned(&[])]
    #[case::only_warnings_planned(&[planned(Severity::Warning)])]
    fn a_run_of_nothing_is_inconclusive(#[case] planned: &[Planned]) {
        let verdict = verdict(&[], planned, &Readiness::default());
        assert_eq!((verdict.kind, verdict.score), (VerdictKind::Inconclusive, None));
        assert_eq!(verdict.reasons, ["no check ran"]);
    }

    #[test]
    fn a_failure_holds_whatever_did_not_run_and_both_are_reported() {
        let records = [record(Severity::Required, Status::Broken), record(Severity::Required, Status::Fail)];
        let verdict = verdict(&records, &[planned(Severity::Required)], &Readiness::default());
        assert_eq!(verdict.kind, VerdictKind::Hold);
        assert_eq!(
            verdict.reasons,
            [
                "health::api::http failed: text",
                "health::api::http could not run: text",
                "contracts::api::document did not run",
            ]
        );
    }

    #[test]
    fn a_warning_weighs_half_and_the_score_is_rounded_down() {
        let mut records = vec![record(Severity::Required, Status::Pass); 16];
        records.push(record(Severity::Warning, Status::Fail));
        // 32 of 33 halves.
        assert_eq!(verdict(&records, &[], &Readiness::default()).score, Some(96));
    }

    #[test]
    fn the_reason_is_one_line_that_states_how_many_and_how_to_see_them() {
        let reason = |count: usize| {
            let reasons = (0..count).map(|number| format!("check {number} failed:\n{}", "x".repeat(300))).collect();
            Verdict { reasons, ..Verdict::unknown(String::new()) }.reason("staging")
        };
        assert!(reason(2).starts_with("check 0 failed: xxx") && !reason(2).contains("more"), "{}", reason(2));
        assert!(reason(12).ends_with("; and 9 more (gate test --env staging)"), "{}", reason(12));
        assert!(reason(12).lines().count() == 1 && reason(12).len() < 900, "{}", reason(12));
    }

    #[test]
    fn many_checks_that_did_not_run_are_one_reason() {
        let planned: Vec<Planned> = (0..21)
            .map(|number| Planned { trial: format!("health::{number}::http"), severity: Severity::Required })
            .collect();
        let verdict = verdict(&[record(Severity::Required, Status::Pass)], &planned, &Readiness::default());
        assert_eq!((verdict.kind, verdict.score), (VerdictKind::Inconclusive, None));
        assert_eq!(verdict.reasons, ["21 required checks did not run (health::0::http, ..)"]);
    }

    #[rstest]
    #[case(Status::Pass, Exit::Passed)]
    #[case(Status::Fail, Exit::Held)]
    #[case(Status::Broken, Exit::Inconclusive)]
    fn the_exit_code_follows(#[case] status: Status, #[case] exit: Exit) {
        assert_eq!(verdict(&[record(Severity::Required, status)], &[], &Readiness::default()).exit(), exit);
    }
}
