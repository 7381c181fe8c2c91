//! What reads a live database changes nothing, waits for nobody for long, names who holds it up, and keeps nobody waiting.

use std::time::{Duration, Instant};

use stagegate_base::config::Integrity;
use stagegate_data_act::{facts, live, outside};
use stagegate_host::database::{DatabaseError, ReadLimits, Server};
use stagegate_migration_act::catalog::schema_of;

use crate::small::Small;

const MOST: Duration = Duration::from_secs(25);
/// In the time that a reader waits, so that it is about who waits and not about the machine.
const AT_ONCE: Duration = Duration::from_secs(4);

/// Asserts that a read ended in time, with the table and who has it.
fn locked<T>(found: Result<T, DatabaseError>, began: Instant, wanted: &[&str]) {
    let took = began.elapsed();
    let Err(error) = found else { panic!("it did not wait for {wanted:?}") };
    assert!(matches!(error, DatabaseError::Locked { .. }) && took < MOST, "{error} after {took:?}");
    for word in wanted {
        assert!(error.to_string().contains(word), "`{word}` is missing in: {error}");
    }
}

async fn read_all(server: &Server) {
    let holder = ["(proof) of app, idle in transaction since", ", has locked public.item"];
    let began = Instant::now();
    let counted = ["public.item".to_owned()];
    let counted: Vec<&String> = counted.iter().collect();
    let (data, schema, rows, contents) = tokio::join!(
        facts::facts(server, "app", Integrity::Counts),
        schema_of(server, "app"),
        live::count_rows(server, "app", &counted),
        outside::contents(server, "app"),
    );
    locked(data, began, &holder);
    locked(schema, began, &holder);
    locked(rows, began, &["cannot count public.item", holder[0], holder[1]]);
    // It reads no row of the table.
    assert!(contents.is_ok(), "{contents:?}");
}

#[tokio::test]
async fn a_read_ends_in_time_names_who_has_the_table_and_keeps_nobody_waiting() {
    let small = Small::new("reads", "app");
    small.up("production", "v1");
    let server = small.server().await;
    let holder = server.connect("app").await.unwrap();
    holder.batch_execute("create view names as select name from item").await.unwrap();
    holder.batch_execute("begin; lock table item in access exclusive mode").await.unwrap();
    read_all(&server).await;
    holder.batch_execute("rollback").await.unwrap();

    // Readers queue behind one who only waits for the lock, too: a migration by hand, behind a long read.
    holder.batch_execute("begin; select count(*) from item").await.unwrap();
    let migrating = server.connect("app").await.unwrap();
    let altering = tokio::spawn(async move { migrating.batch_execute("alter table item add column late int").await });
    let waits = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and not granted";
    let looking = server.connect("postgres").await.unwrap();
    while looking.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let began = Instant::now();
    let found = facts::facts(&server, "app", Integrity::Counts).await;
    locked(found, began, &[", waits to lock public.item, behind session "]);
    holder.batch_execute("rollback").await.unwrap();
    altering.await.unwrap().unwrap();

    // While the gate reads, others write; and what reads changes nothing, whatever it is given.
    let reads = async |client: &tokio_postgres::Client| {
        let begin = "begin; select count(*) from item";
        client.batch_execute(begin).await.unwrap();
        let began = Instant::now();
        holder.batch_execute("insert into item (name) values ('new'); update item set name = 'other'").await.unwrap();
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
        let refused = client.batch_execute("delete from item").await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "25006", "{refused}");
        Ok(())
    };
    server.read("app", ReadLimits::LOOK, reads).await.unwrap();

    // A gate that hangs in a transaction keeps no lock.
    let limits = ReadLimits { idle: Duration::from_millis(300), ..ReadLimits::LOOK };
    let hanging = server.connect_within("app", limits).await.unwrap();
    hanging.batch_execute("begin; select count(*) from item").await.unwrap();
    holder.batch_execute("set lock_timeout = '10s'; alter table item add column later int").await.unwrap();
}
