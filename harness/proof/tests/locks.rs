//! Proofs that what a migration locks, rewrites and holds up is seen, whatever runs it: on real servers.

use std::time::Duration;

use rstest::rstest;
use stagegate_migration_act::{
    catalog::schema,
    recorder::{Probe, Sampler, Taken, install, mark, uninstall},
    scratch::{Database, Scratch},
};
use stagegate_migration_decide::{
    locks::{Harm, HarmKind, Observed, Samples, Sizes, Thresholds, findings, statements, without_recorder},
    schema::diff,
};
use tokio_postgres::Client;

use crate::integrity::start;

const TABLES: &str = "create table t (id int primary key, n int, s text); insert into t select i, i, 'x' from generate_series(1, 2000) i; \
    create table other (id int primary key, t int); create index other_t on other (t);";

/// Statements, each in the transaction that it is given in, and what is reported of tables that were there before.
const CHANGES: &[(&str, &str)] = &[
    ("alter table t add column a int", "t ACCESS EXCLUSIVE"),
    (
        "alter table t add column b timestamptz default clock_timestamp()",
        "t ACCESS EXCLUSIVE; t SHARE, rewrites t, touches rows",
    ),
    ("alter table t alter column n type bigint", "t ACCESS EXCLUSIVE; t SHARE, rewrites t, touches rows"),
    ("create index t_n on t (n)", "t SHARE, touches rows"),
    // It has let go of its locks when the event fires: the sampler sees it.
    ("create index concurrently t_s on t (s)", ", touches rows"),
    ("drop index concurrently t_s", "t SHARE UPDATE EXCLUSIVE"),
    (
        "alter table other add foreign key (t) references t not valid",
        "other SHARE ROW EXCLUSIVE; t SHARE ROW EXCLUSIVE",
    ),
    (
        "create trigger r before insert on t for each row execute function suppress_redundant_updates_trigger()",
        "t SHARE ROW EXCLUSIVE",
    ),
    ("alter table t add check (n > 0)", "t ACCESS EXCLUSIVE, touches rows"),
    ("alter table t add check (n > -1) not valid", "t ACCESS EXCLUSIVE"),
    ("create table new (id int); alter table new add column x int; create index on new (x)", ""),
    (
        "begin; alter table t add column c int; create index t_c on t (c); commit",
        "t ACCESS EXCLUSIVE | t SHARE, touches rows",
    ),
    ("begin; alter table t add column gone int; rollback", "t ACCESS EXCLUSIVE"),
    ("drop table other", "other ACCESS EXCLUSIVE; t ACCESS EXCLUSIVE"),
    ("create view v as select 1; comment on view v is 'x'; grant select on v to public", ""),
];

async fn session(scratch: &Scratch, database: &Database, name: &str) -> Client {
    let client = scratch.session(database).await.unwrap();
    client.batch_execute(&format!("set application_name = '{name}'")).await.unwrap();
    client
}

fn told(observed: &[Observed]) -> String {
    let short = |table: &str| table.trim_start_matches("public.").to_owned();
    let one = |statement: &Observed| {
        let locks = statement.locks.iter().map(|(table, mode)| format!("{} {}", short(table), mode.words()));
        let strongest: Vec<String> =
            locks.filter(|lock| !lock.ends_with(" ROW EXCLUSIVE") || lock.contains("SHARE")).collect();
        let rewrites: String =
            statement.rewrites.iter().map(|(table, _)| format!(", rewrites {}", short(table))).collect();
        let rows = if statement.has_touched_rows { ", touches rows" } else { "" };
        strongest.join("; ") + &rewrites + rows
    };
    observed.iter().map(one).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" | ")
}

#[rstest]
#[case::oldest(15)]
#[case::middle(17)]
#[case::newest(18)]
#[tokio::test(flavor = "multi_thread")]
async fn each_statement_is_reported_with_its_locks_and_rewrites(#[case] major: u32) {
    let scratch = start(major).await;
    let database = scratch.create(None).await.unwrap();
    let client = session(&scratch, &database, "migration").await;
    client.batch_execute(TABLES).await.unwrap();
    let before = schema(&client).await.unwrap();
    install(&client).await.unwrap();
    let with = schema(&client).await.unwrap();
    assert_ne!(diff(&before, &with).len(), 0);
    assert_eq!(diff(&before, &without_recorder(&with)), []);
    let watcher = session(&scratch, &database, "watcher").await;
    let (mut taken, mut missed) = (Taken::default(), Vec::new());
    for (change, expected) in CHANGES {
        mark(&client).await.unwrap();
        taken.take(&watcher).await.unwrap();
        for statement in change.split("; ") {
            client
                .batch_execute(statement)
                .await
                .unwrap_or_else(|e| panic!("{statement}: {}", stagegate_host::database::error_text(&e)));
        }
        let observed = statements(&taken.take(&watcher).await.unwrap());
        if told(&observed) != *expected {
            missed.push(format!("{change}\n    expected `{expected}`, told `{}`", told(&observed)));
        }
    }
    uninstall(&client).await.unwrap();
    scratch.end().await;
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

fn troubles(found: &[Harm]) -> Vec<(HarmKind, &str)> {
    found.iter().map(|hurt| (hurt.trouble, hurt.table.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_up_is_reported_with_the_statement_that_did_it() {
    let scratch = start(17).await;
    let database = scratch.create(None).await.unwrap();
    let client = session(&scratch, &database, "migration").await;
    client.batch_execute(TABLES).await.unwrap();
    install(&client).await.unwrap();
    mark(&client).await.unwrap();
    let watcher = session(&scratch, &database, "watcher").await;
    let sampler = Sampler::start(session(&scratch, &database, "stagegate/sampler").await);
    let mut probes = Vec::new();
    for _ in 0..2 {
        probes.push(session(&scratch, &database, "stagegate/probe").await);
    }
    let tables = ["public.t".to_owned(), "public.other".to_owned()];
    let probe = Probe::start(probes, &tables);
    let mut taken = Taken::default();
    let quiet =
        "set lock_timeout = '2s'; begin; create table new (id int references other); select pg_sleep(0.2); commit";
    client.batch_execute(quiet).await.unwrap();
    let harmless = statements(&taken.take(&watcher).await.unwrap());
    let loud = "reset lock_timeout; begin; alter table t add column x int; select pg_sleep(0.8); commit; drop table other cascade";
    for statement in loud.split("; ") {
        client.batch_execute(statement).await.unwrap();
    }
    // The next requests meet what was left.
    tokio::time::timeout(Duration::from_secs(10), client.batch_execute("select pg_sleep(0.2)")).await.unwrap().unwrap();
    let requests = probe.end().await;
    let samples = sampler.end().await;
    let observed = statements(&taken.take(&watcher).await.unwrap());
    scratch.end().await;

    let sizes = |rows: u64| -> Sizes { tables.iter().map(|table| (table.clone(), rows)).collect() };
    let judged = |observed: &[Observed], requests: &[_], rows: u64| {
        findings(observed, &samples, requests, (&sizes(2_000), &sizes(rows)), &Thresholds::default())
    };
    let found = judged(&observed, &requests, 1_000_000);
    let stalled: Vec<&Harm> = found.iter().filter(|hurt| hurt.trouble == HarmKind::Stalled).collect();
    assert_eq!(
        troubles(&found.iter().filter(|h| h.trouble == HarmKind::NoLockTimeout).cloned().collect::<Vec<_>>()),
        [(HarmKind::NoLockTimeout, "public.t"), (HarmKind::NoLockTimeout, "public.other")]
    );
    assert!(stalled.iter().any(|hurt| hurt.table == "public.t"), "{requests:?}");
    assert!(stalled.iter().all(|hurt| hurt.query.contains("add column x")), "{stalled:?}");
    assert!(found.iter().any(|hurt| hurt.trouble == HarmKind::Failed && hurt.table == "public.other"), "{requests:?}");
    // Small tables of the target, and statements that harm no one, are silent.
    assert_eq!(troubles(&judged(&observed, &[], 10)), []);
    assert_eq!(troubles(&judged(&harmless, &[], 1_000_000)), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_no_event_reports_of_is_seen_from_outside() {
    let scratch = start(17).await;
    let database = scratch.create(None).await.unwrap();
    let client = session(&scratch, &database, "migration").await;
    client.batch_execute(TABLES).await.unwrap();
    install(&client).await.unwrap();
    mark(&client).await.unwrap();
    let sampler = Sampler::start(session(&scratch, &database, "stagegate/sampler").await);
    let reader = session(&scratch, &database, "app").await;
    reader.batch_execute("begin; select 1 from t").await.unwrap();
    let waiting = tokio::spawn(async move { client.batch_execute("truncate t").await });
    let seen = session(&scratch, &database, "watcher").await;
    let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query = 'truncate t' \
                 and clock_timestamp() - query_start > interval '0.7 s'";
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while seen.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(std::time::Instant::now() < deadline, "truncate does not wait");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    reader.batch_execute("commit").await.unwrap();
    waiting.await.unwrap().unwrap();
    let samples: Samples = sampler.end().await;
    scratch.end().await;
    let found = findings(&[], &samples, &[], (&Sizes::new(), &Sizes::new()), &Thresholds::default());
    assert_eq!(troubles(&found), [(HarmKind::Waited, "public.t")]);
    assert_eq!(found[0].query, "truncate t");
}
