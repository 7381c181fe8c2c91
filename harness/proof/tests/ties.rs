//! What of a live database cannot be copied, or does not come along, is known before anything is touched; and whoever locks
//! it is named.

use std::fs;

use stagegate_base::mark::{Mark, Role};
use stagegate_host::database::{DatabaseError, Ties};

use crate::small::Small;

const PLAN: [&str; 6] = ["promote", "--from", "staging", "--to", "production", "--plan"];

fn planned(small: &Small, code: i32, wanted: &[&str]) {
    let plan = small.gate(&PLAN);
    assert_eq!(plan.code, Some(code), "{}", plan.text);
    for word in wanted {
        assert!(plan.text.contains(word), "`{word}` is missing in:\n{}", plan.text);
    }
}

/// Makes production's database one of ICU, whose recorded version is an old one; or as it was.
async fn forge(small: &Small, is_old: bool) {
    let to = if is_old { ["'i'", "'en-US'", "'1.0'"] } else { ["'c'", "null", "null"] };
    let [provider, locale, version] = to;
    let set = format!("datlocprovider = {provider}, datlocale = {locale}, datcollversion = {version}");
    small.execute(&format!("update pg_database set {set} where datname = 'app'")).await;
}

#[tokio::test]
async fn what_a_copy_cannot_carry_is_reported_by_the_plan() {
    let small = Small::new("ties", "app");
    let compose = small.product().join("docker-compose.yml");
    let text = fs::read_to_string(&compose).unwrap();
    let settings = "command: [\"-c\", \"wal_level=logical\", \"-c\", \"max_prepared_transactions=2\"]";
    fs::write(&compose, text.replacen("    healthcheck:", &format!("    {settings}\n    healthcheck:"), 1)).unwrap();
    small.release("v2", "select 1;\n", "");
    small.up("production", "v2");
    small.release("v3", "alter table item add column if not exists price int not null default 1;\n", "");
    small.up("staging", "v3");
    let server = small.server().await;

    forge(&small, true).await;
    let mismatch = server.collation_mismatch("app").await.unwrap().unwrap();
    assert!(mismatch.contains("collation version 1.0, and its server provides"), "{mismatch}");
    assert_eq!(server.collation_mismatch("postgres").await.unwrap(), None);
    // That is why: PostgreSQL itself refuses the copy.
    let mark = Mark {
        name: "app__pre_x".into(),
        of: "app".into(),
        role: Role::Copy,
        run: "20260102-030405-ab12".into(),
        state: "0123456789abcdef".into(),
    };
    let refused = server.copy("app", &mark).await.unwrap_err().to_string();
    assert!(refused.contains("collation version mismatch"), "{refused}");
    planned(
        &small,
        3,
        &["REINDEX DATABASE \"app\"; ALTER DATABASE \"app\" REFRESH COLLATION VERSION", "tier = \"restore\""],
    );
    forge(&small, false).await;

    let client = server.connect("app").await.unwrap();
    client.batch_execute("create unlogged table cache (id int); insert into cache values (1)").await.unwrap();
    client.batch_execute("select pg_create_logical_replication_slot('cdc', 'pgoutput')").await.unwrap();
    client.batch_execute("create publication feed for table item").await.unwrap();
    client.batch_execute("begin; insert into item (name) values ('x'); prepare transaction 'job-7'").await.unwrap();
    let ties = Ties {
        prepared: vec!["job-7".into()],
        slots: vec!["cdc".into()],
        subscriptions: Vec::new(),
        publications: vec!["feed".into()],
        unlogged: vec!["public.cache".into()],
    };
    assert_eq!(server.ties("app").await.unwrap(), ties);
    assert_eq!(server.ties("postgres").await.unwrap(), Ties::default());
    planned(&small, 3, &["ROLLBACK PREPARED E'job-7'"]);
    client.batch_execute("rollback prepared 'job-7'").await.unwrap();
    planned(&small, 0, &["replication slot cdc", "publication feed", "unlogged table public.cache"]);

    // What no [databases] entry names is in no backup; and a name by which nothing would be guarded is refused.
    let aside = server.connect("postgres").await.unwrap();
    aside.batch_execute("create database metabase").await.unwrap();
    aside.batch_execute("create database bare").await.unwrap();
    let other = server.connect("metabase").await.unwrap();
    other.batch_execute("create table report (id int)").await.unwrap();
    planned(&small, 0, &["database `metabase` of the same server (1 table) is in no backup and no rollback"]);
    let backup = small.gate(&["backup", "--env", "production"]);
    assert_eq!(backup.code, Some(0), "{}", backup.text);
    assert!(backup.text.contains("note: database `metabase` of the same server"), "{}", backup.text);
    let file = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("name = 'app'", "name = 'bare'")).unwrap();
    planned(
        &small,
        3,
        &["database `bare` has no tables, and `app` of the same server has", "Set `name = \"app\"` in [databases."],
    );
    fs::write(&file, text).unwrap();
    drop(other);
    aside.batch_execute("drop database metabase").await.unwrap();
    aside.batch_execute("drop database bare").await.unwrap();

    // A view's text is read only while nobody holds its table against everybody.
    client.batch_execute("create view names as select name from item").await.unwrap();
    let holder = server.connect("app").await.unwrap();
    holder.batch_execute("begin; lock table item in access exclusive mode").await.unwrap();
    let begun = std::time::Instant::now();
    let locked = stagegate_migration_act::catalog::schema_of(&server, "app").await.unwrap_err();
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    assert!(
        matches!(&locked, DatabaseError::Locked { holders, .. } if holders.contains("(proof) of app, idle in transaction since")
        && holders.contains(", has locked public.item")),
        "{locked}"
    );
    drop(holder);

    // With another state folder neither lock nor history of this production are seen.
    let state = small.state("production");
    let away = state.with_extension("away");
    fs::rename(&state, &away).unwrap();
    planned(&small, 3, &["was deployed by a gate with another state folder", "STAGEGATE_STATE_DIR"]);
    fs::remove_dir_all(&state).unwrap();
    fs::rename(&away, &state).unwrap();
}
