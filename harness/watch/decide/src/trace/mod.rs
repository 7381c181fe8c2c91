//! A run as a trace: the lines of its journal as an OTLP document in JSON, a span for the run and one for each step.
//!
//! Ids are made from the run's id and the step alone: a document that is sent again has the same spans, and doubles none.

mod checks;
mod spans;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use stagegate_base::{record::Record, text::one_line};
use stagegate_gate_decide::promotion::{End, Entry, Kind, Line, Plan, end_text, reason, trace_ids};

use spans::{spans, turns};

/// The longest text of an attribute or a status, in characters: collectors refuse a request that is too large as a whole.
const LONGEST: usize = 2_000;

/// A document without spans, which shows that a receiver is reached.
#[must_use]
pub fn empty() -> Value {
    json!({ "resourceSpans": [] })
}

/// Returns a run as a document for `/v1/traces`; `None` where the journal has no plan. A run that has not ended has the time of
/// its last line as its end. `records` are those of checks, of which each becomes a span within the step that ran it. `unix` reads an
/// RFC 3339 text in seconds since 1970.
// Sources: opentelemetry-proto 1.x (trace.proto; its JSON mapping has ids in hex, 64-bit numbers as text, enums as numbers);
// OpenTelemetry's semantic conventions, cicd and vcs (in development: they are named in this folder alone).
#[must_use]
pub fn document(
    product: &str,
    lines: &[Line],
    records: &[Record],
    unix: impl Fn(&str) -> Option<f64>,
) -> Option<Value> {
    let at: At<'_> = &|line: &Line| nanos(unix(&line.wall).unwrap_or_default());
    let Entry::Started { plan } = &lines.first()?.entry else { return None };
    let trace = Trace { id: trace_ids::trace_id(plan), run: &plan.run, root: trace_ids::run_span(&plan.run) };
    let mut all = vec![root(&trace, product, plan, lines, at)];
    let steps = spans(&trace, lines, at);
    all.extend(checks::spans(&trace, &steps, records, |text| unix(text).map(nanos)));
    all.splice(1..1, steps);
    let resource = [
        attribute("service.name", "stagegate"),
        attribute("service.version", env!("CARGO_PKG_VERSION")),
        attribute("deployment.environment.name", &plan.environments.target),
    ];
    let scope = json!({ "name": "stagegate", "version": env!("CARGO_PKG_VERSION") });
    let scopes = json!([{ "scope": scope, "spans": all }]);
    Some(json!({ "resourceSpans": [{ "resource": { "attributes": resource }, "scopeSpans": scopes }] }))
}

/// What all spans of a run share.
struct Trace<'a> {
    id: String,
    run: &'a str,
    root: String,
}

/// Returns the moment of a line in nanoseconds since 1970.
type At<'a> = &'a dyn Fn(&Line) -> u64;

/// The time from one line to another one.
#[derive(Clone, Copy)]
struct Time {
    from: u64,
    to: u64,
}

fn root(trace: &Trace<'_>, product: &str, plan: &Plan, lines: &[Line], at: At<'_>) -> Value {
    let end = match lines.last().map(|line| &line.entry) {
        Some(Entry::Ended { end, exit }) => Some((*end, *exit)),
        _ => None,
    };
    let what = if plan.kind == Kind::Promote { "promote to" } else { "roll back" };
    let mut attributes = vec![
        attribute("cicd.pipeline.name", product),
        attribute("cicd.pipeline.run.id", &plan.run),
        attribute("vcs.ref.head.revision", &plan.release.commit),
        attribute("stagegate.source", &plan.environments.source),
        attribute("stagegate.release", &plan.release.name),
        attribute("stagegate.previous", &plan.previous.name),
    ];
    let status = match end {
        None => json!({}),
        Some((end, exit)) => {
            attributes.push(attribute("cicd.pipeline.result", result(end)));
            attributes.push(attribute("stagegate.end", &end_text(plan, end, exit)));
            outcome((end != End::Promoted).then(|| reason(lines).unwrap_or("not promoted")))
        }
    };
    let time = Time { from: lines.first().map(at).unwrap_or_default(), to: lines.last().map(at).unwrap_or_default() };
    let mut span = span(trace, &trace.root, &format!("{what} {}", plan.environments.target), time);
    span["attributes"] = json!(attributes);
    span["events"] = json!(turns(lines, at));
    span["status"] = status;
    if let Some(parent) = &plan.trace_parent {
        span["parentSpanId"] = json!(parent.span);
    }
    span
}

/// Returns the end as the conventions name it.
fn result(end: End) -> &'static str {
    match end {
        End::Promoted => "success",
        End::Blocked | End::RolledBack => "failure",
        End::Aborted | End::Abandoned => "cancellation",
        End::NotVerified | End::Stuck => "error",
    }
}

fn span(trace: &Trace<'_>, id: &str, name: &str, time: Time) -> Value {
    json!({
        "traceId": trace.id,
        "spanId": id,
        "name": name,
        "kind": 1, // internal
        "startTimeUnixNano": time.from.to_string(),
        // A clock that was set back makes no span that ends before it began.
        "endTimeUnixNano": time.to.max(time.from).to_string(),
    })
}

fn outcome(failure: Option<&str>) -> Value {
    match failure {
        None => json!({ "code": 1 }),
        Some(reason) => json!({ "code": 2, "message": short(reason) }),
    }
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": short(value) } })
}

fn short(text: &str) -> String {
    let beginning: String = text.chars().take(LONGEST).collect();
    one_line(&beginning).chars().take(LONGEST).collect()
}

fn nanos(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time before 1970 becomes 0")]
    let millis = (seconds * 1_000.0).round() as u64; // journals have milliseconds
    millis.saturating_mul(1_000_000)
}
