//! Proofs that load is measured as it is: what a database and its container did while they were asked.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use stagegate_base::{container::Container, redact::Secret};
use stagegate_host::{database::Server, engine::Engine, probe::postgres::Login};
use stagegate_performance_act::{
    load::{self, Aim, BackgroundLoad, Extent, Load, Pace, Query, Subject},
    resources::Watch,
    statistics,
    waits::LockWatch,
};
use stagegate_performance_decide::{LockWaits, ResourceLimits, database_use, resources, stall};

use crate::world::image_of;

const PASSWORD: &str = "only-for-this-test-run";
const SOON: Duration = Duration::from_secs(60);

/// A server that counts its statements, in a container of its own, which goes with it.
struct Counting {
    name: String,
    server: Server,
    container: Container,
}

impl Counting {
    async fn start(engine: &Engine) -> Self {
        let name = format!("proof-load-{}", std::process::id());
        let (password, image) = (format!("POSTGRES_PASSWORD={PASSWORD}"), image_of(17));
        let labels = ["stagegate.proof=load", "com.docker.compose.service=db"];
        let status = Command::new("docker")
            .args(["run", "--detach", "--name", &name, "--env", &password, "--label", labels[0], "--label", labels[1]])
            .args([&image, "-c", "shared_preload_libraries=pg_stat_statements"])
            .output()
            .unwrap();
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
        let container = engine.inspect(&name).await.unwrap().unwrap();
        let server = Server::new(&container, "postgres", Secret::new(PASSWORD), "proof");
        server.wait(SOON).await.unwrap();
        Counting { name, server, container }
    }

    async fn run(&self, sql: &str) {
        // The image's first start ends its server once: a statement that meets that end is given again.
        let deadline = Instant::now() + SOON;
        loop {
            let reported = match self.server.connect("postgres").await {
                Ok(client) => client.batch_execute(sql).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match reported {
                Ok(()) => return,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn ask(&self, statement: &str) -> Subject {
        let aim = Aim::at_service(std::slice::from_ref(&self.container), "db", 5432).unwrap();
        let login = Login {
            user: "postgres".into(),
            password: Some(Secret::new(PASSWORD)),
            database: "postgres".into(),
            authority: None,
        };
        Subject::Sql(Query::new(&aim, &login, statement))
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.name]).output();
    }
}

fn requests(count: u64) -> Load {
    Load { pace: Pace::Concurrency(2), extent: Extent::Requests(count), timeout: Duration::from_secs(20) }
}

#[tokio::test]
async fn a_load_reports_the_statements_scans_and_memory_that_it_cost() {
    let engine = Engine::connect().await.unwrap();
    let counting = Counting::start(&engine).await;
    let client = counting.server.connect("postgres").await.unwrap();
    assert_eq!(statistics::figures(&client).await.unwrap().statements, None, "not installed, so not known");
    counting
        .run(
            "create extension if not exists pg_stat_statements; drop table if exists large; \
             create table large as select g from generate_series(1, 20000) g; analyze large",
        )
        .await;

    // Two statements a request: what an N+1 looks like to the server.
    let before = statistics::figures(&client).await.unwrap();
    let watch = Watch::start(&engine, std::slice::from_ref(&counting.container)).await.unwrap();
    let requested = counting.ask("select count(*) from large; select 1 as one");
    let measured = load::run(&requested, requests(50), 1).await.unwrap();
    assert_eq!((measured.sent, measured.errors()), (50, Default::default()));
    statistics::settle(Instant::now()).await;
    let used = resources::usage(&watch.stop().await.unwrap());
    let after = statistics::figures(&client).await.unwrap();

    let cost = database_use(&before, &after, measured.sent, LockWaits::default());
    assert_eq!(cost.queries_per_request, Some(2.0), "{:?}", cost.statements);
    assert!(cost.large_scans["public.large"].sequential_scans >= 50, "{:?}", cost.large_scans);
    assert!(cost.cache_hit.is_some() && cost.transactions_per_request >= 1.0, "{cost:?}");
    let limits = ResourceLimits { queries_per_request: Some(1.0), ..ResourceLimits::default() };
    assert_eq!(resources::beyond(&used[0], cost.queries_per_request, &limits).len(), 1);
    assert!(used[0].memory > 1 << 20 && used[0].cpu > 0.0 && used[0].received > 1_000, "{used:?}");

    one_statement_that_fails_is_told_by_its_code(&counting).await;
    a_session_that_waits_for_a_lock_is_seen(&counting).await;
    a_stall_under_a_migration_names_the_lock_that_caused_it(&counting).await;
}

async fn one_statement_that_fails_is_told_by_its_code(counting: &Counting) {
    let measured = load::run(&counting.ask("select 1 / 0"), requests(3), 1).await.unwrap();
    assert_eq!(measured.errors(), [("SQLSTATE 22012".to_owned(), 3)].into());
}

async fn a_session_that_waits_for_a_lock_is_seen(counting: &Counting) {
    let holder = counting.server.connect("postgres").await.unwrap();
    holder.batch_execute("begin; lock table large in access exclusive mode").await.unwrap();
    let began = Instant::now();
    let watch = LockWatch::start(counting.server.connect("postgres").await.unwrap(), began);
    // Two statements are not prepared ahead: it would be the preparation that waits.
    let requested = counting.ask("select count(*) from large; select 1");
    let waiting = tokio::spawn(async move { load::run(&requested, requests(1), 1).await.unwrap() });
    let observer = counting.server.connect("postgres").await.unwrap();
    let deadline = Instant::now() + SOON;
    let waits_long =
        "select exists (select from pg_locks where not granted and waitstart < clock_timestamp() - interval '300 ms')";
    while !observer.query_one(waits_long, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(Instant::now() < deadline, "nobody waits for the lock");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    holder.batch_execute("commit").await.unwrap();
    let measured = waiting.await.unwrap();
    let seen = watch.stop().await.unwrap();
    assert!(seen.waits.seen >= 1 && seen.waits.longest_ms >= 100, "{seen:?}");
    assert!(measured.summary().max >= 300_000_000, "{:?}", measured.summary());
}

async fn a_stall_under_a_migration_names_the_lock_that_caused_it(counting: &Counting) {
    let began = Instant::now();
    let requested = counting.ask("select count(*) from large where g < 10");
    let meanwhile = BackgroundLoad::start(&requested, 50.0, 8, Duration::from_secs(20)).await.unwrap();
    let watch = LockWatch::start(counting.server.connect("postgres").await.unwrap(), began);
    let migration = counting.server.connect("postgres").await.unwrap();
    migration.batch_execute("begin; alter table large alter g type bigint").await.unwrap();
    migration.batch_execute("select pg_sleep(0.6) as backfill; commit").await.unwrap();
    let migrated = began.elapsed();
    let seen = watch.stop().await.unwrap();
    let mut requests = meanwhile.stop().await.unwrap().requests(began);
    requests.retain(|request| Duration::from_micros(request.intended_us) < migrated);

    let impact = stall::impact(&requests, &seen.blocking);
    let stall = impact.stall.clone().expect("a request waits for the lock");
    assert!(stall.until_us - stall.from_us >= 500_000, "{impact:?}");
    let cause = stall.cause.unwrap_or_else(|| panic!("no lock explains it: {impact:?} {seen:?}"));
    assert_eq!(cause.lock.as_deref(), Some("AccessExclusiveLock on large"), "{}", impact.words());
    assert!(cause.text.contains("backfill") && impact.words().contains("AccessExclusiveLock on large"));
    assert_eq!(impact.failed, 0);
}
