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
