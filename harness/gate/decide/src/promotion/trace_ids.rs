//! The ids of a run's trace and of its spans: made of the run's id and its lines alone, so that whoever makes them again has the
//! same, while the run goes on and afterwards.

use sha2::{Digest, Sha256};
use stagegate_base::trace_parent::TraceParent;

use super::{Entry, Line, Plan, Step};

/// Returns the id of a run's trace, 32 hexadecimal digits: that of its caller, if it has one.
#[must_use]
pub fn trace_id(plan: &Plan) -> String {
    plan.trace_parent.as_ref().map_or_else(|| hex(&["trace", &plan.run], 16), |parent| parent.trace.clone())
}

/// Returns the id of the span of a whole run, 16 hexadecimal digits.
#[must_use]
pub fn run_span(run: &str) -> String {
    hex(&["run", run], 8)
}

/// Returns the id of the span of a step or its undo. `nth` are the steps and undos that ended before: it tells the tries of a step
/// that was redone apart.
#[must_use]
pub fn step_span(run: &str, step: Step, is_undo: bool, nth: usize) -> String {
    let undo = if is_undo { "undo: " } else { "" };
    hex(&["step", run, &format!("{undo}{}", step.title()), &nth.to_string()], 8)
}

/// Returns the id of the span of a check within that of a step.
#[must_use]
pub fn check_span(step: &str, check: &str) -> String {
    hex(&["check", step, check], 8)
}

/// Returns what programs that a run starts are handed on: the span of the step that it is in, else that of the run.
#[must_use]
pub fn current(plan: &Plan, lines: &[Line]) -> TraceParent {
    let ended = lines.iter().filter(|line| {
        matches!(
            line.entry,
            Entry::Done { .. } | Entry::Failed { .. } | Entry::Undone { .. } | Entry::UndoFailed { .. }
        )
    });
    let nth = ended.count();
    let span = match lines.last().map(|line| &line.entry) {
        Some(Entry::Begun { step }) => step_span(&plan.run, *step, false, nth),
        Some(Entry::UndoBegun { step }) => step_span(&plan.run, *step, true, nth),
        _ => run_span(&plan.run),
    };
    let is_recorded = plan.trace_parent.as_ref().is_none_or(|parent| parent.is_recorded);
    TraceParent { trace: trace_id(plan), span, is_recorded }
}

fn hex(parts: &[&str], bytes: usize) -> String {
    let digest = Sha256::digest(parts.join("\n").as_bytes());
    digest.iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}
