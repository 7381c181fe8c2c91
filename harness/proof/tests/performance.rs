//! A release that became slower is held, one that did not goes on: on the real sample stack, under real load.

use crate::world::World;

/// A probe of a list of orders, and short looks at everything else.
const PROBES: &str = "soak = \"1s\"\n[[performance]]\nname = \"orders\"\nservice = \"api\"\npath = \"/orders?limit=100\"\nwarm_up = \"500ms\"\np95 = \"2s\"\nduration = \"1s\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_is_slower_is_held_before_the_target_is_touched() {
    let world = World::new("slower", PROBES);
    world.add_change("v1-slow", "docker-compose.yml", "${SLOWER_PERCENT:-0}", "\"20\"");
    world.gate_ok(&["up", "--env", "staging", "--release", "v1-slow"]);
    let before = world.state().await;
    let ended = world.promote();
    assert_eq!(ended.code, Some(3), "{}", ended.text);
    assert!(ended.text.contains("orders of v1-slow against v1: slower by"), "{}", ended.text);
    assert_eq!(world.state().await, before);
    world.assert_tidy("after a slow release").await;
}

/// Asks the api four times for each time that it is asked itself: what a query for each row is to a database.
const MIRRORED: &str = "    location = /again {\n        internal;\n        set $again http://api:8080;\n        \
                        proxy_pass $again/items;\n    }\n    location /api/ {\n        mirror /again;\n        \
                        mirror /again;\n        mirror /again;\n";

/// A probe of a short list, so that the three answers more are most of what it costs.
const COSTLY: &str = "soak = \"1s\"\n[[performance]]\nname = \"items\"\nservice = \"web\"\n\
                      path = \"/api/items\"\nwarm_up = \"500ms\"\ncompare_within = \"20s\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_asks_its_database_more_often_is_held() {
    let world = World::new("costly", COSTLY);
    world.add_change("v1-costly", "web/conf.d/default.conf", "    location /api/ {\n", MIRRORED);
    world.gate_ok(&["up", "--env", "staging", "--release", "v1-costly"]);
    let before = world.state().await;
    let ended = world.promote();
    assert_eq!(ended.code, Some(3), "{}", ended.text);
    assert!(ended.text.contains("transactions a request grew from"), "{}", ended.text);
    assert_eq!(world.state().await, before);
    world.assert_tidy("after a costly release").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_that_hold_up_those_who_read_and_write_are_told_and_held() {
    let world = World::new("stall", "soak = \"1s\"\nlongest_stall = \"500ms\"");
    let stalling = "ALTER TABLE orders ADD COLUMN more integer;\nSELECT pg_sleep(2);\n";
    world.add_migration("v1-stall", stalling);
    world.add_migration("v1-quick", "ALTER TABLE orders ADD COLUMN more integer;\n");
    world.gate_ok(&["up", "--env", "staging", "--release", "v1-stall"]);
    let before = world.state().await;
    let ended = world.promote();
    assert_eq!(ended.code, Some(3), "{}", ended.text);
    for said in ["would hold up those who use database `shop`", "AccessExclusiveLock on orders", "`longest_stall`"] {
        assert!(ended.text.contains(said), "{said} in {}", ended.text);
    }
    assert_eq!(world.state().await, before);

    world.gate_ok(&["down", "--env", "staging", "--volumes", "--yes"]);
    world.gate_ok(&["up", "--env", "staging", "--release", "v1-quick"]);
    let promoted = world.promote();
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    assert!(promoted.text.contains("felt of main: 0 of "), "{}", promoted.text);
    world.assert_tidy("after migrations that were felt").await;
}
