//! A contract that hurts callers holds a release that every suite lets through, unless somebody responds for it.

use crate::world::World;

const CONTRACT: &str = "contracts/openapi.json";
const WAIVER: &str = r#"
[[waiver]]
finding = "request-maximum-narrowed"
place = "POST /orders request application/json $.quantity"
reason = "nobody ever ordered more"
owner = "the shop"
expires = "2999-12-31"
"#;

#[tokio::test]
async fn a_contract_that_takes_less_holds_its_release_until_it_is_waived() {
    let world = World::new("contract", "soak = \"1s\"");
    let before = world.state().await;
    world.add_change("v1-strict", CONTRACT, "\"maximum\": 1000", "\"maximum\": 100");
    world.gate_ok(&["up", "--env", "staging", "--release", "v1-strict"]);
    let held = world.promote();
    assert_eq!(held.code, Some(3), "{}", held.text);
    let wanted = [
        "contract of `api`",
        "request-maximum-narrowed at POST /orders",
        "openapi.json:",
        "production was not changed",
    ];
    for word in wanted {
        assert!(held.text.contains(word), "`{word}` is missing in:\n{}", held.text);
    }
    assert_eq!(world.state().await, before);

    std::fs::write(world.shop().join("contract-waivers.toml"), WAIVER.replace("2999", "2020")).unwrap();
    let expired = world.promote();
    assert_eq!(expired.code, Some(3), "{}", expired.text);
    assert!(expired.text.contains("expired on 2020-12-31"), "{}", expired.text);

    std::fs::write(world.shop().join("contract-waivers.toml"), WAIVER).unwrap();
    let promoted = world.promote();
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);

    asked_and_accepted(&world);
}

/// Bad requests go only where nothing is protected; what a run saw can be accepted, and is what the next run sees.
fn asked_and_accepted(world: &World) {
    let listed = |environment: &str| world.gate_ok(&["test", "--env", environment, "--list", "contracts"]);
    assert!(listed("staging").contains("contracts::api::probe_post_orders"));
    assert!(!listed("production").contains("probe_"));
    let requested = world.gate_ok(&["test", "--env", "staging", "contracts", "--verbose"]);
    assert!(requested.contains("PASS contracts::api::probe_post_orders"), "{requested}");
    world.gate_ok(&["accept", "contracts::api", "--env", "staging"]);
    let compared = world.gate_ok(&["test", "--env", "staging", "contracts::api::shapes", "--verbose"]);
    assert!(compared.contains("PASS contracts::api::shapes"), "{compared}");
}
