//! Every check on its fixtures: what is in `good` passes, what is in `bad` does not.
//!
//! Whether a port accepts connections, and whether PostgreSQL lets one in, is asked of real servers elsewhere.

use std::{collections::BTreeMap, path::Path, time::Duration};

use rstest::rstest;
use serde_json::{Value, json};
use stagegate_base::{
    config::{Kind, Service},
    container::Container,
    lifetime::Lifetime,
    readiness::{self, Expected, Port, Readiness, Seen},
    record::Outcome,
};
use stagegate_host::probe::redis::{self, PingReply};
use stagegate_policy_decide::health;

use super::{http, version};
use crate::fixtures::{files, folder, served_by};

const UP_FOR: Duration = Duration::from_secs(120);

/// Makes a running container with what a fixture states otherwise.
fn container(changes: &Value) -> Container {
    let mut all = json!({
        "id": "a1", "name": "shop-api-1", "service": "api", "one_off": false, "image": "sha256:0", "state": "running",
        "exit_code": 0, "oom_killed": false, "restarts": 0, "started_at": "2025-01-01T00:00:00Z", "health": "none",
        "health_output": "", "labels": {}, "addresses": [], "published": {},
    });
    for (key, value) in changes.as_object().unwrap() {
        assert!(all.get(key).is_some(), "a container has no `{key}`");
        all[key] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

fn containers(case: &Value) -> Vec<Container> {
    case["containers"].as_array().unwrap().iter().map(container).collect()
}

fn state(case: &Value) -> bool {
    let expected = Expected {
        service: "api".to_owned(),
        replicas: case["replicas"].as_u64().unwrap_or(1),
        lifetime: if case["oneshot"] == true { Lifetime::OneShot } else { Lifetime::LongRunning },
        healthcheck: case["healthcheck"] == true,
        optional: false,
        configured: false,
        ready_within: Duration::from_secs(60),
    };
    let seen = |container| Seen { container, up_for: UP_FOR, port: Port::Unasked, started_last: true };
    let seen: Vec<Seen> = containers(case).into_iter().map(seen).collect();
    let readiness = readiness::readiness(&expected, &seen);
    let passes = matches!(health::state("shop", "api", &readiness, Vec::new()), Outcome::Pass(_));
    assert_eq!(passes, matches!(readiness, Readiness::Ready(_)));
    passes
}

fn steady(case: &Value) -> bool {
    let before = container(&json!({"health": "healthy"}));
    matches!(
        health::steady(&[before], &containers(case), |_| Lifetime::LongRunning, Duration::from_secs(1)),
        Outcome::Pass(_)
    )
}

async fn passes(check: &str, file: &Path) -> bool {
    let case = || serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    match check {
        "state" => state(&case()),
        "steady" => steady(&case()),
        "redis" => matches!(redis::ping(&[served_by(file)], None).await, Ok(PingReply::Pong)),
        _ => {
            let service = Service::plain("web", Kind::Http, 80);
            let published = BTreeMap::from([(80, vec![served_by(file)])]);
            let response = http::get(&Container { published, ..container(&json!({})) }, &service, "/").await;
            match check {
                "http" => response.is_ok(),
                "version" => response.is_ok_and(|response| version::shown(&response.text()).is_some()),
                other => panic!("no check `{other}`"),
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_check_tells_good_from_bad(#[values("http", "version", "redis", "state", "steady")] check: &str) {
    for (kind, want) in [("good", true), ("bad", false)] {
        let all = files(&folder("health").join(check).join(kind));
        assert!(!all.is_empty());
        for file in all {
            assert_eq!(passes(check, &file).await, want, "{}", file.display());
        }
    }
}
