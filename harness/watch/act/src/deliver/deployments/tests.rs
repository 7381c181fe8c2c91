//! Requests to servers that keep deployments, as they answer them.

use std::{fs, path::Path, sync::Arc};

use stagegate_base::config::{Channel, Event, Receiver, SentryVersion};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::deliver::{
    deliver,
    tests::{CANARY, Requests, fresh, message, to},
};

/// Answers requests in their order, each with a status and a body; returns its URL and the requests.
async fn answering(replies: &'static [(&'static str, &'static str)]) -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, requests) = (format!("http://{}", listener.local_addr().unwrap()), Requests::default());
    let noted = Arc::clone(&requests);
    tokio::spawn(async move {
        for (status, body) in replies {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut text, mut buffer) = (String::new(), [0; 4096]);
            loop {
                let read = stream.read(&mut buffer).await.unwrap();
                text.push_str(&String::from_utf8_lossy(&buffer[..read]));
                let Some((head, sent)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
                if sent.len() >= length.parse().unwrap() {
                    noted.lock().unwrap().push((head.to_owned(), sent.to_owned()));
                    break;
                }
            }
            let reply =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    (url, requests)
}

fn delivered(stage: Stage) -> Message {
    let delivery = Delivery {
        run: "20260102-030405-ab12".into(),
        release: "v2 of a/b".into(),
        commit: "c0ffee".into(),
        stage,
        began: "2026-01-02T03:04:05Z".into(),
        last: "2026-01-02T03:05:05Z".into(),
    };
    let run = Some("20260102-030405-ab12".into());
    Message { run, environment: "live \"&x".into(), delivery: Some(delivery), title: "t".repeat(500), ..message("a") }
}

fn keeper(name: &str, url: String) -> Receiver {
    let token = fresh(&format!("token-{name}"));
    fs::write(&token, CANARY).unwrap();
    let (url, token) = (UrlSource::Plain(url), SecretSource::File(token));
    let channel = match name {
        "github" => Channel::Github(Repository { url, repository: "acme/shop".into(), token, log_url: None }),
        "gitlab" => Channel::Gitlab(Repository { url, repository: "acme/web/shop".into(), token, log_url: None }),
        _ => Channel::Sentry(Sentry {
            url,
            organization: (name == "sentry").then(|| "acme".into()),
            projects: vec!["1".into()],
            token,
            version: SentryVersion::Name,
        }),
    };
    let pages = Some("https://gate.example.org".to_owned());
    Receiver { name: name.to_owned(), channel, on: vec![Event::End], environments: Vec::new(), pages }
}

async fn lines_of(
    name: &str,
    stage: Stage,
    replies: &'static [(&'static str, &'static str)],
) -> (Vec<String>, Requests) {
    let (url, requests) = answering(replies).await;
    deliver((Path::new("/"), &fresh(name)), &keeper(name, url), &delivered(stage)).await.unwrap();
    let lines = requests.lock().unwrap().iter().map(|(head, _)| head.lines().next().unwrap().to_owned()).collect();
    (lines, requests)
}

#[tokio::test]
async fn a_deployment_is_made_once_and_the_one_before_it_is_inactive_when_it_is_live() {
    const MADE: (&str, &str) = ("201 Created", "{\"id\":7}");
    const OURS: &str = "[{\"id\":7,\"payload\":{\"stagegate_run\":\"20260102-030405-ab12\"}},{\"id\":6,\"payload\":{}},\
                        {\"id\":5,\"payload\":\"{\\\"stagegate_run\\\":\\\"earlier\\\"}\"}]";
    let (begun, requests) = lines_of("github", Stage::Begun, &[("200 OK", "[]"), MADE, MADE, MADE]).await;
    assert_eq!(begun.len(), 4, "{begun:?}");
    assert_eq!(
        begun[0],
        "GET /repos/acme/shop/deployments?environment=live%20%22%26x&task=deploy&per_page=30 HTTP/1.1"
    );
    let of = |nth: usize| serde_json::from_str::<Value>(&requests.lock().unwrap()[nth].1).unwrap();
    assert_eq!((&of(1)["auto_merge"], &of(1)["required_contexts"]), (&Value::Bool(false), &serde_json::json!([])));
    assert_eq!((&of(2)["state"], &of(3)["state"]), (&Value::from("in_progress"), &Value::from("pending")));
    assert!(of(2)["description"].as_str().unwrap().chars().count() <= 140 && of(3)["context"] == "stagegate/live \"&x");
    const LIVE: &[(&str, &str)] = &[("200 OK", OURS), MADE, ("200 OK", "[{\"state\":\"success\"}]"), MADE, MADE];
    let (live, requests) = lines_of("github", Stage::Live, LIVE).await;
    assert!(live[1].starts_with("POST /repos/acme/shop/deployments/7/statuses "), "{live:?}");
    assert!(live[3].starts_with("POST /repos/acme/shop/deployments/5/statuses "), "{live:?}");
    assert!(
        requests.lock().unwrap()[3].1.contains("inactive")
            && live[4].starts_with("POST /repos/acme/shop/statuses/c0ffee ")
    );
}

#[tokio::test]
async fn at_gitlab_a_deployment_is_made_then_updated_and_left_where_it_is_as_it_should_be() {
    const MADE: (&str, &str) = ("201 Created", "{\"id\":7}");
    const RUNNING: &str =
        "[{\"id\":7,\"sha\":\"c0ffee\",\"status\":\"running\",\"created_at\":\"2026-01-02T03:04:06.100Z\"}]";
    const LIVE: &str =
        "[{\"id\":7,\"sha\":\"c0ffee\",\"status\":\"success\",\"created_at\":\"2026-01-02T03:04:06.100Z\"}]";
    let root = "/api/v4/projects/acme%2Fweb%2Fshop";
    let (begun, requests) = lines_of("gitlab", Stage::Begun, &[("200 OK", "[]"), MADE, MADE]).await;
    let query = "environment=live%20%22%26x&order_by=id&sort=desc&per_page=30";
    assert_eq!(begun[0], format!("GET {root}/deployments?{query} HTTP/1.1"));
    assert_eq!(
        begun[1..],
        [format!("POST {root}/deployments HTTP/1.1"), format!("POST {root}/statuses/c0ffee HTTP/1.1")]
    );
    let status: Value = serde_json::from_str(&requests.lock().unwrap()[2].1).unwrap();
    assert_eq!(status["target_url"], "https://gate.example.org/runs/20260102-030405-ab12.html");
    let (live, requests) = lines_of("gitlab", Stage::Live, &[("200 OK", RUNNING), MADE, MADE]).await;
    assert_eq!(live[1], format!("PUT {root}/deployments/7 HTTP/1.1"));
    assert_eq!(requests.lock().unwrap()[1].1, "{\"status\":\"success\"}");
    // A message that is sent twice.
    const REFUSED: (&str, &str) = ("400 Bad Request", "{\"message\":\"Cannot transition status via :succeed\"}");
    assert_eq!(lines_of("gitlab", Stage::Live, &[("200 OK", LIVE), REFUSED]).await.0.len(), 2);
}

#[tokio::test]
async fn a_release_has_one_deploy_and_a_server_without_deploys_has_the_release() {
    const MADE: (&str, &str) = ("201 Created", "{}");
    let (made, _) = lines_of("sentry", Stage::Live, &[MADE, ("200 OK", "[]"), MADE]).await;
    assert_eq!(made[2], "POST /api/0/organizations/acme/releases/v2%20of%20a%2Fb/deploys/ HTTP/1.1");
    let again: &[(&str, &str)] = &[("208 Already Reported", "{}"), ("200 OK", "[{\"name\":\"20260102-030405-ab12\"}]")];
    assert_eq!(lines_of("sentry", Stage::Live, again).await.0.len(), 2);
    assert_eq!(lines_of("sentry", Stage::Live, &[MADE, ("404 Not Found", "")]).await.0.len(), 2);
    let there: &[(&str, &str)] = &[("400 Bad Request", "{\"version\":[\"Release with this version already exists\"]}")];
    assert_eq!(lines_of("bugsink", Stage::Live, there).await.0, ["POST /api/canonical/0/releases/ HTTP/1.1"]);
}

#[test]
fn who_keeps_deployments_gets_no_other_message_and_no_release_that_is_not_live() {
    let hears = |name: &str, message: &Message| message.to(&keeper(name, String::new())).is_some();
    for (stage, github, sentry) in
        [(Stage::Begun, true, false), (Stage::Live, true, true), (Stage::NotLive, true, false)]
    {
        assert_eq!((hears("github", &delivered(stage)), hears("sentry", &delivered(stage))), (github, sentry));
    }
    assert!(!hears("github", &message("a")) && !hears("sentry", &message("a")));
    assert!(delivered(Stage::Live).to(&to("hook", "http://127.0.0.1:1")).unwrap().delivery.is_none());
}
