//! Proofs that every table gets rows, on real servers: what constraints ask is met, or the reason is reported.

use rstest::rstest;
use stagegate_migration_act::{
    integrity::{ReadRequest, content},
    seed::{Plan, fill},
};
use tokio_postgres::Client;

use crate::integrity::start;

const EVERY_KIND: &str = include_str!("../../../fixtures/schema/every-kind.sql");
const EVERY_CONSTRAINT: &str = include_str!("../../../fixtures/seed/every-constraint.sql");
const UNFILLABLE: &str = include_str!("../../../fixtures/seed/unfillable.sql");

async fn told(client: &Client, plan: &Plan) -> String {
    let filled = fill(client, plan).await.unwrap();
    let unfilled = filled.unfilled.iter().map(|one| format!("{}: {}", one.table, one.reason));
    let few = filled.rows.iter().filter(|(_, rows)| **rows < 2).map(|(table, rows)| format!("{table}: {rows} row"));
    unfilled.chain(few).collect::<Vec<_>>().join("\n")
}

#[rstest]
#[case::oldest(15)]
#[case::middle(17)]
#[case::newest(18)]
#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_filled_alike_twice_or_the_reason_is_reported(#[case] major: u32) {
    let scratch = start(major).await;
    let maintenance = scratch.connect("postgres").await.unwrap();
    maintenance.batch_execute("create role app_owner; create role app_reader; create role app_writer").await.unwrap();
    let mut contents = Vec::new();
    for _ in 0..2 {
        let client = scratch.session(&scratch.create(None).await.unwrap()).await.unwrap();
        client.batch_execute(EVERY_CONSTRAINT).await.unwrap();
        assert_eq!(told(&client, &Plan::default()).await, "");
        let found = content(&client, &ReadRequest::columns()).await.unwrap();
        assert!(found.rows() > 0);
        let behind: Vec<&str> =
            found.tables.values().filter(|t| !t.sequences_behind().is_empty()).map(|t| t.shape.name.as_str()).collect();
        assert_eq!(behind, Vec::<&str>::new());
        // What is full stays as it is.
        assert!(fill(&client, &Plan::default()).await.unwrap().rows.is_empty());
        contents.push(found);
    }
    assert_eq!(contents[0], contents[1]);
    let client = scratch.session(&scratch.create(None).await.unwrap()).await.unwrap();
    client.batch_execute(EVERY_KIND).await.unwrap();
    assert_eq!(told(&client, &Plan::default()).await, "");
    let client = scratch.session(&scratch.create(None).await.unwrap()).await.unwrap();
    client.batch_execute(UNFILLABLE).await.unwrap();
    let reasons = told(&client, &Plan::default()).await;
    scratch.end().await;
    for part in [
        "public.circle_a: b_key closes a cycle of foreign keys that are not nullable and not deferrable",
        "public.circle_b: public.circle_a has no row for foreign key",
        "public.guarded: ERROR P0001: not by you",
        "public.impossible: ERROR 23514: new row for relation \"impossible\" violates check constraint",
        "public.swallowed: a trigger or rule removed the row",
        "public.without_partitions: ERROR 23514: no partition of relation",
    ] {
        assert!(reasons.contains(part), "`{part}` is not in:\n{reasons}");
    }
    assert_eq!(reasons.lines().count(), 6, "{reasons}");
}
