//! Proofs that a database is copied whole: every kind of thing and value, on real servers of three major versions.

use std::{path::PathBuf, time::Duration};

use rstest::rstest;
use stagegate_base::{config::Integrity, units::Size};
use stagegate_data_act::sync::{Sanitising, Side, SyncError, SyncOptions, sync};
use stagegate_data_decide::{
    differences,
    sanitize::{Key, Rules, encodings},
    sync::SyncReport,
};
use stagegate_host::process::Runner;

use crate::schema::{Scratch, docker};

const ROWS: &str = include_str!("../../../fixtures/sync/rows.sql");

/// A folder of one test run, which goes with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stagegate-proof-sync-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn side(scratch: &Scratch, environment: &str, database: &str) -> Side {
    Side { environment: environment.to_owned(), server: scratch.server.clone(), database: database.to_owned() }
}

fn options<'a>(folder: &'a Folder, run: &str) -> SyncOptions<'a> {
    SyncOptions {
        run: run.to_owned(),
        state: "0123456789abcdef".to_owned(),
        dir: &folder.0,
        workers: 2,
        with_checksums: true,
        within: Duration::from_secs(300),
        lock_timeout: Duration::from_secs(10),
        max_row: Size(64 << 20),
        pace: None,
        subset: None,
        sanitising: None,
        keeping: None,
    }
}

async fn filled(scratch: &Scratch, database: &str) {
    scratch.every_kind(database).await;
    scratch.run(database, ROWS).await;
}

pub(crate) async fn databases(scratch: &Scratch) -> Vec<String> {
    scratch.server.databases().await.unwrap().into_iter().map(|found| found.name).collect()
}

async fn synced(scratch: &Scratch, run: &str) -> Result<SyncReport, SyncError> {
    let folder = Folder::new(&format!("{}-{run}", scratch.name));
    let (from, to) = (side(scratch, "production", "live"), side(scratch, "staging", "copy"));
    sync(&from, &to, &options(&folder, run), &Runner::default()).await
}

#[rstest]
#[case::oldest(15)]
#[case::middle(17)]
#[case::newest(18)]
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_thing_and_value_is_the_same_after_a_sync(#[case] major: u32) {
    let scratch = Scratch::start(major).await;
    filled(&scratch, "live").await;
    scratch.run("postgres", "create database copy").await;
    scratch.run("postgres", "comment on database copy is 'the testers'' own'").await;
    scratch.run("copy", "create table of_before (id integer)").await;
    let report = synced(&scratch, "20260101-000000-0001-sync").await.unwrap();
    assert!(report.checks.iter().all(|check| check.difference().is_none()), "{:?}", report.checks);
    assert!(report.foreign_keys >= 2, "{report:?}");
    let facts = async |database: &str| {
        stagegate_data_act::facts::facts(&scratch.server, database, Integrity::Checksums).await.unwrap()
    };
    let (live, copy) = (facts("live").await, facts("copy").await);
    assert_eq!(differences(&live, &copy), Vec::<String>::new());
    let value = async |database: &str, sql: &str| -> Option<String> {
        let client = scratch.server.connect(database).await.unwrap();
        client.query_one(sql, &[]).await.unwrap().get(0)
    };
    for sql in [
        "select string_agg(format('%s %s %s', s.schemaname, s.sequencename, s.last_value), ',' order by s.schemaname, s.sequencename) from pg_sequences s",
        "select string_agg(format('%s %s', matviewname, ispopulated), ',' order by matviewname) from pg_matviews",
        "select string_agg(t::text, ',' order by t::text) from app.totals t",
        "select encode(lo_get(777001), 'hex')",
        "select string_agg(format('%s %s', conname, convalidated), ',' order by conname) from pg_constraint where contype = 'f'",
    ] {
        assert_eq!(value("live", sql).await, value("copy", sql).await, "{sql}");
    }
    let comment = scratch.server.comment("copy").await.unwrap();
    assert_eq!(comment.as_deref(), Some("the testers' own"));
    let former = databases(&scratch).await.into_iter().find(|name| name.starts_with("copy__presync")).unwrap();
    assert_eq!(value(&former, "select 'of_before'::regclass::text").await.as_deref(), Some("of_before"));
    // The next sync drops what this one replaced, and nothing piles up.
    synced(&scratch, "20260101-000000-0002-sync").await.unwrap();
    let left: Vec<String> = databases(&scratch).await.into_iter().filter(|name| name.starts_with("copy__")).collect();
    assert_eq!(left, ["copy__presync_20260101_000000_0002_sync"]);
}

const CANARIES: &str = include_str!("../../../fixtures/sync/canaries.sql");
const RULES: &str = include_str!("../../../fixtures/sync/canaries.toml");
/// Every value that the canaries' tables hold and that a rule replaces.
const VALUES: &str = "select v from (select unnest(array[email, phone, full_name, split_part(bio, ' ', 1), tags[1], tags[2], \
    profile->>'email', profile->'deep'->0->>'note', settings->>'nick', convert_from(photo, 'utf8'), \
    (tsvector_to_array(words))[1], token::text, note]) as v from people union select who from odd) s";

/// Copies the canaries from one server to another one under the rules, with more of them appended.
async fn sanitised(major: u32, more: &str) -> (Scratch, Scratch, Result<SyncReport, SyncError>) {
    let (from, to) = (Scratch::start(major).await, Scratch::start(major).await);
    from.run("postgres", "create database live").await;
    from.run("live", CANARIES).await;
    to.run("postgres", "create database copy").await;
    let folder = Folder::new(&from.name);
    let rules = Rules::parse(&format!("{more}\n{RULES}"), "main").unwrap();
    let key = Key::new(*b"0123456789abcdef");
    let options =
        SyncOptions { sanitising: Some(Sanitising { key, rules }), ..options(&folder, "20260101-000000-0001-sync") };
    let (source, target) = (side(&from, "production", "live"), side(&to, "staging", "copy"));
    let done = sync(&source, &target, &options, &Runner::default()).await;
    (from, to, done)
}

/// Copies `live` of one server to `copy` of another one, with values replaced by `rules`; the folder is that of the run.
pub(crate) async fn replaced(from: &Scratch, to: &Scratch, rules: Rules) -> (Folder, Result<SyncReport, SyncError>) {
    let folder = Folder::new(&from.name);
    let sanitising = Some(Sanitising { key: Key::new(*b"0123456789abcdef"), rules });
    let options = SyncOptions { sanitising, ..options(&folder, "20260101-000000-0001-sync") };
    let (source, target) = (side(from, "production", "live"), side(to, "staging", "copy"));
    let done = sync(&source, &target, &options, &Runner::default()).await;
    (folder, done)
}

#[rstest]
#[case::oldest(15)]
#[case::newest(18)]
#[tokio::test(flavor = "multi_thread")]
async fn no_value_that_a_rule_replaces_is_anywhere_in_the_copy(#[case] major: u32) {
    let (from, to, report) = sanitised(major, "").await;
    let report = report.unwrap();
    assert!(report.searched.is_some_and(|values| values >= 500), "{report:?}");
    assert!(report.checks.iter().all(|check| check.difference().is_none()));
    let rows = from.server.connect("live").await.unwrap().query(VALUES, &[]).await.unwrap();
    let canaries: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(canaries.len() >= 1_200, "{}", canaries.len());
    let client = to.server.connect("copy").await.unwrap();
    let statistics = "select coalesce(string_agg(s::text, ' '), '') from pg_stats s";
    let statistics: String = client.query_one(statistics, &[]).await.unwrap().get(0);
    let views: String = client.query_one("select string_agg(m::text, ' ') from mails m", &[]).await.unwrap().get(0);
    assert!(statistics.contains("example.test") && views.contains("TEST USER"), "both were made of the copy");
    let dump = docker(&["exec", &to.name, "pg_dump", "--username=postgres", "copy"]);
    let text = format!("{dump} {statistics} {views}");
    let found: Vec<&String> = canaries
        .iter()
        .filter(|value| encodings(value).iter().any(|form| text.contains(&*String::from_utf8_lossy(form))))
        .collect();
    assert_eq!(found, Vec::<&String>::new(), "of {}", canaries.len());
    // The files of the server too, write-ahead log included. All canaries but the UUIDs have the word.
    client.batch_execute("checkpoint").await.unwrap();
    let grep = "grep --recursive --text --ignore-case --count 'canary[a-z. ]*[0-9]' /var/lib/postgresql 2>/dev/null | grep -v ':0$' || true";
    assert_eq!(docker(&["exec", &to.name, "sh", "-c", grep]), "");
    let joined = "select count(*)::int from logins l join people p on p.email = l.email and p.id = l.person";
    assert_eq!(client.query_one(joined, &[]).await.unwrap().get::<_, i32>(0), 100, "keys still meet");
    let kept = "select count(*)::int from people where profile->>'n' = id::text and email ~ '^user-[0-9a-f]{16}@example.test$'";
    assert_eq!(client.query_one(kept, &[]).await.unwrap().get::<_, i32>(0), 100);
}

/// Makes an extension with a table of its own, of whose rows dumps have only those that users added, as PostGIS has one.
fn make_extension(scratch: &Scratch) {
    let write = "cd \"$(pg_config --sharedir 2>/dev/null || ls -d /usr/share/postgresql/*)/extension\" && \
        printf \"default_version = '1.0'\\nrelocatable = true\\n\" > places.control && printf '%s' \
        \"create table place_system (id int primary key, text text, own bool default true); \
          insert into place_system select i, 'of the extension', false from generate_series(1, 500) i; \
          select pg_catalog.pg_extension_config_dump('place_system', 'where own');\" > places--1.0.sql";
    docker(&["exec", "--user", "root", &scratch.name, "sh", "-c", write]);
}

/// What other products have: rows of extensions, logins to other servers, documents that are one value, keys of texts, words.
const OF_OTHERS: &str = "
    create extension places;
    insert into place_system (id, text) values (9001, 'added by users');
    create extension postgres_fdw;
    create server replica foreign data wrapper postgres_fdw options (host 'replica.internal');
    create user mapping for public server replica options (user 'crm', password 'canary-of-the-replica-1');
    create user mapping for app_reader server replica options (user 'crm', password 'canary-of-the-replica-2');
    create table setting (id int primary key, value jsonb);
    insert into setting values (1, '\"canary.one@corp.example\"'), (2, '[\"canary.two@corp.example\"]');
    create table account (uname varchar(80) primary key, phone text unique, note text);
    create table act (id int primary key, who text references account, phone text references account (phone));
    insert into account values ('canary person 1', '+49 30 1234567', 'database'), ('Test User', '+49 30 7654321', 'consectetur'),
        ('customers', '+49 30 7654322', 'PostgreSQL');
    insert into act select row_number() over (), uname, phone from account;
    create table customers (id int primary key);
";
const RULES_OF_OTHERS: &str = "[databases.main.\"public.setting\"]\nvalue = { rule = \"json-path\", paths = { \"$..*\" = \"text\" } }\n\
    [databases.main.\"public.account\"]\nuname = \"name\"\nphone = \"phone\"\nnote = \"text\"\n\
    [databases.main.\"public.place_system\"]\ntext = { rule = \"keep\", reason = \"names of systems\" }\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_other_products_have_is_sanitised_whole_and_stays_whole() {
    let (from, to) = (Scratch::start(17).await, Scratch::start(17).await);
    make_extension(&from);
    make_extension(&to);
    from.run("postgres", "create database live").await;
    from.run("live", OF_OTHERS).await;
    to.run("postgres", "create database copy").await;
    replaced(&from, &to, Rules::parse(RULES_OF_OTHERS, "main").unwrap()).await.1.unwrap();
    let client = to.server.connect("copy").await.unwrap();
    let count = async |sql: &str| client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(count("select count(*) from place_system where not own").await, 500);
    assert_eq!(count("select count(*) from place_system where id = 9001").await, 1);
    assert_eq!(count("select count(*) from act join account on who = uname and act.phone = account.phone").await, 3);
    let dump = docker(&["exec", &to.name, "pg_dump", "--username=postgres", "copy"]);
    assert!(dump.contains("SERVER replica") && !dump.to_lowercase().contains("canary"), "{dump}");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_a_collation_that_calls_others_equal_are_compared_between_servers_of_other_versions() {
    let (from, to) = (Scratch::start(15).await, Scratch::start(17).await);
    from.run("postgres", "create database live").await;
    let sql = "create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
        create table t (id int primary key, v text collate ci, a text[] collate ci); \
        insert into t select i, 'Word ' || i, array['X' || i] from generate_series(1, 100) i";
    from.run("live", sql).await;
    to.run("postgres", "create database copy").await;
    let folder = Folder::new(&from.name);
    let (source, target) = (side(&from, "production", "live"), side(&to, "staging", "copy"));
    let options = options(&folder, "20260101-000000-0001-sync");
    let report = sync(&source, &target, &options, &Runner::default()).await.unwrap();
    assert!(report.checks.iter().all(|check| check.difference().is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_a_type_that_nobody_thought_of_needs_a_rule() {
    let (from, to) = (Scratch::start(17).await, Scratch::start(17).await);
    from.run("postgres", "create database live").await;
    let types = "create extension ltree; create table odd_types (id int primary key, a name, b ltree, c tsquery, d jsonpath, \
        e macaddr8, f varbit, g point, h \"char\", i numeric, j interval[], k uuid, l regclass, m oid)";
    from.run("live", types).await;
    to.run("postgres", "create database copy").await;
    let error = replaced(&from, &to, Rules::of_no_file()).await.1.unwrap_err().to_string();
    for column in 'a'..='m' {
        let is_named = error.contains(&format!("public.odd_types.{column} ("));
        assert_eq!(is_named, column <= 'h', "{column}: {error}");
    }
}

#[rstest]
#[case::an_index("create index on people (id) where email = 'canary.mail7@corp.example'", "the schema")]
#[case::a_comment("comment on table people is 'ask CANARY PERSON7'", "the schema")]
#[case::a_default("alter table people alter note set default 'canarynote7'", "the schema")]
#[case::a_label("alter type state add value 'canary.mail7@corp.example'", "the schema")]
#[case::another_column(
    "update people set kept = encode(convert_to('x' || email, 'utf8'), 'base64') where id = 7",
    "table public.people"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_got_elsewhere_stops_the_sync_and_the_target_is_as_before(#[case] sql: &str, #[case] place: &str) {
    let (from, to) = (Scratch::start(17).await, Scratch::start(17).await);
    from.run("postgres", "create database live").await;
    from.run("live", &format!("{CANARIES}; alter table people add kept text")).await;
    from.run("live", sql).await;
    to.run("postgres", "create database copy").await;
    to.run("copy", "create table of_before (id integer)").await;
    let keep = "kept = { rule = \"keep\", reason = \"texts of ours\" }\nbio";
    let rules = Rules::parse(&RULES.replacen("bio", keep, 1), "main").unwrap();
    let error = replaced(&from, &to, rules).await.1.unwrap_err();
    let SyncError::Leak { found } = &error else { panic!("{error}") };
    assert!(found.iter().any(|found| found.place == place), "{error}");
    assert!(!error.to_string().to_lowercase().contains("canary"), "a value in the message: {error}");
    assert_eq!(databases(&to).await, ["copy", "postgres"]);
    to.run("copy", "select * from of_before").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_without_a_rule_stops_the_sync_before_a_byte_is_copied() {
    let (from, to) = (Scratch::start(17).await, Scratch::start(17).await);
    from.run("postgres", "create database live").await;
    from.run("live", CANARIES).await;
    to.run("postgres", "create database copy").await;
    let (folder, done) = replaced(&from, &to, Rules::of_no_file()).await;
    let error = done.unwrap_err().to_string();
    for column in ["bio", "tags", "profile", "settings", "photo", "words", "note"] {
        assert!(error.contains(&format!("public.people.{column} (")), "{column}: {error}");
    }
    assert!(!error.contains("email"), "the profile knows it: {error}");
    assert_eq!(databases(&to).await, ["copy", "postgres"]);
    let made = "select coalesce(max(oid::int8), 0) from pg_database";
    let client = to.server.connect("postgres").await.unwrap();
    let rows: i64 = client.query_one(made, &[]).await.unwrap().get(0);
    assert!(rows > 0 && !folder.0.join("schema.dump").exists());
}
