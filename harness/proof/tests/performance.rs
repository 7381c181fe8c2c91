//! A release that became slower is held, one that did not goes on: on the real sample stack, under real load.
//!
//! A measurement next to other proofs would measure them: `scripts/test.sh` runs these alone, after the others.

use std::{io::Write, str::FromStr};

use crate::world::{Ended, World};

/// A probe of a list of orders, and short looks at everything else.
const PROBES: &str = "soak = \"1s\"\n[[performance]]\nname = \"orders\"\nservice = \"api\"\npath = \"/orders?limit=100\"\nwarm_up = \"500ms\"\np95 = \"2s\"\nduration = \"1s\"\n";

/// Asks the api four times for each time that it is asked itself: what a query for each row is to a database.
const MIRRORED: &str = "    location = /again {\n        internal;\n        set $again http://api:8080;\n        \
                        proxy_pass $again/orders?limit=1;\n    }\n    location /api/ {\n        mirror /again;\n        \
                        mirror /again;\n        mirror /again;\n";

/// A probe of a short list, so that the three answers more are most of what it costs.
const COSTLY: &str = "soak = \"1s\"\n[[performance]]\nname = \"orders\"\nservice = \"web\"\n\
                      path = \"/api/orders?limit=1\"\nwarm_up = \"500ms\"\ncompare_within = \"20s\"\n";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the machine for itself: scripts/test.sh runs it after the others"]
async fn alone_a_release_that_is_slower_is_held_before_the_target_is_touched() {
    let world = World::new("slower", PROBES);
    let before = world.state().await;
    let mut ended = promoted(&world, "v1-slow", 20);
    // What the gate says to do where it cannot tell; a release that it cannot judge is not promoted either.
    for _ in 0..3 {
        if !ended.text.contains("host too noisy") {
            break;
        }
        assert!(matches!(ended.code, Some(3 | 4)), "{}", ended.text);
        ended = world.promote();
    }
    assert_eq!(ended.code, Some(3), "{}", ended.text);
    assert!(ended.text.contains("orders of v1-slow against v1: slower by"), "{}", ended.text);
    assert_eq!(world.state().await, before);
    world.assert_tidy("after a slow release").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the machine for itself: scripts/test.sh runs it after the others"]
async fn alone_a_release_that_requires_its_database_more_often_is_held() {
    let world = World::new("costly", COSTLY);
    world.add_change("v1-costly", "web/conf.d/default.conf", "    location /api/ {\n", MIRRORED);
    world.gate_ok(&["up", "--env", "staging", "--release", "v1-costly"]);
    let before = world.state().await;
    let ended = world.promote();
    assert_eq!(ended.code, Some(3), "{}", ended.text);
    assert!(ended.text.contains("transactions per request grew from"), "{}", ended.text);
    assert_eq!(world.state().await, before);
    world.assert_tidy("after a costly release").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_that_hold_up_those_who_read_and_write_are_reported_and_held() {
    let world = World::new("stall", "soak = \"1s\"\nlongest_stall = \"1500ms\"");
    let stalling = "ALTER TABLE orders ADD COLUMN more integer;\nSELECT pg_sleep(4);\n";
    world.add_migration("v1-stall", stalling);
    world.add_migration("v1-quick", "ALTER TABLE orders ADD COLUMN more integer;\n");
    world.gate_ok(&["up", "--env", "staging", "--release", "v1-stall"]);
    let before = world.state().await;
    let ended = world.promote();
    assert_eq!(ended.code, Some(3), "{}", ended.text);
    for printed in ["stall requests to database `shop`", "AccessExclusiveLock on orders", "`longest_stall`"] {
        assert!(ended.text.contains(printed), "{printed} in {}", ended.text);
    }
    assert_eq!(world.state().await, before);

    world.gate_ok(&["down", "--env", "staging", "--volumes", "--yes"]);
    world.gate_ok(&["up", "--env", "staging", "--release", "v1-quick"]);
    let promoted = world.promote();
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    assert!(promoted.text.contains(", 0 of "), "{}", promoted.text);
    world.assert_tidy("after migrations that were felt").await;
}

/// `EQUAL=20 SLOWER=5 cargo proof --locked -- --ignored equal_releases --nocapture`: about a minute for each.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes about a minute for each release"]
async fn equal_releases_go_on_one_after_the_other_and_slower_ones_do_not() {
    let world = World::new("equal", PROBES);
    for round in 1..=asked("EQUAL", 2) {
        let ended = promoted(&world, &format!("v1-equal-{round}"), 0);
        tell(&format!("equal release {round}"), &ended);
        assert_eq!(ended.code, Some(0), "{}", ended.text);
    }
    for round in 1..=asked("SLOWER", 1) {
        let ended = promoted(&world, &format!("v1-slow-{round}"), 20);
        tell(&format!("slower release {round}"), &ended);
        assert_eq!(ended.code, Some(3), "{}", ended.text);
    }
    world.assert_tidy("after all releases").await;
}

/// Promotes v1 with its responses slowed down by so many percent, under a name of its own.
fn promoted(world: &World, release: &str, slower_percent: u32) -> Ended {
    world.add_change(release, "docker-compose.yml", "${SLOWER_PERCENT:-0}", &format!("\"{slower_percent}\""));
    world.gate_ok(&["up", "--env", "staging", "--release", release]);
    world.promote()
}

/// Shows what was reported of the probe, as `--nocapture` lets it through.
fn tell(release: &str, ended: &Ended) {
    let printed = ended.text.lines().find(|line| line.contains("orders")).unwrap_or("nothing was said of the probe");
    let _ = writeln!(std::io::stderr(), "{release}: exit {:?}, {}", ended.code, printed.trim());
}

/// Returns a number that a variable asks for.
fn asked(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| usize::from_str(&text).ok()).unwrap_or(otherwise)
}
