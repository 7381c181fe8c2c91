//! The steps of a run as spans, and its turns as events.

use serde_json::{Value, json};
use stagegate_gate_decide::promotion::{Decision, Entry, Line, Step, StepReport, trace_ids};

use super::{At, Time, Trace, attribute, outcome, span};

/// A step that has begun.
struct Open {
    step: Step,
    is_undo: bool,
    from: u64,
}

/// Returns a span for each step and each undo, in the order of their ends; those that did not end come last and have the
/// journal's last moment as their end.
pub(super) fn spans(trace: &Trace<'_>, lines: &[Line], at: At<'_>) -> Vec<Value> {
    let (mut open, mut spans): (Vec<Open>, Vec<Value>) = (Vec::new(), Vec::new());
    for line in lines {
        let (step, is_undo, failure) = match &line.entry {
            Entry::Begun { step } => {
                open.push(Open { step: *step, is_undo: false, from: at(line) });
                continue;
            }
            Entry::UndoBegun { step } => {
                open.push(Open { step: *step, is_undo: true, from: at(line) });
                continue;
            }
            Entry::Done { report } => (report.step(), false, None),
            Entry::Undone { report } => (report.step(), true, None),
            Entry::Failed { step, reason, .. } => (*step, false, Some(reason.as_str())),
            Entry::UndoFailed { step, reason } => (*step, true, Some(reason.as_str())),
            _ => continue,
        };
        let begun = open.iter().rposition(|one| (one.step, one.is_undo) == (step, is_undo));
        let from = begun.map_or_else(|| at(line), |nth| open.remove(nth).from);
        let mut span = of_step(trace, (step, is_undo), spans.len(), Time { from, to: at(line) });
        span["status"] = outcome(failure);
        if let Entry::Done { report } = &line.entry {
            span["events"] = json!(warnings(report, at(line)));
        }
        set(&mut span, if failure.is_some() { "failure" } else { "success" });
        spans.push(span);
    }
    let last = lines.last().map(at).unwrap_or_default();
    for one in open {
        spans.push(of_step(trace, (one.step, one.is_undo), spans.len(), Time { from: one.from, to: last }));
    }
    spans
}

/// `nth` tells the tries of a step that was redone apart.
fn of_step(trace: &Trace<'_>, (step, is_undo): (Step, bool), nth: usize, time: Time) -> Value {
    let undo = if is_undo { "undo: " } else { "" };
    let name = format!("{undo}{}", step.title());
    let id = trace_ids::step_span(trace.run, step, is_undo, nth);
    let mut span = span(trace, &id, &name, time);
    span["parentSpanId"] = json!(trace.root);
    span["attributes"] = json!([attribute("cicd.pipeline.task.name", &name)]);
    span
}

fn set(span: &mut Value, result: &str) {
    if let Some(attributes) = span["attributes"].as_array_mut() {
        attributes.push(attribute("cicd.pipeline.task.run.result", result));
    }
}

fn event(name: &str, at: u64, text: &str) -> Value {
    json!({ "timeUnixNano": at.to_string(), "name": name, "attributes": [attribute("stagegate.reason", text)] })
}

/// Returns the warnings of a step that ran checks.
fn warnings(report: &StepReport, at: u64) -> Vec<Value> {
    let checks = match report {
        StepReport::Validate(found) => &found.checks,
        StepReport::Verify(checks) => checks,
        StepReport::MoveTraffic(moved) => &moved.checks,
        _ => return Vec::new(),
    };
    let errors = checks.log_errors.iter().map(|error| event("new error in a log", at, error));
    checks.warnings.iter().map(|warning| event("check warning", at, warning)).chain(errors).collect()
}

/// Returns where the run turned.
pub(super) fn turns(lines: &[Line], at: At<'_>) -> Vec<Value> {
    let turn = |line: &Line| match &line.entry {
        Entry::Decided { decision: Decision::Commit, reason } => Some(event("point of no return", at(line), reason)),
        Entry::Decided { decision: Decision::Rollback, reason } => Some(event("rollback decided", at(line), reason)),
        Entry::Resumed { reason } => Some(event("resumed", at(line), reason)),
        _ => None,
    };
    lines.iter().filter_map(turn).collect()
}
