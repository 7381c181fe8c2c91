//! Proofs that one schema is read as one: made twice, rewritten, dumped and restored, with notes of the server's own in it.
//!
//! What `pg_dump --schema-only` of the very server writes is the measure.

use std::collections::BTreeMap;

use rstest::rstest;
use stagegate_base::config::Integrity;
use stagegate_data_decide::differences;
use stagegate_migration_decide::schema::{Facts, Kind, diff, dumped, parse, write};

use crate::schema::{Scratch, docker, told};

/// Statements that rewrite tables and end in the schema that was there before, one a line.
const REWRITES: &str = include_str!("../../../fixtures/schema/rewrites.sql");

/// Makes a database with every kind of thing and every kind of option.
async fn zoo(scratch: &Scratch, database: &str) -> Facts {
    scratch.every_kind(database).await;
    // pg_dump takes a language with a handler of pg_catalog for an extension, and its dump can't be restored.
    scratch.run(database, "drop language plother").await;
    let facts = stagegate_migration_act::catalog::schema_of(&scratch.server, database).await.unwrap();
    assert_eq!(*facts.unmodelled(), BTreeMap::new());
    facts
}

/// Writes what `pg_dump --schema-only` gives of a database, without what is random in it.
fn pg_dump(scratch: &Scratch, database: &str) -> String {
    let all = docker(&["exec", &scratch.name, "pg_dump", "--username=postgres", "--schema-only", database]);
    let is_random = |line: &&str| line.starts_with("\\restrict") || line.starts_with("\\unrestrict");
    all.lines().filter(|line| !is_random(line)).collect::<Vec<_>>().join("\n")
}

/// Restores the dump of a schema into a fresh database, and fills the materialized views as the restore of rows does.
async fn restored(scratch: &Scratch, database: &str) -> Facts {
    let into = format!("{database}_restored");
    scratch.run("postgres", &format!("create database {into}")).await;
    let script = format!(
        "set -e; pg_dump --username=postgres --schema-only {database} > /tmp/{database}.sql; \
         psql --username=postgres --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --dbname={into} --file=/tmp/{database}.sql"
    );
    docker(&["exec", &scratch.name, "bash", "-c", &script]);
    scratch.run(&into, "refresh materialized view app.totals; refresh materialized view app.stored_totals").await;
    stagegate_migration_act::catalog::schema_of(&scratch.server, &into).await.unwrap()
}

#[rstest]
#[case::oldest(15)]
#[case::middle(17)]
#[case::newest(18)]
#[tokio::test]
async fn a_schema_that_was_rewritten_or_restored_is_the_same(#[case] major: u32) {
    let scratch = Scratch::start(major).await;
    let (once, rewritten) = (zoo(&scratch, "once").await, zoo(&scratch, "rewritten").await);
    assert_eq!(told(&diff(&once, &rewritten)), Vec::<String>::new(), "made twice");
    for statement in REWRITES.lines().filter(|line| !line.starts_with("--") && !line.is_empty()) {
        scratch.run("rewritten", statement).await;
    }
    let rewritten = stagegate_migration_act::catalog::schema_of(&scratch.server, "rewritten").await.unwrap();
    assert_eq!(told(&diff(&once, &rewritten)), Vec::<String>::new(), "rewritten");
    assert_eq!(write(&once), write(&rewritten), "rewritten, as a snapshot");
    let restored = restored(&scratch, "rewritten").await;
    assert_eq!(told(&diff(&dumped(&once), &dumped(&restored))), Vec::<String>::new(), "dumped and restored");
    assert_eq!(*restored.unmodelled(), BTreeMap::new());
    let read_back = parse(&write(&restored)).unwrap();
    assert_eq!(told(&diff(&restored, &read_back)), Vec::<String>::new(), "read back");
    let facts = async |database: &str| {
        stagegate_data_act::facts::facts(&scratch.server, database, Integrity::Checksums).await.unwrap()
    };
    let (live, copy) = (facts("rewritten").await, facts("rewritten_restored").await);
    assert_eq!(differences(&live, &copy), Vec::<String>::new(), "what a backup is proven by");
    scratch.run("rewritten_restored", "alter table app.worded drop constraint worded_status_check").await;
    let damaged = differences(&live, &facts("rewritten_restored").await);
    assert_eq!(damaged, ["constraint app.worded.worded_status_check is missing"]);
}

/// What a later release of the server might keep in the catalogs: an option that this program does not know, on each
/// kind of thing.
const UNKNOWN: &str = "set allow_system_table_mods = on; \
    update pg_attribute set attoptions = array_append(attoptions, 'pg_future=' || 1000 * random()) \
    where attnum > 0 and attrelid in ('app.stored'::regclass, 'app.rich'::regclass, 'app.totals'::regclass); \
    update pg_class set reloptions = array_append(reloptions, 'pg_future=' || 1000 * random()) where oid in ( \
        'app.stored'::regclass, 'app.orders'::regclass, 'app.guarded'::regclass, 'app.rich'::regclass, 'app.totals'::regclass, \
        'app.stored_pkey'::regclass, 'app.stored_words_idx'::regclass, 'app.orders_note_key'::regclass, \
        (select reltoastrelid from pg_class where oid = 'app.stored'::regclass))";

#[rstest]
#[case::oldest(15)]
#[case::middle(17)]
#[case::newest(18)]
#[tokio::test]
async fn an_option_that_a_later_server_keeps_for_itself_is_counted_and_no_difference(#[case] major: u32) {
    let scratch = Scratch::start(major).await;
    let before = zoo(&scratch, "once").await;
    scratch.run("once", UNKNOWN).await;
    let after = stagegate_migration_act::catalog::schema_of(&scratch.server, "once").await.unwrap();
    assert_eq!(told(&diff(&before, &after)), Vec::<String>::new());
    let counted: Vec<String> = after.unmodelled().iter().map(|(what, count)| format!("{what}: {count}")).collect();
    let want = [
        "option pg_future of column: 11",
        "option pg_future of constraint: 1",
        "option pg_future of index: 2",
        "option pg_future of materialized view: 1",
        "option pg_future of table: 2",
        "option pg_future of view: 2",
        "option toast.pg_future of table: 1",
    ];
    assert_eq!(counted, want);
    assert_eq!(after.unmodelled_objects().count(), 0, "an option is no object");
    let read_back = parse(&write(&after)).unwrap();
    assert_eq!(told(&diff(&before, &read_back)), Vec::<String>::new());
    assert_eq!(read_back.unmodelled(), after.unmodelled());
}

/// Sets every storage parameter that a table of this server takes, to the first value that it takes.
const EVERY_PARAMETER: &str = "create table public.every (id integer, body text); \
    create view public.parameters as select * from unnest(array['fillfactor', 'parallel_workers', 'toast_tuple_target', \
        'user_catalog_table', 'autovacuum_enabled', 'autovacuum_vacuum_threshold', 'autovacuum_vacuum_max_threshold', \
        'autovacuum_vacuum_insert_threshold', 'autovacuum_analyze_threshold', 'autovacuum_vacuum_scale_factor', \
        'autovacuum_vacuum_insert_scale_factor', 'autovacuum_analyze_scale_factor', 'autovacuum_vacuum_cost_delay', \
        'autovacuum_vacuum_cost_limit', 'autovacuum_freeze_min_age', 'autovacuum_freeze_max_age', \
        'autovacuum_freeze_table_age', 'autovacuum_multixact_freeze_min_age', 'autovacuum_multixact_freeze_max_age', \
        'autovacuum_multixact_freeze_table_age', 'log_autovacuum_min_duration', 'vacuum_index_cleanup', \
        'vacuum_truncate', 'vacuum_max_eager_freeze_failure_rate']) as name; \
    do $$ declare name text; value text; begin \
        for name in select p || n.name from parameters n, unnest(array['', 'toast.']) p loop \
            foreach value in array array['1', '100', '1000', '100000000'] loop \
                begin execute format('alter table public.every set (%s = %s)', name, value); exit; \
                exception when others then null; end; \
            end loop; \
        end loop; end $$";

#[rstest]
#[case::oldest(15)]
#[case::middle(17)]
#[case::newest(18)]
#[tokio::test]
async fn every_parameter_that_pg_dump_writes_of_a_table_is_a_fact(#[case] major: u32) {
    let scratch = Scratch::start(major).await;
    scratch.run("postgres", "create database one").await;
    scratch.run("one", EVERY_PARAMETER).await;
    let facts = stagegate_migration_act::catalog::schema_of(&scratch.server, "one").await.unwrap();
    assert_eq!(*facts.unmodelled(), BTreeMap::new());
    let dump = pg_dump(&scratch, "one");
    let with = dump.lines().find_map(|line| line.strip_prefix("WITH (")).unwrap().trim_end_matches(");");
    let mut written: Vec<String> = with.split(", ").map(|option| option.replace('\'', "")).collect();
    let table = facts.iter().find(|fact| fact.id.kind == Kind::Table).unwrap();
    let of = |attribute: &str, prefix: &str| -> Vec<String> {
        table.payload[attribute].split(", ").map(|option| format!("{prefix}{option}")).collect()
    };
    let mut found = [of("options", ""), of("toast options", "toast.")].concat();
    written.sort();
    found.sort();
    assert_eq!(found, written);
    assert!(found.len() >= 38, "{}: {found:?}", found.len());
}
