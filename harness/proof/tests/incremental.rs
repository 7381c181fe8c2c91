//! Proofs that a sync that copies only changes leaves what a whole copy would, and copies everything where that is in doubt.

use std::{path::PathBuf, time::Duration};

use rstest::rstest;
use stagegate_base::{config::Integrity, units::Size};
use stagegate_data_act::{
    facts::facts,
    sync::{Keeping, Sanitising, Side, SyncOptions, sync},
};
use stagegate_data_decide::{
    differences,
    sanitize::{Key, Rules},
    sync::SyncReport,
};
use stagegate_host::process::Runner;

use crate::schema::Scratch;

const ROWS: &str = include_str!("../../../fixtures/sync/rows.sql");
const CANARIES: &str = include_str!("../../../fixtures/sync/canaries.sql");
const RULES: &str = include_str!("../../../fixtures/sync/canaries.toml");
/// Tables with a key of two columns, with one that a rule replaces, with none, and one whose rows are far apart.
const TABLES: &str = "create table pairs (a integer, b text, v numeric, w double precision, primary key (a, b)); \
    create table loose (v text, n integer); \
    create table ranked (id integer primary key, place integer); \
    insert into ranked select n, n from generate_series(1, 500) n; \
    create table many (id bigint primary key, owner bigint references many on update cascade, body text, doc jsonb); \
    insert into pairs select n % 7, 'b' || n, n * 1.5, 0 from generate_series(1, 500) n; \
    insert into loose select md5(n::text), n from generate_series(1, 500) n; \
    insert into many select n, nullif(n / 2, 0), repeat(md5(n::text), 3), jsonb_build_object('n', n) \
        from generate_series(1, 30000) n";
/// Changes of every kind, also those that PostgreSQL calls none: another scale, minus zero.
const CHANGES: &str = "update pairs set v = 1.50 where v = 1.5; update pairs set w = '-0' where a = 3; \
    delete from pairs where a = 5; insert into pairs values (5, 'new', 1, 1); \
    delete from loose where n = 1; \
    update many set body = 'changed ' || id where id % 100 = 7; update many set id = id + 100000 where id % 1000 = 13; \
    update many set doc = '{\"n\": 1.00}' where id = 1; \
    delete from many where id > 29000 and id not in (select owner from many where owner is not null) and id % 2 = 0; \
    insert into many select n, 1, 'new', '{}' from generate_series(200000, 200100) n";

struct Both {
    scratch: Scratch,
    folder: PathBuf,
    rules: Option<String>,
}

impl Drop for Both {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Both {
    async fn new(major: u32, rules: Option<&str>) -> Self {
        let scratch = Scratch::start(major).await;
        let folder = std::env::temp_dir().join(format!("stagegate-proof-incremental-{}", scratch.name));
        std::fs::create_dir_all(&folder).unwrap();
        Both { scratch, folder, rules: rules.map(str::to_owned) }
    }

    fn options(&self, number: u32) -> SyncOptions<'_> {
        let key = || Key::new(*b"0123456789abcdef");
        let rules = |text: &String| Rules::parse(text, "main").unwrap();
        SyncOptions {
            run: format!("20260101-000000-{number:04}-sync"),
            state: "0123456789abcdef".to_owned(),
            dir: &self.folder,
            workers: 2,
            with_checksums: true,
            within: Duration::from_secs(300),
            lock_timeout: Duration::from_secs(10),
            max_row: Size(64 << 20),
            pace: None,
            subset: None,
            sanitising: self.rules.as_ref().map(|text| Sanitising { key: key(), rules: rules(text) }),
            keeping: Some(Keeping { folder: self.folder.join("kept"), key: key() }),
        }
    }

    async fn sync(&self, number: u32) -> SyncReport {
        let side = |environment: &str, database: &str| Side {
            environment: environment.to_owned(),
            server: self.scratch.server.clone(),
            database: database.to_owned(),
        };
        let (from, to) = (side("production", "live"), side("staging", "copy"));
        sync(&from, &to, &self.options(number), &Runner::default()).await.unwrap()
    }

    async fn assert_alike(&self, one: &str, other: &str) {
        let read = async |database: &str| facts(&self.scratch.server, database, Integrity::Checksums).await.unwrap();
        assert_eq!(differences(&read(one).await, &read(other).await), Vec::<String>::new(), "{one}, {other}");
        // Contents as text: what PostgreSQL calls equal may look different.
        let text = "select md5(string_agg(t::text, ',' order by t::text collate \"C\")) from (select p::text from pairs p \
            union all select l::text from loose l union all select m::text from many m) t";
        let value = async |database: &str| -> Option<String> {
            self.scratch.server.connect(database).await.unwrap().query_one(text, &[]).await.unwrap().get(0)
        };
        assert_eq!(value(one).await, value(other).await, "{one}, {other}");
    }

    /// What the target's users do to their database between two syncs.
    async fn spoil(&self) {
        self.scratch
            .run("copy", "update many set body = 'ours'; delete from pairs; insert into loose values ('ours', 0)")
            .await;
    }
}

/// Ten pairs of neighbours exchange their places.
const SWAPPED: &str = "update ranked set place = place + case id % 2 when 1 then 1 else -1 end where id <= 20";

#[rstest]
#[case::oldest(15)]
#[case::newest(18)]
#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_copied_and_the_target_is_what_a_whole_copy_would_be(#[case] major: u32) {
    let both = Both::new(major, None).await;
    both.scratch.every_kind("live").await;
    both.scratch.run("live", ROWS).await;
    both.scratch.run("live", "select lo_unlink(oid) from pg_largeobject_metadata").await;
    both.scratch.run("live", "alter subscription incoming set (slot_name = none); drop subscription incoming").await;
    both.scratch.run("live", TABLES).await;
    both.scratch.run("postgres", "create database copy").await;
    let first = both.sync(1).await;
    assert!(first.full_because.as_deref().is_some_and(|why| why.starts_with("no copy")), "{first:?}");
    both.assert_alike("live", "copy").await;
    both.spoil().await;
    let same = both.sync(2).await;
    let found = same.incremental.clone().unwrap_or_else(|| panic!("{same:?}"));
    assert_eq!((found.deleted, found.changed, found.inserted, found.tables), (0, 0, 0, 0), "{same:?}");
    both.assert_alike("live", "copy").await;
    both.spoil().await;
    both.scratch.run("live", CHANGES).await;
    both.scratch.run("live", "vacuum many").await;
    let report = both.sync(3).await;
    let found = report.incremental.clone().unwrap_or_else(|| panic!("{report:?}"));
    assert!(found.changed > 300 && found.inserted > 130 && found.deleted > 500, "{report:?}");
    both.assert_alike("live", "copy").await;
    let valid = "select count(*)::int from pg_constraint where contype = 'f' and not convalidated";
    let client = both.scratch.server.connect("copy").await.unwrap();
    assert_eq!(client.query_one(valid, &[]).await.unwrap().get::<_, i32>(0), 0);
    let orphans = "select count(*)::int from many m where owner is not null and not exists (select from many p where p.id = m.owner)";
    assert_eq!(client.query_one(orphans, &[]).await.unwrap().get::<_, i32>(0), 0);
    // Rows that exchange a value: the sums of each column stay.
    both.scratch.run("live", SWAPPED).await;
    let report = both.sync(4).await;
    assert_eq!(report.incremental.as_ref().map(|found| found.changed), Some(20), "{report:?}");
    both.assert_alike("live", "copy").await;
    both.scratch.run("live", "alter table loose add extra integer default 7").await;
    let other = both.sync(5).await;
    assert_eq!(other.full_because.as_deref(), Some("the schema of the source changed"));
    both.assert_alike("live", "copy").await;
    let left: Vec<String> =
        both.scratch.server.databases().await.unwrap().into_iter().map(|found| found.name).collect();
    assert_eq!(
        left,
        [
            "copy",
            "copy__presync_20260101_000000_0005_sync",
            "copy__synced_20260101_000000_0005_sync",
            "live",
            "postgres"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_values_are_those_of_a_whole_copy_and_what_is_kept_holds_none_of_the_source() {
    let both = Both::new(17, Some(&format!("unknown = \"keep\"\n{RULES}"))).await;
    both.scratch.run("postgres", "create database live").await;
    both.scratch.run("postgres", "create database copy").await;
    both.scratch.run("live", &format!("{CANARIES}; {TABLES}")).await;
    both.sync(1).await;
    let change = "update people set email = 'canary.mail' || (id + 1000) || '@corp.example', note = 'canarynote' where id % 10 = 3 \
        and not exists (select from logins l where l.email = people.email); delete from logins where person % 10 = 4; \
        update logins set at = now() where person % 10 = 5; update odd set who = 'canaryodd99' where who = E'canary\\todd7'";
    both.scratch.run("live", change).await;
    both.scratch.run("live", "delete from people p where id % 10 = 4; insert into people (email, full_name) values ('canary.mail777@corp.example', 'Canary Person777')").await;
    let report = both.sync(2).await;
    assert!(report.incremental.as_ref().is_some_and(|found| found.tables >= 3), "{report:?}");
    both.scratch.run("postgres", "create database incremental template copy").await;
    for entry in std::fs::read_dir(both.folder.join("kept")).unwrap() {
        let path = entry.unwrap().path();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).to_lowercase();
        assert!(!text.contains("canary"), "{} holds a value of the source", path.display());
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    std::fs::remove_dir_all(both.folder.join("kept")).unwrap();
    let whole = both.sync(3).await;
    assert!(
        whole.full_because.as_deref().is_some_and(|why| why.starts_with("the hashes of the last sync cannot be read"))
    );
    both.assert_alike("copy", "incremental").await;
    let people = "select md5(string_agg(p::text, ',' order by id)) from people p";
    let value = async |database: &str| -> String {
        both.scratch.server.connect(database).await.unwrap().query_one(people, &[]).await.unwrap().get(0)
    };
    assert_eq!(value("copy").await, value("incremental").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_copy_that_is_not_what_its_hashes_describe_is_found_and_everything_is_copied() {
    let both = Both::new(17, None).await;
    both.scratch.run("postgres", "create database live").await;
    both.scratch.run("postgres", "create database copy").await;
    both.scratch.run("live", TABLES).await;
    both.sync(1).await;
    let kept = |run: u32| format!("copy__synced_20260101_000000_{run:04}_sync");
    both.scratch.run(&kept(1), "delete from many where id = 29999").await;
    both.scratch.run("live", "delete from many where id in (29999, 29997)").await;
    let missing = both.sync(2).await.full_because.unwrap();
    assert!(missing.contains("expected 2 rows to delete in public.many, found 1"), "{missing}");
    both.assert_alike("live", "copy").await;
    // A row that nobody changes in the source is only found when the whole copy is compared.
    both.scratch.run(&kept(2), "update loose set v = 'other' where n = 9").await;
    let path = both.folder.join("kept/20260101-000000-0002-sync.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"since_compared\":0", "\"since_compared\":9")).unwrap();
    let different = both.sync(3).await.full_because.unwrap();
    assert!(different.starts_with("the kept copy differs from the source: public.loose"), "{different}");
    both.assert_alike("live", "copy").await;
    let rows = both.folder.join("kept/20260101-000000-0003-sync.rows");
    std::fs::write(&rows, b"").unwrap();
    let damaged = both.sync(4).await.full_because.unwrap();
    assert!(damaged.starts_with("the hashes of the last sync are damaged"), "{damaged}");
    both.scratch.run("live", "create function f() returns trigger language plpgsql as 'begin return new; end'; \
        create trigger t before insert on many for each row execute function f(); alter table many enable always trigger t").await;
    both.sync(5).await;
    both.scratch.run("live", "delete from many where id = 29995").await;
    let code = both.sync(6).await.full_because.unwrap();
    assert_eq!(code, "trigger t of public.many would run while the kept copy is changed");
    both.assert_alike("live", "copy").await;
    let subscription =
        "create subscription far connection 'host=far' publication p with (connect = false, slot_name = none)";
    both.scratch.run("live", subscription).await;
    assert_eq!(both.sync(7).await.full_because.as_deref(), Some("subscription far is only copied in full"));
}
