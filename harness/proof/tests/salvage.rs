//! Rows that users wrote after a promotion, and what becomes of them when it is rolled back with its data.

use std::fs;

use stagegate_base::mark::{Mark, Role};
use stagegate_data_act::salvage::{Salvage, Scope};

use crate::{small::Small, world::Ended};

/// Tables of many kinds, in the product's database before the promotion.
const TABLES: &str = "
    create type mood as enum ('good', 'bad');
    create table person (id bigint generated always as identity primary key, name text not null unique,
        mood mood, tags text[], about jsonb, photo bytea, height numeric(5, 2), ratio float8, born timestamptz,
        upper_name text generated always as (upper(name)) stored);
    create table friend (a bigint not null references person, b bigint not null references person, primary key (a, b));
    create table visit (at timestamptz not null, what text);
    create table event (id bigint not null, day date not null, what text, primary key (id, day)) partition by range (day);
    create table event_old partition of event for values from (minvalue) to ('2026-01-01');
    create table event_new partition of event for values from ('2026-01-01') to (maxvalue);
    create table \"odd \"\"name\" (\"a\\b'c\" char(4) primary key, \"select\" money);
    insert into person (name) values ('ann'), ('bob');
    insert into visit values ('2026-01-01', 'a'), ('2026-01-01', 'a');
";
/// What users write under the new release.
const WRITTEN: &str = "
    insert into item (name, price) select 'new ' || i, i from generate_series(1, 50) i;
    update item set name = 'renamed' where id <= 3;
    delete from item where id = 100;
    insert into person (name, mood, tags, about, photo, height, ratio, born)
        values ('eve', 'bad', '{a,\"b,c\",NULL}', '{\"k\": \"v\\\\n''\"}', '\\xdeadbeef', 1.70, 'NaN', '2026-02-03 04:05:06.789+09'),
               (E'o''neil\\t\\\\\\n\"', null, null, null, '', 0, '-Infinity', 'infinity');
    insert into friend values (1, 3), (3, 4);
    insert into visit values ('2026-01-01', 'a'), ('2026-03-01', null);
    insert into event values (1, '2025-05-05', 'x'), (2, '2026-05-05', 'y');
    insert into \"odd \"\"name\" values ('ab', 12.30);
    create table only_new (id int primary key);
    insert into only_new values (1);
";

/// Tables with triggers, and columns that are narrower than what a release makes of them.
const NARROW: &str = "
    create domain short as varchar(3);
    create table note (id serial primary key, code varchar(5), amount numeric(6, 2), fixed char(2), bits bit(3), s short);
    create table note_log (what text);
    create function note_logged() returns trigger language plpgsql as
        'begin insert into note_log values (new.code); return new; end';
    create trigger logged after insert on note for each row execute function note_logged();
    create table guarded (id int primary key);
    create function left_out() returns trigger language plpgsql as 'begin return null; end';
    create trigger left_out before insert on guarded for each row execute function left_out();
";
const WIDER: &str = "
    alter table note alter code type varchar(20), alter amount type numeric(8, 4), alter fixed type char(9),
        alter bits type varbit, alter s type text;
    insert into note (code, amount, fixed, bits, s) values ('ok', 1.5, 'ab', '101', 'abc'), ('', 0.1, null, null, null),
        ('abcdefghij', 1, null, null, null), ('x', 1.2345, null, null, null), ('x', 1, 'abc', null, null),
        ('x', 1, null, '1011', null), ('x', 1, null, null, 'abcd');
    alter table guarded disable trigger all;
    insert into guarded values (1);
";

fn ended(ended: &Ended, code: i32, wanted: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.text);
    // Columns are as wide as what they hold.
    let text = ended.text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    for word in wanted {
        assert!(text.contains(word), "`{word}` is missing in:\n{}", ended.text);
    }
}

async fn execute(small: &Small, database: &str, sql: &str) {
    small.server().await.connect(database).await.unwrap().batch_execute(sql).await.unwrap();
}

/// Returns one text of all rows of a query.
async fn texts(small: &Small, database: &str, sql: &str) -> Vec<String> {
    let client = small.server().await.connect(database).await.unwrap();
    let rows = client.query(&format!("select q::text from ({sql}) q order by 1"), &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Returns the newest database that a run put aside for a role, and the run.
async fn aside(small: &Small, role: Role) -> (String, String) {
    let found = small.server().await.databases().await.unwrap();
    let marks = found.iter().filter_map(|found| Mark::parse(found.comment.as_deref()?));
    let mark = marks.filter(|mark| mark.role == role).max_by_key(|mark| mark.run.clone()).unwrap();
    (mark.name, mark.run)
}

#[tokio::test]
async fn rows_written_after_a_promotion_are_found_exported_and_carried_back() {
    let small = Small::new("salvage", "app");
    small.release("v2", "alter table item add column if not exists price int not null default 1;\n", "");
    small.up("production", "v1");
    execute(&small, "app", TABLES).await;
    ended(&small.promote("v2"), 0, &["promoted"]);
    execute(&small, "app", WRITTEN).await;
    ended(&small.gate(&["salvage", "--env", "production"]), 0, &["no database was put aside"]);

    let back = small.gate(&["rollback", "--env", "production", "--with-data", "--yes"]);
    ended(&back, 0, &["rolled back", "gate salvage --env production"]);
    let (left, run) = aside(&small, Role::Left).await;
    // Users went on: one took a number that the rows put aside have, one a name.
    execute(&small, "app", "insert into item (name) values ('after'); insert into person (name) values ('eve')").await;

    let list = small.gate(&["salvage", "--env", "production"]);
    ended(&list, 0, &[&run, &left]);
    let shown = small.gate(&["salvage", &run, "--env", "production"]);
    ended(
        &shown,
        0,
        &[
            "public.item 49 rows only here; 4 changed; 1 only in the live table",
            "not in the live table: price",
            "public.visit 2 rows only here; 0 only in the live table; no key",
            "public.only_new 1 row only here",
            "the live database has no such table",
        ],
    );
    exported(&small, &run).await;

    // The live database has another third person by now: who is whose friend is not guessed.
    // A protected environment is written only if it is named.
    let carried = small.gate(&["salvage", &run, "--env", "production", "--carry", "--yes", "--confirm", "production"]);
    ended(
        &carried,
        3,
        &[
            "public.friend: 0 rows carried; 2 rows not: they refer to a row whose key both databases have",
            "public.item: 49 rows carried",
            "public.event: 2 rows carried",
            "public.visit: 2 rows carried",
            "1 row not: the live database has no such table",
        ],
    );
    let again = small.gate(&["salvage", &run, "--env", "production"]);
    assert!(!again.text.contains("public.event") && !again.text.contains("public.visit"), "{}", again.text);
    // Alone, it would not be known whether the persons changed.
    let args = ["salvage", &run, "--env", "production", "--carry", "--table", "friend", "--yes"];
    ended(&small.gate(&args), 2, &["--accept-links"]);
    let args = ["salvage", &run, "--env", "production", "--carry", "--accept-links", "--table", "friend", "--yes"];
    ended(&small.gate(&args), 0, &["public.friend: 2 rows carried"]);
    for table in ["friend", "event", "visit", "\"odd \"\"name\""] {
        let sql = format!("select * from {table}");
        assert_eq!(texts(&small, "app", &sql).await, texts(&small, &left, &sql).await, "{table}");
    }
    let people = "select * from person where name like 'o%'";
    assert_eq!(texts(&small, "app", people).await, texts(&small, &left, people).await);
    // The next number is none that a carried row has.
    execute(&small, "app", "insert into item (name) values ('next'); insert into person (name) values ('next')").await;
    assert!(fs::read_dir(small.state("production").join("salvage")).unwrap().count() == 2);
}

#[tokio::test]
async fn a_rollback_with_data_carries_what_users_wrote_since_and_reports_what_stays() {
    let small = Small::new("carry", "app");
    let v2 = "alter table item add column if not exists price int not null default 1;\n\
        create table if not exists alembic_version (version_num varchar(32) primary key);\n\
        insert into alembic_version values ('0002') on conflict do nothing;\n";
    small.release("v2", v2, "");
    small.up("production", "v1");
    let history = "create table alembic_version (version_num varchar(32) primary key); insert into alembic_version values ('0001')";
    execute(&small, "app", history).await;
    ended(&small.promote("v2"), 0, &["promoted"]);
    let written = "insert into item (name, price) select 'new ' || i, i from generate_series(1, 50) i";
    execute(&small, "app", written).await;
    ended(&small.gate(&["rollback", "--env", "production", "--carry-writes", "--yes"]), 2, &["--with-data"]);
    let back = ["rollback", "--env", "production", "--with-data", "--carry-writes", "--yes"];
    let carried =
        ["public.item: 150 now, 100 after the rollback", "public.item: 50 rows carried", "alembic_version is left out"];
    ended(&small.gate(&back), 0, &carried);
    // Else the older release, which has no such migration, would not start any more.
    assert_eq!(texts(&small, "app", "select version_num from alembic_version").await, ["(0001)"]);
    assert_eq!(texts(&small, "app", "select count(*) from item where name like 'new %'").await, ["(50)"]);

    execute(&small, "app", NARROW).await;
    ended(&small.promote("v2"), 0, &["promoted"]);
    execute(&small, "app", WIDER).await;
    execute(&small, "app", "create table only_new (id int primary key); insert into only_new values (1)").await;
    execute(&small, "app", "insert into item (name) values ('late')").await;
    let back = small.gate(&back);
    ended(&back, 3, &["rolled back", "public.item: 1 row carried", "1 row not", "no such table"]);
    assert!(
        back.text.contains("public.note: 2 rows carried; 5 rows not: a value is longer or more exact"),
        "{}",
        back.text
    );
    assert!(back.text.contains("public.guarded: 0 rows carried; 1 row not: a trigger or rule"), "{}", back.text);
    assert_eq!(texts(&small, "app", "select id, code, amount from note").await, ["(1,ok,1.50)", "(2,\"\",0.10)"]);
    // The product's trigger ran, and the sequence that nobody had used is behind the carried rows.
    execute(&small, "app", "insert into note (code) values ('next')").await;
    // What it wrote under the new release was carried as well.
    let logged = "select what from note_log where what in ('ok', 'next')";
    assert_eq!(texts(&small, "app", logged).await, ["(next)", "(ok)", "(ok)"]);
    assert_eq!(texts(&small, "app", "select count(*) from item").await, ["(151)"]);
}

/// Exports as CSV and as statements, and reads both back.
async fn exported(small: &Small, run: &str) {
    let (dir, file) = (small.product().join("out"), small.product().join("out.sql"));
    let (dir_text, file_text) = (dir.to_str().unwrap(), file.to_str().unwrap());
    let args = ["salvage", run, "--env", "production", "--csv", dir_text, "--sql", file_text];
    ended(&small.gate(&args), 0, &["files in", "statements in"]);
    ended(&small.gate(&args), 4, &["cannot write"]);
    let items = fs::read_to_string(dir.join("public.item.missing.csv")).unwrap();
    assert!(items.starts_with("id,name,price\n") && items.lines().count() == 50, "{items}");
    assert!(fs::read_to_string(dir.join("public.item.changed.csv")).unwrap().contains("1,renamed,1"));
    // In a copy of the live database every statement can be read, and takes its row or finds its number taken.
    small.execute("create database tried template app").await;
    let client = small.server().await.connect("tried").await.unwrap();
    let sql = fs::read_to_string(&file).unwrap();
    client.batch_execute(&sql).await.unwrap();
    let row = client.query_one("select count(*) from visit", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 4);
    let row = client.query_one("select photo, about->>'k' from person where name = 'eve' limit 1", &[]).await.unwrap();
    drop(row);
    small.execute("drop database tried with (force)").await;
}

/// A sequence of numbers that is the same for the same seed.
struct Dice(u64);

impl Dice {
    /// Returns a number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        // Source: Knuth's MMIX generator; the high bits are the random ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Returns random writes: into a parent and its child, which must refer to one that is there, and into a table without a key.
fn writes(dice: &mut Dice, count: u64) -> String {
    let mut sql = String::new();
    for _ in 0..count {
        let (id, value) = (dice.roll(20), dice.roll(4));
        sql += &match dice.roll(7) {
            0 | 1 => format!("insert into parent values ({id}, 'v{value}') on conflict do nothing;"),
            2 => format!("update parent set v = 'w{value}' where id = {id};"),
            3 => format!(
                "insert into child select {0}, id from parent where id = {id} on conflict do nothing;",
                dice.roll(40)
            ),
            4 => format!(
                "delete from child where id = {id}; delete from parent p where id = {id} and not exists (select from child where parent = p.id);"
            ),
            5 => format!(
                "insert into bag values ({value}, {});",
                if id == 0 { "null".to_owned() } else { "'x'".to_owned() }
            ),
            _ => format!("delete from bag where ctid = (select ctid from bag where n = {value} limit 1);"),
        };
    }
    sql
}

/// Returns for each table the rows of `kept` that `live` does not hold, recounted row by row.
async fn recount(small: &Small, kept: &str, live: &str) -> [u64; 3] {
    let mut counts = [0; 3];
    for (count, sql) in counts.iter_mut().zip(["select id from parent", "select id from child", "select * from bag"]) {
        let (kept, mut live) = (texts(small, kept, sql).await, texts(small, live, sql).await);
        for row in kept {
            match live.iter().position(|other| *other == row) {
                Some(at) => drop(live.swap_remove(at)),
                None => *count += 1,
            }
        }
    }
    counts
}

#[tokio::test]
async fn random_rows_that_were_put_aside_are_live_or_reported() {
    let small = Small::new("salvage-random", "app");
    small.up("production", "v1");
    let server = small.server().await;
    // Rows that were missing, and rows that were refused.
    let mut seen = (0, 0);
    for seed in 1..=25_u64 {
        let mut dice = Dice(seed);
        let (kept, live) = (format!("kept_{seed}"), format!("live_{seed}"));
        small.execute(&format!("create database {live}")).await;
        execute(&small, &live, "create table parent (id int primary key, v text not null); \
            create table child (id int primary key, parent int not null references parent); create table bag (n int, t text)").await;
        execute(&small, &live, &writes(&mut dice, 60)).await;
        small.execute(&format!("create database {kept} template {live}")).await;
        execute(&small, &kept, &writes(&mut dice, 40)).await;
        execute(&small, &live, &writes(&mut dice, 40)).await;
        if dice.roll(3) == 0 {
            execute(&small, &kept, "alter table parent add column more int not null default 1").await;
        }
        let expected = recount(&small, &kept, &live).await;
        let (within, accept) = (std::time::Duration::from_secs(60), dice.roll(2) == 0);
        let scope = Scope { wanted: &[], history_tables: &[], within };
        let salvage = Salvage::compare(&server, (&kept, &live), scope, true, |_| ()).await.unwrap();
        let missing = |name: &str| salvage.found().iter().find(|table| table.table == name).unwrap().missing;
        let found = ["public.parent", "public.child", "public.bag"].map(missing);
        assert_eq!(found, expected, "seed {seed}");
        let carried = salvage.carry(accept).await.unwrap();
        let left = |name: &str| carried.iter().find(|table| table.table == name).map_or(0, |table| table.remaining());
        let left = ["public.parent", "public.child", "public.bag"].map(left);
        assert_eq!(recount(&small, &kept, &live).await, left, "seed {seed}: a row is neither live nor reported");
        // A parent and a row without a key refer to nothing that could be missing.
        assert_eq!((left[0], left[2]), (0, 0), "seed {seed}");
        seen = (seen.0 + expected.iter().sum::<u64>(), seen.1 + left[1]);
        drop(salvage);
        small.execute(&format!("drop database {kept} with (force); drop database {live} with (force)")).await;
    }
    assert!(seen.0 > 100 && seen.1 > 0, "the writes try nothing: {seen:?}");
}
