//! Proofs that the history table of each tool is read as the tool writes them: its own tables on a real server.

use stagegate_base::config::Tool;
use stagegate_migration_act::applied;
use stagegate_migration_decide::{Chain, File, applied::drift, chain};

use crate::integrity::start;

fn folder(tool: Tool, files: &[(&str, &str)]) -> Chain {
    let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() };
    chain(&files.iter().map(file).collect::<Vec<_>>(), Some(tool)).unwrap()
}

/// A tool's table as its source makes it, rows as it writes them, a folder of three, and what has to be reported.
struct Case {
    tool: Tool,
    table: &'static str,
    rows: &'static str,
    files: &'static [(&'static str, &'static str)],
    told: &'static [(&'static str, &'static str)],
}

const CASES: &[Case] = &[
    Case {
        tool: Tool::Sqlx,
        table: "create table _sqlx_migrations (version bigint primary key, description text not null, \
                installed_on timestamptz not null default now(), success boolean not null, checksum bytea not null, \
                execution_time bigint not null)",
        // sha384sum of `select 1;` and of `select 2;`.
        rows: "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values \
               (1, 'a', true, sha384('select 1;'), 5), (2, 'b', true, sha384('select 2;'), 5), (4, 'd', false, sha384(''), -1)",
        files: &[
            ("0001_a.sql", "select 1;"),
            ("0002_b.sql", "select 3;"),
            ("0003_c.sql", "select 3;"),
            ("0004_d.sql", ""),
        ],
        told: &[("applied-dirty", "4"), ("edited-after-applied", "0002"), ("applied-out-of-order", "0003")],
    },
    Case {
        tool: Tool::Dbmate,
        table: "create table schema_migrations (version varchar(128) primary key)",
        rows: "insert into schema_migrations values ('20240101'), ('20240103'), ('20240109')",
        files: &[
            ("20240101_a.sql", "-- migrate:up\nselect f();"),
            ("20240102_b.sql", "-- migrate:up\nselect f();"),
            ("20240103_c.sql", "-- migrate:up\nselect f();"),
        ],
        told: &[("applied-not-in-folder", "20240109"), ("applied-out-of-order", "20240102")],
    },
    Case {
        tool: Tool::GolangMigrate,
        table: "create table schema_migrations (version bigint not null primary key, dirty boolean not null)",
        rows: "insert into schema_migrations values (2, true)",
        files: &[("000001_a.up.sql", "select f();"), ("000002_b.up.sql", "select f();")],
        told: &[("applied-dirty", "2")],
    },
    Case {
        tool: Tool::Goose,
        table: "create table goose_db_version (id serial not null, version_id bigint not null, is_applied boolean not null, \
                tstamp timestamp null default now(), primary key (id))",
        // 0 stands there from the beginning; 2 was applied, and rolled back by an early version of the tool.
        rows: "insert into goose_db_version (version_id, is_applied) values (0, true), (1, true), (2, true), (2, false), (3, true)",
        files: &[
            ("00001_a.sql", "-- +goose Up\nselect f();"),
            ("00002_b.sql", "-- +goose Up\nselect f();"),
            ("00003_c.sql", "-- +goose Up\nselect f();"),
        ],
        told: &[("applied-out-of-order", "00002")],
    },
    Case {
        tool: Tool::Diesel,
        table: "create table __diesel_schema_migrations (version varchar(50) primary key not null, \
                run_on timestamp not null default current_timestamp)",
        rows: "insert into __diesel_schema_migrations (version) values ('20240101000000'), ('20240105000000')",
        files: &[("2024-01-01-000000_a/up.sql", "select f();"), ("2024-01-02-000000_b/up.sql", "select f();")],
        told: &[("applied-not-in-folder", "20240105000000")],
    },
    Case {
        tool: Tool::Refinery,
        table: "create table refinery_schema_history (version int4 primary key, name varchar(255), \
                applied_on varchar(255), checksum varchar(255))",
        rows: "insert into refinery_schema_history values (1, 'a', '2024-01-01T00:00:00Z', '1')",
        files: &[("V1__a.sql", "select f();"), ("V2__b.sql", "select f();")],
        told: &[("edited-after-applied", "1")],
    },
    Case {
        tool: Tool::Flyway,
        table: "create table flyway_schema_history (installed_rank integer not null primary key, version varchar(50), \
                description varchar(200) not null, type varchar(20) not null, script varchar(1000) not null, checksum integer, \
                installed_by varchar(100) not null, installed_on timestamp not null default now(), \
                execution_time integer not null, success boolean not null)",
        // 4 was undone, 5 was marked as deleted by `repair`; -873187034 is CRC-32 of `123456789`.
        rows: "insert into flyway_schema_history (installed_rank, version, description, type, script, checksum, installed_by, \
               execution_time, success) values (1, '1', '<< Flyway Baseline >>', 'BASELINE', '', null, 'x', 0, true), \
               (2, '2', 'b', 'SQL', '', -873187034, 'x', 0, true), (3, '3', 'c', 'SQL', '', 7, 'x', 0, true), \
               (4, '4', 'd', 'SQL', '', 8, 'x', 0, true), (5, '4', 'd', 'UNDO_SQL', '', 8, 'x', 0, true), \
               (6, '5', 'e', 'SQL', '', 9, 'x', 0, true), (7, '5', 'e', 'DELETE', '', 9, 'x', 0, true), \
               (8, '6.1', 'f', 'SQL', '', null, 'x', 0, false), (9, null, 'all views', 'SQL', '', 1, 'x', 0, true)",
        files: &[
            ("V1__a.sql", "select f();"),
            ("V2__b.sql", "1234\r\n56789\n"),
            ("V3__c.sql", "select f();"),
            ("V6_1__f.sql", "select f();"),
            ("R__all_views.sql", "select f();"),
        ],
        told: &[("applied-dirty", "6.1"), ("edited-after-applied", "3")],
    },
    Case {
        tool: Tool::Sqitch,
        table: "create schema sqitch create table changes (change_id text primary key, script_hash text, change text not null, \
                project text not null, committed_at timestamptz not null default clock_timestamp())",
        rows: "insert into sqitch.changes (change_id, change, project) values ('1', 'a', 'shop'), ('2', 'lost', 'shop'), ('3', 'x', 'y')",
        files: &[
            ("sqitch.plan", "%project=shop\n\na 2026-01-01T00:00:00Z A <a@b>\nb 2026-01-02T00:00:00Z A <a@b>\n"),
            ("deploy/a.sql", "select f();"),
            ("deploy/b.sql", "select f();"),
        ],
        told: &[("applied-not-in-folder", "lost")],
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn the_history_table_of_each_tool_is_read_as_it_writes_it() {
    let server = start(17).await;
    for case in CASES {
        let database = server.create(None).await.unwrap();
        let client = server.session(&database).await.unwrap();
        assert_eq!(applied(&client, case.tool).await.unwrap(), None, "{}", case.tool);
        client.batch_execute(case.table).await.unwrap();
        assert_eq!(applied(&client, case.tool).await.unwrap(), Some(Vec::new()), "{}", case.tool);
        client.batch_execute(case.rows).await.unwrap();
        let rows = applied(&client, case.tool).await.unwrap().unwrap();
        let found = drift(&folder(case.tool, case.files), &rows);
        let reported: Vec<(&str, &str)> =
            found.iter().map(|finding| (&*finding.code, finding.place.object.as_str())).collect();
        assert_eq!(reported, case.told, "{}: {rows:#?}", case.tool);
    }
    server.end().await;
}
