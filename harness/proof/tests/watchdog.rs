//! The watchdog: where the gate is killed or hangs between the cut-over and the point of no return, production is back
//! although nobody calls `gate`.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::small::Small;

/// The watchdog needs less than a second to see that the gate is gone; the rest is the rollback and its verification.
const WITHIN: Duration = Duration::from_secs(120);

/// Promotes with a command that is run right after production was frozen.
fn promote(small: &Small, command: &str) -> Child {
    let mut promote = small.command(&["promote", "--from", "staging", "--to", "production", "--yes"]);
    promote.env("STAGEGATE_RUN_AFTER", "done freeze").env("STAGEGATE_RUN_COMMAND", command);
    promote.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn newest_run(small: &Small) -> PathBuf {
    let runs = fs::read_dir(small.state("production").join("runs")).unwrap();
    runs.map(|entry| entry.unwrap().path()).max().unwrap()
}

/// Waits for the end of the newest run by its journal alone, and returns the journal's lines.
async fn journal_of_ended(small: &Small) -> Vec<Value> {
    let (journal, deadline) = (newest_run(small).join("journal.jsonl"), Instant::now() + WITHIN);
    loop {
        let text = fs::read_to_string(&journal).unwrap();
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if lines.last().is_some_and(|line| line["entry"] == "ended") {
            return lines;
        }
        assert!(Instant::now() < deadline, "no end within {WITHIN:?}: {text}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn assert_back(small: &Small, why: &str) {
    let lines = journal_of_ended(small).await;
    assert_eq!(lines.last().unwrap()["end"], "rolled_back", "{lines:#?}");
    let resumed = lines.iter().find(|line| line["entry"] == "resumed").unwrap();
    assert!(resumed["reason"].as_str().unwrap().contains(why), "{resumed}");
    let client = small.server().await.connect("app").await.unwrap();
    let rows: i64 = client.query_one("select count(*) from item", &[]).await.unwrap().get(0);
    assert_eq!(rows, 100);
    let history = small.gate(&["history", "--env", "production"]);
    assert!(history.text.contains("rolled back and verified"), "{}", history.text);
    let run = newest_run(small).file_name().unwrap().to_string_lossy().into_owned();
    let run = small.gate(&["history", &run]);
    assert!(run.text.contains(why) && run.text.contains("watchdog  rolls back alone"), "{}", run.text);
}

#[tokio::test]
async fn a_gate_that_is_killed_or_stopped_while_production_is_frozen_is_rolled_back_by_nobodys_command() {
    let small = Small::new("watchdog", "app");
    let file = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("watchdog = false\n"));
    fs::write(&file, text.replace("watchdog = false\n", "commit_within = \"20s\"\n")).unwrap();
    small.release("v1a", "select 1;\n", "");
    small.up("production", "v1a");
    small.release("v2", "alter table item add column if not exists note text;\n", "");
    small.up("staging", "v2");

    let killed = promote(&small, "kill -9 $PPID").wait().unwrap();
    assert_eq!(killed.code(), None);
    assert_back(&small, "ended before the run did").await;

    // It sleeps as a suspended process does: it holds the lock, and would go on where it woke up.
    let stopped = promote(&small, "kill -STOP $PPID").wait().unwrap();
    assert_eq!(stopped.code(), None, "the watchdog ends it");
    assert_back(&small, "no point of no return in time").await;

    let promoted = small.gate(&["promote", "--from", "staging", "--to", "production", "--yes"]);
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    assert!(promoted.text.contains("stopped: web; watchdog: process "), "{}", promoted.text);
    let armed: Value = serde_json::from_slice(&fs::read(newest_run(&small).join("watchdog.json")).unwrap()).unwrap();
    let stat = format!("/proc/{}/stat", armed["process"]);
    let deadline = Instant::now() + Duration::from_secs(10);
    while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "the watchdog of a run that has ended is still there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
