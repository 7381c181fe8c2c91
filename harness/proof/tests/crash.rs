//! The gate is killed for real, right after a line of its journal was synced; the next command ends the run. The
//! target is then all as before or all new.
//!
//! `STAGEGATE_PROOF_LINES` (`all`, or `7,12`) says after which lines; without it, after the begin of every step and
//! around the commit line.

use serde_json::Value;

use crate::world::{Snapshot, World};

const KILL: &str = "STAGEGATE_KILL_AFTER_LINE";
const LINES: &str = "STAGEGATE_PROOF_LINES";

/// Returns the lines of a whole run, as `(number, entry, step)`.
fn journal(world: &World) -> Vec<(u64, String, String)> {
    let run = world.last_run()["run"].as_str().unwrap().to_owned();
    let text = std::fs::read_to_string(world.runs("production").join(run).join("journal.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    lines.map(|line| (line["seq"].as_u64().unwrap(), word(&line, "entry"), word(&line, "step"))).collect()
}

/// Chooses the lines to be killed after, of the whole run's journal.
fn chosen(lines: &[(u64, String, String)]) -> Vec<u64> {
    let wanted = std::env::var(LINES).unwrap_or_default();
    let all = lines.iter().map(|(seq, _, _)| *seq);
    match wanted.as_str() {
        "" => {
            let tells = |entry: &str| matches!(entry, "begun" | "undo_begun" | "decided");
            lines.iter().filter(|(_, entry, _)| tells(entry)).map(|(seq, _, _)| *seq).collect()
        }
        "all" => all.collect(),
        list => list.split(',').filter_map(|number| number.trim().parse().ok()).collect(),
    }
}

/// Kills a promotion after line `seq`, lets another command finish it, and returns how the run ended.
async fn kill_and_resume(world: &mut World, seq: u64) -> String {
    world.set(KILL, &seq.to_string());
    let killed = world.promote();
    world.unset(KILL);
    assert_eq!(killed.code, None, "line {seq}: the gate was to be killed, but ended:\n{}", killed.text);
    // Any command finishes the run; every second time it is the one that is made for it.
    let resumed = match seq % 2 {
        0 => world.gate(&["resume", "--env", "production"]),
        _ => world.gate(&["status", "--env", "production"]),
    };
    assert!(resumed.code.is_some(), "line {seq}: {}", resumed.text);
    world.assert_tidy(&format!("killed after line {seq}:\n{}", resumed.text)).await;
    world.last_run()["end"].as_str().unwrap_or("none").to_owned()
}

#[tokio::test]
async fn a_good_promotion_that_is_killed_ends_all_old_or_all_new() {
    let mut world = World::new("kill-good", "soak = \"1s\"");
    let old = world.state().await;
    world.stage("v2");
    assert_eq!(world.promote().code, Some(0));
    let new = world.state().await.without_migration_times();
    let lines = journal(&world);
    back_to(&world, &old).await;
    for seq in chosen(&lines) {
        let end = kill_and_resume(&mut world, seq).await;
        let now = world.state().await;
        if end == "promoted" {
            same(&now.without_migration_times(), &new, seq);
            back_to(&world, &old).await;
        } else {
            assert!(["rolled_back", "aborted", "held"].contains(&end.as_str()), "line {seq}: {end}");
            same(&now, &old, seq);
        }
    }
}

#[tokio::test]
async fn a_failing_promotion_that_is_killed_ends_all_old() {
    let mut world = World::new("kill-bad", "soak = \"1s\"");
    let old = world.state().await;
    world.stage("v3-late");
    let undone = world.promote();
    assert_eq!(undone.code, Some(5), "{}", undone.text);
    let lines = journal(&world);
    let decided = lines.iter().find(|(_, entry, _)| entry == "decided").map(|(seq, _, _)| *seq).unwrap();
    same(&world.state().await, &old, 0);
    // What comes before the decision is the same as in a good promotion, which the other test kills.
    let whole = std::env::var(LINES).is_ok();
    for seq in chosen(&lines).into_iter().filter(|seq| whole || *seq >= decided) {
        let end = kill_and_resume(&mut world, seq).await;
        assert!(["rolled_back", "aborted", "held"].contains(&end.as_str()), "line {seq}: {end}");
        same(&world.state().await, &old, seq);
    }
}

async fn back_to(world: &World, old: &Snapshot) {
    world.gate_ok(&["rollback", "--env", "production", "--with-data", "--yes"]);
    assert_eq!(world.state().await, *old, "the rollback by hand");
}

fn same(now: &Snapshot, wanted: &Snapshot, seq: u64) {
    assert_eq!(now, wanted, "killed after line {seq}");
}
