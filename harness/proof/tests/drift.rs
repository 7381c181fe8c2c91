//! Proofs that drift is found, and named with the migration that last changed the thing.

use std::time::Duration;

use stagegate_base::config::Tool;
use stagegate_host::owner::{Claim, Owner};
use stagegate_migration_act::{
    Options, SessionOptions,
    catalog::schema,
    prove,
    scratch::{Scratch, ScratchMethod, ServerSpec},
};
use stagegate_migration_decide::{Chain, File, chain, round_trip::without_bookkeeping, schema::drift};

use crate::world::image_of;

const UPS: [&str; 3] = [
    "create table orders (id int primary key, note text); create table old (id int);",
    "alter table orders alter column id type bigint;",
    "drop table old; create index orders_note on orders (note);",
];

/// What somebody did by hand, next to the history table of the migrations' tool.
const BY_HAND: &str = "create table _sqlx_migrations (version bigint primary key);
    alter table orders alter column id type int; drop index orders_note; create table old (id int);
    create table by_hand (id int); alter table orders alter column note set default 'x'";

fn migrations() -> Chain {
    let file = |i: usize, up: &str| File { path: format!("{}_step.up.sql", i + 1), bytes: up.as_bytes().to_vec() };
    let files: Vec<File> = UPS.iter().enumerate().map(|(i, up)| file(i, up)).collect();
    chain(&files, Some(Tool::Sqlx)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_by_hand_is_named_with_the_migration_that_last_changed_the_thing() {
    let claim = Claim::from_now(Owner::of(std::process::id()).unwrap());
    let spec = ServerSpec { images: vec![image_of(17)], way: Some(ScratchMethod::Docker), ..ServerSpec::default() };
    let server = Scratch::start(&Scratch::new_name().unwrap(), &claim, &spec).await.unwrap();
    let manner = SessionOptions { statement_within: Duration::from_secs(5), search_path: None };
    let options = Options {
        manner,
        history_tables: Vec::new(),
        before: String::new(),
        always_clone: false,
        ways_back: true,
        commands: None,
        rows: None,
    };
    let chain = migrations();
    let proven = prove(&server, &chain, &options, |_| {}).await.unwrap();

    let environment = server.create(None).await.unwrap();
    let client = server.session(&environment).await.unwrap();
    for up in UPS {
        client.batch_execute(up).await.unwrap();
    }
    let history_tables = chain.tool.bookkeeping_tables();
    let as_migrated = without_bookkeeping(schema(&client).await.unwrap(), history_tables);
    client.batch_execute(BY_HAND).await.unwrap();
    let by_hand = without_bookkeeping(schema(&client).await.unwrap(), history_tables);
    server.end().await;

    assert_eq!(drift(&proven.top, &as_migrated, &proven.touched), []);
    let drifted = drift(&proven.top, &by_hand, &proven.touched);
    let reported: Vec<String> = drifted
        .iter()
        .map(|one| format!("{}: {}", one.difference.id, one.migration.as_deref().unwrap_or("none")))
        .collect();
    let want = [
        "table public.by_hand: none",
        "table public.old: 3_step",
        "column public.orders.id: 2_step",
        "default public.orders.note: 3_step",
        "index public.orders_note: 3_step",
    ];
    for line in want {
        assert!(reported.iter().any(|reported| reported == line), "{line} is not among {reported:#?}");
    }
    assert_eq!(reported.len(), want.len(), "{reported:#?}");
}
