//! A small seeded sample of `scripts/kill-see.sh`: the sender of messages, the watch and the dashboard are killed at random moments.

use std::process::{Command, Stdio};

use crate::world::{checkout, ended, gate};

#[test]
fn what_is_killed_loses_no_message_and_tears_no_file() {
    let mut command = Command::new("bash");
    command.arg(checkout().join("scripts/kill-see.sh")).args(["--points", "4", "--seed", "18"]);
    let end = ended(&command.env("GATE", gate()).stdin(Stdio::null()).output().unwrap());
    assert_eq!(end.code, Some(0), "{}", end.text);
    // A table of three rows; a kill that came too late is none.
    let rows: Vec<Vec<&str>> = end.text.lines().filter(|line| line.ends_with("| ok |")).map(cells).collect();
    assert_eq!(rows.len(), 3, "{}", end.text);
    let kills: usize = rows.iter().map(|row| row[1].parse::<usize>().unwrap()).sum();
    assert!(kills >= 8, "{}", end.text);
    assert!(rows.iter().all(|row| row[3] == "0"), "{}", end.text);
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}
