//! What a person sees while a run goes on: one line a step.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use stagegate_base::report::{self, Colour};
use stagegate_gate_act::journal;
use stagegate_gate_decide::promotion::{
    Decision, End, Entry, Leftover, Line, PerformanceReport, Plan, Step, StepReport, UndoReport, end_text,
    manual_steps, reason, why_stuck,
};
use stagegate_host::{clock, paths::StateDir};
use stagegate_performance_decide::{self as performance, MeasurementProgress};
use stagegate_watch_decide::{RunFacts, StepFacts};

use crate::screen::{self, Activity};

/// The times of steps are read from so many of the newest runs.
const LOOKED_AT: usize = 5;

/// Puts a text into a colour, which only a terminal is shown.
fn painted(code: u8, text: &str) -> String {
    report::painted(text, code, Colour::Coloured)
}

/// How long steps took in the last run of an environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownTimes(Vec<StepFacts>);

impl KnownTimes {
    /// Reads the newest runs of a state folder; nothing where there is none.
    pub(crate) fn of_state(state: &StateDir) -> Self {
        let runs = journal::runs(&state.runs());
        let facts = runs.iter().rev().take(LOOKED_AT).filter_map(|dir| {
            let lines = journal::lines(dir).ok()?;
            RunFacts::of(&lines, clock::unix_of)
        });
        KnownTimes(facts.flat_map(|facts| facts.steps).filter(|step| step.is_well == Some(true)).collect())
    }

    /// Returns how long a step, or its undo, took when it last succeeded.
    fn of(&self, step: Step, is_undo: bool) -> Option<Duration> {
        let found = self.0.iter().find(|facts| facts.step == step && facts.is_undo == is_undo)?;
        found.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}

/// Reports a journal line on standard error; `known` are the times that its steps took before.
pub(crate) fn print_line(line: &Line, took: Duration, known: &KnownTimes) {
    match &line.entry {
        Entry::Begun { step } => while_it_lasts(step.title(), Instant::now(), known.of(*step, false)),
        Entry::UndoBegun { step } => {
            while_it_lasts(&format!("undo: {}", step.title()), Instant::now(), known.of(*step, true));
        }
        _ => {
            let Some(text) = line_text(line, took, painted) else { return };
            clear();
            crate::failure::print_message(&text);
        }
    }
}

/// Returns a journal line as a person reads it; `None` where it tells nothing of its own.
pub(crate) fn line_text(line: &Line, took: Duration, painted: fn(u8, &str) -> String) -> Option<String> {
    let seconds = took.as_secs_f64();
    Some(match &line.entry {
        Entry::Started { plan } => {
            format!("run {} started (log and journal: gate history --env {})", plan.run, plan.environments.target)
        }
        Entry::Done { report } => {
            let title = report.step().title();
            let line = format!("{} {title:<28} {seconds:>6.1} s  {}", painted(32, "ok  "), report.text());
            let probes = if let StepReport::Prepare(prepared) = report {
                compared(&prepared.performance)
            } else {
                String::new()
            };
            format!("{line}{probes}{}", leftovers(report.leftovers()))
        }
        Entry::Failed { step, reason, .. } => {
            format!("{} {:<28} {seconds:>6.1} s\n     {reason}", painted(31, "FAIL"), step.title())
        }
        // What took no time and did nothing worth a word is left out.
        Entry::Undone { report } if seconds >= 0.1 || !report.text().is_empty() || !report.left().is_empty() => {
            let title = report.step().title();
            let line = format!("{} {title:<28} {seconds:>6.1} s  {}", painted(33, "undo"), report.text());
            format!("{line}{}", leftovers(report.left()))
        }
        Entry::UndoFailed { step, reason } => {
            format!("{} undo: {:<22} {seconds:>6.1} s\n     {reason}", painted(31, "FAIL"), step.title())
        }
        Entry::Decided { decision: Decision::Commit, .. } => {
            painted(32, "point of no return passed: the release stays")
        }
        Entry::Decided { decision: Decision::Rollback, reason } => {
            // What failed was reported in the line before, with its reason.
            let what = reason.split_once(" failed: ").map_or(reason.clone(), |(step, _)| format!("{step} failed"));
            painted(33, &format!("rolling back: {what}"))
        }
        Entry::Resumed { reason } => format!("resuming the run ({reason})"),
        Entry::Begun { step: Step::Confirm } => {
            let what = "lets the release stay; without it the run is rolled back";
            painted(33, &format!("waiting for a confirmation: `gate confirm {}` {what}", line.run))
        }
        // The end is reported with its reason, once the run rests.
        Entry::Begun { .. } | Entry::UndoBegun { .. } | Entry::Undone { .. } | Entry::Ended { .. } => return None,
    })
}

/// Reports how a run ended, how long its rollback took, why, and what a person can do.
pub(crate) fn print_end(plan: &Plan, lines: &[Line], dir: &Path) {
    let Some(Entry::Ended { end, exit }) = lines.last().map(|line| &line.entry) else { return };
    let code = match end {
        End::Promoted => 32,
        End::RolledBack | End::Aborted => 33,
        _ => 31,
    };
    crate::failure::print_message(&painted(code, &end_text(plan, *end, *exit)));
    after_the_end(plan, *end, lines, dir).iter().for_each(|line| crate::failure::print_message(line));
}

/// Returns how long a rollback took, why a run did not go through, and what a person can do, a line each.
pub(crate) fn after_the_end(plan: &Plan, end: End, lines: &[Line], dir: &Path) -> Vec<String> {
    let mut text = Vec::new();
    if end == End::RolledBack {
        text.push(rolled_back(lines));
    }
    let reason = match end {
        End::Promoted => None,
        End::Stuck => why_stuck(lines),
        _ => reason(lines).map(str::to_owned),
    };
    if let Some(reason) = reason {
        text.push(format!("reason: {reason}"));
    }
    let by_hand = manual_steps(plan, dir, lines, &stagegate_gate_act::dumps(dir));
    if !by_hand.is_empty() {
        text.push("next steps:".to_owned());
        text.extend(by_hand.iter().map(|line| format!("  {line}")));
    }
    text
}

/// Returns how long the rollback took, from the decision to its verification.
fn rolled_back(lines: &[Line]) -> String {
    let wall = |wanted: &dyn Fn(&Entry) -> bool| lines.iter().find(|line| wanted(&line.entry)).map(|line| &line.wall);
    let decided = wall(&|entry| matches!(entry, Entry::Decided { .. }));
    let is_verified = |entry: &Entry| matches!(entry, Entry::Done { report } if report.step() == Step::VerifyRollback);
    let verified = wall(&is_verified);
    let seconds = decided.zip(verified).and_then(|(from, to)| stagegate_host::clock::seconds_between(from, to));
    let exchanges = lines.iter().filter_map(|line| match &line.entry {
        Entry::Undone { report: UndoReport::Migrate(rollback) } => Some(rollback.switch_seconds),
        _ => None,
    });
    let exchange = exchanges.fold(0.0, |all, one| all + one);
    let volumes = lines.iter().find_map(|line| match &line.entry {
        Entry::Undone { report: UndoReport::CopyVolumes(rollback) } if !rollback.volumes.is_empty() => {
            Some(format!(", volumes in {:.2} s", rollback.switch_seconds))
        }
        _ => None,
    });
    let (seconds, volumes) = (seconds.unwrap_or_default(), volumes.unwrap_or_default());
    format!("rolled back in {seconds:.1} s (database switched in {exchange:.2} s{volumes})")
}

/// Returns what the comparison of each probe came to, a line each.
fn compared(probes: &[PerformanceReport]) -> String {
    probes.iter().map(|report| format!("\n     {}: {}", report.probe, report.result)).collect()
}

/// Returns the databases that stay, with the reason and the statement that drops each by hand, two lines each.
fn leftovers(left: &[Leftover]) -> String {
    let one = |left: &Leftover| {
        format!("\n     {} `{}` stays: {}\n       {};", left.kind(), left.name, left.why, left.command())
    };
    left.iter().map(one).collect()
}

/// Shows on a terminal what is being done, since when and how long it took before; the line is written over when it ended.
pub(crate) fn while_it_lasts(what: &str, since: Instant, before: Option<Duration>) {
    screen::show(Activity::Step { what: what.to_owned(), since, before });
}

/// Shows on a terminal how far the measuring of a probe has come, as a line that is written over.
pub(crate) fn measuring(probe: &str, medians: &[u64], gone: MeasurementProgress) {
    screen::show(Activity::Line(performance::progress(probe, medians, gone)));
}

/// Takes such a line away.
pub(crate) fn clear() {
    screen::clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_probe_came_to_stands_in_a_line_of_its_own() {
        let report = |probe: &str, result: &str| PerformanceReport {
            probe: probe.to_owned(),
            result: result.to_owned(),
            seconds: 6.6,
            costs: None,
        };
        let probes =
            [report("orders", "no slower than 2 %"), report("items", "undecided after 60 s: between -1.0 to +3.0 %")];
        let want = "\n     orders: no slower than 2 %\n     items: undecided after 60 s: between -1.0 to +3.0 %";
        assert_eq!(compared(&probes), want);
        assert_eq!(compared(&[]), "");
    }
}
