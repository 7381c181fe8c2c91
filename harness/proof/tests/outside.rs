//! What no table holds: a large object, a materialized view and a sequence go back with the data; what a migration did to the whole
//! server is reported with the statement that undoes it.

use std::fs;

use crate::{
    small::Small,
    world::{Ended, PASSWORD, image_of},
};

const FIRST: &str = "select lo_from_bytea(4711, 'one') where not exists (select from pg_largeobject_metadata);\n\
                     create materialized view if not exists names as select name from item;\n";
/// Changes no table.
const SECOND: &str = "select lo_put(4711, 0, 'two');\nselect setval('item_id_seq', 5000);\n\
                      do $$ begin if not exists (select from pg_roles where rolname = 'reporting') then create role reporting; \
                      end if; end $$;\nalter role app set work_mem = '8MB';\nalter system set log_lock_waits = on;\n";
/// Is healthy in staging and not in production, whose variable LATE is set.
const LATE: &str = "  late:\n    image: IMAGE\n    restart: \"no\"\n    command: [\"bash\", \"-c\", \"[ $${LATE:-0} = 0 ] && exec sleep \
                    infinity; exit 1\"]\n    environment: { LATE: \"${LATE:-0}\" }\n    tmpfs: [/var/lib/postgresql/data]\n";

fn ended(ended: &Ended, code: i32, wanted: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.text);
    for word in wanted {
        assert!(ended.text.contains(word), "`{word}` is missing in:\n{}", ended.text);
    }
}

#[tokio::test]
async fn large_objects_go_back_although_no_table_changed_and_roles_and_settings_are_reported() {
    let small = Small::new("outside", "app");
    small.release("v2", FIRST, "");
    for environment in ["staging", "production"] {
        small.up(environment, "v2");
    }
    small.release("v3", SECOND, &LATE.replace("IMAGE", &image_of(17)));
    let failed = small.promote("v3");
    let wanted = [
        "rollback: instant database swap",
        "a rollback will not undo, of the whole server: ",
        "not rolled back, of the whole server: role app: setting work_mem changed",
        "role reporting is new (DROP ROLE reporting)",
        "setting log_lock_waits is new (ALTER SYSTEM RESET log_lock_waits)",
        "rolled back and verified: v2 is live in production again",
    ];
    ended(&failed, 5, &wanted);
    assert!(!failed.text.contains("not as before"), "{}", failed.text);

    let client = small.server().await.connect("app").await.unwrap();
    let sql =
        "select convert_from(lo_get(4711), 'UTF8'), (select count(*) from names), (select last_value from item_id_seq)";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, String>(0).as_str(), row.get::<_, i64>(1), row.get::<_, i64>(2)), ("one", 100, 100));

    let runs = fs::read_dir(small.state("production").join("runs")).unwrap().flatten();
    let globals = runs.map(|run| run.path().join("globals-main.sql")).find(|path| path.is_file()).unwrap();
    let text = fs::read_to_string(globals).unwrap();
    assert!(text.contains("CREATE ROLE app") && !text.contains(PASSWORD) && !text.contains("SCRAM-SHA-256"), "{text}");
}
