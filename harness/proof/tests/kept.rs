//! What the gate did not make is there after it, whatever its name: databases, comments, tags.

use std::collections::BTreeSet;

use stagegate_base::mark::{Mark, Role, Sessions};
use stagegate_host::database::Dropped;

use crate::{small::Small, world::Ended};

/// The live database's own name has the gate's word for a copy in it.
const LIVE: &str = "app__pre_x";
const COMMENT: &str = "orders; ask ann before you touch it";
/// Somebody else's, next to the live one.
const FOREIGN: [&str; 6] = [
    "app__pre_release",
    "app__failed_imports",
    "app__pre_x__pre_mine",
    "app__pre_x__left_over",
    // Of the very form that earlier versions gave.
    "app__pre_x__pre_20250101_000000_0001",
    "app__pre_x__failed_20250101_000000_0001",
];
const FORGED: &str = "app__pre_x__pre_20250202_000000_0002";

fn ended(ended: &Ended, code: i32, wanted: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.text);
    for word in wanted {
        assert!(ended.text.contains(word), "`{word}` is missing in:\n{}", ended.text);
    }
}

/// Asserts that every foreign database is there, that the live one has `rows` of `item` and its comment, and that the
/// server has no open run's leftovers.
async fn whole(small: &Small, when: &str, prices: bool) {
    let found = small.server().await.databases().await.unwrap();
    let names: BTreeSet<&str> = found.iter().map(|found| found.name.as_str()).collect();
    for foreign in FOREIGN.iter().chain([&FORGED, &LIVE]) {
        assert!(names.contains(foreign), "{when}: `{foreign}` is gone; there are {names:?}");
    }
    let live = found.iter().find(|found| found.name == LIVE).unwrap();
    assert_eq!(live.comment.as_deref(), Some(COMMENT), "{when}");
    assert_eq!(live.limit, 90, "{when}");
    let client = small.server().await.connect(LIVE).await.unwrap();
    let sql = "select count(*), count(*) filter (where to_jsonb(item) ? 'price') from item";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (100, if prices { 100 } else { 0 }), "{when}");
}

/// Returns the databases that carry a mark of `role` of this product's production.
async fn marked(small: &Small, role: Role) -> Vec<String> {
    let state = std::fs::read_to_string(small.state("production").join("id")).unwrap();
    let found = small.server().await.databases().await.unwrap();
    let marks = found.iter().filter_map(|found| Mark::parse(found.comment.as_deref()?));
    marks.filter(|mark| mark.role == role && mark.state == state).map(|mark| mark.name).collect()
}

async fn make_foreign(small: &Small) {
    for name in FOREIGN.iter().chain([&FORGED]) {
        small.execute(&format!("create database \"{name}\"")).await;
    }
    let forged =
        format!("stagegate: copy of \"{LIVE}\", run 20250202-000000-0002, state 0123456789abcdef, named \"{FORGED}\"");
    let client = small.server().await.connect("postgres").await.unwrap();
    client.batch_execute(&format!("comment on database \"{FORGED}\" is '{forged}'")).await.unwrap();
    client.batch_execute(&format!("comment on database \"{LIVE}\" is '{COMMENT}'")).await.unwrap();
    client.batch_execute(&format!("alter database \"{LIVE}\" connection limit 90")).await.unwrap();
}

#[tokio::test]
async fn databases_that_the_gate_did_not_make_outlive_it_whatever_their_names() {
    let small = Small::new("kept", LIVE);
    small.release("v2", "alter table item add column if not exists price int not null default 1;\n", "");
    small.release("v3", "alter table item add column if not exists size int not null default 1;\n", "");
    let late = "  late:\n    image: POSTGRES\n    restart: \"no\"\n    command: [\"bash\", \"-c\", \"[ $${LATE:-0} = 0 ] && exec sleep infinity; exit 1\"]\n    \
                environment: { LATE: \"${LATE:-0}\" }\n    tmpfs: [/var/lib/postgresql/data]\n";
    let comment = format!("alter table item drop column price;\ncomment on database \"{LIVE}\" is 'of the release';\n");
    small.release("v4", &comment, &late.replace("POSTGRES", &crate::world::image_of(17)));
    small.up("staging", "v1");
    small.up("production", "v1");
    make_foreign(&small).await;

    let promoted = small.promote("v2");
    // Those of an earlier version's form are reported, with the way to drop them; the others are not the gate's business.
    ended(&promoted, 0, &["app__pre_x__pre_20250101_000000_0001` stays", "drop database \"app__pre_x__failed_2025"]);
    assert!(!promoted.text.contains("app__pre_release"), "{}", promoted.text);
    whole(&small, "after v2", true).await;
    let first = marked(&small, Role::Copy).await;
    assert_eq!(first.len(), 1, "{first:?}");

    // Somebody saves rows from the copy meanwhile.
    let saving = small.server().await.connect(&first[0]).await.unwrap();
    let promoted = small.promote("v3");
    ended(&promoted, 0, &[&format!("database `{}` stays: it has open sessions: proof of app", first[0])]);
    assert!(!promoted.text.contains("20250101"), "told twice:\n{}", promoted.text);
    whole(&small, "after v3", true).await;
    drop(saving);

    let undone = small.promote("v4");
    ended(&undone, 5, &["rolled back"]);
    whole(&small, "after the failed v4", true).await;
    assert_eq!(marked(&small, Role::Failed).await.len(), 1);

    let back = small.gate(&["rollback", "--env", "production", "--with-data", "--yes"]);
    ended(&back, 0, &["rolled back"]);
    whole(&small, "after the rollback of v3", true).await;
    let back = small.gate(&["rollback", "--env", "production", "--with-data", "--yes"]);
    ended(&back, 0, &["rolled back"]);
    whole(&small, "after the rollback of v2", false).await;
    // The gate's own are gone, but for the last run's copy and the newest of each kind.
    for (role, count) in [(Role::Copy, 1), (Role::Failed, 1), (Role::Left, 1), (Role::Restored, 0)] {
        let found = marked(&small, role).await;
        assert_eq!(found.len(), count, "{found:?}");
        assert!(!found.contains(&first[0]), "{found:?}");
    }
}

/// Takes a mark's comment away, as it is where the gate was killed right after `create database`.
async fn uncommented(small: &Small, mark: &Mark, limit: i32) {
    let client = small.server().await.connect("postgres").await.unwrap();
    let name = &mark.name;
    let sql = format!("comment on database \"{name}\" is null; alter database \"{name}\" connection limit {limit}");
    client.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn a_copy_is_dropped_by_its_mark_alone_and_long_names_are_kept_apart() {
    // 61 bytes, 31 letters.
    let long = format!("{}x", "ü".repeat(30));
    let small = Small::new("mark", &long);
    small.up("production", "v1");
    let server = small.server().await;
    let [copy, failed] = ["copy", "failed"].map(|word| Mark {
        name: format!("{}_0a0b0c0d__{word}", "ü".repeat(10)),
        of: long.clone(),
        role: if word == "copy" { Role::Copy } else { Role::Failed },
        run: "20260102-030405-ab12".into(),
        state: "0123456789abcdef".into(),
    });
    let live = [long.clone()];
    let drop = async |mark: &Mark, live: &[String], sessions| server.drop_marked(mark, live, sessions).await.unwrap();
    assert_eq!(drop(&copy, &live, Sessions::End).await, Dropped::Gone, "one that is not there");

    // Somebody else's of that very name.
    small.execute(&format!("create database \"{}\"", copy.name)).await;
    assert!(matches!(drop(&copy, &live, Sessions::End).await, Dropped::Stays(_)));
    assert!(server.exchange(&long, &copy, &failed, None).await.unwrap_err().to_string().contains("does not carry"));
    small.execute(&format!("drop database \"{}\"", copy.name)).await;

    server.shut(&long).await.unwrap();
    server.copy(&long, &copy).await.unwrap();
    let other = Mark { state: "ffffffffffffffff".into(), ..copy.clone() };
    assert!(matches!(drop(&other, &live, Sessions::End).await, Dropped::Stays(_)));
    let named = [copy.name.clone()];
    assert!(matches!(drop(&copy, &named, Sessions::End).await, Dropped::Stays(_)), "a database of the plan");
    uncommented(&small, &copy, -1).await;
    assert!(matches!(drop(&copy, &live, Sessions::End).await, Dropped::Stays(_)), "one without a mark");
    uncommented(&small, &copy, copy.limit()).await;
    assert_eq!(drop(&copy, &live, Sessions::End).await, Dropped::Gone, "one that was just made");

    server.copy(&long, &copy).await.unwrap();
    let staying = server.connect(&copy.name).await.unwrap();
    assert!(matches!(drop(&copy, &live, Sessions::Respect).await, Dropped::Stays(why) if why.contains("proof of app")));
    server.exchange(&long, &copy, &failed, Some(COMMENT)).await.unwrap();
    assert!(staying.simple_query("select 1").await.is_err(), "the exchange ends sessions");
    // Once more, as after a kill: it is done already.
    server.exchange(&long, &copy, &failed, Some(COMMENT)).await.unwrap();
    let found = server.databases().await.unwrap();
    let comment = |name: &str| found.iter().find(|found| found.name == name).unwrap().comment.clone();
    assert_eq!((comment(&long), comment(&failed.name)), (Some(COMMENT.to_owned()), failed.comment()));
}
