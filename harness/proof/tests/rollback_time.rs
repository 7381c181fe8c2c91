//! What a rollback is expected to take is measured before the target is touched, and blocks a release where it is too much.

use std::fs;

use serde_json::Value;

use crate::{small::Small, survive, world::ended};

#[tokio::test]
async fn a_rollback_that_would_take_too_long_blocks_the_release_and_another_is_measured() {
    let small = Small::new("rollbacktime", "app");
    let file = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&file).unwrap();
    let limited = |within: &str, tier: &str| {
        let keys = format!("watchdog = false\nrollback_within = \"{within}\"\ntier = \"{tier}\"\n");
        fs::write(&file, text.replace("watchdog = false\n", &keys)).unwrap();
    };
    // Less than the services must stay healthy after it.
    limited("900ms", "auto");
    small.release("v1a", "select 1;\n", "");
    small.up("production", "v1a");
    small.release("v2", "alter table item add column if not exists note text;\n", "");
    let blocked = small.promote("v2");
    assert_eq!(blocked.code, Some(3), "{}", blocked.text);
    for part in [
        "limit     blocked if the rehearsal expects a rollback to take more than 900ms",
        "a rollback of production is expected to take ",
        "`rollback_within` of [gate] allows 900ms; shorten `soak`, raise `rollback_within`, or try again",
        "blocked: production was not changed",
    ] {
        assert!(blocked.text.contains(part), "{part} in {}", blocked.text);
    }
    let client = small.server().await.connect("app").await.unwrap();
    let columns = "select count(*) from information_schema.columns where table_name = 'item' and column_name = 'note'";
    assert_eq!(client.query_one(columns, &[]).await.unwrap().get::<_, i64>(0), 0);
    drop(client);

    for (release, tier, parts) in [
        ("v3", "auto", ["copy_seconds", "compare_seconds", "switch_seconds", "soak_seconds"].as_slice()),
        ("v4", "restore", ["restore_seconds", "checks_seconds"].as_slice()),
    ] {
        limited("2m", tier);
        small.release(release, &format!("alter table item add column if not exists {release} text;\n"), "");
        let promoted = small.promote(release);
        assert_eq!(promoted.code, Some(0), "{}", promoted.text);
        assert!(promoted.text.contains(", expected to take "), "{}", promoted.text);
        let expected = expected(&small);
        for part in parts {
            assert!(expected[*part].as_f64().unwrap() > 0.0, "{part} in {expected}");
        }
    }
}

#[test]
fn a_rollback_that_takes_too_long_is_verified_and_reported_as_late() {
    let small = survive::small("late");
    let file = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("watchdog = false\n", "watchdog = false\nrollback_within = \"20s\"\n")).unwrap();
    small.release("v3", "select 1;\n", "");
    small.up("staging", "v3");
    let mut promote = small.command(&["promote", "--from", "staging", "--to", "production", "--yes"]);
    // Nothing is left of the rollback's time when its checks begin.
    promote.env("STAGEGATE_RUN_AFTER", "begun StartPrevious").env("STAGEGATE_RUN_COMMAND", "sleep 20");
    let promoted = ended(&promote.output().unwrap());
    assert_eq!(promoted.code, Some(5), "{}", promoted.text);
    for part in ["rolled back and verified", " s from the decision, `rollback_within` of [gate] allows 20 s"] {
        assert!(promoted.text.contains(part), "{part} in {}", promoted.text);
    }
}

/// Returns what the newest run expected of a rollback.
fn expected(small: &Small) -> Value {
    let runs = fs::read_dir(small.state("production").join("runs")).unwrap();
    let journals = runs.map(|entry| entry.unwrap().path().join("journal.jsonl")).filter(|path| path.is_file());
    let text = fs::read_to_string(journals.max().unwrap()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rehearsed = |line: &Value| line["entry"] == "done" && line["step"] == "rehearse";
    lines.filter(rehearsed).map(|line| line["report"]["expected"].clone()).next().unwrap()
}
