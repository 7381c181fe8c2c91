//! A good release goes through; bad ones are held, or undone to the last byte; a person can take one back.

use crate::world::{PASSWORD, World};

fn words(text: &str, wanted: &[&str]) {
    for word in wanted {
        assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    }
}

#[tokio::test]
async fn a_good_release_is_promoted_and_bad_ones_are_held_or_undone() {
    let world = World::new("releases", "soak = \"9s\"");
    let v1 = world.state().await;

    world.stage("v2");
    let promoted = world.promote();
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    let v2 = world.state().await;
    assert_ne!(v1, v2);
    assert_eq!(v1.data.tables["public.orders"].rows, v2.data.tables["public.orders"].rows);
    world.assert_tidy("after v2").await;
    let compared = world.gate_ok(&["compare", "staging", "production"]);
    words(&compared, &["readiness of `staging` for `production`: ", "ready", "api image", "*** "]);

    world.stage("v3-contract");
    let held = world.promote();
    assert_eq!(held.code, Some(3), "{}", held.text);
    words(&held.text, &["$.orders[0].total_cents", "contracts/openapi.json", "production was not changed"]);
    assert_eq!(world.state().await, v2);

    world.stage("v3-rowloss");
    let held = world.promote();
    assert_eq!(held.code, Some(3), "{}", held.text);
    words(&held.text, &["rehearse", "public.orders: 2000 ->", "lost"]);
    assert_eq!(world.state().await, v2);

    world.stage("v3-unhealthy");
    let undone = world.promote();
    assert_eq!(undone.code, Some(5), "{}", undone.text);
    words(&undone.text, &["verify failed", "rolled back", "database switched in"]);
    assert_eq!(world.state().await, v2);

    world.stage("v3-crashloop");
    let undone = world.promote();
    assert_eq!(undone.code, Some(5), "{}", undone.text);
    words(&undone.text, &["worker", "rolled back"]);
    assert_eq!(world.state().await, v2);
    world.assert_tidy("after all").await;

    world.gate_ok(&["rollback", "--env", "production", "--with-data", "--yes"]);
    assert_eq!(world.state().await, v1);
    world.assert_tidy("after the rollback").await;
    assert_no_secret_in_logs(&world);
}

/// Looks into every log, journal and record of the has been up for the stacks' password and key.
fn assert_no_secret_in_logs(world: &World) {
    let mut read = 0;
    for run in std::fs::read_dir(world.runs("production")).unwrap().flatten() {
        for name in ["run.log", "journal.jsonl"] {
            let Ok(text) = std::fs::read_to_string(run.path().join(name)) else { continue };
            read += 1;
            assert!(!text.contains(PASSWORD), "{}/{name} holds a secret", run.path().display());
        }
    }
    assert!(read > 10, "only {read} logs were there to be looked into");
}

#[tokio::test]
async fn where_no_copy_can_be_made_a_dump_brings_the_rows_back() {
    let world = World::new("dump", "soak = \"1s\"\ntier = \"restore\"");
    let v1 = world.state().await;
    world.stage("v3-late");
    std::fs::write(world.shop().join("notes.txt"), "not in git, and none of the gate's business").unwrap();
    let undone = world.promote();
    assert_eq!(undone.code, Some(5), "{}", undone.text);
    words(&undone.text, &["rollback: restore of a dump", "readyz", "rolled back"]);
    assert_eq!(world.state().await, v1);
    world.assert_tidy("after the dump was restored").await;
}

#[tokio::test]
async fn an_env_file_that_was_changed_for_a_bad_release_is_put_back_and_kept_next_to() {
    let world = World::new("env", "soak = \"1s\"");
    let v1 = world.state().await;
    world.stage("v3-late");
    let file = world.env_file("production");
    let before = std::fs::read_to_string(&file).unwrap();
    let changed = format!("{before}NEW_SETTING=1\n");
    std::fs::write(&file, &changed).unwrap();
    let undone = world.promote();
    assert_eq!(undone.code, Some(5), "{}", undone.text);
    assert_eq!(world.state().await, v1);
    let mut alongside = std::fs::read_dir(file.parent().unwrap()).unwrap().flatten().map(|entry| entry.path());
    let kept = alongside.find(|path| path.to_string_lossy().contains("production.env.failed-")).unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap(), changed);
}

#[tokio::test]
async fn a_release_whose_database_server_does_not_start_is_undone() {
    let world = World::new("server", "soak = \"1s\"");
    let v1 = world.state().await;
    world.stage("v3-server");
    // The port is taken, so the new container of the database is made, the old one is gone, and nothing starts.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let file = world.env_file("production");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}DB_PORT={}\n", taken.local_addr().unwrap().port())).unwrap();
    let undone = world.promote();
    assert_eq!(undone.code, Some(5), "{}", undone.text);
    words(&undone.text, &["rollback: instant database swap", "rolled back"]);
    assert_eq!(world.state().await, v1);
    world.assert_tidy("after the server was put back").await;
}

#[tokio::test]
async fn where_the_release_that_serves_is_proven_on_the_new_schema_the_way_back_is_its_code_alone() {
    let world = World::new("crossed", "soak = \"1s\"\ncross_versions = \"decide\"");
    let v1 = world.state().await;
    world.stage("v2");
    let promoted = world.promote();
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    // v2's api writes a column that v1's schema does not have; v1's api does not mind it.
    words(
        &promoted.text,
        &["rollback: code only", "live release on the new schema: healthy", "candidate on the old schema: not healthy"],
    );
    assert!(!promoted.text.contains("freeze writes"), "{}", promoted.text);
    assert_ne!(world.state().await, v1);
    world.assert_tidy("after a promotion without data").await;
}
