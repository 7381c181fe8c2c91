use std::collections::BTreeSet;

use stagegate_base::{
    record::{Outcome, Record, Severity},
    trace_parent::TraceParent,
};
use stagegate_gate_decide::promotion::{Step, read};

use super::*;

const PROMOTED: &[u8] = include_bytes!("../../../../../fixtures/journals/format-1/promoted.jsonl");
const ROLLED_BACK: &[u8] = include_bytes!("../../../../../fixtures/journals/format-1/rolled-back.jsonl");
const KILLED: &[u8] = include_bytes!("../../../../../fixtures/journals/format-1/killed.jsonl");

/// Reads the time of day, and takes each day for the first one: the journals here are of one day.
fn unix(text: &str) -> Option<f64> {
    let time = text.split_once('T')?.1.trim_end_matches('Z');
    time.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}

fn lines(text: &[u8]) -> Vec<Line> {
    read(text).unwrap().lines
}

fn spans_of(lines: &[Line]) -> Vec<Value> {
    let document = document("shop", lines, &[], unix).unwrap();
    document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
}

fn time(span: &Value, key: &str) -> u64 {
    span[key].as_str().unwrap().parse().unwrap()
}

fn value<'a>(span: &'a Value, key: &str) -> &'a str {
    let all = span["attributes"].as_array().unwrap();
    all.iter().find(|one| one["key"] == key).map_or("", |one| one["value"]["stringValue"].as_str().unwrap())
}

#[test]
fn each_begun_step_is_one_span_within_the_span_of_its_run() {
    for text in [PROMOTED, ROLLED_BACK, KILLED] {
        let lines = lines(text);
        let begun = lines.iter().filter(|line| matches!(line.entry, Entry::Begun { .. } | Entry::UndoBegun { .. }));
        let spans = spans_of(&lines);
        let (root, steps) = spans.split_first().unwrap();
        assert_eq!(steps.len(), begun.count());
        assert!(root["parentSpanId"].is_null());
        let mut ids = BTreeSet::from([root["spanId"].as_str().unwrap()]);
        for step in steps {
            assert_eq!((&step["traceId"], &step["parentSpanId"]), (&root["traceId"], &root["spanId"]));
            let id = step["spanId"].as_str().unwrap();
            assert!(id.len() == 16 && id != "0000000000000000" && ids.insert(id), "{id}");
            assert!(time(step, "startTimeUnixNano") >= time(root, "startTimeUnixNano"));
            assert!(time(step, "endTimeUnixNano") <= time(root, "endTimeUnixNano"));
        }
    }
}

#[test]
fn a_document_that_is_made_again_is_the_same_and_goes_on_where_the_run_does() {
    let whole = lines(ROLLED_BACK);
    assert_eq!(document("shop", &whole, &[], unix), document("shop", &whole, &[], unix));
    let ids = |lines: &[Line]| -> BTreeSet<String> {
        let ended = |span: &&Value| span["status"]["code"].is_number();
        spans_of(lines).iter().filter(ended).map(|span| span["spanId"].as_str().unwrap().to_owned()).collect()
    };
    for count in 1..whole.len() {
        assert!(ids(&whole[..count]).is_subset(&ids(&whole)), "the first {count} lines");
    }
}

#[test]
fn a_rolled_back_run_has_its_reason_and_where_it_turned() {
    let spans = spans_of(&lines(ROLLED_BACK));
    assert_eq!(spans[0]["name"], "promote to production");
    assert_eq!((&spans[0]["status"]["code"], value(&spans[0], "cicd.pipeline.result")), (&json!(2), "failure"));
    assert!(spans[0]["status"]["message"].as_str().unwrap().starts_with("health::web::http failed"));
    let events = spans[0]["events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["name"] == "rollback decided"), "{events:?}");
    let named = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap();
    assert_eq!(value(named("verify"), "cicd.pipeline.task.run.result"), "failure");
    assert_eq!(value(named("undo: deploy"), "cicd.pipeline.task.run.result"), "success");
}

#[test]
fn a_promoted_run_is_ok_and_a_killed_one_has_no_result() {
    let promoted = spans_of(&lines(PROMOTED));
    assert_eq!(
        (&promoted[0]["status"], value(&promoted[0], "cicd.pipeline.result")),
        (&json!({ "code": 1 }), "success")
    );
    let killed = spans_of(&lines(KILLED));
    assert_eq!((&killed[0]["status"], value(&killed[0], "cicd.pipeline.result")), (&json!({}), ""));
}

#[test]
fn hostile_texts_and_a_clock_that_went_back_leave_a_document_that_can_be_read() {
    let mut lines = lines(ROLLED_BACK);
    for line in &mut lines {
        match &mut line.entry {
            Entry::Failed { reason, .. } => *reason = format!("\u{1b}[31m\r\n\"<script>{}", "x".repeat(1 << 20)),
            Entry::Ended { .. } => line.wall = "2026-11-28T00:00:00.000Z".to_owned(),
            _ => {}
        }
    }
    let document = document("\"}\n", &lines, &[], unix).unwrap();
    assert!(document.to_string().len() < 100_000);
    let message = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["status"]["message"].as_str().unwrap();
    assert!(!message.contains(['\u{1b}', '\n', '\r']), "{message}");
    for span in spans_of(&lines) {
        assert!(time(&span, "endTimeUnixNano") >= time(&span, "startTimeUnixNano"));
    }
}

#[test]
fn a_check_is_a_span_within_the_step_that_ran_it() {
    let lines = lines(ROLLED_BACK);
    let begun = lines.iter().find(|line| matches!(line.entry, Entry::Begun { step: Step::Verify })).unwrap();
    let record = |began: Option<&str>, trial: &str, outcome| Record {
        began: began.map(str::to_owned),
        ..Record::new("production", trial, Severity::Required, 3_600_000, outcome)
    };
    let records = [
        record(Some(&begun.wall), "health::api::http", Outcome::Pass("200".into())),
        record(Some(&begun.wall), "health::web::http", Outcome::fail("GET /: 500")),
        record(Some("2026-01-01T00:00:00.000Z"), "of::another::time", Outcome::Pass(String::new())),
        record(None, "of::earlier::version", Outcome::Pass(String::new())),
    ];
    let document = document("shop", &lines, &records, unix).unwrap();
    let spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let named = |name: &str| spans.iter().find(|span| span["name"] == name);
    let (step, pass) = (named("verify").unwrap(), named("health::api::http").unwrap());
    assert_eq!((&pass["parentSpanId"], &pass["status"]["code"]), (&step["spanId"], &json!(1)));
    assert!(time(pass, "endTimeUnixNano") <= time(step, "endTimeUnixNano"), "{pass}");
    let fail = named("health::web::http").unwrap();
    assert_eq!((&fail["status"]["message"], value(fail, "test.case.result.status")), (&json!("GET /: 500"), "fail"));
    assert!(
        fail["spanId"] != pass["spanId"]
            && named("of::another::time").is_none()
            && named("of::earlier::version").is_none()
    );
}

#[test]
fn a_run_is_a_part_of_its_callers_trace_and_hands_on_the_step_that_it_is_in() {
    let parent = TraceParent::read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
    let mut lines = lines(PROMOTED);
    let Entry::Started { plan } = &mut lines[0].entry else { panic!("no plan") };
    plan.trace_parent = Some(parent.clone());
    let plan = plan.clone();
    let spans = spans_of(&lines);
    assert!(spans.iter().all(|span| span["traceId"] == parent.trace.as_str()));
    assert_eq!(spans[0]["parentSpanId"], parent.span.as_str());
    for (nth, line) in lines.iter().enumerate() {
        let handed_on = trace_ids::current(&plan, &lines[..=nth]);
        let Entry::Begun { step } = line.entry else { continue };
        let span = spans.iter().find(|span| span["spanId"] == handed_on.span.as_str()).unwrap();
        assert_eq!(span["name"], step.title());
        assert_eq!(handed_on.trace, parent.trace);
    }
    assert_eq!(trace_ids::current(&plan, &lines[..1]).span, spans[0]["spanId"].as_str().unwrap());
}
