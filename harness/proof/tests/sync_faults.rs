//! Proofs that a sync that cannot end states why, and leaves the target as it was: faults of servers, odd encodings, roles.

use std::{path::PathBuf, time::Duration};

use stagegate_base::units::Size;
use stagegate_data_act::sync::{Sanitising, Side, SyncError, SyncOptions, sync};
use stagegate_data_decide::{
    sanitize::{Key, Rules},
    sync::{Pace, SyncReport},
};
use stagegate_host::{database::Server, process::Runner};

use crate::schema::{PASSWORD, Scratch, docker};

/// A source with a database `live`, and a target whose database `copy` has a table of its own.
struct Ends {
    from: Scratch,
    to: Scratch,
    folder: PathBuf,
}

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Ends {
    async fn new(from: Scratch, to: Scratch, create: &str, rows: &str) -> Self {
        from.run("postgres", create).await;
        from.run("live", rows).await;
        to.run("postgres", "create database copy").await;
        to.run("copy", "create table of_before (id integer)").await;
        let folder = std::env::temp_dir().join(format!("stagegate-proof-{}", from.name));
        std::fs::create_dir_all(&folder).unwrap();
        Ends { from, to, folder }
    }

    fn options(&self, pace: Option<Pace>) -> SyncOptions<'_> {
        SyncOptions {
            run: "20260101-000000-0001-sync".to_owned(),
            state: "0123456789abcdef".to_owned(),
            dir: &self.folder,
            workers: 1,
            with_checksums: true,
            within: Duration::from_secs(300),
            lock_timeout: Duration::from_secs(2),
            max_row: Size(64 << 20),
            pace,
            subset: None,
            sanitising: None,
            keeping: None,
        }
    }

    async fn sync(&self, server: &Server, options: &SyncOptions<'_>) -> Result<SyncReport, SyncError> {
        let side = |environment: &str, server: &Server, database: &str| Side {
            environment: environment.to_owned(),
            server: server.clone(),
            database: database.to_owned(),
        };
        let (from, to) = (side("production", server, "live"), side("staging", &self.to.server, "copy"));
        sync(&from, &to, options, &Runner::default()).await
    }

    /// Syncs slowly, does `fault` while rows of `big` are read, and returns why the sync ended.
    async fn stopped(&self, fault: impl AsyncFnOnce()) -> SyncError {
        let options = self.options(Some(Pace { bytes: 1_000_000 }));
        let faulty = async {
            let client = self.from.server.connect("live").await.unwrap();
            let reading =
                "select count(*) from pg_stat_progress_copy where command = 'COPY TO' and relid = 'big'::regclass";
            while client.query_one(reading, &[]).await.unwrap().get::<_, i64>(0) == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            fault().await;
        };
        let (done, ()) = tokio::join!(self.sync(&self.from.server, &options), faulty);
        done.unwrap_err()
    }

    async fn assert_as_before(&self) {
        self.to.server.wait(Duration::from_secs(60)).await.unwrap();
        self.to.run("copy", "select * from of_before").await;
        let names: Vec<String> = self.to.server.databases().await.unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["copy", "postgres"]);
    }
}

const BIG: &str = "create table big (id integer primary key, body text);
    insert into big select n, repeat(md5(n::text), 30) from generate_series(1, 8000) n;
    create table small (id integer); insert into small values (1); analyze";

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_dies_or_loses_a_table_half_way_leaves_the_target_as_it_was() {
    let (from, to) = (Scratch::start(17).await, Scratch::start(17).await);
    let ends = Ends::new(from, to, "create database live", BIG).await;
    let dropped = ends.stopped(async || ends.from.run("live", "drop table small").await).await.to_string();
    assert!(
        dropped.contains("read public.small") && dropped.contains("dropped or renamed while the sync ran"),
        "{dropped}"
    );
    ends.assert_as_before().await;
    ends.from.run("live", "create table small (id integer)").await;
    let kill = async || drop(docker(&["kill", &ends.from.name]));
    let died = ends.stopped(kill).await.to_string();
    assert!(died.contains("read public.big") && died.contains("ended the session or was stopped"), "{died}");
    ends.assert_as_before().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_the_target_is_reported_and_the_target_is_as_it_was() {
    let disk = ["--tmpfs", "/var/lib/postgresql/data:size=200m"];
    // Rows of a table that was emptied are not logged then: the disk is full for the table, and not for the log.
    let minimal = ["-c", "wal_level=minimal", "-c", "max_wal_senders=0"];
    let (from, to) = (Scratch::start(17).await, Scratch::start_with(17, &disk, &minimal).await);
    let rows = "create table big (id integer, body text);
        alter table big alter body set storage external;
        insert into big select n, repeat(md5(n::text), 100) from generate_series(1, 60000) n";
    let ends = Ends::new(from, to, "create database live", rows).await;
    let full = ends.sync(&ends.from.server, &ends.options(None)).await.unwrap_err().to_string();
    assert!(full.contains("write public.big") && full.contains("disk of the target's server is full"), "{full}");
    ends.assert_as_before().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_row_security_binds_copies_nothing() {
    let (from, to) = (Scratch::start(17).await, Scratch::start(17).await);
    let rows = "create table notes (owner text, body text);
        alter table notes enable row level security;
        create policy own on notes using (owner = current_user)";
    let ends = Ends::new(from, to, "create database live", rows).await;
    let role = format!("create role reader login password '{PASSWORD}'; grant pg_read_all_data to reader");
    ends.from.run("live", &role).await;
    let refused = ends.sync(&ends.from.as_role("reader"), &ends.options(None)).await.unwrap_err();
    let SyncError::Refused { reasons } = &refused else { panic!("{refused}") };
    assert!(reasons.iter().any(|reason| reason.contains("row security would hide rows of public.notes")), "{refused}");
    ends.assert_as_before().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_reach_a_newer_server_as_they_are_at_the_rate_that_is_set() {
    let (from, to) = (Scratch::start(15).await, Scratch::start(18).await);
    let create = "create database live encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0";
    let rows = r"create table people (id integer primary key, email text, kept text, filler text);
        insert into people select n, E'caf\xe9.' || n || '@corp.example', E'na\xefve ' || n, repeat('x', 900)
            from generate_series(1, 5000) n";
    let ends = Ends::new(from, to, create, rows).await;
    let keep = "{ rule = \"keep\", reason = \"made up\" }";
    let rules = format!("[databases.main.\"public.people\"]\nkept = {keep}\nfiller = {keep}");
    let sanitising =
        Some(Sanitising { key: Key::new(*b"0123456789abcdef"), rules: Rules::parse(&rules, "main").unwrap() });
    let options = SyncOptions { sanitising, ..ends.options(Some(Pace { bytes: 2_000_000 })) };
    let report = ends.sync(&ends.from.server, &options).await.unwrap();
    assert!(report.checks.iter().all(|check| check.difference().is_none()), "{:?}", report.checks);
    assert!(report.searched.is_some_and(|values| values > 0), "{report:?}");
    let seconds = report.phases.iter().find(|phase| phase.name == "rows").map(|phase| phase.seconds);
    assert!(seconds.is_some_and(|seconds| seconds > 2.0), "4.7 MB at 2 MB/s took {seconds:?} s");
    let client = ends.to.server.connect("copy").await.unwrap();
    let sql = "select count(*) from people where email ~ '^user-[0-9a-f]+@example.test$' \
               and convert_to(kept, 'SQL_ASCII') = '\\x6e61ef766520'::bytea || convert_to(id::text, 'SQL_ASCII')";
    assert_eq!(client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 5_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_half_a_gigabyte_is_refused_by_its_place_before_anything_is_copied() {
    let (from, to) = (Scratch::start(17).await, Scratch::start(17).await);
    // 500 MB that are hardly anything on the disk.
    let rows = "create table files (id integer primary key, body bytea);
        insert into files select n, convert_to(repeat(md5(n::text), 10000), 'utf8') from generate_series(1, 3) n;
        insert into files values (9, convert_to(repeat('x', 500000000), 'utf8'))";
    let ends = Ends::new(from, to, "create database live", rows).await;
    let refused = ends.sync(&ends.from.server, &ends.options(None)).await.unwrap_err().to_string();
    let place = "nothing was copied: the row at ctid (0,4) of public.files has 476.8 MiB, and `max_row` of [sync] allows 64.0 MiB";
    assert!(refused.starts_with(place), "{refused}");
    ends.assert_as_before().await;
    ends.from.run("live", "delete from files where id = 9").await;
    ends.sync(&ends.from.server, &ends.options(None)).await.unwrap();
}
