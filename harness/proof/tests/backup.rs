//! Backups and restores on a real server: what is lost comes back, and a kill at any moment leaves all or nothing.
//!
//! `scripts/kill-backup.sh` kills more often, and the removal of old backups too.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{small::Small, world::gate};

/// Runs a gate command and kills it when `after` is over; waits where it ended before.
fn killed(small: &Small, args: &[&str], after: Duration) {
    let mut command = Command::new(gate());
    command.args(args).current_dir(small.product()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.env_remove("STAGEGATE_STATE_DIR").env_remove("STAGEGATE_ENV").spawn().unwrap();
    let end = Instant::now() + after;
    while Instant::now() < end && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let _ = child.kill();
    child.wait().unwrap();
}

/// Returns the rows of the product's table, and how many databases of an unfinished restore there are.
async fn rows_and_copies(small: &Small) -> (i64, i64) {
    let server = small.server().await;
    let rows = server.connect("shop").await.unwrap().query_one("select count(*) from item", &[]).await.unwrap();
    let copies = "select count(*) from pg_database where datname like 'shop%restored%' or not datallowconn \
                  and datname <> 'template0'";
    let copies = server.connect("postgres").await.unwrap().query_one(copies, &[]).await.unwrap();
    (rows.get(0), copies.get(0))
}

async fn delete(small: &Small, rows: i64) {
    let client = small.server().await.connect("shop").await.unwrap();
    client.batch_execute(&format!("delete from item where id <= {rows}")).await.unwrap();
}

#[tokio::test]
async fn lost_rows_are_restored_and_a_kill_leaves_all_or_nothing() {
    let small = Small::new("backup", "shop");
    small.up("production", "v1");
    let made = small.gate(&["backup", "--env", "production"]);
    assert_eq!(made.code, Some(0), "{}", made.text);
    assert!(made.text.contains("restored and compared"), "{}", made.text);
    delete(&small, 40).await;
    let restored = small.gate(&["restore", "--env", "production", "latest", "--yes"]);
    assert_eq!(restored.code, Some(0), "{}", restored.text);
    assert!(restored.text.contains("kept as shop__left_"), "{}", restored.text);
    assert_eq!(rows_and_copies(&small).await, (100, 0));

    for (number, millis) in [150, 600, 900, 1_200, 1_500, 2_500].into_iter().enumerate() {
        let deleted = i64::try_from(number).unwrap() + 1;
        delete(&small, deleted).await;
        killed(&small, &["restore", "--env", "production", "latest", "--yes"], Duration::from_millis(millis));
        // The next command finishes it.
        let listed = small.gate(&["backup", "list", "--env", "production", "--json"]);
        let (rows, copies) = rows_and_copies(&small).await;
        assert!(rows == 100 || rows == 100 - deleted, "{millis} ms: {rows} rows\n{}", listed.text);
        assert_eq!(copies, 0, "{millis} ms: {}", listed.text);
        let restored = small.gate(&["restore", "--env", "production", "latest", "--yes"]);
        assert_eq!(restored.code, Some(0), "{}", restored.text);

        killed(&small, &["backup", "--env", "production"], Duration::from_millis(millis));
        let verified = small.gate(&["backup", "verify", "--env", "production"]);
        assert_eq!(verified.code, Some(0), "{millis} ms: {}", verified.text);
    }
    let made = small.gate(&["backup", "--env", "production"]);
    assert_eq!(made.code, Some(0), "{}", made.text);
    let left: Vec<String> = std::fs::read_dir(small.state("production").join("backups"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}
