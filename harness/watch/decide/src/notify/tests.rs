use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value;
use stagegate_base::config::{Channel, Event, Mail, MailTls, SecretSource, UrlSource};
use stagegate_gate_decide::promotion::read;

use super::*;

fn url() -> UrlSource {
    UrlSource::Plain("https://example.org/x".to_owned())
}

fn secret() -> SecretSource {
    SecretSource::Variable("TOKEN".to_owned())
}

fn mail() -> Mail {
    Mail {
        host: "localhost".to_owned(),
        port: 25,
        tls: MailTls::None,
        ca_file: None,
        login: None,
        from: "a@b".to_owned(),
        to: vec!["c@d".to_owned()],
    }
}

/// A kind, the place of its text, its limit, and how that is counted.
type Case = (Channel, &'static str, usize, fn(&str) -> usize);

/// Every kind, with the place of its text in what is sent, its limit and how that is counted.
fn kinds() -> Vec<Case> {
    let utf16: fn(&str) -> usize = |text| text.encode_utf16().count();
    let bytes: fn(&str) -> usize = str::len;
    let mention = || Some("<!here>".to_owned());
    vec![
        (Channel::Slack { url: url(), mention: mention() }, "/blocks/0/text/text", 3_000, utf16),
        (Channel::Discord { url: url(), mention: mention() }, "/content", 2_000, utf16),
        (Channel::Teams(url()), "", 28 << 10, bytes),
        (Channel::Ntfy(url(), None), "/message", 4_096, bytes),
        (Channel::Gotify(url(), secret()), "/message", 16_000, bytes),
        (Channel::Telegram(url(), secret(), "1".to_owned()), "/text", 4_096, utf16),
        (Channel::Webhook(url(), None), "", 128 << 10, bytes),
        (Channel::Command(vec!["x".to_owned()]), "", 128 << 10, bytes),
        (Channel::Smtp(mail()), "", 64_000, bytes),
        (Channel::Apprise(secret()), "", 1_000, bytes),
    ]
}

fn text_of(body: &Body, place: &str) -> String {
    match body {
        Body::Text { text, .. } => text.clone(),
        Body::Json(value) if place.is_empty() => value.to_string(),
        Body::Json(value) => value.pointer(place).and_then(Value::as_str).unwrap().to_owned(),
    }
}

const LINK: &str = "https://gate.example.org/a_b/runs/20260102-030405-ab12.html";

fn message(reason: String, log: Vec<String>) -> Message {
    Message {
        events: vec![Event::End, Event::Stuck],
        title: "shop: rolled back and verified: v1 is live in production again".to_owned(),
        reason: Some(reason),
        log,
        next: vec!["gate history RUN".to_owned()],
        link: Some(LINK.to_owned()),
        is_urgent: true,
        ..Message::test("shop", "run-end".to_owned(), "2026-01-01T00:00:00Z".to_owned())
    }
}

#[test]
fn at_its_limit_and_one_above_each_kind_gets_a_message_with_the_result_and_the_next_command() {
    for (channel, place, limit, length) in kinds() {
        let mut seen_cut = false;
        for filler in ["a", "é", "🦀", "\"", "<", "_", "\u{1b}[31mx"] {
            for size in [limit - 300, limit - 1, limit, limit + 1, 2 * limit, 300_000] {
                let reason = filler.repeat(size / length(filler).max(1));
                let sent = body(&channel, &message(reason.clone(), Vec::new()));
                let text = text_of(&sent, place);
                assert!(length(&text) <= limit, "{channel:?}: {} > {limit} for {filler} x {size}", length(&text));
                assert!(text.contains("v1 is live in production again"), "{channel:?} {filler} {size}");
                assert!(text.contains("gate history RUN"), "{channel:?} {filler} {size}: {text}");
                let whole = if let Body::Json(value) = &sent { value.to_string() } else { text.clone() };
                assert!(whole.contains(LINK), "{channel:?} {filler} {size}: {whole}");
                seen_cut |= text.contains(" ... ");
            }
        }
        assert!(seen_cut, "{channel:?}: nothing was too long");
    }
}

#[test]
fn a_link_is_no_text_of_a_log_and_one_that_is_too_long_is_left_out() {
    let sent =
        |link: Option<String>, channel| match body(&channel, &Message { link, ..message("<x|y>".into(), vec![]) }) {
            Body::Json(value) => value,
            Body::Text { text, .. } => text.into(),
        };
    let slack = sent(Some(LINK.into()), Channel::Slack { url: url(), mention: None });
    assert_eq!(slack["blocks"][1]["text"]["text"], format!("<{LINK}|open the page>"));
    assert_eq!(sent(Some(LINK.into()), Channel::Ntfy(url(), None))["click"], LINK);
    assert_eq!(sent(Some(LINK.into()), Channel::Webhook(url(), None))["link"], LINK);
    assert!(sent(None, Channel::Ntfy(url(), None)).get("click").is_none());
    let apprise = sent(Some(format!("https://e/{}", "x".repeat(600))), Channel::Apprise(secret()));
    assert!(!apprise.as_str().unwrap().contains("link: ") && apprise.as_str().unwrap().contains("gate history RUN"));
}

#[test]
fn at_gitlab_a_run_finds_its_own_deployment_again() {
    let delivery = |stage, release: &str| Delivery {
        run: "r".to_owned(),
        release: release.to_owned(),
        commit: "c0ffee00".to_owned(),
        stage,
        began: "1000".to_owned(),
        last: "1100".to_owned(),
    };
    let unix = |text: &str| text.parse::<f64>().ok();
    let one = |id: u64, sha: &str, status: &str, at: &str| serde_json::json!({ "id": id, "sha": sha, "status": status, "created_at": at });
    let list = Value::Array(vec![
        one(9, "beef", "running", "1001"),
        one(8, "c0ffee00", "running", "1900"),
        one(7, "c0ffee00", "running", "1002"),
        one(6, "c0ffee00", "failed", "999"),
        one(5, "c0ffee00", "success", "500"),
    ]);
    let found = |stage| delivery(stage, "v2").made_at_gitlab(&list, unix);
    assert_eq!(found(Stage::Begun), Some((7, "running".to_owned())));
    assert_eq!(found(Stage::Live), Some((7, "running".to_owned())));
    // What failed and was sent before is found as it is.
    assert_eq!(found(Stage::NotLive), Some((6, "failed".to_owned())));
    assert_eq!(delivery(Stage::Live, "v2").made_at_gitlab(&Value::Null, unix), None);
    let (tag, short) = (delivery(Stage::Live, "v2"), delivery(Stage::Unknown, "c0ffee"));
    let of = |delivery: &Delivery| delivery.gitlab_deployment("production");
    assert_eq!((&of(&tag)["ref"], &of(&tag)["tag"]), (&Value::from("v2"), &Value::Bool(true)));
    assert_eq!((&of(&short)["ref"], &of(&short)["tag"]), (&Value::from("c0ffee00"), &Value::Bool(false)));
    assert_eq!((of(&tag)["status"].as_str(), of(&short)["status"].as_str()), (Some("success"), Some("failed")));
    assert!(short.gitlab_commit_status(None, "production", "x").get("ref").is_none());
    assert!(tag.gitlab_commit_status(Some(&"x".repeat(256)), "p", "x").get("target_url").is_none());
}

#[test]
fn a_long_log_loses_its_middle_first() {
    let log: Vec<String> = (0..12).map(|n| format!("line {n} {}", "x".repeat(250))).collect();
    let sent = body(&Channel::Discord { url: url(), mention: None }, &message("the reason".to_owned(), log));
    let text = text_of(&sent, "/content");
    assert!(text.contains("line 2 ") && text.contains("line 11 ") && text.contains("the reason"), "{text}");
    assert!(!text.contains("line 1 ") && !text.contains("line 6 ") && text.contains("of the log left out"), "{text}");
}

#[test]
fn what_a_log_holds_mentions_nobody_and_is_no_link() {
    let hostile = "<!channel> @everyone [x](https://evil.example) \u{202e}\u{7}".to_owned();
    let quiet = Message { is_urgent: false, ..message(hostile.clone(), vec![hostile.clone()]) };
    let Body::Json(slack) = body(&Channel::Slack { url: url(), mention: Some("<!here>".into()) }, &quiet) else {
        panic!()
    };
    assert!(!slack.to_string().contains("<!") && slack.to_string().contains("&lt;!channel"), "{slack}");
    let Body::Json(discord) = body(&Channel::Discord { url: url(), mention: Some("@here".into()) }, &quiet) else {
        panic!()
    };
    assert_eq!(discord["allowed_mentions"]["parse"], serde_json::json!([]));
    assert!(discord["content"].as_str().unwrap().contains("\\[x\\](https"), "{discord}");
    // Where a person has to act, only the configured mention counts.
    let urgent = Message { is_urgent: true, ..quiet };
    let Body::Json(discord) = body(&Channel::Discord { url: url(), mention: Some("@here".into()) }, &urgent) else {
        panic!()
    };
    let content = discord["content"].as_str().unwrap();
    assert!(content.starts_with("@here ") && !content.contains("@everyone"), "{content}");
    for (channel, ..) in kinds() {
        let text = format!("{:?}", body(&channel, &urgent));
        assert!(!text.contains('\u{202e}') && !text.contains('\u{7}'), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_message_is_longer_than_its_service_takes(
        title in "\\PC{0,5000}", reason in "(?s).{0,5000}", log in prop::collection::vec("(?s).{0,800}", 0..30), next in "\\PC{0,900}",
    ) {
        let message = Message { title, next: vec![next; 3], ..message(reason, log) };
        for (channel, place, limit, length) in kinds() {
            let text = text_of(&body(&channel, &message), place);
            prop_assert!(length(&text) <= limit && !text.is_empty(), "{channel:?}: {}", length(&text));
        }
    }
}

const PROMOTED: &[u8] = include_bytes!("../../../../../fixtures/journals/format-1/promoted.jsonl");
const ROLLED_BACK: &[u8] = include_bytes!("../../../../../fixtures/journals/format-1/rolled-back.jsonl");
const KILLED: &[u8] = include_bytes!("../../../../../fixtures/journals/format-1/killed.jsonl");

fn of(journal: &[u8]) -> Option<Message> {
    let lines = read(journal).unwrap().lines;
    end("shop", &lines, (Path::new("/runs/r"), &[] as &[PathBuf]), &[], |_| None)
}

#[test]
fn the_first_line_of_a_run_is_its_result_and_what_runs_now() {
    let promoted = of(PROMOTED).unwrap();
    assert_eq!((promoted.title.as_str(), promoted.event()), ("shop: promoted: v2 is live in production", Event::End));
    assert!(promoted.reason.is_none() && promoted.next[0].contains("gate rollback --env production"));
    let back = of(ROLLED_BACK).unwrap();
    assert_eq!(back.title, "shop: rolled back and verified: v2 is live in production again");
    assert_eq!(back.event(), Event::RolledBack);
    assert!(
        back.reason.unwrap().contains("health::web::http failed")
            && back.log.iter().any(|line| line.starts_with("FAIL"))
    );
    assert!(of(KILLED).is_none());
}

#[test]
fn a_message_is_tried_again_after_one_five_and_thirty_minutes_and_then_every_two_hours() {
    let mut parcel = Parcel::new("x", message(String::new(), Vec::new()), 1_000);
    assert!(parcel.is_due(1_000));
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let tried = parcel.tried(1_000);
        pauses.push(tried.due - 1_000);
        parcel = tried.failed(1_000, "no".to_owned(), None);
    }
    assert_eq!(pauses, [60, 300, 1_800, 7_200, 7_200, 7_200]);
    assert!(!parcel.is_given_up(1_000 + GIVE_UP_AFTER) && parcel.is_given_up(1_001 + GIVE_UP_AFTER));
    // A clock that was a year ahead.
    assert!(Parcel { due: 40_000_000, ..parcel }.is_due(1_000));
}

#[rstest]
#[case("120", Some(120))]
#[case("0.5", Some(1))]
#[case("Sun", Some(30))]
#[case("-1", None)]
#[case("soon", None)]
fn a_pause_is_read_in_seconds_or_as_a_date(#[case] text: &str, #[case] want: Option<i64>) {
    assert_eq!(retry_after_seconds(text, 1_000, |text| (text == "Sun").then_some(1_030)), want);
}

#[test]
fn a_receiver_that_requires_a_pause_gets_it_within_a_day() {
    let tried = Parcel::new("x", message(String::new(), Vec::new()), 0).tried(0);
    assert_eq!(tried.failed(0, String::new(), Some(3_600)).due, 3_600);
    assert_eq!(tried.failed(0, String::new(), Some(5)).due, 60);
    assert_eq!(tried.failed(0, String::new(), Some(i64::MAX)).due, 24 * 3_600);
}

#[test]
fn the_name_of_a_file_has_nothing_that_leads_elsewhere() {
    assert_eq!(parcel_name("../a/b", "c d"), "___a_b.c_d.json");
}
