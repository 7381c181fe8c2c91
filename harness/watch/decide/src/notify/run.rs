//! The messages of a run, read from its journal.

use std::path::{Path, PathBuf};

use stagegate_base::{config::Event, record::Record};
use stagegate_gate_decide::promotion::{
    End, Entry, Kind, Line, Plan, end_text, manual_steps, reason, trace_ids, why_stuck,
};

use super::{Delivery, Message};
use crate::{RunFacts, trace};

/// Returns the message that a run begins.
#[must_use]
pub fn begin(product: &str, plan: &Plan, at: &str) -> Message {
    let (target, release, previous) = (&plan.environments.target, &plan.release.name, &plan.previous.name);
    let what = match plan.kind {
        Kind::Promote => format!("promotion of {release} to {target} begins"),
        Kind::Rollback { .. } => format!("rollback of {target} to {release} begins"),
    };
    Message {
        id: format!("{}-begin", plan.run),
        events: vec![Event::Begin],
        title: format!("{product}: {what}; {previous} is live"),
        reason: None,
        log: Vec::new(),
        next: Vec::new(),
        is_urgent: false,
        delivery: Some(Delivery::of(plan, None, (at, at))),
        ..about(product, plan, at)
    }
}

/// Returns the id of the message that a run has ended; `None` where it has not.
#[must_use]
pub fn end_id(lines: &[Line]) -> Option<String> {
    let (Entry::Started { plan }, Entry::Ended { .. }) = (&lines.first()?.entry, &lines.last()?.entry) else {
        return None;
    };
    // A stuck run that is resumed ends once more.
    Some(format!("{}-end-{}", plan.run, lines.len()))
}

/// Returns the message that a run has ended; `None` where it has not. `dir` is its folder, `dumps` are the dumps in it,
/// `records` those of its checks, `unix` reads an RFC 3339 text in seconds since 1970.
#[must_use]
pub fn end(
    product: &str,
    lines: &[Line],
    (dir, dumps): (&Path, &[PathBuf]),
    records: &[Record],
    unix: impl Fn(&str) -> Option<f64>,
) -> Option<Message> {
    let (first, last) = (lines.first()?, lines.last()?);
    let (Entry::Started { plan }, Entry::Ended { end, exit }) = (&first.entry, &last.entry) else { return None };
    let special = match end {
        End::Promoted | End::Abandoned => None,
        End::Blocked | End::Aborted => Some(Event::Blocked),
        End::RolledBack => Some(Event::RolledBack),
        End::NotVerified | End::Stuck => Some(Event::Stuck),
    };
    let (release, previous) = (&plan.release.name, &plan.previous.name);
    let now = match end {
        End::Promoted | End::RolledBack => String::new(),
        End::Blocked | End::Aborted => format!("; {previous} is live ({release} is not)"),
        End::NotVerified => format!("; {previous} was restored"),
        End::Stuck | End::Abandoned => format!(" in {} ({previous} -> {release})", plan.environments.target),
    };
    let text = end_text(plan, *end, *exit);
    Some(Message {
        id: end_id(lines)?,
        events: [Event::End].into_iter().chain(special).collect(),
        title: format!("{product}: {text}{now}"),
        reason: why(*end, lines),
        log: log(lines, &unix),
        trace: trace::document(product, lines, records, &unix),
        delivery: Some(Delivery::of(plan, Some(*end), (&first.wall, &last.wall))),
        next: next(plan, *end, manual_steps(plan, dir, lines, dumps)),
        is_urgent: special == Some(Event::Stuck),
        ..about(product, plan, &last.wall)
    })
}

fn why(end: End, lines: &[Line]) -> Option<String> {
    match end {
        End::Promoted => None,
        End::Stuck => why_stuck(lines),
        _ => reason(lines).map(str::to_owned),
    }
}

fn about(product: &str, plan: &Plan, at: &str) -> Message {
    Message {
        environment: plan.environments.target.clone(),
        run: Some(plan.run.clone()),
        trace_parent: Some(trace_ids::current(plan, &[])),
        ..Message::test(product, String::new(), at.to_owned())
    }
}

/// Returns the steps in their order, a line each.
fn log(lines: &[Line], unix: impl Fn(&str) -> Option<f64>) -> Vec<String> {
    let steps = RunFacts::of(lines, unix).map(|facts| facts.steps).unwrap_or_default();
    let line = |step: &crate::StepFacts| {
        let how = match step.is_well {
            Some(true) => "ok  ",
            Some(false) => "FAIL",
            None => "open",
        };
        let undo = if step.is_undo { "undo: " } else { "" };
        let seconds = step.seconds.map(|seconds| format!(", {seconds:.1} s")).unwrap_or_default();
        format!("{how} {undo}{}{seconds}", step.step.title())
    };
    steps.iter().map(line).collect()
}

fn next(plan: &Plan, end: End, by_hand: Vec<String>) -> Vec<String> {
    let (target, run) = (&plan.environments.target, &plan.run);
    if !by_hand.is_empty() {
        return by_hand;
    }
    match (end, &plan.kind) {
        (End::Promoted, Kind::Promote) => vec![format!("to roll back: gate rollback --env {target}")],
        (End::Promoted, Kind::Rollback { .. }) => vec![format!("gate status --env {target}")],
        _ => vec![format!("gate history {run} shows each step and its reason")],
    }
}
