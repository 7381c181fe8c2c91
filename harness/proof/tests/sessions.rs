//! Proofs that a script leaves nothing in its session for the down migration or for what is read, as each is a process of
//! its own with the tools, and that what it does to its own session is reported as its own fault.

use std::time::Duration;

use stagegate_base::config::Tool;
use stagegate_migration_act::{Options, Rows, SessionOptions, prove};
use stagegate_migration_decide::{
    Chain, File, chain,
    round_trip::{RoundTrip, Verdict, findings},
};

use crate::integrity::start;

fn options(always_clone: bool) -> Options {
    let manner = SessionOptions { statement_within: Duration::from_secs(5), search_path: None };
    let rows = Some(Rows::default());
    Options {
        manner,
        history_tables: Vec::new(),
        before: String::new(),
        always_clone,
        ways_back: true,
        commands: None,
        rows,
    }
}

fn of(tool: Tool, steps: &[(&str, &str)]) -> Chain {
    let file = |name: String, text: &str| File { path: name, bytes: text.as_bytes().to_vec() };
    let pair = |(i, (up, down)): (usize, &(&str, &str))| {
        [file(format!("{}_step.up.sql", i + 1), up), file(format!("{}_step.down.sql", i + 1), down)]
    };
    chain(&steps.iter().enumerate().flat_map(pair).collect::<Vec<File>>(), Some(tool)).unwrap()
}

/// What each script leaves in its session, and no later process finds.
const LEAVES: [(&str, &str); 7] = [
    (
        "create temporary table kept (id int); insert into kept values (1); create table a as select * from kept;",
        "drop table a;",
    ),
    ("create temporary view seen as select * from a; alter table a add column b int;", "alter table a drop column b;"),
    (
        "prepare step as select 1; listen step; declare step cursor with hold for select 1; \
         select pg_advisory_lock(7); create table c (id int primary key);",
        "do $$ begin if exists (select from pg_locks where locktype = 'advisory') then raise 'locked'; end if; end $$; \
         drop table c;",
    ),
    ("deallocate all; create table d (id int primary key);", "deallocate all; drop table d;"),
    (
        "create table \"ä\" (id int); set client_encoding = 'LATIN1';",
        "drop table \"ä\"; set client_encoding = 'LATIN1';",
    ),
    ("create table e (id serial); select nextval('e_id_seq');", "select currval('e_id_seq');"),
    ("create table f (id int); set session characteristics as transaction read only;", "drop table f;"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_later_process_finds_nothing_of_what_a_script_left_in_its_session() {
    let (server, chain) = (start(17).await, of(Tool::Plain, &LEAVES));
    let mut reported = Vec::new();
    for always_clone in [false, true] {
        let proven = prove(&server, &chain, &options(always_clone), |_| {}).await.unwrap();
        let verdicts: Vec<Verdict> = proven.trips.iter().map(RoundTrip::verdict).collect();
        reported.push((verdicts, findings(&chain, &proven.trips, &proven.whole), proven.rows.integrity));
    }
    server.end().await;
    for (verdicts, found, rows) in reported {
        let mut want = [Verdict::Exact; LEAVES.len()];
        // The value that a sequence gave in another session is not there (55000).
        want[5] = Verdict::SqlError;
        assert_eq!(verdicts, want, "{found:#?}");
        assert!(
            found.iter().all(|finding| finding.place.object == "6" || finding.place.object.is_empty()),
            "{found:#?}"
        );
        assert_eq!(rows, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_ends_its_own_session_is_named_with_the_statement() {
    let server = start(17).await;
    let ends = "create table b (id int);\nselect pg_terminate_backend(pg_backend_pid());";
    let steps = [
        ("create table a (id int);", "drop table a;\nselect pg_terminate_backend(pg_backend_pid());"),
        (ends, "drop table b;"),
        ("create table c (id int);", "drop table c;"),
    ];
    for (tool, always_clone) in [(Tool::Sqlx, false), (Tool::Sqlx, true), (Tool::Plain, false)] {
        let chain = of(tool, &steps);
        let proven = prove(&server, &chain, &options(always_clone), |_| {}).await.unwrap();
        let verdicts: Vec<Verdict> = proven.trips.iter().map(RoundTrip::verdict).collect();
        assert_eq!(verdicts, [Verdict::SqlError, Verdict::UpFails, Verdict::Exact], "{:#?}", proven.trips);
        let found = findings(&chain, &proven.trips, &proven.whole);
        let at = |code: &str, place: &str| {
            let is_meant = |f: &&stagegate_migration_decide::Finding| f.code == code && f.place.position() == place;
            found.iter().find(is_meant).unwrap_or_else(|| panic!("{code} at {place} is not in {found:#?}")).clone()
        };
        let (down, up) = (at("down-fails", "1_step.down.sql:2"), at("up-fails", "2_step.up.sql:2"));
        assert!(down.excerpt.starts_with("select pg_terminate_backend") && up.excerpt == down.excerpt, "{up:#?}");
        assert!(up.found.contains("ended its own session"), "{}", up.found);
    }
    server.end().await;
}

/// The beginning of what `pg_dump` writes, and a migration after it that relies on the search path.
const DUMPED: [(&str, &str); 2] = [
    (
        "select pg_catalog.set_config('search_path', '', false);\ncreate table public.a (id int);",
        "drop table public.a;",
    ),
    ("create table b (id int);", "drop table b;"),
];

async fn of_tool(
    server: &stagegate_migration_act::scratch::Scratch,
    tool: Tool,
    steps: &[(&str, &str)],
    history_tables: &[&str],
) -> (Vec<Verdict>, Vec<String>) {
    let file = |name: String, text: String| File { path: name, bytes: text.into_bytes() };
    let files = |(i, (up, down)): (usize, &(&str, &str))| {
        let n = i + 1;
        match tool {
            Tool::Goose => vec![file(format!("{n}_s.sql"), format!("-- +goose Up\n{up}\n-- +goose Down\n{down}\n"))],
            Tool::Dbmate => vec![file(format!("{n}_s.sql"), format!("-- migrate:up\n{up}\n-- migrate:down\n{down}\n"))],
            Tool::Diesel => {
                vec![file(format!("{n}_s/up.sql"), (*up).into()), file(format!("{n}_s/down.sql"), (*down).into())]
            }
            Tool::Flyway => {
                vec![file(format!("V{n}__s.sql"), (*up).into()), file(format!("U{n}__s.sql"), (*down).into())]
            }
            Tool::Refinery => vec![file(format!("V{n}__s.sql"), (*up).into())],
            _ => vec![file(format!("{n}_s.up.sql"), (*up).into()), file(format!("{n}_s.down.sql"), (*down).into())],
        }
    };
    let chain = chain(&steps.iter().enumerate().flat_map(files).collect::<Vec<File>>(), Some(tool)).unwrap();
    let history_tables = history_tables.iter().map(|name| (*name).to_owned()).collect();
    let proven = prove(server, &chain, &Options { history_tables, ..options(false) }, |_| {}).await.unwrap();
    assert!(proven.top.unmodelled().is_empty(), "schemas of sessions are nobody's: {:?}", proven.top.unmodelled());
    let reported = findings(&chain, &proven.trips, &proven.whole);
    let line = |f: &stagegate_migration_decide::Finding| format!("{} {} {}", f.place.position(), f.code, f.found);
    (proven.trips.iter().map(RoundTrip::verdict).collect(), reported.iter().map(line).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_search_path_reaches_as_far_as_in_each_tool_s_own_session() {
    use Verdict::{Exact, NoUsableDown, UpFails};
    let server = start(17).await;
    // Measured with dbmate 2.37: the first is applied, the second ends with "no schema has been selected to create in".
    for (tool, want) in [
        (Tool::Sqlx, [UpFails, Exact]),
        (Tool::Goose, [UpFails, Exact]),
        (Tool::Diesel, [UpFails, Exact]),
        (Tool::Refinery, [UpFails, NoUsableDown]),
        (Tool::GolangMigrate, [Exact, UpFails]),
        (Tool::Dbmate, [Exact, UpFails]),
        (Tool::Flyway, [Exact, Exact]),
        (Tool::Plain, [Exact, Exact]),
    ] {
        let (verdicts, reported) = of_tool(&server, tool, &DUMPED, &[]).await;
        assert_eq!(verdicts, want, "{tool}: {reported:#?}");
        let is_told =
            |line: &String| line.contains("does not find its history table public.") && line.contains("up-fails");
        assert_eq!(reported.iter().any(is_told), want[0] == UpFails, "{tool}: {reported:#?}");
    }
    let (verdicts, reported) = of_tool(&server, Tool::Sqlx, &DUMPED, &["public._sqlx_migrations"]).await;
    assert_eq!(verdicts, [Exact, UpFails], "a table that is named with its schema is found: {reported:#?}");
    server.end().await;
}

/// A prepared statement and a temporary table that one migration leaves, and a next one that relies on them, or that makes
/// the same once more.
const CARRIED: [[(&str, &str); 2]; 3] = [
    [
        (
            "create table a (id int, v text); create temporary table kept (id int not null, v text default 'x'); \
             create index kept_id on kept (id); insert into kept values (1), (2); prepare fill as insert into a select * from kept;",
            "drop table a;",
        ),
        ("insert into kept values (3); execute fill;", "delete from a;"),
    ],
    [
        ("create temporary table moved as select 1 as id; create table a as select * from moved;", "drop table a;"),
        ("create temporary table moved as select 2 as id; create table b as select * from moved;", "drop table b;"),
    ],
    [
        ("prepare p as select 1; create table a (id int);", "drop table a;"),
        ("prepare p as select 2; create table b (id int);", "drop table b;"),
    ],
];

// Measured with sqlx 0.9, diesel 2.3, goose 3.15, golang-migrate 4.15 and dbmate 2.37: "relation "moved" already exists",
// "prepared statement "p" already exists".
#[tokio::test(flavor = "multi_thread")]
async fn temporary_tables_and_prepared_statements_reach_the_next_migration_of_the_run() {
    use Verdict::{Exact, UpFails};
    let server = start(17).await;
    for (tool, want) in [
        (Tool::Sqlx, [Exact, UpFails, UpFails]),
        (Tool::GolangMigrate, [Exact, UpFails, UpFails]),
        (Tool::Plain, [UpFails, Exact, Exact]),
    ] {
        for (steps, want) in CARRIED.iter().zip(want) {
            let (verdicts, reported) = of_tool(&server, tool, steps, &[]).await;
            assert_eq!(verdicts, [Exact, want], "{tool}: {reported:#?}");
        }
    }
    server.end().await;
}

// Measured with dbmate 2.37 and diesel 2.3; the others send COMMIT, which the server responds with a warning.
#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_ends_its_tool_s_transaction_fails_where_the_tool_looks() {
    use Verdict::{Exact, UpFails};
    let server = start(17).await;
    let own = [("begin;\ncreate table a (id int);\ncommit;", "drop table a;")];
    for (tool, want) in [(Tool::Dbmate, UpFails), (Tool::Diesel, UpFails), (Tool::Sqlx, Exact)] {
        let (verdicts, reported) = of_tool(&server, tool, &own, &[]).await;
        assert_eq!(verdicts, [want], "{tool}: {reported:#?}");
        let is_told = |line: &String| line.contains("up-fails") && line.contains("because the script ended it");
        assert_eq!(reported.iter().any(is_told), want == UpFails, "{tool}: {reported:#?}");
    }
    server.end().await;
}

/// Settings that one migration leaves: the next one of the same run finds them, its down migration does not.
const KEPT: [(&str, &str); 3] = [
    ("create schema app; set app.tenant = 'x'; create table t (who text);", "drop table t; drop schema app;"),
    (
        "do $$ begin if current_setting('app.tenant', true) is distinct from 'x' then raise 'no tenant'; end if; end $$; \
         create table u (id int);",
        "do $$ begin if current_setting('app.tenant', true) = 'x' then raise 'a tenant'; end if; end $$; drop table u;",
    ),
    ("set search_path = app; create table v (id int); reset search_path;", "drop table app.v;"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_reaches_the_next_migration_of_the_run_and_no_other_process() {
    use Verdict::{Exact, UpFails};
    let server = start(17).await;
    for (tool, want) in [(Tool::Sqlx, Exact), (Tool::Dbmate, Exact), (Tool::Flyway, Exact), (Tool::Plain, UpFails)] {
        let (verdicts, reported) = of_tool(&server, tool, &KEPT, &[]).await;
        assert_eq!(verdicts, [Exact, want, Exact], "{tool}: {reported:#?}");
        let again = reported.iter().any(|line| line.contains("second-up-fails") && line.contains("no tenant"));
        assert_eq!(again, want == Exact, "{tool}: a run of its own has no tenant: {reported:#?}");
    }
    // dbmate records in the schema that is current: not where its table is.
    let moved = [("create schema app; set search_path = app;", "drop schema app;")];
    let (verdicts, reported) = of_tool(&server, Tool::Dbmate, &moved, &[]).await;
    assert_eq!(verdicts, [UpFails], "{reported:#?}");
    server.end().await;
}
