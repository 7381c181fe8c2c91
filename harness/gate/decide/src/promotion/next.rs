//! What to do next: a pure function of the journal.

use super::{Decision, End, Entry, Kind, Line, Plan, Pruned, Step, StepReport, Tier};
use stagegate_base::exit::Exit;

/// The reason of a step that somebody interrupted.
pub const INTERRUPTED: &str = "interrupted";

/// How often an undo, or a step that must succeed, is tried before manual action is required.
const TRIES: usize = 3;

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Do a step.
    Do(Step),
    /// Undo a step that was begun.
    Undo(Step),
    /// Write a decision.
    Decide(Decision, String),
    /// Write the end.
    End(End, Exit),
    /// Nothing: the end is written.
    Rest(End, Exit),
}

/// Returns what to do next in a run whose journal is `lines`, the first of which holds `plan`.
///
/// It is called between two actions only, so a step that was begun and never ended was interrupted: it is undone before
/// the point of no return, and done again after it and in a rollback, where every step can be repeated.
#[must_use]
pub fn next(plan: &Plan, lines: &[Line]) -> Move {
    let run = Run { plan, lines };
    if let Some(Entry::Ended { end, exit }) = lines.last().map(|line| &line.entry) {
        return Move::Rest(*end, *exit);
    }
    match run.decision() {
        None => run.forward(),
        Some(Decision::Commit) => run.after_commit(),
        Some(Decision::Rollback) => run.back(),
    }
}

/// Returns how a run is going to end whose next or present step is to notify; `None` where it has other work first.
///
/// `lines` are those of [`next`]. Receivers are notified before the end is written: a process that is killed in between sends the
/// message once more, and none is lost.
#[must_use]
pub fn coming_end(plan: &Plan, lines: &[Line]) -> Option<(End, Exit)> {
    let last = lines.last()?;
    let mut ahead = lines.to_vec();
    for report in [StepReport::Notify, StepReport::Prune(Pruned::default())] {
        ahead.push(Line { entry: Entry::Done { report }, ..last.clone() });
    }
    match next(plan, &ahead) {
        Move::End(end, exit) => Some((end, exit)),
        _ => None,
    }
}

struct Run<'a> {
    plan: &'a Plan,
    lines: &'a [Line],
}

impl Run<'_> {
    fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.lines.iter().map(|line| &line.entry)
    }

    fn decision(&self) -> Option<Decision> {
        self.entries().rev().find_map(|entry| match entry {
            Entry::Decided { decision, .. } => Some(*decision),
            _ => None,
        })
    }

    fn begun(&self, step: Step) -> bool {
        self.entries().any(|entry| matches!(entry, Entry::Begun { step: s } if *s == step))
    }

    fn done(&self, step: Step) -> bool {
        self.entries().any(|entry| matches!(entry, Entry::Done { report } if report.step() == step))
    }

    fn undone(&self, step: Step) -> bool {
        self.entries().any(|entry| matches!(entry, Entry::Undone { report } if report.step() == step))
    }

    fn failure(&self) -> Option<(Step, &str, Exit)> {
        self.entries().find_map(|entry| match entry {
            Entry::Failed { step, reason, exit } => Some((*step, reason.as_str(), *exit)),
            _ => None,
        })
    }

    fn tier(&self) -> Option<Tier> {
        self.entries().find_map(|entry| match entry {
            Entry::Done { report: StepReport::Rehearse(rehearsal) } => Some(rehearsal.tier),
            _ => None,
        })
    }

    /// Returns whether a step has a place in this run.
    fn applies(&self, step: Step) -> bool {
        match (&self.plan.kind, step) {
            (Kind::Rollback { .. }, Step::Validate) => false,
            (_, Step::Rehearse) => self.plan.is_rehearsed(),
            (_, Step::CopyVolumes) => self.plan.copies_volumes(),
            (_, Step::MoveTraffic) => self.plan.moves_traffic() && !self.plan.copies_volumes() && !self.moves_rows(),
            (_, Step::Confirm) => self.plan.confirm_within.is_some(),
            (_, Step::Freeze) => self.plan.copies_volumes() || self.moves_rows(),
            (_, step) if step.is_for_databases() => self.moves_rows(),
            _ => true,
        }
    }

    /// Returns whether databases are copied and migrated, or rolled back.
    fn moves_rows(&self) -> bool {
        match &self.plan.kind {
            Kind::Rollback { data, .. } => *data,
            Kind::Promote => !self.plan.databases.is_empty() && self.tier() != Some(Tier::Code),
        }
    }

    fn forward(&self) -> Move {
        if let Some((step, reason, _)) = self.failure() {
            return Move::Decide(Decision::Rollback, format!("{} failed: {reason}", step.title()));
        }
        let open = Step::FORWARD.into_iter().filter(|step| self.applies(*step)).find(|step| !self.done(*step));
        match open {
            Some(step) if self.begun(step) => {
                Move::Decide(Decision::Rollback, format!("the run was interrupted during: {}", step.title()))
            }
            // Also with every step done: the decision is what was not made.
            _ if self.was_resumed() => {
                Move::Decide(Decision::Rollback, "the run was interrupted before the point of no return".to_owned())
            }
            Some(step) => Move::Do(step),
            None => Move::Decide(Decision::Commit, "all steps succeeded".to_owned()),
        }
    }

    /// Returns whether another process took the run over; then nobody watched the target for an unknown time.
    fn was_resumed(&self) -> bool {
        self.entries().any(|entry| matches!(entry, Entry::Resumed { .. }))
    }

    fn after_commit(&self) -> Move {
        if !self.done(Step::OpenPorts) {
            return if self.failures(Step::OpenPorts) >= TRIES { self.stuck() } else { Move::Do(Step::OpenPorts) };
        }
        // What a failing notification or clean-up misses is reported, and harms nobody.
        if !self.has_notified() {
            return Move::Do(Step::Notify);
        }
        if !self.done(Step::Prune) && self.failures(Step::Prune) == 0 {
            return Move::Do(Step::Prune);
        }
        Move::End(End::Promoted, Exit::Passed)
    }

    fn back(&self) -> Move {
        for step in Step::FORWARD.into_iter().rev().filter(|step| self.begun(*step)) {
            if self.undone(step) {
                continue;
            }
            return if self.failed_undos(step) >= TRIES { self.stuck() } else { Move::Undo(step) };
        }
        let touched = Step::FORWARD.into_iter().any(|step| step.touches_target() && self.begun(step));
        if touched && !self.done(Step::StartPrevious) {
            let is_spent = self.failures(Step::StartPrevious) >= TRIES;
            return if is_spent { self.stuck() } else { Move::Do(Step::StartPrevious) };
        }
        if touched && !self.done(Step::VerifyRollback) && self.failures(Step::VerifyRollback) == 0 {
            return Move::Do(Step::VerifyRollback);
        }
        if self.has_notified() { self.end_of_rollback(touched) } else { Move::Do(Step::Notify) }
    }

    /// Returns the move of a run that can go no further by itself: whoever has to act hears of it first.
    fn stuck(&self) -> Move {
        if self.has_notified() { Move::End(End::Stuck, Exit::PersonNeeded) } else { Move::Do(Step::Notify) }
    }

    /// Returns whether receivers were notified of the end that the run is at, well or not: since the last thing that it did.
    fn has_notified(&self) -> bool {
        for entry in self.entries().rev() {
            match entry {
                Entry::Done { report } if report.step() == Step::Notify => return true,
                Entry::Failed { step: Step::Notify, .. } => return true,
                Entry::Begun { step: Step::Notify | Step::Prune } => {}
                // A stuck run that was resumed ends once more.
                Entry::Begun { .. } | Entry::UndoBegun { .. } | Entry::Ended { .. } => return false,
                _ => {}
            }
        }
        false
    }

    fn end_of_rollback(&self, touched: bool) -> Move {
        if touched && !self.done(Step::VerifyRollback) {
            return Move::End(End::NotVerified, Exit::PersonNeeded);
        }
        match (touched, self.failure_before_decision()) {
            (true, _) => Move::End(End::RolledBack, Exit::RolledBack),
            (false, Some(_)) if self.was_interrupted() => Move::End(End::Aborted, Exit::Held),
            (false, Some(exit)) => Move::End(End::Blocked, exit),
            (false, None) => Move::End(End::Aborted, Exit::Held),
        }
    }

    /// Returns whether somebody interrupted the step that did not succeed.
    fn was_interrupted(&self) -> bool {
        self.failure().is_some_and(|(_, reason, _)| reason == INTERRUPTED)
    }

    fn failure_before_decision(&self) -> Option<Exit> {
        self.failure().filter(|(step, _, _)| Step::FORWARD.contains(step)).map(|(_, _, exit)| exit)
    }

    /// Counts failures of a step since the run was last resumed: each resume gives new tries.
    fn failures(&self, step: Step) -> usize {
        self.since_resumed().filter(|entry| matches!(entry, Entry::Failed { step: s, .. } if *s == step)).count()
    }

    fn failed_undos(&self, step: Step) -> usize {
        self.since_resumed().filter(|entry| matches!(entry, Entry::UndoFailed { step: s, .. } if *s == step)).count()
    }

    fn since_resumed(&self) -> impl Iterator<Item = &Entry> {
        self.entries().rev().take_while(|entry| !matches!(entry, Entry::Resumed { .. }))
    }
}
