//! Confirm or roll back: a promotion waits until somebody confirms, and goes back where nobody does.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{small::Small, world::Ended};

/// How long a promotion of the small product may take until it waits, on a machine that is busy.
const WITHIN: Duration = Duration::from_secs(240);

fn product(name: &str, within: &str) -> Small {
    let small = Small::new(name, "app");
    set(
        &small,
        "workdir = \"../production\"\n",
        &format!("workdir = \"../production\"\nconfirm_within = \"{within}\"\n"),
    );
    small.release("v1a", "select 1;\n", "");
    small.up("staging", "v1a");
    small.up("production", "v1a");
    small
}

fn set(small: &Small, from: &str, to: &str) {
    let file = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&file, text.replace(from, to)).unwrap();
}

fn promotion(small: &Small, release: &str) -> Child {
    small.up("staging", release);
    let mut command = small.command(&["promote", "--from", "staging", "--to", "production", "--yes"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until the newest run waits for a confirmation, and returns its folder.
fn waiting(small: &Small, runs: usize) -> PathBuf {
    let deadline = Instant::now() + WITHIN;
    loop {
        let found = fs::read_dir(small.state("production").join("runs")).into_iter().flatten().flatten();
        let mut dirs: Vec<PathBuf> =
            found.map(|run| run.path()).filter(|dir| dir.join("journal.jsonl").exists()).collect();
        dirs.sort();
        let newest = dirs.last().filter(|_| dirs.len() == runs);
        if let Some(dir) =
            newest.filter(|dir| lines(dir).iter().any(|l| l["entry"] == "begun" && l["step"] == "confirm"))
        {
            return dir.clone();
        }
        assert!(Instant::now() < deadline, "no run waits: {:?}", newest.map(|dir| lines(dir)));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn lines(dir: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("journal.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn id(dir: &std::path::Path) -> String {
    dir.file_name().unwrap().to_string_lossy().into_owned()
}

fn is(ended: &Ended, code: i32, text: &str) {
    assert!(ended.code == Some(code) && ended.text.contains(text), "{code} {text}:\n{}", ended.text);
}

#[test]
fn a_release_stays_once_it_is_confirmed_and_goes_back_where_nobody_does() {
    let small = product("confirmation", "120s");
    is(&small.gate(&["confirm"]), 2, "no run waits for a confirmation");
    small.release("v2", "alter table item add column if not exists note text;\n", "");
    let plan = {
        small.up("staging", "v2");
        small.gate(&["promote", "--from", "staging", "--to", "production", "--plan"])
    };
    is(&plan, 0, "confirm   within 2m by `gate confirm --env production`, else it is rolled back");
    let mut gate = promotion(&small, "v2");
    let run = waiting(&small, 1);
    is(&small.gate(&["confirm", "--env", "staging"]), 2, "no run waits for a confirmation");
    is(&small.gate(&["confirm"]), 0, &format!("run {} is confirmed: its release stays", id(&run)));
    assert_eq!(gate.wait().unwrap().code(), Some(0));
    is(&small.gate(&["confirm", &id(&run)]), 0, "needs no confirmation any more");
    let done = lines(&run).into_iter().find(|line| line["entry"] == "done" && line["step"] == "confirm");
    assert!(done.is_some(), "{:?}", lines(&run));

    set(&small, "\"120s\"", "\"2s\"");
    small.release("v3", "alter table item add column if not exists more text;\n", "");
    small.up("staging", "v3");
    let late = small.gate(&["promote", "--from", "staging", "--to", "production", "--yes"]);
    is(&late, 5, "nobody confirmed the release within 2s (`confirm_within` of [environments.production])");
    let run = waiting(&small, 2);
    is(&small.gate(&["confirm", &id(&run), "--env", "production"]), 3, "is rolled back");
    is(&small.gate(&["status", "--env", "production"]), 0, "v2");
}

#[test]
fn a_run_whose_process_is_gone_while_it_waits_is_rolled_back_and_never_confirmed() {
    let small = product("unconfirmed", "120s");
    small.release("v2", "alter table item add column if not exists note text;\n", "");
    let mut gate = promotion(&small, "v2");
    let run = waiting(&small, 1);
    gate.kill().unwrap();
    gate.wait().unwrap();
    is(&small.gate(&["resume", "--env", "production"]), 5, "rolled back and verified: v1a is live");
    is(&small.gate(&["confirm", &id(&run)]), 3, "is rolled back");
}
