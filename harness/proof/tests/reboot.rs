//! After a reboot nothing runs: neither the gate nor the databases that its open run needs.

use crate::small::Small;

#[tokio::test]
async fn a_run_whose_server_does_not_run_either_is_rolled_back_by_the_next_command() {
    let small = Small::new("reboot", "app");
    small.up("production", "v1");
    small.release("v2", "delete from item where id > 10;\n", "");
    small.up("staging", "v2");
    let text = std::fs::read_to_string(small.product().join("stagegate.toml")).unwrap();
    let allowed =
        text.replace("migrations = \"migrate\"\n", "migrations = \"migrate\"\nrows_may_fall = [\"public.item\"]\n");
    std::fs::write(small.product().join("stagegate.toml"), allowed).unwrap();
    small.git(&["commit", "--quiet", "--all", "--message", "rows may fall"]);
    let db = format!("{}-db-1", small.project("production"));
    let mut promote = small.command(&["promote", "--from", "staging", "--to", "production", "--yes"]);
    promote.env("STAGEGATE_RUN_AFTER", "done migrate");
    promote.env("STAGEGATE_RUN_COMMAND", format!("docker kill {db} >/dev/null; kill -9 $PPID"));
    let killed = promote.output().unwrap();
    assert_eq!(killed.status.code(), None, "{}", String::from_utf8_lossy(&killed.stderr));

    let resumed = small.gate(&["resume", "--env", "production"]);
    assert_eq!(resumed.code, Some(5), "{}", resumed.text);
    let client = small.server().await.connect("app").await.unwrap();
    let rows: i64 = client.query_one("select count(*) from item", &[]).await.unwrap().get(0);
    assert_eq!(rows, 100, "{}", resumed.text);
}
