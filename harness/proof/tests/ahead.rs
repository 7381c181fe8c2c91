//! A rollback of the code alone leaves the schema of the newer release: expected, and no drift.

use std::fs;

use crate::small::Small;

const FIRST: &str = "create table item (id serial primary key, name text not null);\n";
const MORE: &str = "alter table item add column more int;\n";

#[test]
fn a_schema_that_a_rollback_of_the_code_leaves_is_not_called_drift_until_the_next_promotion() {
    let small = Small::new("ahead", "app");
    let file = small.product().join("stagegate.toml");
    let chained = fs::read_to_string(&file).unwrap().replacen(
        "[severity]\n",
        "[migrations.main]\nsource = \"chain\"\ntool = \"flyway\"\n[severity]\nmigrations = \"info\"\n",
        1,
    );
    fs::write(&file, chained).unwrap();
    let chain = small.product().join("chain");
    fs::create_dir_all(&chain).unwrap();
    fs::write(chain.join("V1__first.sql"), FIRST).unwrap();
    small.release("v1b", "select 1;\n", "");
    fs::write(chain.join("V2__more.sql"), MORE).unwrap();
    small.release("v2", &MORE.replace("column", "column if not exists"), "");

    small.up("production", "v1b");
    let promoted = small.promote("v2");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);

    let back = small.gate(&["rollback", "--env", "production", "--accept-newer-schema", "--yes"]);
    assert_eq!(back.code, Some(0), "{}", back.text);
    let drift = ["test", "--env", "production", "--verbose", "schema::main::drift"];
    let tested = small.gate(&drift);
    assert_eq!(tested.code, Some(0), "{}", tested.text);
    assert!(tested.text.contains("not compared: the database has the schema of v2"), "{}", tested.text);

    // What was done by hand is drift again once code and schema are of one release.
    let promoted = small.promote("v2");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    let tested = small.gate(&drift);
    assert_eq!(tested.code, Some(0), "{}", tested.text);
    assert!(!tested.text.contains("not compared"), "{}", tested.text);
    let by_hand = tokio::runtime::Runtime::new().unwrap();
    by_hand.block_on(async {
        let client = small.server().await.connect("app").await.unwrap();
        client.batch_execute("alter table item drop column more").await.unwrap();
    });
    let tested = small.gate(&drift);
    assert_eq!(tested.code, Some(3), "{}", tested.text);
}
