//! The checks of a run as spans, each within the step that ran it.

use serde_json::{Value, json};
use stagegate_base::record::{Record, Status};
use stagegate_gate_decide::promotion::trace_ids;

use super::{Time, Trace, attribute, outcome, span};

/// So many checks of a run are spans: a collector refuses a document that is too large as a whole.
const MOST: usize = 2_000;

/// Returns a span for each record that states when its check began, if a step ran then.
pub(super) fn spans(
    trace: &Trace<'_>,
    steps: &[Value],
    records: &[Record],
    nanos: impl Fn(&str) -> Option<u64>,
) -> Vec<Value> {
    let moment = |step: &Value, key: &str| step[key].as_str().and_then(|text| text.parse::<u64>().ok());
    let of = |record: &Record| {
        let from = nanos(record.began.as_deref()?)?;
        let is_in = |step: &&Value| {
            moment(step, "startTimeUnixNano").is_some_and(|begins| begins <= from)
                && moment(step, "endTimeUnixNano").is_some_and(|ends| from <= ends)
        };
        let step = steps.iter().find(is_in)?;
        let parent = step["spanId"].as_str()?;
        // A step that timed out has ended before its checks.
        let to =
            from.saturating_add(record.duration_ms.saturating_mul(1_000_000)).min(moment(step, "endTimeUnixNano")?);
        Some(one(trace, parent, record, Time { from, to }))
    };
    records.iter().filter_map(of).take(MOST).collect()
}

fn one(trace: &Trace<'_>, parent: &str, record: &Record, time: Time) -> Value {
    let id = trace_ids::check_span(parent, &format!("{} {}", record.environment, record.trial));
    let mut span = span(trace, &id, &record.trial, time);
    span["parentSpanId"] = json!(parent);
    let (result, failure) = match record.status {
        Status::Pass => ("pass", None),
        Status::Skip => ("skip", None),
        Status::Fail => ("fail", Some(record.message.as_str())),
        Status::Broken => ("broken", Some(record.message.as_str())),
    };
    span["attributes"] = json!([
        attribute("test.case.name", &record.trial),
        attribute("test.case.result.status", result),
        attribute("deployment.environment.name", &record.environment),
    ]);
    span["status"] = outcome(failure);
    span
}
