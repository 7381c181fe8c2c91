//! Seeded faults: the suites find what is wrong with a running stack, by name of service and cause.
//!
//! Here a few of them; `scripts/seeded-faults.sh` seeds all.

use std::process::Command;

use crate::world::{checkout, ended};

/// One for each way of looking: a response, a token, a container that somebody changed by hand, the files, a network.
const FAULTS: [&str; 5] = ["wrong-body", "unsigned-token", "shared-network", "same-secret", "reachable-database"];

#[test]
fn seeded_faults_are_found_by_name_and_cause() {
    let output = Command::new(checkout().join("scripts/seeded-faults.sh"))
        .args(FAULTS)
        .env("GATE", crate::world::gate())
        .env("FIRST_PORT", "21300")
        .output()
        .unwrap();
    let ended = ended(&output);
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    assert!(ended.text.contains("5 of 5 faults found"), "{}", ended.text);
}
