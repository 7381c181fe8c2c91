//! The gate is killed for real, right after a line of its journal was synced; the next command ends the run. The
//! target is then all as before or all new.
//!
//! `STAGEGATE_PROOF_LINES` states after which lines: `all`, `begun` (the begin of every step and around the point of no
//! return), or `7,12`. Without it a sample of `begun` is drawn, whose seed is printed; `STAGEGATE_PROOF_SEED` draws it
//! again. `scripts/kill-sweep.sh` takes all.

use serde_json::Value;

use crate::world::{Snapshot, World};

const KILL: &str = "STAGEGATE_KILL_AFTER_LINE";
const LINES: &str = "STAGEGATE_PROOF_LINES";
const SEED: &str = "STAGEGATE_PROOF_SEED";
/// With a volume, so that the lines of its steps are killed after as well.
const WITH_VOLUME: &str = "soak = \"1s\"\n[volumes.cache]\nvolume = \"cache-data\"";
/// How many lines a sample has.
const SAMPLE: usize = 4;

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
    let begun = || {
        let is_begin = |entry: &str| matches!(entry, "begun" | "undo_begun" | "decided");
        lines.iter().filter(|(_, entry, _)| is_begin(entry)).map(|(seq, _, _)| *seq).collect::<Vec<u64>>()
    };
    match std::env::var(LINES).unwrap_or_default().as_str() {
        "" => sample(&begun(), seed()),
        "begun" => begun(),
        "all" => lines.iter().map(|(seq, _, _)| *seq).collect(),
        list => list.split(',').filter_map(|number| number.trim().parse().ok()).collect(),
    }
}

/// Draws [`SAMPLE`] lines that lie evenly over the run, from a place that the seed states.
#[expect(clippy::print_stderr, reason = "who reads a failed run needs the seed to draw the same lines again")]
fn sample(lines: &[u64], seed: u64) -> Vec<u64> {
    let count = SAMPLE.min(lines.len());
    let from = usize::try_from(seed % lines.len().max(1) as u64).unwrap();
    let mut drawn: Vec<u64> = (0..count).map(|n| lines[(from + n * lines.len() / count) % lines.len()]).collect();
    drawn.sort_unstable();
    eprintln!("killing after lines {drawn:?} of {lines:?}; {SEED}={seed} draws them again");
    drawn
}

/// Returns the seed of this run: the one that was given, else another one each time.
fn seed() -> u64 {
    let given = std::env::var(SEED).ok().map(|text| text.parse().expect("the seed is a number"));
    given.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs())
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
    let mut world = World::new("kill-good", WITH_VOLUME);
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
            assert!(["rolled_back", "aborted", "blocked"].contains(&end.as_str()), "line {seq}: {end}");
            same(&now, &old, seq);
        }
    }
}

#[tokio::test]
async fn a_failing_promotion_that_is_killed_ends_all_old() {
    let mut world = World::new("kill-bad", WITH_VOLUME);
    let old = world.state().await;
    world.stage("v3-late");
    let undone = world.promote();
    assert_eq!(undone.code, Some(5), "{}", undone.text);
    let lines = journal(&world);
    let decided = lines.iter().find(|(_, entry, _)| entry == "decided").map(|(seq, _, _)| *seq).unwrap();
    same(&world.state().await, &old, 0);
    // What comes before the decision is the same as in a good promotion, which the other test kills.
    let behind: Vec<_> =
        lines.into_iter().filter(|(seq, _, _)| std::env::var(LINES).is_ok() || *seq >= decided).collect();
    for seq in chosen(&behind) {
        let end = kill_and_resume(&mut world, seq).await;
        assert!(["rolled_back", "aborted", "blocked"].contains(&end.as_str()), "line {seq}: {end}");
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
