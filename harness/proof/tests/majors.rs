//! Proofs that one command tries a folder on several majors, side by side.

use std::{fs, process::Command};

use serde_json::Value;

use crate::world::{checkout, gate};

/// A small chain; the second step is understood from 17 on, the third one's rollback from 18 on.
// Source: release notes of PostgreSQL 17 (MERGE .. RETURNING) and 18 (virtual generated columns).
const STEPS: [(&str, &str, &str); 3] = [
    ("1_orders", "create table orders (id int primary key, total int);", "drop table orders;"),
    (
        "2_merge",
        "create table log (id int); with m as (merge into orders o using (select 1 as id) s on o.id = s.id \
         when not matched then insert values (s.id, 0) returning o.id) insert into log select id from m;",
        "drop table log; delete from orders;",
    ),
    (
        "3_view",
        "create view totals as select id, total from orders;",
        "drop view totals; create table probe (a int, b int generated always as (a * 2) virtual); drop table probe;",
    ),
];

#[test]
fn three_majors_are_tested_and_the_minimum_is_reported_for_up_and_for_down() {
    let folder = std::env::temp_dir().join(format!("proof-majors-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (name, up, down) in STEPS {
        fs::write(folder.join(format!("{name}.up.sql")), up).unwrap();
        fs::write(folder.join(format!("{name}.down.sql")), down).unwrap();
    }
    let arguments = ["migrations", "check", "--pg", "15,17,18", "--tool", "sqlx", "--json", "--scratch", "docker"];
    let result = Command::new(gate()).args(arguments).arg(&folder).current_dir(checkout()).output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let printed = String::from_utf8_lossy(&result.stderr).into_owned();
    assert_eq!(result.status.code(), Some(3), "{printed}");
    let whole: Value = serde_json::from_slice(&result.stdout).unwrap();
    assert_eq!(whole["notes"][0], "the minimum major version is 17 for up and 18 for down");
    let reports = whole["servers"].as_array().unwrap();
    let verdicts = |report: &Value| -> Vec<String> {
        let all = report["migrations"].as_array().unwrap().iter();
        all.map(|one| one["verdict"].as_str().unwrap().to_owned()).collect()
    };
    let servers: Vec<&str> = reports.iter().map(|report| report["server"].as_str().unwrap()).collect();
    for (server, major) in servers.iter().zip(["15", "17", "18"]) {
        assert!(server.starts_with(&format!("PostgreSQL {major}")), "{servers:?}");
    }
    assert_eq!(verdicts(&reports[0]), ["exact", "up_fails", "sql_error"]);
    assert_eq!(verdicts(&reports[1]), ["exact", "exact", "sql_error"]);
    assert_eq!(verdicts(&reports[2]), ["exact", "exact", "exact"]);
    assert_eq!(reports[2]["rows"]["whole"], reports[2]["rows"]["tried"]);
}
