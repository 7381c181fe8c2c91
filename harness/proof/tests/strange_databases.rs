//! Databases as other products have them: one with the name that PostgreSQL itself gives, settings of their own, owners of every kind.

use std::fs;

use crate::{insists::LATE, small::Small, world::image_of};

async fn execute(small: &Small, database: &str, sql: &str) {
    small.server().await.connect(database).await.unwrap().batch_execute(sql).await.unwrap();
}

async fn count(small: &Small, environment: &str, database: &str, sql: &str) -> i64 {
    let client = small.server_of(environment).await.connect(database).await.unwrap();
    client.query_one(sql, &[]).await.unwrap().get(0)
}

fn configure(small: &Small, more: &str) {
    let file = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, format!("{text}{more}")).unwrap();
}

fn gate(small: &Small, code: i32, args: &[&str]) -> String {
    let ended = small.gate(args);
    assert_eq!(ended.code, Some(code), "{args:?}: {}", ended.text);
    ended.text
}

#[tokio::test]
async fn a_product_in_the_database_postgres_is_backed_up_restored_promoted_rolled_back_and_copied() {
    const ITEMS: &str = "select count(*) from item";
    let small = Small::new("default-name", "postgres");
    configure(&small, "[sync]\nreal_data = [\"staging\"]\n");
    small.release("v2", "alter table item add column if not exists price int not null default 1;\n", "");
    let late = LATE.replace("IMAGE", &image_of(17));
    small.release("v3", "alter table item add column if not exists size int not null default 1;\n", &late);
    small.up("production", "v1");
    gate(&small, 0, &["backup", "--env", "production"]);
    execute(&small, "postgres", "delete from item where id > 40").await;
    gate(&small, 0, &["restore", "--env", "production", "latest", "--yes"]);
    assert_eq!(count(&small, "production", "postgres", ITEMS).await, 100);
    let promoted = small.promote("v2");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    execute(&small, "postgres", "insert into item (name) values ('of v2')").await;
    let back = small.promote("v3");
    assert_eq!(back.code, Some(5), "{}", back.text);
    assert_eq!(count(&small, "production", "postgres", ITEMS).await, 101);
    gate(&small, 0, &["rollback", "--env", "production", "--with-data", "--yes"]);
    assert_eq!(count(&small, "production", "postgres", ITEMS).await, 100);
    execute(&small, "postgres", "delete from item where id > 30").await;
    gate(&small, 0, &["sync", "--from", "production", "--to", "staging", "--yes"]);
    assert_eq!(count(&small, "staging", "postgres", ITEMS).await, 30);
}

/// Only a superuser may own the first ones; the view reads a table of a role that its owner is no member of; the rule has a
/// backslash where a setting states what that means.
const OWNED: &str = "
    create function noticed() returns event_trigger language plpgsql as 'begin notify ddl; end';
    create event trigger noticed on ddl_command_end execute function noticed();
    create foreign data wrapper elsewhere;
    create role reader;
    create table theirs (id int primary key, note text default 'x');
    insert into theirs select i from generate_series(1, 20000) i;
    alter table theirs owner to reader;
    create materialized view counted as select count(*) from theirs;
    create table log (id int);
    create rule logged as on insert to theirs do also insert into log values (new.id);
";

#[tokio::test]
async fn settings_and_owners_of_a_database_keep_no_backup_from_being_proven_and_restored() {
    let small = Small::new("own-settings", "app");
    configure(&small, "[volumes.server]\nvolume = \"db-data\"\n");
    small.up("production", "v1");
    execute(&small, "app", OWNED).await;
    for setting in ["standard_conforming_strings = off", "transaction_timeout = '700ms'", "role = reader"] {
        execute(&small, "postgres", &format!("alter database app set {setting}")).await;
    }
    let text = gate(&small, 0, &["backup", "--env", "production"]);
    assert!(text.contains("volume `server` is the data of db") && text.contains("left out"), "{text}");
    let text = gate(&small, 2, &["backup", "--env", "production", "--volume", "server"]);
    assert!(text.contains("volume `server` is the data of db"), "{text}");
    // What people set when something went wrong, and then want the backup.
    execute(&small, "postgres", "alter database app set default_transaction_read_only = on").await;
    gate(&small, 0, &["restore", "--env", "production", "latest", "--yes"]);
    let rows = "select count(*) from pg_event_trigger where evtname = 'noticed'";
    assert_eq!(count(&small, "production", "app", rows).await, 1);
}
