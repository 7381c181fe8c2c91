//! Proofs that a down migration is judged by what it leaves, and that bad migrations are reported with their place.

use std::time::Duration;

use stagegate_base::config::Tool;
use stagegate_host::owner::{Claim, Owner};
use stagegate_migration_act::{
    Options, Proven, Rows, SessionOptions, files, prove,
    scratch::{Scratch, ScratchMethod, ServerSpec},
};
use stagegate_migration_decide::{
    Chain, File, Finding, Route, chain,
    locks::{Sizes, Thresholds, of_chain},
    round_trip::{Verdict, findings},
};

use crate::world::image_of;

async fn server() -> Scratch {
    let claim = Claim::from_now(Owner::of(std::process::id()).unwrap());
    let spec = ServerSpec { images: vec![image_of(17)], way: Some(ScratchMethod::Docker), ..ServerSpec::default() };
    Scratch::start(&Scratch::new_name().unwrap(), &claim, &spec).await.unwrap()
}

fn options(always_clone: bool) -> Options {
    let manner = SessionOptions { statement_within: Duration::from_secs(2), search_path: None };
    Options {
        manner,
        history_tables: Vec::new(),
        before: String::new(),
        always_clone,
        ways_back: true,
        commands: None,
        rows: None,
    }
}

/// Makes a chain of ups and downs, numbered from 1.
fn of(steps: &[(&str, &str)]) -> Chain {
    let file = |name: String, text: &str| File { path: name, bytes: text.as_bytes().to_vec() };
    let files: Vec<File> = steps
        .iter()
        .enumerate()
        .flat_map(|(i, (up, down))| {
            [file(format!("{}_step.up.sql", i + 1), up), file(format!("{}_step.down.sql", i + 1), down)]
        })
        .collect();
    chain(&files, Some(Tool::Sqlx)).unwrap()
}

fn verdicts(proven: &Proven) -> Vec<Verdict> {
    proven.trips.iter().map(stagegate_migration_decide::round_trip::RoundTrip::verdict).collect()
}

/// One of each verdict, and what each server must say of it.
const STEPS: [(&str, &str); 8] = [
    ("create table t (id int primary key, a text, b text);", "drop table t;"),
    ("alter table t drop column a;", "alter table t add column a text;"),
    ("alter table t alter column b set not null;", "select now();"),
    ("create index t_b on t (b);", "drop index t_b on t;"),
    ("create type state as enum ('new'); ", "drop type state;"),
    ("alter type state add value 'old';", "-- nothing"),
    ("create function f() returns int language sql as 'select 1; select 2';", "drop function f();"),
    ("create view v as select id from t; comment on view v is 'a; b';", "drop view v;"),
];
const WANT: [Verdict; 8] = [
    Verdict::Exact,
    Verdict::OrderOnly,
    Verdict::AnotherSchema,
    Verdict::SqlError,
    Verdict::Exact,
    Verdict::NoUsableDown,
    Verdict::Exact,
    Verdict::Exact,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_session_and_a_copy_give_the_same_verdicts() {
    let (server, chain) = (server().await, of(&STEPS));
    let in_session = prove(&server, &chain, &options(false), |_| {}).await.unwrap();
    let on_copies = prove(&server, &chain, &options(true), |_| {}).await.unwrap();
    server.end().await;
    assert_eq!(verdicts(&in_session), WANT);
    assert_eq!(verdicts(&on_copies), WANT);
    assert!(in_session.trips.iter().filter(|round_trip| round_trip.route == Route::Session).count() >= 6);
    assert!(on_copies.trips.iter().all(|round_trip| matches!(round_trip.route, Route::Clone(_))));
    let text_of = |proven: &Proven| findings(&chain, &proven.trips, &proven.whole);
    assert_eq!(text_of(&in_session), text_of(&on_copies));
    let refused = text_of(&in_session).into_iter().find(|finding| finding.code == "down-fails").unwrap();
    assert_eq!(
        (refused.place.position().as_str(), refused.excerpt.as_str()),
        ("4_step.down.sql:1", "drop index t_b on t")
    );
}

/// Proves one bad step behind a good one and returns what is reported of it.
async fn told_of(server: &Scratch, up: &str) -> Vec<Finding> {
    let chain = of(&[("create table t (id int);", "drop table t;"), (up, "select now();")]);
    let proven = prove(server, &chain, &options(false), |_| {}).await.unwrap();
    findings(&chain, &proven.trips, &proven.whole).into_iter().filter(|f| f.place.object == "2").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_migrations_are_reported_with_code_line_and_statement() {
    let server = server().await;
    let cases = [
        ("select now();\nalter tabel t add a int;", "up-fails", 2, "alter tabel"),
        ("do $$ begin\n perform 1; raise exception 'a;b'; end $$;", "up-fails", 1, "do $$ begin"),
        ("-- none; here\nselect pg_sleep(60);", "took-too-long", 2, "select pg_sleep"),
        ("set statement_timeout = 0;\nselect pg_sleep(60);", "took-too-long", 2, "select pg_sleep"),
        ("create extension no_such_extension;", "not-run", 1, "create extension"),
        ("grant select on t to nobody_at_all;", "not-run", 1, "grant select"),
    ];
    for (up, code, line, statement) in cases {
        let reported = told_of(&server, up).await;
        let is_meant = |f: &&Finding| f.code == code && f.place.line == line && f.excerpt.starts_with(statement);
        assert!(reported.iter().any(|f| is_meant(&f)), "{up}: {reported:#?}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_names_and_rows_of_a_copy_are_no_trouble() {
    let server = server().await;
    let long = "n".repeat(63);
    let up = format!("create table \"a\"\"b\nc'd\" (\"{long}\" int);\ncreate table rows (a int, b text);");
    let down = "drop table rows;\ndrop table \"a\"\"b\nc'd\";";
    let chain = of(&[(&up, down)]);
    let proven = prove(&server, &chain, &options(false), |_| {}).await.unwrap();
    assert_eq!(verdicts(&proven), [Verdict::Exact], "{:#?}", proven.trips);
    let file = |name: &str, text: &str| File { path: name.to_owned(), bytes: text.as_bytes().to_vec() };
    let copy =
        "create table rows (a int, b text);\ncopy rows from stdin;\n1\ta;b\n2\t\\N\n\\.\ncreate table last (a int);\n";
    let files = [file("1_a.up.sql", copy), file("1_a.down.sql", "drop table rows, last;")];
    let chain = stagegate_migration_decide::chain(&files, Some(Tool::Plain)).unwrap();
    let proven = prove(&server, &chain, &options(false), |_| {}).await.unwrap();
    assert_eq!(verdicts(&proven), [Verdict::Exact], "{:#?}", proven.trips);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_in_the_middle_is_no_verdict_on_anybody() {
    let server = server().await;
    // SIGQUIT to the server's first process: it ends at once, with the container.
    let kill = "copy (select 1) to program 'kill -QUIT 1';\nselect pg_sleep(60);";
    let chain = of(&[
        ("create table t (id int);", "drop table t;"),
        (kill, "select now();"),
        ("select now();", "select now();"),
    ]);
    let proven = prove(&server, &chain, &options(false), |_| {}).await.unwrap();
    assert_eq!(verdicts(&proven), [Verdict::Exact, Verdict::NotRun, Verdict::NotRun]);
    let reported = findings(&chain, &proven.trips, &proven.whole);
    let at = reported.iter().find(|finding| finding.place.object == "2" && finding.code == "not-run").unwrap();
    assert!(at.found.contains("server"), "{at:#?}");
    server.end().await;
}

fn with_rows(always_clone: bool) -> Options {
    Options { rows: Some(Rows::default()), ..options(always_clone) }
}

fn told_of_rows(proven: &Proven) -> Vec<String> {
    let line = |finding: &Finding| format!("{} {} {}", finding.place.position(), finding.code, finding.found);
    proven.rows.integrity.iter().chain(&proven.rows.seeds).map(line).collect()
}

/// The first one can only run where the tool's own table is there; nothing of that table is the schema's.
const ON_BOOKS: [(&str, &str); 2] = [
    (
        "create function f() returns trigger language plpgsql as 'begin return new; end';\n\
         create trigger stop before insert on _sqlx_migrations for each row execute function f();",
        "drop trigger stop on _sqlx_migrations; drop function f();",
    ),
    ("create table t as select count(*) as applied from _sqlx_migrations;", "drop table t;"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_names_the_tool_s_own_table_finds_it() {
    let (server, chain) = (server().await, of(&ON_BOOKS));
    for always_clone in [false, true] {
        let proven = prove(&server, &chain, &with_rows(always_clone), |_| {}).await.unwrap();
        assert_eq!(verdicts(&proven), [Verdict::Exact; 2], "{:#?}", proven.trips);
        assert!(proven.whole.not_tried.is_none() && told_of_rows(&proven).is_empty(), "{:#?}", told_of_rows(&proven));
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_release_that_drops_rows_is_named_with_table_count_and_statement() {
    let shop = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/shop");
    let of = |folder: &str| files(std::path::Path::new(&format!("{shop}/{folder}"))).unwrap();
    let all = [of("migrations"), of("releases/v2/migrations"), of("releases/v3-rowloss/migrations")].concat();
    let chain = chain(&all, Some(Tool::Plain)).unwrap();
    let server = server().await;
    for always_clone in [false, true] {
        let proven = prove(&server, &chain, &with_rows(always_clone), |_| {}).await.unwrap();
        let lost: Vec<&Finding> = proven.rows.integrity.iter().filter(|f| f.code == "rows-lost").collect();
        let [lost] = lost.as_slice() else { panic!("{:#?}", told_of_rows(&proven)) };
        assert_eq!(lost.place.position(), "003_clean_up_orders.up.sql:2");
        assert_eq!(lost.excerpt, "DELETE FROM orders WHERE status = 'cancelled'");
        assert!(lost.found.contains("public.orders: 8 -> 7 rows (1 lost"), "{}", lost.found);
        assert!(
            proven.rows.integrity.iter().all(|f| f.place.object != "001" && f.place.object != "002"),
            "{:#?}",
            proven.rows
        );
        assert_eq!(proven.rows.seeds, []);
    }
    server.end().await;
}

/// One of each thing that only rows show, behind a first step that is sound.
const ON_ROWS: [(&str, &str); 6] = [
    (
        "create table t (id int primary key, a text not null, b text); create table other (id int);",
        "drop table t, other;",
    ),
    ("alter table t add column c int;\nupdate t set b = 'new';\ndelete from other;", "alter table t drop column c;"),
    ("alter table t drop column a;", "alter table t add column a text not null default '';"),
    ("alter table t add column d int not null;", "alter table t drop column d;"),
    ("create index t_b on t (b);", "drop index t_b;"),
    (
        "create table never (id int check (id > 1 and id < 1)); alter table other add column x int;",
        "alter table other drop column x; drop table never;",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_rows_show_is_reported_alike_in_a_session_and_on_copies() {
    let steps = [&ON_ROWS[..], &[("alter table other add y int;", "alter table other drop y;")]].concat();
    let (server, chain) = (server().await, of(&steps));
    let bare = prove(&server, &chain, &options(false), |_| {}).await.unwrap();
    let in_session = prove(&server, &chain, &with_rows(false), |_| {}).await.unwrap();
    let on_copies = prove(&server, &chain, &with_rows(true), |_| {}).await.unwrap();
    let mut in_part = Vec::new();
    for always_clone in [false, true] {
        let rows = Some(Rows { newest: 0, ..Rows::default() });
        let options = Options { rows, ..options(always_clone) };
        in_part.push(prove(&server, &chain, &options, |_| {}).await.unwrap());
    }
    server.end().await;
    assert_eq!(verdicts(&bare), verdicts(&in_session));
    assert_eq!(findings(&chain, &bare.trips, &bare.whole), findings(&chain, &in_session.trips, &in_session.whole));
    let told = told_of_rows(&in_session);
    for part in [
        "2_step.up.sql:2 values-changed public.t: different values in b",
        "2_step.up.sql:3 rows-lost public.other: 8 -> 0 rows (8 lost",
        "3_step.up.sql:1 column-dropped-with-data public.t.a: 8 values",
        "3_step.down.sql:1 data-not-restored",
        "4_step.up.sql:1 up-fails-with-rows",
        "7_step.up.sql table-unfilled public.never",
    ] {
        assert!(told.iter().any(|line| line.starts_with(part)), "`{part}` is not in {told:#?}");
    }
    assert_eq!(told, told_of_rows(&on_copies));
    // Rows in the tables only that a migration may change show the same; what it does not touch is not told.
    for always_clone in [false, true] {
        let told: Vec<&String> = told.iter().filter(|line| !line.contains("table-unfilled")).collect();
        let touched = &in_part[usize::from(always_clone)];
        assert_eq!(told_of_rows(touched).iter().collect::<Vec<_>>(), told, "always_clone = {always_clone}");
        assert_eq!((touched.rows.tried, touched.rows.whole, touched.rows.locks.len()), (6, 0, 0));
    }
    let locks = |proven: &Proven, target: &Sizes| -> Vec<String> {
        let found = of_chain(&chain, &proven.rows.locks, target, &Thresholds::default());
        found.iter().map(|f| format!("{} {}", f.place.position(), f.code)).collect()
    };
    let at_index = |told: &[String]| -> Vec<String> { told.iter().filter(|l| l.starts_with("5_")).cloned().collect() };
    assert_eq!(at_index(&locks(&in_session, &Sizes::new())), ["5_step.up.sql:1 index-blocked-writes"]);
    assert_eq!(locks(&in_session, &Sizes::new()), locks(&on_copies, &Sizes::new()));
    let small = Sizes::from([("public.t".to_owned(), 8), ("public.other".to_owned(), 8)]);
    assert_eq!(at_index(&locks(&in_session, &small)), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_requests_up_while_migrations_go_up_is_reported_with_the_statement() {
    let slow = "create index t_id on t (id);\nalter table t add column a int;\nselect pg_sleep(0.9);";
    let chain = of(&[
        ("create table t (id int);", "drop table t;"),
        (slow, "alter table t drop column a; drop index t_id;"),
        ("create table other (id int);", "drop table other;"),
    ]);
    let server = server().await;
    for always_clone in [false, true] {
        let proven = prove(&server, &chain, &with_rows(always_clone), |_| {}).await.unwrap();
        let stalls: Vec<Option<Duration>> = proven.trips.iter().map(|round_trip| round_trip.longest_stall).collect();
        assert!(stalls[1].is_some_and(|stall| stall > Duration::from_millis(700)), "{stalls:?}");
        assert_eq!((stalls[0], stalls[2]), (None, None));
        let found = of_chain(&chain, &proven.rows.locks, &Sizes::new(), &Thresholds::default());
        let stalled: Vec<&Finding> = found.iter().filter(|finding| finding.code == "requests-stalled").collect();
        assert!(stalled.iter().any(|finding| finding.place.position() == "2_step.up.sql:2"), "{found:#?}");
        let patient = Thresholds { stall: Duration::from_secs(5), ..Thresholds::default() };
        let found = of_chain(&chain, &proven.rows.locks, &Sizes::new(), &patient);
        assert!(found.iter().all(|finding| finding.code != "requests-stalled"), "{found:#?}");
        assert!(found.iter().all(|finding| finding.code != "requests-failed"), "{found:#?}");
    }
    server.end().await;
}

/// A key that is checked at the end of a transaction, and what commits with it or not.
const DEFERRED: [(&str, &str); 4] = [
    (
        "create table p (id int primary key); create table c (id int primary key, p int not null references p \
         deferrable initially deferred);",
        "drop table c, p;",
    ),
    ("create table u (id int); delete from p; delete from c;", "drop table u;"),
    ("create table v (id int);\ndelete from p;", "drop table v;"),
    (
        "create table w (p int references p deferrable initially deferred); insert into w values (-1); delete from w;",
        "drop table w;",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn deferred_keys_are_checked_at_the_end_of_a_migration_and_no_earlier() {
    let (server, chain) = (server().await, of(&DEFERRED));
    for always_clone in [false, true] {
        let proven = prove(&server, &chain, &with_rows(always_clone), |_| {}).await.unwrap();
        let reported = told_of_rows(&proven);
        for part in [
            "2_step.up.sql:1 rows-lost public.c: 8 -> 0 rows",
            "2_step.up.sql:1 rows-lost public.p: 8 -> 0 rows",
            "3_step.up.sql:2 up-fails-with-rows",
        ] {
            assert!(
                reported.iter().any(|line| line.starts_with(part)),
                "{always_clone}: `{part}` is not in {reported:#?}"
            );
        }
        let others = reported.iter().filter(|line| line.starts_with("2_") && !line.contains("not-restored"));
        assert_eq!(others.count(), 2, "{reported:#?}");
        assert!(!reported.iter().any(|line| line.starts_with("4_")), "{always_clone}: {reported:#?}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_the_privileges_and_settings_of_its_database() {
    let server = server().await;
    let steps = [
        (
            "do $$ begin execute format('alter database %I set work_mem = ''5MB''', current_database()); \
             execute format('revoke connect on database %I from public', current_database()); end $$;",
            "do $$ begin execute format('alter database %I reset work_mem', current_database()); \
             execute format('grant connect on database %I to public', current_database()); end $$;",
        ),
        ("create table t (id int);", "drop table t;"),
    ];
    let proven = prove(&server, &of(&steps), &options(true), |_| {}).await.unwrap();
    server.end().await;
    assert_eq!(verdicts(&proven)[1], Verdict::Exact, "{:?}", proven.trips[1].down);
}

/// A chain of goose with a step in Go: what needs its table fails, the others do not.
const AROUND_GO: [(&str, &str); 5] = [
    ("1_a.sql", "-- +goose Up\ncreate table a (id int primary key);\n-- +goose Down\ndrop table a;\n"),
    ("2_b.go", "package migrations"),
    ("3_c.sql", "-- +goose Up\ncreate table c (id int primary key);\n-- +goose Down\ndrop table c;\n"),
    ("4_d.sql", "-- +goose Up\nalter table b add column x int;\n-- +goose Down\nalter table b drop column x;\n"),
    ("5_e.sql", "-- +goose Up\nalter table c add column x int;\n-- +goose Down\nselect now();\n"),
];

#[tokio::test(flavor = "multi_thread")]
async fn migrations_behind_a_step_in_go_are_tried_without_it_or_with_what_stands_in() {
    let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() };
    let server = server().await;
    let mut chain = chain(&AROUND_GO.iter().map(file).collect::<Vec<_>>(), None).unwrap();
    let proven = prove(&server, &chain, &with_rows(false), |_| {}).await.unwrap();
    use Verdict::{AnotherSchema, Exact, NotRun};
    assert_eq!(verdicts(&proven), [Exact, NotRun, Exact, NotRun, AnotherSchema], "{:#?}", proven.trips);
    let reported = findings(&chain, &proven.trips, &proven.whole);
    let line = |f: &Finding| format!("{} {} {}", f.place.position(), f.code, f.severity.label());
    let reported: Vec<String> = reported.iter().map(line).collect();
    for want in ["2_b.go not-run", "4_d.sql:2 not-run", "5_e.sql:4 schema-not-restored WARN"] {
        assert!(reported.iter().any(|line| line.starts_with(want)), "`{want}` is not in {reported:#?}");
    }
    let with = [("2.up.sql", "create table b (id int primary key);"), ("2.down.sql", "drop table b;")];
    stagegate_migration_decide::stand_in(&mut chain, &with.iter().map(file).collect::<Vec<_>>());
    let proven = prove(&server, &chain, &with_rows(false), |_| {}).await.unwrap();
    assert_eq!(verdicts(&proven), [Exact, Exact, Exact, Exact, AnotherSchema], "{:#?}", proven.trips);
    server.end().await;
}

/// Partitions that leave and join their table, and a table that is merged into another one.
const MOVES: [(&str, &str); 4] = [
    (
        "create table p (id int, k int not null) partition by list (k); create table p1 partition of p for values in (1); \
         create table p2 partition of p default; create table old (id int, k int not null); \
         create table plain (id int primary key, note text);",
        "drop table plain, old, p;",
    ),
    ("alter table p detach partition p2;", "alter table p attach partition p2 default;"),
    ("drop table p2;", "create table p2 (id int, k int not null);"),
    (
        "alter table old add check (k is not null); alter table p attach partition old default;",
        "alter table p detach partition old; alter table old drop constraint old_k_check;",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_detached_partition_are_moved_and_those_of_a_dropped_one_lost() {
    let (server, chain) = (server().await, of(&MOVES));
    for always_clone in [false, true] {
        let proven = prove(&server, &chain, &with_rows(always_clone), |_| {}).await.unwrap();
        let reported = told_of_rows(&proven);
        let of = |step: &str| reported.iter().filter(|line| line.starts_with(step)).cloned().collect::<Vec<_>>();
        let moved = of("2_");
        assert!(
            moved.len() == 1 && moved[0].contains("rows-moved public.p: ") && moved[0].ends_with("to public.p2"),
            "{reported:#?}"
        );
        assert!(of("3_").iter().any(|line| line.contains("rows-lost public.p2")), "{reported:#?}");
        let joined = of("4_");
        assert!(
            joined.iter().any(|line| line.contains("rows-moved public.old: 8 rows moved to public.p")),
            "{reported:#?}"
        );
        assert!(!joined.iter().any(|line| line.contains("rows-lost")), "{reported:#?}");
    }
    server.end().await;
}
