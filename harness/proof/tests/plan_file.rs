//! A plan as a file: what moved since refuses it, another user approves it, and it is promoted as it was written.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
};

use serde_json::Value;

use crate::{
    small::Small,
    world::{Ended, ended},
};

/// A user that has nothing to do with whoever runs the proof.
const OTHER: u32 = 65_534;

fn with_approval(small: &Small) {
    let file = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&file).unwrap();
    let section = "[environments.production]\n";
    fs::write(&file, text.replacen(section, &format!("{section}approval = \"required\"\n"), 1)).unwrap();
    small.git(&["commit", "--quiet", "--all", "--message", "approval"]);
}

fn apply(small: &Small, plan: &Path, approval: &Path) -> Ended {
    let (plan, approval) = (plan.display().to_string(), approval.display().to_string());
    small.gate(&["promote", "--apply", &plan, "--approval", &approval, "--yes"])
}

fn refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.text);
    for word in words {
        assert!(ended.text.contains(word), "`{word}` is not in:\n{}", ended.text);
    }
}

#[tokio::test]
async fn a_plan_is_promoted_as_approved_or_refused_with_what_moved() {
    let small = Small::new("plan-file", "app");
    with_approval(&small);
    small.release("v1a", "select 1;\n", "");
    small.up("production", "v1a");
    small.release("v2", "alter table item add column if not exists note text;\n", "");
    small.up("staging", "v2");
    let dir = small.product().join("../approved");
    fs::create_dir_all(&dir).unwrap();
    chown(&dir, Some(OTHER), None).unwrap();
    let (plan, approval) = (small.product().join("../plan.json"), dir.join("plan.approval"));
    let (plan_name, approval_name) = (plan.display().to_string(), approval.display().to_string());

    let direct = small.gate(&["promote", "--from", "staging", "--to", "production", "--yes"]);
    refused(&direct, 3, &["needs an approved plan", "--plan --out FILE"]);
    let written = small.gate(&["promote", "--from", "staging", "--to", "production", "--plan", "--out", &plan_name]);
    refused(&written, 0, &["wrote", "another user of this host"]);
    refused(&apply(&small, &plan, &approval), 3, &["does not exist"]);
    let own = small.gate(&["approve", &plan_name, "--out", &approval_name, "--yes"]);
    refused(&own, 3, &["expected another user of this host"]);
    let mut other = small.command(&["approve", &plan_name, "--out", &approval_name, "--yes"]);
    refused(&ended(&other.uid(OTHER).gid(OTHER).output().unwrap()), 0, &["approved by"]);

    let client = small.server().await.connect("app").await.unwrap();
    client.batch_execute("create table extra (id int)").await.unwrap();
    refused(&apply(&small, &plan, &approval), 3, &["schema of database main: expected", "make a new plan"]);
    client.batch_execute("drop table extra").await.unwrap();
    let env = small.product().join("../production.env");
    let before = fs::read_to_string(&env).unwrap();
    fs::write(&env, format!("{before}MORE=1\n")).unwrap();
    refused(&apply(&small, &plan, &approval), 3, &["env file", "Nothing was changed"]);
    fs::write(&env, before).unwrap();
    let runs = small.gate(&["history", "--env", "production", "--json"]);
    assert!(!runs.text.contains("\"run\""), "a refused plan begins no run: {}", runs.text);

    let promoted = apply(&small, &plan, &approval);
    refused(&promoted, 0, &["approved by"]);
    let history = small.gate(&["history", "--env", "production", "--json"]);
    let line = history.text.lines().find(|line| line.starts_with('{')).unwrap();
    let run: Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (run["plan_file"]["approved"]["uid"].as_u64(), run["end"].as_str()),
        (Some(u64::from(OTHER)), Some("promoted"))
    );
    refused(&apply(&small, &plan, &approval), 3, &["live release of the target commit"]);
    assert_audited(&small, run["run"].as_str().unwrap());
}

/// The journal of a real run is verified; a restamped line is found, and by the checkpoint also where its end is made anew.
fn assert_audited(small: &Small, run: &str) {
    let checkpoint = small.command(&["audit", "checkpoint"]).output().unwrap();
    let (file, dir) = (small.product().join("../audit.json"), small.state("production").join("runs").join(run));
    fs::write(&file, &checkpoint.stdout).unwrap();
    let file = file.display().to_string();
    let verify = || small.gate(&["audit", "verify", "--env", "production", "--checkpoint", &file]);
    refused(&verify(), 0, &["production: 1 journal verified"]);
    let journal = dir.join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let restamped = text.replacen("\"wall\":\"2", "\"wall\":\"3", 1);
    assert_ne!(restamped, text);
    fs::write(&journal, &restamped).unwrap();
    refused(&verify(), 3, &[run, "line 2: expected the line as it was written"]);
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    fs::write(&journal, &text[..last]).unwrap();
    refused(&small.gate(&["audit", "verify"]), 3, &["by journal.head, found"]);
    fs::remove_file(dir.join("journal.head")).unwrap();
    refused(&small.gate(&["audit", "verify"]), 0, &["1 without journal.head"]);
    refused(&verify(), 3, &["by the checkpoint, found"]);
    fs::write(&journal, &text).unwrap();
    refused(&verify(), 0, &["1 without journal.head"]);
}
